//! Against a baseline: what got worse, what got better. Tests: below.

use super::figures::{ELF, Figure, ICOUNT, INSTRUCTIONS};
use super::lockstep::LOCKSTEP;

/// Part of a figure by which it may grow unnoticed: one fiftieth, 2 %.
const TOLERANCE: u64 = 50;

/// What came of a comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Figures over the threshold, or gone; one sentence each.
    pub worse: Vec<String>,
    /// Figures that shrank by more than the threshold.
    pub better: Vec<String>,
}

/// Whether a figure is deterministic, and better when it is smaller: counts of instructions, and the kernel's own memory.
fn watched(figure: &Figure) -> bool {
    figure.unit == INSTRUCTIONS || figure.id.starts_with("footprint.kernel.")
}

/// Compares the deterministic figures of `now` with those of `baseline`. Figures that only `now` has are no news.
pub fn compare(baseline: &[Figure], now: &[Figure]) -> Comparison {
    let mut comparison = Comparison::default();
    for old in baseline.iter().filter(|figure| watched(figure)) {
        let Some(new) = find(now, old) else {
            comparison.worse.push(format!("{} is not measured any more", old.id));
            continue;
        };
        let line = format!("{}: {} -> {} {}", old.id, old.median, new.median, old.unit);
        let slack = old.median / TOLERANCE;
        if new.median > old.median + slack {
            comparison.worse.push(line);
        } else if new.median + slack < old.median {
            comparison.better.push(line);
        }
    }
    comparison
}

/// Compares like [`compare`], but what no clock had a part in must be exactly the same: counted instructions, sizes, and
/// what ran in lockstep.
pub fn compare_exactly(baseline: &[Figure], now: &[Figure]) -> Comparison {
    let mut comparison = Comparison::default();
    for old in baseline.iter().filter(|figure| [ICOUNT, ELF, LOCKSTEP].contains(&figure.engine.as_str())) {
        let value = |figure: &Figure| (figure.median, figure.min, figure.max, figure.samples);
        let name = format!("{} ({}, {}, cores: {})", old.id, old.configuration, old.engine, old.cores);
        match find(now, old) {
            None => comparison.worse.push(format!("{name} is not measured any more")),
            Some(new) if value(new) != value(old) => {
                comparison.worse.push(format!("{name}: {:?} -> {:?}", value(old), value(new)));
            }
            Some(_) => {}
        }
    }
    comparison
}

/// The figure of `figures` that measures the same as `wanted`.
fn find<'a>(figures: &'a [Figure], wanted: &Figure) -> Option<&'a Figure> {
    fn key(figure: &Figure) -> (&str, &str, &str, u32) {
        (&figure.id, &figure.configuration, &figure.engine, figure.cores)
    }
    figures.iter().find(|figure| key(figure) == key(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::figures::BYTES;

    #[test]
    fn exactly_means_that_no_count_differs() {
        let host = |value| Figure::single("ring", "host-threads", INSTRUCTIONS, value);
        let old = [figure("a", 1000), figure("b", 7), host(5)];
        assert_eq!(compare_exactly(&old, &[figure("a", 1000), figure("b", 7), host(6)]), Comparison::default());
        let less = compare_exactly(&old, &[figure("a", 999)]);
        assert_eq!(less.worse.len(), 2, "{less:?}");
        assert!(less.worse[1].ends_with("is not measured any more"));
    }

    fn figure(id: &str, value: u64) -> Figure {
        Figure::single(id, ICOUNT, INSTRUCTIONS, value)
    }

    #[test]
    fn more_than_two_per_cent_is_worse() {
        let old = [figure("a", 100), figure("b", 100), figure("c", 100)];
        let new = [figure("a", 102), figure("b", 103), figure("c", 90), figure("d", 1)];
        let comparison = compare(&old, &new);
        assert_eq!(comparison.worse, ["b: 100 -> 103 instructions"]);
        assert_eq!(comparison.better, ["c: 100 -> 90 instructions"]);
    }

    #[test]
    fn memory_left_for_users_may_grow() {
        let bytes = |id, value| [Figure::single(id, ICOUNT, BYTES, value)];
        assert_eq!(compare(&bytes("footprint.untyped", 100), &bytes("footprint.untyped", 200)), Comparison::default());
        assert_eq!(compare(&bytes("footprint.kernel.text", 100), &bytes("footprint.kernel.text", 200)).worse.len(), 1);
    }

    #[test]
    fn a_figure_that_vanished_is_worse() {
        assert_eq!(compare(&[figure("a", 1)], &[]).worse, ["a is not measured any more"]);
    }
}
