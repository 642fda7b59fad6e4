//! The host's own word count, the judge of the pipeline's result.
//!
//! Deliberately the plainest code that can do it, sharing nothing with the guest programs: a word is a maximal run of
//! ASCII letters, lower-cased; the order is most frequent first, equal counts alphabetically. Tests: below.

use std::collections::HashMap;
use std::fmt;

/// Words and how often each occurs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WordCounts {
    counts: HashMap<String, u64>,
}

impl WordCounts {
    /// Counts the words of `text`.
    pub fn of(text: &[u8]) -> Self {
        let mut counts = HashMap::new();
        for word in text.split(|byte| !byte.is_ascii_alphabetic()) {
            if !word.is_empty() {
                let word = String::from_utf8_lossy(word).to_ascii_lowercase();
                *counts.entry(word).or_insert(0) += 1;
            }
        }
        Self { counts }
    }

    /// How many words there are, repetitions included.
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    /// How many different words there are.
    pub fn distinct(&self) -> usize {
        self.counts.len()
    }

    /// All words, most frequent first, equal counts alphabetically.
    pub fn ranking(&self) -> Vec<(&str, u64)> {
        let mut all: Vec<_> = self.counts.iter().map(|(word, &count)| (word.as_str(), count)).collect();
        all.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        all
    }

    /// Compares what a guest printed with this count: its words must be the first of [`WordCounts::ranking`], in that
    /// order, and all of them unless it also printed the right totals.
    ///
    /// # Errors
    /// The first difference.
    pub fn judge(&self, guest: &Printed) -> Result<(), Difference> {
        let ranking = self.ranking();
        for (place, (word, count)) in guest.ranking.iter().enumerate() {
            let host = ranking.get(place).copied();
            if host != Some((word.as_str(), *count)) {
                let host = host.map(|(word, count)| (word.to_owned(), count));
                return Err(Difference::Place { place: place + 1, host, guest: Some((word.clone(), *count)) });
            }
        }
        let host = (self.total(), self.distinct() as u64);
        match guest.totals {
            Some(totals) if totals != host => Err(Difference::Totals { host, guest: totals }),
            Some(_) if !guest.ranking.is_empty() || ranking.is_empty() => Ok(()),
            _ => match ranking.get(guest.ranking.len()) {
                Some(&(word, count)) => {
                    let place = guest.ranking.len() + 1;
                    Err(Difference::Place { place, host: Some((word.to_owned(), count)), guest: None })
                }
                None => Ok(()),
            },
        }
    }
}

/// A guest's result: the `word count` lines among its output, and its totals.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Printed {
    /// Words and counts in the order printed.
    pub ranking: Vec<(String, u64)>,
    /// All words, and different words, from the line `# 120 words, 34 different`.
    pub totals: Option<(u64, u64)>,
}

impl Printed {
    /// The result in `lines`.
    pub fn of(lines: &[String]) -> Self {
        Self {
            ranking: lines.iter().filter_map(|line| result_line(line)).collect(),
            totals: lines.iter().find_map(|line| totals_line(line)),
        }
    }

    /// Whether there is any.
    pub fn is_empty(&self) -> bool {
        self.ranking.is_empty() && self.totals.is_none()
    }
}

/// How a guest's result differs from the host's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// Another word, or another count, at a place of the ranking.
    Place {
        /// The place, from 1.
        place: usize,
        /// What the host has there.
        host: Option<(String, u64)>,
        /// What the guest has there.
        guest: Option<(String, u64)>,
    },
    /// Other totals: all words, different words.
    Totals {
        /// The host's.
        host: (u64, u64),
        /// The guest's.
        guest: (u64, u64),
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entry = |entry: &Option<(String, u64)>| match entry {
            Some((word, count)) => format!("\"{word} {count}\""),
            None => "nothing".to_owned(),
        };
        match self {
            Self::Place { place, host, guest } => {
                write!(f, "at place {place} the system has {}, the host {}", entry(guest), entry(host))
            }
            Self::Totals { host, guest } => write!(
                f,
                "the system counts {} words, {} different; the host {} words, {} different",
                guest.0, guest.1, host.0, host.1
            ),
        }
    }
}

/// A result line: one lower-case word, one space, a decimal count.
pub fn result_line(line: &str) -> Option<(String, u64)> {
    let (word, count) = line.split_once(' ')?;
    let is_word = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
    (is_word && !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| Some((word.to_owned(), count.parse().ok()?)))
        .flatten()
}

/// The line `# 120 words, 34 different`.
fn totals_line(line: &str) -> Option<(u64, u64)> {
    let (words, different) = line.strip_prefix("# ")?.strip_suffix(" different")?.split_once(" words, ")?;
    Some((words.parse().ok()?, different.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(text: &str) -> Printed {
        Printed::of(&text.lines().map(str::to_owned).collect::<Vec<_>>())
    }

    fn entry(word: &str, count: u64) -> Option<(String, u64)> {
        Some((word.to_owned(), count))
    }

    #[test]
    fn words_are_runs_of_ascii_letters_in_lower_case() {
        let counts = WordCounts::of("The rock's the ROCK; r2d2 na\u{ef}ve".as_bytes());
        assert_eq!(counts.ranking(), [("rock", 2), ("the", 2), ("d", 1), ("na", 1), ("r", 1), ("s", 1), ("ve", 1)]);
        assert_eq!((counts.total(), counts.distinct()), (9, 7));
    }

    #[test]
    fn a_complete_result_or_the_first_words_with_totals_agree() {
        let counts = WordCounts::of(b"b a a c");
        assert_eq!(counts.judge(&printed("noise here\na 2\nb 1\nc 1")), Ok(()));
        assert_eq!(counts.judge(&printed("a 2\n# 4 words, 3 different")), Ok(()));
        assert_eq!(WordCounts::of(b"12").judge(&printed("# 0 words, 0 different")), Ok(()));
    }

    #[test]
    fn every_kind_of_difference_is_named() {
        let counts = WordCounts::of(b"b a a");
        let place = |place, host, guest| Err(Difference::Place { place, host, guest });
        assert_eq!(counts.judge(&printed("b 1\na 2")), place(1, entry("a", 2), entry("b", 1)));
        assert_eq!(counts.judge(&printed("a 3\nb 1")), place(1, entry("a", 2), entry("a", 3)));
        assert_eq!(counts.judge(&printed("a 2")), place(2, entry("b", 1), None));
        assert_eq!(counts.judge(&printed("a 2\nb 1\nz 1")), place(3, None, entry("z", 1)));
        assert_eq!(counts.judge(&printed("# 3 words, 2 different")), place(1, entry("a", 2), None));
        let totals = Err(Difference::Totals { host: (3, 2), guest: (3, 1) });
        assert_eq!(counts.judge(&printed("a 2\n# 3 words, 1 different")), totals);
    }

    #[test]
    fn only_a_word_and_a_number_is_a_result_line() {
        assert_eq!(result_line("the 12"), Some(("the".into(), 12)));
        for other in ["The 12", "the 12 ", "the", "12 12", "the  12", "bytes: 12", "the -1"] {
            assert_eq!(result_line(other), None, "{other}");
        }
    }
}
