//! Our rings against other crates' on this host: what `cargo bench -p skerry-channel` measures, as figures.
//!
//! Instructions are counted by Valgrind and repeat. In one thread the rings are timed in turns, so their ratio holds on a
//! busy host too; times between threads are Criterion's and are as good as the host is quiet.
//! Tests: below.

use super::figures::Figure;
use crate::artifacts::cargo;
use crate::workspace;
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::path::Path;
use std::process::Stdio;

/// Engine that counts instructions of the host.
pub const COUNTED: &str = "host-valgrind";
/// Engine that takes the time of the host, for all rings in turns.
pub const TURNS: &str = "host-turns";
/// Engine that takes the time of the host.
pub const TIMED: &str = "host-criterion";
/// Unit of what is counted: whole numbers, for a thousand messages.
pub const PER_THOUSAND: &str = "host instructions per 1000 messages";
/// Unit of what is timed.
pub const PICOSECONDS: &str = "picoseconds per message";

const COUNT: &str = "cargo bench -p skerry-channel --bench count";
const ALONE: &str = "cargo bench -p skerry-channel --bench alone";
const TIME: &str = "cargo bench -p skerry-channel --bench spsc";

/// Instructions that a message costs, there and out again, in one thread.
///
/// # Errors
/// When it cannot be built, or Valgrind is missing.
pub fn counted() -> Result<Vec<Figure>> {
    printed("count", COUNTED, PER_THOUSAND, COUNT).context("is Valgrind installed?")
}

/// Time that a message takes: alone, in a stream, in batches, there and back.
///
/// # Errors
/// When it cannot be built or run.
pub fn timed() -> Result<Vec<Figure>> {
    let mut figures = printed("alone", TURNS, PICOSECONDS, ALONE)?;
    // Criterion keeps what an earlier run measured.
    let folder = workspace::target_dir().join("criterion");
    if folder.exists() {
        std::fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    let status = benchmark("spsc").stdout(Stdio::null()).status().context("cannot run cargo")?;
    ensure!(status.success(), "`{TIME}`: {status}");
    figures.extend(saved(&folder)?);
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

/// What of Criterion's `estimates.json` is wanted; nanoseconds.
#[derive(Deserialize)]
struct Estimates {
    median: Estimate,
}

#[derive(Deserialize)]
struct Estimate {
    point_estimate: f64,
    confidence_interval: Interval,
}

#[derive(Deserialize)]
struct Interval {
    lower_bound: f64,
    upper_bound: f64,
}

/// The medians that Criterion keeps in `folder`, one of each group and ring, with the bounds of their confidence.
fn saved(folder: &Path) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for group in children(folder)? {
        for ring in children(&folder.join(&group))? {
            let path = folder.join(&group).join(&ring).join("new/estimates.json");
            let Ok(text) = std::fs::read_to_string(&path) else { continue };
            let Estimates { median } =
                serde_json::from_str(&text).with_context(|| format!("{} is not Criterion's", path.display()))?;
            let bounds = median.confidence_interval;
            let values =
                [median.point_estimate, bounds.lower_bound, bounds.upper_bound].map(|ns| (ns * 1000.0).round() as u64);
            figures.push(figure(&group, &ring, TIMED, PICOSECONDS, values, TIME));
        }
    }
    ensure!(!figures.is_empty(), "Criterion left nothing in {}", folder.display());
    Ok(figures)
}

/// Names of the folders in `folder`, in order.
fn children(folder: &Path) -> Result<Vec<String>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok().filter(|entry| entry.path().is_dir())?.file_name().into_string().ok())
        .collect();
    names.sort();
    Ok(names)
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

    #[test]
    fn criterions_medians_become_picoseconds() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("stream-8/skerry/new");
        std::fs::create_dir_all(&place).unwrap();
        std::fs::create_dir_all(folder.path().join("report")).unwrap();
        let bounds = r#"{"confidence_level":0.95,"lower_bound":1.5,"upper_bound":2.25}"#;
        let text = format!(
            r#"{{"mean":{{}},"median":{{"confidence_interval":{bounds},"point_estimate":1.75,"standard_error":0.1}}}}"#
        );
        std::fs::write(place.join("estimates.json"), text).unwrap();
        let figures = saved(folder.path()).unwrap();
        let [figure] = &figures[..] else { panic!("{figures:?}") };
        assert_eq!((figure.id.as_str(), figure.configuration.as_str()), ("channel.stream-8", "skerry"));
        assert_eq!((figure.median, figure.min, figure.max), (1750, 1500, 2250));
    }
}
