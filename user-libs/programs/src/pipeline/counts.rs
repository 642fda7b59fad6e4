//! How often each word occurred: a hash table that says so when memory runs out, instead of failing.
//!
//! Words and entries lie in blocks that never move; only the index of 4-byte numbers is copied when it grows. A word
//! costs its own bytes, 32 for the entry, and 6 to 11 of the index.

use crate::error::ProgramError;
use alloc::vec::Vec;

/// Entries of one block.
const BLOCK_ENTRIES: usize = 2048;
/// Bytes of one block of text; a longer word gets a block of its own.
const BLOCK_BYTES: usize = 32 * 1024;
/// Slots the index starts with.
const FIRST_SLOTS: usize = 1024;

#[derive(Clone, Copy, Debug)]
struct Entry {
    count: u64,
    block: u32,
    start: u32,
    length: u32,
    hash: u32,
}

/// A count for each word.
#[derive(Debug, Default)]
pub struct Counts {
    /// Entry number plus 1, or 0; a power of two long.
    index: Vec<u32>,
    entries: Vec<Vec<Entry>>,
    text: Vec<Vec<u8>>,
    distinct: usize,
}

/// FNV-1a, folded.
fn hash(word: &[u8]) -> u32 {
    let hash = word
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3));
    (hash ^ hash >> 32) as u32
}

impl Counts {
    /// Counts one occurrence of `word`. When it fails, nothing was counted.
    pub fn add(&mut self, word: &[u8]) -> Result<(), ProgramError> {
        if (self.distinct + 1) * 4 > self.index.len() * 3 {
            self.grow()?;
        }
        let hash = hash(word);
        let mut slot = hash as usize & (self.index.len() - 1);
        while let Some(number) = self.index[slot].checked_sub(1) {
            let entry = self.entry(number as usize);
            if entry.hash == hash && self.text_of(&entry) == word {
                self.entries[number as usize / BLOCK_ENTRIES][number as usize % BLOCK_ENTRIES].count += 1;
                return Ok(());
            }
            slot = (slot + 1) & (self.index.len() - 1);
        }
        let number = self.insert(word, hash)?;
        self.index[slot] = number + 1;
        Ok(())
    }

    /// How many different words there are.
    pub fn distinct(&self) -> usize {
        self.distinct
    }

    /// Every word with its count, in the order of first occurrence.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], u64)> {
        self.entries.iter().flatten().map(|entry| (self.text_of(entry), entry.count))
    }

    fn entry(&self, number: usize) -> Entry {
        self.entries[number / BLOCK_ENTRIES][number % BLOCK_ENTRIES]
    }

    fn text_of(&self, entry: &Entry) -> &[u8] {
        &self.text[entry.block as usize][entry.start as usize..][..entry.length as usize]
    }

    fn insert(&mut self, word: &[u8], hash: u32) -> Result<u32, ProgramError> {
        let number = u32::try_from(self.distinct).ok().filter(|number| *number < u32::MAX).ok_or(ProgramError::Heap)?;
        let length = u32::try_from(word.len()).map_err(|_| ProgramError::Heap)?;
        if self.distinct.is_multiple_of(BLOCK_ENTRIES) && self.entries.len() * BLOCK_ENTRIES == self.distinct {
            let mut block = Vec::new();
            block.try_reserve_exact(BLOCK_ENTRIES)?;
            self.entries.try_reserve(1)?;
            self.entries.push(block);
        }
        if self.text.last().is_none_or(|block| block.capacity() - block.len() < word.len()) {
            let mut block = Vec::new();
            block.try_reserve_exact(BLOCK_BYTES.max(word.len()))?;
            self.text.try_reserve(1)?;
            self.text.push(block);
        }
        let block = self.text.len() - 1;
        let start = self.text[block].len() as u32;
        self.text[block].extend_from_slice(word);
        let entry = Entry { count: 1, block: block as u32, start, length, hash };
        self.entries[self.distinct / BLOCK_ENTRIES].push(entry);
        self.distinct += 1;
        Ok(number)
    }

    /// Doubles the index.
    fn grow(&mut self) -> Result<(), ProgramError> {
        let slots = (self.index.len() * 2).max(FIRST_SLOTS);
        let mut index = Vec::new();
        index.try_reserve_exact(slots)?;
        index.resize(slots, 0);
        for (number, entry) in self.entries.iter().flatten().enumerate() {
            let mut slot = entry.hash as usize & (slots - 1);
            while index[slot] != 0 {
                slot = (slot + 1) & (slots - 1);
            }
            index[slot] = number as u32 + 1;
        }
        self.index = index;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn it_counts_like_a_map(words in proptest::collection::vec("[a-d]{0,4}", 0..3000)) {
            let (mut counts, mut map) = (Counts::default(), BTreeMap::<&[u8], u64>::new());
            for word in &words {
                counts.add(word.as_bytes()).unwrap();
                *map.entry(word.as_bytes()).or_default() += 1;
            }
            prop_assert_eq!(counts.distinct(), map.len());
            prop_assert_eq!(counts.iter().collect::<BTreeMap<_, _>>(), map);
        }
    }

    #[test]
    fn many_words_and_very_long_ones_fit() {
        let mut counts = Counts::default();
        let long = vec![b'x'; 3 * BLOCK_BYTES];
        for round in 0..2 {
            (0..20_000u32).for_each(|n| counts.add(&n.to_le_bytes()).unwrap());
            counts.add(&long).unwrap();
            assert_eq!(counts.distinct(), 20_001, "round {round}");
        }
        assert!(counts.iter().all(|(_, count)| count == 2));
    }
}
