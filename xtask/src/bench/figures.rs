//! A figure of the report, and how the measuring root task prints one. Tests: below.

use serde::{Deserialize, Serialize};

/// What one tick is on QEMU with `-icount shift=0`: one executed instruction.
pub const INSTRUCTIONS: &str = "instructions";
/// Memory.
pub const BYTES: &str = "bytes";
/// Engine whose figures repeat exactly.
pub const ICOUNT: &str = "qemu-icount";
/// Engine of figures read from a built file.
pub const ELF: &str = "elf";
/// The command that reproduces the whole report.
pub const COMMAND: &str = "cargo xtask bench";
/// The command that reproduces what is counted, or read from a file.
pub const COUNTING: &str = "cargo xtask bench --only icount";

/// One figure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figure {
    /// What was measured, as in `ipc.call.same`.
    pub id: String,
    /// How the kernel runs on several cores.
    pub configuration: String,
    /// What executed it.
    pub engine: String,
    /// Unit of the three values.
    pub unit: String,
    /// Cores of the machine.
    pub cores: u32,
    /// The middle sample.
    pub median: u64,
    /// The least.
    pub min: u64,
    /// The greatest.
    pub max: u64,
    /// How many.
    pub samples: u64,
    /// The command that reproduces it.
    pub command: String,
    /// If the samples differ: each value and how often it occurred.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spread: Vec<(u64, u64)>,
}

impl Figure {
    /// A single value of one instance on one core.
    pub fn single(id: &str, engine: &str, unit: &str, value: u64) -> Self {
        Self {
            id: id.to_owned(),
            configuration: "multikernel".to_owned(),
            engine: engine.to_owned(),
            unit: unit.to_owned(),
            cores: 1,
            median: value,
            min: value,
            max: value,
            samples: 1,
            command: COUNTING.to_owned(),
            spread: Vec::new(),
        }
    }

    /// The figure in a line `bench <id> <median> <min> <max> <samples>`, or `None` when it is not one.
    pub fn parse(line: &str) -> Option<Self> {
        let mut words = line.strip_prefix("bench ")?.split_ascii_whitespace();
        let id = words.next()?;
        let values: Vec<u64> = words.map(str::parse).collect::<Result<_, _>>().ok()?;
        let [median, min, max, samples] = values[..] else { return None };
        let unit = if id.starts_with("footprint.") { BYTES } else { INSTRUCTIONS };
        Some(Self { median, min, max, samples, ..Self::single(id, ICOUNT, unit, 0) })
    }

    /// The figures of a console's lines. A line `spread <id> <value>x<count> …` belongs to the figure before it.
    pub fn of_lines(lines: &[String]) -> Vec<Self> {
        let mut figures: Vec<Self> = Vec::new();
        for line in lines {
            if let (Some((id, spread)), Some(last)) = (parse_spread(line), figures.last_mut())
                && last.id == id
            {
                last.spread = spread;
            }
            figures.extend(Self::parse(line));
        }
        figures
    }
}

fn parse_spread(line: &str) -> Option<(&str, Vec<(u64, u64)>)> {
    let mut words = line.strip_prefix("spread ")?.split_ascii_whitespace();
    let id = words.next()?;
    let pair = |word: &str| {
        let (value, count) = word.split_once('x')?;
        Some((value.parse().ok()?, count.parse().ok()?))
    };
    Some((id, words.map(pair).collect::<Option<_>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_root_task_is_a_figure() {
        let figure = Figure::parse("bench ipc.call.same 259 258 301 64").unwrap();
        assert_eq!((figure.id.as_str(), figure.unit.as_str()), ("ipc.call.same", INSTRUCTIONS));
        assert_eq!((figure.median, figure.min, figure.max, figure.samples), (259, 258, 301, 64));
        assert_eq!(Figure::parse("bench footprint.slice 4096 4096 4096 1").unwrap().unit, BYTES);
    }

    #[test]
    fn a_spread_belongs_to_the_figure_before_it() {
        let lines = ["bench a 2 1 2 3", "spread a 1x1 2x2", "bench b 1 1 1 3", "spread a 9x9", "spread b x"];
        let figures = Figure::of_lines(&lines.map(str::to_owned));
        assert_eq!(figures[0].spread, [(1, 1), (2, 2)]);
        assert!(figures[1].spread.is_empty());
    }

    #[test]
    fn other_lines_are_none() {
        for line in ["", "bench", "bench: out of memory", "bench x 1 2 3", "bench x 1 2 3 4 5", "bench x 1 2 -3 4"] {
            assert_eq!(Figure::parse(line), None, "{line}");
        }
    }
}
