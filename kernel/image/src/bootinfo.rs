//! The bootinfo page.

use abi::bootinfo::BootInfo;
use core::cell::Cell;
use memory::Ref;

/// A page with nothing behind its layout.
#[repr(C, align(4096))]
pub(crate) struct Page(Cell<BootInfo>);

memory::object!(Page);

/// Writes `info` into the zeroed page.
pub(crate) fn write(page: Ref<Page>, info: &BootInfo) {
    page.0.set(*info);
}
