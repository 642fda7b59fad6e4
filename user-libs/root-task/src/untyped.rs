//! Which untyped memory to take an object from: a mirror of how far the kernel has used each of them.
//!
//! The kernel takes objects from an untyped in ascending order, each aligned to its size, and never gives a gap back
//! while anything exists in it. This file repeats that arithmetic, so that the choice is made without asking. Tests: below.

use alloc::vec::Vec;
use sel4::Untyped;

/// One untyped capability and how much of it is used.
#[derive(Clone, Copy, Debug)]
pub struct Tracked {
    /// The capability.
    pub untyped: Untyped,
    /// Physical address.
    pub paddr: u64,
    /// Bytes.
    pub size: u64,
    /// Bytes used so far, gaps included.
    pub used: u64,
}

impl Tracked {
    /// Offset at which the next object of `1 << bits` bytes would lie, if it fits.
    fn place(&self, bits: u32) -> Option<u64> {
        let size = 1u64.checked_shl(bits)?;
        let at = self.used.checked_next_multiple_of(size)?;
        (at.checked_add(size)? <= self.size).then_some(at)
    }

    /// How many objects of `1 << bits` bytes fit, one behind the other.
    fn room(&self, bits: u32) -> u64 {
        self.place(bits).map_or(0, |at| (self.size - at) >> bits)
    }
}

/// Ordinary memory.
#[derive(Debug, Default)]
pub struct Memory {
    pieces: Vec<Tracked>,
}

impl Memory {
    /// Adds an unused untyped of `1 << bits` bytes.
    pub fn add(&mut self, untyped: Untyped, paddr: u64, bits: u32) {
        if let Some(size) = 1u64.checked_shl(bits) {
            self.pieces.push(Tracked { untyped, paddr, size, used: 0 });
        }
    }

    /// Takes up to `count` objects of `1 << bits` bytes from one untyped: where the least is wasted, then where the least
    /// is left, so that large aligned pieces survive. Gives the untyped and how many; `None` if not even one fits.
    pub fn take(&mut self, bits: u32, count: u64) -> Option<(Untyped, u64)> {
        let candidates = self.pieces.iter_mut().filter_map(|piece| piece.place(bits).map(|at| (piece, at)));
        let (piece, at) = candidates.min_by_key(|(piece, at)| (at - piece.used, piece.size - piece.used))?;
        let count = count.min(piece.room(bits));
        piece.used = at + (count << bits);
        Some((piece.untyped, count))
    }

    /// Treats an untyped as full: the kernel refused it.
    pub fn exhaust(&mut self, untyped: Untyped) {
        for piece in self.pieces.iter_mut().filter(|piece| piece.untyped == untyped) {
            piece.used = piece.size;
        }
    }

    /// Bytes left, gaps not counted.
    pub fn left(&self) -> u64 {
        self.pieces.iter().map(|piece| piece.size - piece.used).sum()
    }
}

/// Why there are no frames for a physical range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceError {
    /// No device untyped covers this address.
    NotOurs(u64),
    /// The range was passed already: ranges must be asked for in ascending order.
    Passed(u64),
}

/// One retype that brings frames, or skips over memory, in physical order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Make an untyped of `1 << bits` bytes and forget it: it covers a gap.
    Skip {
        /// Where from.
        untyped: Untyped,
        /// Its size.
        bits: u32,
    },
    /// Make `count` frames of `1 << bits` bytes (12 or 21).
    Frames {
        /// Where from.
        untyped: Untyped,
        /// Their size.
        bits: u32,
        /// How many, at most 256.
        count: u64,
    },
}

/// Physical ranges that the kernel never touches: devices, channels, files.
#[derive(Debug, Default)]
pub struct Devices {
    pieces: Vec<Tracked>,
}

const PAGE_BITS: u32 = abi::object::PAGE_BITS;
const LARGE_BITS: u32 = abi::object::LARGE_PAGE_BITS;

impl Devices {
    /// Adds an unused device untyped of `1 << bits` bytes.
    pub fn add(&mut self, untyped: Untyped, paddr: u64, bits: u32) {
        if let Some(size) = 1u64.checked_shl(bits) {
            self.pieces.push(Tracked { untyped, paddr, size, used: 0 });
        }
    }

    /// The next retype on the way to frames for `from .. to` (multiples of 4096), large ones where they fit; and the
    /// address up to which the range has frames then. `Ok(None)` when `from == to`.
    pub fn step(&mut self, from: u64, to: u64) -> Result<Option<(Step, u64)>, DeviceError> {
        if from >= to {
            return Ok(None);
        }
        let covers = |piece: &&mut Tracked| from >= piece.paddr && from - piece.paddr < piece.size;
        let piece = self.pieces.iter_mut().find(covers).ok_or(DeviceError::NotOurs(from))?;
        let (untyped, offset) = (piece.untyped, from - piece.paddr);
        let gap = offset.checked_sub(piece.used).ok_or(DeviceError::Passed(from))?;
        if gap != 0 {
            // The largest untyped that is aligned where the gap begins and does not reach over its end.
            let bits = gap.ilog2().min(piece.used.trailing_zeros());
            piece.used += 1 << bits;
            return Ok(Some((Step::Skip { untyped, bits }, from)));
        }
        let end = to.min(piece.paddr.saturating_add(piece.size));
        let large = 1u64 << LARGE_BITS;
        let (bits, until) = if from.is_multiple_of(large) && end - from >= large {
            (LARGE_BITS, end & !(large - 1))
        } else {
            let boundary = (from + 1).next_multiple_of(large);
            (PAGE_BITS, if boundary.saturating_add(large) <= end { boundary } else { end })
        };
        let count = ((until - from) >> bits).min(abi::object::RETYPE_FAN_OUT_LIMIT);
        piece.used += count << bits;
        Ok(Some((Step::Frames { untyped, bits, count }, from + (count << bits))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn small_objects_come_from_small_pieces_so_that_large_ones_stay_possible() {
        let mut memory = Memory::default();
        memory.add(Untyped::new(1), 0x20_0000, 21);
        memory.add(Untyped::new(2), 0x10_0000, 14);
        assert_eq!(memory.take(12, 3), Some((Untyped::new(2), 3)));
        assert_eq!(memory.take(4, 1), Some((Untyped::new(2), 1)));
        assert_eq!(memory.take(21, 1), Some((Untyped::new(1), 1)));
        assert_eq!(memory.take(12, 1), None, "what is left of the small one is no page");
        assert_eq!(memory.take(11, 5), Some((Untyped::new(2), 1)));
        assert_eq!(memory.left(), 0);
    }

    #[test]
    fn a_refused_piece_is_not_asked_again() {
        let mut memory = Memory::default();
        memory.add(Untyped::new(1), 0, 16);
        memory.exhaust(Untyped::new(1));
        assert_eq!(memory.take(4, 1), None);
    }

    fn frames(devices: &mut Devices, from: u64, to: u64) -> Result<Vec<(u32, u64)>, DeviceError> {
        let (mut at, mut found) = (from, Vec::new());
        while let Some((step, reached)) = devices.step(at, to)? {
            if let Step::Frames { bits, count, .. } = step {
                found.push((bits, count));
            }
            at = reached;
        }
        Ok(found)
    }

    #[test]
    fn large_frames_are_used_where_they_fit() {
        let mut devices = Devices::default();
        devices.add(Untyped::new(1), 0x4000_0000, 24);
        assert_eq!(frames(&mut devices, 0x4000_1000, 0x4000_3000), Ok(vec![(12, 2)]));
        assert_eq!(frames(&mut devices, 0x4020_0000, 0x4060_5000), Ok(vec![(21, 2), (12, 5)]));
        assert_eq!(frames(&mut devices, 0x4020_0000, 0x4040_0000), Err(DeviceError::Passed(0x4020_0000)));
        assert_eq!(frames(&mut devices, 0x5000_0000, 0x5000_1000), Err(DeviceError::NotOurs(0x5000_0000)));
        assert_eq!(frames(&mut devices, 0x4060_6000, 0x40c0_0000), Ok(vec![(12, 256), (12, 250), (21, 2)]));
    }

    /// What a kernel would do: objects in ascending order, aligned.
    fn model(step: Step, used: &mut u64) -> u64 {
        let (bits, count) = match step {
            Step::Skip { bits, .. } => (bits, 1),
            Step::Frames { bits, count, .. } => (bits, count),
        };
        let at = used.next_multiple_of(1 << bits);
        *used = at + (count << bits);
        at
    }

    proptest! {
        #[test]
        fn every_frame_lies_where_it_was_asked_for(
            cuts in proptest::collection::btree_set(0u64..4096, 2..12),
        ) {
            let base = 0x8000_0000;
            let mut devices = Devices::default();
            devices.add(Untyped::new(1), base, 24);
            let cuts: Vec<_> = cuts.into_iter().map(|page| base + page * 4096).collect();
            let mut used = 0;
            for range in cuts.chunks_exact(2) {
                let mut at = range[0];
                while let Some((step, reached)) = devices.step(at, range[1]).unwrap() {
                    let placed = base + model(step, &mut used);
                    if matches!(step, Step::Frames { .. }) {
                        prop_assert_eq!(placed, at);
                        prop_assert!(reached > at && base + used == reached);
                    }
                    at = reached;
                }
                prop_assert_eq!(at, range[1]);
            }
        }
    }
}
