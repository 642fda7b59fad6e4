//! The derivation tree as one would like to think of it: who was derived from whom, as a parent of each slot.
//!
//! The implementation has no parents, only a list in depth-first order and two flags; ancestry is decided by comparing
//! neighbours. This is the abstract state that it refines:
//!
//! * an *original* capability (an object's first, untyped memory, a capability with a new badge, an issued interrupt,
//!   doorbell or port range) has what is derived from it as children;
//! * a plain copy has none: what is derived from it becomes its sibling;
//! * removing a capability hands its children to its parent.
//!
//! Tests: `tests/refinement.rs` runs both side by side and compares descendants and finality of every slot.

use crate::derive::same_object;
use crate::{Cap, Kind};
use std::collections::BTreeSet;

/// A capability in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    /// The capability.
    pub cap: Cap,
    /// Whether derived capabilities are its children.
    pub original: bool,
    /// The slot it was derived from.
    pub parent: Option<usize>,
}

/// Numbered slots and their tree.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    slots: Vec<Option<Node>>,
}

impl Tree {
    /// `count` empty slots.
    pub fn new(count: usize) -> Self {
        Self { slots: vec![None; count] }
    }

    /// What is in `slot`.
    pub fn get(&self, slot: usize) -> Option<Node> {
        self.slots.get(slot).copied().flatten()
    }

    fn put(&mut self, slot: usize, node: Option<Node>) {
        if let Some(place) = self.slots.get_mut(slot) {
            *place = node;
        }
    }

    /// Puts the first capability of an object into `slot`, outside every tree.
    pub fn insert_root(&mut self, slot: usize, cap: Cap) {
        self.put(slot, Some(Node { cap, original: true, parent: None }));
    }

    /// Puts a new object's first capability into `target`, a child of the untyped memory in `parent`.
    pub fn insert_child(&mut self, parent: usize, target: usize, cap: Cap) {
        self.put(target, Some(Node { cap, original: true, parent: Some(parent) }));
    }

    /// Puts `cap`, derived from the capability in `source`, into `target`.
    pub fn insert_derived(&mut self, source: usize, target: usize, cap: Cap) {
        let Some(origin) = self.get(source) else { return };
        let parent = if origin.original { Some(source) } else { origin.parent };
        self.put(target, Some(Node { cap, original: is_original(cap, origin.cap), parent }));
    }

    /// Moves `source` to `target` as `cap`.
    pub fn move_to(&mut self, source: usize, target: usize, cap: Cap) {
        let node = self.get(source).map(|node| Node { cap, ..node });
        self.put(source, None);
        self.put(target, node);
        self.rename(|slot| if slot == source { target } else { slot });
    }

    /// Exchanges two slots.
    pub fn swap(&mut self, a: usize, b: usize) {
        self.slots.swap(a, b);
        self.rename(|slot| match slot {
            _ if slot == a => b,
            _ if slot == b => a,
            _ => slot,
        });
    }

    fn rename(&mut self, name: impl Fn(usize) -> usize) {
        for node in self.slots.iter_mut().flatten() {
            node.parent = node.parent.map(&name);
        }
    }

    /// Removes the capability in `slot`; its children become its parent's.
    pub fn clear(&mut self, slot: usize) {
        let Some(removed) = self.get(slot) else { return };
        self.put(slot, None);
        for node in self.slots.iter_mut().flatten().filter(|node| node.parent == Some(slot)) {
            node.parent = removed.parent;
        }
    }

    /// Removes everything that was derived from the capability in `slot`.
    pub fn revoke(&mut self, slot: usize) {
        for descendant in self.descendants(slot) {
            self.put(descendant, None);
        }
    }

    /// Slots of everything derived from the capability in `slot`, at any distance.
    pub fn descendants(&self, slot: usize) -> BTreeSet<usize> {
        let below = |mut at: usize| {
            // A parent chain is no longer than there are slots.
            for _ in 0..self.slots.len() {
                match self.get(at).and_then(|node| node.parent) {
                    Some(parent) if parent == slot => return true,
                    Some(parent) => at = parent,
                    None => return false,
                }
            }
            false
        };
        (0..self.slots.len()).filter(|&other| self.get(other).is_some() && below(other)).collect()
    }

    /// Whether the capability in `slot` is the only one to its object.
    pub fn is_final(&self, slot: usize) -> bool {
        let Some(node) = self.get(slot) else { return true };
        let others = self.slots.iter().enumerate().filter(|&(index, _)| index != slot);
        !others.filter_map(|(_, other)| *other).any(|other| same_object(other.cap, node.cap))
    }
}

/// Whether `new`, derived from `origin`, starts a family of its own.
fn is_original(new: Cap, origin: Cap) -> bool {
    match new.kind() {
        Kind::Untyped => true,
        Kind::Endpoint | Kind::Notification => new.badge() != origin.badge(),
        Kind::IrqHandler | Kind::Doorbell | Kind::IoPort => new.kind() != origin.kind(),
        _ => false,
    }
}
