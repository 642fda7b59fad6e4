//! Memory for the objects of boot: taken from the top of the first memory range, in order of falling size, so that each
//! is aligned and nothing is lost between them. What is below becomes untyped memory.

use crate::BootError;
use memory::{Phys, clear};

/// Free memory `base .. end` of the first range.
#[derive(Debug)]
pub(crate) struct Allocator {
    base: u64,
    end: u64,
}

impl Allocator {
    pub(crate) fn new(base: u64, end: u64) -> Self {
        Self { base, end }
    }

    /// 2^`bits` zeroed bytes, aligned to their size.
    pub(crate) fn take(&mut self, bits: u32) -> Result<Phys, BootError> {
        let size = 1u64 << bits;
        let start = self.end.checked_sub(size).ok_or(BootError::OutOfMemory)? & !(size - 1);
        if start < self.base {
            return Err(BootError::OutOfMemory);
        }
        clear(Phys(start), bits);
        self.end = start;
        Ok(Phys(start))
    }

    /// Enough zeroed pages for `bytes` bytes, one behind the other.
    pub(crate) fn take_pages(&mut self, bytes: u64) -> Result<Phys, BootError> {
        let pages = bytes.div_ceil(1 << 12);
        let mut lowest = Phys(self.end);
        for _ in 0..pages {
            // Taken downwards, so the last taken is where they begin.
            lowest = self.take(12)?;
        }
        Ok(lowest)
    }

    /// What was not taken.
    pub(crate) fn rest(&self) -> (u64, u64) {
        (self.base, self.end)
    }
}

/// Cuts `base .. end` into naturally aligned powers of two of at least 2^`min_bits` and at most 2^`max_bits` bytes.
pub(crate) fn aligned_pieces(base: u64, end: u64, min_bits: u32, max_bits: u32) -> impl Iterator<Item = (u64, u32)> {
    let mut at = base.next_multiple_of(1 << min_bits);
    core::iter::from_fn(move || {
        let left = end.checked_sub(at).filter(|&left| left >= 1 << min_bits)?;
        let by_size = 63 - left.leading_zeros();
        let by_alignment = if at == 0 { max_bits } else { at.trailing_zeros() };
        let bits = by_size.min(by_alignment).min(max_bits);
        let piece = (at, bits);
        at += 1 << bits;
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_the_range_and_are_aligned() {
        let mut at = 0x1_3000;
        for (base, bits) in aligned_pieces(0x1_3000, 0x9a_5000, 4, 47) {
            assert_eq!(base, at);
            assert_eq!(base % (1 << bits), 0);
            at += 1 << bits;
        }
        assert_eq!(at, 0x9a_5000);
    }

    #[test]
    fn a_ragged_range_loses_only_what_is_smaller_than_the_minimum() {
        let pieces: Vec<_> = aligned_pieces(0x1001, 0x3fff, 12, 47).collect();
        assert_eq!(pieces, [(0x2000, 12)]);
    }
}
