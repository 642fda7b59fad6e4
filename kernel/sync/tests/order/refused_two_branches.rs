//! Two guards from one token: the second could be of a lower rank than the first.
use sync::{CoreIndex, Held, Ranked, rank};

fn main() {
    let thread: Ranked<rank::Thread, ()> = Ranked::new(());
    let object: Ranked<rank::Object, ()> = Ranked::new(());
    let mut entry = Held::at_kernel_entry(CoreIndex::FIRST);
    let thread = thread.lock(&mut entry);
    let object = object.lock(&mut entry);
    drop((thread, object));
}
