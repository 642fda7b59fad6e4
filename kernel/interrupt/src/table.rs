//! The table of vectors: source, state, and the slot of the notification.

use capability::{Kind, Rights, Slot};
use core::cell::Cell;
use ipc::{Ipc, Notification};
use ipi::route::{Command, Route};
use ipi::{Vector, classify};
use machine::{Machine, Polarity, Trigger};
use memory::{Phys, Ref};
use sync::CoreIndex;

/// Vectors of a processor, and slots of the table.
pub const VECTORS: usize = 256;

/// What raises a vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Nothing: the vector is free.
    None,
    /// I/O APIC pin, masked from delivery to acknowledgement.
    Pin(u32),
    /// A message-signalled interrupt; always edge-triggered, never masked.
    Message,
    /// A doorbell of another core; never masked.
    Doorbell,
}

/// What the handoff gave this instance.
#[derive(Clone, Copy, Debug, Default)]
pub struct Allowed {
    /// I/O APIC pins, bit n for pin n.
    pub pins: u64,
    /// User vectors for message-signalled interrupts, bit n for CPU vector 0x30 + n.
    pub messages: [u64; 2],
    /// Doorbell vectors heard, bit n for CPU vector 0xa0 + n.
    pub doorbells: u64,
}

/// Why an interrupt cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The vector, or the pin, has a handler already.
    Active,
    /// The instance does not own it.
    NotOwned,
}

/// A request for an interrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    /// Pin `pin` on CPU vector `vector`.
    Pin {
        /// I/O APIC pin.
        pin: u32,
        /// CPU vector, one of the user vectors.
        vector: u8,
        /// Edge or level.
        trigger: Trigger,
        /// Active high or low.
        polarity: Polarity,
    },
    /// A message-signalled interrupt on CPU vector `vector`.
    Message {
        /// CPU vector, one of the user vectors.
        vector: u8,
    },
    /// The doorbell that raises CPU vector `vector`.
    Doorbell {
        /// CPU vector, one of the doorbell vectors.
        vector: u8,
    },
}

/// Most routes of one instance.
const MAX_ROUTES: usize = 64;

/// Interrupts of one instance.
#[derive(Debug)]
pub struct InterruptTable {
    slots: Ref<Slot>,
    allowed: Allowed,
    sources: [Cell<Source>; VECTORS],
    routes: [Option<Route>; MAX_ROUTES],
}

impl InterruptTable {
    /// A table whose notification slots are the [`VECTORS`] zeroed ones from `slots` on.
    pub fn new(slots: Ref<Slot>, allowed: Allowed, routes: impl Iterator<Item = Route>) -> Self {
        let mut table = [None; MAX_ROUTES];
        for (place, route) in table.iter_mut().zip(routes) {
            *place = Some(route);
        }
        Self { slots, allowed, sources: [const { Cell::new(Source::None) }; VECTORS], routes: table }
    }

    /// The slot that holds the notification of `vector`.
    pub fn slot(&self, vector: u8) -> Ref<Slot> {
        Slot::neighbour(self.slots, u64::from(vector))
    }

    fn source(&self, vector: u8) -> &Cell<Source> {
        &self.sources[usize::from(vector)]
    }

    /// What raises `vector`, for the audit.
    #[cfg(not(target_os = "none"))]
    pub fn source_of(&self, vector: u8) -> Source {
        self.source(vector).get()
    }

    /// Whether something raises `vector` already.
    pub fn is_taken(&self, vector: u8) -> bool {
        self.source(vector).get() != Source::None
    }

    /// Whether doorbell route `route` exists.
    pub fn has_route(&self, route: u64) -> bool {
        usize::try_from(route).ok().and_then(|route| self.routes.get(route)).is_some_and(Option::is_some)
    }

    /// Whether `grant` can be had, without taking it.
    pub fn check(&self, grant: Grant) -> Result<(), Refusal> {
        let bit = |set: u64, index: u32| index < 64 && set >> index & 1 != 0;
        let (vector, owned) = match grant {
            Grant::Pin { pin, vector, .. } => (vector, bit(self.allowed.pins, pin)),
            Grant::Message { vector } => match classify(vector) {
                Vector::User(n) if n < 64 => (vector, bit(self.allowed.messages[0], u32::from(n))),
                Vector::User(n) => (vector, bit(self.allowed.messages[1], u32::from(n) - 64)),
                _ => (vector, false),
            },
            Grant::Doorbell { vector } => match classify(vector) {
                Vector::Doorbell(n) => (vector, bit(self.allowed.doorbells, u32::from(n))),
                _ => (vector, false),
            },
        };
        if !owned {
            return Err(Refusal::NotOwned);
        }
        let has_pin =
            |source: &Cell<Source>| matches!(grant, Grant::Pin { pin, .. } if source.get() == Source::Pin(pin));
        if self.is_taken(vector) || self.sources.iter().any(has_pin) { Err(Refusal::Active) } else { Ok(()) }
    }

    /// Takes `grant`, which [`check`](Self::check) allowed.
    pub fn take(&self, machine: &Machine, grant: Grant) {
        match grant {
            Grant::Pin { pin, vector, trigger, polarity } => {
                machine.route_pin(pin, vector, trigger, polarity);
                machine.mask_pin(pin);
                self.source(vector).set(Source::Pin(pin));
            }
            Grant::Message { vector } => self.source(vector).set(Source::Message),
            Grant::Doorbell { vector } => self.source(vector).set(Source::Doorbell),
        }
    }

    /// Gives `vector` back: its last handler capability is gone. The caller empties the slot.
    pub fn release(&self, machine: &Machine, vector: u8) {
        if let Source::Pin(pin) = self.source(vector).get() {
            machine.mask_pin(pin);
        }
        self.source(vector).set(Source::None);
    }

    /// The handler of `vector` is ready for the next one.
    pub fn acknowledge(&self, machine: &Machine, vector: u8) {
        if let Source::Pin(pin) = self.source(vector).get() {
            machine.unmask_pin(pin);
        }
    }

    /// CPU vector `vector` was raised on this core and is a user interrupt or a doorbell: signals its notification.
    #[inline]
    pub fn deliver(&self, ipc: &Ipc<'_>, vector: u8) {
        self.silence(ipc, vector);
        let cap = self.slot(vector).cap();
        if cap.kind() == Kind::Notification && cap.rights().allow(Rights::WRITE) {
            ipc.signal(cap.object::<Notification>(), cap.badge());
        }
        ipc.machine.end_of_interrupt();
    }

    /// Whether `vector` is raised by a pin, which stays silent from delivery to acknowledgement.
    #[inline]
    pub fn is_pin(&self, vector: u8) -> bool {
        matches!(self.source(vector).get(), Source::Pin(_))
    }

    /// Keeps a pin that raised `vector` from doing so again before it is acknowledged.
    #[inline(always)]
    pub fn silence(&self, ipc: &Ipc<'_>, vector: u8) {
        if let Source::Pin(pin) = self.source(vector).get() {
            // The first core drives the I/O APIC.
            ipc.cores.of(CoreIndex::FIRST).machine.mask_pin(pin);
        }
    }

    /// Rings route `route`; an unlisted one does nothing. Says whether it rang.
    #[inline]
    pub fn ring(&self, machine: &Machine, route: u64) -> bool {
        let route = usize::try_from(route).ok().and_then(|route| self.routes.get(route).copied().flatten());
        if let Some(route) = route {
            machine.ring(Command::ring(route));
        }
        route.is_some()
    }

    /// Physical memory that [`VECTORS`] slots take, for whoever lays the table out.
    pub const fn slot_bytes() -> u64 {
        (VECTORS * size_of::<Slot>()) as u64
    }

    /// First slot's address.
    pub fn base(&self) -> Phys {
        self.slots.phys()
    }
}
