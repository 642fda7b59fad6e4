//! The most frequent words of a stream of counts.

use crate::error::ProgramError;
use alloc::collections::BinaryHeap;
use alloc::vec::Vec;
use core::cmp::{Ordering, Reverse};

/// A word and its count; greater is what is listed earlier: more frequent, or as frequent and alphabetically before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranked {
    /// How often.
    pub count: u64,
    /// The word.
    pub word: Vec<u8>,
}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> Ordering {
        self.count.cmp(&other.count).then_with(|| other.word.cmp(&self.word))
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Keeps the first `most` of everything offered.
#[derive(Debug)]
pub struct Top {
    most: usize,
    kept: BinaryHeap<Reverse<Ranked>>,
}

impl Top {
    /// Keeps `most` words.
    pub fn new(most: usize) -> Self {
        Self { most, kept: BinaryHeap::new() }
    }

    /// Offers a word.
    pub fn offer(&mut self, word: &[u8], count: u64) -> Result<(), ProgramError> {
        if self.kept.len() == self.most {
            let ranks_higher = |least: &Ranked| (least.count, word) < (count, &least.word[..]);
            if !self.kept.peek().is_some_and(|Reverse(least)| ranks_higher(least)) {
                return Ok(());
            }
            self.kept.pop();
        }
        let mut copy = Vec::new();
        copy.try_reserve_exact(word.len())?;
        copy.extend_from_slice(word);
        self.kept.try_reserve(1)?;
        self.kept.push(Reverse(Ranked { count, word: copy }));
        Ok(())
    }

    /// What was kept, most frequent first, ties alphabetical.
    pub fn into_sorted(self) -> Vec<Ranked> {
        self.kept.into_sorted_vec().into_iter().map(|Reverse(ranked)| ranked).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_keeps_what_sorting_everything_would_put_first(
            words in proptest::collection::btree_map("[a-c]{1,4}", 1u64..6, 0..60),
            most in 0usize..12,
        ) {
            let mut top = Top::new(most);
            for (word, count) in &words {
                top.offer(word.as_bytes(), *count).unwrap();
            }
            let mut all: Vec<_> = words.into_iter().map(|(word, count)| (Reverse(count), word.into_bytes())).collect();
            all.sort();
            all.truncate(most);
            let found: Vec<_> = top.into_sorted().into_iter().map(|r| (Reverse(r.count), r.word)).collect();
            prop_assert_eq!(found, all);
        }
    }
}
