//! What a message costs in one thread that puts it in and takes it out: what the ring itself costs, nothing else.
//!
//! The rings take turns of a fraction of a millisecond, so what the host does meanwhile hits all of them alike.
//! `cargo bench -p skerry-channel --bench alone`.

#[path = "../between/rings.rs"]
#[allow(dead_code, reason = "batches are not made")]
mod rings;
#[path = "../between/turns.rs"]
mod turns;

use rings::{Any, Crossbeam, Queue, Ring, Rtrb, Skerry};
use std::hint::black_box;
use std::time::Instant;
use turns::{Turn, take_turns};

/// How often every ring gets a turn.
const TURNS: usize = 1000;
/// Messages of a turn.
const MESSAGES: u64 = 20_000;

/// Picoseconds that a message takes through a new ring, once it is warm.
fn turn<R: Ring<WORDS>, const WORDS: usize>() -> u64 {
    R::with(|mut sender, mut receiver| {
        let mut message = [1; WORDS];
        let mut pass = || {
            for _ in 0..MESSAGES {
                assert!(R::send(&mut sender, &message));
                message = R::receive(&mut receiver).expect("sent just now");
                black_box(&message);
            }
        };
        pass();
        let start = Instant::now();
        pass();
        start.elapsed().as_nanos() as u64 * 1000 / MESSAGES
    })
}

const fn of<R: Ring<WORDS>, const WORDS: usize>() -> Turn {
    (R::NAME, turn::<R, WORDS>)
}

fn every<const WORDS: usize>() {
    let rings = [
        of::<Skerry, WORDS>(),
        of::<Any, WORDS>(),
        of::<Rtrb, WORDS>(),
        of::<Queue, WORDS>(),
        of::<Crossbeam, WORDS>(),
    ];
    take_turns(&format!("alone-{}", WORDS * 8), TURNS, &rings);
}

fn main() {
    every::<1>();
    every::<8>();
}
