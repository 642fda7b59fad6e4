//! Doorbell routes and the only interrupt commands a kernel may write.
//!
//! x86 lets a core send INIT, NMI or any vector anywhere. A [`Command`] is made from a listed [`Route`], or summons a core;
//! so delivery mode fixed, destination mode physical, no shorthand, edge-triggered, and a vector for doorbells or summons
//! hold for every value of the type (obligation "ICR bounded").

use crate::vector::{DOORBELL_FIRST, DOORBELL_LAST};

/// A fixed (core, vector) target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    apic_id: u32,
    vector: u8,
}

impl Route {
    /// A route to the core with local APIC id `apic_id`; `None` if `vector` is no doorbell vector or the id is the
    /// broadcast id of either APIC mode.
    pub const fn new(apic_id: u32, vector: u32) -> Option<Self> {
        if vector < DOORBELL_FIRST as u32 || vector > DOORBELL_LAST as u32 || apic_id == 0xff || apic_id == u32::MAX {
            return None;
        }
        Some(Self { apic_id, vector: vector as u8 })
    }

    /// Local APIC id of the target core.
    pub const fn apic_id(self) -> u32 {
        self.apic_id
    }

    /// CPU vector raised there.
    pub const fn vector(self) -> u8 {
        self.vector
    }
}

/// Why a kernel interrupts another core of its own instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Summons {
    /// It must put back what it holds.
    Recall = crate::IPI_REMOTE_CALL as u32,
    /// It must look again at what to run.
    Reschedule = crate::IPI_RESCHEDULE as u32,
}

/// A value of the interrupt command register that is safe to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Command {
    low: u32,
    destination: u32,
}

/// Interrupt command register bit 14: level assert, required with fixed delivery.
pub const ICR_ASSERT: u32 = 1 << 14;

impl Command {
    /// The command that rings `route`.
    pub const fn ring(route: Route) -> Self {
        // Delivery mode 000 (fixed), destination mode 0 (physical), trigger edge, no shorthand: all zero bits.
        Self { low: ICR_ASSERT | route.vector as u32, destination: route.apic_id }
    }

    /// The command that interrupts the core with local APIC id `apic_id`, of the same instance, for `why`.
    pub const fn summon(apic_id: u32, why: Summons) -> Self {
        Self { low: ICR_ASSERT | why as u32, destination: apic_id }
    }

    /// Bits 31:0 of the register.
    pub const fn low(self) -> u32 {
        self.low
    }

    /// Destination APIC id, not yet shifted (xAPIC wants it in bits 31:24 of the high half).
    pub const fn destination(self) -> u32 {
        self.destination
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_command_is_fixed_physical_edge_to_a_listed_core(apic_id: u32, vector: u32) {
            let Some(route) = Route::new(apic_id, vector) else {
                prop_assert!(!(0xa0..=0xdf).contains(&vector) || apic_id == 0xff || apic_id == u32::MAX);
                return Ok(());
            };
            let command = Command::ring(route);
            prop_assert_eq!(command.low() & 0x700, 0, "delivery mode fixed");
            prop_assert_eq!(command.low() & 0x800, 0, "destination mode physical");
            prop_assert_eq!(command.low() & 0xc_0000, 0, "no shorthand");
            prop_assert_eq!(command.low() & 0xff, vector);
            prop_assert_eq!(command.low() & !(0xff | ICR_ASSERT), 0);
            prop_assert_eq!(command.destination(), apic_id);
        }
    }
}
