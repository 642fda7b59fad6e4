//! Words of the hardware debug API: kinds of breakpoints, and accesses that trigger them.

/// Breakpoints of a thread.
pub const COUNT: u64 = 4;
/// Invocations of the hardware debug API.
pub(crate) const INVOCATIONS: u64 = 4;

words! {
    /// What stops a thread; the first two are kinds of breakpoints, all are reasons of debug exceptions.
    Kind: u64, from_word {
        /// An access to data.
        Data = 0,
        /// An instruction, before it is executed.
        Instruction = 1,
        /// A step.
        SingleStep = 2,
        /// The breakpoint instruction.
        SoftwareBreakRequest = 3,
    }
}

words! {
    /// Which accesses to data.
    Access: u64, from_word {
        /// Reads. Processors know no such breakpoint: it is one of reads and writes.
        Read = 0,
        /// Writes.
        Write = 1,
        /// Both.
        ReadWrite = 2,
    }
}
