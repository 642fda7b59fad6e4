//! Segment bases that a thread reads or writes itself (`wrfsbase` and its three likes), as programs for seL4 with
//! `KernelFSGSBase=inst` do.
//!
//! If users could always do that, the kernel would have to read both bases back at every change of threads. So it cannot
//! be done, an illegal instruction is the first sign of it, and then the thread is let do it for one instruction:
//!
//! ```text
//! illegal instruction ─▶ bases lent, TF set ─▶ debug exception: bases taken, TF cleared, and on
//!                                          └─▶ illegal instruction: it is one, whatever is lent: a fault
//! ```
//!
//! Bases are not lent any longer where another thread's are loaded; then it begins again. `Tcb::refused_at` spares a thread
//! that raises the same exception often the second try.
//!
//! Tests: `kernel/image/tests/instance/bases.rs`.

use crate::registers::canonical;
use crate::{Tcb, flag};
use abi::HARDWARE_DEBUG;
use machine::context::FLAGS_TRAP;
use machine::gate::{BREAKPOINT, DEBUG, DEVICE_NOT_AVAILABLE, INVALID_OPCODE};
use machine::{Machine, Register};

/// Exceptions that may be more than a fault, as bits.
const RARE: u32 =
    1 << DEBUG | 1 << INVALID_OPCODE | 1 << DEVICE_NOT_AVAILABLE | if HARDWARE_DEBUG { 1 << BREAKPOINT } else { 0 };

impl Tcb {
    /// Whether exception `vector` of the running thread is a fault, for certain.
    #[inline(always)]
    pub fn is_only_a_fault(&self, vector: u64) -> bool {
        let is = |exception: u8| vector == u64::from(exception);
        RARE >> (vector & 31) & 1 == 0
            || is(INVALID_OPCODE) && self.refused_at.get() == self.context.get(Register::NextIp)
            || is(DEBUG) && !HARDWARE_DEBUG && !self.has(flag::HAS_BASES)
    }

    /// No base is to be lent any longer, nor does a trace of that remain in the registers; says whether one was. If the thread
    /// has not used it, its instruction is illegal once more, and it begins again.
    pub fn end_loan(&self) -> bool {
        let was_lent = self.has(flag::HAS_BASES);
        if was_lent {
            self.set_flags(flag::HAS_BASES, 0);
            self.context.set(Register::Rflags, self.context.get(Register::Rflags) & !FLAGS_TRAP);
        }
        was_lent
    }

    /// Whether exception `vector` of the running thread is about a base that it reads or writes itself: then it goes on, and
    /// while it is marked so the bases are to be lent.
    pub fn takes_bases(&self, vector: u64, machine: &Machine) -> bool {
        let context = &self.context;
        let bases = machine.take_bases();
        if let Some([fs, gs]) = bases {
            // Processors refuse others; QEMU does not.
            context.set(Register::FsBase, canonical(fs));
            context.set(Register::GsBase, canonical(gs));
            self.roots.forget();
        }
        let has_stepped = self.end_loan();
        if HARDWARE_DEBUG && has_stepped {
            machine.take_debug_status();
        }
        if vector != u64::from(INVALID_OPCODE) {
            return has_stepped && vector == u64::from(DEBUG);
        }
        let flags = context.get(Register::Rflags);
        let steps_anyway = flags & FLAGS_TRAP != 0 || self.debug.is_wanted();
        if bases.is_some() || steps_anyway || !machine.can_lend_bases() {
            self.refused_at.set(context.get(Register::NextIp));
            return false;
        }
        self.refused_at.set(0);
        self.set_flags(0, flag::HAS_BASES);
        context.set(Register::Rflags, flags | FLAGS_TRAP);
        true
    }
}
