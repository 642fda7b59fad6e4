//! Our rings against other crates' on this host: what `cargo bench -p skerry-channel` measures, as figures.
//!
//! Instructions are counted by Valgrind and repeat. Times are of rings in turns: in one thread their ratio holds on a busy host
//! too, between threads it is as good as the host is quiet.
//! Tests: below.

use super::figures::Figure;
use crate::artifacts::cargo;
use anyhow::{Context, Result, ensure};
use std::process::Stdio;

/// Engine that counts instructions of the host.
pub const COUNTED: &str = "host-valgrind";
/// Engine that takes the time of the host, for all rings in turns.
pub const TURNS: &str = "host-turns";
/// Engine that takes the time of the host between two threads.
pub const BETWEEN: &str = "host-threads";
/// Unit of what is counted: whole numbers, for a thousand messages.
pub const PER_THOUSAND: &str = "host instructions per 1000 messages";
/// Unit of what is timed.
pub const PICOSECONDS: &str = "picoseconds per message";

const COUNT: &str = "cargo bench -p skerry-channel --bench count";
const ALONE: &str = "cargo bench -p skerry-channel --bench alone";
const TIME: &str = "cargo bench -p skerry-channel --bench between";

/// Instructions that a message costs, there and out again, in one thread.
///
/// # Errors
/// When it cannot be built, or Valgrind is missing.
pub fn counted() -> Result<Vec<Figure>> {
    printed("count", COUNTED, PER_THOUSAND, COUNT).context("is Valgrind installed?")
}

/// Time that a message takes: alone, and between two threads in a stream, in batches, there and back.
///
/// # Errors
/// When it cannot be built or run.
pub fn timed() -> Result<Vec<Figure>> {
    let mut figures = printed("alone", TURNS, PICOSECONDS, ALONE)?;
    figures.extend(printed("between", BETWEEN, PICOSECONDS, TIME)?);
    Ok(figures)
}

/// The figures that the benchmark `name` prints, in `unit`.
fn printed(name: &str, engine: &str, unit: &str, command: &str) -> Result<Vec<Figure>> {
    let output = benchmark(name).stderr(Stdio::inherit()).output().context("cannot run cargo")?;
    ensure!(output.status.success(), "`{command}`: {}", output.status);
    let figures: Vec<_> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(parse)
        .map(|(group, ring, values)| figure(&group, &ring, engine, unit, values, command))
        .collect();
    ensure!(!figures.is_empty(), "`{command}` printed no figure");
    Ok(figures)
}

fn benchmark(name: &str) -> std::process::Command {
    let mut command = cargo();
    command.args(["bench", "--quiet", "-p", "skerry-channel", "--bench", name]);
    command
}

/// A line `ring <group> <ring> <median> [<low> <high>]`: group, ring, and the three values.
fn parse(line: &str) -> Option<(String, String, [u64; 3])> {
    let mut words = line.strip_prefix("ring ")?.split_ascii_whitespace();
    let (group, ring) = (words.next()?, words.next()?);
    let values: Vec<u64> = words.map(|word| word.parse().ok()).collect::<Option<_>>()?;
    let values = match values[..] {
        [value] => [value; 3],
        [median, low, high] => [median, low, high],
        _ => return None,
    };
    Some((group.to_owned(), ring.to_owned(), values))
}

fn figure(group: &str, ring: &str, engine: &str, unit: &str, values: [u64; 3], command: &str) -> Figure {
    let [median, min, max] = values;
    let single = Figure::single(&format!("channel.{group}"), engine, unit, median);
    Figure { configuration: ring.to_owned(), min, max, command: command.to_owned(), ..single }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_printed_line_is_a_figure_with_or_without_bounds() {
        let line = |values| Some(("alone-8".to_owned(), "rtrb".to_owned(), values));
        assert_eq!(parse("ring alone-8 rtrb 49007"), line([49007; 3]));
        assert_eq!(parse("ring alone-8 rtrb 5400 5100 5900"), line([5400, 5100, 5900]));
        for other in ["nothing counted: Valgrind is not here, or failed", "ring alone-8 rtrb", "ring alone-8 rtrb 1 2"]
        {
            assert_eq!(parse(other), None);
        }
    }
}
