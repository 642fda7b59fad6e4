//! The FPU: switched lazily with CR0.TS, saved with `fxsave64`.

use super::Machine;
use crate::FpuState;
use core::arch::asm;
use x86_64::registers::control::{Cr0, Cr0Flags};

/// Makes the next FPU instruction raise #NM.
pub(super) fn set_task_switched() {
    // SAFETY: the kernel is compiled without FPU instructions; paging bits are written as read.
    unsafe { Cr0::write_raw(Cr0::read_raw() | Cr0Flags::TASK_SWITCHED.bits()) };
}

impl Machine {
    /// Lets FPU instructions run.
    #[inline]
    pub fn fpu_enable(&self) {
        if !self.met.get().fpu_is_on() {
            self.met.set(self.met.get().with_fpu_on());
            // SAFETY: clears CR0.TS, nothing else.
            unsafe { asm!("clts", options(nomem, nostack, preserves_flags)) };
        }
    }

    /// Makes the next FPU instruction raise #NM.
    #[inline]
    pub fn fpu_disable(&self) {
        if self.met.get().fpu_is_on() {
            self.met.set(self.met.get().with_fpu_off());
            set_task_switched();
        }
    }

    /// Saves the FPU's registers to `state`; the FPU must be enabled.
    #[inline]
    pub fn fpu_save(&self, state: &FpuState) {
        debug_assert!(self.met.get().fpu_is_on());
        let area = core::ptr::from_ref(state).cast_mut();
        // SAFETY: 512 aligned bytes, in cells.
        unsafe { asm!("fxsave64 [{}]", in(reg) area, options(nostack, preserves_flags)) };
    }

    /// Loads the FPU's registers from `state`; the FPU must be enabled.
    ///
    /// Some AMD processors do not reload the x87 instruction and data pointers unless an exception is pending, and would
    /// show one thread another's. Loading any operand first overwrites them.
    #[inline]
    pub fn fpu_restore(&self, state: &FpuState) {
        debug_assert!(self.met.get().fpu_is_on());
        let any: u32 = 0;
        let area = core::ptr::from_ref(state);
        // SAFETY: `FpuState` never holds reserved MXCSR bits, so this cannot fault; the kernel has no FPU state to lose.
        unsafe {
            asm!(
                "fnclex", "emms", "fild dword ptr [{any}]", "fxrstor64 [{area}]",
                any = in(reg) &raw const any, area = in(reg) area, options(nostack, readonly)
            );
        }
    }
}
