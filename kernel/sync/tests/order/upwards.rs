//! All ranks, upwards.
use sync::{CoreIndex, Held, Ranked, rank};

fn main() {
    let mut entry = Held::at_kernel_entry(CoreIndex::FIRST);
    let derivation: Ranked<rank::Derivation, ()> = Ranked::new(());
    let object: Ranked<rank::Object, ()> = Ranked::new(());
    let reply: Ranked<rank::Reply, ()> = Ranked::new(());
    let thread: Ranked<rank::Thread, ()> = Ranked::new(());
    let queue: Ranked<rank::RunQueue, ()> = Ranked::new(());
    let device: Ranked<rank::Device, ()> = Ranked::new(());
    let mut derivation = derivation.lock(&mut entry);
    let mut object = object.lock(derivation.held());
    let mut reply = reply.lock(object.held());
    let mut thread = thread.lock(reply.held());
    let mut queue = queue.lock(thread.held());
    let _device = device.lock(queue.held());
}
