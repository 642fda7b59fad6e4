//! Host only: checks invariants C1, C3, C4 and C5 of `docs/invariants.md` over every slot of an instance.

use crate::derive::{is_parent, same_object, same_region};
use crate::{Cap, Kind, Slot};
use memory::{Phys, Ref};
use std::collections::{BTreeMap, HashMap, HashSet};

/// log2 of the bytes of the object that `cap` names; `None` for kinds without memory of their own.
pub fn object_bits(cap: Cap) -> Option<u32> {
    crate::derive::object_bits(cap)
}

/// Runs of slots `(first, count)` that are alive: those of all CNodes, threads and tables of the instance.
#[derive(Debug, Default)]
pub struct Live {
    runs: BTreeMap<u64, u64>,
}

impl Live {
    /// Adds a run, and says whether it was new.
    pub fn add(&mut self, first: Phys, count: u64) -> bool {
        if self.contains(Ref::at(first)) && self.contains(Ref::at(first.offset((count - 1) * 32))) {
            return false;
        }
        let inside = first.0..first.0 + count * 32;
        self.runs.retain(|start, _| !inside.contains(start));
        self.runs.insert(first.0, count);
        true
    }

    fn contains(&self, slot: Ref<Slot>) -> bool {
        let at = slot.phys().0;
        self.runs.range(..=at).next_back().is_some_and(|(first, count)| at < first + count * 32)
    }

    /// The slots that hold something.
    pub fn full(&self) -> Vec<Ref<Slot>> {
        self.slots().filter(|slot| !slot.is_empty()).collect()
    }

    fn slots(&self) -> impl Iterator<Item = Ref<Slot>> {
        self.runs.iter().flat_map(|(&first, &count)| (0..count).map(move |index| Ref::at(Phys(first + index * 32))))
    }
}

/// Checks the tree that the live slots make.
pub fn check(live: &Live) -> Result<(), String> {
    let full = live.full();
    links(live)?;
    let order = walk(&full)?;
    objects(&full)?;
    descendants(&order)?;
    zombies(&full, live)
}

/// C1: links are mutual, stay among live slots, and empty slots have none.
fn links(live: &Live) -> Result<(), String> {
    for slot in live.slots() {
        if slot.is_empty() {
            if slot.previous().is_some() || slot.next().is_some() || slot.flags() != (false, false) {
                return Err(format!("C1: the empty slot {slot:?} is linked or flagged"));
            }
            continue;
        }
        for (there, back) in [(slot.previous(), true), (slot.next(), false)] {
            let Some(other) = there else { continue };
            let returns = if back { other.next() } else { other.previous() };
            if !live.contains(other) {
                return Err(format!("C1: {slot:?} ({:?}) is linked to {other:?}, no live slot", slot.cap()));
            }
            if returns != Some(slot) || other.is_empty() {
                return Err(format!("C1: {slot:?} ({:?}) and {other:?} ({:?}) disagree", slot.cap(), other.cap()));
            }
        }
    }
    Ok(())
}

/// C1: the lists have no cycle. Gives them one behind the other, `None` between two.
fn walk(full: &[Ref<Slot>]) -> Result<Vec<Option<Ref<Slot>>>, String> {
    let mut order = Vec::new();
    let mut visited = 0;
    for &head in full.iter().filter(|slot| slot.previous().is_none()) {
        let mut at = Some(head);
        while let Some(slot) = at {
            order.push(Some(slot));
            visited += 1;
            at = slot.next();
        }
        order.push(None);
    }
    if visited == full.len() {
        return Ok(order);
    }
    let lost = full.iter().filter(|&&slot| !order.contains(&Some(slot)));
    let lost: Vec<_> = lost.map(|slot| format!("{slot:?} {:?} -> {:?}", slot.cap(), slot.next())).collect();
    Err(format!("C1: slots in a cycle: {lost:#?}"))
}

/// C3: distinct objects do not overlap, and lie below what their untyped memory counts as used.
fn objects(full: &[Ref<Slot>]) -> Result<(), String> {
    let mut found: HashMap<(u64, u32), Cap> = HashMap::new();
    let mut untyped: Vec<(u64, u64, Cap)> = Vec::new();
    for slot in full {
        let cap = slot.cap();
        let Some(bits) = object_bits(cap) else { continue };
        let base = cap.phys().0;
        if base & ((1 << bits) - 1) != 0 {
            return Err(format!("C3: {cap:?} is not aligned to its size"));
        }
        if cap.kind() == Kind::Untyped {
            untyped.push((base, base + (1 << bits), cap));
            let children = slot.has_children();
            if children && slot.next().is_some_and(|child| !covered(cap, child.cap())) {
                return Err(format!("C3: {cap:?} has a child behind its used bytes: {:?}", slot.next()));
            }
        } else if let Some(other) = found.insert((base, bits), cap)
            && !same_object(other, cap)
            && !(other.kind() == Kind::Frame && cap.kind() == Kind::Frame)
            && other.kind() != Kind::Zombie
            && cap.kind() != Kind::Zombie
        {
            return Err(format!("C3: {other:?} and {cap:?} are two objects in one place"));
        }
    }
    let mut ranges: Vec<(u64, u64, Cap)> =
        found.into_iter().map(|((base, bits), cap)| (base, base + (1 << bits), cap)).collect();
    ranges.sort_by_key(|range| range.0);
    for pair in ranges.windows(2) {
        if pair[0].1 > pair[1].0 {
            return Err(format!("C3: {:?} and {:?} overlap", pair[0].2, pair[1].2));
        }
    }
    // Aligned powers of two either nest or are disjoint; an object must not contain untyped memory.
    for &(base, end, cap) in &untyped {
        if let Some(range) = ranges.iter().find(|range| range.0 <= base && end < range.1) {
            return Err(format!("C3: the object {:?} contains {cap:?}", range.2));
        }
    }
    Ok(())
}

fn covered(untyped: Cap, child: Cap) -> bool {
    match object_bits(child) {
        Some(bits) => child.phys().0 + (1 << bits) <= untyped.phys().0 + untyped.used(),
        None => true,
    }
}

/// C4: every capability to an object in untyped memory stands among the descendants of that memory's capability, so
/// that revoking it leaves none.
fn descendants(order: &[Option<Ref<Slot>>]) -> Result<(), String> {
    let mut run_of: HashMap<u64, HashSet<u64>> = HashMap::new();
    let full: Vec<Ref<Slot>> = order.iter().flatten().copied().collect();
    let memory: Vec<Ref<Slot>> = full.iter().copied().filter(|slot| slot.cap().kind() == Kind::Untyped).collect();
    for &parent in &memory {
        let mut run = HashSet::new();
        let mut at = parent.next();
        while let Some(slot) = at.filter(|slot| is_parent(&parent, slot)) {
            run.insert(slot.word());
            at = slot.next();
        }
        run_of.insert(parent.word(), run);
    }
    for &parent in &memory {
        let run = &run_of[&parent.word()];
        for &slot in full.iter().filter(|&&slot| slot != parent && same_region(parent.cap(), slot.cap())) {
            let is_ancestor = run_of.get(&slot.word()).is_some_and(|above| above.contains(&parent.word()));
            if !run.contains(&slot.word()) && !is_ancestor {
                let (inner, outer) = (slot.cap(), parent.cap());
                return Err(format!("C4: {inner:?} at {slot:?} is no descendant of {outer:?} at {parent:?}"));
            }
        }
    }
    Ok(())
}

/// C5: slots of a zombie from `remaining` on are empty, and its slots are live.
fn zombies(full: &[Ref<Slot>], live: &Live) -> Result<(), String> {
    for slot in full.iter().filter(|slot| slot.cap().kind() == Kind::Zombie) {
        let zombie = slot.cap().as_zombie();
        let count = zombie.radix.map_or(5, |radix| 1 << radix);
        if zombie.remaining > count {
            return Err(format!("C5: {zombie:?} has more left than it had"));
        }
        for index in 0..count {
            let inner: Ref<Slot> = Ref::at(Phys(zombie.slots.phys().0 + index * 32));
            if !live.contains(inner) || index >= zombie.remaining && !inner.is_empty() {
                return Err(format!("C5: slot {index} of {zombie:?} is not empty: {:?}", inner.cap()));
            }
        }
    }
    Ok(())
}
