//! The multikernel's form of the layer: an instance has one core and kernel entries do not nest (invariant X1), so holding
//! anything is a fact, not an act. All types but [`PerCore`] are zero-sized and all functions compile to nothing.

use crate::{Held, rank};

/// Cores that one kernel instance of this build can run on.
pub const CORES: usize = 1;
/// Which build this is.
pub const MODE: &str = "multikernel";

/// A core of the instance: the only one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CoreIndex;

impl CoreIndex {
    /// The core that brings the instance up.
    pub const FIRST: Self = CoreIndex;

    /// The core with index `n`; `None` beyond [`CORES`].
    #[inline(always)]
    pub const fn new(n: usize) -> Option<Self> {
        if n < CORES { Some(CoreIndex) } else { None }
    }

    /// Its index.
    #[inline(always)]
    pub const fn get(self) -> usize {
        0
    }
}

/// One `T` per core of the instance.
#[derive(Debug, Default)]
pub struct PerCore<T> {
    only: T,
}

impl<T> PerCore<T> {
    /// One value for each of `count` cores.
    ///
    /// # Errors
    /// The failure of `make`.
    ///
    /// # Panics
    /// If `count` is not 1.
    pub fn try_from_fn<E>(count: usize, mut make: impl FnMut(CoreIndex) -> Result<T, E>) -> Result<Self, E> {
        assert_eq!(count, CORES, "an instance of this build has one core");
        Ok(Self { only: make(CoreIndex)? })
    }

    /// The value of core `core`.
    #[inline(always)]
    pub const fn of(&self, core: CoreIndex) -> &T {
        let CoreIndex = core;
        &self.only
    }

    /// How many cores the instance has.
    #[expect(clippy::len_without_is_empty, reason = "an instance has at least one core")]
    #[inline(always)]
    pub const fn len(&self) -> usize {
        CORES
    }

    /// All cores with their values.
    pub fn iter(&self) -> impl Iterator<Item = (CoreIndex, &T)> {
        core::iter::once((CoreIndex, &self.only))
    }
}

/// The lock that keeps looked-up objects alive.
#[derive(Debug, Default)]
pub struct Existence(());

impl Existence {
    /// A free lock.
    pub const fn new() -> Self {
        Self(())
    }

    /// Holds existence together with other cores, of which there are none.
    #[inline(always)]
    pub fn share(&self, me: CoreIndex, _waiting: impl FnMut()) -> Shared<'_> {
        Shared { held: Held::new(me) }
    }

    /// The same, which never waits.
    #[inline(always)]
    pub fn share_at_once(&self, me: CoreIndex) -> Option<Shared<'_>> {
        Some(Shared { held: Held::new(me) })
    }

    /// Holds existence alone.
    #[inline(always)]
    pub fn exclude(&self, me: CoreIndex, _cores: usize, _waiting: impl FnMut()) -> Exclusive<'_> {
        Exclusive { held: Held::new(me) }
    }
}

macro_rules! guards {
    ($($(#[$doc:meta])* $name:ident)+) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name<'e> {
            held: Held<'e, rank::Existence>,
        }

        impl<'e> $name<'e> {
            /// The token that lets higher ranks be taken while this guard lives.
            #[inline(always)]
            pub fn held(&mut self) -> &mut Held<'e, rank::Existence> {
                &mut self.held
            }
        }
    )+};
}

guards! {
    /// Existence, held together with others. Objects stay alive; slots do not change.
    Shared
    /// Existence, held alone.
    Exclusive
}

impl Exclusive<'_> {
    /// Nobody waits.
    #[inline(always)]
    pub const fn is_awaited(&self) -> bool {
        false
    }
}

/// Requests that another core put back what it holds. There is no other core.
#[derive(Debug, Default)]
pub struct Recalls(());

impl Recalls {
    /// No requests.
    pub const fn new() -> Self {
        Self(())
    }

    /// Has nobody to ask.
    #[inline(always)]
    pub fn request(&self, _target: CoreIndex, _kick: impl FnOnce()) {}

    /// Is never asked.
    #[inline(always)]
    pub fn answer(&self, _me: CoreIndex, _put_back: impl FnOnce()) {}

    /// Never.
    #[inline(always)]
    pub const fn is_requested(&self, _me: CoreIndex) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Guard, Ranked, StripeGuard, Striped};

    #[test]
    fn guards_and_tokens_have_no_size_beyond_the_reference() {
        assert_eq!(size_of::<Held<'static, rank::Existence>>(), 0);
        assert_eq!(size_of::<Guard<'static, rank::Device, u64>>(), size_of::<&u64>());
        assert_eq!(size_of::<Ranked<rank::Device, u64>>(), size_of::<u64>());
        assert_eq!(size_of::<PerCore<u64>>(), size_of::<u64>());
        assert_eq!(size_of::<(CoreIndex, Existence, Recalls, Striped<rank::Object>)>(), 0);
        assert_eq!(size_of::<(Shared<'static>, Exclusive<'static>, StripeGuard<'static, rank::Object>)>(), 0);
    }

    #[test]
    fn the_only_core_is_never_recalled() {
        let recalls = Recalls::new();
        recalls.request(CoreIndex::FIRST, || panic!("there is nobody to kick"));
        recalls.answer(CoreIndex::FIRST, || panic!("there is nobody to ask"));
        assert!(!recalls.is_requested(CoreIndex::FIRST));
        assert_eq!(CoreIndex::new(1), None);
    }
}
