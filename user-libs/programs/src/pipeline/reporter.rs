//! Last stage: prints the most frequent words, then the figures of the run.

use super::figures::Stage;
use super::top::Top;
use super::{DATA, END, PART};
use crate::error::{ProgramError, incoming, report};
use alloc::vec::Vec;
use channel::{Bell, Consumer};
use runtime::{Env, console, print, println, rdtsc};

/// Words printed unless the first argument says otherwise.
const DEFAULT_WORDS: u64 = 20;

/// Reports at the end of the stream.
pub fn run(env: &Env) -> i32 {
    report(env, connect(env))
}

fn connect(env: &Env) -> Result<(), ProgramError> {
    let most = env.number(0).unwrap_or(DEFAULT_WORDS);
    let from = incoming(env)?;
    let (top, stages) = collect(&mut from.open()?.inward, most as usize, || from.bell().heard())?;
    for ranked in top.into_sorted() {
        console::print_bytes(&ranked.word);
        println!(" {}", ranked.count);
    }
    let words = |name: &str| stages.iter().find(|stage| stage.name == Stage::name(name)).map_or(0, |stage| stage.words);
    println!("# {} words, {} different", words("tokenizer"), words("counter"));
    stages.iter().for_each(|stage| println!("# {stage}"));
    let ticks = stages.iter().map(|stage| stage.ticks).max().unwrap_or(0);
    print!("# {ticks} ticks for the slowest stage");
    match env.tsc_mhz() {
        0 => println!(),
        mhz => println!(", {} ms", ticks / mhz / 1000),
    }
    Ok(())
}

/// Reads counts from `inward`: the `most` highest, and the figures of all stages; `heard` counts doorbells.
pub fn collect<B: Bell>(
    inward: &mut Consumer<'_, B>,
    most: usize,
    heard: impl Fn() -> u64,
) -> Result<(Top, Vec<Stage>), ProgramError> {
    let mut top = Top::new(most);
    let mut word: Vec<u8> = Vec::new();
    let mut start = None;
    let figures = loop {
        let message = inward.receive()?;
        start.get_or_insert_with(rdtsc);
        let bytes = message.bytes;
        match message.kind {
            PART => {
                word.try_reserve(bytes.len())?;
                word.extend(bytes.iter());
            }
            DATA => {
                let count = bytes.word(0).filter(|_| bytes.len() >= 8).ok_or(ProgramError::Message)?;
                word.try_reserve(bytes.len())?;
                word.extend(bytes.iter().skip(8));
                top.offer(&word, count)?;
                word.clear();
            }
            END => break bytes.iter().collect::<Vec<_>>(),
            _ => return Err(ProgramError::Upstream),
        }
    };
    let mut stages: Vec<_> = Stage::all(&figures).collect();
    stages.push(Stage {
        name: Stage::name("reporter"),
        received: inward.figures(),
        heard: heard(),
        ticks: start.map_or(0, |start| rdtsc().wrapping_sub(start)),
        ..Stage::default()
    });
    Ok((top, stages))
}
