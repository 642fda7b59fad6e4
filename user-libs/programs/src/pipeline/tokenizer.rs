//! Second stage: text becomes words, read in place and written in batches.

use super::figures::Stage;
use super::words::Splitter;
use super::{CHUNK_BYTES, DATA, END, FAIL};
use crate::error::{ProgramError, incoming, outgoing, report};
use alloc::vec::Vec;
use channel::{Bell, Consumer, Producer, SendError};
use runtime::{Env, rdtsc};

/// Turns text into words until its end.
pub fn run(env: &Env) -> i32 {
    report(env, connect(env))
}

fn connect(env: &Env) -> Result<(), ProgramError> {
    let (from, to) = (incoming(env)?, outgoing(env)?);
    let heard = || from.bell().heard() + to.bell().heard();
    tokenize(&mut from.open()?.inward, &mut to.open()?.out, heard)
}

/// Collects output and sends it by the chunk.
struct Batch<'o, 'a, B> {
    out: &'o mut Producer<'a, B>,
    bytes: [u8; CHUNK_BYTES],
    used: usize,
}

impl<B: Bell> Batch<'_, '_, B> {
    fn push(&mut self, byte: u8) -> Result<(), SendError> {
        if let Some(place) = self.bytes.get_mut(self.used) {
            *place = byte;
            self.used += 1;
        }
        if self.used == self.bytes.len() { self.send() } else { Ok(()) }
    }

    fn send(&mut self) -> Result<(), SendError> {
        let used = core::mem::take(&mut self.used);
        for chunk in self.bytes[..used].chunks(self.out.max_message()) {
            self.out.send(DATA, chunk)?;
        }
        Ok(())
    }
}

/// Reads text from `inward` and writes words to `out`; `heard` counts doorbells.
pub fn tokenize<A: Bell, B: Bell>(
    inward: &mut Consumer<'_, A>,
    out: &mut Producer<'_, B>,
    heard: impl Fn() -> u64,
) -> Result<(), ProgramError> {
    let mut splitter = Splitter::default();
    let mut batch = Batch { out, bytes: [0; CHUNK_BYTES], used: 0 };
    let mut start = None;
    let mut figures = Vec::new();
    loop {
        let message = inward.receive()?;
        start.get_or_insert_with(rdtsc);
        match message.kind {
            DATA => {
                for byte in message.bytes.iter() {
                    if let Some(byte) = splitter.byte(byte) {
                        batch.push(byte)?;
                    }
                }
            }
            END => {
                figures.try_reserve(message.bytes.len())?;
                figures.extend(message.bytes.iter());
                break;
            }
            _ => {
                batch.out.send(FAIL, &[])?;
                return Err(ProgramError::Upstream);
            }
        }
    }
    if let Some(byte) = splitter.end() {
        batch.push(byte)?;
    }
    batch.send()?;
    let stage = Stage {
        name: Stage::name("tokenizer"),
        received: inward.figures(),
        sent: out.figures(),
        heard: heard(),
        words: splitter.words,
        ticks: start.map_or(0, |start| rdtsc().wrapping_sub(start)),
    };
    stage.append(&mut figures)?;
    Ok(out.send(END, &figures)?)
}
