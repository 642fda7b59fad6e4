//! Third stage: words become counts.

use super::counts::Counts;
use super::figures::Stage;
use super::{DATA, END, FAIL, PART};
use crate::error::{ProgramError, incoming, outgoing, report};
use alloc::vec::Vec;
use channel::{Bell, Consumer, Producer};
use runtime::{Env, rdtsc};

/// Counts words until the end, then sends every count.
pub fn run(env: &Env) -> i32 {
    report(env, connect(env))
}

fn connect(env: &Env) -> Result<(), ProgramError> {
    let (from, to) = (incoming(env)?, outgoing(env)?);
    let heard = || from.bell().heard() + to.bell().heard();
    count(&mut from.open()?.inward, &mut to.open()?.out, heard)
}

/// Counts the words from `inward` and writes the counts to `out`; `heard` counts doorbells.
///
/// When it fails for lack of memory, it still reads to the end, so that the stages before it end as well.
pub fn count<A: Bell, B: Bell>(
    inward: &mut Consumer<'_, A>,
    out: &mut Producer<'_, B>,
    heard: impl Fn() -> u64,
) -> Result<(), ProgramError> {
    let mut counts = Counts::default();
    let mut start = None;
    let mut figures = Vec::new();
    let mut word = Vec::new();
    let mut result = Ok(());
    loop {
        let message = inward.receive()?;
        start.get_or_insert_with(rdtsc);
        match message.kind {
            DATA => {
                if result.is_ok() {
                    result = message.bytes.iter().try_for_each(|byte| next(&mut counts, &mut word, byte));
                }
            }
            END => {
                figures.try_reserve(message.bytes.len())?;
                figures.extend(message.bytes.iter());
                break;
            }
            _ => {
                result = result.and(Err(ProgramError::Upstream));
                break;
            }
        }
    }
    if let Err(error) = result {
        out.send(FAIL, &[])?;
        return Err(error);
    }
    for (word, count) in counts.iter() {
        send(out, word, count)?;
    }
    out.flush();
    let stage = Stage {
        name: Stage::name("counter"),
        received: inward.figures(),
        sent: out.figures(),
        heard: heard(),
        words: counts.distinct() as u64,
        ticks: start.map_or(0, |start| rdtsc().wrapping_sub(start)),
    };
    stage.append(&mut figures)?;
    Ok(out.send(END, &figures)?)
}

/// The next byte of a stream of words.
fn next(counts: &mut Counts, word: &mut Vec<u8>, byte: u8) -> Result<(), ProgramError> {
    if byte == b'\n' {
        let counted = counts.add(word);
        word.clear();
        return counted;
    }
    if word.len() == word.capacity() {
        word.try_reserve(64)?;
    }
    word.push(byte);
    Ok(())
}

/// Writes one count; a word that is longer than a message goes in pieces.
fn send<B: Bell>(out: &mut Producer<'_, B>, word: &[u8], count: u64) -> Result<(), ProgramError> {
    let most = out.max_message() - 8;
    let mut rest = word;
    while rest.len() > most {
        let (part, later) = rest.split_at(most);
        out.push(PART, part)?;
        rest = later;
    }
    let mut slot = out.reserve(8 + rest.len())?;
    slot.append(&count.to_le_bytes());
    slot.append(rest);
    Ok(slot.commit(DATA)?)
}
