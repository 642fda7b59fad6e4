//! How many tests passed and failed, added up over test binaries. Tests: below.

use std::fmt;
use std::ops::AddAssign;

/// Passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Tests that passed.
    pub passed: u64,
    /// Tests that failed.
    pub failed: u64,
}

impl Tally {
    /// One step.
    pub fn one(success: bool) -> Self {
        Self { passed: u64::from(success), failed: u64::from(!success) }
    }

    /// The figures in a test binary's line `test result: ok. 3 passed; 0 failed; …`.
    pub fn of_line(line: &str) -> Option<Self> {
        let figures = line.trim_start().strip_prefix("test result: ")?.split_once(". ")?.1;
        let figure = |word| {
            let part = figures.split("; ").find_map(|part| part.trim().strip_suffix(word))?;
            part.trim().parse().ok()
        };
        Some(Self { passed: figure("passed")?, failed: figure("failed")? })
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_line_is_read() {
        let line = "test result: FAILED. 12 passed; 3 failed; 1 ignored; 0 measured; 7 filtered out; finished in 0.00s";
        assert_eq!(Tally::of_line(line), Some(Tally { passed: 12, failed: 3 }));
        assert_eq!(Tally::of_line("test x ... ok"), None);
        assert_eq!(Tally::of_line("test result: ok. many passed; 3 failed"), None);
    }

    #[test]
    fn the_last_line_is_plain() {
        let mut total = Tally::one(true);
        total += Tally::one(false);
        assert_eq!(total.to_string(), "1 passed, 1 failed");
    }
}
