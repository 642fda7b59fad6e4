//! Fault messages, decoded: what a fault handler receives instead of a program's message.

use crate::{Message, buffer};
use abi::error::LookupFailure;
use abi::fault::FaultType;
use core::fmt;

/// Words of a capability fault. Details beyond `LOOKUP_FAILURE` depend on it
/// ([`LookupFailure`](abi::error::LookupFailure)).
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
    /// `rax`; the fourteen other general registers follow in [`REGISTERS`](abi::fault::UNKNOWN_SYSCALL_REGISTERS)' order.
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
    /// Why: a [`breakpoint`](abi::breakpoint) kind.
    pub const REASON: usize = 1;
    /// The breakpoint's address, if it was one.
    pub const TRIGGER_ADDRESS: usize = 2;
    /// The breakpoint's number, if it was one.
    pub const BREAKPOINT_NUMBER: usize = 3;
    /// Words of the message of a breakpoint.
    pub const LENGTH: usize = 4;
}

/// Words of a timeout; the reply is [`TIMEOUT_REPLY_REGISTERS`](abi::fault::TIMEOUT_REPLY_REGISTERS).
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

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Fault {
    /// A capability pointer led nowhere.
    Cap { ip: u64, address: u64, in_recv_phase: u64, failure: LookupFailure },
    /// A system call number nobody knows.
    UnknownSyscall { ip: u64, sp: u64, number: u64 },
    /// A processor exception.
    UserException { ip: u64, sp: u64, flags: u64, number: u64, code: u64 },
    /// Hardware debug API: a breakpoint (number `number`, at `address`), a step, or the breakpoint instruction.
    Debug { ip: u64, reason: u64, address: u64, number: u64 },
    /// The budget is exhausted.
    Timeout { badge: u64, consumed_us: u64 },
    /// A memory access failed; `fsr` is the processor's error code, `prefetch` 1 for an instruction fetch.
    Vm { ip: u64, address: u64, prefetch: u64, fsr: u64 },
}

impl Fault {
    /// The fault a message tells of; `None` if it is none. Call before anything else uses the buffer.
    pub fn from_message(message: &Message) -> Option<Self> {
        let word = |index: usize| message.words.get(index).copied().unwrap_or_else(|| buffer::word(index));
        Some(match FaultType::from_label(message.info.label())? {
            FaultType::NullFault => return None,
            FaultType::CapFault => Self::Cap {
                ip: word(cap::IP),
                address: word(cap::ADDR),
                in_recv_phase: word(cap::IN_RECV_PHASE),
                failure: LookupFailure::from_word(word(cap::LOOKUP_FAILURE)).unwrap_or(LookupFailure::NoFailure),
            },
            FaultType::UnknownSyscall => Self::UnknownSyscall {
                ip: word(unknown_syscall::FAULT_IP),
                sp: word(unknown_syscall::SP),
                number: word(unknown_syscall::SYSCALL),
            },
            FaultType::UserException => Self::UserException {
                ip: word(user_exception::FAULT_IP),
                sp: word(user_exception::SP),
                flags: word(user_exception::FLAGS),
                number: word(user_exception::NUMBER),
                code: word(user_exception::CODE),
            },
            FaultType::DebugException => Self::Debug {
                ip: word(debug_exception::FAULT_IP),
                reason: word(debug_exception::REASON),
                address: word(debug_exception::TRIGGER_ADDRESS),
                number: word(debug_exception::BREAKPOINT_NUMBER),
            },
            FaultType::Timeout => Self::Timeout { badge: word(timeout::DATA), consumed_us: word(timeout::CONSUMED) },
            FaultType::VMFault => Self::Vm {
                ip: word(vm::IP),
                address: word(vm::ADDR),
                prefetch: word(vm::PREFETCH_FAULT),
                fsr: word(vm::FSR),
            },
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cap { ip, address, in_recv_phase, failure } => {
                let phase = if *in_recv_phase == 0 { "sending" } else { "receiving" };
                write!(f, "capability fault at {ip:#x}: pointer {address:#x} while {phase}: {}", failure.name())
            }
            Self::UnknownSyscall { ip, number, .. } => {
                write!(f, "unknown system call {} at {ip:#x}", *number as i64)
            }
            Self::UserException { ip, number, code, .. } => {
                write!(f, "exception {number} (code {code:#x}) at {ip:#x}")
            }
            Self::Debug { ip, reason, .. } => write!(f, "debug exception (reason {reason}) at {ip:#x}"),
            Self::Timeout { badge, consumed_us } => write!(f, "budget {badge:#x} exhausted after {consumed_us} us"),
            Self::Vm { ip, address, prefetch, fsr } => {
                let what = match (*prefetch, fsr & 2) {
                    (0, 0) => "read",
                    (0, _) => "write",
                    _ => "fetch",
                };
                write!(f, "{what} of {address:#x} failed at {ip:#x} (code {fsr:#x})")
            }
        }
    }
}
