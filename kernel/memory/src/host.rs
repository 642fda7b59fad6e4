//! The window of a host process: one reservation of address space, in which tests commit slices.
//!
//! Two slices at different physical addresses are two instances in one process, exactly as on the machine; memory
//! between them is not accessible, so a stray kernel reference faults here as it does there.

use crate::{Object, Phys, Range, Ref, WINDOW_BASE, WINDOW_BITS};
use std::sync::{Mutex, OnceLock};

/// Gap between slices, so that an overrun faults.
const GUARD_BYTES: u64 = 2 << 20;

fn reserve() -> &'static Mutex<u64> {
    static NEXT: OnceLock<Mutex<u64>> = OnceLock::new();
    NEXT.get_or_init(|| {
        // SAFETY: a fresh anonymous reservation at a fixed address that nothing else in the process uses; NOREPLACE makes
        // the call fail rather than overwrite a mapping.
        let result = unsafe {
            libc::mmap(
                WINDOW_BASE as *mut libc::c_void,
                1 << WINDOW_BITS,
                libc::PROT_NONE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_FIXED_NOREPLACE,
                -1,
                0,
            )
        };
        assert_eq!(result as u64, WINDOW_BASE, "the host refuses the window's address range");
        Mutex::new(16 << 20)
    })
}

/// Memory of one instance in a test; given back when dropped.
#[derive(Debug)]
pub struct Slice {
    range: Range,
}

impl Slice {
    /// Commits a zeroed slice of `size` bytes (a multiple of 2 MiB) at a fresh physical address, 2 MiB-aligned.
    pub fn new(size: u64) -> Self {
        let mut next = reserve().lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let base = *next;
        *next = base + size + GUARD_BYTES;
        assert!(*next < 1 << WINDOW_BITS, "the host window is used up");
        protect(base, size, libc::PROT_READ | libc::PROT_WRITE);
        Self { range: Range { base: Phys(base), size } }
    }

    /// Physical range of the slice.
    pub fn range(&self) -> Range {
        self.range
    }
}

impl Drop for Slice {
    fn drop(&mut self) {
        let (base, size) = (self.range.base.0, self.range.size);
        // SAFETY: the range was committed by `new` and belongs to this value alone.
        unsafe { libc::madvise((WINDOW_BASE + base) as *mut libc::c_void, size as usize, libc::MADV_DONTNEED) };
        protect(base, size, libc::PROT_NONE);
    }
}

fn protect(base: u64, size: u64, protection: libc::c_int) {
    // SAFETY: the range lies inside the reservation made by `reserve`.
    let result = unsafe { libc::mprotect((WINDOW_BASE + base) as *mut libc::c_void, size as usize, protection) };
    assert_eq!(result, 0, "the host refuses memory for a slice");
}

/// Copies `bytes` into the object at the start of `target`'s page; stops at 4096 bytes.
pub fn copy_into_object<T: Object>(target: Ref<T>, bytes: &[u8]) {
    let room = 4096 - (target.word() & 4095);
    let length = bytes.len().min(room as usize);
    // SAFETY: the target page is mapped window memory (invariant M1); `bytes` is ordinary kernel memory outside the window,
    // so the two do not overlap.
    unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), target.word() as *mut u8, length) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clear;
    use std::cell::Cell;

    #[repr(C)]
    struct Pair(Cell<u64>, Cell<u64>);
    // SAFETY: two cells of plain words.
    unsafe impl Object for Pair {}

    #[test]
    fn a_reference_names_its_physical_address_and_sees_writes() {
        let slice = Slice::new(2 << 20);
        let base = slice.range().base;
        let first: Ref<Pair> = Ref::at(base);
        let again: Ref<Pair> = Ref::at(base.offset(7));
        assert_eq!(first, again, "addresses are aligned down for the type");
        assert_eq!(first.phys(), base);
        first.1.set(42);
        assert_eq!(again.1.get(), 42);
        clear(base, 4);
        assert_eq!(first.1.get(), 0);
    }

    #[test]
    fn slices_do_not_overlap() {
        let (one, two) = (Slice::new(2 << 20), Slice::new(2 << 20));
        assert!(!one.range().overlaps(two.range()));
    }
}
