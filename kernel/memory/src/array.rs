//! [`Array`]: objects side by side, with one comparison between an index and its object.

use crate::{Object, Ref, WINDOW_BASE, WINDOW_BITS};

/// `len` objects, the first at `first`. All of them lie in the window.
#[repr(C)]
#[derive(Debug)]
pub struct Array<T> {
    first: Option<Ref<T>>,
    len: u64,
}

impl<T: Object> Array<T> {
    /// No objects.
    pub const EMPTY: Self = Self { first: None, len: 0 };

    /// The `len` objects from `first` on; none if they do not all lie in the window.
    pub fn new(first: Ref<T>, len: u64) -> Self {
        let room = (WINDOW_BASE + (1 << WINDOW_BITS)).wrapping_sub(first.word());
        let bytes = len.checked_mul(size_of::<T>() as u64);
        if bytes.is_some_and(|bytes| bytes <= room) { Self { first: Some(first), len } } else { Self::EMPTY }
    }

    /// Object `index`.
    #[inline(always)]
    pub fn get(self, index: u64) -> Option<Ref<T>> {
        // SAFETY: only `new` makes an array with objects, and it has a first one then, and all of them in the window.
        (index < self.len).then(|| unsafe { self.first.unwrap_unchecked().next(index) })
    }
}

impl<T> Clone for Array<T> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Array<T> {}

impl<T> PartialEq for Array<T> {
    fn eq(&self, other: &Self) -> bool {
        (self.first, self.len) == (other.first, other.len)
    }
}

impl<T> Eq for Array<T> {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Phys;

    #[repr(C)]
    #[derive(Debug)]
    struct Word(core::cell::Cell<u64>);
    crate::object!(Word);

    #[test]
    fn an_index_names_an_object_or_nothing() {
        let array: Array<Word> = Array::new(Ref::at(Phys(4096)), 3);
        assert_eq!(array.get(0), Some(Ref::at(Phys(4096))));
        assert_eq!(array.get(2), Some(Ref::at(Phys(4112))));
        assert_eq!(array.get(3), None);
        assert_eq!(array.get(u64::MAX), None);
        assert_eq!(Array::<Word>::EMPTY.get(0), None);
    }

    #[test]
    fn an_array_ends_where_the_window_does() {
        let last: Ref<Word> = Ref::at(Phys((1 << WINDOW_BITS) - 8));
        assert_eq!(Array::new(last, 1).get(0), Some(last));
        assert_eq!(Array::new(last, 2).get(0), None);
        assert_eq!(Array::new(last, u64::MAX).get(0), None);
    }
}
