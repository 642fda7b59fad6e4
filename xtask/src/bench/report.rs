//! The report as files: `report.json`, `report.md`, `report.svg`. Tests: below.

use super::figures::{BYTES, COMMAND, Figure};
use super::plot;
use super::reference::{MISSING, REFERENCES, Reference};
use anyhow::{Context, Result};
use std::fmt::Write as _;
use std::path::Path;

/// What the figures of the first table are, in words.
const METHOD: &str = "\
Executed instructions in QEMU (`-icount shift=0,sleep=off`: one tick of the time-stamp counter is one instruction), one \
core, one partition, median of 64 samples after 16 that do not count. **Included**: everything from kernel entry to the \
instruction that returns to user mode; where two threads take part, until the other one is back in user mode. \
**Subtracted**: the stub in user mode and the `syscall` instruction itself, measured with a `nop` in its place, as seL4's \
own suite does. Not included, since the engine charges nothing for it: caches, TLB, cost of single instructions. \
Skerry's servers and fault handlers are passive (they run on the caller's time), priorities are equal unless the row says \
otherwise.";

/// Writes the report into `folder`.
///
/// # Errors
/// When a file cannot be written.
pub fn write(folder: &Path, figures: &[Figure]) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let json = serde_json::to_string_pretty(figures)? + "\n";
    for (name, content) in
        [("report.json", json), ("report.md", markdown(figures)), ("report.svg", plot::bars(figures)?)]
    {
        let path = folder.join(name);
        std::fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// The figures of a `report.json`.
///
/// # Errors
/// When the file cannot be read, or is none.
pub fn read(path: &Path) -> Result<Vec<Figure>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is no list of figures", path.display()))
}

/// The median of a figure.
pub fn median(figures: &[Figure], id: &str) -> Option<u64> {
    figures.iter().find(|figure| figure.id == id).map(|figure| figure.median)
}

/// The tables.
pub fn markdown(figures: &[Figure]) -> String {
    let mut text =
        format!("# Skerry: measured\n\nReproduce with `{COMMAND}`.\n\n## Instructions per operation\n\n{METHOD}\n\n");
    text += "| operation | id | Skerry | seL4 MCS | seL4 | to reach | reached | against MCS |\n";
    text += "|---|---|--:|--:|--:|--:|---|--:|\n";
    for row in &REFERENCES {
        text += &reference_row(row, median(figures, row.id));
    }
    text += "\n`syscall.null` here is an `NBSend` through an empty slot, which includes the failed lookup; seL4's 89 is a \
             system call made for benchmarking. seL4 figures for map and retype are per page, from another run of its \
             suite.\n\n## Everything measured\n\n| id | median | min | max | samples | unit |\n|---|--:|--:|--:|--:|---|\n";
    for Figure { id, median, min, max, samples, unit, .. } in figures.iter().filter(|figure| figure.unit != BYTES) {
        let _ = writeln!(text, "| {id} | {median} | {min} | {max} | {samples} | {unit} |");
    }
    text += "\n`boot.to_user`: from the loader's first instruction to the first of the root task, time calibration \
             included.\n\n## Footprint\n\n| id | bytes |\n|---|--:|\n";
    for Figure { id, median, .. } in figures.iter().filter(|figure| figure.unit == BYTES) {
        let _ = writeln!(text, "| {id} | {median} |");
    }
    text += "\n`footprint.kernel.memory` is what one instance keeps for its kernel: image, handoff, page tables, stacks. \
             `footprint.untyped` is what is left of `footprint.slice` for the root task to make objects of.\n\n\
             ## Not measured\n\n";
    for (what, why) in MISSING {
        let _ = writeln!(text, "* {what}: {why}.");
    }
    text
}

fn reference_row(row: &Reference, ours: Option<u64>) -> String {
    let or_dash = |value: Option<u64>| value.map_or("–".to_owned(), |value| value.to_string());
    let reached = match (ours, row.target) {
        (Some(ours), Some(target)) if ours <= target => "yes",
        (Some(_), Some(_)) => "**no**",
        _ => "–",
    };
    let ratio = match (ours, row.sel4_mcs) {
        (Some(ours), Some(theirs)) => format!("{:.2}", ours as f64 / theirs as f64),
        _ => "–".to_owned(),
    };
    let (mcs, classic, target) = (or_dash(row.sel4_mcs), or_dash(row.sel4), or_dash(row.target));
    let (what, id, ours) = (row.what, row.id, or_dash(ours));
    format!("| {what} | `{id}` | {ours} | {mcs} | {classic} | {target} | {reached} | {ratio} |\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::figures::{ICOUNT, INSTRUCTIONS};

    #[test]
    fn a_row_says_whether_the_target_is_reached() {
        let row = &REFERENCES[0];
        assert!(reference_row(row, Some(140)).ends_with("| 140 | 210 | 182 | 140 | yes | 0.67 |\n"));
        assert!(reference_row(row, Some(141)).contains("| **no** |"));
        assert!(reference_row(row, None).ends_with("| – | 210 | 182 | 140 | – | – |\n"));
    }

    #[test]
    fn json_comes_back_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let figures = vec![Figure::single("ipc.call.same", ICOUNT, INSTRUCTIONS, 7)];
        write(folder.path(), &figures).unwrap();
        assert_eq!(read(&folder.path().join("report.json")).unwrap(), figures);
        assert!(std::fs::read_to_string(folder.path().join("report.svg")).unwrap().contains("seL4"));
    }
}
