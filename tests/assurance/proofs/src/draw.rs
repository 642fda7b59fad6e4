//! Values, assumptions and checks: the model checker's, or the host's pseudo-random ones.

#[cfg(target_os = "none")]
mod back {
    unsafe extern "C" {
        safe fn any_word() -> u64;
        safe fn assume_that(condition: u32);
        safe fn check_that(condition: u32);
    }

    pub fn any() -> u64 {
        any_word()
    }

    pub fn assume(condition: bool) {
        assume_that(condition.into());
    }

    pub fn check(condition: bool) {
        check_that(condition.into());
    }
}

#[cfg(not(target_os = "none"))]
mod back {
    use std::cell::Cell;
    use std::panic::resume_unwind;

    std::thread_local!(static STATE: Cell<u64> = const { Cell::new(0) });

    /// An assumption that a sample does not meet.
    struct Unmet;

    fn next() -> u64 {
        // SplitMix64.
        let state = STATE.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        STATE.set(state);
        let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    pub fn any() -> u64 {
        // Small and large numbers, and ones with few bits: most assumptions are about those.
        let word = next();
        match next() % 4 {
            0 => word & 0xff,
            1 => 1 << (word & 63),
            2 => word >> (next() & 63),
            _ => word,
        }
    }

    pub fn assume(condition: bool) {
        if !condition {
            resume_unwind(Box::new(Unmet));
        }
    }

    #[track_caller]
    pub fn check(condition: bool) {
        assert!(condition, "a check of a harness does not hold");
    }

    /// Runs a harness once; whether its assumptions were met.
    #[cfg(test)]
    pub fn sample(seed: u64, harness: fn()) -> bool {
        STATE.set(seed.wrapping_mul(0x2545_f491_4f6c_dd1d));
        match std::panic::catch_unwind(harness) {
            Ok(()) => true,
            Err(reason) if reason.is::<Unmet>() => false,
            Err(reason) => resume_unwind(reason),
        }
    }
}

#[cfg(test)]
pub(crate) use back::sample;

/// Any word.
pub fn any() -> u64 {
    back::any()
}

/// Narrows what follows to values that meet `condition`.
pub fn assume(condition: bool) {
    back::assume(condition);
}

/// What must hold.
#[track_caller]
pub fn check(condition: bool) {
    back::check(condition);
}
