//! Slots, while a device is held.
use sync::{CoreIndex, Held, Ranked, rank};

fn main() {
    let first: Ranked<rank::Device, ()> = Ranked::new(());
    let second: Ranked<rank::Derivation, ()> = Ranked::new(());
    let mut entry = Held::at_kernel_entry(CoreIndex::FIRST);
    let mut first = first.lock(&mut entry);
    let _second = second.lock(first.held());
}
