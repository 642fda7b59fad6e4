//! The window of a host process: one reservation of address space, in which tests commit slices.
//!
//! Two slices at different physical addresses are two instances in one process, exactly as on the machine; memory
//! between them is not accessible, so a stray kernel reference faults here as it does there.

use crate::{Object, Phys, Range, Ref, WINDOW_BASE, WINDOW_BITS};
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// Gap between slices, so that an overrun faults.
const GUARD_BYTES: u64 = 2 << 20;

/// So much of the window is given out before any address is given again: a reference into a slice that is gone faults for
/// long. The rest is for devices.
const FRESH_BYTES: u64 = 1 << (WINDOW_BITS - 1);

/// Which addresses are free.
struct Addresses {
    /// Nobody had those from here on.
    next: u64,
    /// Slices that are gone, the oldest first.
    gone: VecDeque<Range>,
}

fn addresses() -> MutexGuard<'static, Addresses> {
    static ADDRESSES: OnceLock<Mutex<Addresses>> = OnceLock::new();
    let addresses = ADDRESSES.get_or_init(|| {
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
        Mutex::new(Addresses { next: 16 << 20, gone: VecDeque::new() })
    });
    addresses.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Addresses {
    fn take(&mut self, size: u64) -> u64 {
        let fresh = self.next + size + GUARD_BYTES;
        if fresh <= FRESH_BYTES {
            return std::mem::replace(&mut self.next, fresh);
        }
        let oldest = self.gone.iter().position(|range| range.size == size).and_then(|index| self.gone.remove(index));
        oldest.expect("a slice of this size is gone").base.0
    }
}

/// Memory of one instance in a test; given back when dropped.
#[derive(Debug)]
pub struct Slice {
    range: Range,
}

impl Slice {
    /// Commits a zeroed slice of `size` bytes (a multiple of 2 MiB) at a physical address that is free, 2 MiB-aligned.
    ///
    /// # Panics
    /// When half the window is used up and no slice of this size is gone.
    pub fn new(size: u64) -> Self {
        let base = addresses().take(size);
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
        addresses().gone.push_back(self.range);
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

    #[test]
    fn addresses_are_given_again_once_half_the_window_was_given_out() {
        let gone = |base, size| Range { base: Phys(base), size };
        let mut addresses = Addresses { next: 16 << 20, gone: [gone(1 << 20, 2 << 20), gone(5 << 20, 4 << 20)].into() };
        assert_eq!(addresses.take(4 << 20), 16 << 20, "nobody had this");
        addresses.next = FRESH_BYTES - (4 << 20);
        assert_eq!(addresses.take(4 << 20), 5 << 20);
        assert_eq!(addresses.take(2 << 20), FRESH_BYTES - (4 << 20), "it fits, with its guard");
        assert_eq!(addresses.take(2 << 20), 1 << 20);
        assert!(addresses.gone.is_empty());
    }
}
