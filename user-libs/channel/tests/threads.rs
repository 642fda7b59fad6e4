//! Two threads as the two ends: nothing is lost, torn or reordered, and nobody sleeps through a message.
#![cfg(not(feature = "explore"))]

use channel::{Bell, Duplex, Polling, Region, Side};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// A pair of sticky flags, as a doorbell bound to a notification is: `ring` sets the peer's, `wait` takes one's own.
#[derive(Clone)]
struct Flags {
    mine: Arc<(Mutex<bool>, Condvar)>,
    peer: Arc<(Mutex<bool>, Condvar)>,
}

fn bells() -> (Flags, Flags) {
    let (left, right) = (Arc::default(), Arc::default());
    (Flags { mine: Arc::clone(&left), peer: Arc::clone(&right) }, Flags { mine: right, peer: left })
}

impl Bell for Flags {
    const SLEEPS: bool = true;
    fn ring(&self) {
        *self.peer.0.lock().unwrap() = true;
        self.peer.1.notify_one();
    }
    fn wait(&self) {
        let (lock, condition) = &*self.mine;
        let guard = lock.lock().unwrap();
        let (mut guard, result) =
            condition.wait_timeout_while(guard, Duration::from_secs(20), |rung| !*rung).expect("not poisoned");
        assert!(!result.timed_out(), "slept through a message");
        *guard = false;
    }
}

fn memory(bytes: usize) -> Vec<AtomicU64> {
    (0..bytes / 8).map(|_| AtomicU64::new(0)).collect()
}

/// The bytes of message `n`: its number, then a length and content that follow from it.
fn content(n: u64) -> Vec<u8> {
    let mut bytes = n.to_le_bytes().to_vec();
    bytes.resize(8 + (n.wrapping_mul(0x9e37_79b9) >> 20) as usize % 300, n as u8);
    bytes
}

fn stress<B: Bell + Clone + Send>(left: B, right: B, count: u64) {
    let memory = memory(4096);
    let region = Region::from_words(&memory);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut end = Duplex::open(region, Side::First, left).unwrap();
            for n in 0..count {
                end.out.push(n as u32 % 7, &content(n)).unwrap();
                if n % 5 != 3 {
                    end.out.flush();
                }
            }
            end.out.flush();
            let echo = end.inward.receive().unwrap();
            assert_eq!(echo.bytes.iter().collect::<Vec<_>>(), count.to_le_bytes());
        });
        let mut end = Duplex::open(region, Side::Second, right).unwrap();
        for n in 0..count {
            let message = end.inward.receive().unwrap();
            assert_eq!(message.kind, n as u32 % 7);
            assert!(message.bytes.iter().eq(content(n)));
        }
        end.out.send(0, &count.to_le_bytes()).unwrap();
    });
}

#[test]
fn a_polled_ring_loses_nothing() {
    stress(Polling, Polling, 50_000);
}

#[test]
fn a_ring_with_bells_loses_nothing_and_nobody_oversleeps() {
    let (left, right) = bells();
    stress(left, right, 100_000);
}

#[test]
fn a_round_trip_per_message_never_hangs() {
    let memory = memory(4096);
    let region = Region::from_words(&memory);
    let (left, right) = bells();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut end = Duplex::open(region, Side::Second, right).unwrap();
            for _ in 0..20_000 {
                let kind = end.inward.receive().unwrap().kind;
                end.out.send(kind, b"").unwrap();
            }
        });
        let mut end = Duplex::open(region, Side::First, left).unwrap();
        for n in 0..20_000 {
            end.out.send(n, b"").unwrap();
            assert_eq!(end.inward.receive().unwrap().kind, n);
        }
        let (sent, received) = (end.out.figures(), end.inward.figures());
        assert_eq!((sent.messages, received.messages), (20_000, 20_000));
        assert!(sent.rings <= 20_000 && received.waits <= 20_000);
    });
}
