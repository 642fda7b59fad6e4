//! The heap: a fixed region, given once. It never grows; an allocation that does not fit fails (`try_reserve` says so).

use core::alloc::{GlobalAlloc, Layout};
use talc::TalcCell;
use talc::source::Manual;

/// A global allocator for a program with one thread.
pub struct Heap(TalcCell<Manual>);

// SAFETY: programs that use this runtime have one thread, and no signal handlers or interrupts run their code.
unsafe impl Sync for Heap {}

impl Heap {
    /// A heap without memory.
    pub const fn new() -> Self {
        Self(TalcCell::new(Manual))
    }

    /// Gives the heap its memory. A region too small to manage is left alone.
    ///
    /// # Safety
    /// `base .. base + bytes` is mapped, writable, used by nobody else, and stays so.
    pub unsafe fn give(&self, base: *mut u8, bytes: usize) {
        if bytes != 0 {
            // SAFETY: the caller's promise; the manual source allows claiming by hand.
            let _ = unsafe { self.0.claim(base, bytes) };
        }
    }
}

impl Default for Heap {
    fn default() -> Self {
        Self::new()
    }
}

// SAFETY: forwards to an allocator that keeps the contract.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        unsafe { self.0.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { self.0.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        // SAFETY: the caller's promise.
        unsafe { self.0.realloc(pointer, layout, bytes) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heap_gives_what_it_was_given_and_then_says_no() {
        let heap = Heap::new();
        let layout = Layout::from_size_align(1000, 16).unwrap();
        // SAFETY: without memory every allocation fails, and the memory given is this test's own.
        unsafe {
            assert!(heap.alloc(layout).is_null());
            let memory = vec![0u8; 100_000].leak();
            heap.give(memory.as_mut_ptr(), memory.len());
            let blocks: Vec<_> = std::iter::repeat_with(|| heap.alloc(layout)).take_while(|p| !p.is_null()).collect();
            assert!(blocks.len() > 80 && blocks.len() < 100);
            blocks.iter().for_each(|pointer| heap.dealloc(*pointer, layout));
            assert!(!heap.alloc(Layout::from_size_align(80_000, 16).unwrap()).is_null(), "freed blocks join");
        }
    }
}
