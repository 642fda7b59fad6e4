//! Our rings against the best of the host, between two threads: the same operation, the same machine, as many bytes, as
//! many slots. What a ring costs in one thread is the benchmark `alone`.
//!
//! * `stream`: one thread sends, another receives; what a message costs in a long stream, each published by itself.
//! * `batch`: the same, made and read in place and published sixteen at a time, by the rings that can (ours, rtrb).
//! * `turn`: a message there and one back, both sides looking all the time.
//!
//! Ours carries messages of any length between programs that do not trust each other; the others carry values of one
//! type between threads. The rings take turns of some milliseconds, each with a new pair of threads: how the two meet, and what
//! else the host does, differs from turn to turn, so the median of many is what can be compared.
//! `cargo bench -p skerry-channel --bench between [-- GROUP…]`.

#[allow(dead_code, reason = "one ring is for one thread only")]
mod rings;
mod turns;

use rings::{Crossbeam, Queue, Ring, Rtrb, Skerry};
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};
use turns::{Turn, take_turns};

/// How often every ring gets a turn.
const TURNS: usize = 100;
/// Messages of a turn.
const STREAMED: u64 = 200_000;
const THERE_AND_BACK: u64 = 20_000;
/// Messages of a stream that are not counted, so that both threads run.
const LEAD: u64 = 1000;

/// Picoseconds a message takes, of so many.
fn each(count: u64, elapsed: Duration) -> u64 {
    elapsed.as_nanos() as u64 * 1000 / count
}

fn stream<R: Ring<WORDS>, const WORDS: usize>() -> u64 {
    R::with(|mut sender, mut receiver| {
        let send = move |number| u64::from(R::send(&mut sender, &[number; WORDS]));
        streamed(send, move |take: &mut dyn FnMut(u64)| {
            if let Some(message) = R::receive(&mut receiver) {
                // All of it is read, not only what is looked at.
                take(black_box(message)[0]);
            }
        })
    })
}

fn batch<R: Ring<WORDS>, const WORDS: usize>() -> u64 {
    R::with(|mut sender, mut receiver| {
        streamed(
            move |number| R::send_batch(&mut sender, number),
            move |take: &mut dyn FnMut(u64)| R::receive_batch(&mut receiver, |message| take(black_box(message)[0])),
        )
    })
}

/// Picoseconds a message takes from a thread that sends some from a number on and says how many, to this one.
fn streamed(mut send: impl FnMut(u64) -> u64 + Send, mut receive: impl FnMut(&mut dyn FnMut(u64))) -> u64 {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 0;
            while !stop.load(Relaxed) {
                match send(number) {
                    0 => std::hint::spin_loop(),
                    sent => number += sent,
                }
            }
        });
        let (mut start, mut expected) = (Instant::now(), 0);
        while expected < LEAD + STREAMED {
            receive(&mut |number| {
                assert_eq!(number, expected, "lost or out of order");
                expected += 1;
                if number == LEAD {
                    start = Instant::now();
                }
            });
        }
        let elapsed = start.elapsed();
        stop.store(true, Relaxed);
        each(STREAMED, elapsed)
    })
}

fn turn<R: Ring<1>>() -> u64 {
    R::with(|mut there, mut other_end| {
        R::with(|mut back, mut home| {
            std::thread::scope(|scope| {
                scope.spawn(move || {
                    for _ in 0..THERE_AND_BACK {
                        let message = wait::<R>(&mut other_end);
                        assert!(R::send(&mut back, &message));
                    }
                });
                let start = Instant::now();
                for number in 0..THERE_AND_BACK {
                    assert!(R::send(&mut there, &[number]));
                    assert_eq!(wait::<R>(&mut home), [number]);
                }
                each(THERE_AND_BACK, start.elapsed())
            })
        })
    })
}

fn wait<R: Ring<1>>(receiver: &mut R::Receiver<'_>) -> [u64; 1] {
    loop {
        match R::receive(receiver) {
            Some(message) => return message,
            None => std::hint::spin_loop(),
        }
    }
}

const fn of<R: Ring<WORDS>, const WORDS: usize>(turn: fn() -> u64) -> Turn {
    (R::NAME, turn)
}

fn every<const WORDS: usize>(wanted: impl Fn(&str) -> bool) {
    let streams = [
        of::<Skerry, WORDS>(stream::<Skerry, WORDS>),
        of::<Rtrb, WORDS>(stream::<Rtrb, WORDS>),
        of::<Queue, WORDS>(stream::<Queue, WORDS>),
        of::<Crossbeam, WORDS>(stream::<Crossbeam, WORDS>),
    ];
    let batches = [of::<Skerry, WORDS>(batch::<Skerry, WORDS>), of::<Rtrb, WORDS>(batch::<Rtrb, WORDS>)];
    for (group, rings) in [("stream", &streams[..]), ("batch", &batches)] {
        let group = format!("{group}-{}", WORDS * 8);
        if wanted(&group) {
            take_turns(&group, TURNS, rings);
        }
    }
}

fn main() {
    // Cargo adds an option that says that these are benchmarks.
    let named: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let wanted = |group: &str| named.is_empty() || named.iter().any(|name| name == group);
    every::<1>(wanted);
    every::<8>(wanted);
    if wanted("turn-8") {
        let turns = [
            of::<Skerry, 1>(turn::<Skerry>),
            of::<Rtrb, 1>(turn::<Rtrb>),
            of::<Queue, 1>(turn::<Queue>),
            of::<Crossbeam, 1>(turn::<Crossbeam>),
        ];
        take_turns("turn-8", TURNS, &turns);
    }
}
