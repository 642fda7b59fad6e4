//! Where everything goes inside one slice.
//!
//! ```text
//!  memory[0].base ┌──────────────────────┐ ┐
//!                 │ kernel image         │ │
//!                 │ handoff page         │ │ Handoff.kernel: mapped where the kernel
//!                 │ switch page (copy)   │ │ expects it, absent from the window
//!                 │ page tables          │ │
//!                 │ page tables of gate  │ │
//!                 │ stack per core       │ ┘
//!                 │ root task image      │ ┐
//!                 │ partition manifest   │ │ in the window
//!                 │ file area            │ │ (2 MiB aligned if it is that large)
//!       free_base │ free …               │ ┘
//!                 └──────────────────────┘
//! ```

use crate::elf_image::{Image, Reach};
use crate::refuse;
use crate::span::{align_up, of_memory};
use crate::tables::{PageSize, tables_for};
use crate::{LARGE_PAGE, PAGE, Refusal, Span};
use manifest::Memory;
use manifest::handoff::{
    HANDOFF_VIRT, IO_APIC_VIRT, KERNEL_VIRT_BASE, STACK_BYTES, STACK_STRIDE, STACK_VIRT_BASE, WINDOW_VIRT_BASE,
};

/// What has to find its place.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Name of the partition, for refusals.
    pub partition: &'a str,
    /// The slice.
    pub memory: &'a [Memory],
    /// The kernel.
    pub kernel: &'a Image<'a>,
    /// The root task.
    pub root: &'a Image<'a>,
    /// Cores of the instance.
    pub cores: u64,
    /// Whether the kernel may isolate page tables.
    pub gate: Gate,
    /// Size of the partition manifest in bytes.
    pub manifest_bytes: u64,
    /// Size of the file area in bytes, whole pages.
    pub file_bytes: u64,
}

/// Whether an instance gets tables that map the gate only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// It does: its kernel may isolate page tables.
    Wanted,
    /// It does not.
    Unused,
}

/// The places, physical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Kernel image, gaps included.
    pub image: Span,
    /// Handoff page.
    pub handoff: Span,
    /// The instance's copy of the page that switches address spaces.
    pub switch: Span,
    /// Pool of page tables; the first is the top table.
    pub tables: Span,
    /// Pool of page tables that map the gate only; empty if there is none.
    pub gate_tables: Span,
    /// Stacks, [`STACK_BYTES`] for each core.
    pub stacks: Span,
    /// All of the above.
    pub kernel: Span,
    /// Root task image.
    pub root: Span,
    /// Partition manifest, its exact size.
    pub manifest: Span,
    /// File area.
    pub files: Span,
    /// First free byte behind all of it.
    pub free_base: u64,
}

impl Layout {
    /// Chooses the places; refuses when the first memory range is too small.
    pub fn new(request: &Request<'_>) -> Result<Self, Refusal> {
        let partition = request.partition;
        let slice = request
            .memory
            .first()
            .and_then(of_memory)
            .ok_or_else(|| refuse!(ManifestConflict, "partition \"{partition}\" has no memory"))?;
        let mut next = slice.start();
        let mut take = |what: &str, size: u64, align: u64| -> Result<Span, Refusal> {
            let span = align_up(next, align).and_then(|start| Span::new(start, size));
            let span = span.filter(|span| slice.contains(*span)).ok_or_else(|| {
                let (room, left) = (slice.size(), slice.end().saturating_sub(next));
                refuse!(
                    SliceTooSmall,
                    "partition \"{partition}\" has {room} bytes at {slice}: \
                     no room for its {what} ({size} bytes, {left} left)"
                )
            })?;
            next = span.end();
            Ok(span)
        };
        let image_bytes = request.kernel.virt.end().saturating_sub(KERNEL_VIRT_BASE);
        let image = take("kernel", image_bytes, PAGE)?;
        let handoff = take("handoff page", PAGE, PAGE)?;
        let switch = take("switch page", PAGE, PAGE)?;
        let tables = take("page tables", table_count(request) * PAGE, PAGE)?;
        let gate_tables = take("page tables of the gate", gate_table_count(request) * PAGE, PAGE)?;
        let stacks = take("kernel stacks", request.cores.saturating_mul(STACK_BYTES), PAGE)?;
        let root = take("root task", request.root.virt.size(), PAGE)?;
        let manifest = take("manifest", request.manifest_bytes, PAGE)?;
        let align = if request.file_bytes >= LARGE_PAGE { LARGE_PAGE } else { PAGE };
        let files = take("program files", request.file_bytes, align)?;
        let free_base = take("free memory", PAGE, PAGE)?.start();
        let kernel = Span::between(slice.start(), stacks.end());
        Ok(Self { image, handoff, switch, tables, gate_tables, stacks, kernel, root, manifest, files, free_base })
    }
}

/// Virtual addresses of the stacks of `cores` cores, guards included.
pub fn stack_area(cores: u64) -> Span {
    // Few cores (`MAX_CORES`): far from the end of the address space.
    Span::between(STACK_VIRT_BASE, STACK_VIRT_BASE.saturating_add(cores.saturating_mul(STACK_STRIDE)))
}

/// An upper bound: at most a few pages too many, as some tables are shared.
fn table_count(request: &Request<'_>) -> u64 {
    let image = Span::between(KERNEL_VIRT_BASE, request.kernel.virt.end());
    let fixed = Span::between(HANDOFF_VIRT, IO_APIC_VIRT + PAGE);
    let own = [image, fixed, stack_area(request.cores)];
    let window = request
        .memory
        .iter()
        .filter_map(of_memory)
        .filter_map(|range| Span::new(WINDOW_VIRT_BASE.checked_add(range.start())?, range.size()));
    let own: u64 = own.into_iter().map(|span| tables_for(span, PageSize::Small)).sum();
    let window: u64 = window.map(|span| tables_for(span, PageSize::Large)).sum();
    1 + own + window
}

/// An upper bound, as above.
fn gate_table_count(request: &Request<'_>) -> u64 {
    if request.gate == Gate::Unused {
        return 0;
    }
    let gate = request.kernel.segments.iter().filter(|segment| segment.reach == Reach::Gate);
    1 + gate.map(|segment| tables_for(segment.virt, PageSize::Small)).sum::<u64>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Code;
    use crate::test_system::{kernel_elf, root_elf};

    fn lay(size: u64, file_bytes: u64, cores: u64) -> Result<Layout, Refusal> {
        let (kernel, root) = (kernel_elf(), root_elf());
        Layout::new(&Request {
            partition: "one",
            memory: &[Memory { base: 0x1ff_f000, size }],
            kernel: &Image::kernel(&kernel, "one").unwrap(),
            root: &Image::root_task(&root, "one").unwrap(),
            cores,
            gate: Gate::Wanted,
            manifest_bytes: 1000,
            file_bytes,
        })
    }

    #[test]
    fn places_ascend_without_overlap_and_the_kernel_is_at_the_base() {
        let layout = lay(8 << 20, 0x5000, 3).unwrap();
        assert_eq!(layout.kernel.start(), 0x1ff_f000);
        assert_eq!(layout.stacks.size(), 3 * STACK_BYTES);
        let order = [
            layout.image,
            layout.handoff,
            layout.switch,
            layout.tables,
            layout.gate_tables,
            layout.stacks,
            layout.root,
            layout.manifest,
            layout.files,
            Span::between(layout.free_base, layout.free_base + PAGE),
        ];
        for pair in order.windows(2) {
            assert!(pair[0].end() <= pair[1].start(), "{pair:?}");
            assert_eq!(pair[1].start() % PAGE, 0);
        }
    }

    #[test]
    fn a_large_file_area_is_aligned_to_large_pages() {
        assert_eq!(lay(16 << 20, LARGE_PAGE, 1).unwrap().files.start() % LARGE_PAGE, 0);
        assert_ne!(lay(16 << 20, LARGE_PAGE - PAGE, 1).unwrap().files.start() % LARGE_PAGE, 0);
    }

    #[test]
    fn a_slice_too_small_says_what_did_not_fit() {
        let refusal = lay(0x4000, 0, 1).unwrap_err();
        assert_eq!(refusal.code(), Code::SliceTooSmall);
        assert!(refusal.text().contains("\"one\""), "{refusal}");
        assert!(lay(8 << 20, u64::MAX - PAGE, 1).unwrap_err().text().contains("program files"));
    }
}
