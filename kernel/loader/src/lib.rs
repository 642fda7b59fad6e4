//! The loader's reasoning: everything it decides before and while it touches the machine, testable on the host.
//!
//! What arrives from outside (boot information, ACPI tables, archive, ELF files) is an allegation: every reader here is
//! bounds-checked and ends in a value or a [`Refusal`] that names the culprit. The binary beside this library
//! (`src/main.rs`, `src/bare/`) adds what only a real machine has: entry code, consoles, APICs, timers.
//!
//! ```text
//!  boot_info  where RAM, modules, ACPI root pointer and framebuffer are said to be     (PVH, multiboot2)
//!  memory_map the usable RAM; finding room in it
//!  madt       which processors and I/O APICs exist
//!  archive    manifest and files: found, decoded, checksums
//!  check      manifest against machine
//!  layout     where everything goes inside one slice
//!  tables     page tables, W^X
//!  place      one instance: copy, zero, map, hand off
//! ```
//!
//! Invariants: an instance is written only through a [`PhysicalMemory`] bounded to its own slice; no mapping is both
//! writable and executable; a kernel window shows its slice and nothing of `Handoff.kernel`. Tests: beside each module.
#![cfg_attr(target_os = "none", no_std)]
// A refusal is built once, by value, on the way to the exit: its size costs nothing.
#![allow(clippy::result_large_err)]

pub mod acpi_tables;
pub mod archive;
pub mod boot_info;
pub mod check;
pub mod elf_image;
pub mod framebuffer;
pub mod handoff;
pub mod layout;
pub mod madt;
pub mod memory_map;
pub mod physical;
pub mod place;
pub mod refusal;
pub mod span;
pub mod tables;
#[cfg(test)]
mod test_system;

pub use physical::{PhysicalMemory, PhysicalView};
pub use refusal::{Code, Refusal};
pub use span::Span;

/// Bytes in a small page.
pub const PAGE: u64 = 4096;
/// Bytes in a large page.
pub const LARGE_PAGE: u64 = 2 << 20;
/// Physical memory below this is the loader's; partitions and channels lie above.
pub const LOADER_LIMIT: u64 = 16 << 20;
/// Where interrupt controllers, and what else a chipset has for itself, have their registers.
pub const CONTROLLERS: Span = Span::between(0xfec0_0000, 0xff00_0000);
