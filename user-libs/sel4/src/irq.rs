//! Interrupts, and Skerry's doorbells: where capabilities for them come from, and how they are heard.

use crate::Result;
use crate::cap::{IrqControl, IrqHandler, Notification};
use crate::cnode::Slot;
use crate::invoke::act;
use abi::invocation::Invocation;

/// How a line signals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// By a change.
    Edge,
    /// By being active.
    Level,
}

/// When a line is active.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Polarity {
    /// When high.
    ActiveHigh,
    /// When low.
    ActiveLow,
}

/// A pin of an I/O APIC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IoApicPin {
    /// Number of the I/O APIC.
    pub io_apic: u64,
    /// Number of the pin.
    pub pin: u64,
    /// How it signals.
    pub trigger: Trigger,
    /// When it is active.
    pub polarity: Polarity,
}

/// A source of message-signalled interrupts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MsiSource {
    /// PCI bus.
    pub bus: u64,
    /// PCI device.
    pub device: u64,
    /// PCI function.
    pub function: u64,
    /// The program's own number.
    pub handle: u64,
}

/// Errors all of these share: [`RangeError`](crate::Error::RangeError) for a number that does not exist (one that is
/// not this partition's is refused too); [`RevokeFirst`](crate::Error::RevokeFirst) for an interrupt that has a handler;
/// [`DeleteFirst`](crate::Error::DeleteFirst) and [`FailedLookup`](crate::Error::FailedLookup) for the destination.
impl IrqControl {
    /// A handler for a pin, delivered as user vector `vector` (0 to 107) (`X86IRQIssueIRQHandlerIOAPIC`).
    pub fn issue_io_apic(self, destination: Slot, pin: IoApicPin, vector: u64) -> Result<()> {
        act(
            self.cptr(),
            Invocation::X86IRQIssueIRQHandlerIOAPIC,
            &[destination.root.cptr()],
            &[
                destination.index,
                destination.depth & 0xff,
                pin.io_apic,
                pin.pin,
                u64::from(pin.trigger == Trigger::Level),
                u64::from(pin.polarity == Polarity::ActiveLow),
                vector,
            ],
        )
    }

    /// A handler for an MSI, delivered as user vector `vector` (0 to 107); the device must send CPU vector
    /// `vector + abi::irq::IRQ_OFFSET` (`X86IRQIssueIRQHandlerMSI`).
    pub fn issue_msi(self, destination: Slot, source: MsiSource, vector: u64) -> Result<()> {
        act(
            self.cptr(),
            Invocation::X86IRQIssueIRQHandlerMSI,
            &[destination.root.cptr()],
            &[
                destination.index,
                destination.depth & 0xff,
                source.bus,
                source.device,
                source.function,
                source.handle,
                vector,
            ],
        )
    }

    /// Skerry: a [`Doorbell`](crate::Doorbell) for route number `route` of this instance (`SkerryIssueDoorbell`).
    pub fn issue_doorbell(self, destination: Slot, route: u64) -> Result<()> {
        act(
            self.cptr(),
            Invocation::SkerryIssueDoorbell,
            &[destination.root.cptr()],
            &[route, destination.index, destination.depth],
        )
    }

    /// Skerry: a handler for the doorbell that rings CPU vector `vector` here (`SkerryHearDoorbell`). Bind it like an
    /// interrupt; it needs no acknowledgement.
    pub fn hear_doorbell(self, destination: Slot, vector: u64) -> Result<()> {
        act(
            self.cptr(),
            Invocation::SkerryHearDoorbell,
            &[destination.root.cptr()],
            &[vector, destination.index, destination.depth],
        )
    }
}

impl IrqHandler {
    /// Lets the interrupt come again (`IRQAckIRQ`).
    pub fn ack(self) -> Result<()> {
        act(self.cptr(), Invocation::IRQAckIRQ, &[], &[])
    }

    /// Has the interrupt signal this notification, with its badge (`IRQSetIRQHandler`).
    pub fn set_notification(self, notification: Notification) -> Result<()> {
        act(self.cptr(), Invocation::IRQSetIRQHandler, &[notification.cptr()], &[])
    }

    /// Undoes [`IrqHandler::set_notification`] (`IRQClearIRQHandler`).
    pub fn clear(self) -> Result<()> {
        act(self.cptr(), Invocation::IRQClearIRQHandler, &[], &[])
    }
}
