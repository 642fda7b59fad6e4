//! A channel whose peer is the fuzzer: whatever it writes and whenever, the honest end errs or reads wrong data, and
//! never panics, hangs, or hands out more bytes than the ring holds.
//!
//! The input is a list of steps of six bytes: what to do, where, and with which value.

use channel::{Bell, Duplex, Region, Side};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Waiting ends at once: nothing here may wait for ever.
#[derive(Clone)]
struct Dumb;

impl Bell for Dumb {
    const SLEEPS: bool = true;
    fn ring(&self) {}
    fn wait(&self) {}
}

const WORDS: usize = 512;

/// Makes the steps of `input`.
pub fn run(input: &[u8]) {
    let memory: Vec<AtomicU64> = (0..WORDS).map(|_| AtomicU64::new(0)).collect();
    let region = Region::from_words(&memory);
    let (Ok(mut honest), Ok(mut peer)) =
        (Duplex::open(region, Side::First, Dumb), Duplex::open(region, Side::Second, Dumb))
    else {
        return;
    };
    let longest = honest.out.max_message();
    for step in input.chunks_exact(6) {
        let place = usize::from(u16::from_le_bytes([step[1], step[2]]));
        let small = u64::from(u16::from_le_bytes([step[3], step[4]]));
        // Values that could be true are few: shift, negate, or put them into a header's upper half.
        let value = match step[5] % 4 {
            0 => small,
            1 => small.wrapping_neg(),
            2 => small << 32 | 8,
            _ => u64::from(step[5]) << 56 | small,
        };
        match step[0] % 7 {
            0 => memory[place % WORDS].store(value, Relaxed),
            1 => {
                // Control words of both rings.
                let control = [0, 1, 16, 17, 32, 48, 64, 65, 80, 81, 96, 112];
                memory[control[place % control.len()]].store(value, Relaxed);
            }
            2 => {
                let _ = peer.out.try_push(step[5].into(), &vec![7; place % 600]);
                peer.out.flush();
            }
            3 => {
                let _ = honest.out.try_push(step[5].into(), &vec![9; place % 600]);
                honest.out.flush();
            }
            4 => {
                if let Ok(Some(message)) = honest.inward.try_receive() {
                    let mut copy = [0; 5000];
                    assert_eq!(message.bytes.copy_to(&mut copy), message.bytes.len());
                    assert!(message.bytes.len() <= longest * 2 + 16);
                }
            }
            5 => {
                let _ = honest.inward.try_receive_words::<2>(step[5].into());
            }
            _ => {
                assert!(honest.inward.batch().count() <= WORDS);
                honest.inward.release();
            }
        }
    }
}
