//! A storm of doorbells: none is lost in the at-most-one sense.
//!
//! The sender stores a number and rings, a million times. The receiver only ever *waits*; it must see the last number,
//! because the ring behind it may merge with others but not vanish, and it cannot hear more often than was rung.

use crate::error::{ProgramError, incoming, outgoing, report};
use crate::listen::{await_listener, listen};
use core::sync::atomic::{AtomicU64, Ordering::Acquire, Ordering::Release};
use runtime::{ChannelEnd, Env, println, rdtsc};

/// Rings unless the first argument says otherwise.
const DEFAULT_RINGS: u64 = 1_000_000;

/// The number shared by both ends.
fn shared(end: &ChannelEnd) -> Result<&'static AtomicU64, ProgramError> {
    end.region().words().first().ok_or(ProgramError::NoChannel("large enough"))
}

/// Rings as often as its first argument says.
pub fn sender(env: &Env) -> i32 {
    report(env, send(env))
}

fn send(env: &Env) -> Result<(), ProgramError> {
    let rings = env.number(0).unwrap_or(DEFAULT_RINGS);
    let end = outgoing(env)?;
    let number = shared(&end)?;
    await_listener(&end);
    let start = rdtsc();
    for count in 1..=rings {
        number.store(count, Release);
        end.ring();
    }
    let ticks = rdtsc().wrapping_sub(start) / rings.max(1);
    println!("{}: {rings} rings sent, {ticks} ticks each", env.program());
    Ok(())
}

/// Hears until the last ring; its first argument says how many were sent.
pub fn receiver(env: &Env) -> i32 {
    report(env, receive(env))
}

fn receive(env: &Env) -> Result<(), ProgramError> {
    let rings = env.number(0).unwrap_or(DEFAULT_RINGS);
    let end = incoming(env)?;
    let number = shared(&end)?;
    listen(&end);
    let mut heard = 0u64;
    let mut last = 0;
    while last < rings {
        end.wait();
        heard += 1;
        let seen = number.load(Acquire);
        if seen < last {
            println!("{}: the number went back from {last} to {seen}", env.program());
            return Err(ProgramError::Message);
        }
        last = seen;
    }
    println!("{}: {rings} rings sent, {heard} heard, the last one among them", env.program());
    if (1..=rings).contains(&heard) { Ok(()) } else { Err(ProgramError::Message) }
}
