//! Physical address ranges that cannot be inside out, and rounding that cannot overflow.

use core::fmt;
use manifest::Memory;

/// Physical bytes `start .. end`; `start <= end` always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    start: u64,
    end: u64,
}

impl Span {
    /// `base .. base + size`, or `None` if that leaves 64 bits.
    pub const fn new(base: u64, size: u64) -> Option<Self> {
        match base.checked_add(size) {
            Some(end) => Some(Self { start: base, end }),
            None => None,
        }
    }

    /// `start .. end`, empty at `start` if `end` lies before it.
    pub const fn between(start: u64, end: u64) -> Self {
        Self { start, end: if end < start { start } else { end } }
    }

    /// First byte.
    pub const fn start(self) -> u64 {
        self.start
    }

    /// One behind the last byte.
    pub const fn end(self) -> u64 {
        self.end
    }

    /// Size in bytes.
    pub const fn size(self) -> u64 {
        self.end - self.start
    }

    /// Holds no byte.
    pub const fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// At least one byte in common.
    pub const fn overlaps(self, other: Self) -> bool {
        self.start < other.end && other.start < self.end && !self.is_empty() && !other.is_empty()
    }

    /// Every byte of `other` is in `self`.
    pub const fn contains(self, other: Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    /// `address` is one of its bytes.
    pub const fn contains_address(self, address: u64) -> bool {
        self.start <= address && address < self.end
    }

    /// The whole pages of `align` bytes (a power of two) inside; empty if there is none.
    pub fn shrink(self, align: u64) -> Self {
        match align_up(self.start, align) {
            Some(start) => Self::between(start, align_down(self.end, align)),
            None => Self::between(self.start, self.start),
        }
    }

    /// The whole pages of `align` bytes (a power of two) that touch it.
    pub fn grow(self, align: u64) -> Self {
        Self::between(align_down(self.start, align), align_up(self.end, align).unwrap_or(align_down(u64::MAX, align)))
    }

    /// As the contracts write it.
    pub const fn to_memory(self) -> Memory {
        Memory { base: self.start, size: self.end - self.start }
    }
}

/// A range of the manifest; `None` if it leaves 64 bits.
pub fn of_memory(memory: &Memory) -> Option<Span> {
    Span::new(memory.base, memory.size)
}

impl fmt::Display for Span {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:#x}..{:#x}", self.start, self.end)
    }
}

/// The next multiple of `align` (a power of two), or `None` above 64 bits.
pub const fn align_up(value: u64, align: u64) -> Option<u64> {
    match value.checked_add(align - 1) {
        Some(sum) => Some(align_down(sum, align)),
        None => None,
    }
}

/// The multiple of `align` (a power of two) at or below `value`.
pub const fn align_down(value: u64, align: u64) -> u64 {
    value & !(align - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_never_leaves_64_bits() {
        assert_eq!(Span::new(u64::MAX, 2), None);
        assert!(Span::between(5, 3).is_empty());
        assert!(Span::between(u64::MAX - 1, u64::MAX).shrink(4096).is_empty());
        assert_eq!(Span::between(1, u64::MAX).grow(4096).end(), u64::MAX - 4095);
    }

    #[test]
    fn touching_spans_do_not_overlap() {
        let low = Span::between(0, 10);
        assert!(!low.overlaps(Span::between(10, 20)));
        assert!(low.overlaps(Span::between(9, 20)));
        assert!(!low.overlaps(Span::between(5, 5)));
    }
}
