//! Scheduling contexts that travel: passive servers, nested calls, replies that bring time back, and what breaks a
//! chain.

use crate::harness::{Call, System, Thread, slot};
use abi::invocation::Invocation::*;
use abi::syscall::Syscall;
use thread::{SchedContext, State, Tcb};

fn context_of(thread: memory::Ref<Tcb>) -> Option<memory::Phys> {
    thread.sched_context.get().map(|context| context.phys())
}

/// A passive server that waits on `endpoint`: initialised on borrowed time, which was then taken away.
fn passive_server(system: &System, endpoint: u64, reply: u64, priority: u64) -> Thread {
    let server = system.passive_thread(priority);
    let sc = system.sched_context(10_000, 10_000);
    system.invoke(sc, SchedContextBind, &[], &[server.cap]).ok();
    system.step_back();
    system.resume(server);
    system.recv(endpoint, reply);
    system.invoke(sc, SchedContextUnbindObject, &[], &[server.cap]).ok();
    assert_eq!(context_of(server.tcb), None);
    system.invoke(slot::TCB, TCBSetPriority, &[255], &[slot::TCB]).ok();
    server
}

#[test]
fn a_passive_server_runs_on_its_callers_time_and_gives_it_back() {
    let system = System::new();
    let (endpoint, reply) = (system.endpoint(), system.reply());
    let server = passive_server(&system, endpoint, reply, 20);
    let client = system.thread(10);
    system.step_back();
    system.resume(client);
    let sc = system.phys(client.sc);
    system.call(endpoint, &[1]);
    assert_eq!(system.current(), server.tcb);
    assert_eq!((context_of(server.tcb), context_of(client.tcb)), (Some(sc), None));
    system.reply_recv(endpoint, reply, &[2]);
    assert_eq!(system.current(), client.tcb);
    assert_eq!((context_of(server.tcb), context_of(client.tcb)), (None, Some(sc)));
    assert_eq!(system.answer_of(client.tcb).words, [2]);
}

#[test]
fn nested_calls_build_a_chain_and_unwind_it() {
    let system = System::new();
    let (outer, inner) = (system.endpoint(), system.endpoint());
    let (outer_reply, inner_reply) = (system.reply(), system.reply());
    let front = passive_server(&system, outer, outer_reply, 20);
    let back = passive_server(&system, inner, inner_reply, 30);
    let client = system.thread(10);
    system.step_back();
    system.resume(client);
    let sc = system.phys(client.sc);
    system.call(outer, &[]);
    assert_eq!(system.current(), front.tcb);
    system.call(inner, &[]);
    assert_eq!(system.current(), back.tcb);
    assert_eq!(context_of(back.tcb), Some(sc));
    system.reply_recv(inner, inner_reply, &[7]);
    assert_eq!((system.current(), context_of(front.tcb)), (front.tcb, Some(sc)));
    system.reply_recv(outer, outer_reply, &[8]);
    assert_eq!((system.current(), context_of(client.tcb)), (client.tcb, Some(sc)));
}

#[test]
fn a_broken_chain_leaves_the_time_where_it_is() {
    let system = System::new();
    let (outer, inner) = (system.endpoint(), system.endpoint());
    let (outer_reply, inner_reply) = (system.reply(), system.reply());
    let front = passive_server(&system, outer, outer_reply, 20);
    let back = passive_server(&system, inner, inner_reply, 30);
    let client = system.thread(10);
    system.step_back();
    system.resume(client);
    system.call(outer, &[]);
    system.call(inner, &[]);
    assert_eq!(system.current(), back.tcb);
    // The middle of the chain dies.
    system.delete(front.cap);
    system.reply_recv(inner, inner_reply, &[]);
    assert_eq!(back.tcb.state.get(), State::BLOCKED_ON_RECEIVE);
    let sc: memory::Ref<SchedContext> = system.cap(client.sc).object();
    assert_eq!(sc.thread.get(), Some(back.tcb), "nobody was left to give it to");
    assert_eq!(client.tcb.state.get(), State::BLOCKED_ON_REPLY);
}

#[test]
fn deleting_the_newest_reply_gives_the_time_back_to_its_caller() {
    let system = System::new();
    let (endpoint, reply) = (system.endpoint(), system.reply());
    let server = passive_server(&system, endpoint, reply, 20);
    let client = system.thread(10);
    system.step_back();
    system.resume(client);
    system.call(endpoint, &[]);
    assert_eq!(system.current(), server.tcb);
    system.delete(reply);
    assert_eq!(context_of(client.tcb), Some(system.phys(client.sc)));
    assert_eq!(client.tcb.state.get(), State::INACTIVE);
    assert_eq!(system.current(), system.root());
}

#[test]
fn a_server_that_dies_with_the_time_takes_it_from_nobody() {
    let system = System::new();
    let (endpoint, reply) = (system.endpoint(), system.reply());
    let server = passive_server(&system, endpoint, reply, 20);
    let client = system.thread(10);
    system.step_back();
    system.resume(client);
    system.call(endpoint, &[]);
    // The server deletes itself, while it runs on the client's time.
    let call = Call { cap: slot::CNODE, label: CNodeDelete as u64, words: &[server.cap, 64], caps: &[] };
    system.send(Syscall::Call, call);
    let sc: memory::Ref<SchedContext> = system.cap(client.sc).object();
    assert_eq!(sc.thread.get(), None);
    assert_eq!(system.current(), system.root());
    // Whoever has the reply object may still answer, which brings the time back.
    system.send(Syscall::Call, Call { cap: reply, label: 0, words: &[1], caps: &[] });
    assert_eq!(sc.thread.get(), Some(client.tcb));
    assert_eq!(system.current(), client.tcb);
}

#[test]
fn a_send_donates_only_in_the_first_phase_of_a_combined_call() {
    let system = System::new();
    let (endpoint, reply, other) = (system.endpoint(), system.reply(), system.endpoint());
    let server = passive_server(&system, endpoint, reply, 20);
    let client = system.thread(10);
    system.step_back();
    system.resume(client);
    client.tcb.context.set(machine::Register::Rsi, 0);
    system.receive(Syscall::NBSendWait, other, endpoint);
    assert_eq!(system.current(), server.tcb);
    assert_eq!(context_of(server.tcb), Some(system.phys(client.sc)));
    assert_eq!(client.tcb.state.get(), State::BLOCKED_ON_RECEIVE);
    // A plain send to a passive thread leaves it without time.
    let (second, second_reply) = (system.endpoint(), system.reply());
    let idle = passive_server(&system, second, second_reply, 21);
    system.send(Syscall::Send, Call { cap: second, label: 0, words: &[], caps: &[] });
    assert_eq!((idle.tcb.state.get(), context_of(idle.tcb)), (State::RUNNING, None));
}

#[test]
fn unbinding_a_donated_context_detaches_it_from_the_chain() {
    let system = System::new();
    let (endpoint, reply) = (system.endpoint(), system.reply());
    let server = passive_server(&system, endpoint, reply, 20);
    let client = system.thread(10);
    system.invoke(slot::TCB, TCBSetPriority, &[15], &[slot::TCB]).ok();
    system.resume(client);
    let done = system.notification();
    system.wait(done);
    assert_eq!(system.current(), client.tcb);
    system.call(endpoint, &[]);
    assert_eq!(system.current(), server.tcb);
    system.signal(done);
    // The server cannot unbind what it runs on.
    let refused = system.invoke(client.sc, SchedContextUnbind, &[], &[]);
    assert_eq!(refused.error(), abi::error::Error::IllegalOperation);
    system.invoke(server.cap, TCBSuspend, &[], &[]);
    assert_eq!(system.current(), system.root());
    system.invoke(client.sc, SchedContextUnbind, &[], &[]).ok();
    let sc: memory::Ref<SchedContext> = system.cap(client.sc).object();
    assert!(sc.reply.get().is_none() && sc.thread.get().is_none());
    system.invoke(reply, TCBSuspend, &[], &[]);
    assert_eq!(context_of(client.tcb), None);
    assert_eq!(client.tcb.state.get(), State::RUNNING, "it has its answer, and no time");
}

#[test]
fn a_notification_lends_its_context_to_a_passive_waiter() {
    let system = System::new();
    let notification = system.notification();
    let badged = system.mint(notification, 15, 2);
    let waiter = system.passive_thread(20);
    let start = system.sched_context(10_000, 10_000);
    let lent = system.sched_context(5_000, 5_000);
    system.invoke(start, SchedContextBind, &[], &[waiter.cap]).ok();
    system.invoke(lent, SchedContextBind, &[], &[notification]).ok();
    system.step_back();
    system.resume(waiter);
    system.wait(notification);
    system.invoke(start, SchedContextUnbind, &[], &[]).ok();
    system.signal(badged);
    assert_eq!(system.current(), waiter.tcb);
    assert_eq!(context_of(waiter.tcb), Some(system.phys(lent)));
    assert_eq!(waiter.tcb.context.get(machine::Register::Rdi), 2);
    system.wait(notification);
    assert_eq!(context_of(waiter.tcb), None, "it is given back at the next wait");
    assert_eq!(system.current(), system.root());
}

#[test]
fn bindings_are_exclusive() {
    let system = System::new();
    let (thread, other) = (system.thread(10), system.thread(10));
    let (notification, second) = (system.notification(), system.notification());
    let sc = system.sched_context(1000, 1000);
    let illegal = |context: u64, what, object: u64| {
        let answer = system.invoke(context, what, &[], &[object]);
        assert_eq!(answer.error(), abi::error::Error::IllegalOperation);
    };
    illegal(sc, SchedContextBind, thread.cap);
    illegal(thread.sc, SchedContextBind, other.cap);
    illegal(thread.sc, SchedContextUnbindObject, other.cap);
    illegal(thread.sc, SchedContextUnbindObject, notification);
    system.invoke(sc, SchedContextBind, &[], &[notification]).ok();
    illegal(sc, SchedContextBind, second);
    illegal(thread.sc, SchedContextBind, notification);
    illegal(slot::SC, SchedContextUnbindObject, slot::TCB);
    illegal(slot::SC, SchedContextUnbind, slot::TCB);
    assert_eq!(
        system.invoke(sc, SchedContextBind, &[], &[slot::CNODE]).refusal(),
        (abi::error::Error::InvalidCapability, &[1][..])
    );
    assert_eq!(system.invoke(sc, SchedContextBind, &[], &[]).error(), abi::error::Error::TruncatedMessage);
    let endpoint = system.endpoint();
    let unready = system.make(abi::object::ObjectType::SchedContext, 8);
    let passive = system.passive_thread(10);
    let start = system.sched_context(1000, 1000);
    system.invoke(start, SchedContextBind, &[], &[passive.cap]).ok();
    system.step_back();
    system.resume(passive);
    system.wait(endpoint);
    system.invoke(start, SchedContextUnbind, &[], &[]).ok();
    illegal(unready, SchedContextBind, passive.cap);
}
