//! Threads that run elsewhere: starting, stopping, moving, calling, signalling and unmapping across cores.

use crate::harness::{Options, System, Thread, slot};
use abi::bootinfo::InitialSlot;
use abi::error::Error;
use abi::invocation::Invocation::*;
use abi::object::ObjectType;
use api::OnCore;
use machine::Register;
use machine::model::Event;
use manifest::handoff::features;
use thread::State;

const CORES: usize = 4;

fn system() -> System {
    System::with(Options { cores: CORES, features: features::HUGE_PAGES | features::FSGSBASE, ..Options::default() })
}

/// A thread of `core` that runs there; the root task acts again afterwards.
fn running_on(system: &System, core: usize) -> Thread {
    let thread = system.thread_on(core, 100);
    system.resume(thread);
    system.settle();
    assert_eq!(current_of(system, core), Some(thread));
    thread
}

fn tcb_of(system: &System, core: usize) -> memory::Ref<thread::Tcb> {
    let acting = system.acting();
    system.act_on(core);
    let tcb = system.current();
    system.act_on(acting);
    tcb
}

fn current_of(system: &System, core: usize) -> Option<Thread> {
    let tcb = tcb_of(system, core);
    (tcb.phys() != idle_of(system, core)).then_some(Thread { tcb, cap: 0, sc: 0 })
}

fn idle_of(system: &System, core: usize) -> memory::Phys {
    let core = sync::CoreIndex::new(core).unwrap();
    system.kernel.on(core).core().idle.phys()
}

fn is_idle(system: &System, core: usize) -> bool {
    tcb_of(system, core).phys() == idle_of(system, core)
}

/// When the timer of `core` fires.
fn timer_of(system: &System, core: usize) -> u64 {
    system.kernel.on(sync::CoreIndex::new(core).unwrap()).machine().deadline()
}

impl PartialEq for Thread {
    fn eq(&self, other: &Self) -> bool {
        self.tcb == other.tcb
    }
}

#[test]
fn boot_gives_a_control_of_each_cores_time() {
    let system = system();
    let info = system.bootinfo();
    assert_eq!(info.num_nodes, CORES as u64);
    assert_eq!(info.schedcontrol.len(), CORES as u64);
    assert!((1..CORES).all(|core| is_idle(&system, core)));
    assert_eq!(system.cap(InitialSlot::InitThreadTcb as u64).phys(), system.current().phys());
}

#[test]
fn a_thread_runs_where_its_time_is() {
    let system = system();
    for core in 1..CORES {
        let thread = running_on(&system, core);
        assert_eq!(thread.tcb.home.get().get(), core);
    }
    assert_eq!(system.current(), system.root(), "the root task was not disturbed");
}

#[test]
fn a_thread_that_runs_elsewhere_is_suspended_and_goes_on_where_it_was() {
    let system = system();
    let thread = running_on(&system, 2);
    let at = thread.tcb.context.next_pc();
    thread.tcb.context.set(Register::Rbx, 77);
    system.invoke(thread.cap, TCBSuspend, &[], &[]).ok();
    assert!(is_idle(&system, 2), "it was recalled");
    assert_eq!(thread.tcb.state.get(), State::INACTIVE);
    system.settle();
    assert!(is_idle(&system, 2));
    system.invoke(thread.cap, TCBResume, &[], &[]).ok();
    system.settle();
    assert_eq!(tcb_of(&system, 2), thread.tcb);
    assert_eq!((thread.tcb.context.next_pc(), thread.tcb.context.get(Register::Rbx)), (at, 77));
}

#[test]
fn a_recalled_thread_repeats_the_system_call_it_was_about_to_make() {
    let system = system();
    let endpoint = system.endpoint();
    let thread = running_on(&system, 1);
    // It has executed `syscall` and waits for the instance, which core 0 has.
    let at = thread.tcb.context.next_pc();
    thread.tcb.context.set(Register::Rdi, endpoint);
    thread.tcb.context.enter_by_syscall(at + 2);
    let registers = system.invoke(thread.cap, TCBReadRegisters, &[0, 2], &[]).ok();
    assert_eq!(registers[0], at, "nothing of the call has happened");
    system.settle();
    assert_eq!(tcb_of(&system, 1), thread.tcb, "it goes on");
    assert_eq!(thread.tcb.context.next_pc(), at);
}

#[test]
fn a_thread_that_is_stopped_elsewhere_has_used_its_time_until_then() {
    let system = system();
    let thread = running_on(&system, 1);
    system.advance(3_000_000);
    system.invoke(thread.cap, TCBSuspend, &[], &[]).ok();
    system.settle();
    assert_eq!(system.invoke(thread.sc, SchedContextConsumed, &[], &[]).ok(), [3_000]);
}

#[test]
fn reading_the_registers_of_a_running_thread_does_not_stop_it() {
    let system = system();
    let thread = running_on(&system, 3);
    system.invoke(thread.cap, TCBReadRegisters, &[0, 20], &[]).ok();
    system.settle();
    assert_eq!(tcb_of(&system, 3), thread.tcb);
}

#[test]
fn a_thread_moves_with_its_time() {
    let system = system();
    let thread = running_on(&system, 1);
    system.configure_on(2, thread.sc);
    system.settle();
    assert!(is_idle(&system, 1));
    assert_eq!(tcb_of(&system, 2), thread.tcb);
}

#[test]
fn the_root_task_moves_itself() {
    let system = system();
    let root = system.current();
    let words = [10_000, 10_000, 0, 0, 0];
    let control = system.sched_control() + 3;
    system.expect_budget(system.phys(slot::SC), 10_000_000);
    system.load(&crate::harness::Call {
        cap: control,
        label: SchedControlConfigureFlags as u64,
        words: &words,
        caps: &[slot::SC],
    });
    system.current().context.set(Register::Rdi, control);
    system.raw(abi::syscall::Syscall::Call as i64);
    assert!(system.is_idle(), "it left this core");
    system.settle();
    assert_eq!(tcb_of(&system, 3), root);
    system.act_on(3);
    system.answer_of(root).ok();
}

#[test]
fn fpu_registers_follow_their_thread() {
    let system = system();
    let thread = running_on(&system, 1);
    system.act_on(1);
    system.exception(7, 0);
    assert!(system.machine().is_fpu_enabled());
    system.machine().set_fpu_words([5; 64]);
    system.act_on(0);
    system.configure_on(2, thread.sc);
    system.settle();
    system.act_on(2);
    assert_eq!(system.current(), thread.tcb);
    assert!(!system.machine().is_fpu_enabled());
    system.exception(7, 0);
    assert_eq!(system.machine().fpu_words(), [5; 64]);
}

#[test]
fn fpu_registers_that_nobody_needed_since_follow_their_thread() {
    let system = system();
    let notification = system.notification();
    let thread = system.thread(100);
    system.step_back();
    system.resume(thread);
    assert_eq!(system.current(), thread.tcb);
    system.exception(7, 0);
    system.machine().set_fpu_words([6; 64]);
    // It waits; its registers stay where they are.
    system.wait(notification);
    assert_eq!(system.current(), system.root());
    system.configure_on(2, thread.sc);
    system.signal(notification);
    system.settle();
    system.act_on(2);
    assert_eq!(system.current(), thread.tcb);
    system.exception(7, 0);
    assert_eq!(system.machine().fpu_words(), [6; 64]);
}

#[test]
fn a_call_crosses_cores_and_so_does_its_reply() {
    let system = system();
    let (endpoint, reply) = (system.endpoint(), system.reply());
    let server = running_on(&system, 1);
    system.act_on(1);
    system.recv(endpoint, reply);
    assert!(system.is_idle());
    system.act_on(0);
    let root = system.current();
    system.call(endpoint, &[7, 8]);
    assert!(system.is_idle(), "the caller waits");
    system.settle();
    system.act_on(1);
    assert_eq!(system.current(), server.tcb);
    assert_eq!(system.answer_of(server.tcb).words, [7, 8]);
    system.reply_recv(endpoint, reply, &[9]);
    system.settle();
    system.act_on(0);
    assert_eq!(system.current(), root);
    assert_eq!(system.answer_of(root).words, [9]);
}

#[test]
fn a_passive_server_comes_to_its_callers_core_and_its_next_callers_and_so_do_its_fpu_registers() {
    let system = system();
    let (endpoint, reply) = (system.endpoint(), system.reply());
    let server = running_on(&system, 1);
    system.act_on(1);
    system.exception(7, 0);
    system.machine().set_fpu_words([1; 64]);
    system.recv(endpoint, reply);
    system.act_on(0);
    system.invoke(server.sc, SchedContextUnbindObject, &[], &[server.cap]).ok();
    for (core, word) in [(2, 1), (3, 2), (1, 3)] {
        let client = running_on(&system, core);
        system.act_on(core);
        system.call(endpoint, &[core as u64]);
        assert_eq!(system.current(), server.tcb, "it runs on the caller's time");
        assert_eq!(server.tcb.home.get().get(), core);
        system.exception(7, 0);
        assert_eq!(system.machine().fpu_words(), [word; 64]);
        system.machine().set_fpu_words([word + 1; 64]);
        system.reply_recv(endpoint, reply, &[]);
        assert_eq!(system.current(), client.tcb);
        system.act_on(0);
    }
}

#[test]
fn a_signal_wakes_a_waiter_of_another_core() {
    let system = system();
    let notification = system.notification();
    let badged = system.mint(notification, 15, 0x40);
    let thread = running_on(&system, 2);
    system.act_on(2);
    system.wait(notification);
    assert!(system.is_idle());
    system.act_on(0);
    system.signal(badged);
    system.settle();
    system.act_on(2);
    assert_eq!(system.current(), thread.tcb);
    assert_eq!(system.answer_of(thread.tcb).badge, 0x40);
}

#[test]
fn a_fault_is_handled_on_another_core() {
    let system = system();
    let (endpoint, reply) = (system.endpoint(), system.reply());
    let handler = system.mint(endpoint, 15, 3);
    let thread = running_on(&system, 1);
    let words = [0, 0];
    system.invoke(thread.cap, TCBSetSpace, &words, &[handler, slot::CNODE, slot::VSPACE]).ok();
    system.settle();
    system.act_on(1);
    system.exception(13, 0);
    assert!(system.is_idle());
    system.act_on(0);
    let root = system.current();
    system.recv(endpoint, reply);
    assert_eq!(system.answer_of(root).badge, 3);
    system.reply_recv(endpoint, reply, &[]);
    system.settle();
    assert_eq!(tcb_of(&system, 1), thread.tcb, "it was restarted");
}

#[test]
fn a_thread_that_runs_elsewhere_is_deleted() {
    let system = system();
    let thread = running_on(&system, 1);
    system.delete(thread.cap);
    assert!(is_idle(&system, 1));
    system.settle();
    assert!(is_idle(&system, 1));
}

#[test]
fn the_time_of_a_thread_that_runs_elsewhere_is_deleted() {
    let system = system();
    let thread = running_on(&system, 1);
    let context = system.phys(thread.sc);
    system.forget_budget(context);
    system.delete(thread.sc);
    assert!(is_idle(&system, 1));
    assert!(thread.tcb.sched_context.get().is_none());
}

#[test]
fn a_more_important_thread_of_another_core_interrupts_it_and_a_lesser_does_not() {
    let system = system();
    let runs = running_on(&system, 1);
    let lesser = system.thread_on(1, 50);
    system.take_events();
    system.resume(lesser);
    let interrupts = |system: &System| {
        system.take_events().iter().filter(|event| matches!(event, Event::InterruptCore { .. })).count()
    };
    assert_eq!(interrupts(&system), 0, "core 1 has something better to do");
    let greater = system.thread_on(1, 150);
    system.resume(greater);
    assert_eq!(interrupts(&system), 1);
    system.settle();
    assert_eq!(tcb_of(&system, 1), greater.tcb);
    system.invoke(greater.cap, TCBSetPriority, &[20], &[slot::TCB]).ok();
    system.settle();
    assert_eq!(tcb_of(&system, 1), runs.tcb);
}

#[test]
fn who_becomes_the_most_important_of_another_core_runs_there() {
    let system = system();
    running_on(&system, 1);
    let raised = system.thread_on(1, 50);
    system.resume(raised);
    system.invoke(raised.cap, TCBSetPriority, &[150], &[slot::TCB]).ok();
    system.settle();
    assert_eq!(tcb_of(&system, 1), raised.tcb);
    let given_time = system.passive_thread(200);
    system.resume(given_time);
    let time = system.make(ObjectType::SchedContext, 8);
    system.configure_on(1, time);
    system.invoke(time, SchedContextBind, &[], &[given_time.cap]).ok();
    system.settle();
    assert_eq!(tcb_of(&system, 1), given_time.tcb);
}

#[test]
fn unmapping_a_page_empties_the_caches_of_cores_that_may_know_it() {
    let system = system();
    let (frame, _) = system.page();
    let thread = running_on(&system, 2);
    let root = system.phys(slot::VSPACE).0;
    assert_eq!(current_space(&system, 2), root);
    system.invoke(frame, X86PageUnmap, &[], &[]).ok();
    assert_ne!(current_space(&system, 2), root, "the core let go of the address space");
    system.settle();
    assert_eq!(tcb_of(&system, 2), thread.tcb);
    assert_eq!(current_space(&system, 2), root);
}

#[test]
fn a_thread_whose_address_space_was_taken_away_goes_on_with_its_system_call() {
    let system = system();
    let (frame, _) = system.page();
    let notification = system.notification();
    let thread = running_on(&system, 2);
    // It has executed `syscall` (a signal) and waits for the instance, in which core 0 unmaps a page.
    let context = &thread.tcb.context;
    let after = context.next_pc() + 2;
    context.set(Register::Rdi, notification);
    context.set(Register::Rsi, 0);
    context.set(Register::Rdx, abi::syscall::Syscall::Send as u64);
    context.enter_by_syscall(after);
    system.invoke(frame, X86PageUnmap, &[], &[]).ok();
    assert_eq!(tcb_of(&system, 2), thread.tcb, "it keeps its turn");
    system.act_on(2);
    system.here().slow_syscall();
    assert_eq!((system.current(), context.next_pc()), (thread.tcb, after));
    assert_eq!(current_space(&system, 2), system.phys(slot::VSPACE).0);
    system.settle();
    system.receive(abi::syscall::Syscall::NBWait, notification, 0);
    assert_eq!(system.current(), thread.tcb);
}

#[test]
fn what_a_thread_waits_to_enter_for_is_not_done_once_it_was_stopped() {
    let entries: [fn(OnCore<'_>); 3] = [|on| on.syscall(), |on| on.slow_syscall(), |on| on.exception(6, 0)];
    for enter in entries {
        let system = system();
        let thread = running_on(&system, 2);
        let before = thread.tcb.context.next_pc();
        thread.tcb.context.enter_by_syscall(before + 2);
        system.invoke(thread.cap, TCBSuspend, &[], &[]).ok();
        system.act_on(2);
        enter(system.here());
        system.audit();
        assert!(system.is_idle());
        assert_eq!(system.current().state.get(), State::IDLE);
        system.settle();
        system.act_on(0);
        system.invoke(thread.cap, TCBResume, &[], &[]).ok();
        system.settle();
        assert_eq!(tcb_of(&system, 2), thread.tcb);
        assert_eq!(thread.tcb.context.next_pc(), before, "it does it again");
    }
}

#[test]
fn a_thread_that_may_write_its_bases_is_stopped_before_it_does_and_may_again() {
    let system = system();
    let thread = running_on(&system, 2);
    system.act_on(2);
    system.exception(6, 0);
    system.act_on(0);
    system.invoke(thread.cap, TCBSuspend, &[], &[]).ok();
    system.settle();
    let others = running_on(&system, 2);
    system.act_on(2);
    assert!(!system.machine().write_bases(1, 2));
    system.act_on(0);
    system.invoke(others.cap, TCBSuspend, &[], &[]).ok();
    system.invoke(thread.cap, TCBResume, &[], &[]).ok();
    system.settle();
    system.act_on(2);
    system.exception(6, 0);
    assert!(system.machine().write_bases(0x1000, 0x2000));
    system.exception(1, 0);
    let context = &thread.tcb.context;
    assert_eq!([Register::FsBase, Register::GsBase].map(|base| context.get(base)), [0x1000, 0x2000]);
    assert_eq!((system.current(), context.get(Register::Rflags) & 1 << 8), (thread.tcb, 0));
}

#[test]
fn mapping_a_new_page_disturbs_nobody() {
    let system = system();
    running_on(&system, 2);
    let frame = system.make(ObjectType::Page4K, 0);
    let vaddr = system.fresh_vaddr(4096);
    system.map_tables(vaddr);
    system.take_events();
    system.invoke(frame, X86PageMap, &[vaddr, 3, 0], &[slot::VSPACE]).ok();
    assert!(!system.take_events().iter().any(|event| matches!(event, Event::InterruptCore { .. })));
}

#[test]
fn an_address_space_that_another_core_runs_in_is_deleted() {
    let system = system();
    let thread = system.thread_on(1, 100);
    let space = system.make(ObjectType::Pml4, 0);
    system.invoke(slot::POOL, X86ASIDPoolAssign, &[], &[space]).ok();
    system.invoke(thread.cap, TCBSetSpace, &[0, 0], &[0, slot::CNODE, space]).ok();
    system.resume(thread);
    system.settle();
    let root = system.phys(space).0;
    assert_eq!(current_space(&system, 1), root);
    system.revoke(space);
    assert_eq!(current_space(&system, 1), root, "only a capability went");
    system.delete(space);
    assert_ne!(current_space(&system, 1), root);
}

fn current_space(system: &System, core: usize) -> u64 {
    system.kernel.on(sync::CoreIndex::new(core).unwrap()).machine().current_address_space()
}

#[test]
fn yielding_to_another_cores_thread_answers_at_once() {
    let system = system();
    let thread = running_on(&system, 1);
    system.invoke(thread.sc, SchedContextYieldTo, &[], &[]).ok();
    system.settle();
    assert_eq!(system.current(), system.root());
    assert_eq!(tcb_of(&system, 1), thread.tcb);
}

#[test]
fn timers_are_per_core() {
    let system = system();
    let thread = running_on(&system, 1);
    let other = system.thread_on(1, 100);
    system.resume(other);
    system.settle();
    system.act_on(1);
    let before = system.current();
    system.tick(10_001);
    assert_ne!(system.current(), before, "the slice ended: round robin");
    system.tick(10_001);
    assert_eq!(system.current(), before);
    assert_eq!(before, thread.tcb);
}

#[test]
fn a_core_whose_only_thread_is_stopped_has_no_reason_to_wake_up() {
    let system = system();
    let thread = running_on(&system, 1);
    assert_ne!(timer_of(&system, 1), u64::MAX);
    system.invoke(thread.cap, TCBSuspend, &[], &[]).ok();
    system.settle();
    assert!(is_idle(&system, 1));
    assert_eq!(timer_of(&system, 1), u64::MAX);
}

#[test]
fn who_waits_elsewhere_for_time_is_stopped_and_resumed_and_the_timer_there_follows() {
    let system = system();
    let thread = system.thread_on(1, 100);
    let control = system.sched_control() + 1;
    system.expect_budget(system.phys(thread.sc), 2_000_000);
    system.invoke(control, SchedControlConfigureFlags, &[2_000, 10_000, 0, 0, 0], &[thread.sc]).ok();
    system.resume(thread);
    system.settle();
    let began = system.machine().now();
    system.act_on(1);
    system.tick(2_000);
    assert!(system.is_idle(), "its budget is used up");
    assert_eq!(timer_of(&system, 1), began + 10_000_000);
    system.act_on(0);
    system.invoke(thread.cap, TCBSuspend, &[], &[]).ok();
    system.settle();
    assert!(timer_of(&system, 1) > began + 10_000_000, "nobody waits there any more");
    system.invoke(thread.cap, TCBResume, &[], &[]).ok();
    system.settle();
    assert!(is_idle(&system, 1), "it has no time before the next period");
    assert_eq!(timer_of(&system, 1), began + 10_000_000);
    system.act_on(1);
    system.tick(8_000);
    assert_eq!(system.current(), thread.tcb);
}

#[test]
fn a_domain_schedule_begins_on_every_core_at_once() {
    let system = system();
    let (zero, one) = (running_on(&system, 1), system.thread_on(1, 100));
    system.invoke(slot::DOMAIN, DomainSetSet, &[1], &[one.cap]).ok();
    system.resume(one);
    for (index, domain, duration) in [(0, 0, 5_000_000), (1, 1, 3_000_000)] {
        system.invoke(slot::DOMAIN, DomainScheduleConfigure, &[index, domain, duration], &[]).ok();
    }
    system.invoke(slot::DOMAIN, DomainScheduleSetStart, &[0], &[]).ok();
    system.settle();
    let now = system.machine().now();
    for (_, core) in system.kernel.cores().iter() {
        assert_eq!(core.machine.deadline(), now + 5_000_000);
    }
    system.act_on(1);
    for _ in 0..2 {
        assert_eq!(system.current(), zero.tcb);
        system.tick(5_000);
        assert_eq!(system.current(), one.tcb);
        system.tick(3_000);
    }
}

#[test]
fn a_core_that_is_not_there_has_no_control() {
    let system = system();
    let sc = system.make(ObjectType::SchedContext, 8);
    let control = system.sched_control() + CORES as u64;
    let answer = system.invoke(control, SchedControlConfigureFlags, &[10_000, 10_000, 0, 0, 0], &[sc]);
    assert_ne!(answer.error(), Error::NoError);
}
