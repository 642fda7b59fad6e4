//! Finds every live object of the instance and has each layer check its invariants.

use super::{HEARD, MESSAGES, PINS, System};
use capability::audit::Live;
use capability::{Cap, Kind};
use interrupt::{Allowed, VECTORS};
use memory::Ref;
use std::collections::HashSet;

/// Finds what is alive: from the root CNode, the root thread and the interrupt slots on, through CNodes, threads and
/// zombies, and along the derivation tree.
fn live(system: &System) -> (Live, Vec<Cap>) {
    let mut live = Live::default();
    live.add(system.root_cnode().phys(), 1 << system.root_cnode_bits());
    live.add(system.root_thread().phys(), 5);
    live.add(system.here().enter(|entry| entry.interrupts().base()), VECTORS as u64);
    let range = system.slice.range();
    loop {
        let mut grew = false;
        let full = live.full();
        for slot in &full {
            let cap = slot.cap();
            grew |= match cap.kind() {
                Kind::CNode => live.add(cap.phys(), 1 << cap.radix()),
                Kind::Thread => live.add(cap.phys(), 5),
                Kind::Zombie => live.add(cap.phys(), cap.as_zombie().radix.map_or(5, |radix| 1 << radix)),
                _ => false,
            };
        }
        if !grew {
            // A slot that only the tree leads to belongs to an object that nobody but itself has a capability to.
            let linked = full.iter().flat_map(|slot| [slot.previous(), slot.next()]).flatten();
            for other in linked.filter(|other| !full.contains(other)) {
                let inside = range.base <= other.phys() && other.phys().0 + 32 <= range.end();
                grew |= inside && live.add(other.phys(), 1);
            }
        }
        if !grew {
            return (live, full.iter().map(|slot| slot.cap()).collect());
        }
    }
}

fn distinct<T: memory::Object>(caps: &[Cap], kind: Kind) -> Vec<Ref<T>> {
    let mut seen = HashSet::new();
    let of_kind = caps.iter().filter(|cap| cap.kind() == kind && seen.insert(cap.phys().0));
    of_kind.map(|cap| cap.object()).collect()
}

/// Makes every thread forget what its roots come to: only fast paths look them up, and no word of it means anything else.
pub fn forget_roots(system: &System) {
    let (_, caps) = live(system);
    system.root_thread().roots.forget();
    distinct::<thread::Tcb>(&caps, Kind::Thread).iter().for_each(|thread| thread.roots.forget());
}

/// Checks every invariant that can be seen between two kernel entries.
pub fn check(system: &System) -> Result<(), String> {
    let (live, caps) = live(system);
    let range = system.slice.range();
    for cap in &caps {
        let bits = capability::audit::object_bits(*cap);
        let in_memory =
            !cap.is_device() && cap.kind() != Kind::Untyped || cap.kind() == Kind::Untyped && !cap.is_device();
        if let Some(bits) = bits
            && in_memory
            && !range.contains(memory::Range { base: cap.phys(), size: 1 << bits })
        {
            return Err(format!("M1: {cap:?} leaves the slice"));
        }
    }
    capability::audit::check(&live)?;
    let mut threads = distinct(&caps, Kind::Thread);
    // The root thread's control block is never given back, so it may be looked at even when it is dead.
    if !threads.contains(&system.root_thread()) {
        threads.push(system.root_thread());
    }
    let mut contexts: Vec<_> = Vec::new();
    for cap in caps.iter().filter(|cap| cap.kind() == Kind::SchedContext) {
        let context = (cap.object(), cap.size_bits());
        if !contexts.contains(&context) {
            contexts.push(context);
        }
    }
    let replies = distinct(&caps, Kind::Reply);
    let ipc = system.here().ipc();
    let population = thread::audit::Population { threads: &threads, contexts: &contexts, replies: &replies };
    thread::audit::check(&ipc.threads, &population)?;
    for (context, _) in &contexts {
        if context.is_active()
            && let Some(budget) = system.budget(context.phys())
            && ipc.budget_of(*context) != budget
        {
            let refills = thread::audit::refills_of(&ipc.threads, *context);
            return Err(format!("T4: refills of {context:?} do not sum to {budget}: {refills:?}"));
        }
    }
    let contexts: Vec<_> = contexts.iter().map(|(context, _)| *context).collect();
    ipc::audit::check(&ipc::audit::Population {
        endpoints: &distinct(&caps, Kind::Endpoint),
        notifications: &distinct(&caps, Kind::Notification),
        threads: &threads,
        contexts: &contexts,
    })?;
    vspace::audit::check(system.kernel.asids(), &caps, system.top_entries())?;
    interrupts(system, &caps)
}

fn interrupts(system: &System, caps: &[Cap]) -> Result<(), String> {
    let of_kind = |kind: Kind| caps.iter().filter(move |cap| cap.kind() == kind);
    let handlers: Vec<u8> = of_kind(Kind::IrqHandler).map(|cap| cap.index() as u8).collect();
    let doorbells = HEARD.iter().fold(0, |set, vector| set | 1 << (vector - 0xa0));
    let allowed = Allowed { pins: PINS, messages: MESSAGES, doorbells };
    system.here().enter(|entry| interrupt::audit::check(&entry.interrupts(), &handlers, &allowed))
}
