//! The report as files: `report.json`, `report.md`, `report.svg`, and a chart for each scaling scenario. Tests: below.

use super::figures::{BYTES, COMMAND, Figure, ICOUNT, INSTRUCTIONS};
use super::hardware::CYCLES;
use super::host::{BETWEEN, COUNTED, TURNS};
use super::lockstep::LOCKSTEP;
use super::reference::{MISSING, REFERENCES, Reference, SAME_BINARY, SameBinary};
use super::{curves, plot, scaling};
use anyhow::{Context, Result};
use std::collections::BTreeSet;
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

/// Whence the second table comes, in words.
const SAME: &str = "
### The same binary on both kernels

seL4's benchmark suite, built outside this repository for seL4 16 MCS, one binary booted as a root task on either kernel. Its \
own figures, measured when the table was last filled in, not by this run.

";

/// The figure that is a stub's own cost.
const STUB: &str = "stub.instructions";

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
    figures.iter().find(|figure| figure.id == id && figure.engine == ICOUNT).map(|figure| figure.median)
}

/// The tables.
pub fn markdown(figures: &[Figure], failed: &[String]) -> String {
    let mut text =
        format!("# Skerry: measured\n\nReproduce with `{COMMAND}`.\n\n## Instructions per operation\n\n{METHOD}\n\n");
    text += &operations(figures);
    text += SAME;
    text += &same_binary();
    text += "\n`syscall.null` here is an `NBSend` through an empty slot, which includes the failed lookup; seL4's 89 is a \
             system call made for benchmarking. seL4 figures for map and retype are per page, from another run of its \
             suite.\n\n## Everything counted\n\n`kernel` is the figure; `user` is the stub around the system call, at \
             both ends together as many instructions as at one, and twice for a round trip that is the sum of both ways.\n\n";
    text += &counted(figures);
    text += "\n`boot.to_user`: from the loader's first instruction to the first of the root task, time calibration \
             included. `footprint.boot.all`: the same for many instances on as many cores, from the first root task to the last; \
             instructions of all cores together.\n\n## Footprint\n\n";
    text += &footprint(figures);
    text += "\n`footprint.kernel.memory` is what one instance keeps for its kernel: image, handoff, page tables, stacks. \
             `footprint.untyped` is what is left of `footprint.slice` for the root task to make objects of.\n\
";
    let rings = rings(figures);
    if !rings.is_empty() {
        let _ = write!(text, "\n## Rings on the host\n{rings}");
    }
    text += &cycles(figures);
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

/// The table of operations that have figures elsewhere.
pub fn operations(figures: &[Figure]) -> String {
    let mut text = "| operation | id | Skerry | seL4 MCS | seL4 | to reach | reached | against MCS |\n".to_owned();
    text += "|---|---|--:|--:|--:|--:|---|--:|\n";
    for row in &REFERENCES {
        text += &reference_row(row, median(figures, row.id));
    }
    text
}

/// The table of sizes.
pub fn footprint(figures: &[Figure]) -> String {
    let mut text = "| id | instances | bytes |\n|---|--:|--:|\n".to_owned();
    for Figure { id, median, cores, .. } in figures.iter().filter(|figure| figure.unit == BYTES) {
        let _ = writeln!(text, "| {id} | {cores} | {median} |");
    }
    text
}

/// seL4's own benchmark on both kernels.
pub fn same_binary() -> String {
    let mut text = "| operation | seL4 MCS | Skerry | Skerry / seL4 |\n|---|--:|--:|--:|\n".to_owned();
    for SameBinary { what, sel4, skerry } in SAME_BINARY {
        let _ = writeln!(text, "| {what} | {sel4} | {skerry} | {:.2} |", skerry as f64 / sel4 as f64);
    }
    text
}

/// Every counted figure: the kernel's part, the user's, and how samples differ.
fn counted(figures: &[Figure]) -> String {
    let stub = median(figures, STUB).unwrap_or(0);
    let mut text = "| id | kernel | user | both | min | max | samples |\n|---|--:|--:|--:|--:|--:|--:|\n".to_owned();
    let all =
        || figures.iter().filter(|figure| figure.unit == INSTRUCTIONS && figure.engine == ICOUNT && figure.id != STUB);
    for Figure { id, median, min, max, samples, .. } in all() {
        // Boot has no stub; a round trip has one at either end.
        let user = match id.as_str() {
            _ if *samples == 1 || id.starts_with("footprint.") => 0,
            "fault.roundtrip" => 2 * stub,
            _ => stub,
        };
        let _ = writeln!(text, "| {id} | {median} | {user} | {} | {min} | {max} | {samples} |", median + user);
    }
    let spread: Vec<_> = all().filter(|figure| !figure.spread.is_empty()).collect();
    if !spread.is_empty() {
        text += "\nWhere samples differ: instructions, and how often.\n\n| id | samples |\n|---|---|\n";
    }
    for Figure { id, spread, .. } in spread {
        let shown: Vec<_> = spread.iter().map(|(value, count)| format!("{value} ×{count}")).collect();
        let _ = writeln!(text, "| {id} | {} |", shown.join(", "));
    }
    text
}

/// Our rings and others': a row for each operation, ours first, and what ours is of the best of the others.
pub fn rings(figures: &[Figure]) -> String {
    let mut text = String::new();
    for (engine, title) in [
        (COUNTED, "Host instructions for 1000 messages, in one thread (Valgrind; repeats)"),
        (TURNS, "Picoseconds a message, in one thread, the rings in turns"),
        (
            BETWEEN,
            "Picoseconds a message, between two threads, the rings in turns (only as good as the host was quiet)",
        ),
    ] {
        let of_engine: Vec<_> = figures.iter().filter(|figure| figure.engine == engine).collect();
        let distinct = |name: fn(&Figure) -> &str| of_engine.iter().map(|figure| name(figure)).collect::<BTreeSet<_>>();
        let (ids, names) = (distinct(|figure| &figure.id), distinct(|figure| &figure.configuration));
        let Some(first) = of_engine.first() else { continue };
        let _ = write!(text, "\n{title}: `{}`.\n\n| id |", first.command);
        names.iter().for_each(|name| text += &format!(" {name} |"));
        let _ = writeln!(text, " skerry / best other |\n|---|{}", "--:|".repeat(names.len() + 1));
        for id in ids {
            let value = |name: &str| {
                of_engine
                    .iter()
                    .find(|figure| figure.id == id && figure.configuration == name)
                    .map(|figure| figure.median)
            };
            let shown = names.iter().map(|name| value(name).map_or("–".to_owned(), |value| value.to_string()));
            let best = names.iter().filter(|name| !name.starts_with("skerry")).filter_map(|name| value(name)).min();
            let ratio = value("skerry").zip(best).map(|(ours, best)| format!("{:.2}", ours as f64 / best as f64));
            let shown = shown.collect::<Vec<_>>().join(" | ");
            let _ = writeln!(text, "| `{id}` | {shown} | {} |", ratio.unwrap_or_else(|| "–".to_owned()));
        }
    }
    text
}

/// Cycles of a real processor.
fn cycles(figures: &[Figure]) -> String {
    let mut text = String::new();
    for Figure { id, engine, median, min, max, samples, .. } in figures.iter().filter(|figure| figure.unit == CYCLES) {
        let _ = writeln!(text, "| {id} | {engine} | {median} | {min} | {max} | {samples} |");
    }
    if text.is_empty() {
        return text;
    }
    format!(
        "\n## On the machine at hand\n\nCycles of the time-stamp counter, stub subtracted.\n\n\
         | id | engine | median | min | max | samples |\n|---|---|--:|--:|--:|--:|\n{text}"
    )
}

/// Everything measured on several cores, with what it means.
fn lockstep(figures: &[Figure]) -> String {
    let tables = scaled(figures);
    if tables.is_empty() { tables } else { format!("\n## Scaling\n\n{SCALING}\n\n{tables}\n{}", charts(figures, "")) }
}

/// The tables of what was measured on several cores.
pub fn scaled(figures: &[Figure]) -> String {
    let table = scaling::markdown(figures);
    if table.is_empty() {
        return table;
    }
    let mut text = format!(
        "Thousands of operations per 10^9 ticks, all cores together (times one core); then, on the most cores, the greatest \
         over the least share of a core and the ticks of the longest operation.\n\n{table}"
    );
    text += "\n### Waking across cores\n\nTicks from before the signal until the sender goes on (`sender`) and until the \
             woken thread, alone on its core, runs (`oneway`). Multikernel: a doorbell; SMP: a notification.\n\n\
             | id | configuration | cores | median | min | max |\n|---|---|--:|--:|--:|--:|\n";
    let waking = |figure: &&Figure| figure.engine == LOCKSTEP && figure.id.starts_with("doorbell.");
    for Figure { id, configuration, cores, median, min, max, .. } in figures.iter().filter(waking) {
        let _ = writeln!(text, "| `{id}` | {configuration} | {cores} | {median} | {min} | {max} |");
    }
    text
}

/// The charts, to be found in `folder`.
pub fn charts(figures: &[Figure], folder: &str) -> String {
    let line = |chart: curves::Chart| format!("![{}]({folder}{}.svg)\n", chart.title, chart.name);
    scaling::charts(figures).into_iter().map(line).collect()
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
    fn a_counted_figure_is_split_and_its_spread_is_shown() {
        let mut figures = [STUB, "ipc.call.same", "fault.roundtrip", "boot.to_user"]
            .map(|id| Figure { samples: 64, ..Figure::single(id, ICOUNT, INSTRUCTIONS, 10) });
        figures[1].spread = vec![(10, 60), (12, 4)];
        figures[3].samples = 1;
        let text = counted(&figures);
        assert!(text.contains("| ipc.call.same | 10 | 10 | 20 |"), "{text}");
        assert!(text.contains("| fault.roundtrip | 10 | 20 | 30 |"), "{text}");
        assert!(text.contains("| boot.to_user | 10 | 0 | 10 |"), "{text}");
        assert!(text.contains("| ipc.call.same | 10 ×60, 12 ×4 |") && !text.contains(STUB), "{text}");
    }

    #[test]
    fn rings_stand_side_by_side_and_ours_is_compared_with_the_best() {
        let ring = |name: &str, value| Figure {
            configuration: name.to_owned(),
            ..Figure::single("channel.alone-8", COUNTED, "", value)
        };
        let text = rings(&[ring("skerry", 48), ring("rtrb", 50), ring("crossbeam-queue", 60)]);
        assert!(text.contains("| `channel.alone-8` | 60 | 50 | 48 | 0.96 |"), "{text}");
        assert!(rings(&[]).is_empty() && cycles(&[]).is_empty());
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
