//! A peer that writes garbage: the honest end errs or reads wrong data, and never panics, hangs or leaves the region.
#![cfg(not(feature = "explore"))]

use channel::{Bell, Duplex, PeerError, Polling, Region, SendError, Side};
use proptest::prelude::*;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// A bell for one thread: a wait that would last for ever ends at once, so the calls that wait are not used with it.
#[derive(Clone)]
struct Dumb;

impl Bell for Dumb {
    const SLEEPS: bool = true;
    fn ring(&self) {}
    fn wait(&self) {}
}

fn memory() -> Vec<AtomicU64> {
    (0..512).map(|_| AtomicU64::new(0)).collect()
}

/// Words that matter, and values that are almost right.
fn scribble() -> impl Strategy<Value = (usize, u64)> {
    let place = prop_oneof![
        prop_oneof![Just(0usize), Just(1), Just(16), Just(17), Just(32), Just(48)],
        prop_oneof![Just(64usize), Just(65), Just(80), Just(81), Just(96), Just(112)],
        0usize..512
    ];
    let value = prop_oneof![
        any::<u64>(),
        0u64..300,
        (0u64..300).prop_map(|n| u64::MAX - n),
        (0u64..2000).prop_map(|n| 0xffff_ffff_0000_0000 | n),
        Just(0x534b_524e_0001_0007),
    ];
    (place, value)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn no_scribbling_makes_an_end_panic_or_read_outside(
        rounds in proptest::collection::vec((proptest::collection::vec(scribble(), 0..4), 0usize..500), 1..40),
    ) {
        let memory = memory();
        let region = Region::from_words(&memory);
        let mut honest = Duplex::open(region, Side::First, Dumb).unwrap();
        let mut peer = Duplex::open(region, Side::Second, Dumb).unwrap();
        for (scribbles, length) in rounds {
            let _ = peer.out.try_push(1, &vec![7; length]);
            peer.out.flush();
            for (place, value) in scribbles {
                memory[place].store(value, Relaxed);
            }
            let longest = honest.out.max_message();
            let _ = honest.out.try_push(2, &vec![9; length]);
            honest.out.flush();
            let mut seen = 0;
            for message in honest.inward.batch() {
                let Ok(message) = message else { break };
                prop_assert!(message.bytes.len() <= longest * 2 + 16);
                prop_assert_eq!(message.bytes.iter().count(), message.bytes.len());
                seen += 1;
                prop_assert!(seen <= 512, "a batch ends");
            }
            honest.inward.release();
            let _ = honest.inward.try_receive_words::<3>(1);
            if let Ok(Some(message)) = honest.inward.try_receive() {
                let mut copy = [0; 1024];
                prop_assert!(message.bytes.copy_to(&mut copy) <= 1024);
            }
        }
    }
}

#[test]
fn each_lie_is_named() {
    let lie = |place: usize, value: u64| {
        let memory = memory();
        let region = Region::from_words(&memory);
        let mut honest = Duplex::open(region, Side::First, Polling).unwrap();
        let mut peer = Duplex::open(region, Side::Second, Polling).unwrap();
        peer.out.send(1, b"twelve bytes").unwrap();
        memory[place].store(value, Relaxed);
        honest.inward.try_receive().err()
    };
    let (tail, data) = (64, 128 + 128);
    assert_eq!(lie(tail, 129), Some(PeerError::Position), "more than the ring holds");
    assert_eq!(lie(tail, u64::MAX), Some(PeerError::Position));
    assert_eq!(lie(tail, 2), Some(PeerError::Length), "less than the record needs");
    assert_eq!(lie(data, 0x1_0000_0fff), Some(PeerError::Length));
    assert_eq!(lie(data, u64::MAX), Some(PeerError::Padding));
    assert_eq!(lie(65, 1), Some(PeerError::Version));
}

#[test]
fn a_position_is_doubted_after_a_hundred_good_ones_too() {
    for (lie, error) in [(-1i64, PeerError::Position), (129, PeerError::Position), (1, PeerError::Length)] {
        let memory = memory();
        let region = Region::from_words(&memory);
        let mut honest = Duplex::open(region, Side::First, Polling).unwrap();
        let mut peer = Duplex::open(region, Side::Second, Polling).unwrap();
        for number in 0..100 {
            peer.out.try_send_words(1, &[number]).unwrap();
            assert_eq!(honest.inward.try_receive_words(1), Ok(Some([number])));
        }
        assert_eq!(honest.inward.try_receive_words::<1>(1), Ok(None));
        // The next record's header is what lies there from the last lap.
        memory[64].store(200u64.wrapping_add_signed(lie), Relaxed);
        assert_eq!(honest.inward.try_receive_words::<1>(1), Err(error), "{lie}");
        memory[64].store(200, Relaxed);
        assert_eq!(honest.inward.try_receive().err(), Some(error), "and for good");
        assert_eq!(honest.inward.try_receive_words::<1>(1), Err(error), "where there is nothing to read too");
    }
}

#[test]
fn a_consumer_that_runs_ahead_of_the_producer_is_caught() {
    let memory = memory();
    let mut honest = Duplex::open(Region::from_words(&memory), Side::First, Polling).unwrap();
    memory[16].store(5, Relaxed);
    let refused = loop {
        if let Err(error) = honest.out.try_push(1, &[0; 64]) {
            break error;
        }
    };
    assert_eq!(refused, SendError::Peer(PeerError::Position));
    assert_eq!(honest.out.try_push(1, b""), Err(refused), "a broken ring stays broken");
}

#[test]
fn an_end_survives_a_peer_that_scribbles_all_the_time() {
    let memory = memory();
    let region = Region::from_words(&memory);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut state = 0x2545_f491_4f6c_dd1du64;
            while !stop.load(Relaxed) {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                let value = if state & 1 == 0 { state >> 40 & 0xff } else { state };
                memory[(state >> 8) as usize % 512].store(value, Relaxed);
            }
        });
        let mut refusals = 0;
        for _ in 0..20_000 {
            let mut honest = Duplex::open(region, Side::First, Polling).unwrap();
            for _ in 0..20 {
                let sent = honest.out.try_push(3, &[1; 40]).is_ok();
                honest.out.flush();
                match honest.inward.try_receive() {
                    Ok(message) => drop(message.map(|message| message.bytes.iter().count())),
                    Err(_) => refusals += 1,
                }
                if !sent {
                    break;
                }
            }
        }
        stop.store(true, Relaxed);
        assert!(refusals > 0);
    });
}
