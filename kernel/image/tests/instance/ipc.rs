//! Messages through endpoints: words, buffers, capabilities, badges, blocking and not.

use crate::harness::{Call, System, Thread, slot};
use abi::invocation::Invocation::*;
use abi::object::ObjectType;
use abi::syscall::Syscall;
use capability::Kind;
use machine::Register;
use thread::State;

/// A server that waits on `endpoint` with `reply`, and the root task stepped back.
fn server(system: &System, endpoint: u64, reply: u64, priority: u64) -> Thread {
    let server = system.thread(priority);
    system.step_back();
    system.resume(server);
    assert_eq!(system.current(), server.tcb);
    system.recv(endpoint, reply);
    assert_eq!(server.tcb.state.get(), State::BLOCKED_ON_RECEIVE);
    server
}

#[test]
fn a_call_and_its_reply_carry_words_label_and_badge() {
    let system = System::new();
    let (endpoint, reply) = (system.endpoint(), system.reply());
    let badged = system.mint(endpoint, 15, 0xbad);
    let client = system.thread(9);
    let server = server(&system, endpoint, reply, 10);
    system.resume(client);
    system.send(Syscall::Call, Call { cap: badged, label: 0x123, words: &[1, 2, 3, 4], caps: &[] });
    assert_eq!(system.current(), server.tcb);
    let got = system.answer_of(server.tcb);
    assert_eq!((got.badge, got.label, &got.words[..]), (0xbad, 0x123, &[1, 2, 3, 4][..]));
    assert_eq!(client.tcb.state.get(), State::BLOCKED_ON_REPLY);
    system.reply_recv(endpoint, reply, &[9, 8]);
    assert_eq!(system.current(), client.tcb);
    let answer = system.answer_of(client.tcb);
    assert_eq!((answer.badge, answer.label, &answer.words[..]), (0, 0, &[9, 8][..]));
    assert_eq!(server.tcb.state.get(), State::BLOCKED_ON_RECEIVE, "it receives in the same system call");
}

#[test]
fn a_long_message_goes_through_the_buffers() {
    let system = System::new();
    let (endpoint, reply) = (system.endpoint(), system.reply());
    let client = system.thread(9);
    let server = server(&system, endpoint, reply, 10);
    system.resume(client);
    let words: Vec<u64> = (100..220).collect();
    system.send(Syscall::Call, Call { cap: endpoint, label: 0, words: &words, caps: &[] });
    assert_eq!(system.answer_of(server.tcb).words, words);
}

#[test]
fn a_length_beyond_the_limit_is_cut() {
    let system = System::new();
    let (endpoint, reply) = (system.endpoint(), system.reply());
    let client = system.thread(9);
    let server = server(&system, endpoint, reply, 10);
    system.resume(client);
    client.tcb.context.set(Register::Rsi, 127);
    client.tcb.context.set(Register::Rdi, endpoint);
    system.enter(Syscall::Call);
    assert_eq!(system.answer_of(server.tcb).words.len(), 120);
}

#[test]
fn a_receiver_without_a_buffer_gets_four_words() {
    let system = System::new();
    let (endpoint, reply) = (system.endpoint(), system.reply());
    let client = system.thread(9);
    let quiet = system.thread(10);
    system.invoke(quiet.cap, TCBSetIPCBuffer, &[0], &[0]).ok();
    system.step_back();
    system.resume(quiet);
    system.recv(endpoint, reply);
    system.resume(client);
    system.call(endpoint, &[1, 2, 3, 4, 5, 6]);
    assert_eq!(system.answer_of(quiet.tcb).words, [1, 2, 3, 4]);
}

#[test]
fn a_sender_waits_in_order_of_priority_then_of_arrival() {
    let system = System::new();
    let endpoint = system.endpoint();
    let threads: Vec<(Thread, u64)> =
        [5, 7, 5, 9, 7].into_iter().map(|priority| (system.thread(priority), priority)).collect();
    system.step_back();
    for (index, (thread, _)) in threads.iter().enumerate() {
        system.resume(*thread);
        assert_eq!(system.current(), thread.tcb);
        system.send(Syscall::Send, Call { cap: endpoint, label: index as u64, words: &[], caps: &[] });
        assert_eq!(thread.tcb.state.get(), State::BLOCKED_ON_SEND);
    }
    // Above everybody, so that who is served does not run in between.
    system.invoke(slot::TCB, TCBSetPriority, &[200], &[slot::TCB]).ok();
    let mut order = Vec::new();
    for _ in 0..5 {
        system.wait(endpoint);
        order.push(system.answer_of(system.root()).label);
    }
    assert_eq!(order, [3, 1, 4, 0, 2]);
}

#[test]
fn nbsend_without_a_receiver_does_nothing() {
    let system = System::new();
    let endpoint = system.endpoint();
    system.send(Syscall::NBSend, Call { cap: endpoint, label: 0, words: &[5], caps: &[] });
    assert_eq!(system.current(), system.root());
    system.receive(Syscall::NBWait, endpoint, 0);
    assert_eq!(system.answer_of(system.root()).badge, 0);
}

#[test]
fn nbrecv_takes_what_is_there_and_reports_badge_0_otherwise() {
    let system = System::new();
    let (endpoint, reply) = (system.endpoint(), system.reply());
    let badged = system.mint(endpoint, 15, 44);
    let sender = system.thread(10);
    system.step_back();
    system.resume(sender);
    system.send(Syscall::Send, Call { cap: badged, label: 3, words: &[1], caps: &[] });
    system.invoke(slot::TCB, TCBSetPriority, &[200], &[slot::TCB]).ok();
    system.receive(Syscall::NBRecv, endpoint, reply);
    assert_eq!((system.answer_of(system.root()).badge, system.answer_of(system.root()).label), (44, 3));
    system.receive(Syscall::NBRecv, endpoint, reply);
    assert_eq!(system.root().context.get(Register::Rdi), 0);
}

#[test]
fn nbsendrecv_and_nbsendwait_send_then_receive() {
    let system = System::new();
    let (endpoint, reply, notification) = (system.endpoint(), system.reply(), system.notification());
    let badged = system.mint(notification, 15, 6);
    let thread = system.thread(10);
    system.step_back();
    system.resume(thread);
    // A signal first, then a receive that blocks.
    thread.tcb.context.set(Register::R13, badged);
    system.receive(Syscall::NBSendRecv, endpoint, reply);
    assert_eq!(thread.tcb.state.get(), State::BLOCKED_ON_RECEIVE);
    system.receive(Syscall::NBWait, notification, 0);
    assert_eq!(system.root().context.get(Register::Rdi), 6, "the signal arrived");
    let other = system.thread(11);
    system.resume(other);
    other.tcb.context.set(Register::Rsi, 0);
    system.receive(Syscall::NBSendWait, notification, badged);
    assert_eq!(system.current(), other.tcb, "it hears itself");
    assert_eq!(other.tcb.context.get(Register::Rdi), 6);
}

#[test]
fn an_object_invocation_in_the_first_phase_is_refused_silently() {
    let system = System::new();
    let (endpoint, reply) = (system.endpoint(), system.reply());
    let victim = system.thread(10);
    let thread = system.thread(11);
    system.step_back();
    system.resume(victim);
    system.wait(endpoint);
    system.resume(thread);
    thread.tcb.context.set(Register::R13, victim.cap);
    thread.tcb.context.set(Register::Rsi, (TCBSuspend as u64) << 12);
    system.receive(Syscall::NBSendRecv, endpoint, reply);
    assert_eq!(victim.tcb.state.get(), State::BLOCKED_ON_RECEIVE, "not suspended");
    assert_eq!(thread.tcb.state.get(), State::BLOCKED_ON_RECEIVE);
}

#[test]
fn a_granted_capability_arrives_where_the_receiver_wants_it() {
    let system = System::new();
    let (endpoint, reply, gift) = (system.endpoint(), system.reply(), system.notification());
    let target = system.fresh();
    let client = system.thread(9);
    let server = server(&system, endpoint, reply, 10);
    let buffer = system.buffer_of(server.tcb).unwrap();
    for (index, word) in [slot::CNODE, target, 64].into_iter().enumerate() {
        buffer.set(125 + index, word);
    }
    system.resume(client);
    let unwrapped = system.phys(endpoint);
    system.send(Syscall::Call, Call { cap: endpoint, label: 0, words: &[], caps: &[gift, endpoint] });
    let got = system.answer_of(server.tcb);
    assert_eq!((got.caps, got.unwrapped), (2, 0b10), "the second was the endpoint itself: only its badge went");
    assert_eq!(system.cap(target).kind(), Kind::Notification);
    assert_eq!(unwrapped, system.phys(endpoint));
    assert_eq!(buffer.get(123), 0, "badge of the endpoint capability");
}

#[test]
fn a_message_brings_one_capability_into_the_one_slot_there_is() {
    let system = System::new();
    let (endpoint, reply) = (system.endpoint(), system.reply());
    let (gift, second) = (system.notification(), system.endpoint());
    let target = system.fresh();
    let client = system.thread(9);
    let server = server(&system, endpoint, reply, 10);
    let buffer = system.buffer_of(server.tcb).unwrap();
    for (index, word) in [slot::CNODE, target, 64].into_iter().enumerate() {
        buffer.set(125 + index, word);
    }
    system.resume(client);
    system.send(Syscall::Call, Call { cap: endpoint, label: 0, words: &[], caps: &[gift, second] });
    assert_eq!(system.answer_of(server.tcb).caps, 1);
    assert_eq!(system.cap(target).kind(), Kind::Notification, "the second did not take its place");
}

#[test]
fn an_occupied_receive_slot_or_a_missing_right_stops_the_transfer_not_the_message() {
    let system = System::new();
    let (endpoint, reply, gift) = (system.endpoint(), system.reply(), system.notification());
    let badged = system.mint(endpoint, 15, 77);
    let no_grant = system.mint(endpoint, 1 | 8, 5);
    let client = system.thread(9);
    let server = server(&system, endpoint, reply, 10);
    let buffer = system.buffer_of(server.tcb).unwrap();
    for (index, word) in [slot::CNODE, slot::TCB, 64].into_iter().enumerate() {
        buffer.set(125 + index, word);
    }
    system.resume(client);
    let target = system.fresh();
    system.send(Syscall::Call, Call { cap: endpoint, label: 0, words: &[3], caps: &[badged, gift, badged] });
    let got = system.answer_of(server.tcb);
    assert_eq!((got.caps, got.unwrapped, &got.words[..]), (1, 1, &[3][..]));
    assert_eq!(buffer.get(122), 77);
    buffer.set(126, target);
    system.reply_recv(endpoint, reply, &[]);
    system.send(Syscall::Call, Call { cap: no_grant, label: 0, words: &[4], caps: &[gift] });
    let got = system.answer_of(server.tcb);
    assert_eq!((got.caps, got.badge, &got.words[..]), (0, 5, &[4][..]));
    assert!(system.cap(target).is_null());
    // A reply grants with the rights of the reply capability.
    let client_buffer = system.buffer_of(client.tcb).unwrap();
    for (index, word) in [slot::CNODE, target, 64].into_iter().enumerate() {
        client_buffer.set(125 + index, word);
    }
    system.load(&Call { cap: 0, label: 0, words: &[], caps: &[gift] });
    system.receive(Syscall::ReplyRecv, endpoint, reply);
    assert_eq!(system.answer_of(client.tcb).caps, 1);
    assert_eq!(system.cap(target).kind(), Kind::Notification);
}

#[test]
fn a_call_without_the_right_to_get_a_reply_stops_the_caller() {
    let system = System::new();
    let (endpoint, reply) = (system.endpoint(), system.reply());
    let write_only = system.mint(endpoint, 1, 0);
    let client = system.thread(9);
    let server = server(&system, endpoint, reply, 10);
    system.resume(client);
    system.call(write_only, &[1]);
    assert_eq!(system.current(), server.tcb);
    assert_eq!(client.tcb.state.get(), State::INACTIVE);
    system.reply_recv(endpoint, reply, &[]);
    assert_eq!(client.tcb.state.get(), State::INACTIVE, "there is nobody to reply to");
}

#[test]
fn receiving_needs_the_right_a_reply_object_and_an_existing_slot() {
    let system = System::new();
    let (endpoint, reply) = (system.endpoint(), system.reply());
    let write_only = system.mint(endpoint, 1, 0);
    let handler = system.endpoint();
    for (cap, reply_cap, address) in
        [(write_only, reply, write_only), (endpoint, endpoint, endpoint), (slot::TCB, reply, slot::TCB)]
    {
        let thread = system.thread(10);
        system.invoke(thread.cap, TCBSetSchedParams, &[0, 10], &[slot::TCB, thread.sc, handler]).ok();
        system.invoke(slot::TCB, TCBSetPriority, &[1], &[slot::TCB]).ok();
        system.resume(thread);
        system.recv(cap, reply_cap);
        assert_eq!(thread.tcb.state.get(), State::BLOCKED_ON_SEND, "it faulted");
        system.wait(handler);
        let fault = system.answer_of(system.root());
        assert_eq!(fault.label, abi::fault::FaultType::CapFault as u64);
        assert_eq!(&fault.words[1..4], &[address, 1, 2], "in the receive phase: a missing capability");
        system.invoke(slot::TCB, TCBSetPriority, &[255], &[slot::TCB]).ok();
    }
}

#[test]
fn a_reply_object_in_use_is_taken_from_its_caller() {
    let system = System::new();
    let (endpoint, reply) = (system.endpoint(), system.reply());
    let client = system.thread(9);
    let server = server(&system, endpoint, reply, 10);
    system.resume(client);
    system.call(endpoint, &[]);
    assert_eq!(client.tcb.state.get(), State::BLOCKED_ON_REPLY);
    assert_eq!(system.current(), server.tcb);
    system.recv(endpoint, reply);
    assert_eq!(client.tcb.state.get(), State::INACTIVE, "nobody will ever reply to it");
    assert_eq!(server.tcb.state.get(), State::BLOCKED_ON_RECEIVE);
}

#[test]
fn deleting_a_reply_object_ends_the_wait() {
    let system = System::new();
    let (endpoint, reply) = (system.endpoint(), system.reply());
    let client = system.thread(9);
    let server = server(&system, endpoint, reply, 10);
    system.resume(client);
    system.call(endpoint, &[]);
    assert_eq!(system.current(), server.tcb);
    system.delete(reply);
    assert_eq!(client.tcb.state.get(), State::INACTIVE);
    let other = system.reply();
    system.recv(endpoint, other);
    system.delete(other);
    assert_eq!(server.tcb.state.get(), State::INACTIVE, "a receiver is stopped with its reply object");
}

#[test]
fn suspending_a_waiter_takes_it_out_of_its_queue_and_resuming_repeats_the_call() {
    let system = System::new();
    let (endpoint, reply) = (system.endpoint(), system.reply());
    let client = system.thread(9);
    system.step_back();
    system.resume(client);
    system.call(endpoint, &[4]);
    system.invoke(client.cap, TCBSuspend, &[], &[]).ok();
    assert_eq!(client.tcb.state.get(), State::INACTIVE);
    system.receive(Syscall::NBRecv, endpoint, reply);
    assert_eq!(system.answer_of(system.root()).badge, 0);
    system.resume(client);
    assert_eq!(system.current(), client.tcb);
    assert_eq!(client.tcb.context.next_pc(), 0x50_0000);
    system.call(endpoint, &[4]);
    assert_eq!(client.tcb.state.get(), State::BLOCKED_ON_SEND);
}

#[test]
fn changing_a_waiters_priority_reorders_the_queue() {
    let system = System::new();
    let endpoint = system.endpoint();
    let (a, b) = (system.thread(10), system.thread(11));
    system.step_back();
    for (thread, label) in [(b, 2), (a, 1)] {
        system.resume(thread);
        system.send(Syscall::Send, Call { cap: endpoint, label, words: &[], caps: &[] });
    }
    system.invoke(a.cap, TCBSetPriority, &[12], &[slot::TCB]).ok();
    system.invoke(slot::TCB, TCBSetPriority, &[200], &[slot::TCB]).ok();
    system.wait(endpoint);
    assert_eq!(system.answer_of(system.root()).label, 1);
}

#[test]
fn calling_a_thread_object_answers_with_the_kernels_words() {
    let system = System::new();
    let thread = system.make(ObjectType::Tcb, 0);
    let answer = system.invoke(thread, TCBSetPriority, &[300], &[slot::TCB]);
    assert_eq!(answer.refusal(), (abi::error::Error::RangeError, &[0, 255][..]));
    assert_eq!(answer.badge, 0);
}
