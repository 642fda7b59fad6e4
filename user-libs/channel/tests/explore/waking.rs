//! Nobody sleeps through what he waits for: neither a receiver through a message, nor a sender through room.

use crate::bells::{Doorbells, Early};
use crate::messages::{content, expect};
use crate::{ASLEEP, Extent, Fault, must_find, on_ends};
use channel::{Bell, Duplex};

/// An end that sleeps when it waits.
type End<'a> = Duplex<'a, Doorbells<true>>;

fn belled(
    extent: Extent,
    fault: Fault,
    early: Early,
    first: impl Fn(End<'_>, &Doorbells<true>) + Send + Sync + Copy + 'static,
    second: impl Fn(End<'_>, &Doorbells<true>) + Send + Sync + Copy + 'static,
) {
    on_ends(extent, fault, move || Doorbells::pair(early), first, second);
}

/// Messages of these lengths, in bytes.
fn send(end: &mut End<'_>, lengths: &[usize]) {
    for (number, &length) in lengths.iter().enumerate() {
        end.out.send(number as u32, &content(number, length)).unwrap();
    }
}

/// Receives them, asleep meanwhile.
fn receive(end: &mut End<'_>, lengths: &[usize]) {
    for (number, &length) in lengths.iter().enumerate() {
        expect(end.inward.receive().unwrap(), number, length);
    }
}

/// They fit into the ring, so the sender does not wait.
const FITTING: &[usize] = &[16, 8];
/// The last waits until all room is free.
const FULL: &[usize] = &[24, 24, 24];

/// Fills the ring before the receiver looks, and waits for room for the last.
fn fill(mut end: End<'_>, bell: &Doorbells<true>) {
    send(&mut end, &FULL[..2]);
    bell.ring();
    end.out.send(2, &content(2, FULL[2])).unwrap();
}

fn a_sleeping_receiver(fault: Fault, early: Early) {
    belled(Extent::All, fault, early, |mut end, _| send(&mut end, FITTING), |mut end, _| receive(&mut end, FITTING));
}

#[test]
fn no_message_is_slept_through() {
    a_sleeping_receiver(Fault::None, Early::Kept);
}

#[test]
fn a_sender_that_looks_for_sleepers_too_early_is_found() {
    must_find(ASLEEP, || a_sleeping_receiver(Fault::FirstUnfenced, Early::Kept));
}

#[test]
fn a_receiver_that_looks_for_messages_too_early_is_found() {
    must_find(ASLEEP, || a_sleeping_receiver(Fault::SecondUnfenced, Early::Kept));
}

#[test]
fn a_bell_that_forgets_is_found() {
    must_find(ASLEEP, || a_sleeping_receiver(Fault::None, Early::Lost));
}

/// The receiver does not sleep when the sender does, so only the sender needs waking.
fn a_sleeping_sender(fault: Fault) {
    let receiver = |mut end: End<'_>, bell: &Doorbells<true>| {
        bell.wait();
        for (number, &length) in FULL[..2].iter().enumerate() {
            expect(end.inward.try_receive().unwrap().unwrap(), number, length);
        }
        end.inward.release();
    };
    belled(Extent::All, fault, Early::Kept, fill, receiver);
}

#[test]
fn no_room_is_slept_through() {
    a_sleeping_sender(Fault::None);
}

#[test]
fn a_sender_that_looks_for_room_too_early_is_found() {
    must_find(ASLEEP, || a_sleeping_sender(Fault::FirstUnfenced));
}

#[test]
fn a_receiver_that_looks_for_waiting_senders_too_early_is_found() {
    must_find(ASLEEP, || a_sleeping_sender(Fault::SecondUnfenced));
}

/// The receiver finds the ring full, the sender waits for room, and the receiver for what comes then.
#[test]
fn both_ends_sleep_and_are_woken() {
    let receiver = |mut end: End<'_>, bell: &Doorbells<true>| {
        bell.wait();
        receive(&mut end, FULL);
    };
    belled(Extent::Preemptions(3), Fault::None, Early::Kept, fill, receiver);
}

/// Each end sleeps on one bell for what it sends and what it receives.
#[test]
fn a_request_is_answered() {
    const ONE: &[usize] = &[8];
    let first = |mut end: End<'_>, _: &_| {
        send(&mut end, ONE);
        receive(&mut end, ONE);
    };
    let second = |mut end: End<'_>, _: &_| {
        receive(&mut end, ONE);
        send(&mut end, ONE);
    };
    belled(Extent::All, Fault::None, Early::Kept, first, second);
}

/// What a program does that sleeps on its bell itself.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sleeper {
    Heeds,
    /// Sleeps whatever it is told.
    Sleeps,
}

fn a_program_with_a_bell_of_its_own(sleeper: Sleeper) {
    let receiver = move |mut end: End<'_>, bell: &Doorbells<true>| {
        let mut count = 0;
        while count < FITTING.len() {
            if let Some(message) = end.inward.try_receive().unwrap() {
                expect(message, count, FITTING[count]);
                count += 1;
            } else if end.inward.arm().unwrap() || sleeper == Sleeper::Sleeps {
                bell.wait();
                end.inward.disarm();
            }
        }
    };
    belled(Extent::All, Fault::None, Early::Kept, |mut end, _| send(&mut end, FITTING), receiver);
}

#[test]
fn whoever_is_told_to_sleep_is_woken() {
    a_program_with_a_bell_of_its_own(Sleeper::Heeds);
}

#[test]
fn a_sleeper_that_was_told_not_to_is_found() {
    must_find(ASLEEP, || a_program_with_a_bell_of_its_own(Sleeper::Sleeps));
}
