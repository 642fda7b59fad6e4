//! [`CoreIndex`] and [`PerCore`].

use heapless::Vec;

/// Cores that one kernel instance of this build can run on.
pub const CORES: usize = if cfg!(feature = "explore") { 4 } else { 16 };

// An index is masked to its range, so that tables of `CORES` entries need no bound check.
const _: () = assert!(CORES.is_power_of_two() && CORES <= u8::MAX as usize);

/// A core of the instance, from 0 to [`CORES`] − 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CoreIndex(u8);

impl CoreIndex {
    /// The core that brings the instance up.
    pub const FIRST: Self = CoreIndex(0);

    /// The core with index `n`; `None` beyond [`CORES`].
    #[inline(always)]
    pub const fn new(n: usize) -> Option<Self> {
        if n < CORES { Some(CoreIndex(n as u8)) } else { None }
    }

    /// Its index.
    #[inline(always)]
    pub const fn get(self) -> usize {
        self.0 as usize & (CORES - 1)
    }
}

/// One `T` per core of the instance.
#[derive(Debug)]
pub struct PerCore<T> {
    slots: Vec<T, CORES>,
}

impl<T> PerCore<T> {
    /// One value for each of `count` cores.
    ///
    /// # Errors
    /// The first failure of `make`.
    ///
    /// # Panics
    /// If `count` is 0 or above [`CORES`].
    pub fn try_from_fn<E>(count: usize, make: impl FnMut(CoreIndex) -> Result<T, E>) -> Result<Self, E> {
        assert!((1..=CORES).contains(&count), "an instance has 1 to {CORES} cores");
        Ok(Self { slots: (0..count).filter_map(CoreIndex::new).map(make).collect::<Result<_, E>>()? })
    }

    /// The value of core `core`.
    ///
    /// # Panics
    /// If the instance has no such core. Any other answer would be another core's state. The check is two instructions.
    #[inline(always)]
    pub fn of(&self, core: CoreIndex) -> &T {
        &self.slots[core.get()]
    }

    /// How many cores the instance has.
    #[expect(clippy::len_without_is_empty, reason = "an instance has at least one core")]
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// All cores with their values.
    pub fn iter(&self) -> impl Iterator<Item = (CoreIndex, &T)> {
        (0..).map_while(CoreIndex::new).zip(&self.slots)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::convert::Infallible;

    fn three<T>(make: impl Fn(usize) -> T) -> PerCore<T> {
        PerCore::try_from_fn(3, |core| Ok::<T, Infallible>(make(core.get()))).unwrap()
    }

    #[test]
    fn every_core_has_its_own_value() {
        let names = three(|core| core * 10);
        assert_eq!(names.len(), 3);
        assert!(names.iter().all(|(core, name)| names.of(core) == name && *name == core.get() * 10));
        assert_eq!(names.iter().count(), 3);
    }

    #[test]
    fn a_value_that_cannot_be_made_is_said_so() {
        let made = PerCore::try_from_fn(3, |core| if core.get() == 2 { Err("no memory") } else { Ok(()) });
        assert_eq!(made.err(), Some("no memory"));
    }

    #[test]
    #[should_panic(expected = "index out of bounds")]
    fn a_core_that_the_instance_lacks_has_no_value() {
        three(|_| ()).of(CoreIndex::new(3).unwrap());
    }

    #[test]
    fn indices_end_with_the_build() {
        assert_eq!(CoreIndex::new(CORES - 1).unwrap().get(), CORES - 1);
        assert_eq!(CoreIndex::new(CORES), None);
    }
}
