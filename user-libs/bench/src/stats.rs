//! What a set of samples comes down to. Tests: below.

use alloc::vec::Vec;
use core::fmt;

/// Median, extremes and number of a set of samples, in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The middle sample; of two middle ones the lower.
    pub median: u64,
    /// The least.
    pub min: u64,
    /// The greatest.
    pub max: u64,
    /// How many.
    pub samples: usize,
}

impl Summary {
    /// Of these samples; `None` if there are none.
    pub fn of(samples: impl IntoIterator<Item = u64>) -> Option<Self> {
        let mut sorted: Vec<u64> = samples.into_iter().collect();
        sorted.sort_unstable();
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        Some(Self { median: sorted[(sorted.len() - 1) / 2], min, max, samples: sorted.len() })
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} {}", self.median, self.min, self.max, self.samples)
    }
}

/// How often each value occurred, by ascending value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram(Vec<(u64, usize)>);

impl Histogram {
    /// Of these samples.
    pub fn of(samples: impl IntoIterator<Item = u64>) -> Self {
        let mut sorted: Vec<u64> = samples.into_iter().collect();
        sorted.sort_unstable();
        Self(sorted.chunk_by(|one, next| one == next).map(|equal| (equal[0], equal.len())).collect())
    }
}

/// As ` 201x63 205x1`.
impl fmt::Display for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(value, count)| write!(f, " {value}x{count}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_histogram_counts_equal_samples() {
        assert_eq!(Histogram::of([7, 5, 7, 7]).to_string(), " 5x1 7x3");
        assert_eq!(Histogram::of([]).to_string(), "");
    }

    #[test]
    fn the_median_is_a_sample_that_occurred() {
        assert_eq!(Summary::of([9, 1, 5]), Some(Summary { median: 5, min: 1, max: 9, samples: 3 }));
        assert_eq!(Summary::of([4, 2]), Some(Summary { median: 2, min: 2, max: 4, samples: 2 }));
        assert_eq!(Summary::of([]), None);
    }
}
