//! Frames that more than one address space may need: physical ranges that exist before the root task does (files,
//! channels to other partitions, device registers), and channels between programs of the partition.
//!
//! Frames can be made in ascending order only, and a frame's capability can be mapped once only. So all ranges are
//! collected first, made in order, and kept; later mappings use copies.

use crate::error::RootError;
use crate::objects::{Objects, Run};
use crate::vspace::copy_run;
use alloc::vec::Vec;
use sel4::{ObjectType, Page};

/// The frames of one range.
#[derive(Debug)]
pub struct Frames {
    base: u64,
    size: u64,
    runs: Vec<Run>,
    state: Originals,
}

/// Whether the first capabilities of the frames are used for a mapping.
#[derive(Debug, PartialEq, Eq)]
enum Originals {
    Free,
    Mapped,
}

impl Frames {
    /// New zeroed memory of `size` bytes (whole pages), in large pages where it can be.
    pub fn fresh(objects: &mut Objects, size: u64) -> Result<Self, RootError> {
        let (small, large) = (1u64 << abi::object::PAGE_BITS, 1u64 << abi::object::LARGE_PAGE_BITS);
        let mut runs = Vec::new();
        let mut left = size;
        while left >= large {
            let Ok(first) = objects.create(ObjectType::LargePage, 0) else { break };
            runs.push(Run { first, bits: abi::object::LARGE_PAGE_BITS, count: 1 });
            left -= large;
        }
        runs.extend(objects.create_many(ObjectType::Page4K, 0, left.div_ceil(small))?);
        Ok(Self { base: 0, size, runs, state: Originals::Free })
    }

    /// How far the range begins behind a large page's boundary: it must be mapped so, for large frames to fit.
    pub fn skew(&self) -> u64 {
        self.base % (1 << abi::object::LARGE_PAGE_BITS)
    }

    /// Runs of unmapped capabilities to the frames, in ascending order of address.
    pub fn take(&mut self, objects: &mut Objects) -> Result<Vec<Run>, RootError> {
        if self.state == Originals::Free {
            self.state = Originals::Mapped;
            return Ok(self.runs.clone());
        }
        self.runs.iter().map(|run| copy_run(objects, *run)).collect()
    }

    /// Unmaps the capabilities that [`take`](Self::take) gave first, which makes them free again.
    pub fn release(&mut self) {
        for run in &self.runs {
            for frame in run.first..run.first + run.count {
                // Nothing depends on the outcome: a frame that stays mapped in the window is only memory read twice.
                let _ = Page::new(frame).unmap();
            }
        }
        self.state = Originals::Free;
    }
}

/// All ranges.
#[derive(Debug, Default)]
pub struct Ranges {
    frames: Vec<Frames>,
}

impl Ranges {
    /// Makes frames of these physical ranges (base, bytes), given in any order and as often as they are used.
    pub fn new(objects: &mut Objects, mut wanted: Vec<(u64, u64)>) -> Result<Self, RootError> {
        wanted.retain(|(_, size)| *size != 0);
        wanted.sort_unstable();
        wanted.dedup();
        let mut frames = Vec::with_capacity(wanted.len());
        for (base, size) in wanted {
            frames.push(Frames { base, size, runs: objects.device_frames(base, size)?, state: Originals::Free });
        }
        Ok(Self { frames })
    }

    /// The frames of a range given to [`new`](Self::new).
    pub fn get(&mut self, base: u64, size: u64) -> Result<&mut Frames, RootError> {
        let found = self.frames.iter_mut().find(|frames| (frames.base, frames.size) == (base, size));
        found.ok_or(RootError::Record("range of memory"))
    }
}
