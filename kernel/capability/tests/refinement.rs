//! The slots against the abstract tree of `capability::spec`: random operations on both, compared after each.

use capability::audit::{self, Live};
use capability::spec::Tree;
use capability::{Cap, FrameSize, Kind, Rights, Slot, derive, is_final, is_parent, update_data};
use memory::host::Slice;
use memory::{Phys, Ref};
use proptest::prelude::*;
use std::collections::{BTreeSet, HashMap};

/// Slots that take part.
const SLOTS: usize = 24;
/// log2 of the untyped memory that everything comes from.
const MEMORY_BITS: u32 = 16;

/// One operation; its numbers pick among the slots that fit.
#[derive(Clone, Debug)]
enum Step {
    New { parent: usize, target: usize, kind: u8 },
    Derive { source: usize, target: usize, badge: u64 },
    Issue { target: usize, index: u64 },
    Move { source: usize, target: usize },
    Swap { a: usize, b: usize },
    Clear { slot: usize },
    Revoke { slot: usize },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let slot = || 0..SLOTS;
    let step = prop_oneof![
        4 => (slot(), slot(), 0..6u8).prop_map(|(parent, target, kind)| Step::New { parent, target, kind }),
        8 => (slot(), slot(), 0..3u64).prop_map(|(source, target, badge)| Step::Derive { source, target, badge }),
        1 => (slot(), 0..3u64).prop_map(|(target, index)| Step::Issue { target, index }),
        3 => (slot(), slot()).prop_map(|(source, target)| Step::Move { source, target }),
        3 => (slot(), slot()).prop_map(|(a, b)| Step::Swap { a, b }),
        4 => slot().prop_map(|slot| Step::Clear { slot }),
        1 => slot().prop_map(|slot| Step::Revoke { slot }),
    ];
    prop::collection::vec(step, 1..120)
}

struct Both {
    tree: Tree,
    base: Phys,
    /// Bytes handed out of each untyped range, by base and size.
    used: HashMap<(u64, u32), u64>,
    _slice: Slice,
}

impl Both {
    fn new() -> Self {
        let slice = Slice::new(2 << 20);
        let base = slice.range().base;
        let mut both = Self { tree: Tree::new(SLOTS), base, used: HashMap::new(), _slice: slice };
        let memory = Cap::untyped(base.offset(1 << 20), MEMORY_BITS, false).with_used(1 << MEMORY_BITS);
        for (slot, cap) in [(0, memory), (1, Cap::control(Kind::IrqControl, 0))] {
            both.slot(slot).insert_root(cap);
            both.tree.insert_root(slot, cap);
        }
        both
    }

    fn slot(&self, index: usize) -> Ref<Slot> {
        Slot::neighbour(Ref::at(self.base), index as u64)
    }

    /// The slots that are (not) empty, from which a number picks one.
    fn pick(&self, empty: bool, number: usize) -> usize {
        let of_kind: Vec<usize> = (0..SLOTS).filter(|&slot| self.slot(slot).is_empty() == empty).collect();
        of_kind.get(number % of_kind.len().max(1)).copied().unwrap_or(number)
    }

    fn full(&self, number: usize) -> usize {
        self.pick(false, number)
    }

    fn empty(&self, number: usize) -> usize {
        self.pick(true, number)
    }

    fn memory(&self, number: usize) -> usize {
        let untyped: Vec<usize> = (0..SLOTS).filter(|&slot| self.slot(slot).cap().kind() == Kind::Untyped).collect();
        untyped.get(number % untyped.len().max(1)).copied().unwrap_or(number)
    }

    /// The step with its numbers turned into slots that it can be done with.
    fn aim(&self, step: &Step) -> Step {
        match *step {
            Step::New { parent, target, kind } => {
                Step::New { parent: self.memory(parent), target: self.empty(target), kind }
            }
            Step::Derive { source, target, badge } => {
                Step::Derive { source: self.full(source), target: self.empty(target), badge }
            }
            Step::Issue { target, index } => Step::Issue { target: self.empty(target), index },
            Step::Move { source, target } => Step::Move { source: self.full(source), target: self.empty(target) },
            Step::Swap { a, b } => Step::Swap { a, b },
            Step::Clear { slot } => Step::Clear { slot: self.full(slot) },
            Step::Revoke { slot } => Step::Revoke { slot: self.full(slot) },
        }
    }

    fn apply(&mut self, step: &Step) {
        match self.aim(step) {
            Step::New { parent, target, kind } => self.make(parent, target, kind),
            Step::Derive { source, target, badge } => {
                let (from, to) = (self.slot(source), self.slot(target));
                let cap = from.cap();
                let wanted = if badge != 0 && cap.kind() != Kind::CNode { update_data(cap, badge, false) } else { cap };
                if let (Ok(new), true) = (derive(wanted, from.has_children()), to.is_empty())
                    && !new.is_null()
                {
                    Slot::insert_derived(from, to, new);
                    self.tree.insert_derived(source, target, new);
                }
            }
            Step::Issue { target, index } => {
                let cap = Cap::control(Kind::IrqHandler, index);
                let control = (0..SLOTS).find(|&slot| self.slot(slot).cap().kind() == Kind::IrqControl);
                let taken = (0..SLOTS).any(|slot| self.slot(slot).cap() == cap);
                if let Some(control) = control
                    && !taken
                    && self.slot(target).is_empty()
                {
                    Slot::insert_derived(self.slot(control), self.slot(target), cap);
                    self.tree.insert_derived(control, target, cap);
                }
            }
            Step::Move { source, target } => {
                let (from, to) = (self.slot(source), self.slot(target));
                if !from.is_empty() && to.is_empty() {
                    let cap = from.cap();
                    Slot::move_to(from, to, cap);
                    self.tree.move_to(source, target, cap);
                }
            }
            Step::Swap { a, b } => {
                let (x, y) = (self.slot(a), self.slot(b));
                Slot::swap(x, x.cap(), y, y.cap());
                self.tree.swap(a, b);
            }
            Step::Clear { slot } => {
                if !self.slot(slot).is_empty() {
                    self.slot(slot).clear();
                    self.tree.clear(slot);
                }
            }
            Step::Revoke { slot } => {
                let parent = self.slot(slot);
                while parent.has_children() {
                    parent.next().expect("a child follows").clear();
                }
                self.tree.revoke(slot);
            }
        }
    }

    /// Retypes as the kernel does: behind what is used, from untyped memory of which there is no copy.
    fn make(&mut self, parent: usize, target: usize, kind: u8) {
        let (memory, place) = (self.slot(parent), self.slot(target));
        let cap = memory.cap();
        if cap.kind() != Kind::Untyped || !place.is_empty() {
            return;
        }
        let key = (cap.phys().0, cap.size_bits());
        let is_copied = memory.next().is_some_and(|next| {
            let child = next.cap();
            is_parent(&memory, &next) && child.kind() == Kind::Untyped && (child.phys().0, child.size_bits()) == key
        });
        let bits = [4, 6, 5, 11, 12, 9][usize::from(kind)];
        let used = if memory.has_children() { self.used.get(&key).copied().unwrap_or(0) } else { 0 };
        let at = used.next_multiple_of(1 << bits);
        if is_copied || at + (1 << bits) > 1 << cap.size_bits() {
            return;
        }
        let object = cap.phys().offset(at);
        let new = match kind {
            0 => Cap::message_object(Kind::Endpoint, object, Rights::ALL, 0),
            1 => Cap::message_object(Kind::Notification, object, Rights::ALL, 0),
            2 => Cap::message_object(Kind::Reply, object, Rights::ALL, 0),
            3 => Cap::thread(object),
            4 => Cap::frame(object, FrameSize::Small, Rights::ALL, false),
            _ => Cap::untyped(object, bits, false),
        };
        self.used.insert(key, at + (1 << bits));
        self.used.remove(&(object.0, bits));
        memory.set_cap(cap.with_used(at + (1 << bits)));
        Slot::insert_child(memory, place, new);
        self.tree.insert_child(parent, target, new);
    }

    fn compare(&self) -> Result<(), TestCaseError> {
        let index: HashMap<u64, usize> = (0..SLOTS).map(|slot| (self.slot(slot).word(), slot)).collect();
        for slot in 0..SLOTS {
            let concrete = self.slot(slot);
            let node = self.tree.get(slot);
            prop_assert_eq!(concrete.is_empty(), node.is_none());
            let Some(node) = node else { continue };
            prop_assert_eq!(concrete.cap().kind(), node.cap.kind());
            prop_assert_eq!(concrete.cap().phys(), node.cap.phys());
            let mut below = BTreeSet::new();
            let mut at = concrete.next();
            while let Some(next) = at.filter(|next| is_parent(&concrete, next)) {
                below.insert(index[&next.word()]);
                at = next.next();
            }
            prop_assert_eq!(&below, &self.tree.descendants(slot), "descendants of slot {}: {:?}", slot, concrete.cap());
            prop_assert_eq!(concrete.has_children(), !below.is_empty());
            prop_assert_eq!(is_final(&concrete), self.tree.is_final(slot), "finality of {:?}", concrete.cap());
        }
        let mut live = Live::default();
        live.add(self.base, SLOTS as u64);
        // The control block of a thread has slots of its own; here none is ever filled.
        audit::check(&live).map_err(TestCaseError::fail)
    }
}

proptest! {
    #[test]
    fn the_list_refines_the_tree(steps in steps()) {
        let mut both = Both::new();
        for step in &steps {
            both.apply(step);
            both.compare()?;
        }
    }
}
