//! The report as files: `report.json`, `report.md`, `report.svg`, and a chart for each scaling scenario. Tests: below.

use super::figures::{BYTES, COMMAND, Figure, ICOUNT, INSTRUCTIONS};
use super::lockstep::LOCKSTEP;
use super::reference::{MISSING, REFERENCES, Reference, SAME_BINARY};
use super::{curves, plot, scaling};
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

/// What the figures of several cores are, in words.
const SCALING: &str = "\
Bochs executes all cores in turn, five instructions each, so one tick is one instruction of every core, and a run repeats \
exactly. The same program measures everywhere: in the multikernel a partition for each core, in SMP one partition with all \
of them. What crosses cores crosses channels and doorbells in the one, endpoints and notifications in the other. **The \
engine charges nothing for cache misses**: a lock that moves between real cores costs more than here, and so does a ring.";

/// Writes the report into `folder`; `failed` says which machines brought nothing.
///
/// # Errors
/// When a file cannot be written.
pub fn write(folder: &Path, figures: &[Figure], failed: &[String]) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let json = serde_json::to_string_pretty(figures)? + "\n";
    let mut files = vec![
        ("report.json".to_owned(), json),
        ("report.md".to_owned(), markdown(figures, failed)),
        ("report.svg".to_owned(), plot::bars(figures)?),
    ];
    for chart in scaling::charts(figures) {
        files.push((format!("{}.svg", chart.name), curves::svg(&chart)?));
    }
    for (name, content) in files {
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
pub fn markdown(figures: &[Figure], failed: &[String]) -> String {
    let mut text =
        format!("# Skerry: measured\n\nReproduce with `{COMMAND}`.\n\n## Instructions per operation\n\n{METHOD}\n\n");
    text += "| operation | id | Skerry | seL4 MCS | seL4 | to reach | reached | against MCS |\n";
    text += "|---|---|--:|--:|--:|--:|---|--:|\n";
    for row in &REFERENCES {
        text += &reference_row(row, median(figures, row.id));
    }
    text += &same_binary();
    text += "\n`syscall.null` here is an `NBSend` through an empty slot, which includes the failed lookup; seL4's 89 is a \
             system call made for benchmarking. seL4 figures for map and retype are per page, from another run of its \
             suite.\n\n## Everything measured\n\n| id | median | min | max | samples | unit |\n|---|--:|--:|--:|--:|---|\n";
    for Figure { id, median, min, max, samples, unit, .. } in
        figures.iter().filter(|figure| figure.unit == INSTRUCTIONS && figure.engine == ICOUNT)
    {
        let _ = writeln!(text, "| {id} | {median} | {min} | {max} | {samples} | {unit} |");
    }
    text += "\n`boot.to_user`: from the loader's first instruction to the first of the root task, time calibration \
             included.\n\n## Footprint\n\n| id | bytes |\n|---|--:|\n";
    for Figure { id, median, .. } in figures.iter().filter(|figure| figure.unit == BYTES) {
        let _ = writeln!(text, "| {id} | {median} |");
    }
    text += "\n`footprint.kernel.memory` is what one instance keeps for its kernel: image, handoff, page tables, stacks. \
             `footprint.untyped` is what is left of `footprint.slice` for the root task to make objects of.\n\
";
    text += &lockstep(figures);
    text += "\n## Not measured\n\n";
    for problem in failed {
        let _ = writeln!(text, "* {problem}.");
    }
    for (what, why) in MISSING {
        let _ = writeln!(text, "* {what}: {why}.");
    }
    text
}

/// seL4's own benchmark on both kernels.
fn same_binary() -> String {
    let mut text = "\n### The same binary on both kernels\n\nseL4's benchmark suite, built outside this repository for seL4 16 \
                    MCS, booted unmodified as a root task (`root-task = \"sel4bench.elf\"`, `cargo xtask run --icount`); \
                    its own medians, measured when the table was last filled in.\n\n\
                    | operation | Skerry | seL4 MCS | Skerry / seL4 |\n|---|--:|--:|--:|\n"
        .to_owned();
    for (what, ours, theirs) in SAME_BINARY {
        let _ = writeln!(text, "| {what} | {ours} | {theirs} | {:.2} |", ours as f64 / theirs as f64);
    }
    text
}

/// Everything measured on several cores.
fn lockstep(figures: &[Figure]) -> String {
    let table = scaling::markdown(figures);
    if table.is_empty() {
        return String::new();
    }
    let mut text = format!(
        "\n## Scaling\n\n{SCALING}\n\nThousands of operations per 10^9 ticks, all cores together (times one core); then, on \
         the most cores, the greatest over the least share of a core and the ticks of the longest operation.\n\n{table}"
    );
    text += "\n### Waking across cores\n\nTicks from before the signal until the sender goes on (`sender`) and until the \
             woken thread, alone on its core, runs (`oneway`). Multikernel: a doorbell; SMP: a notification.\n\n\
             | id | configuration | median | min | max |\n|---|---|--:|--:|--:|\n";
    let waking =
        |figure: &&Figure| figure.engine == LOCKSTEP && figure.id.starts_with("doorbell.") && figure.cores == 2;
    for Figure { id, configuration, median, min, max, .. } in figures.iter().filter(waking) {
        let _ = writeln!(text, "| `{id}` | {configuration} | {median} | {min} | {max} |");
    }
    text += "\n";
    for chart in scaling::charts(figures) {
        let _ = writeln!(text, "![{}]({}.svg)\n", chart.title, chart.name);
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
        write(folder.path(), &figures, &["smp on 4 cores: time over".to_owned()]).unwrap();
        assert_eq!(read(&folder.path().join("report.json")).unwrap(), figures);
        assert!(
            std::fs::read_to_string(folder.path().join("report.md")).unwrap().contains("* smp on 4 cores: time over.")
        );
        assert!(std::fs::read_to_string(folder.path().join("report.svg")).unwrap().contains("seL4"));
    }
}
