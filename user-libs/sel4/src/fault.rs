//! Fault messages, decoded: what a fault handler receives instead of a program's message.

use crate::{Message, buffer};
use abi::error::LookupFailure;
use abi::fault::{self, FaultType};
use core::fmt;

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
                ip: word(fault::cap::IP),
                address: word(fault::cap::ADDR),
                in_recv_phase: word(fault::cap::IN_RECV_PHASE),
                failure: LookupFailure::from_word(word(fault::cap::LOOKUP_FAILURE)).unwrap_or(LookupFailure::NoFailure),
            },
            FaultType::UnknownSyscall => Self::UnknownSyscall {
                ip: word(fault::unknown_syscall::FAULT_IP),
                sp: word(fault::unknown_syscall::SP),
                number: word(fault::unknown_syscall::SYSCALL),
            },
            FaultType::UserException => Self::UserException {
                ip: word(fault::user_exception::FAULT_IP),
                sp: word(fault::user_exception::SP),
                flags: word(fault::user_exception::FLAGS),
                number: word(fault::user_exception::NUMBER),
                code: word(fault::user_exception::CODE),
            },
            FaultType::DebugException => Self::Debug {
                ip: word(fault::debug_exception::FAULT_IP),
                reason: word(fault::debug_exception::REASON),
                address: word(fault::debug_exception::TRIGGER_ADDRESS),
                number: word(fault::debug_exception::BREAKPOINT_NUMBER),
            },
            FaultType::Timeout => {
                Self::Timeout { badge: word(fault::timeout::DATA), consumed_us: word(fault::timeout::CONSUMED) }
            }
            FaultType::VMFault => Self::Vm {
                ip: word(fault::vm::IP),
                address: word(fault::vm::ADDR),
                prefetch: word(fault::vm::PREFETCH_FAULT),
                fsr: word(fault::vm::FSR),
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
