//! Faults as messages: what each looks like, what an answer changes, and threads that nobody listens for.

use crate::harness::{Answer, Call, System, Thread, slot};
use abi::fault::FaultType;
use abi::invocation::Invocation::*;
use abi::syscall::Syscall;
use machine::Register;
use memory::Ref;
use thread::{State, Tcb};

struct Scene {
    system: System,
    handler: Thread,
    victim: Thread,
    endpoint: u64,
    reply: u64,
}

/// A handler of priority 20 that waits for faults of a running victim of priority 10.
fn scene() -> Scene {
    let system = System::new();
    let (endpoint, reply) = (system.endpoint(), system.reply());
    let badged = system.mint(endpoint, 15, 0xfa);
    let handler = system.thread(20);
    let victim = system.thread(10);
    system.invoke(victim.cap, TCBSetSchedParams, &[0, 10], &[slot::TCB, victim.sc, badged]).ok();
    system.step_back();
    system.resume(handler);
    system.recv(endpoint, reply);
    system.resume(victim);
    assert_eq!(system.current(), victim.tcb);
    Scene { system, handler, victim, endpoint, reply }
}

impl Scene {
    /// The fault that the handler, now running, was told.
    fn fault(&self) -> Answer {
        assert_eq!(self.system.current(), self.handler.tcb);
        let fault = self.system.answer_of(self.handler.tcb);
        assert_eq!(fault.badge, 0xfa);
        fault
    }

    /// The handler answers with `label` and `words` and waits for more.
    fn answer(&self, label: u64, words: &[u64]) {
        self.system.load(&Call { cap: self.endpoint, label, words, caps: &[] });
        self.system.receive(Syscall::ReplyRecv, self.endpoint, self.reply);
    }

    fn victim_register(&self, register: Register) -> u64 {
        self.victim.tcb.context.get(register)
    }
}

fn registers(tcb: Ref<Tcb>) -> [(Register, u64); 15] {
    use Register::*;
    [Rax, Rbx, Rcx, Rdx, Rsi, Rdi, Rbp, R8, R9, R10, R11, R12, R13, R14, R15].map(|it| (it, tcb.context.get(it)))
}

#[test]
fn a_page_fault_says_where_and_how() {
    let scene = scene();
    scene.system.machine().set_fault_address(0xdead_b000);
    scene.system.exception(14, 0x15);
    let fault = scene.fault();
    assert_eq!(fault.label, FaultType::VMFault as u64);
    assert_eq!(fault.words, [0x50_0000, 0xdead_b000, 1, 0x15]);
    assert_eq!(scene.victim.tcb.state.get(), State::BLOCKED_ON_REPLY);
    // Any answer restarts it at the instruction that faulted; the label does not matter.
    scene.answer(3, &[]);
    assert_eq!(scene.system.current(), scene.victim.tcb);
    assert_eq!(scene.victim.tcb.context.next_pc(), 0x50_0000);
    assert!(scene.victim.tcb.fault.get().is_none());
}

#[test]
fn a_data_access_is_no_prefetch_fault() {
    let scene = scene();
    scene.system.exception(14, 6);
    assert_eq!(scene.fault().words[2..], [0, 6]);
}

#[test]
fn a_processor_exception_can_be_answered_with_new_registers() {
    let scene = scene();
    scene.victim.tcb.context.set(Register::Rsp, 0x7000);
    scene.system.exception(6, 0);
    let fault = scene.fault();
    assert_eq!(fault.label, FaultType::UserException as u64);
    assert_eq!(fault.words, [0x50_0000, 0x7000, 0x202, 6, 0]);
    scene.answer(0, &[0x50_0002, 0x8000, u64::MAX]);
    assert_eq!(scene.system.current(), scene.victim.tcb);
    assert_eq!(scene.victim.tcb.context.next_pc(), 0x50_0002);
    assert_eq!(scene.victim_register(Register::Rsp), 0x8000);
    assert_eq!(scene.victim_register(Register::Rflags), 0xfd7, "interrupts on, privilege off");
}

#[test]
fn an_answer_with_another_label_leaves_the_thread_stopped() {
    let scene = scene();
    scene.system.exception(6, 0);
    scene.fault();
    scene.answer(1, &[0x1234]);
    assert_eq!(scene.victim.tcb.state.get(), State::INACTIVE);
    assert_eq!(scene.system.current(), scene.system.root());
    assert_eq!(scene.victim_register(Register::FaultIp), 0x1234, "registers are taken all the same");
}

#[test]
fn addresses_in_an_answer_are_made_canonical() {
    let scene = scene();
    scene.system.exception(13, 0);
    scene.answer(0, &[0x1234_5678_9abc_def0, 5]);
    assert_eq!(scene.victim.tcb.context.next_pc(), 0);
    assert_eq!(scene.victim_register(Register::Rsp), 5);
}

#[test]
fn an_unknown_system_call_carries_all_registers_both_ways() {
    let scene = scene();
    let context = &scene.victim.tcb.context;
    let general = [Register::Rax, Register::Rbx, Register::Rbp, Register::R13, Register::R14, Register::R9];
    for (index, register) in general.into_iter().enumerate() {
        context.set(register, 0x100 + index as u64);
    }
    scene.system.raw(-77);
    let fault = scene.fault();
    assert_eq!(fault.label, FaultType::UnknownSyscall as u64);
    assert_eq!(fault.words.len(), 19);
    assert_eq!(fault.words[18] as i64, -77);
    assert_eq!(fault.words[15], 0x50_0000, "the instruction itself");
    let sent: Vec<u64> = registers(scene.victim.tcb).iter().map(|it| it.1).collect();
    assert_eq!(fault.words[..15], sent);
    let answer: Vec<u64> = (0..15).map(|index| 0x200 + index).chain([0x50_0002, 0x6000]).collect();
    scene.answer(0, &answer);
    assert_eq!(scene.system.current(), scene.victim.tcb);
    assert_eq!(registers(scene.victim.tcb).map(|it| it.1)[..], answer[..15]);
    assert_eq!(scene.victim.tcb.context.next_pc(), 0x50_0002);
}

#[test]
fn invoking_what_is_not_there_is_a_capability_fault() {
    let scene = scene();
    // The root CNode resolves all 64 bits: an empty slot is no fault, but an invalid capability.
    scene.system.call(scene.system.fresh(), &[]);
    assert_eq!(scene.system.current(), scene.victim.tcb);
    scene.system.call(1 << 40, &[]);
    let fault = scene.fault();
    assert_eq!(fault.label, FaultType::CapFault as u64);
    // Address, phase, guard mismatch: bits left, the guard, its bits.
    assert_eq!(fault.words, [0x50_0002, 1 << 40, 0, 4, 64, 0, 51]);
}

#[test]
fn a_missing_extra_capability_is_a_fault_too() {
    let scene = scene();
    let call = Call { cap: slot::TCB, label: TCBSetPriority as u64, words: &[1], caps: &[1 << 50] };
    scene.system.send(Syscall::Call, call);
    assert_eq!(scene.fault().words[1..3], [1 << 50, 0]);
}

#[test]
fn a_non_blocking_send_never_faults() {
    let scene = scene();
    scene.system.send(Syscall::NBSend, Call { cap: 1 << 40, label: 0, words: &[], caps: &[] });
    assert_eq!(scene.system.current(), scene.victim.tcb);
}

#[test]
fn a_fault_waits_until_somebody_receives_it() {
    let system = System::new();
    let (endpoint, reply) = (system.endpoint(), system.reply());
    let thread = system.thread(10);
    system.invoke(thread.cap, TCBSetSchedParams, &[0, 10], &[slot::TCB, thread.sc, endpoint]).ok();
    system.step_back();
    system.resume(thread);
    system.exception(13, 7);
    assert_eq!(thread.tcb.state.get(), State::BLOCKED_ON_SEND);
    system.recv(endpoint, reply);
    assert_eq!(system.answer_of(system.root()).words[3..], [13, 7]);
    assert_eq!(thread.tcb.state.get(), State::BLOCKED_ON_REPLY);
}

#[test]
fn without_a_handler_the_thread_stops_and_the_console_says_so() {
    let system = System::new();
    let thread = system.thread(10);
    system.step_back();
    system.resume(thread);
    system.exception(6, 0);
    assert_eq!(thread.tcb.state.get(), State::INACTIVE);
    assert_eq!(system.current(), system.root());
    assert!(system.machine().console_text().contains("no fault handler"), "{}", system.machine().console_text());
}

#[test]
fn deleting_the_handler_endpoint_leaves_a_waiting_faulter_stopped() {
    let system = System::new();
    let endpoint = system.endpoint();
    let thread = system.thread(10);
    system.invoke(thread.cap, TCBSetSchedParams, &[0, 10], &[slot::TCB, thread.sc, endpoint]).ok();
    system.step_back();
    system.resume(thread);
    system.exception(6, 0);
    assert_eq!(thread.tcb.state.get(), State::BLOCKED_ON_SEND);
    system.revoke(endpoint);
    system.delete(endpoint);
    assert_eq!(thread.tcb.state.get(), State::INACTIVE);
}

#[test]
fn a_handler_capability_needs_write_and_a_grant_right() {
    let system = System::new();
    let endpoint = system.endpoint();
    let thread = system.thread(10);
    for (rights, allowed) in [(1, false), (4 | 8, false), (1 | 4, true), (1 | 8, true), (2 | 4, false)] {
        let cap = system.mint(endpoint, rights, 1);
        let answer = system.invoke(thread.cap, TCBSetTimeoutEndpoint, &[], &[cap]);
        assert_eq!(answer.label == 0, allowed, "rights {rights}");
    }
}

#[test]
fn a_timeout_tells_the_handler_and_an_answer_lets_the_thread_go_on() {
    let system = System::new();
    let (endpoint, reply) = (system.endpoint(), system.reply());
    let handler = system.thread(20);
    let thread = system.thread(10);
    system.invoke(thread.cap, TCBSetTimeoutEndpoint, &[], &[endpoint]).ok();
    system.configure(thread.sc, 1_000, 10_000, 0).ok();
    system.step_back();
    system.resume(handler);
    system.recv(endpoint, reply);
    system.resume(thread);
    system.tick(1_000);
    assert_eq!(system.current(), handler.tcb);
    let fault = system.answer_of(handler.tcb);
    assert_eq!((fault.label, fault.words[0]), (FaultType::Timeout as u64, 0x5c));
    assert_eq!(fault.words[1], 1_000, "microseconds consumed");
    assert_eq!(thread.tcb.state.get(), State::BLOCKED_ON_REPLY);
    // More budget, then go on.
    system.configure(thread.sc, 5_000, 10_000, 0).ok();
    system.load(&Call { cap: endpoint, label: 0, words: &[], caps: &[] });
    system.receive(Syscall::ReplyRecv, endpoint, reply);
    assert_eq!(system.current(), thread.tcb);
}

#[test]
fn without_a_timeout_handler_the_thread_waits_for_its_next_period() {
    let system = System::new();
    let thread = system.thread(10);
    system.configure(thread.sc, 1_000, 10_000, 0).ok();
    system.step_back();
    system.resume(thread);
    system.tick(1_000);
    assert_eq!(system.current(), system.root());
    assert!(thread.tcb.has(thread::flag::IN_RELEASE_QUEUE));
    system.tick(8_900);
    assert_eq!(system.current(), system.root());
    system.tick(200);
    assert_eq!(system.current(), thread.tcb);
}

#[test]
fn a_breakpoint_at_the_end_of_the_budget_is_not_lost() {
    const BREAKPOINT: u64 = 3;
    let scene = scene();
    scene.system.configure(scene.victim.sc, 1_000, 10_000, 0);
    assert_eq!(scene.system.current(), scene.victim.tcb);
    // The instruction is done and cannot be repeated: the thread would go on behind it.
    scene.system.advance(2_000_000);
    scene.system.exception(BREAKPOINT, 0);
    let expected = if abi::HARDWARE_DEBUG { FaultType::DebugException } else { FaultType::UserException };
    assert_eq!(scene.fault().label, expected as u64);
    assert_eq!(scene.victim.tcb.state.get(), State::BLOCKED_ON_REPLY);
    scene.answer(0, &[0x50_0002, 0x8000, 0x202]);
    assert_eq!(scene.system.current(), scene.system.root(), "it used more than it had, and waits for the next period");
}

#[test]
fn a_passive_handler_of_a_breakpoint_waits_for_the_time_it_was_given() {
    const DEBUG: u64 = 1;
    for period_us in [1_000, 10_000] {
        let system = System::new();
        let (endpoint, reply) = (system.endpoint(), system.reply());
        let handler = system.thread(20);
        let victim = system.thread(10);
        system.invoke(victim.cap, TCBSetSchedParams, &[0, 10], &[slot::TCB, victim.sc, endpoint]).ok();
        system.configure(victim.sc, 1_000, period_us, 0).ok();
        system.step_back();
        system.resume(handler);
        system.recv(endpoint, reply);
        system.invoke(handler.sc, SchedContextUnbind, &[], &[]).ok();
        system.resume(victim);
        assert_eq!(system.current(), victim.tcb);
        system.advance(1_000_000);
        // The fast path leaves the account to the timer, which is about to interrupt the handler.
        system.slow.set(true);
        system.exception(DEBUG, 0);
        assert_eq!(handler.tcb.sched_context.get(), Some(system.cap(victim.sc).object()));
        if period_us > 1_000 {
            assert_eq!(system.current(), system.root(), "no budget is left in this period");
            system.tick(period_us);
        }
        assert_eq!(system.current(), handler.tcb);
        assert_eq!(system.answer_of(handler.tcb).words[3], DEBUG);
    }
}
