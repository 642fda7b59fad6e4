//! The layer of locks costs the multikernel nothing: with every use of it struck out of the sources, its kernel is the same,
//! byte for byte.
//!
//! What is struck out are guards, tokens and the look for others who wait; what a kernel is made of (a value for each core, a
//! core's index) stays. Both kernels are built from one copy of the tree, in one place, since names depend on the place.

use crate::Pace::Slow;
use crate::Tests;
use anyhow::{Context, Result, ensure};
use object::{Object, ObjectSection, SectionKind};
use std::fs;
use std::path::{Path, PathBuf};
use xtask::artifacts::Artifacts;
use xtask::assurance::planted::Copy;

/// Where the layer is used: everywhere else it only says how many cores there are.
const USER: &str = "kernel/api/src";
/// Lines that are a use of the layer and nothing else.
const LINES: [&str; 13] = [
    "= self.share()?;",
    "= self.share().ok_or(",
    "= self.share() else {",
    "existence.share_at_once(",
    "existence.exclude(",
    "let waiting =",
    "locks.objects.lock(",
    "locks.replies.lock(",
    "= shared.held();",
    "use sync::Held;",
    "use sync::rank::Existence;",
    "existence: Exclusive<'k>,",
    "  held: &mut Held<'_, Existence>,",
];
/// What becomes of lines that are more.
const WORDS: [(&str, &str); 18] = [
    ("self.share().is_some_and(|_shared| self.ipc().yield_alone())", "self.ipc().yield_alone()"),
    ("_shared: shared }", "_shared: core::marker::PhantomData }"),
    ("_shared: Shared<'k>", "_shared: core::marker::PhantomData<&'k ()>"),
    (", held: &mut Held<'_, Existence>", ""),
    (", shared.held()", ""),
    (", held.held()", ""),
    (", held)", ")"),
    (", existence }", " }"),
    (" && self.existence.is_awaited()", " && false"),
    ("= self.kernel.interrupts.lock(shared.held());", "= &self.kernel.interrupts;"),
    ("self.kernel.interrupts.lock(shared.held())", "self.kernel.interrupts"),
    ("self.kernel.interrupts.lock(self.existence.held())", "&self.kernel.interrupts"),
    ("Guard<'_, Device, InterruptTable>", "&InterruptTable"),
    ("Ranked<Device, InterruptTable>", "InterruptTable"),
    ("Ranked::new(setup.interrupts)", "setup.interrupts"),
    ("self.kernel.derivation.lock(self.existence.held())", ""),
    (" -> Guard<'_, Derivation, ()>", ""),
    ("self.kernel.locks.existence.share(self.core().index, || ipc.answer_recall())", "unreachable!()"),
];
/// Rests of the layer would contain one of these.
const TRACES: [&str; 7] =
    [".held()", ".share(", "share_at_once(", "exclude(", "is_awaited(", "objects.lock(", "replies.lock("];

pub fn add(tests: &mut Tests) {
    tests.add("release_kernel/the_layer_is_not_there", Slow, |_| the_layer_is_not_there());
}

fn the_layer_is_not_there() -> Result<()> {
    let copy = Copy::alone("layerless")?;
    let with = code(&Artifacts::release_kernel_of(copy.dir())?)?;
    let struck = strike_out(&copy.dir().join(USER))?;
    let root = copy.dir().join(USER).join("lib.rs");
    // What only served the layer is not used any more.
    fs::write(&root, fs::read_to_string(&root)?.replacen("#![", "#![allow(unused, unreachable_code)]\n#![", 1))?;
    ensure!(struck > 50, "only {struck} uses of the layer were found");
    let without = code(&Artifacts::release_kernel_of(copy.dir())?)?;
    ensure!(with.iter().map(|(_, code)| code.len()).sum::<usize>() > 100_000, "the kernel has next to no code");
    ensure!(with.len() == without.len(), "{} sections of code, and {}", with.len(), without.len());
    for ((section, with), (_, without)) in with.iter().zip(&without) {
        let first = with.iter().zip(without).position(|(with, without)| with != without);
        ensure!(with == without, "{section} differs: {} and {} bytes, first at {first:x?}", with.len(), without.len());
    }
    eprintln!("{struck} uses of the layer make no difference");
    Ok(())
}

/// Takes all uses of the layer out of the sources below `folder`; says how many there were.
fn strike_out(folder: &Path) -> Result<usize> {
    let mut struck = 0;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            struck += strike_out(&path)?;
            continue;
        }
        let text = fs::read_to_string(&path)?;
        let (without, count) = without_layer(&text);
        if let Some(trace) = TRACES.iter().find(|trace| without.contains(**trace)) {
            anyhow::bail!("{}: `{trace}` is still there: say here how it is struck out", path.display());
        }
        if count > 0 {
            fs::write(&path, without)?;
        }
        struck += count;
    }
    Ok(struck)
}

fn without_layer(text: &str) -> (String, usize) {
    let lines = text.lines().count();
    let mut without: String =
        text.split_inclusive('\n').filter(|line| !LINES.iter().any(|use_| line.contains(use_))).collect();
    let mut count = lines - without.lines().count();
    for (from, to) in WORDS {
        count += without.matches(from).count();
        without = without.replace(from, to);
    }
    (without, count)
}

/// The kernel's instructions, by section.
fn code(kernel: &PathBuf) -> Result<Vec<(String, Vec<u8>)>> {
    let bytes = fs::read(kernel).with_context(|| format!("cannot read {}", kernel.display()))?;
    let file = object::File::parse(&*bytes)?;
    let text = file.sections().filter(|section| section.kind() == SectionKind::Text);
    text.map(|section| Ok((section.name()?.to_owned(), section.data()?.to_vec()))).collect()
}
