//! The fast paths do what the slow path does: every scenario runs in two instances, one of them without fast paths, and
//! their memory is compared word by word. Each scenario also says how many of its system calls must be fast.

use crate::harness::{Call, Options, PINS, System, Thread, slot};
use abi::invocation::Invocation::*;
use abi::object::ObjectType;
use abi::syscall::Syscall;
use machine::Register;
use machine::model::Event;

/// A passive server waiting on an endpoint, and a client of lower priority that runs.
struct Pair {
    system: System,
    endpoint: u64,
    reply: u64,
    server: Thread,
    client: Thread,
}

impl Pair {
    fn new(slow: bool) -> Self {
        Self::with(slow, 20, 10, |_, _| {})
    }

    /// Priorities of server and client, and what else to prepare before the client runs.
    fn with(slow: bool, above: u64, below: u64, prepare: impl FnOnce(&System, Thread)) -> Self {
        let system = System::with(Options { slice_bytes: 4 << 20, ..Options::default() });
        system.slow.set(slow);
        let (endpoint, reply) = (system.endpoint(), system.reply());
        let server = system.passive_thread(above);
        let client = system.thread(below);
        let start = system.sched_context(10_000, 10_000);
        system.invoke(start, SchedContextBind, &[], &[server.cap]).ok();
        system.step_back();
        system.resume(server);
        system.recv(endpoint, reply);
        system.invoke(start, SchedContextUnbindObject, &[], &[server.cap]).ok();
        prepare(&system, server);
        system.resume(client);
        assert_eq!(system.current(), client.tcb);
        Self { system, endpoint, reply, server, client }
    }

    /// Whether `act` was one fast system call: those leave the accounting to later entries.
    fn is_fast(&self, act: impl FnOnce(&System)) -> bool {
        self.system.machine().advance(1);
        let before = self.system.here().core().now.get();
        act(&self.system);
        let fast = self.system.here().core().now.get() == before;
        // Both kinds have charged the same from here on.
        self.system.interrupt(ipi::SPURIOUS);
        fast
    }

    fn call(&self, length: usize) -> bool {
        let words: Vec<u64> = (0..length as u64).map(|word| 0x50 + word).collect();
        self.is_fast(|system| {
            system.send(Syscall::Call, Call { cap: self.endpoint, label: 0x77, words: &words, caps: &[] });
        })
    }

    fn reply_recv(&self, length: usize) -> bool {
        let words: Vec<u64> = (0..length as u64).map(|word| 0x90 + word).collect();
        self.is_fast(|system| system.reply_recv(self.endpoint, self.reply, &words))
    }
}

/// Runs `scenario` with and without fast paths; it gives for each of its calls whether that was fast.
#[track_caller]
fn both(expected: &[bool], scenario: impl Fn(bool) -> (Pair, Vec<bool>)) {
    let (fast, taken) = scenario(false);
    let (slow, none) = scenario(true);
    assert_eq!(taken, expected, "which calls were fast");
    assert!(none.iter().all(|&fast| !fast));
    assert_eq!(fast.system.current() == fast.client.tcb, slow.system.current() == slow.client.tcb);
    assert_eq!(fast.system.differences(&slow.system), [""; 0], "fast and slow");
}

#[test]
fn short_calls_and_replies_are_fast() {
    for length in 0..=4 {
        both(&[true, true, true], |slow| {
            let pair = Pair::new(slow);
            let fast = vec![pair.call(length), pair.reply_recv(length), pair.call(4 - length)];
            assert_eq!(pair.system.current(), pair.server.tcb);
            (pair, fast)
        });
    }
}

#[test]
fn a_fast_call_delivers_badge_label_and_words() {
    let pair = Pair::new(false);
    assert!(pair.call(3));
    let got = pair.system.answer_of(pair.server.tcb);
    assert_eq!((got.label, &got.words[..], got.caps, got.unwrapped), (0x77, &[0x50, 0x51, 0x52][..], 0, 0));
    assert!(pair.reply_recv(2));
    assert_eq!(pair.system.answer_of(pair.client.tcb).words, [0x90, 0x91]);
    assert_eq!(pair.system.answer_of(pair.client.tcb).badge, 0);
}

#[test]
fn long_messages_are_fast_and_extra_capabilities_go_the_slow_way() {
    both(&[true, true, true, true, false], |slow| {
        let pair = Pair::new(slow);
        let mut fast = vec![pair.call(5), pair.reply_recv(6), pair.call(120), pair.reply_recv(127)];
        fast.push(pair.is_fast(|system| {
            let call = Call { cap: pair.endpoint, label: 0, words: &[], caps: &[pair.endpoint] };
            system.send(Syscall::Call, call);
        }));
        (pair, fast)
    });
}

#[test]
fn equal_priorities_are_fast() {
    both(&[true, true], |slow| {
        let pair = Pair::with(slow, 10, 10, |_, _| {});
        let fast = vec![pair.call(1), pair.reply_recv(1)];
        (pair, fast)
    });
}

#[test]
fn a_less_important_server_is_fast_only_if_nobody_better_waits() {
    both(&[true, true], |slow| {
        let pair = Pair::with(slow, 10, 20, |_, _| {});
        let fast = vec![pair.call(1), pair.reply_recv(1)];
        (pair, fast)
    });
    both(&[false], |slow| {
        let pair = Pair::with(slow, 10, 20, |system, _| {
            let between = system.thread(15);
            system.invoke(slot::TCB, TCBSetPriority, &[25], &[slot::TCB]).ok();
            system.resume(between);
            system.invoke(slot::TCB, TCBSetPriority, &[1], &[slot::TCB]);
            // It runs now; it lets the root task go on by waiting for a moment that the client's start ends.
            system.tick(0);
            system.invoke(slot::TCB, TCBSetPriority, &[19], &[slot::TCB]);
        });
        let fast = vec![pair.call(1)];
        assert_ne!(pair.system.current(), pair.server.tcb, "the one between runs first");
        (pair, fast)
    });
}

#[test]
fn an_active_server_is_not_given_time() {
    both(&[false], |slow| {
        let pair = Pair::with(slow, 20, 10, |system, server| {
            let own = system.sched_context(10_000, 10_000);
            system.invoke(own, SchedContextBind, &[], &[server.cap]).ok();
        });
        let fast = vec![pair.call(1)];
        (pair, fast)
    });
}

#[test]
fn a_waiting_sender_or_signal_makes_the_reply_slow() {
    both(&[true, false], |slow| {
        let pair = Pair::new(slow);
        let second = pair.call(0);
        let bound = pair.system.notification();
        pair.system.invoke(pair.server.cap, TCBBindNotification, &[], &[bound]).ok();
        pair.system.signal(bound);
        let fast = vec![second, pair.reply_recv(0)];
        (pair, fast)
    });
}

#[test]
fn a_fault_and_its_answer_are_fast() {
    both(&[true, true], |slow| {
        let pair = Pair::with(slow, 20, 10, |_, _| {});
        let (system, client) = (&pair.system, pair.client);
        system.invoke(client.cap, TCBSetSpace, &[0, 0], &[pair.endpoint, slot::CNODE, slot::VSPACE]).ok();
        let mut fast = vec![pair.is_fast(|system| system.exception(13, 0))];
        assert_eq!(system.current(), pair.server.tcb);
        system.load(&Call { cap: pair.endpoint, label: 0, words: &[0x60_0000], caps: &[] });
        fast.push(pair.is_fast(|system| system.receive(Syscall::ReplyRecv, pair.endpoint, pair.reply)));
        assert_eq!(pair.client.tcb.context.get(Register::NextIp), 0x60_0000);
        (pair, fast)
    });
}

#[test]
fn an_answer_to_a_fault_names_as_many_registers_as_it_has_words() {
    const GIVEN: [u64; 3] = [0x60_0000, 0x7000_0000, 0x601];
    for length in 0..=GIVEN.len() {
        both(&[true, true], |slow| {
            let pair = Pair::with(slow, 20, 10, |_, _| {});
            let (system, client) = (&pair.system, &pair.client.tcb.context);
            system.invoke(pair.client.cap, TCBSetSpace, &[0, 0], &[pair.endpoint, slot::CNODE, slot::VSPACE]).ok();
            let registers = || [Register::NextIp, Register::Rsp, Register::Rflags].map(|register| client.get(register));
            let before = registers();
            let mut fast = vec![pair.is_fast(|system| system.exception(13, 0))];
            system.load(&Call { cap: pair.endpoint, label: 0, words: &GIVEN[..length], caps: &[] });
            fast.push(pair.is_fast(|system| system.receive(Syscall::ReplyRecv, pair.endpoint, pair.reply)));
            let given = [GIVEN[0], GIVEN[1], GIVEN[2] | 2];
            let expected: Vec<u64> =
                (0..3).map(|index| if index < length { given[index] } else { before[index] }).collect();
            assert_eq!(registers()[..], expected, "{length} words");
            (pair, fast)
        });
    }
}

#[test]
fn a_buffer_may_lie_anywhere_in_its_page() {
    both(&[true, true], |slow| {
        let pair = Pair::with(slow, 20, 10, |system, server| {
            let frame = system.make(ObjectType::Page4K, 0);
            system.invoke(server.cap, TCBSetIPCBuffer, &[0x7f_0000_0400], &[frame]).ok();
        });
        let mut fast = vec![pair.call(9)];
        let words: Vec<u64> = (0..9).map(|word| 0x50 + word).collect();
        assert_eq!(pair.system.answer_of(pair.server.tcb).words, words);
        fast.push(pair.reply_recv(8));
        assert_eq!(pair.system.answer_of(pair.client.tcb).words.len(), 8);
        (pair, fast)
    });
}

#[test]
fn the_fpu_and_a_gs_base_go_with_the_threads_they_belong_to() {
    both(&[true; 4], |slow| {
        let pair = Pair::new(slow);
        let machine = pair.system.machine();
        // The FPU becomes the client's.
        pair.system.exception(7, 0);
        assert!(machine.is_fpu_enabled());
        let mut fast = vec![pair.call(2)];
        assert!(!machine.is_fpu_enabled(), "its registers are the client's");
        fast.push(pair.reply_recv(1));
        assert!(machine.is_fpu_enabled());
        pair.server.tcb.context.set(Register::GsBase, 0x1000);
        pair.server.tcb.roots.forget();
        fast.push(pair.call(0));
        assert_eq!((machine.bases().1, machine.is_fpu_enabled()), (0x1000, false));
        fast.push(pair.reply_recv(0));
        assert_eq!((machine.bases().1, machine.is_fpu_enabled()), (0, true));
        (pair, fast)
    });
}

#[test]
fn what_a_blocked_thread_does_not_store_can_be_read_and_changed() {
    both(&[true, true], |slow| {
        let pair = Pair::new(slow);
        let mut fast = vec![pair.call(1)];
        let client = &pair.client.tcb.context;
        let seen = [Register::FaultIp, Register::Rcx, Register::R11].map(|register| client.get(register));
        assert_eq!(seen, [client.next_pc() - 2, client.next_pc(), client.get(Register::Rflags)]);
        client.set(Register::R11, 77);
        assert!(!client.is_in_syscall(), "it leaves by the way that restores all");
        fast.push(pair.reply_recv(0));
        assert_eq!((client.get(Register::R11), client.get(Register::Rcx)), (77, seen[1]));
        (pair, fast)
    });
}

#[test]
fn a_call_without_the_right_to_a_reply_is_slow() {
    both(&[false], |slow| {
        let pair = Pair::new(slow);
        let write_only = pair.system.mint(pair.endpoint, 1, 3);
        let fast = vec![pair.is_fast(|system| system.call(write_only, &[1]))];
        (pair, fast)
    });
}

/// A second passive server, made by the server of `pair` on its client's time, and its endpoint and reply.
fn second_server(pair: &Pair) -> (Thread, u64, u64) {
    let system = &pair.system;
    let (endpoint, reply) = (system.endpoint(), system.reply());
    let back = system.passive_thread(30);
    let start = system.sched_context(10_000, 10_000);
    system.invoke(start, SchedContextBind, &[], &[back.cap]).ok();
    system.invoke(back.cap, TCBResume, &[], &[]);
    assert_eq!(system.current(), back.tcb);
    system.recv(endpoint, reply);
    assert_eq!(system.current(), pair.server.tcb);
    system.invoke(start, SchedContextUnbindObject, &[], &[back.cap]).ok();
    (back, endpoint, reply)
}

#[test]
fn a_reply_from_the_middle_of_a_chain_is_slow_and_gives_no_time_back() {
    both(&[true, true, false], |slow| {
        let pair = Pair::new(slow);
        let first = pair.call(2);
        let (back, endpoint, _) = second_server(&pair);
        let second = pair.is_fast(|system| system.call(endpoint, &[1]));
        assert_eq!(pair.system.current(), back.tcb);
        // It answers the client of the first server, which still waits for its own answer.
        let third = pair.is_fast(|system| system.reply_recv(endpoint, pair.reply, &[2]));
        assert_ne!(pair.system.current(), pair.client.tcb, "the time is not the client's to have");
        (pair, vec![first, second, third])
    });
}

#[test]
fn a_nested_call_is_fast_and_unwinds_fast() {
    both(&[true, true, true, true], |slow| {
        let pair = Pair::new(slow);
        let system = &pair.system;
        let first = pair.call(2);
        let (back, endpoint, reply) = second_server(&pair);
        let second = pair.is_fast(|system| system.call(endpoint, &[1]));
        assert_eq!(system.current(), back.tcb);
        let third = pair.is_fast(|system| system.reply_recv(endpoint, reply, &[2]));
        assert_eq!(system.current(), pair.server.tcb);
        let fast = vec![first, second, third, pair.reply_recv(1)];
        assert_eq!(pair.system.current(), pair.client.tcb);
        (pair, fast)
    });
}

/// A thread that waits on a notification, and the root task, which is less important than `above` and goes on.
fn waiter(slow: bool, priority: u64, mine: u64) -> (System, Thread, u64) {
    let system = System::with(Options { slice_bytes: 4 << 20, ..Options::default() });
    system.slow.set(slow);
    let notification = system.notification();
    let thread = system.thread(priority);
    system.step_back();
    system.resume(thread);
    if system.current() != thread.tcb {
        system.invoke(slot::TCB, TCBSetPriority, &[0], &[slot::TCB]);
    }
    assert_eq!(system.current(), thread.tcb);
    system.wait(notification);
    assert_ne!(system.current(), thread.tcb);
    system.invoke(slot::TCB, TCBSetPriority, &[mine], &[slot::TCB]).ok();
    (system, thread, notification)
}

/// What `act` made of two instances, one without fast paths, is the same; `is_fast` says how the fast one shows it.
#[track_caller]
fn same(act: impl Fn(&System, Thread, u64), mine: u64, is_fast: impl Fn(&Seen) -> bool) {
    let [fast, slow] = [false, true].map(|slow| {
        let (system, thread, notification) = waiter(slow, 20, mine);
        system.machine().advance(1);
        let before = (system.here().core().now.get(), system.machine().deadline());
        act(&system, thread, notification);
        let counted_on = system.here().core().now.get() == before.0;
        let timer_left = system.machine().deadline() == before.1;
        let runs = system.current() == thread.tcb;
        system.interrupt(ipi::SPURIOUS);
        (system, Seen { counted_on, timer_left, runs })
    });
    assert!(is_fast(&fast.1), "{:?}", fast.1);
    assert!(!is_fast(&slow.1), "{:?}", slow.1);
    assert_eq!(fast.1.runs, slow.1.runs);
    assert_eq!(fast.0.differences(&slow.0), [""; 0], "fast and slow");
}

#[derive(Debug)]
struct Seen {
    /// The clock was not read: time goes on being counted.
    counted_on: bool,
    /// The timer was left armed as it was.
    timer_left: bool,
    /// The waiter runs.
    runs: bool,
}

#[test]
fn a_signal_to_a_more_important_waiter_switches_and_leaves_the_timer_alone() {
    same(|system, _, notification| system.signal(notification), 10, |seen| seen.runs && seen.timer_left);
}

#[test]
fn a_signal_to_a_less_important_or_equal_waiter_queues_it() {
    for mine in [20, 30] {
        same(|system, _, notification| system.signal(notification), mine, |seen| !seen.runs && seen.counted_on);
    }
}

#[test]
fn signals_that_are_kept_taken_or_sent_nowhere_leave_the_clock_unread() {
    let [fast, slow] = [false, true].map(|slow| {
        let (system, ..) = waiter(slow, 20, 10);
        let other = system.notification();
        let (three, eight, empty) = (system.mint(other, 3, 3), system.mint(other, 3, 8), system.fresh());
        let badge = |system: &System| system.answer_of(system.current()).badge;
        let mut counted_on = Vec::new();
        for step in 0..5 {
            system.machine().advance(1);
            let before = system.here().core().now.get();
            match step {
                0 => system.signal(three),
                1 => system.signal(eight),
                2 => system.wait(other),
                3 => system.receive(Syscall::NBWait, other, 0),
                _ => system.receive(Syscall::NBSend, empty, 0),
            }
            counted_on.push(system.here().core().now.get() == before);
            match step {
                2 => assert_eq!(badge(&system), 11),
                3 => assert_eq!(badge(&system), 0),
                _ => {}
            }
            system.interrupt(ipi::SPURIOUS);
        }
        assert_eq!(counted_on, [!slow; 5]);
        system
    });
    assert_eq!(fast.differences(&slow), [""; 0]);
}

#[test]
fn an_interrupt_switches_to_its_more_important_waiter() {
    for is_pin in [false, true] {
        let [fast, slow] = [false, true].map(|slow| {
            let (system, thread, notification) = waiter(slow, 20, 10);
            let irq = system.fresh();
            let (issue, words) = if is_pin {
                (X86IRQIssueIRQHandlerIOAPIC, [irq, 64, 0, u64::from(PINS.trailing_zeros()), 0, 0, 7])
            } else {
                (X86IRQIssueIRQHandlerMSI, [irq, 64, 0, 0, 0, 0, 7])
            };
            system.invoke(slot::IRQ, issue, &words, &[slot::CNODE]).ok();
            let badged = system.mint(notification, 15, 9);
            system.invoke(irq, IRQSetIRQHandler, &[], &[badged]).ok();
            system.take_events();
            system.machine().advance(1);
            let before = system.machine().deadline();
            system.interrupt(0x37);
            // With several cores the I/O APIC is for whoever has the instance to itself.
            let goes_slowly = slow || is_pin && sync::CORES > 1;
            assert_eq!(system.machine().deadline() == before, !goes_slowly);
            assert_eq!((system.current(), system.answer_of(thread.tcb).badge), (thread.tcb, 9));
            let events = system.take_events();
            assert!(events.contains(&Event::EndOfInterrupt));
            assert_eq!(events.iter().any(|event| matches!(event, Event::MaskPin { .. })), is_pin);
            system.interrupt(ipi::SPURIOUS);
            system
        });
        assert_eq!(fast.differences(&slow), [""; 0]);
    }
}

#[test]
fn a_send_to_a_more_important_receiver_and_its_next_wait_switch_there_and_back() {
    let [fast, slow] = [false, true].map(|slow| {
        let (system, thread, notification) = waiter(slow, 20, 10);
        let endpoint = system.endpoint();
        system.signal(notification);
        assert_eq!(system.current(), thread.tcb);
        system.wait(endpoint);
        let mut left = Vec::new();
        for length in [0, 3, 9] {
            let words: Vec<u64> = (0..length).map(|word| 0x30 + word).collect();
            system.machine().advance(1);
            let before = system.machine().deadline();
            system.send(Syscall::Send, Call { cap: endpoint, label: 5, words: &words, caps: &[] });
            assert_eq!(system.answer_of(thread.tcb).words, words);
            system.machine().advance(1);
            system.wait(endpoint);
            assert_ne!(system.current(), thread.tcb);
            left.push(system.machine().deadline() == before);
        }
        assert_eq!(left, [!slow; 3], "the timer is left alone by fast paths only");
        system.interrupt(ipi::SPURIOUS);
        system
    });
    assert_eq!(fast.differences(&slow), [""; 0]);
}

/// The root task, of priority 20, yields four times beside a thread of `priority`, which is ready if `ready`: `next` says
/// whether that one runs after a turn. Only fast paths leave the timer alone; all else is the same.
fn yields(priority: u64, ready: bool, next: impl Fn(usize) -> bool) {
    let [fast, slow] = [false, true].map(|slow| {
        let (system, thread, notification) = waiter(slow, priority, 20);
        if ready {
            system.signal(notification);
        }
        let root = system.current();
        assert_ne!(root, thread.tcb);
        let mut left = Vec::new();
        for turn in 0..4 {
            system.machine().advance(1_000);
            let before = system.machine().deadline();
            system.enter(Syscall::Yield);
            assert_eq!(system.current(), if next(turn) { thread.tcb } else { root });
            left.push(system.machine().deadline() == before);
        }
        assert_eq!(left, [!slow; 4]);
        system.interrupt(ipi::SPURIOUS);
        system
    });
    assert_eq!(fast.differences(&slow), [""; 0]);
}

#[test]
fn equals_that_yield_take_turns_without_the_timer() {
    yields(20, true, |turn| turn % 2 == 0);
}

#[test]
fn a_thread_without_equals_that_yields_has_a_new_slice_without_the_timer() {
    // Nobody else, somebody less important.
    yields(10, false, |_| false);
    yields(10, true, |_| false);
}

#[test]
fn the_timer_that_yields_left_alone_is_armed_anew_when_it_fires() {
    let (system, _, _) = waiter(false, 10, 20);
    let root = system.current();
    let slice = system.here().ipc().budget_of(root.sched_context.get().unwrap());
    for turn in 0..3 {
        let due = system.machine().deadline();
        while system.machine().now() < due {
            system.machine().advance(slice / 8 + 1);
            system.enter(Syscall::Yield);
            assert_eq!(system.machine().deadline(), due, "turn {turn}");
        }
        system.interrupt(ipi::TIMER);
        assert_eq!(system.current(), root);
        assert_eq!(system.machine().deadline(), system.machine().now() + slice, "turn {turn}");
    }
}

#[test]
fn a_shorter_slice_than_the_timer_knows_is_armed_for_once() {
    let [fast, slow] = [false, true].map(|slow| {
        let (system, thread, notification) = waiter(slow, 20, 10);
        system.configure(thread.sc, 1_000, 1_000, 0).ok();
        let mut left = Vec::new();
        for _ in 0..3 {
            system.machine().advance(1);
            let before = system.machine().deadline();
            system.signal(notification);
            assert_eq!(system.current(), thread.tcb);
            assert!(system.machine().deadline() <= system.machine().now() + 1_000_000);
            left.push(system.machine().deadline() == before);
            system.wait(notification);
        }
        assert_eq!(left, [false, !slow, !slow]);
        system.interrupt(ipi::SPURIOUS);
        system
    });
    assert_eq!(fast.differences(&slow), [""; 0]);
}
