//! Segment bases: the user's FS and GS, and the kernel's own GS.
//!
//! Users cannot write a base directly (CR4.FSGSBASE is off, but for an instruction: [`Machine::lend_bases`]), but loading a
//! *selector* into FS or GS changes the base behind the kernel's back, and the next thread would run with it. FS and GS
//! therefore hold the sentinel selector, which only exists in the descriptor table while [`seal`] loads it: a register that
//! still holds it was never touched.

use super::Machine;
use crate::context::is_canonical;
use crate::cpu::Cpu;
use crate::selector;
use core::arch::asm;
use core::ptr;
use manifest::handoff::features;
use x86_64::registers::control::{Cr4, Cr4Flags};
use x86_64::registers::model_specific::Msr;

const IA32_FS_BASE: u32 = 0xc000_0100;
const IA32_GS_BASE: u32 = 0xc000_0101;
/// In the kernel, the user's GS base: `swapgs` exchanged them.
const IA32_KERNEL_GS_BASE: u32 = 0xc000_0102;
/// The loaded GS base while the user may change it: no thread's.
const LENT: u64 = 1 << 63;

/// Loads the sentinel into FS and GS and points the kernel's GS at `cpu`.
///
/// # Safety
/// `cpu`'s descriptor table is loaded on this core, and interrupts are off.
pub(super) unsafe fn seal(cpu: &'static Cpu) {
    let sentinel: *mut u64 = cpu.gdt.get().cast::<u64>().wrapping_add(usize::from(selector::SENTINEL >> 3));
    // SAFETY: the descriptor is valid while the loads read it; GS is right again before anything can use it, since
    // interrupts are off and the NMI's stub does not.
    unsafe {
        ptr::write_volatile(sentinel, selector::SENTINEL_PRESENT);
        asm!("mov fs, {0:e}", "mov gs, {0:e}", in(reg) u32::from(selector::SENTINEL), options(nostack, preserves_flags));
        Msr::new(IA32_GS_BASE).write(ptr::from_ref(cpu) as u64);
        ptr::write_volatile(sentinel, selector::SENTINEL_ABSENT);
    }
}

/// Writes the user's bases; one that is not canonical becomes zero.
///
/// # Safety
/// GS is the kernel's at the moment.
pub(super) unsafe fn write(fs: u64, gs: u64) {
    let clean = |base| if is_canonical(base) { base } else { 0 };
    // SAFETY: canonical bases cannot fault, and the kernel uses neither.
    unsafe {
        Msr::new(IA32_FS_BASE).write(clean(fs));
        Msr::new(IA32_KERNEL_GS_BASE).write(clean(gs));
    }
}

/// Whether FS and GS still hold the sentinel. No selector that can be loaded is greater, so nothing else has its sum.
#[inline(always)]
fn is_sealed() -> bool {
    let (fs, gs): (u32, u32);
    // SAFETY: reads two selectors.
    unsafe {
        asm!("mov {0:e}, fs", "mov {1:e}, gs", out(reg) fs, out(reg) gs, options(nomem, nostack, preserves_flags));
    }
    fs + gs == 2 * u32::from(selector::SENTINEL)
}

impl Machine {
    /// Loads the user's FS and GS bases; skipped while they are the loaded ones. The caller keeps them canonical.
    #[inline]
    pub fn load_bases(&self, fs: u64, gs: u64) {
        if self.gs_base.get() != gs || !self.load_fs_base(fs) {
            self.reload_bases(fs, gs);
        }
    }

    /// Loads the user's FS base, where GS needs no change; says `false` and does nothing if the user loaded a selector.
    #[inline(always)]
    pub fn load_fs_base(&self, fs: u64) -> bool {
        if !is_sealed() {
            return false;
        }
        // Threads differ in FS as a rule: it points at their thread-local block.
        if self.fs_base.get() != fs {
            self.fs_base.set(fs);
            // SAFETY: the caller keeps the base canonical, and the kernel does not use FS.
            unsafe { Msr::new(IA32_FS_BASE).write(fs) };
        }
        true
    }

    #[cold]
    fn reload_bases(&self, fs: u64, gs: u64) {
        self.fs_base.set(fs);
        let was_lent = self.gs_base.replace(gs) == LENT;
        self.met.set(self.met.get().with_gs_base(gs));
        // SAFETY: this core runs on `self.cpu`'s tables, in the kernel, with interrupts off.
        unsafe {
            if was_lent {
                Cr4::update(|flags| flags.remove(Cr4Flags::FSGSBASE));
            }
            if !is_sealed() {
                seal(self.cpu);
            }
            write(fs, gs);
        }
    }

    /// Whether the processor has instructions that read and write the bases.
    pub fn can_lend_bases(&self) -> bool {
        self.handoff.features & features::FSGSBASE != 0
    }

    /// Lets the user execute these instructions, if there are any, until [`take_bases`](Self::take_bases) or the next switch.
    #[inline(never)]
    pub fn lend_bases(&self) {
        if self.can_lend_bases() {
            self.gs_base.set(LENT);
            // Whoever runs next needs them loaded.
            self.met.set(self.met.get().with_gs_base(LENT));
            // SAFETY: the processor has what the flag stands for, and the kernel does not care what the user's bases are.
            unsafe { Cr4::update(|flags| flags.insert(Cr4Flags::FSGSBASE)) };
        }
    }

    /// FS and GS base as the user left them; `None` if they were not lent.
    pub fn take_bases(&self) -> Option<[u64; 2]> {
        if self.gs_base.get() != LENT {
            return None;
        }
        // SAFETY: these registers exist, and GS is the kernel's at the moment.
        let [fs, gs] = [IA32_FS_BASE, IA32_KERNEL_GS_BASE].map(|register| unsafe { Msr::new(register).read() });
        self.reload_bases(fs, gs);
        Some([fs, gs])
    }
}
