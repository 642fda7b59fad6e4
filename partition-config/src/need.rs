//! How much memory a partition needs, following the loader's slice layout.
//!
//! ```text
//! base  kernel ELF, handoff, page tables, stacks | root task | manifest | files (2 MiB-aligned if 2 MiB or more) | free
//! ```

use crate::plan::{File, Need};
use crate::size::{GIB, LARGE_PAGE, MIB, PAGE};
use manifest::handoff::{MIN_ROOT_CNODE_BITS, STACK_BYTES};

/// Handoff, trampoline, and the page tables of a kernel, window tables aside.
const KERNEL_TABLES: u64 = 128 << 10;
/// Root CNode of the usual size, bootinfo and other objects of a root task.
const ROOT_TASK_ROOM: u64 = 512 << 10;
/// Page tables, TCB, CNode, scheduling context, IPC buffer of one program.
const PROGRAM_OBJECTS: u64 = 128 << 10;
/// Ready queues, idle thread and page tables of one core.
const CORE_OBJECTS: u64 = 64 << 10;
/// Bytes of a slot.
const SLOT: u64 = 32;
/// Added to what is needed when a partition leaves its size open.
const FREE_ROOM: u64 = MIB;

/// What is known of a partition before its memory is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Parts<'a> {
    /// Bytes from the first to the last address of the kernel image.
    pub kernel_span: u64,
    /// The same of the root task.
    pub root_span: u64,
    /// log2 of the slots of the root task's CNode.
    pub root_cnode_bits: u32,
    /// Cores.
    pub cores: u64,
    /// Files.
    pub files: &'a [File],
    /// Loaded segments, stack and heap of each program, in bytes.
    pub programs: &'a [u64],
    /// Channels between programs of the partition, in bytes.
    pub channels: u64,
    /// Mapped into programs beside their images: granted files and channels, in bytes.
    pub mapped: u64,
}

/// `value` rounded up to a multiple of `grain`, a power of two; saturating.
pub fn round_up(value: u64, grain: u64) -> u64 {
    value.saturating_add(grain - 1) & !(grain - 1)
}

/// Offset of each file in a partition's file area, and the size of the area.
pub fn file_area(sizes: impl IntoIterator<Item = u64>) -> (Vec<u64>, u64) {
    let mut end = 0_u64;
    let mut offsets = Vec::new();
    for size in sizes {
        let start = round_up(end, if size >= LARGE_PAGE { LARGE_PAGE } else { PAGE });
        offsets.push(start);
        end = round_up(start.saturating_add(size), PAGE);
    }
    (offsets, end)
}

/// log2 of the slots of the root task's CNode if nobody says: a page of the image takes one, and half are left.
pub fn root_cnode_bits(root_span: u64) -> u32 {
    (2 * root_span.div_ceil(PAGE)).next_power_of_two().trailing_zeros().max(MIN_ROOT_CNODE_BITS)
}

/// What the objects of a root task take, page tables of its image included.
fn room(parts: &Parts<'_>) -> u64 {
    let cnode = match parts.root_cnode_bits {
        ..=MIN_ROOT_CNODE_BITS => 0,
        // Aligned to its size.
        bits if bits > 16 => (2 * SLOT) << bits,
        bits => SLOT << bits,
    };
    ROOT_TASK_ROOM.saturating_add(cnode).saturating_add(parts.root_span.div_ceil(LARGE_PAGE).saturating_mul(PAGE))
}

/// The need, `window_bytes` being the size of the slice if it is fixed already.
pub fn of(parts: &Parts<'_>, window_bytes: Option<u64>) -> Need {
    let window_tables = window_bytes.unwrap_or(0).div_ceil(GIB).saturating_mul(PAGE);
    // The first core's objects are part of what every root task leaves room for.
    let stacks = parts.cores.saturating_mul(STACK_BYTES + CORE_OBJECTS).saturating_sub(CORE_OBJECTS);
    let kernel = parts.kernel_span.saturating_add(KERNEL_TABLES).saturating_add(stacks).saturating_add(window_tables);
    let before_files = round_up(kernel, PAGE).saturating_add(parts.root_span).saturating_add(16 * PAGE);
    let (_, area) = file_area(parts.files.iter().map(|file| file.content.len() as u64));
    let start = round_up(before_files, if area >= LARGE_PAGE { LARGE_PAGE } else { PAGE });
    let files = start.saturating_add(area).saturating_sub(kernel).saturating_sub(parts.root_span);
    // One page of page tables maps 2 MiB.
    let mapping = parts.mapped.div_ceil(LARGE_PAGE).saturating_mul(PAGE);
    let programs = parts.programs.iter().map(|bytes| bytes.saturating_add(PROGRAM_OBJECTS));
    let programs = programs.fold(mapping.saturating_add(parts.channels), u64::saturating_add);
    Need { kernel, root_task: parts.root_span, files, programs, room: room(parts) }
}

/// The size of a slice that leaves it open.
pub fn comfortable(need: &Need) -> u64 {
    round_up(need.total().saturating_add(FREE_ROOM), LARGE_PAGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_files_start_at_large_pages() {
        let (offsets, end) = file_area([5000, 3 << 20, 1]);
        assert_eq!(offsets, [0, 2 << 20, 5 << 20]);
        assert_eq!(end, (5 << 20) + 4096);
    }

    #[test]
    fn an_empty_partition_needs_little_and_gets_whole_large_pages() {
        let need = of(&Parts { kernel_span: 1 << 18, root_span: 1 << 17, cores: 1, ..Parts::default() }, None);
        assert!(need.total() < 2 << 20);
        assert_eq!(comfortable(&need) % LARGE_PAGE, 0);
    }
}
