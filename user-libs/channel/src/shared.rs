//! Shared memory as atomic words: the only file of the crate with `unsafe`.
//!
//! The peer may write at any time, so no `&[u8]` into the region is ever made. Every access is a relaxed atomic load or
//! store of an aligned 64-bit word (plain moves on x86-64), ordered where it must be by the positions' acquire and
//! release. Tests: below.

use crate::atomic::{AtomicU64, Ordering::Relaxed};

/// A stretch of shared memory, in 64-bit words.
#[derive(Clone, Copy)]
pub struct Region<'a> {
    words: &'a [AtomicU64],
}

impl<'a> Region<'a> {
    /// The region of `bytes` bytes at `base` (rounded down to whole words).
    ///
    /// # Safety
    /// `base` is 8-byte aligned, and `base .. base + bytes` stays mapped for `'a`: readable, and writable unless only
    /// reads are made through the region ([`broadcast::Subscriber`](crate::broadcast::Subscriber)). All other accesses
    /// of *this* program to that memory during `'a` are atomic too; the peer may do as it likes.
    #[cfg(not(feature = "explore"))]
    pub unsafe fn from_raw(base: *mut u8, bytes: usize) -> Self {
        // SAFETY: the caller promises a live, aligned mapping; AtomicU64 has the layout of u64 and allows concurrent
        // writes through other mappings.
        Self { words: unsafe { core::slice::from_raw_parts(base.cast::<AtomicU64>(), bytes / 8) } }
    }

    /// A region over words that this program already holds: for tests and for rings between threads.
    pub fn from_words(words: &'a [AtomicU64]) -> Self {
        Self { words }
    }

    /// The words.
    pub fn words(self) -> &'a [AtomicU64] {
        self.words
    }

    /// Size in bytes.
    pub fn byte_len(self) -> usize {
        self.words.len() * 8
    }

    /// The words `start .. start + count`, or none of them if they do not all exist.
    pub(crate) fn part(self, start: usize, count: usize) -> Option<&'a [AtomicU64]> {
        self.words.get(start..)?.get(..count)
    }
}

/// Bytes in shared memory, readable in place. The peer can change them while they are read: copy before you check.
#[derive(Clone, Copy)]
pub struct Bytes<'a> {
    words: &'a [AtomicU64],
    len: usize,
}

impl<'a> Bytes<'a> {
    /// The first `len` bytes of `words` (fewer if `words` is shorter).
    #[inline]
    pub(crate) fn new(words: &'a [AtomicU64], len: usize) -> Self {
        Self { words, len: len.min(words.len() * 8) }
    }

    /// The first `len` bytes of words that are just as many as these need.
    #[inline]
    pub(crate) fn exactly(words: &'a [AtomicU64], len: usize) -> Self {
        debug_assert_eq!(words.len(), len.div_ceil(8));
        Self { words, len }
    }

    /// Length in bytes.
    #[inline]
    pub fn len(self) -> usize {
        self.len
    }

    /// Whether there is no byte.
    #[inline]
    pub fn is_empty(self) -> bool {
        self.len == 0
    }

    /// The little-endian word number `index` (bytes behind the end read as the padding found there).
    #[inline]
    pub fn word(self, index: usize) -> Option<u64> {
        Some(self.words.get(index)?.load(Relaxed))
    }

    /// All of the message as words, if it has exactly so many.
    #[inline]
    pub fn words<const WORDS: usize>(self) -> Option<[u64; WORDS]> {
        let words: &[AtomicU64; WORDS] = self.words.try_into().ok().filter(|_| self.len == WORDS * 8)?;
        Some(core::array::from_fn(|index| words[index].load(Relaxed)))
    }

    /// The bytes from `offset` on, copied into `target`; returns how many there were.
    pub fn copy_from(self, offset: usize, target: &mut [u8]) -> usize {
        let count = self.len.saturating_sub(offset).min(target.len());
        let mut target = &mut target[..count];
        let mut index = offset / 8;
        let skip = offset % 8;
        if skip != 0 && count != 0 {
            let head = (8 - skip).min(count);
            let (now, later) = target.split_at_mut(head);
            now.copy_from_slice(&self.words[index].load(Relaxed).to_le_bytes()[skip..skip + head]);
            target = later;
            index += 1;
        }
        let words = self.words.get(index..).unwrap_or(&[]);
        let mut chunks = target.chunks_exact_mut(8);
        for (chunk, word) in (&mut chunks).zip(words) {
            chunk.copy_from_slice(&word.load(Relaxed).to_le_bytes());
        }
        let rest = chunks.into_remainder();
        if let (false, Some(word)) = (rest.is_empty(), words.get((count.saturating_sub((8 - skip) % 8)) / 8)) {
            let length = rest.len();
            rest.copy_from_slice(&word.load(Relaxed).to_le_bytes()[..length]);
        }
        count
    }

    /// Copies the whole into the front of `target`; returns how many bytes fitted.
    pub fn copy_to(self, target: &mut [u8]) -> usize {
        self.copy_from(0, target)
    }

    /// The bytes one by one; each word of shared memory is loaded once.
    pub fn iter(self) -> impl Iterator<Item = u8> + 'a {
        self.words.iter().flat_map(|word| word.load(Relaxed).to_le_bytes()).take(self.len)
    }
}

/// Asks the processor to have the line of `word` ready for a write. Nothing changes but the time the write will take.
#[inline(always)]
#[allow(clippy::pointers_in_nomem_asm_block, reason = "what it points to is not read")]
pub(crate) fn expect_write(word: &AtomicU64) {
    #[cfg(all(target_arch = "x86_64", not(feature = "explore")))]
    // SAFETY: a hint, which touches neither memory nor registers, and raises nothing on any address.
    unsafe {
        core::arch::asm!("prefetchw [{}]", in(reg) word, options(nomem, nostack, preserves_flags));
    }
    #[cfg(not(all(target_arch = "x86_64", not(feature = "explore"))))]
    let _ = word;
}

/// Writes bytes to shared words from the front, a word at a time.
pub(crate) struct WordWriter<'a> {
    words: &'a [AtomicU64],
    filled: usize,
    partial: u64,
}

impl<'a> WordWriter<'a> {
    /// A writer that starts at the first of `words`.
    #[inline]
    pub fn new(words: &'a [AtomicU64]) -> Self {
        Self { words, filled: 0, partial: 0 }
    }

    /// Bytes written so far.
    #[inline]
    pub fn len(&self) -> usize {
        self.filled
    }

    /// Appends as much of `bytes` as fits; returns how much that was.
    #[inline]
    pub fn append(&mut self, bytes: &[u8]) -> usize {
        let count = bytes.len().min(self.words.len() * 8 - self.filled);
        let mut rest = &bytes[..count];
        let skip = self.filled % 8;
        if skip != 0 {
            let (now, later) = rest.split_at((8 - skip).min(rest.len()));
            let mut word = self.partial.to_le_bytes();
            word[skip..skip + now.len()].copy_from_slice(now);
            self.store(u64::from_le_bytes(word), now.len());
            rest = later;
        }
        let chunks = rest.chunks_exact(8);
        let tail = chunks.remainder();
        for (chunk, word) in chunks.zip(self.words.get(self.filled / 8..).unwrap_or(&[])) {
            let mut value = [0; 8];
            value.copy_from_slice(chunk);
            word.store(u64::from_le_bytes(value), Relaxed);
        }
        self.filled += rest.len() - tail.len();
        if !tail.is_empty() {
            let mut word = [0; 8];
            word[..tail.len()].copy_from_slice(tail);
            self.store(u64::from_le_bytes(word), tail.len());
        }
        count
    }

    /// Stores the word that is being filled, which `count` more bytes are now part of.
    #[inline]
    fn store(&mut self, word: u64, count: usize) {
        self.words[self.filled / 8].store(word, Relaxed);
        self.filled += count;
        self.partial = if self.filled.is_multiple_of(8) { 0 } else { word };
    }
}

#[cfg(all(test, not(feature = "explore")))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(count: usize) -> Vec<AtomicU64> {
        (0..count).map(|_| AtomicU64::new(0)).collect()
    }

    proptest! {
        #[test]
        fn what_is_appended_piecemeal_is_read_back_from_any_offset(
            pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..8),
            offset in 0usize..80,
            room in 0usize..120,
        ) {
            let memory = words(24);
            let mut writer = WordWriter::new(&memory);
            let mut whole = Vec::new();
            for piece in &pieces {
                let taken = writer.append(piece);
                whole.extend_from_slice(&piece[..taken]);
            }
            prop_assert_eq!(writer.len(), whole.len());
            prop_assert!(whole.len() <= 24 * 8);
            let bytes = Bytes::new(&memory, whole.len());
            prop_assert_eq!(bytes.iter().collect::<Vec<_>>(), whole.clone());
            let mut copy = vec![0; room];
            let count = bytes.copy_from(offset, &mut copy);
            let expected = whole.get(offset..).unwrap_or(&[]);
            prop_assert_eq!(&copy[..count], &expected[..expected.len().min(room)]);
        }
    }

    #[test]
    fn a_region_hands_out_only_parts_that_exist() {
        let memory = words(4);
        let region = Region::from_words(&memory);
        assert_eq!(region.part(1, 3).map(<[_]>::len), Some(3));
        assert!(region.part(1, 4).is_none());
        assert!(region.part(5, 0).is_none());
        assert!(region.part(usize::MAX, usize::MAX).is_none());
    }
}
