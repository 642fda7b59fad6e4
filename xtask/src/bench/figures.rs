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
/// The command that reproduces every figure.
pub const COMMAND: &str = "cargo xtask bench";

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
            command: COMMAND.to_owned(),
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
    fn other_lines_are_none() {
        for line in ["", "bench", "bench: out of memory", "bench x 1 2 3", "bench x 1 2 3 4 5", "bench x 1 2 -3 4"] {
            assert_eq!(Figure::parse(line), None, "{line}");
        }
    }
}
