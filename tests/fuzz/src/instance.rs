//! A whole kernel instance whose threads do what the input says: no panic, and every invariant, between kernel entries.

use crate::run::{Random, Run, compare};

/// Enough to use up the longest input.
const STEPS: u64 = 400;
/// Steps between two audits while the fuzzer looks for inputs: what is broken mostly stays so, and audits are most of the
/// work. What it found worth keeping is audited after every step when it is run again.
const STRIDE: u64 = if cfg!(feature = "engine") { 16 } else { 1 };

/// One instance; the first byte says whether its system calls go without the fast paths.
pub fn run(bytes: &[u8]) {
    let Some((&choice, script)) = bytes.split_first() else { return };
    let mut run = Run::new(Random::of_script(script));
    run.system.slow.set(choice & 1 == 1);
    for step in 1..=STEPS {
        if run.is_over() {
            break;
        }
        run.step();
        if step.is_multiple_of(STRIDE) {
            run.system.audit_now();
        }
    }
    run.system.audit_now();
}

/// Two instances that do the same, one of them without the fast paths, end with the same memory.
pub fn fast_and_slow(bytes: &[u8]) {
    compare(&Random::of_script(bytes), STEPS);
}
