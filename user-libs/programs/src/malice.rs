//! A peer that writes garbage into a channel, and one that lives with it.

use crate::error::{ProgramError, only, report};
use core::sync::atomic::Ordering::Relaxed;
use runtime::{Env, println};

/// Words scribbled unless the first argument says otherwise.
const DEFAULT_SCRIBBLES: u64 = 200_000;
/// Honest messages before the scribbling.
const GREETINGS: u64 = 3;

/// Sends a few honest messages, scribbles over the whole region, and ends with a lie that must be noticed.
pub fn scribbler(env: &Env) -> i32 {
    report(env, scribble(env))
}

fn scribble(env: &Env) -> Result<(), ProgramError> {
    let scribbles = env.number(0).unwrap_or(DEFAULT_SCRIBBLES);
    let end = only(env)?;
    let mut channel = end.open()?;
    for count in 0..GREETINGS {
        channel.out.send(1, &count.to_le_bytes())?;
    }
    // The peer speaks before each message it takes: after these it has taken all greetings.
    for _ in 0..=GREETINGS {
        channel.inward.receive()?;
    }
    let region = end.region();
    let words = region.words();
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    for count in 0..scribbles {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let index = (state >> 8) as usize % words.len().max(1);
        // Every other value is small, so that many look like positions and lengths that could be true.
        let value = if state & 1 == 0 { state >> 52 } else { state };
        if let Some(word) = words.get(index) {
            word.store(value, Relaxed);
        }
        if count % 64 == 0 {
            end.ring();
        }
    }
    // No position may be this large, whatever was believed before.
    words.iter().for_each(|word| word.store(u64::MAX / 2, Relaxed));
    end.ring();
    println!("{}: {scribbles} words scribbled", env.program());
    Ok(())
}

/// Receives until the peer is caught lying; succeeds if it is.
pub fn honest(env: &Env) -> i32 {
    report(env, endure(env))
}

fn endure(env: &Env) -> Result<(), ProgramError> {
    let mut channel = only(env)?.open()?;
    let (mut messages, mut sum) = (0u64, 0u64);
    let lie = loop {
        let _ = channel.out.try_push(2, b"are you well?");
        channel.out.flush();
        match channel.inward.receive() {
            Ok(message) => {
                messages += 1;
                sum = message.bytes.iter().fold(sum, |sum, byte| sum.wrapping_add(byte.into()));
            }
            Err(lie) => break lie,
        }
    };
    println!("{}: survived {messages} messages (sum {sum}), then: {lie}", env.program());
    Ok(())
}
