//! First stage: streams the granted file `input`.

use super::figures::Stage;
use super::{CHUNK_BYTES, DATA, END};
use crate::error::{ProgramError, outgoing, report};
use alloc::vec::Vec;
use channel::{Bell, Producer};
use runtime::{Env, rdtsc};

/// Streams the file; then the figures.
pub fn run(env: &Env) -> i32 {
    report(env, stream(env))
}

fn stream(env: &Env) -> Result<(), ProgramError> {
    let file = env.file("input").ok_or(ProgramError::NoFile("input"))?;
    let end = outgoing(env)?;
    read(file, &mut end.open()?.out, || end.bell().heard())
}

/// Sends `file` and the end message through `out`; `heard` counts doorbells.
pub fn read<B: Bell>(file: &[u8], out: &mut Producer<'_, B>, heard: impl Fn() -> u64) -> Result<(), ProgramError> {
    let start = rdtsc();
    let chunk_bytes = CHUNK_BYTES.min(out.max_message());
    for chunk in file.chunks(chunk_bytes) {
        out.send(DATA, chunk)?;
    }
    let mut message = Vec::new();
    let ticks = rdtsc().wrapping_sub(start);
    let stage = Stage { name: Stage::name("reader"), sent: out.figures(), heard: heard(), ticks, ..Stage::default() };
    stage.append(&mut message)?;
    Ok(out.send(END, &message)?)
}
