//! [`Object`] types and [`Ref`], the kernel's pointer.

use crate::{Phys, WINDOW_BASE, WINDOW_BITS};
use core::fmt;
use core::marker::PhantomData;
use core::num::NonZeroU64;
use core::ops::Deref;

/// A type that may be laid over raw memory of the window.
///
/// # Safety
/// `Self` is `repr(C)` or `repr(transparent)`, every byte pattern is a valid value, every field that the kernel changes
/// is inside a `Cell` or an atomic, it holds no Rust reference, and its alignment is at most 4096.
pub unsafe trait Object: 'static {}

/// Declares types of a crate that forbids `unsafe` to be [`Object`]s. Using it *is* the promise of the trait: `repr(C)`,
/// any bytes valid, changes only through cells, no Rust references. Each use is checked by eye and listed by a test.
#[macro_export]
macro_rules! object {
    ($($name:ty),+ $(,)?) => {
        $(
        const _: () = {
            // SAFETY: promised by the use of this macro, whose documentation lists what is promised.
            unsafe impl $crate::Object for $name {}
        };)+
    };
}

/// A reference to a `T` in the window: one word, copied freely, never null.
#[repr(transparent)]
pub struct Ref<T> {
    address: NonZeroU64,
    object: PhantomData<*const T>,
}

impl<T: Object> Ref<T> {
    const MASK: u64 = ((1 << WINDOW_BITS) - 1) & !(align_of::<T>() as u64 - 1);

    /// The object at physical address `phys`, which is masked into the window and aligned down for `T`.
    #[inline(always)]
    pub fn at(phys: Phys) -> Self {
        let address = WINDOW_BASE | (phys.0 & Self::MASK);
        // WINDOW_BASE has a bit set above the mask, so the sum is never zero.
        let address = NonZeroU64::new(address).unwrap_or(NonZeroU64::MIN);
        Self { address, object: PhantomData }
    }

    /// The object `index` places further on.
    ///
    /// # Safety
    /// It lies in the window.
    #[inline(always)]
    pub(crate) unsafe fn next(self, index: u64) -> Self {
        // SAFETY: no address of the window is zero.
        let address = unsafe { NonZeroU64::new_unchecked(self.address.get() + index * size_of::<T>() as u64) };
        Self { address, object: PhantomData }
    }

    /// Physical address of the object.
    #[inline(always)]
    pub fn phys(self) -> Phys {
        Phys(self.address.get() & ((1 << WINDOW_BITS) - 1))
    }

    /// The address itself, for comparing and printing.
    #[inline(always)]
    pub const fn word(self) -> u64 {
        self.address.get()
    }
}

impl<T: Object> Deref for Ref<T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: the address lies in the window and is aligned (`at`, the only constructor); `T: Object` allows any bytes
        // and shared mutation; window memory stays mapped for the life of the instance (invariant M1).
        unsafe { &*(self.address.get() as *const T) }
    }
}

impl<T> Clone for Ref<T> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Ref<T> {}

impl<T> PartialEq for Ref<T> {
    #[inline(always)]
    fn eq(&self, other: &Self) -> bool {
        self.address == other.address
    }
}

impl<T> Eq for Ref<T> {}

impl<T> fmt::Debug for Ref<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "@{:#x}", self.address.get())
    }
}

const _: () = assert!(size_of::<Option<Ref<u64>>>() == 8, "an absent reference is the zero word");
