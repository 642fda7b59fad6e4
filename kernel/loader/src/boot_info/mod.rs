//! What the boot loader says about the machine: regions of memory, modules, the ACPI root pointer, the framebuffer.
//!
//! Two protocols, one result. Both parsers read through a [`PhysicalView`], trust no length, and are done with the boot
//! loader's memory when they return. Tests: beside each parser.

mod multiboot2;
mod pvh;

use crate::framebuffer::Framebuffer;
use crate::refuse;
use crate::{PhysicalView, Refusal, Span};
use heapless::Vec;

/// Most regions that are kept.
pub const MAX_REGIONS: usize = 256;
/// Most modules that are looked at.
pub const MAX_MODULES: usize = 16;
/// Size of the newest ACPI root pointer in bytes.
pub const RSDP_BYTES: usize = 36;

/// How the loader was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// The PVH entry (`qemu -kernel`).
    Pvh,
    /// The multiboot2 entry (GRUB).
    Multiboot2,
}

/// A region of the boot loader's memory map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// Where.
    pub span: Span,
    /// The firmware's type; [`Region::RAM`] is free RAM, every other is not.
    pub kind: u32,
}

impl Region {
    /// The type of free RAM, in both protocols.
    pub const RAM: u32 = 1;

    /// Free RAM.
    pub fn is_ram(&self) -> bool {
        self.kind == Self::RAM
    }
}

/// Where the ACPI root pointer is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RootPointer {
    /// Not said.
    #[default]
    Unknown,
    /// At this physical address.
    At(u64),
    /// The boot loader copied it; the original's address is not known.
    Copy([u8; RSDP_BYTES]),
}

/// Everything the boot loader said.
#[derive(Clone, Debug, Default)]
pub struct BootInfo {
    /// The memory map, as listed.
    pub regions: Vec<Region, MAX_REGIONS>,
    /// Modules, as listed.
    pub modules: Vec<Span, MAX_MODULES>,
    /// The ACPI root pointer.
    pub root_pointer: RootPointer,
    /// The framebuffer, if it set one up. PVH has no word for it.
    pub framebuffer: Option<Framebuffer>,
}

impl BootInfo {
    /// Reads the information that `protocol` left at physical address `address`.
    pub fn parse(protocol: Protocol, view: &impl PhysicalView, address: u64) -> Result<Self, Refusal> {
        match protocol {
            Protocol::Pvh => pvh::parse(view, address),
            Protocol::Multiboot2 => multiboot2::parse(view, address),
        }
    }

    fn add_region(&mut self, base: u64, size: u64, kind: u32) -> Result<(), Refusal> {
        // A region that runs over the end of the address space is cut there.
        let span = Span::new(base, size).unwrap_or(Span::between(base, u64::MAX));
        self.regions
            .push(Region { span, kind })
            .map_err(|_| refuse!(BootInfo, "the memory map has more than {MAX_REGIONS} regions"))
    }

    fn add_module(&mut self, span: Span) {
        // The archive is one module; what comes after the sixteenth cannot matter.
        let _ = self.modules.push(span);
    }
}
