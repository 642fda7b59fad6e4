//! Placement: the first gap that fits, below no owner's feet.
//!
//! `tests/properties.rs` shows that nothing placed overlaps anything.

use crate::size::{Extent, GIB, MIB};

/// The loader's own memory, with the first MiB before it: no slice or channel may lie here.
pub const LOADER_HOLE: Extent = Extent { base: 0, size: 16 * MIB };
/// Where PCs keep devices, firmware and APICs: no RAM is expected here.
pub const DEVICE_HOLE: Extent = Extent { base: 3 * GIB, size: GIB };
/// End of what a kernel window reaches.
pub const WINDOW_END: u64 = manifest::handoff::WINDOW_PHYS_LIMIT;
/// End of any physical address.
pub const PHYSICAL_END: u64 = 1 << 52;

/// Memory in use.
#[derive(Clone, Debug)]
pub struct Occupied(Vec<Extent>);

impl Default for Occupied {
    fn default() -> Self {
        Self(vec![LOADER_HOLE, DEVICE_HOLE])
    }
}

impl Occupied {
    /// Marks memory as used; it may overlap what is used already.
    pub fn add(&mut self, extent: Extent) {
        let at = self.0.partition_point(|other| other.base < extent.base);
        self.0.insert(at, extent);
    }

    /// The lowest `size` free bytes at a multiple of `align` (a power of two), now used; `None` if there is no place
    /// below [`WINDOW_END`].
    pub fn place(&mut self, size: u64, align: u64) -> Option<Extent> {
        let mut base = 0_u64;
        for used in &self.0 {
            if used.base >= base.checked_add(size)? {
                break;
            }
            base = base.max(used.end().checked_next_multiple_of(align)?);
        }
        let extent = Extent { base, size };
        if base.checked_add(size)? > WINDOW_END {
            return None;
        }
        self.add(extent);
        Some(extent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_filled_from_below() {
        let mut occupied = Occupied::default();
        occupied.add(Extent { base: 20 * MIB, size: 4 * MIB });
        let place = |occupied: &mut Occupied, mib| occupied.place(mib * MIB, 2 * MIB).map(|extent| extent.base / MIB);
        assert_eq!(place(&mut occupied, 6), Some(24));
        assert_eq!(place(&mut occupied, 4), Some(16));
        assert_eq!(place(&mut occupied, 3072), Some(4096));
    }

    #[test]
    fn there_is_an_end() {
        assert_eq!(Occupied::default().place(WINDOW_END, 2 * MIB), None);
        assert_eq!(Occupied::default().place(u64::MAX, 2 * MIB), None);
    }
}
