//! Scheduling contexts of other storms, moved from core to core while their threads run, wait, serve and fault.

use super::Dice;
use crate::crew::rest;
use crate::ledger::{count, must, stopping};
use crate::props::PROPS;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use sel4::{Budget, yield_now};

/// Cores to move them to.
pub static CORES: AtomicU64 = AtomicU64::new(1);

/// Moves one after the other, by chance.
pub extern "C" fn drover(index: usize) -> ! {
    let mut dice = Dice::of(index);
    loop {
        while !stopping() {
            if let Some(context) = PROPS.nomad(dice.below(1 << 16)) {
                let core = dice.below(CORES.load(Relaxed) as usize);
                must(30, PROPS.control(core).configure(context, Budget::round_robin(500 + dice.below(2000) as u64)));
                count(index);
            }
            if dice.below(64) == 0 {
                yield_now();
            }
        }
        rest(index);
    }
}
