//! What was sent arrives: whole, in order and once; and no record is written while it is read.

use crate::bells::{Doorbells, Early};
use crate::{Extent, Fault, HEAD, TAIL, UNGREETED, UNORDERED, must_find, on_ends};
use channel::{Bell, Duplex};
use loom::thread::yield_now;

/// An end that looks again when it waits.
type End<'a> = Duplex<'a, Doorbells<false>>;

fn polled(
    fault: Fault,
    first: impl Fn(End<'_>, &Doorbells<false>) + Send + Sync + Copy + 'static,
    second: impl Fn(End<'_>, &Doorbells<false>) + Send + Sync + Copy + 'static,
) {
    on_ends(Extent::All, fault, || Doorbells::pair(Early::Kept), first, second);
}

/// The bytes of message `number`, `length` of them.
pub fn content(number: usize, length: usize) -> Vec<u8> {
    (0..length).map(|index| (number * 32 + index + 1) as u8).collect()
}

/// The next message is number `number`.
pub fn expect(message: channel::Message<'_>, number: usize, length: usize) {
    assert_eq!(message.kind, number as u32, "out of order");
    assert!(message.bytes.iter().eq(content(number, length)), "torn");
}

/// Messages of these lengths, in bytes, each published by itself, so many of them before the receiver first looks; then it
/// waits for each.
fn each_by_itself(fault: Fault, ahead: usize, lengths: &'static [usize]) {
    let first = move |mut end: End<'_>, bell: &Doorbells<false>| {
        for (number, &length) in lengths.iter().enumerate() {
            end.out.send(number as u32, &content(number, length)).unwrap();
            if number + 1 == ahead {
                bell.ring();
            }
        }
    };
    let second = move |mut end: End<'_>, bell: &Doorbells<false>| {
        if ahead > 0 {
            bell.sleep();
        }
        for (number, &length) in lengths.iter().enumerate() {
            expect(end.inward.receive().unwrap(), number, length);
        }
        assert!(end.inward.try_receive().unwrap().is_none(), "more than was sent");
    };
    polled(fault, first, second);
}

/// Three words each: the third follows a PAD record, and must wait until the first is given back.
const PADDED: &[usize] = &[16, 9, 16];

#[test]
fn messages_arrive_whole_and_in_order_across_the_end_of_the_ring() {
    each_by_itself(Fault::None, 0, PADDED);
}

/// Records that were taken the short way are overwritten by the last.
#[test]
fn no_record_is_overwritten_while_it_is_read() {
    each_by_itself(Fault::None, 4, &[8; 6]);
}

#[test]
fn a_position_published_without_its_messages_is_found() {
    must_find(UNGREETED, || each_by_itself(Fault::Relaxed(TAIL), 0, PADDED));
}

#[test]
fn room_given_back_before_it_was_read_is_found() {
    must_find(UNORDERED, || each_by_itself(Fault::Relaxed(HEAD), 0, PADDED));
}

#[test]
fn messages_published_together_arrive_together() {
    let first = |mut end: End<'_>, _: &_| {
        for round in [0, 2] {
            end.out.push(round as u32, &content(round, 8)).unwrap();
            end.out.push(round as u32 + 1, &content(round + 1, 3)).unwrap();
            end.out.flush();
        }
    };
    let second = |mut end: End<'_>, _: &_| {
        let mut count = 0;
        while count < 4 {
            let before = count;
            for message in end.inward.batch() {
                expect(message.unwrap(), count, [8, 3][count % 2]);
                count += 1;
            }
            assert_eq!(count % 2, 0, "half of what was published together");
            end.inward.release();
            if count == before {
                yield_now();
            }
        }
    };
    polled(Fault::None, first, second);
}

/// The last needs the room of all before it, of which the receiver gives back none before it finds that there is no more.
const HELD: &[usize] = &[8, 24, 24];

/// A receiver that only ever looks, in the way that finds soonest that there is nothing, while the sender needs its room.
#[test]
fn a_receiver_that_looks_gets_everything_and_gives_back_its_room() {
    let first = |mut end: End<'_>, _: &_| {
        for (number, &length) in HELD.iter().enumerate() {
            end.out.send(number as u32, &content(number, length)).unwrap();
        }
    };
    let second = |mut end: End<'_>, _: &_| {
        let mut count = 0;
        while count < HELD.len() {
            match end.inward.try_receive().unwrap() {
                Some(message) => {
                    expect(message, count, HELD[count]);
                    count += 1;
                }
                None => yield_now(),
            }
        }
    };
    polled(Fault::None, first, second);
}

/// Messages of one word, by the calls that have the shortest way: `ahead` of them before the receiver looks, then `more`.
fn words(fault: Fault, ahead: u64, more: u64) {
    let first = move |mut end: End<'_>, bell: &Doorbells<false>| {
        (0..ahead).for_each(|number| end.out.try_send_words(7, &[number]).unwrap());
        bell.ring();
        bell.sleep();
        for number in ahead..ahead + more {
            while end.out.try_send_words(7, &[number]).is_err() {
                yield_now();
            }
        }
    };
    let second = move |mut end: End<'_>, bell: &Doorbells<false>| {
        bell.sleep();
        for number in 0..ahead {
            assert_eq!(end.inward.try_receive_words(7).unwrap(), Some([number]));
        }
        bell.ring();
        for number in ahead..ahead + more {
            let word = loop {
                match end.inward.try_receive_words::<1>(7).unwrap() {
                    Some([word]) => break word,
                    None => yield_now(),
                }
            };
            assert_eq!(word, number, "torn");
        }
    };
    polled(fault, first, second);
}

#[test]
fn words_arrive_the_short_way_across_the_end_of_the_ring() {
    words(Fault::None, 3, 2);
}

#[test]
fn words_published_too_early_are_found() {
    must_find(UNORDERED, || words(Fault::Relaxed(TAIL), 3, 1));
}

#[test]
fn words_overwritten_too_early_are_found() {
    must_find(UNORDERED, || words(Fault::Relaxed(HEAD), 0, 5));
}
