//! Invocation labels: what an invocation of a kernel object asks for, in the label of its message info.
//!
//! Generic labels come first, then those of x86_64, then those of x86; labels of features that this profile leaves out
//! take no number. 0 is never valid. Skerry's own lie far above, from [`SKERRY_FIRST`]. The hardware debug API has labels in
//! the middle; a build with it moves all of seL4's that follow. Tests: `tests/numbers.rs`.

use crate::HARDWARE_DEBUG;
use crate::breakpoint::INVOCATIONS;

/// By how much the hardware debug API moves the labels behind its own.
const MOVED: u64 = if HARDWARE_DEBUG { INVOCATIONS } else { 0 };
/// First label of the hardware debug API; in a build without it, a number that no kernel obeys.
const DEBUG: u64 = if HARDWARE_DEBUG { 16 } else { 0x5d00 };

words! {
    /// An invocation.
    Invocation: u64, from_label {
        /// Create objects from untyped memory.
        UntypedRetype = 1,
        /// Read a thread's registers.
        TCBReadRegisters = 2,
        /// Write a thread's registers.
        TCBWriteRegisters = 3,
        /// Copy registers between two threads.
        TCBCopyRegisters = 4,
        /// Set capability space, address space and IPC buffer at once.
        TCBConfigure = 5,
        /// Set the priority.
        TCBSetPriority = 6,
        /// Set the maximum controlled priority.
        TCBSetMCPriority = 7,
        /// Set priorities, scheduling context and fault endpoint at once.
        TCBSetSchedParams = 8,
        /// Set the endpoint that hears of exhausted budgets.
        TCBSetTimeoutEndpoint = 9,
        /// Set the IPC buffer.
        TCBSetIPCBuffer = 10,
        /// Set fault endpoint, capability space and address space.
        TCBSetSpace = 11,
        /// Stop a thread.
        TCBSuspend = 12,
        /// Start a thread.
        TCBResume = 13,
        /// Let a notification interrupt the thread's receives.
        TCBBindNotification = 14,
        /// Undo `TCBBindNotification`.
        TCBUnbindNotification = 15,
        /// Hardware debug API: set a breakpoint of a thread.
        TCBSetBreakpoint = DEBUG,
        /// Hardware debug API: read a breakpoint of a thread.
        TCBGetBreakpoint = DEBUG + 1,
        /// Hardware debug API: remove a breakpoint of a thread.
        TCBUnsetBreakpoint = DEBUG + 2,
        /// Hardware debug API: let a thread stop after so many instructions.
        TCBConfigureSingleStepping = DEBUG + 3,
        /// Set a thread's FS base.
        TCBSetTLSBase = MOVED + 16,
        /// Clear and set feature flags.
        TCBSetFlags = MOVED + 17,
        /// Delete everything derived from a capability.
        CNodeRevoke = MOVED + 18,
        /// Delete one capability.
        CNodeDelete = MOVED + 19,
        /// Cancel the waiting sends of one badge.
        CNodeCancelBadgedSends = MOVED + 20,
        /// Copy a capability with equal or fewer rights.
        CNodeCopy = MOVED + 21,
        /// Copy a capability with a badge or guard.
        CNodeMint = MOVED + 22,
        /// Move a capability.
        CNodeMove = MOVED + 23,
        /// Move a capability with a badge or guard.
        CNodeMutate = MOVED + 24,
        /// Move two capabilities one step through three slots.
        CNodeRotate = MOVED + 25,
        /// The generic way to an IRQ handler; x86 refuses it in favour of the two below.
        IRQIssueIRQHandler = MOVED + 26,
        /// Let the interrupt come again.
        IRQAckIRQ = MOVED + 27,
        /// Set the notification an interrupt signals.
        IRQSetIRQHandler = MOVED + 28,
        /// Undo `IRQSetIRQHandler`.
        IRQClearIRQHandler = MOVED + 29,
        /// Put a thread into a domain.
        DomainSetSet = MOVED + 30,
        /// Write one entry of the domain schedule.
        DomainScheduleConfigure = MOVED + 31,
        /// Choose where the domain schedule starts.
        DomainScheduleSetStart = MOVED + 32,
        /// Give a scheduling context budget and period.
        SchedControlConfigureFlags = MOVED + 33,
        /// Bind a scheduling context to a thread or notification.
        SchedContextBind = MOVED + 34,
        /// Undo every binding.
        SchedContextUnbind = MOVED + 35,
        /// Undo one binding.
        SchedContextUnbindObject = MOVED + 36,
        /// Read and reset the time consumed.
        SchedContextConsumed = MOVED + 37,
        /// Run another scheduling context's thread now.
        SchedContextYieldTo = MOVED + 38,
        /// Map a page directory pointer table.
        X86PDPTMap = MOVED + 39,
        /// Unmap it.
        X86PDPTUnmap = MOVED + 40,
        /// Map a page directory.
        X86PageDirectoryMap = MOVED + 41,
        /// Unmap it.
        X86PageDirectoryUnmap = MOVED + 42,
        /// Map a page table.
        X86PageTableMap = MOVED + 43,
        /// Unmap it.
        X86PageTableUnmap = MOVED + 44,
        /// Map a page, or change its rights and attributes in place.
        X86PageMap = MOVED + 45,
        /// Unmap a page.
        X86PageUnmap = MOVED + 46,
        /// The physical address of a page.
        X86PageGetAddress = MOVED + 47,
        /// Turn 4 KiB of untyped memory into an ASID pool.
        X86ASIDControlMakePool = MOVED + 48,
        /// Give an address space an ASID.
        X86ASIDPoolAssign = MOVED + 49,
        /// A capability for a range of I/O ports.
        X86IOPortControlIssue = MOVED + 50,
        /// Read 8 bits from a port.
        X86IOPortIn8 = MOVED + 51,
        /// Read 16 bits from a port.
        X86IOPortIn16 = MOVED + 52,
        /// Read 32 bits from a port.
        X86IOPortIn32 = MOVED + 53,
        /// Write 8 bits to a port.
        X86IOPortOut8 = MOVED + 54,
        /// Write 16 bits to a port.
        X86IOPortOut16 = MOVED + 55,
        /// Write 32 bits to a port.
        X86IOPortOut32 = MOVED + 56,
        /// An IRQ handler for an I/O APIC pin.
        X86IRQIssueIRQHandlerIOAPIC = MOVED + 57,
        /// An IRQ handler for a message-signalled interrupt.
        X86IRQIssueIRQHandlerMSI = MOVED + 58,
        /// Skerry, on IRQ control: a doorbell capability for a route of this instance (see [`doorbell`]).
        SkerryIssueDoorbell = 0x5c00,
        /// Skerry, on IRQ control: an IRQ handler for a doorbell vector this instance hears (see [`doorbell`]).
        SkerryHearDoorbell = 0x5c01,
    }
}

/// One past the last label that seL4 knows.
pub const SEL4_END: u64 = MOVED + 59;
/// First label of Skerry's own.
pub const SKERRY_FIRST: u64 = 0x5c00;

/// Message words of the two doorbell invocations; extra capability 0 is the root of the destination CSpace.
pub mod doorbell {
    /// `SkerryIssueDoorbell`: number of the route, counting the instance's doorbells out.
    pub const ROUTE: usize = 0;
    /// `SkerryHearDoorbell`: CPU vector of the doorbell.
    pub const VECTOR: usize = 0;
    /// Capability pointer of the destination slot.
    pub const INDEX: usize = 1;
    /// Bits of it to resolve.
    pub const DEPTH: usize = 2;
    /// Length of the message.
    pub const LENGTH: usize = 3;
}
