//! Our rings against the best of the host, between two threads: the same operation, the same machine, as many bytes, as
//! many slots. What a ring costs in one thread is the benchmark `alone`.
//!
//! * `stream`: one thread sends, another receives; what a message costs in a long stream, each published by itself.
//! * `batch`: the same, made and read in place and published sixteen at a time, by the rings that can (ours, rtrb).
//! * `turn`: a message there and one back, both sides looking all the time.
//!
//! Ours carries messages of any length between programs that do not trust each other; the others carry values of one
//! type between threads. `cargo bench -p skerry-channel`; `cargo xtask bench` puts the ratios into its report.

#[allow(dead_code, reason = "one ring is for one thread only")]
mod rings;

use criterion::{Criterion, Throughput};
use rings::{Crossbeam, Queue, Ring, Rtrb, Skerry};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Messages of a stream that are not counted, so that both threads run.
const LEAD: u64 = 1000;

fn stream<R: Ring<WORDS>, const WORDS: usize>(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group(format!("stream-{}", WORDS * 8));
    group.throughput(Throughput::Elements(1));
    group.bench_function(R::NAME, |bencher| {
        bencher.iter_custom(|count| {
            R::with(|mut sender, mut receiver| {
                let send = move |number| {
                    let sent = R::send(&mut sender, &[number; WORDS]);
                    u64::from(sent)
                };
                streamed(count, send, move |take: &mut dyn FnMut(u64)| {
                    if let Some(message) = R::receive(&mut receiver) {
                        take(message[0]);
                    }
                })
            })
        });
    });
    group.finish();
}

fn batch<R: Ring<WORDS>, const WORDS: usize>(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group(format!("batch-{}", WORDS * 8));
    group.throughput(Throughput::Elements(1));
    group.bench_function(R::NAME, |bencher| {
        bencher.iter_custom(|count| {
            R::with(|mut sender, mut receiver| {
                streamed(
                    count,
                    move |number| R::send_batch(&mut sender, number),
                    move |take| {
                        R::receive_batch(&mut receiver, |message| take(message[0]));
                    },
                )
            })
        });
    });
    group.finish();
}

/// How long `count` messages take from a thread that sends some from a number on and says how many, to this one.
fn streamed(
    count: u64,
    mut send: impl FnMut(u64) -> u64 + Send,
    mut receive: impl FnMut(&mut dyn FnMut(u64)),
) -> Duration {
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
        while expected < LEAD + count {
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
        elapsed
    })
}

fn turn<R: Ring<1>>(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("turn-8");
    group.bench_function(R::NAME, |bencher| {
        bencher.iter_custom(|count| {
            R::with(|mut there, mut other_end| {
                R::with(|mut back, mut home| {
                    std::thread::scope(|scope| {
                        scope.spawn(move || {
                            for _ in 0..count {
                                let message = wait::<R>(&mut other_end);
                                assert!(R::send(&mut back, &message));
                            }
                        });
                        let start = Instant::now();
                        for number in 0..count {
                            assert!(R::send(&mut there, &[number]));
                            assert_eq!(wait::<R>(&mut home), [number]);
                        }
                        start.elapsed()
                    })
                })
            })
        });
    });
    group.finish();
}

fn wait<R: Ring<1>>(receiver: &mut R::Receiver<'_>) -> [u64; 1] {
    loop {
        match R::receive(receiver) {
            Some(message) => return message,
            None => std::hint::spin_loop(),
        }
    }
}

fn every<const WORDS: usize>(criterion: &mut Criterion) {
    stream::<Skerry, WORDS>(criterion);
    stream::<Rtrb, WORDS>(criterion);
    stream::<Queue, WORDS>(criterion);
    stream::<Crossbeam, WORDS>(criterion);
    batch::<Skerry, WORDS>(criterion);
    batch::<Rtrb, WORDS>(criterion);
}

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1000))
        .sample_size(20)
        .configure_from_args();
    every::<1>(&mut criterion);
    every::<8>(&mut criterion);
    turn::<Skerry>(&mut criterion);
    turn::<Rtrb>(&mut criterion);
    turn::<Queue>(&mut criterion);
    turn::<Crossbeam>(&mut criterion);
    criterion.final_summary();
}
