//! Round trips over a channel, both ends asleep between messages.

use crate::error::{ProgramError, only, report};
use runtime::{Env, println, rdtsc};

/// Round trips unless the first argument says otherwise.
const DEFAULT_COUNT: u64 = 1000;
/// Kind of a message that wants an answer.
const PING: u32 = 1;
/// Kind of the message that ends the exchange.
const STOP: u32 = 2;

/// Measures as many round trips as its first argument says.
pub fn ping(env: &Env) -> i32 {
    report(env, measure(env))
}

fn measure(env: &Env) -> Result<(), ProgramError> {
    let count = env.number(0).unwrap_or(DEFAULT_COUNT).max(1);
    let end = only(env)?;
    let mut channel = end.open()?;
    let (mut total, mut least, mut most) = (0u64, u64::MAX, 0u64);
    // The first round trip waits until the other partition is up: it is not measured.
    for round in 0..=count {
        let start = rdtsc();
        channel.out.send(PING, &round.to_le_bytes())?;
        let answer = channel.inward.receive()?;
        let ticks = rdtsc().wrapping_sub(start);
        if answer.kind != PING || answer.bytes.word(0) != Some(round) {
            return Err(ProgramError::Message);
        }
        if round != 0 {
            total = total.wrapping_add(ticks);
            least = least.min(ticks);
            most = most.max(ticks);
        }
    }
    channel.out.send(STOP, &[])?;
    println!("{}: {count} round trips, {} ticks each (least {least}, most {most})", env.program(), total / count);
    let (out, inward) = (channel.out.figures(), channel.inward.figures());
    println!("# {} doorbells sent, {} received", out.rings + inward.rings, end.bell().heard());
    Ok(())
}

/// Answers until told to stop.
pub fn pong(env: &Env) -> i32 {
    report(env, answer(env))
}

fn answer(env: &Env) -> Result<(), ProgramError> {
    let mut channel = only(env)?.open()?;
    let mut answers = 0u64;
    loop {
        let message = channel.inward.receive()?;
        match (message.kind, message.bytes.word(0)) {
            (PING, Some(round)) => {
                channel.out.send(PING, &round.to_le_bytes())?;
                answers += 1;
            }
            (STOP, _) => break,
            _ => return Err(ProgramError::Message),
        }
    }
    println!("{}: {answers} answers", env.program());
    Ok(())
}
