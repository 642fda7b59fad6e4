//! A program with a secret, a friend that may learn it, and witnesses that may not.
//!
//! The holder's whole conduct follows its secret: how long it computes, how often it enters its kernel, what it prints,
//! when it rings, what it writes into its channel, and when it ends. A witness says when it did what: one digest of its
//! results and of every clock reading between them. Two runs with different secrets must agree in everything that witnesses
//! say. `tests/system/secrets.rs` compares them.

use crate::error::{ProgramError, incoming, outgoing, report};
use crate::listen::{await_listener, listen};
use core::sync::atomic::{AtomicU64, Ordering::Acquire, Ordering::Release};
use runtime::{ChannelEnd, Env, println, rdtsc};

/// What the holder writes when it has nothing more to say.
const OVER: u64 = u64::MAX;
/// How often the holder goes through its secret.
const TURNS: u64 = 16;
/// Rounds of a witness unless its first argument says otherwise.
const ROUNDS: u64 = 512;
/// Rounds between two lines of a witness.
const BETWEEN_LINES: u64 = 32;

fn shared(end: &ChannelEnd) -> Result<&'static AtomicU64, ProgramError> {
    end.region().words().first().ok_or(ProgramError::NoChannel("large enough"))
}

/// Acts as the secret in its first argument says, bit by bit.
pub fn holder(env: &Env) -> i32 {
    report(env, act(env))
}

fn act(env: &Env) -> Result<(), ProgramError> {
    let secret = env.number(0).ok_or(ProgramError::NoArgument("secret"))?;
    let end = outgoing(env)?;
    let word = shared(&end)?;
    await_listener(&end);
    for turn in 0..TURNS {
        for bit in 0..u64::BITS {
            if secret >> bit & 1 == 0 {
                core::hint::black_box(mixed(turn, secret.trailing_zeros().into()));
                continue;
            }
            (0..turn + u64::from(bit)).for_each(|_| sel4::yield_now());
            word.store(secret ^ turn, Release);
            end.ring();
            if bit % 8 == 0 {
                println!("{}: turn {turn}, bit {bit}", env.program());
            }
        }
    }
    word.store(OVER, Release);
    end.ring();
    Ok(())
}

/// Tells what it learns over its channel, and when.
pub fn friend(env: &Env) -> i32 {
    report(env, learn(env))
}

fn learn(env: &Env) -> Result<(), ProgramError> {
    let end = incoming(env)?;
    let word = shared(&end)?;
    listen(&end);
    let (mut digest, mut heard) = (0, 0_u64);
    loop {
        end.wait();
        heard += 1;
        let seen = word.load(Acquire);
        digest = mixed(digest, seen ^ rdtsc());
        if seen == OVER {
            println!("{}: heard {heard}, digest {digest:#018x}", env.program());
            return Ok(());
        }
    }
}

/// Computes and enters its kernel, and says when: as many rounds as its first argument says, `untimed` without the clock.
pub fn witness(env: &Env) -> i32 {
    let rounds = env.number(0).unwrap_or(ROUNDS);
    let timed = env.args().nth(1) != Some("untimed");
    let now = || if timed { rdtsc() } else { 0 };
    let mut memory = [0_u64; 256];
    let mut digest = 0;
    for round in 1..=rounds {
        for (place, word) in memory.iter_mut().enumerate() {
            *word = mixed(*word, round ^ place as u64);
            digest = mixed(digest, *word);
        }
        digest = mixed(digest, now());
        sel4::yield_now();
        digest = mixed(digest, now());
        if round % BETWEEN_LINES == 0 {
            println!("{}: round {round} at {}, digest {digest:#018x}", env.program(), now());
        }
    }
    0
}

/// `word` mixed into `digest`: every bit of either may change every bit of the result.
fn mixed(digest: u64, word: u64) -> u64 {
    let sum = (digest ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    sum ^ sum >> 29
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_tick_changes_the_digest() {
        let (early, late) = (mixed(mixed(7, 1000), 3), mixed(mixed(7, 1001), 3));
        assert_ne!(early, late);
    }
}
