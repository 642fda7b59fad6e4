//! The switch of a tree that holds many mutants: every changed place asks [`is`] whether its mutant is the active one.
//!
//! `SKERRY_MUTANT` in the environment names the active mutant; without it there is none. With `SKERRY_REACHED`, a file's
//! path, the process writes the mutants whose places it came by, one a line, when it ends. With `SKERRY_QUICK` the first
//! panic ends the process: a test has failed, and what it would do next is not wanted.
//!
//! Linked into host tests only. It needs features of the compiler that are not stable, since constants ask it too.

#![feature(const_eval_select, core_intrinsics)]
#![allow(internal_features)]

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// More than a tree has.
const MOST: usize = 16384;

static REACHED: [AtomicBool; MOST] = [const { AtomicBool::new(false) }; MOST];

/// Whether mutant `number` is the active one. Never, where a constant is computed.
#[inline(always)]
pub const fn is(number: u32) -> bool {
    core::intrinsics::const_eval_select((number,), never, ask)
}

const fn never(_number: u32) -> bool {
    false
}

fn ask(number: u32) -> bool {
    if let Some(reached) = REACHED.get(number as usize) {
        reached.store(true, Ordering::Relaxed);
    }
    static ACTIVE: OnceLock<Option<u32>> = OnceLock::new();
    *ACTIVE.get_or_init(start) == Some(number)
}

fn start() -> Option<u32> {
    if std::env::var_os("SKERRY_REACHED").is_some() {
        // SAFETY: the function takes no argument, does not unwind, and only reads statics.
        unsafe { atexit(write_reached) };
    }
    if std::env::var_os("SKERRY_QUICK").is_some() {
        std::panic::set_hook(Box::new(|_| std::process::exit(101)));
    }
    std::env::var("SKERRY_MUTANT").ok()?.parse().ok()
}

unsafe extern "C" {
    fn atexit(function: extern "C" fn()) -> i32;
}

extern "C" fn write_reached() {
    let numbers = (0..MOST).filter(|number| REACHED[*number].load(Ordering::Relaxed));
    let lines: String = numbers.map(|number| format!("{number}\n")).collect();
    if let Some(path) = std::env::var_os("SKERRY_REACHED") {
        let _ = std::fs::write(path, lines);
    }
}
