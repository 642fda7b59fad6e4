//! A token that outlives its guard.
use sync::{CoreIndex, Held, Ranked, rank};

fn main() {
    let object: Ranked<rank::Object, ()> = Ranked::new(());
    let thread: Ranked<rank::Thread, ()> = Ranked::new(());
    let mut entry = Held::at_kernel_entry(CoreIndex::FIRST);
    let mut guard = object.lock(&mut entry);
    let token = guard.held();
    drop(guard);
    let _thread = thread.lock(token);
}
