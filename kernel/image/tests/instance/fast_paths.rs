//! The fast paths do what the slow path does: every scenario runs in two instances, one of them without fast paths, and
//! their memory is compared word by word. Each scenario also says how many of its system calls must be fast.

use crate::harness::{Call, Options, System, Thread, slot};
use abi::invocation::Invocation::*;
use abi::syscall::Syscall;
use machine::Register;

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
        let mut fast = vec![pair.is_fast(|system| system.exception(6, 0))];
        assert_eq!(system.current(), pair.server.tcb);
        system.load(&Call { cap: pair.endpoint, label: 0, words: &[0x60_0000], caps: &[] });
        fast.push(pair.is_fast(|system| system.receive(Syscall::ReplyRecv, pair.endpoint, pair.reply)));
        assert_eq!(pair.client.tcb.context.get(Register::NextIp), 0x60_0000);
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

#[test]
fn a_nested_call_is_fast_and_unwinds_fast() {
    both(&[true, true, true, true], |slow| {
        let pair = Pair::new(slow);
        let system = &pair.system;
        let first = pair.call(2);
        // The server, on the client's time, makes a second passive server below it and calls that.
        let (endpoint, reply) = (system.endpoint(), system.reply());
        let back = system.passive_thread(30);
        let start = system.sched_context(10_000, 10_000);
        system.invoke(start, SchedContextBind, &[], &[back.cap]).ok();
        system.invoke(back.cap, TCBResume, &[], &[]);
        assert_eq!(system.current(), back.tcb);
        system.recv(endpoint, reply);
        assert_eq!(system.current(), pair.server.tcb);
        system.invoke(start, SchedContextUnbindObject, &[], &[back.cap]).ok();
        let second = pair.is_fast(|system| system.call(endpoint, &[1]));
        assert_eq!(system.current(), back.tcb);
        let third = pair.is_fast(|system| system.reply_recv(endpoint, reply, &[2]));
        assert_eq!(system.current(), pair.server.tcb);
        let fast = vec![first, second, third, pair.reply_recv(1)];
        assert_eq!(pair.system.current(), pair.client.tcb);
        (pair, fast)
    });
}
