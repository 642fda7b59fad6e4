//! Calls, faults and replies where the server has time of its own: the fast paths do what the slow path does.

use crate::harness::{Call, Options, System, Thread, slot};
use abi::invocation::Invocation::*;
use abi::syscall::Syscall;

/// A server with time of its own, and its client.
struct Pair {
    system: System,
    endpoint: u64,
    reply: u64,
    server: Thread,
    client: Thread,
}

impl Pair {
    fn call(&self, length: u64) {
        let words: Vec<u64> = (0..length).map(|word| 0x50 + word).collect();
        self.system.send(Syscall::Call, Call { cap: self.endpoint, label: 0x77, words: &words, caps: &[] });
    }

    fn reply_recv(&self, length: u64) {
        let words: Vec<u64> = (0..length).map(|word| 0x90 + word).collect();
        self.system.reply_recv(self.endpoint, self.reply, &words);
    }
}

/// The server waits on its endpoint, and the client, which is as important, runs.
fn pair(slow: bool) -> Pair {
    let system = System::with(Options { slice_bytes: 4 << 20, ..Options::default() });
    system.slow.set(slow);
    let (endpoint, reply) = (system.endpoint(), system.reply());
    let (server, client) = (system.thread(20), system.thread(20));
    system.step_back();
    system.resume(server);
    system.recv(endpoint, reply);
    system.resume(client);
    assert_eq!(system.current(), client.tcb);
    Pair { system, endpoint, reply, server, client }
}

/// What the steps leave of two instances, one without fast paths, is the same; those of the other leave the timer alone.
#[track_caller]
fn all_are_fast(steps: &[fn(&Pair)]) {
    let [fast, slow] = [false, true].map(|slow| {
        let pair = pair(slow);
        let mut left = Vec::new();
        for (number, step) in (1..).zip(steps) {
            pair.system.machine().advance(number * number);
            let before = pair.system.machine().deadline();
            step(&pair);
            left.push(pair.system.machine().deadline() == before);
        }
        pair.system.interrupt(ipi::SPURIOUS);
        (pair, left)
    });
    assert_eq!((fast.1, slow.1), (vec![true; steps.len()], vec![false; steps.len()]));
    assert_eq!(fast.0.system.differences(&slow.0.system), [""; 0], "fast and slow");
}

#[test]
fn calls_to_a_server_with_time_of_its_own_and_its_replies_change_contexts() {
    let call = |pair: &Pair| {
        pair.call(10);
        assert_eq!(pair.system.current(), pair.server.tcb);
        assert_eq!(pair.system.answer_of(pair.server.tcb).words.len(), 10);
        assert!(pair.client.tcb.sched_context.get().is_some(), "it keeps its time");
    };
    let reply = |pair: &Pair| {
        pair.reply_recv(3);
        assert_eq!(pair.system.current(), pair.client.tcb);
        assert_eq!(pair.system.answer_of(pair.client.tcb).words, [0x90, 0x91, 0x92]);
    };
    let short = |pair: &Pair| pair.call(0);
    all_are_fast(&[call, reply, short, reply, call, reply]);
}

#[test]
fn a_fault_that_a_handler_with_time_of_its_own_answers_changes_contexts() {
    let [fast, slow] = [false, true].map(|slow| {
        let pair = pair(slow);
        let system = &pair.system;
        system.invoke(pair.client.cap, TCBSetSchedParams, &[20, 20], &[slot::TCB, pair.client.sc, pair.endpoint]).ok();
        for vector in [6, 0] {
            system.machine().advance(1);
            system.exception(vector, 0);
            assert_eq!(system.current(), pair.server.tcb);
            system.machine().advance(1);
            system.reply_recv(pair.endpoint, pair.reply, &[]);
            assert_eq!(system.current(), pair.client.tcb);
        }
        system.interrupt(ipi::SPURIOUS);
        pair
    });
    assert_eq!(fast.system.differences(&slow.system), [""; 0], "fast and slow");
}

#[test]
fn a_chain_of_calls_to_servers_with_and_without_time_is_answered_step_by_step() {
    let [fast, slow] = [false, true].map(|slow| {
        let pair = pair(slow);
        let system = &pair.system;
        // The client lends its time to a second server, which calls the first.
        let (endpoint, reply) = (system.endpoint(), system.reply());
        let passive = system.passive_thread(30);
        let start = system.sched_context(10_000, 10_000);
        system.invoke(start, SchedContextBind, &[], &[passive.cap]).ok();
        system.resume(passive);
        system.recv(endpoint, reply);
        system.invoke(start, SchedContextUnbindObject, &[], &[passive.cap]).ok();
        assert_eq!(system.current(), pair.client.tcb);
        let mut who = Vec::new();
        for (cap, answered) in [(endpoint, 0), (pair.endpoint, 0), (pair.endpoint, pair.reply), (endpoint, reply)] {
            system.machine().advance(1);
            if answered == 0 {
                system.send(Syscall::Call, Call { cap, label: 1, words: &[7; 6], caps: &[] });
            } else {
                system.reply_recv(cap, answered, &[8; 6]);
            }
            who.push(system.current());
        }
        assert_eq!(who, [passive.tcb, pair.server.tcb, passive.tcb, pair.client.tcb]);
        system.interrupt(ipi::SPURIOUS);
        pair
    });
    assert_eq!(fast.system.differences(&slow.system), [""; 0], "fast and slow");
}
