//! What a fault handler hears and may answer: the fault type is the message's label, the rest are its words, of which programs
//! know the order (`sel4::fault`).
//!
//! A reply with label 0 restarts the thread, any other leaves it stopped. Where a fault has a reply layout, the first
//! words of the reply, as many as it has, replace the listed registers. Tests: `tests/numbers.rs`.

use crate::register::UserRegister::{self, *};

words! {
    /// The label of a fault message.
    FaultType: u64, from_label {
        /// No fault.
        NullFault = 0,
        /// A capability pointer led nowhere.
        CapFault = 1,
        /// A system call number nobody knows.
        UnknownSyscall = 2,
        /// A processor exception.
        UserException = 3,
        /// Hardware debug API only: a breakpoint or step.
        DebugException = 4,
        /// The budget is exhausted.
        Timeout = 5,
        /// A memory access failed.
        VMFault = 6,
    }
}

/// Registers of an unknown-syscall message and of its reply, word by word.
pub const UNKNOWN_SYSCALL_REGISTERS: [UserRegister; 18] =
    [Rax, Rbx, Rcx, Rdx, Rsi, Rdi, Rbp, R8, R9, R10, R11, R12, R13, R14, R15, Rip, Rsp, Rflags];
/// Registers of a user-exception message and of its reply, word by word.
pub const USER_EXCEPTION_REGISTERS: [UserRegister; 3] = [Rip, Rsp, Rflags];
/// Registers of the reply to a timeout, word by word.
pub const TIMEOUT_REPLY_REGISTERS: [UserRegister; 19] =
    [Rip, Rsp, Rflags, Rax, Rbx, Rcx, Rdx, Rsi, Rdi, Rbp, R8, R9, R10, R11, R12, R13, R14, R15, FsBase];
