//! The debug registers: a thread's breakpoints while it runs, and what the last debug exception was about.
//!
//! Only users' addresses are ever in them (the kernel touches none), so they cannot fire in the kernel.

use super::Machine;
use crate::breakpoints::{CONTROL_OFF, STATUS_RESET};
use core::arch::asm;

impl Machine {
    /// Loads the breakpoints of the thread that runs next; `control` is DR7's bits that are the thread's, 0 for none.
    pub fn load_breakpoints(&self, [first, second, third, fourth]: [u64; 4], control: u64) {
        let met = self.met.get();
        if control == 0 && !met.has_breakpoints() {
            return;
        }
        self.met.set(met.with_breakpoints(control));
        // SAFETY: they are off while the addresses change, and then break on a user's addresses only, as the caller checked.
        unsafe {
            asm!(
                "mov dr7, {off}", "mov dr0, {first}", "mov dr1, {second}", "mov dr2, {third}", "mov dr3, {fourth}",
                "mov dr6, {reset}", "mov dr7, {control}",
                off = in(reg) CONTROL_OFF, first = in(reg) first, second = in(reg) second, third = in(reg) third,
                fourth = in(reg) fourth, reset = in(reg) STATUS_RESET, control = in(reg) control | CONTROL_OFF,
                options(nomem, nostack, preserves_flags)
            );
        }
    }

    /// What debug exceptions since the last question were about: DR6, which is cleared.
    pub fn take_debug_status(&self) -> u64 {
        let status: u64;
        // SAFETY: reads and clears a register that nobody else looks at.
        unsafe {
            asm!("mov {}, dr6", out(reg) status, options(nomem, nostack, preserves_flags));
            asm!("mov dr6, {}", in(reg) STATUS_RESET, options(nomem, nostack, preserves_flags));
        }
        status
    }
}
