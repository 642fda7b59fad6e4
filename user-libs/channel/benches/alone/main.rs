//! What a message costs in one thread that puts it in and takes it out: what the ring itself costs, nothing else.
//!
//! The rings take turns of a fraction of a millisecond, so what the host does meanwhile hits all of them alike. A line
//! `ring <group> <ring> <median> <quartile> <quartile>` each, in picoseconds per message, over all turns.
//! `cargo bench -p skerry-channel --bench alone`.

#[path = "../spsc/rings.rs"]
#[allow(dead_code, reason = "batches are not made")]
mod rings;

use rings::{Any, Crossbeam, Queue, Ring, Rtrb, Skerry};
use std::hint::black_box;
use std::time::Instant;

/// How often every ring gets a turn.
const TURNS: usize = 1000;
/// Messages of a turn.
const MESSAGES: u64 = 20_000;

/// Picoseconds that a message takes, all through these ends.
fn turn<R: Ring<WORDS>, const WORDS: usize>(sender: &mut R::Sender<'_>, receiver: &mut R::Receiver<'_>) -> u64 {
    let mut message = [1; WORDS];
    let start = Instant::now();
    for _ in 0..MESSAGES {
        assert!(R::send(sender, &message));
        message = R::receive(receiver).expect("sent just now");
        black_box(&message);
    }
    start.elapsed().as_nanos() as u64 * 1000 / MESSAGES
}

type Turn<'a> = (&'static str, &'a mut dyn FnMut() -> u64);

/// Hands `rest` a turn of `R`, made once and used again and again.
fn with<R: Ring<WORDS>, const WORDS: usize>(rest: impl FnOnce(Turn<'_>)) {
    R::with(|mut sender, mut receiver| rest((R::NAME, &mut || turn::<R, WORDS>(&mut sender, &mut receiver))));
}

fn every<const WORDS: usize>() {
    with::<Skerry, WORDS>(|skerry| {
        with::<Any, WORDS>(|any| {
            with::<Rtrb, WORDS>(|rtrb| {
                with::<Queue, WORDS>(|queue| {
                    with::<Crossbeam, WORDS>(|crossbeam| take_turns(WORDS * 8, [skerry, any, rtrb, queue, crossbeam]));
                });
            });
        });
    });
}

fn take_turns<const RINGS: usize>(bytes: usize, rings: [Turn<'_>; RINGS]) {
    let mut figures = rings.map(|(name, turn)| (name, turn, Vec::with_capacity(TURNS)));
    for _ in 0..TURNS {
        figures.iter_mut().for_each(|(_, turn, times)| times.push(turn()));
    }
    for (name, _, mut times) in figures {
        times.sort_unstable();
        let [median, first, third] = [2, 1, 3].map(|quarter| times[TURNS * quarter / 4]);
        println!("ring alone-{bytes} {name} {median} {first} {third}");
    }
}

fn main() {
    every::<1>();
    every::<8>();
}
