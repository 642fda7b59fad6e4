//! What one core holds, used by another.
use sync::{CoreIndex, Held};

fn main() {
    let entry = Held::at_kernel_entry(CoreIndex::FIRST);
    std::thread::spawn(move || entry.core());
}
