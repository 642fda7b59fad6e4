//! Interrupts as one would like to think of them: each vector is nobody's, or has one source and at most one listener.
//!
//! * A vector is given only for what the instance owns, and a pin to one vector only.
//! * A pin is *open* from an acknowledgement to the next delivery or the end of its handler; else it cannot interrupt.
//! * A delivery signals the listener's bits, whatever the source, and is always declared done.
//! * Ringing sends exactly the command of the route that was named, if there is such a route.
//!
//! Tests: `tests/refinement.rs`.

use crate::{Allowed, Grant, Refusal};
use ipi::route::Route;
use ipi::{DOORBELL_FIRST, DOORBELL_LAST, USER_FIRST, USER_LAST};
use std::collections::{BTreeMap, BTreeSet};

/// What raises a vector that is somebody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Raises {
    /// This pin.
    Pin(u32),
    /// A message or a doorbell, which are never silenced.
    Edge,
}

/// The interrupts of an instance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct System {
    /// Pins, vectors for messages, vectors for doorbells that the instance owns.
    pub owned: (BTreeSet<u32>, BTreeSet<u8>, BTreeSet<u8>),
    /// What raises each vector that has a handler.
    pub raises: BTreeMap<u8, Raises>,
    /// The notification that hears each vector, and the bits it hears.
    pub hears: BTreeMap<u8, (usize, u64)>,
    /// Pins that can interrupt.
    pub open: BTreeSet<u32>,
    /// Bits that each notification holds.
    pub signals: BTreeMap<usize, u64>,
    /// Routes.
    pub routes: Vec<Route>,
}

impl System {
    /// An instance to which `allowed` and `routes` were handed.
    pub fn new(allowed: &Allowed, routes: &[Route]) -> Self {
        let bits = |word: u64| (0..64u8).filter(move |&bit| word & 1 << bit != 0);
        let [low, high] = allowed.messages;
        let messages = bits(low).chain(bits(high).map(|bit| bit + 64)).map(|bit| USER_FIRST + bit);
        Self {
            owned: (
                bits(allowed.pins).map(u32::from).collect(),
                messages.filter(|&vector| vector <= USER_LAST).collect(),
                bits(allowed.doorbells).map(|bit| DOORBELL_FIRST + bit).filter(|&it| it <= DOORBELL_LAST).collect(),
            ),
            routes: routes.to_vec(),
            ..Self::default()
        }
    }

    /// Whether `grant` can be had.
    pub fn check(&self, grant: Grant) -> Result<(), Refusal> {
        let (pins, messages, doorbells) = &self.owned;
        let (vector, owned) = match grant {
            Grant::Pin { pin, vector, .. } => (vector, pins.contains(&pin)),
            Grant::Message { vector } => (vector, messages.contains(&vector)),
            Grant::Doorbell { vector } => (vector, doorbells.contains(&vector)),
        };
        if !owned {
            return Err(Refusal::NotOwned);
        }
        let taken = |raises: &Raises| matches!(grant, Grant::Pin { pin, .. } if *raises == Raises::Pin(pin));
        let is_free = !self.raises.contains_key(&vector) && !self.raises.values().any(taken);
        if is_free { Ok(()) } else { Err(Refusal::Active) }
    }

    /// Gives `grant`, which can be had.
    pub fn take(&mut self, grant: Grant) {
        let (vector, raises) = match grant {
            Grant::Pin { pin, vector, .. } => (vector, Raises::Pin(pin)),
            Grant::Message { vector } | Grant::Doorbell { vector } => (vector, Raises::Edge),
        };
        self.raises.insert(vector, raises);
        self.close(vector);
    }

    fn close(&mut self, vector: u8) {
        if let Some(Raises::Pin(pin)) = self.raises.get(&vector) {
            self.open.remove(pin);
        }
    }

    /// `vector` is nobody's any more, and nobody hears it.
    pub fn release(&mut self, vector: u8) {
        self.close(vector);
        self.raises.remove(&vector);
        self.hears.remove(&vector);
    }

    /// The handler of `vector` is ready for the next one.
    pub fn acknowledge(&mut self, vector: u8) {
        if let Some(&Raises::Pin(pin)) = self.raises.get(&vector) {
            self.open.insert(pin);
        }
    }

    /// `vector` was raised.
    pub fn deliver(&mut self, vector: u8) {
        self.close(vector);
        if let Some(&(notification, badge)) = self.hears.get(&vector) {
            *self.signals.entry(notification).or_default() |= badge;
        }
    }

    /// The route that is rung.
    pub fn ring(&self, route: u64) -> Option<Route> {
        usize::try_from(route).ok().and_then(|route| self.routes.get(route).copied())
    }
}
