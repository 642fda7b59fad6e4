//! I/O APIC pins, in the instance that owns the I/O APIC; within the pins the handoff lists. Elsewhere these do nothing.
//!
//! In an instance with several cores only the first drives it.

use super::Machine;
use crate::{Polarity, Trigger};
use ipi::Vector;
use manifest::handoff::{Handoff, IO_APIC_VIRT};
use x2apic::ioapic::{IoApic, IrqFlags, IrqMode, RedirectionTableEntry};

/// Highest local APIC id a pin can be routed to.
const DESTINATION_MAX: u32 = 0xfe;

/// Masks every pin.
///
/// # Safety
/// If the handoff reports pins, the I/O APIC's registers are mapped uncached at their place, for this instance alone.
pub(super) unsafe fn start(handoff: &Handoff, core_index: usize) -> Option<IoApic> {
    if handoff.io_apic_pins == 0 || core_index != 0 {
        return None;
    }
    // SAFETY: the caller's promise.
    let mut io_apic = unsafe { IoApic::new(IO_APIC_VIRT) };
    // SAFETY: reads and masks entries that the version register says exist.
    unsafe {
        for pin in 0..=io_apic.max_table_entry() {
            io_apic.disable_irq(pin);
        }
    }
    Some(io_apic)
}

impl Machine {
    #[inline(always)]
    fn with_pin(&self, pin: u32, action: impl FnOnce(&mut IoApic, u8)) {
        let listed = pin < self.handoff.io_apic_pins.min(64) && self.handoff.pins >> pin & 1 != 0;
        // Never borrowed here: actions do not come back. Not a panic, since it would be a reachable one.
        let Ok(mut io_apic) = self.io_apic.try_borrow_mut() else { return };
        if let (true, Some(io_apic)) = (listed, io_apic.as_mut()) {
            action(io_apic, pin as u8);
        }
    }

    /// Points `pin` at `vector` (a user vector) of this core and leaves it masked. A core whose local APIC id does not
    /// fit the redirection entry (255 and above) cannot receive pins: its pin stays as it was, masked.
    pub fn route_pin(&self, pin: u32, vector: u8, trigger: Trigger, polarity: Polarity) {
        let destination = self.local_apic.id();
        if !matches!(ipi::classify(vector), Vector::User(_)) || destination > DESTINATION_MAX {
            return;
        }
        let mut flags = IrqFlags::MASKED;
        flags.set(IrqFlags::LEVEL_TRIGGERED, trigger == Trigger::Level);
        flags.set(IrqFlags::LOW_ACTIVE, polarity == Polarity::Low);
        let mut entry = RedirectionTableEntry::default();
        entry.set_mode(IrqMode::Fixed);
        entry.set_vector(vector);
        entry.set_flags(flags);
        entry.set_dest(destination as u8);
        // SAFETY: a listed pin, to a user vector of this very core.
        self.with_pin(pin, |io_apic, pin| unsafe { io_apic.set_table_entry(pin, entry) });
    }

    /// Silences `pin`.
    #[inline]
    pub fn mask_pin(&self, pin: u32) {
        // SAFETY: a listed pin.
        self.with_pin(pin, |io_apic, pin| unsafe { io_apic.disable_irq(pin) });
    }

    /// Lets `pin` interrupt; it must have been routed.
    pub fn unmask_pin(&self, pin: u32) {
        // SAFETY: a listed pin; an unrouted one has vector 0, which the APICs reject.
        self.with_pin(pin, |io_apic, pin| unsafe { io_apic.enable_irq(pin) });
    }
}
