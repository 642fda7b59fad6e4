//! What a fault handler hears and may answer: the fault type is the message's label, the rest are its words.
//!
//! A reply with label 0 restarts the thread, any other leaves it stopped. Where a fault has a reply layout, the first
//! words of the reply, as many as it has, replace the listed registers. Tests: `tests/numbers.rs`.

use crate::register::UserRegister::{self, *};

words! {
    /// The label of a fault message.
    FaultType: u64, from_label {
        /// No fault.
        NullFault = 0,
        /// A capability pointer led nowhere; words as in [`cap`].
        CapFault = 1,
        /// A system call number nobody knows; words as in [`unknown_syscall`].
        UnknownSyscall = 2,
        /// A processor exception; words as in [`user_exception`].
        UserException = 3,
        /// Hardware debug API only: a breakpoint or step; words as in [`debug_exception`].
        DebugException = 4,
        /// The budget is exhausted; words as in [`timeout`].
        Timeout = 5,
        /// A memory access failed; words as in [`vm`].
        VMFault = 6,
    }
}

/// Words of a capability fault. Details beyond `LOOKUP_FAILURE` depend on it
/// ([`LookupFailure`](crate::error::LookupFailure)).
pub mod cap {
    /// Where to restart.
    pub const IP: usize = 0;
    /// The capability pointer.
    pub const ADDR: usize = 1;
    /// 1 if it happened while receiving, 0 while sending.
    pub const IN_RECV_PHASE: usize = 2;
    /// Why the lookup failed.
    pub const LOOKUP_FAILURE: usize = 3;
    /// All but an invalid root: bits of the pointer not resolved.
    pub const BITS_LEFT: usize = 4;
    /// Depth mismatch: bits the CNode wanted.
    pub const DEPTH_BITS_FOUND: usize = 5;
    /// Guard mismatch: the guard.
    pub const GUARD_FOUND: usize = 5;
    /// Guard mismatch: bits of the guard.
    pub const GUARD_BITS_FOUND: usize = 6;
}

/// Words of an unknown system call; words before `SYSCALL` are also the reply.
pub mod unknown_syscall {
    /// `rax`; the fourteen other general registers follow in [`REGISTERS`](super::UNKNOWN_SYSCALL_REGISTERS)' order.
    pub const RAX: usize = 0;
    /// Where to restart.
    pub const FAULT_IP: usize = 15;
    /// Stack pointer.
    pub const SP: usize = 16;
    /// Flags.
    pub const FLAGS: usize = 17;
    /// The number, as in `rdx`. Not part of the reply.
    pub const SYSCALL: usize = 18;
    /// Words of the fault message.
    pub const LENGTH: usize = 19;
}

/// Words of a processor exception; the first three are also the reply.
pub mod user_exception {
    /// Where to restart.
    pub const FAULT_IP: usize = 0;
    /// Stack pointer.
    pub const SP: usize = 1;
    /// Flags.
    pub const FLAGS: usize = 2;
    /// Processor vector of the exception.
    pub const NUMBER: usize = 3;
    /// Error code, 0 if the exception has none.
    pub const CODE: usize = 4;
    /// Words of the fault message.
    pub const LENGTH: usize = 5;
}

/// Words of a debug exception. The reply to a step is the number of instructions to the next, 1 if it has no word and none
/// any more if it is 0; other replies carry nothing.
pub mod debug_exception {
    /// Where to restart.
    pub const FAULT_IP: usize = 0;
    /// Why: a [`breakpoint`](crate::breakpoint) kind.
    pub const REASON: usize = 1;
    /// The breakpoint's address, if it was one.
    pub const TRIGGER_ADDRESS: usize = 2;
    /// The breakpoint's number, if it was one.
    pub const BREAKPOINT_NUMBER: usize = 3;
    /// Words of the message of a breakpoint.
    pub const LENGTH: usize = 4;
}

/// Words of a timeout; the reply is [`TIMEOUT_REPLY_REGISTERS`].
pub mod timeout {
    /// Badge of the scheduling context.
    pub const DATA: usize = 0;
    /// Time consumed, in microseconds, and reset.
    pub const CONSUMED: usize = 1;
    /// Words of the fault message.
    pub const LENGTH: usize = 2;
}

/// Words of a failed memory access. The reply carries no registers.
pub mod vm {
    /// Where to restart.
    pub const IP: usize = 0;
    /// The address accessed.
    pub const ADDR: usize = 1;
    /// 1 for an instruction fetch, 0 for data.
    pub const PREFETCH_FAULT: usize = 2;
    /// The processor's page-fault error code.
    pub const FSR: usize = 3;
    /// Words of the fault message.
    pub const LENGTH: usize = 4;
}

/// Registers of an unknown-syscall message and of its reply, word by word.
pub const UNKNOWN_SYSCALL_REGISTERS: [UserRegister; 18] =
    [Rax, Rbx, Rcx, Rdx, Rsi, Rdi, Rbp, R8, R9, R10, R11, R12, R13, R14, R15, Rip, Rsp, Rflags];
/// Registers of a user-exception message and of its reply, word by word.
pub const USER_EXCEPTION_REGISTERS: [UserRegister; 3] = [Rip, Rsp, Rflags];
/// Registers of the reply to a timeout, word by word.
pub const TIMEOUT_REPLY_REGISTERS: [UserRegister; 19] =
    [Rip, Rsp, Rflags, Rax, Rbx, Rcx, Rdx, Rsi, Rdi, Rbp, R8, R9, R10, R11, R12, R13, R14, R15, FsBase];
