//! A subscriber reads a value that was published, or none: never parts of two.

use crate::{Extent, Fault, must_find, on_threads};
use channel::Region;
use channel::broadcast::{Publisher, Subscriber};
use channel::explored::AtomicU64;

/// Two values, of different lengths; the subscriber reads once.
fn values(fault: Fault) {
    let publisher = |region: Region<'_>, ()| {
        let mut publisher = Publisher::open(region).unwrap();
        assert!(publisher.publish(&[1; 8]));
        assert!(publisher.publish(&[2; 5]));
    };
    let subscriber = |region: Region<'_>, ()| {
        let subscriber = Subscriber::open(region).unwrap();
        let mut value = [0; 8];
        if let Ok((sequence, length)) = subscriber.read(&mut value) {
            assert_eq!(length, [8, 5][sequence as usize - 1], "torn");
            assert!(value[..length].iter().all(|byte| u64::from(*byte) == sequence), "torn");
        }
    };
    let word = move |index| if fault == Fault::Relaxed(index) { AtomicU64::relaxed(0) } else { AtomicU64::new(0) };
    on_threads(Extent::All, fault, move || ((0..3).map(word).collect(), [(), ()]), publisher, subscriber);
}

const SEQUENCE: usize = 0;

#[test]
fn no_value_is_torn() {
    values(Fault::None);
}

#[test]
fn a_value_written_before_it_is_said_to_be_is_found() {
    must_find("torn", || values(Fault::FirstUnfenced));
}

#[test]
fn a_value_checked_before_it_was_read_is_found() {
    must_find("torn", || values(Fault::SecondUnfenced));
}

#[test]
fn a_sequence_number_without_orderings_is_found() {
    must_find("torn", || values(Fault::Relaxed(SEQUENCE)));
}
