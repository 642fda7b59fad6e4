//! Invocation labels: what an invocation of a kernel object asks for, in the label of its message info.
//!
//! Generic labels come first, then those of x86_64, then those of x86; labels of features that this profile leaves out
//! take no number. 0 is never valid. Skerry's own lie far above, from [`SKERRY_FIRST`]. Tests: `tests/numbers.rs`.

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
        /// Set a thread's FS base.
        TCBSetTLSBase = 16,
        /// Clear and set feature flags.
        TCBSetFlags = 17,
        /// Delete everything derived from a capability.
        CNodeRevoke = 18,
        /// Delete one capability.
        CNodeDelete = 19,
        /// Cancel the waiting sends of one badge.
        CNodeCancelBadgedSends = 20,
        /// Copy a capability with equal or fewer rights.
        CNodeCopy = 21,
        /// Copy a capability with a badge or guard.
        CNodeMint = 22,
        /// Move a capability.
        CNodeMove = 23,
        /// Move a capability with a badge or guard.
        CNodeMutate = 24,
        /// Move two capabilities one step through three slots.
        CNodeRotate = 25,
        /// The generic way to an IRQ handler; x86 refuses it in favour of the two below.
        IRQIssueIRQHandler = 26,
        /// Let the interrupt come again.
        IRQAckIRQ = 27,
        /// Set the notification an interrupt signals.
        IRQSetIRQHandler = 28,
        /// Undo `IRQSetIRQHandler`.
        IRQClearIRQHandler = 29,
        /// Put a thread into a domain.
        DomainSetSet = 30,
        /// Write one entry of the domain schedule.
        DomainScheduleConfigure = 31,
        /// Choose where the domain schedule starts.
        DomainScheduleSetStart = 32,
        /// Give a scheduling context budget and period.
        SchedControlConfigureFlags = 33,
        /// Bind a scheduling context to a thread or notification.
        SchedContextBind = 34,
        /// Undo every binding.
        SchedContextUnbind = 35,
        /// Undo one binding.
        SchedContextUnbindObject = 36,
        /// Read and reset the time consumed.
        SchedContextConsumed = 37,
        /// Run another scheduling context's thread now.
        SchedContextYieldTo = 38,
        /// Map a page directory pointer table.
        X86PDPTMap = 39,
        /// Unmap it.
        X86PDPTUnmap = 40,
        /// Map a page directory.
        X86PageDirectoryMap = 41,
        /// Unmap it.
        X86PageDirectoryUnmap = 42,
        /// Map a page table.
        X86PageTableMap = 43,
        /// Unmap it.
        X86PageTableUnmap = 44,
        /// Map a page, or change its rights and attributes in place.
        X86PageMap = 45,
        /// Unmap a page.
        X86PageUnmap = 46,
        /// The physical address of a page.
        X86PageGetAddress = 47,
        /// Turn 4 KiB of untyped memory into an ASID pool.
        X86ASIDControlMakePool = 48,
        /// Give an address space an ASID.
        X86ASIDPoolAssign = 49,
        /// A capability for a range of I/O ports.
        X86IOPortControlIssue = 50,
        /// Read 8 bits from a port.
        X86IOPortIn8 = 51,
        /// Read 16 bits from a port.
        X86IOPortIn16 = 52,
        /// Read 32 bits from a port.
        X86IOPortIn32 = 53,
        /// Write 8 bits to a port.
        X86IOPortOut8 = 54,
        /// Write 16 bits to a port.
        X86IOPortOut16 = 55,
        /// Write 32 bits to a port.
        X86IOPortOut32 = 56,
        /// An IRQ handler for an I/O APIC pin.
        X86IRQIssueIRQHandlerIOAPIC = 57,
        /// An IRQ handler for a message-signalled interrupt.
        X86IRQIssueIRQHandlerMSI = 58,
        /// Skerry, on IRQ control: a doorbell capability for a route of this instance (see [`doorbell`]).
        SkerryIssueDoorbell = 0x5c00,
        /// Skerry, on IRQ control: an IRQ handler for a doorbell vector this instance hears (see [`doorbell`]).
        SkerryHearDoorbell = 0x5c01,
    }
}

/// One past the last label that seL4 knows.
pub const SEL4_END: u64 = 59;
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
