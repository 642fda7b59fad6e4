//! Usable RAM: a boot loader's list of regions, made sorted, disjoint and page-aligned; and finding room in it.
//!
//! Boot loaders list regions in any order, overlapping, and unaligned; where they contradict each other the region that
//! is not RAM wins.

use crate::boot_info::Region;
use crate::refuse;
use crate::span::align_up;
use crate::{PAGE, Refusal, Span};
use heapless::Vec;

/// Most pieces of usable RAM.
pub const MAX_PIECES: usize = 256;

/// Usable RAM: ascending, disjoint, not touching, whole pages.
#[derive(Clone, Debug, Default)]
pub struct MemoryMap {
    pieces: Vec<Span, MAX_PIECES>,
}

impl MemoryMap {
    /// Normalises what a boot loader listed.
    pub fn new(regions: &[Region]) -> Result<Self, Refusal> {
        let too_many = || refuse!(MemoryMap, "the memory map falls into more than {MAX_PIECES} pieces");
        let mut sorted: Vec<Span, MAX_PIECES> = Vec::new();
        for region in regions.iter().filter(|region| region.is_ram()) {
            sorted.push(region.span.shrink(PAGE)).map_err(|_| too_many())?;
        }
        sorted.sort_unstable();
        let mut map = Self::default();
        for piece in sorted.iter().filter(|piece| !piece.is_empty()) {
            match map.pieces.last_mut() {
                Some(last) if piece.start() <= last.end() => {
                    *last = Span::between(last.start(), last.end().max(piece.end()));
                }
                _ => map.pieces.push(*piece).map_err(|_| too_many())?,
            }
        }
        for region in regions.iter().filter(|region| !region.is_ram()) {
            map.remove(region.span.grow(PAGE))?;
        }
        if map.pieces.is_empty() {
            return Err(refuse!(MemoryMap, "the boot loader lists no RAM"));
        }
        Ok(map)
    }

    fn remove(&mut self, hole: Span) -> Result<(), Refusal> {
        let mut kept: Vec<Span, MAX_PIECES> = Vec::new();
        for piece in &self.pieces {
            let parts = if piece.overlaps(hole) {
                [Span::between(piece.start(), hole.start()), Span::between(hole.end(), piece.end())]
            } else {
                [*piece, Span::default()]
            };
            for part in parts.into_iter().filter(|part| !part.is_empty()) {
                kept.push(part)
                    .map_err(|_| refuse!(MemoryMap, "the memory map falls into more than {MAX_PIECES} pieces"))?;
            }
        }
        self.pieces = kept;
        Ok(())
    }

    /// The pieces, ascending.
    pub fn pieces(&self) -> &[Span] {
        &self.pieces
    }

    /// Any of `span` is RAM.
    pub fn overlaps(&self, span: Span) -> bool {
        self.pieces.iter().any(|piece| piece.overlaps(span))
    }

    /// The lowest part of `span` that is not RAM, if any.
    pub fn first_hole(&self, span: Span) -> Option<Span> {
        let mut reached = span.start();
        for piece in &self.pieces {
            if piece.end() <= reached {
                continue;
            }
            if piece.start() > reached {
                break;
            }
            reached = piece.end();
        }
        let next = self.pieces.iter().map(|piece| piece.start()).find(|start| *start > reached).unwrap_or(u64::MAX);
        (reached < span.end()).then(|| Span::between(reached, span.end().min(next)))
    }

    /// The lowest address from `lowest` on with `size` bytes of RAM, `align`ed, clear of every obstacle.
    pub fn find_room(
        &self,
        size: u64,
        align: u64,
        lowest: u64,
        obstacles: impl Iterator<Item = Span> + Clone,
    ) -> Option<Span> {
        self.pieces.iter().find_map(|piece| {
            let mut start = align_up(piece.start().max(lowest), align)?;
            loop {
                let room = Span::new(start, size).filter(|room| piece.contains(*room))?;
                // Each turn passes the end of one obstacle, so there are no more turns than obstacles.
                match obstacles.clone().filter(|obstacle| obstacle.overlaps(room)).map(|it| it.end()).max() {
                    Some(end) => start = align_up(end, align)?,
                    None => return Some(room),
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ram(start: u64, end: u64) -> Region {
        Region { span: Span::between(start, end), kind: Region::RAM }
    }

    fn other(start: u64, end: u64) -> Region {
        Region { span: Span::between(start, end), kind: 2 }
    }

    #[test]
    fn regions_are_sorted_merged_aligned_and_reserved_ones_win() {
        let map = MemoryMap::new(&[
            ram(0x10_0000, 0x20_0000),
            ram(0x800, 0x9_fc00),
            ram(0x1f_0000, 0x30_0800),
            other(0x18_0001, 0x18_0002),
            ram(0x30_0000, 0x30_0000),
        ])
        .unwrap();
        let expected =
            [Span::between(0x1000, 0x9_f000), Span::between(0x10_0000, 0x18_0000), Span::between(0x18_1000, 0x30_0000)];
        assert_eq!(map.pieces(), expected);
    }

    #[test]
    fn the_hole_in_a_slice_is_named() {
        let map = MemoryMap::new(&[ram(0x1000, 0x3000), ram(0x5000, 0x9000)]).unwrap();
        assert_eq!(map.first_hole(Span::between(0x1000, 0x3000)), None);
        assert_eq!(map.first_hole(Span::between(0x2000, 0x9000)), Some(Span::between(0x3000, 0x5000)));
        assert_eq!(map.first_hole(Span::between(0x8000, 0xa000)), Some(Span::between(0x9000, 0xa000)));
        assert_eq!(map.first_hole(Span::between(0x0, 0x2000)), Some(Span::between(0x0, 0x1000)));
    }

    #[test]
    fn room_is_the_lowest_that_is_clear() {
        let map = MemoryMap::new(&[ram(0x1000, 0x3000), ram(0x10_0000, 0x20_0000)]).unwrap();
        let obstacles = [Span::between(0x10_1000, 0x10_3000), Span::between(0x10_4000, 0x10_5000)];
        let find = |size, align, lowest| map.find_room(size, align, lowest, obstacles.into_iter()).map(Span::start);
        assert_eq!(find(0x1000, 0x1000, 0), Some(0x1000));
        assert_eq!(find(0x1000, 0x1000, 0x10_0000), Some(0x10_0000));
        assert_eq!(find(0x2000, 0x1000, 0x10_0000), Some(0x10_5000));
        assert_eq!(find(0x20_0000, 0x1000, 0), None);
        assert_eq!(find(u64::MAX, 0x1000, 0), None);
    }

    #[test]
    fn no_ram_is_a_refusal() {
        assert!(MemoryMap::new(&[]).is_err());
        assert!(MemoryMap::new(&[ram(0x1001, 0x1fff)]).is_err());
    }

    proptest! {
        #[test]
        fn any_list_gives_ascending_disjoint_whole_pages(
            list in proptest::collection::vec((any::<u64>(), any::<u64>(), 0_u32..4), 0..40),
            hole in any::<(u64, u64)>(),
        ) {
            let regions: Vec<Region, 64> =
                list.iter().map(|&(start, end, kind)| Region { span: Span::between(start, end), kind }).collect();
            let Ok(map) = MemoryMap::new(&regions) else { return Ok(()) };
            for pair in map.pieces().windows(2) {
                prop_assert!(pair[0].end() < pair[1].start() || pair[0].end() == pair[1].start());
            }
            for piece in map.pieces() {
                prop_assert!(piece.start() % PAGE == 0 && piece.end() % PAGE == 0 && !piece.is_empty());
                prop_assert!(!regions.iter().any(|region| !region.is_ram() && region.span.overlaps(*piece)));
            }
            let _ = map.first_hole(Span::between(hole.0, hole.1));
        }
    }
}
