//! Who runs when: priorities, round robin, budgets and periods, yields, domains, and the timer that drives it.

use crate::harness::{System, Thread, audit, slot};
use abi::error::Error;
use abi::invocation::Invocation::*;
use abi::object::ObjectType;
use abi::syscall::Syscall;
use machine::model::Event;
use thread::State;

/// The root task waits, so that the others have the core to themselves.
fn leave(system: &System) {
    let never = system.notification();
    system.wait(never);
}

#[test]
fn the_most_important_thread_runs() {
    let system = System::new();
    let (low, high) = (system.thread(10), system.thread(20));
    system.step_back();
    system.resume(low);
    assert_eq!(system.current(), low.tcb);
    system.invoke(high.cap, TCBResume, &[], &[]);
    assert_eq!(system.current(), high.tcb);
    system.enter(Syscall::Yield);
    assert_eq!(system.current(), high.tcb, "a yield is to equals only");
    system.wait(system.make_for_later());
    assert_eq!(system.current(), low.tcb);
}

#[test]
fn whoever_is_given_less_time_while_it_runs_is_interrupted_when_that_is_over() {
    let system = System::new();
    system.configure(slot::SC, 1_000, 10_000, 0).ok();
    assert_eq!(system.current(), system.root());
    assert!(system.machine().deadline() <= system.machine().now() + 1_000_000);
}

#[test]
fn equals_take_turns_by_the_timer() {
    let system = System::new();
    let threads = [system.thread(10), system.thread(10), system.thread(10)];
    for thread in threads {
        system.resume(thread);
    }
    leave(&system);
    let mut order = Vec::new();
    for _ in 0..6 {
        order.push(system.current());
        system.tick(10_000);
    }
    let expected: Vec<_> = [0, 1, 2, 0, 1, 2].map(|index| threads[index].tcb).into_iter().collect();
    let first = order.iter().position(|&thread| thread == expected[0]).unwrap();
    assert_eq!(order[first..first + 3].len(), 3);
    let distinct: std::collections::BTreeSet<u64> = order[..3].iter().map(|thread| thread.word()).collect();
    assert_eq!(distinct.len(), 3, "each once in three slices");
    assert_eq!(order[..3], order[3..], "and then again in the same order");
}

#[test]
fn a_slice_that_is_not_used_up_is_not_lost_to_a_short_interruption() {
    let system = System::new();
    let (one, two) = (system.thread(10), system.thread(10));
    system.resume(one);
    system.resume(two);
    leave(&system);
    let first = system.current();
    system.tick(4_000);
    assert_eq!(system.current(), first);
    system.tick(5_990);
    assert_ne!(system.current(), first, "less than the minimum is left");
    assert!([one.tcb, two.tcb].contains(&system.current()));
}

#[test]
fn yield_lets_an_equal_run() {
    let system = System::new();
    let (one, two) = (system.thread(10), system.thread(10));
    system.resume(one);
    system.resume(two);
    leave(&system);
    let first = system.current();
    system.enter(Syscall::Yield);
    let second = system.current();
    assert_ne!(first, second);
    system.enter(Syscall::Yield);
    assert_eq!(system.current(), first);
}

#[test]
fn a_budget_is_spent_once_a_period() {
    let system = System::new();
    let thread = system.thread(10);
    system.configure(thread.sc, 2_000, 10_000, 0).ok();
    system.resume(thread);
    leave(&system);
    let start = system.machine().now();
    let mut ran = 0;
    for _ in 0..400 {
        let was = system.current();
        system.tick(250);
        if was == thread.tcb {
            ran += 250;
        }
    }
    let elapsed = (system.machine().now() - start) / 1000;
    assert_eq!(elapsed, 100_000);
    assert!((18_000..=22_000).contains(&ran), "it ran {ran} µs of {elapsed}");
}

#[test]
fn the_timer_is_set_for_the_end_of_the_budget_and_for_the_next_release() {
    let system = System::new();
    let thread = system.thread(10);
    system.configure(thread.sc, 2_000, 10_000, 0).ok();
    system.resume(thread);
    leave(&system);
    assert_eq!(system.current(), thread.tcb);
    assert_eq!(system.machine().deadline(), system.machine().now() + 2_000_000);
    system.tick(2_000);
    assert!(system.is_idle());
    assert_eq!(system.machine().deadline(), system.machine().now() + 8_000_000);
    system.tick(8_000);
    assert_eq!(system.current(), thread.tcb);
}

#[test]
fn an_idle_core_sets_no_timer() {
    let system = System::new();
    leave(&system);
    assert!(system.is_idle());
    assert_eq!(system.machine().deadline(), u64::MAX);
    let last = system.take_events().into_iter().rev().find(|event| matches!(event, Event::Deadline { .. }));
    assert_eq!(last, Some(Event::Deadline { at: u64::MAX }));
}

#[test]
fn a_thread_without_time_does_not_run_until_it_gets_some() {
    let system = System::new();
    let thread = system.passive_thread(20);
    system.step_back();
    system.resume(thread);
    assert_eq!((system.current(), thread.tcb.state.get()), (system.root(), State::RESTART));
    let empty = system.make(ObjectType::SchedContext, 8);
    system.invoke(empty, SchedContextBind, &[], &[thread.cap]).ok();
    assert_eq!(system.current(), system.root(), "it is not configured");
    system.configure(empty, 1000, 1000, 0);
    assert_eq!(system.current(), thread.tcb);
}

#[test]
fn configuration_limits_are_checked() {
    let system = System::new();
    let sc = system.make(ObjectType::SchedContext, 8);
    let control = system.sched_control();
    let configure = |words: &[u64], caps: &[u64]| system.invoke(control, SchedControlConfigureFlags, words, caps);
    assert_eq!(configure(&[19, 100, 0, 0, 0], &[sc]).error(), Error::RangeError);
    assert_eq!(configure(&[100, 19, 0, 0, 0], &[sc]).error(), Error::RangeError);
    assert_eq!(configure(&[u64::MAX, u64::MAX, 0, 0, 0], &[sc]).error(), Error::RangeError);
    assert_eq!(configure(&[200, 100, 0, 0, 0], &[sc]).refusal(), (Error::RangeError, &[20, 100][..]));
    assert_eq!(configure(&[100, 100, 0, 0, 0], &[slot::TCB]).refusal(), (Error::InvalidCapability, &[1][..]));
    assert_eq!(configure(&[100, 100, 0, 0], &[sc]).error(), Error::TruncatedMessage);
    assert_eq!(configure(&[100, 100, 0, 0, 0], &[]).error(), Error::TruncatedMessage);
    let most = thread::SchedContext::capacity(8) - 2;
    assert_eq!(most, 8, "two are not extra");
    assert_eq!(configure(&[100, 200, most + 1, 0, 0], &[sc]).refusal(), (Error::RangeError, &[0, most][..]));
    configure(&[100, 200, most, 0, 0], &[sc]).ok();
}

#[test]
fn consumed_time_is_reported_and_reset() {
    let system = System::new();
    let thread = system.thread(10);
    system.step_back();
    system.resume(thread);
    system.tick(3_000);
    leave(&system);
    let consumed = system.invoke(thread.sc, SchedContextConsumed, &[], &[]).ok();
    assert_eq!(consumed, [3_000]);
    assert_eq!(system.invoke(thread.sc, SchedContextConsumed, &[], &[]).ok(), [0]);
}

#[test]
fn yield_to_runs_the_other_and_reports_what_it_consumed() {
    let system = System::new();
    let (one, two) = (system.thread(10), system.thread(10));
    system.invoke(one.cap, TCBSetMCPriority, &[10], &[slot::TCB]).ok();
    system.step_back();
    let never = system.notification();
    system.invoke(slot::TCB, TCBSetPriority, &[255], &[slot::TCB]).ok();
    system.resume(one);
    system.resume(two);
    system.wait(never);
    if system.current() == two.tcb {
        system.enter(Syscall::Yield);
    }
    assert_eq!(system.current(), one.tcb);
    system.invoke(two.sc, SchedContextConsumed, &[], &[]).ok();
    system.send(
        Syscall::Call,
        crate::harness::Call { cap: two.sc, label: SchedContextYieldTo as u64, words: &[], caps: &[] },
    );
    assert_eq!(system.current(), two.tcb);
    system.tick(2_000);
    system.wait(never);
    assert_eq!(system.current(), one.tcb);
    assert_eq!(system.answer_of(one.tcb).ok(), [2_000]);
}

#[test]
fn yield_to_a_less_important_thread_answers_at_once() {
    let system = System::new();
    let (high, low) = (system.thread(20), system.thread(10));
    system.resume(low);
    system.resume(high);
    system.invoke(high.cap, TCBSetMCPriority, &[20], &[slot::TCB]).ok();
    leave(&system);
    assert_eq!(system.invoke(low.sc, SchedContextYieldTo, &[], &[]).ok(), [0]);
    assert_eq!(system.current(), high.tcb);
    let unbound = system.invoke(high.sc, SchedContextYieldTo, &[], &[]);
    assert_eq!(unbound.error(), Error::IllegalOperation, "to itself");
}

#[test]
fn nobody_gives_more_priority_than_it_controls() {
    let system = System::new();
    let (boss, worker) = (system.thread(20), system.thread(10));
    system.invoke(boss.cap, TCBSetMCPriority, &[30], &[slot::TCB]).ok();
    let set = |priority: u64| system.invoke(worker.cap, TCBSetPriority, &[priority], &[boss.cap]);
    set(30).ok();
    assert_eq!(set(31).refusal(), (Error::RangeError, &[0, 30][..]));
    assert_eq!(set(256).refusal(), (Error::RangeError, &[0, 30][..]));
    let wrong = system.invoke(worker.cap, TCBSetPriority, &[1], &[slot::CNODE]);
    assert_eq!(wrong.refusal(), (Error::InvalidCapability, &[1][..]));
    assert_eq!(system.invoke(worker.cap, TCBSetPriority, &[1], &[]).error(), Error::TruncatedMessage);
    let params = system.invoke(worker.cap, TCBSetSchedParams, &[31, 5], &[boss.cap, worker.sc, 0]);
    assert_eq!(params.error(), Error::RangeError);
    assert_eq!(worker.tcb.priority.get(), 30);
}

#[test]
fn lowering_the_current_priority_gives_the_core_away() {
    let system = System::new();
    let thread = system.thread(10);
    system.resume(thread);
    system.step_back();
    assert_eq!(system.current(), thread.tcb);
    system.invoke(thread.cap, TCBSetPriority, &[0], &[slot::TCB]);
    assert_eq!(system.current(), system.root());
}

#[test]
fn sched_params_set_all_at_once() {
    let system = System::new();
    let thread = system.passive_thread(10);
    let sc = system.sched_context(1000, 1000);
    let endpoint = system.endpoint();
    system.invoke(thread.cap, TCBSetSchedParams, &[40, 30], &[slot::TCB, sc, endpoint]).ok();
    assert_eq!((thread.tcb.max_priority.get(), thread.tcb.priority.get()), (40, 30));
    assert_eq!(thread.tcb.sched_context.get().map(|it| it.phys()), Some(system.phys(sc)));
    assert_eq!(thread.tcb.cap(thread::TcbSlot::FaultHandler).phys(), system.phys(endpoint));
    // The same again is allowed; another context is not; none unbinds.
    system.invoke(thread.cap, TCBSetSchedParams, &[40, 30], &[slot::TCB, sc, 0]).ok();
    let other = system.sched_context(1000, 1000);
    let refused = system.invoke(thread.cap, TCBSetSchedParams, &[40, 30], &[slot::TCB, other, 0]);
    assert_eq!(refused.error(), Error::IllegalOperation);
    system.invoke(thread.cap, TCBSetSchedParams, &[40, 30], &[slot::TCB, 0, 0]).ok();
    assert!(thread.tcb.sched_context.get().is_none());
    let itself = system.invoke(slot::TCB, TCBSetSchedParams, &[255, 255], &[slot::TCB, 0, 0]);
    assert_eq!(itself.error(), Error::IllegalOperation);
    let wrong = system.invoke(thread.cap, TCBSetSchedParams, &[40, 30], &[slot::TCB, sc, slot::TCB]);
    assert_eq!(wrong.refusal(), (Error::InvalidCapability, &[3][..]));
    let wrong = system.invoke(thread.cap, TCBSetSchedParams, &[40, 30], &[slot::TCB, slot::TCB, 0]);
    assert_eq!(wrong.refusal(), (Error::InvalidCapability, &[2][..]));
}

#[test]
fn domains_take_turns_by_the_schedule() {
    let system = System::new();
    let (zero, one) = (system.thread(10), system.thread(10));
    system.invoke(slot::DOMAIN, DomainSetSet, &[1], &[one.cap]).ok();
    for (index, domain, duration) in [(0, 0, 5_000_000), (1, 1, 3_000_000)] {
        system.invoke(slot::DOMAIN, DomainScheduleConfigure, &[index, domain, duration], &[]).ok();
    }
    system.resume(zero);
    system.resume(one);
    system.invoke(slot::DOMAIN, DomainScheduleSetStart, &[0], &[]).ok();
    leave(&system);
    assert_eq!(system.current(), zero.tcb);
    for _ in 0..3 {
        system.tick(5_000);
        assert_eq!(system.current(), one.tcb);
        assert_eq!(system.machine().deadline(), system.machine().now() + 3_000_000);
        system.tick(3_000);
        assert_eq!(system.current(), zero.tcb);
    }
}

#[test]
fn the_schedule_that_an_instance_starts_with_is_domain_0() {
    let system = System::new();
    let one = system.thread(10);
    system.invoke(slot::DOMAIN, DomainSetSet, &[1], &[one.cap]).ok();
    system.resume(one);
    let start = |index| system.invoke(slot::DOMAIN, DomainScheduleSetStart, &[index], &[]);
    assert_eq!(start(1).refusal(), (Error::InvalidArgument, &[0][..]), "one entry is all there is");
    start(0).ok();
    system.tick(60_000_000);
    assert_eq!(system.current(), system.root());
    system.invoke(slot::DOMAIN, DomainScheduleConfigure, &[1, 1, 3_000_000], &[]).ok();
    system.invoke(slot::DOMAIN, DomainScheduleConfigure, &[0, 0, 5_000_000], &[]).ok();
    start(0).ok();
    system.tick(5_000);
    assert_eq!(system.current(), one.tcb);
    system.tick(3_000);
    assert_eq!(system.current(), system.root());
}

#[test]
fn refusals_of_domain_control() {
    let system = System::new();
    let thread = system.thread(10);
    let domain = |what, words: &[u64], caps: &[u64]| system.invoke(slot::DOMAIN, what, words, caps);
    assert_eq!(domain(DomainSetSet, &[16], &[thread.cap]).refusal(), (Error::InvalidArgument, &[0][..]));
    assert_eq!(domain(DomainSetSet, &[1], &[slot::CNODE]).refusal(), (Error::InvalidArgument, &[1][..]));
    assert_eq!(domain(DomainSetSet, &[1], &[]).error(), Error::TruncatedMessage);
    assert_eq!(domain(DomainScheduleConfigure, &[99, 0, 1], &[]).refusal(), (Error::RangeError, &[0, 98][..]));
    assert_eq!(domain(DomainScheduleConfigure, &[0, 16, 1], &[]).error(), Error::RangeError);
    assert_eq!(domain(DomainScheduleConfigure, &[0, 0, 1 << 56], &[]).refusal(), (Error::InvalidArgument, &[2][..]));
    assert_eq!(domain(DomainScheduleConfigure, &[1, 1, 0], &[]).refusal(), (Error::InvalidArgument, &[1][..]));
    assert_eq!(domain(DomainScheduleConfigure, &[0, 0, 0], &[]).refusal(), (Error::InvalidArgument, &[2][..]));
    assert_eq!(domain(DomainScheduleSetStart, &[100], &[]).refusal(), (Error::RangeError, &[0, 99][..]));
    assert_eq!(domain(DomainScheduleSetStart, &[5], &[]).refusal(), (Error::InvalidArgument, &[0][..]));
}

#[test]
fn a_thread_moved_into_the_running_domain_runs_if_it_is_better() {
    let system = System::new();
    let thread = system.thread(10);
    system.step_back();
    system.invoke(slot::DOMAIN, DomainSetSet, &[1], &[thread.cap]).ok();
    system.resume(thread);
    assert_eq!(system.current(), system.root());
    system.invoke(slot::DOMAIN, DomainSetSet, &[0], &[thread.cap]);
    assert_eq!(system.current(), thread.tcb);
}

#[test]
fn a_sporadic_context_forgets_time_that_passed_while_it_slept() {
    let system = System::new();
    let thread = system.thread(10);
    let notification = system.notification();
    system.configure(thread.sc, 2_000, 10_000, abi::sched::sched_context_flags::SPORADIC).ok();
    system.step_back();
    system.resume(thread);
    system.tick(500);
    system.wait(notification);
    system.machine().advance(50_000_000);
    system.signal(notification);
    assert_eq!(system.current(), thread.tcb);
    let refills = thread::audit::refills_of(&system.here().ipc().threads, system.cap(thread.sc).object());
    assert_eq!(refills.iter().map(|refill| refill.amount).sum::<u64>(), 2_000_000);
    assert!(refills[0].time >= 50_000_000, "nothing was saved up: {refills:?}");
}

/// A message or a signal to its bound notification wakes it as a wait's end does.
#[test]
fn a_sporadic_context_that_waited_for_a_message_saved_no_time() {
    for is_woken_by_signal in [false, true] {
        let system = System::new();
        let (endpoint, reply, bell) = (system.endpoint(), system.reply(), system.notification());
        let thread = system.thread(10);
        system.configure(thread.sc, 1_000, 10_000, abi::sched::sched_context_flags::SPORADIC).ok();
        system.invoke(thread.cap, TCBBindNotification, &[], &[bell]).ok();
        system.step_back();
        system.resume(thread);
        system.recv(endpoint, reply);
        system.tick(100_000);
        system.signal(if is_woken_by_signal { bell } else { endpoint });
        assert_eq!(system.current(), thread.tcb, "it was woken");
        system.tick(1_000);
        assert_ne!(system.current(), thread.tcb, "its budget is used up");
    }
}

#[test]
fn the_audit_notices_a_timer_that_is_late() {
    let system = System::new();
    let armed = system.machine().deadline();
    assert_eq!(audit::check(&system), Ok(()));
    system.machine().set_deadline(armed + 1);
    assert!(audit::check(&system).is_err_and(|what| what.starts_with("T11")));
    system.machine().set_deadline(armed);
}

impl System {
    /// A notification that nobody signals, made by whoever runs.
    fn make_for_later(&self) -> u64 {
        self.notification()
    }
}

#[test]
fn a_preempted_thread_repeats_its_system_call_when_its_budget_comes_back() {
    let system = System::new();
    let thread: Thread = system.thread(10);
    system.configure(thread.sc, 1_000, 10_000, 0).ok();
    system.resume(thread);
    leave(&system);
    // It enters the kernel with nothing left: the call is not made yet.
    system.machine().advance(1_000_000);
    let notification = thread.sc;
    thread.tcb.context.set(machine::Register::Rdi, notification);
    system.raw(-9);
    assert!(system.is_idle());
    assert_eq!(thread.tcb.state.get(), State::RESTART);
    system.tick(10_000);
    assert_eq!(system.current(), thread.tcb);
    assert_eq!(thread.tcb.context.next_pc(), 0x50_0000);
}
