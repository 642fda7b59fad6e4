//! System call numbers, as user programs put them into `rdx`.
//!
//! Numbers count down from −1. Calls that seL4 leaves out of a build keep their place in the count, so the numbers of
//! the debug and the release profile are the same; a release kernel answers a debug number with an unknown-syscall
//! fault. Tests: `tests/numbers.rs`.

words! {
    /// A system call.
    Syscall: i64, from_number {
        /// Send, then wait for the reply.
        Call = -1,
        /// Reply through a reply object, then receive with it.
        ReplyRecv = -2,
        /// Send without waiting for a receiver, then receive.
        NBSendRecv = -3,
        /// Send without waiting for a receiver, then wait without a reply object.
        NBSendWait = -4,
        /// Send, waiting for a receiver.
        Send = -5,
        /// Send if a receiver waits; otherwise do nothing.
        NBSend = -6,
        /// Receive, providing a reply object.
        Recv = -7,
        /// Receive if a sender waits.
        NBRecv = -8,
        /// Receive without a reply object (the natural wait for a notification).
        Wait = -9,
        /// Like `Wait`, but do not block.
        NBWait = -10,
        /// Give up the rest of this period's budget.
        Yield = -11,
        /// Debug: print one character (`rdi`).
        DebugPutChar = -12,
        /// Debug: print the scheduler's state.
        DebugDumpScheduler = -13,
        /// Debug: stop this kernel instance.
        DebugHalt = -14,
        /// Debug: the kernel's own type number of a capability, 0 for none (`rdi` in and out).
        DebugCapIdentify = -15,
        /// Debug: print the capability spaces.
        DebugSnapshot = -16,
        /// Debug: name a thread; the text is NUL-terminated in the IPC buffer's message words.
        DebugNameThread = -17,
        /// Set the caller's own FS base (`rdi`).
        SetTLSBase = -33,
        /// Skerry, debug: panic, to show that one instance's end is nobody else's.
        SkerryDebugPanic = -100,
        /// Skerry, debug: the kernel reads the virtual address in `rdi`, to show that it can reach nobody else's memory.
        SkerryDebugPeek = -101,
    }
}

impl Syscall {
    /// Whether this is one of the eleven calls of the API proper, present in every build.
    #[inline]
    pub const fn is_api(self) -> bool {
        self as i64 >= Self::Yield as i64
    }

    /// Whether only a debug kernel knows this call.
    #[inline]
    pub const fn is_debug(self) -> bool {
        !self.is_api() && !matches!(self, Self::SetTLSBase)
    }
}
