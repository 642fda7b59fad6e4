//! Notifications, interrupts and doorbells: signals that accumulate, bound threads, and the hardware side of each.

use crate::harness::{PINS, ROUTES, System, slot};
use abi::error::Error;
use abi::invocation::Invocation::*;
use abi::syscall::Syscall;
use capability::Kind;
use ipi::route::{Command, Route};
use machine::model::Event;
use machine::{Polarity, Register, Trigger};
use thread::State;

fn badge(system: &System) -> u64 {
    system.current().context.get(Register::Rdi)
}

#[test]
fn badges_are_ored_until_somebody_takes_them() {
    let system = System::new();
    let notification = system.notification();
    for bit in [1, 4, 4, 8] {
        let badged = system.mint(notification, 15, bit);
        system.signal(badged);
    }
    system.wait(notification);
    assert_eq!(badge(&system), 13);
    system.receive(Syscall::NBWait, notification, 0);
    assert_eq!(badge(&system), 0, "nothing is left");
}

#[test]
fn a_signal_wakes_one_waiter_with_its_badge() {
    let system = System::new();
    let notification = system.notification();
    let badged = system.mint(notification, 15, 3);
    let (one, two) = (system.thread(10), system.thread(11));
    system.step_back();
    for thread in [one, two] {
        system.resume(thread);
        system.wait(notification);
    }
    system.signal(badged);
    assert_eq!(system.current(), two.tcb, "the more important first");
    assert_eq!(badge(&system), 3);
    assert_eq!(one.tcb.state.get(), State::BLOCKED_ON_NOTIFICATION);
}

#[test]
fn a_bound_thread_hears_signals_while_it_receives() {
    let system = System::new();
    let (notification, endpoint, reply) = (system.notification(), system.endpoint(), system.reply());
    let badged = system.mint(notification, 15, 0x40);
    let thread = system.thread(10);
    system.invoke(thread.cap, TCBBindNotification, &[], &[notification]).ok();
    system.step_back();
    system.resume(thread);
    system.recv(endpoint, reply);
    system.signal(badged);
    assert_eq!((system.current(), badge(&system)), (thread.tcb, 0x40));
    // A signal that came earlier is taken by the next receive, also a polling one.
    system.signal(badged);
    system.receive(Syscall::NBRecv, endpoint, reply);
    assert_eq!(badge(&system), 0x40);
    system.recv(endpoint, reply);
    assert_eq!(system.current(), system.root());
}

#[test]
fn binding_is_exclusive_both_ways() {
    let system = System::new();
    let (a, b) = (system.notification(), system.notification());
    let (one, two) = (system.thread(10), system.thread(10));
    let write_only = system.mint(b, 1, 0);
    let bind = |thread: u64, notification: u64| system.invoke(thread, TCBBindNotification, &[], &[notification]);
    bind(one.cap, a).ok();
    assert_eq!(bind(one.cap, b).error(), Error::IllegalOperation, "the thread has one");
    assert_eq!(bind(two.cap, a).error(), Error::IllegalOperation, "the notification has one");
    assert_eq!(bind(two.cap, write_only).error(), Error::IllegalOperation, "it must be readable");
    assert_eq!(bind(two.cap, slot::TCB).error(), Error::IllegalOperation);
    assert_eq!(system.invoke(two.cap, TCBUnbindNotification, &[], &[]).error(), Error::IllegalOperation);
    system.invoke(one.cap, TCBUnbindNotification, &[], &[]).ok();
    bind(two.cap, a).ok();
    system.delete(a);
    bind(two.cap, b).ok();
}

#[test]
fn only_the_bound_thread_may_wait_on_a_bound_notification() {
    let system = System::new();
    let notification = system.notification();
    let thread = system.thread(10);
    system.invoke(thread.cap, TCBBindNotification, &[], &[notification]).ok();
    let other = system.thread(11);
    system.step_back();
    system.resume(other);
    system.wait(notification);
    assert_eq!(other.tcb.state.get(), State::INACTIVE, "a capability fault without a handler");
    system.resume(thread);
    system.wait(notification);
    assert_eq!(thread.tcb.state.get(), State::BLOCKED_ON_NOTIFICATION);
}

#[test]
fn signal_and_wait_need_their_rights() {
    let system = System::new();
    let notification = system.notification();
    let (reader, writer) = (system.mint(notification, 2, 0), system.mint(notification, 1, 9));
    let refused = system.invoke_label(reader, 0, &[], &[]);
    assert_eq!(refused.refusal(), (Error::InvalidCapability, &[0][..]));
    system.signal(writer);
    system.wait(reader);
    assert_eq!(badge(&system), 9);
}

/// A handler for `vector` of the handoff's MSI vectors.
fn message(system: &System, vector: u64) -> u64 {
    let target = system.fresh();
    system.invoke(slot::IRQ, X86IRQIssueIRQHandlerMSI, &[target, 64, 0, 0, 0, 0, vector], &[slot::CNODE]).ok();
    target
}

#[test]
fn a_message_interrupt_signals_its_notification() {
    let system = System::new();
    let handler = message(&system, 7);
    let notification = system.notification();
    let badged = system.mint(notification, 15, 0x80);
    system.interrupt(0x30 + 7);
    system.invoke(handler, IRQSetIRQHandler, &[], &[badged]).ok();
    system.take_events();
    system.interrupt(0x30 + 7);
    assert!(system.take_events().contains(&Event::EndOfInterrupt));
    system.invoke(handler, IRQAckIRQ, &[], &[]).ok();
    system.wait(notification);
    assert_eq!(badge(&system), 0x80);
    system.invoke(handler, IRQClearIRQHandler, &[], &[]).ok();
    system.interrupt(0x30 + 7);
    system.receive(Syscall::NBWait, notification, 0);
    assert_eq!(badge(&system), 0);
}

#[test]
fn a_pin_is_routed_masked_and_unmasked() {
    let system = System::new();
    let handler = system.fresh();
    let pin = u64::from(PINS.trailing_zeros());
    system.take_events();
    let words = [handler, 64, 0, pin, 1, 1, 5];
    system.invoke(slot::IRQ, X86IRQIssueIRQHandlerIOAPIC, &words, &[slot::CNODE]).ok();
    let pin = pin as u32;
    let routed = Event::RoutePin { pin, vector: 0x35, trigger: Trigger::Level, polarity: Polarity::Low };
    assert!(system.take_events().contains(&routed));
    let notification = system.notification();
    let badged = system.mint(notification, 15, 2);
    system.invoke(handler, IRQSetIRQHandler, &[], &[badged]).ok();
    system.invoke(handler, IRQAckIRQ, &[], &[]).ok();
    assert!(system.take_events().contains(&Event::UnmaskPin { pin }));
    system.interrupt(0x35);
    let events = system.take_events();
    assert!(events.contains(&Event::MaskPin { pin }), "it stays silent until it is acknowledged");
    let again = [system.fresh(), 64, 0, u64::from(pin), 0, 0, 6];
    let taken = system.invoke(slot::IRQ, X86IRQIssueIRQHandlerIOAPIC, &again, &[slot::CNODE]);
    assert_eq!(taken.error(), Error::RevokeFirst, "the pin has a handler");
    system.delete(handler);
    assert!(system.take_events().contains(&Event::MaskPin { pin }));
    system.invoke(slot::IRQ, X86IRQIssueIRQHandlerIOAPIC, &again, &[slot::CNODE]).ok();
}

#[test]
fn interrupts_of_others_are_refused() {
    let system = System::new();
    let target = system.fresh();
    let msi = |words: [u64; 7]| system.invoke(slot::IRQ, X86IRQIssueIRQHandlerMSI, &words, &[slot::CNODE]).error();
    assert_eq!(msi([target, 64, 0, 0, 0, 0, 8]), Error::IllegalOperation);
    assert_eq!(msi([target, 64, 0, 0, 0, 0, 108]), Error::RangeError);
    assert_eq!(msi([target, 64, 256, 0, 0, 0, 7]), Error::RangeError);
    assert_eq!(msi([target, 64, 0, 32, 0, 0, 7]), Error::RangeError);
    assert_eq!(msi([target, 64, 0, 0, 8, 0, 7]), Error::RangeError);
    assert_eq!(msi([slot::TCB, 64, 0, 0, 0, 0, 7]), Error::DeleteFirst);
    assert_eq!(msi([slot::TCB, 64, 256, 0, 0, 0, 108]), Error::RangeError, "the vector first");
    assert_eq!(msi([slot::TCB, 64, 256, 0, 0, 0, 8]), Error::DeleteFirst, "the slot before the device and whose it is");
    let pin = |words: [u64; 7]| system.invoke(slot::IRQ, X86IRQIssueIRQHandlerIOAPIC, &words, &[slot::CNODE]).error();
    assert_eq!(pin([target, 64, 0, 5, 0, 0, 1]), Error::IllegalOperation);
    assert_eq!(pin([target, 64, 1, 4, 0, 0, 1]), Error::RangeError);
    assert_eq!(pin([target, 64, 0, 4, 2, 0, 1]), Error::RangeError);
    assert_eq!(pin([slot::TCB, 64, 1, 4, 0, 0, 1]), Error::DeleteFirst);
    message(&system, 7);
    assert_eq!(
        pin([slot::TCB, 64, 1, 4, 0, 0, 7]),
        Error::RevokeFirst,
        "a vector that has a handler before anything else"
    );
    assert_eq!(pin([target, 64, 0, u64::MAX, 0, 0, 1]), Error::RangeError);
    let generic = system.invoke(slot::IRQ, IRQIssueIRQHandler, &[4, target, 64], &[slot::CNODE]);
    assert_eq!(generic.error(), Error::IllegalOperation);
}

#[test]
fn revoking_interrupt_control_frees_every_interrupt_and_doorbell() {
    let system = System::new();
    let handler = message(&system, 7);
    let notification = system.notification();
    system.invoke(handler, IRQSetIRQHandler, &[], &[notification]).ok();
    let bell = system.fresh();
    system.invoke(slot::IRQ, SkerryIssueDoorbell, &[0, bell, 64], &[slot::CNODE]).ok();
    system.revoke(slot::IRQ);
    assert!(system.cap(handler).is_null() && system.cap(bell).is_null());
    message(&system, 7);
}

#[test]
fn revoking_a_notification_unbinds_its_interrupt() {
    let system = System::new();
    let handler = message(&system, 7);
    let notification = system.notification();
    let badged = system.mint(notification, 15, 1);
    system.invoke(handler, IRQSetIRQHandler, &[], &[badged]).ok();
    system.revoke(notification);
    system.interrupt(0x37);
    system.receive(Syscall::NBWait, notification, 0);
    assert_eq!(badge(&system), 0);
    let reader = system.mint(notification, 2, 0);
    let refused = system.invoke(handler, IRQSetIRQHandler, &[], &[reader]);
    assert_eq!(refused.refusal(), (Error::InvalidCapability, &[0][..]));
}

#[test]
fn a_doorbell_rings_its_route_and_nothing_else() {
    let system = System::new();
    for (number, (apic_id, vector)) in ROUTES.into_iter().enumerate() {
        let bell = system.fresh();
        system.invoke(slot::IRQ, SkerryIssueDoorbell, &[number as u64, bell, 64], &[slot::CNODE]).ok();
        assert_eq!(system.cap(bell).kind(), Kind::Doorbell);
        for number in [Syscall::Send, Syscall::NBSend, Syscall::Call] {
            system.take_events();
            system.send(number, crate::harness::Call { cap: bell, label: 9, words: &[1, 2], caps: &[] });
            assert_eq!(system.current(), system.root(), "it never blocks");
            let command = Command::ring(Route::new(apic_id, vector).unwrap());
            let rings: Vec<_> =
                system.take_events().into_iter().filter(|event| matches!(event, Event::Ring { .. })).collect();
            assert_eq!(rings, [Event::Ring { command }]);
        }
        let copy = system.copy(bell);
        system.delete(bell);
        system.signal(copy);
    }
}

#[test]
fn an_unlisted_route_or_vector_is_refused() {
    let system = System::new();
    let target = system.fresh();
    for route in [2, 63, 64, u64::MAX] {
        let refused = system.invoke(slot::IRQ, SkerryIssueDoorbell, &[route, target, 64], &[slot::CNODE]);
        assert_eq!(refused.refusal(), (Error::InvalidArgument, &[0][..]));
    }
    let hear = |vector: u64| system.invoke(slot::IRQ, SkerryHearDoorbell, &[vector, target, 64], &[slot::CNODE]);
    assert_eq!(hear(0xa1).error(), Error::IllegalOperation);
    assert_eq!(hear(0x9d).refusal(), (Error::RangeError, &[0xa0, 0xdf][..]));
    assert_eq!(hear(0x1a0).error(), Error::RangeError);
}

#[test]
fn a_heard_doorbell_signals_like_an_interrupt() {
    let system = System::new();
    let handler = system.fresh();
    system.invoke(slot::IRQ, SkerryHearDoorbell, &[0xa3, handler, 64], &[slot::CNODE]).ok();
    let notification = system.notification();
    let badged = system.mint(notification, 15, 0x8);
    system.invoke(handler, IRQSetIRQHandler, &[], &[badged]).ok();
    let waiter = system.thread(10);
    system.step_back();
    system.resume(waiter);
    system.wait(notification);
    system.interrupt(0xa3);
    assert_eq!((system.current(), badge(&system)), (waiter.tcb, 8));
    system.invoke(handler, IRQAckIRQ, &[], &[]).ok();
    // Twice before it is heard is once.
    system.interrupt(0xa3);
    system.interrupt(0xa3);
    system.wait(notification);
    assert_eq!((system.current(), badge(&system)), (waiter.tcb, 8));
    system.wait(notification);
    assert_eq!(waiter.tcb.state.get(), State::BLOCKED_ON_NOTIFICATION);
}

#[test]
fn nobodys_interrupts_are_ended_and_ignored() {
    let system = System::new();
    for (vector, ends) in [(0x55, 1), (0xb0, 1), (0xe5, 1), (0x9e, 1), (0xff, 0), (0x27, 0)] {
        system.take_events();
        system.interrupt(vector);
        let count = system.take_events().iter().filter(|&&event| event == Event::EndOfInterrupt).count();
        assert_eq!(count, ends, "vector {vector:#x}");
        assert_eq!(system.current(), system.root());
    }
}

#[test]
fn who_was_woken_before_others_waits_elsewhere_without_them() {
    let system = System::new();
    let (shared, own) = (system.notification(), system.notification());
    let (one, two) = (system.thread(20), system.thread(20));
    system.step_back();
    for thread in [one, two] {
        system.resume(thread);
        assert_eq!(system.current(), thread.tcb);
        system.wait(shared);
    }
    system.signal(shared);
    assert_eq!(system.current(), one.tcb);
    system.wait(own);
    system.signal(own);
    assert_eq!(system.current(), one.tcb);
    system.wait(own);
    system.signal(shared);
    assert_eq!(system.current(), two.tcb);
}
