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

    /// Compares what a guest printed (its `word count` lines in order) with this count.
    ///
    /// # Errors
    /// The first difference: an order that is not by frequency, a wrong or unknown word, a missing one.
    pub fn judge(&self, guest: &[(String, u64)]) -> Result<(), Difference> {
        for pair in guest.windows(2) {
            if let [first, second] = pair
                && first.1 < second.1
            {
                return Err(Difference::Order { word: second.0.clone() });
            }
        }
        let mut seen = HashMap::new();
        for (word, count) in guest {
            let host = self.counts.get(word).copied().unwrap_or(0);
            if host != *count {
                return Err(Difference::Count { word: word.clone(), host, guest: *count });
            }
            if seen.insert(word, ()).is_some() {
                return Err(Difference::Twice { word: word.clone() });
            }
        }
        match self.ranking().into_iter().find(|(word, _)| !seen.contains_key(&(*word).to_owned())) {
            Some((word, host)) => Err(Difference::Count { word: word.to_owned(), host, guest: 0 }),
            None => Ok(()),
        }
    }
}

/// How a guest's result differs from the host's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// `word` comes after a rarer one.
    Order {
        /// The word out of order.
        word: String,
    },
    /// `word` was printed more than once.
    Twice {
        /// The repeated word.
        word: String,
    },
    /// `word` was counted differently.
    Count {
        /// The word.
        word: String,
        /// The host's count.
        host: u64,
        /// The guest's count.
        guest: u64,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Order { word } => write!(f, "\"{word}\" is listed after a rarer word"),
            Self::Twice { word } => write!(f, "\"{word}\" is listed twice"),
            Self::Count { word, host, guest } => write!(f, "\"{word}\": the system says {guest}, the host says {host}"),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn guest(pairs: &[(&str, u64)]) -> Vec<(String, u64)> {
        pairs.iter().map(|(word, count)| ((*word).to_owned(), *count)).collect()
    }

    #[test]
    fn words_are_runs_of_ascii_letters_in_lower_case() {
        let counts = WordCounts::of("The rock's the ROCK; r2d2 na\u{ef}ve".as_bytes());
        assert_eq!(counts.ranking(), [("rock", 2), ("the", 2), ("d", 1), ("na", 1), ("r", 1), ("s", 1), ("ve", 1)]);
        assert_eq!((counts.total(), counts.distinct()), (9, 7));
    }

    #[test]
    fn equal_results_agree_and_ties_may_come_in_any_order() {
        let counts = WordCounts::of(b"b a a c");
        assert_eq!(counts.judge(&guest(&[("a", 2), ("c", 1), ("b", 1)])), Ok(()));
    }

    #[test]
    fn every_kind_of_difference_is_named() {
        let counts = WordCounts::of(b"b a a");
        let count = |word: &str, host, guest| Err(Difference::Count { word: word.into(), host, guest });
        assert_eq!(counts.judge(&guest(&[("b", 1), ("a", 2)])), Err(Difference::Order { word: "a".into() }));
        assert_eq!(counts.judge(&guest(&[("a", 3), ("b", 1)])), count("a", 2, 3));
        assert_eq!(counts.judge(&guest(&[("a", 2)])), count("b", 1, 0));
        assert_eq!(counts.judge(&guest(&[("a", 2), ("z", 1)])), count("z", 0, 1));
        assert_eq!(counts.judge(&guest(&[("a", 2), ("a", 2)])), Err(Difference::Twice { word: "a".into() }));
    }

    #[test]
    fn only_a_word_and_a_number_is_a_result_line() {
        assert_eq!(result_line("the 12"), Some(("the".into(), 12)));
        for other in ["The 12", "the 12 ", "the", "12 12", "the  12", "bytes: 12", "the -1"] {
            assert_eq!(result_line(other), None, "{other}");
        }
    }
}
