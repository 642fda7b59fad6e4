//! The local APIC of this core, in whichever mode the loader left it.
//!
//! Registers are driven here rather than by the `x2apic` crate: that one starts the timer and opens LINT0/1 on the way,
//! knows no TSC-deadline mode, and could send more than an [`ipi::route::Command`]. This file holds the instance's only
//! write to the interrupt command register.

use crate::apic::{self, register};
use core::arch::asm;
use core::arch::x86_64::_rdtsc;
use core::cell::Cell;
use core::hint::spin_loop;
use core::ptr;
use ipi::route::Command;
use manifest::handoff::{Handoff, LOCAL_APIC_VIRT, features};
use x86_64::registers::model_specific::Msr;

const IA32_APIC_BASE: u32 = 0x1b;
const APIC_BASE_X2: u64 = 1 << 10;
const IA32_TSC_DEADLINE: u32 = 0x6e0;
/// How long an earlier xAPIC command may stay undelivered before the next one is written regardless.
const DELIVERY_PATIENCE_US: u64 = 1000;

/// How registers are reached.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    /// MMIO at [`LOCAL_APIC_VIRT`].
    Page,
    /// MSRs (x2APIC).
    Msr,
}

impl Access {
    #[inline]
    fn read(self, offset: u32) -> u32 {
        match self {
            // SAFETY: the page is mapped uncached, and reading these registers has no side effect.
            Self::Page => unsafe { ptr::read_volatile((LOCAL_APIC_VIRT + u64::from(offset)) as *const u32) },
            // SAFETY: an x2APIC has the MSR of every register this file reads.
            Self::Msr => unsafe { Msr::new(apic::msr(offset)).read() as u32 },
        }
    }

    /// # Safety
    /// The register exists, and `value` raises nothing that the kernel does not expect.
    #[inline]
    unsafe fn write(self, offset: u32, value: u32) {
        match self {
            // SAFETY: the page is mapped uncached; the value is the caller's promise.
            Self::Page => unsafe { ptr::write_volatile((LOCAL_APIC_VIRT + u64::from(offset)) as *mut u32, value) },
            // SAFETY: as above, and the register exists.
            Self::Msr => unsafe { Msr::new(apic::msr(offset)).write(value.into()) },
        }
    }
}

/// How the timer is told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Timer {
    /// A TSC value.
    Deadline,
    /// A number of its own ticks.
    Count,
}

/// The local APIC.
pub(super) struct LocalApic {
    access: Access,
    timer: Timer,
    id: u32,
    armed: Cell<u64>,
    ticks_x1024: u32,
    tsc_mhz: u32,
}

impl LocalApic {
    /// Enables it with everything masked but the timer, which is disarmed, and the non-maskable interrupt, which belongs to
    /// the first core of the instance that owns the I/O APIC.
    ///
    /// # Safety
    /// Interrupts are off; the registers are mapped (xAPIC) and nobody else on this core uses them.
    pub(super) unsafe fn start(handoff: &Handoff, core_index: usize) -> Self {
        // SAFETY: every x86-64 processor has this MSR.
        let base = unsafe { Msr::new(IA32_APIC_BASE).read() };
        let access = if base & APIC_BASE_X2 == 0 { Access::Page } else { Access::Msr };
        let timer = if handoff.features & features::TSC_DEADLINE == 0 { Timer::Count } else { Timer::Deadline };
        let raw_id = access.read(register::ID);
        let id = if access == Access::Page { raw_id >> 24 } else { raw_id };
        // SAFETY: the caller's promise.
        unsafe { configure(access, timer, handoff.io_apic_pins != 0 && core_index == 0) };
        Self {
            access,
            timer,
            id,
            armed: Cell::new(u64::MAX),
            ticks_x1024: handoff.apic_timer_mhz_x1024,
            tsc_mhz: handoff.tsc_mhz,
        }
    }

    /// This core's local APIC id.
    pub(super) fn id(&self) -> u32 {
        self.id
    }

    #[inline]
    pub(super) fn end_of_interrupt(&self) {
        // SAFETY: zero is the only value, and completes the interrupt in service, if any.
        unsafe { self.access.write(register::END_OF_INTERRUPT, 0) };
    }

    #[inline]
    pub(super) fn has_request(&self) -> bool {
        apic::REQUESTS.into_iter().any(|offset| self.access.read(offset) != 0)
    }

    /// What the timer was armed for last.
    #[inline]
    pub(super) fn deadline(&self) -> u64 {
        self.armed.get()
    }

    #[inline]
    pub(super) fn set_deadline(&self, at: u64) {
        let armed = self.armed.replace(at);
        match self.timer {
            Timer::Deadline => {
                // The processor disarms itself only when the time has come, so a future deadline is still armed.
                // SAFETY: reads the clock.
                if armed == at && (at == u64::MAX || at > unsafe { _rdtsc() }) {
                    return;
                }
                // Zero disarms; any time in the past fires at once.
                let value = if at == u64::MAX { 0 } else { at.max(1) };
                // SAFETY: the processor has deadline mode, and the kernel expects the timer's vector.
                unsafe { Msr::new(IA32_TSC_DEADLINE).write(value) };
            }
            Timer::Count => {
                if armed == at && at == u64::MAX {
                    return;
                }
                let count = match at {
                    u64::MAX => 0,
                    // SAFETY: reads the clock.
                    _ => apic::timer_count(unsafe { _rdtsc() }, at, self.ticks_x1024, self.tsc_mhz),
                };
                // SAFETY: the kernel expects the timer's vector.
                unsafe { self.access.write(register::TIMER_INITIAL, count) };
            }
        }
    }

    /// Writes the interrupt command register. Everything this core wrote before is visible to whoever is interrupted.
    pub(super) fn command(&self, command: Command) {
        match self.access {
            Access::Msr => {
                let value = u64::from(command.destination()) << 32 | u64::from(command.low());
                // SAFETY: the fences order earlier stores before the MSR write, which alone would not; `Command` can
                // only hold a listed doorbell.
                unsafe {
                    asm!("mfence", "lfence", options(nostack, preserves_flags));
                    Msr::new(apic::msr(register::COMMAND_LOW)).write(value);
                }
            }
            // A larger id would alias another core: ring nobody rather than the wrong one.
            Access::Page if command.destination() > apic::XAPIC_DESTINATION_MAX => {}
            Access::Page => {
                self.await_delivery();
                // SAFETY: the low half triggers the command; `Command` can only hold a listed doorbell.
                unsafe {
                    self.access.write(register::COMMAND_HIGH, command.destination() << 24);
                    self.access.write(register::COMMAND_LOW, command.low());
                }
            }
        }
    }

    /// Waits, boundedly, until the last command has left.
    fn await_delivery(&self) {
        if self.access.read(register::COMMAND_LOW) & apic::DELIVERY_PENDING == 0 {
            return;
        }
        // SAFETY: reads the clock.
        let clock = || unsafe { _rdtsc() };
        let give_up = clock().saturating_add(DELIVERY_PATIENCE_US * u64::from(self.tsc_mhz));
        while self.access.read(register::COMMAND_LOW) & apic::DELIVERY_PENDING != 0 && clock() < give_up {
            spin_loop();
        }
    }
}

/// # Safety
/// As for [`LocalApic::start`].
unsafe fn configure(access: Access, timer: Timer, owns_nmi: bool) {
    const MASKED: u32 = apic::LVT_MASKED | ipi::SPURIOUS as u32;
    let highest_entry = access.read(register::VERSION) >> 16 & 0xff;
    let mode = if timer == Timer::Deadline { apic::LVT_TSC_DEADLINE } else { 0 };
    // SAFETY: the entries exist on this version; all are masked but the timer's, which has nothing to count. The
    // software-enable bit comes first, since entries of a disabled APIC cannot be unmasked.
    unsafe {
        access.write(register::SPURIOUS, apic::SOFTWARE_ENABLE | ipi::SPURIOUS as u32);
        access.write(register::TASK_PRIORITY, 0);
        access.write(register::TIMER_INITIAL, 0);
        access.write(register::LVT_LINT0, MASKED);
        access.write(register::LVT_LINT1, if owns_nmi { apic::LVT_NMI } else { MASKED });
        access.write(register::LVT_ERROR, MASKED);
        for (entry, offset) in [(4, register::LVT_PERFORMANCE), (5, register::LVT_THERMAL), (6, register::LVT_CMCI)] {
            if highest_entry >= entry {
                access.write(offset, MASKED);
            }
        }
        access.write(register::TIMER_DIVIDE, apic::DIVIDE_BY_ONE);
        access.write(register::LVT_TIMER, mode | u32::from(ipi::TIMER));
        access.write(register::ERROR_STATUS, 0);
        if timer == Timer::Deadline {
            // The mode must be in place before the first deadline: MMIO and MSR writes are not ordered by themselves.
            asm!("mfence", options(nostack, preserves_flags));
            Msr::new(IA32_TSC_DEADLINE).write(0);
        }
        // Whatever the firmware or the loader left in service would block its priority for ever.
        for _ in 0..=u8::MAX {
            let in_service = (0..8).any(|word| access.read(register::IN_SERVICE + 16 * word) != 0);
            if !in_service {
                break;
            }
            access.write(register::END_OF_INTERRUPT, 0);
        }
    }
}
