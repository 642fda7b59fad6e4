//! The bare machine's back end: one [`Machine`] drives the core it was [started](start) on.
//!
//! `unsafe` in this folder has three reasons only: privileged instructions, device registers at addresses that the
//! loader mapped, and the core's own descriptor tables. Every method stays inside what the [`Handoff`] grants this
//! instance (ports, pins, doorbell routes), whatever its caller believes.
//!
//! Tests: system tests boot it; what can be computed is tested on the host beside `gate`, `selector`, `apic`, `cpu`.

mod bases;
mod breakpoints;
mod console;
pub use console::write_without_machine;
mod fpu;
mod local_apic;
mod machine_check;
mod paging;
mod pins;
mod ports;
mod start;

pub use machine_check::take_machine_check;
pub use start::start;

use crate::Cpu;
use crate::mitigation::Decision;
use crate::space::Met;
use console::Console;
use core::arch::asm;
use core::arch::x86_64::_rdtsc;
use core::cell::{Cell, RefCell};
use core::fmt;
use core::marker::PhantomData;
use ipi::route::{Command, Summons};
use local_apic::LocalApic;
use manifest::handoff::Handoff;
use x2apic::ioapic::IoApic;
use x86_64::registers::control::Cr2;

/// The core this code runs on.
pub struct Machine {
    cpu: &'static Cpu,
    handoff: &'static Handoff,
    decision: Decision,
    local_apic: LocalApic,
    io_apic: RefCell<Option<IoApic>>,
    console: Console,
    met: Cell<Met>,
    tagging: paging::Tagging,
    loading: paging::Loading,
    fs_base: Cell<u64>,
    gs_base: Cell<u64>,
    /// A machine never leaves its core.
    not_send: PhantomData<*const ()>,
}

impl Machine {
    /// TSC ticks since the machine started.
    #[inline]
    pub fn now(&self) -> u64 {
        // SAFETY: CR4.TSD restricts only users, and the instruction exists on every x86-64 processor.
        unsafe { _rdtsc() }
    }

    /// TSC ticks per microsecond.
    #[inline]
    pub fn ticks_per_us(&self) -> u64 {
        u64::from(self.handoff.tsc_mhz)
    }

    /// Arms the one-shot timer (vector `ipi::TIMER`) for TSC value `at`; a deadline in the past fires as soon as
    /// interrupts are enabled; `u64::MAX` disarms. A far deadline may fire early: compare with [`Machine::now`].
    #[inline]
    pub fn set_deadline(&self, at: u64) {
        self.local_apic.set_deadline(at);
    }

    /// Makes sure that the timer fires at `at` or before: it is armed anew only if it would be late.
    #[inline]
    pub fn set_deadline_by(&self, at: u64) {
        if self.deadline() > at {
            self.local_apic.set_deadline(at);
        }
    }

    /// What the timer was armed for last.
    #[inline(always)]
    pub fn deadline(&self) -> u64 {
        self.local_apic.deadline()
    }

    /// Tells the local APIC that the interrupt in service is done.
    #[inline]
    pub fn end_of_interrupt(&self) {
        self.local_apic.end_of_interrupt();
    }

    /// Writes the interrupt command register: the only place that does.
    #[inline]
    pub fn ring(&self, command: Command) {
        self.local_apic.command(command);
    }

    /// Interrupts core `index` of the instance for the kernel's own work; one that does not exist is not interrupted.
    pub fn interrupt_core(&self, index: usize, why: Summons) {
        if index < self.handoff.core_count as usize
            && let Some(&apic_id) = self.handoff.apic_ids.get(index)
        {
            self.local_apic.command(Command::summon(apic_id, why));
        }
    }

    /// Whether an interrupt waits for this core; meant for preemption points.
    #[inline]
    pub fn pending_interrupt(&self) -> bool {
        self.local_apic.has_request()
    }

    /// The mitigations that this core uses, and why.
    pub fn mitigations(&self) -> Decision {
        self.decision
    }

    /// Linear address of the last page fault.
    #[inline]
    pub fn fault_address(&self) -> u64 {
        Cr2::read_raw()
    }

    /// What the hardware did by itself: non-maskable interrupts on this core, and machine checks that a core survived.
    pub fn mishaps(&self) -> [u64; 2] {
        [self.cpu.nmi_count(), machine_check::survived()]
    }

    /// Names the thread, by its address, that the next kernel entry saves to and the next exit restores from: the entry
    /// stubs know where its context lies.
    #[inline(always)]
    pub fn set_current(&self, thread: u64) {
        // SAFETY: GS is the kernel's and names `self.cpu`.
        unsafe {
            asm!("mov gs:[{offset}], {}", in(reg) thread, offset = const core::mem::offset_of!(Cpu, current),
                options(nostack, preserves_flags));
        }
    }

    /// Stops this core for ever. Only an NMI still runs, and returns here.
    pub fn park(&self) -> ! {
        park()
    }
}

impl fmt::Debug for Machine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Machine").field("core", &self.cpu.index()).finish_non_exhaustive()
    }
}

/// Stops the core this runs on for ever, when there is no [`Machine`] to ask.
pub fn park() -> ! {
    loop {
        // SAFETY: halting with interrupts off touches nothing.
        unsafe { asm!("cli", "hlt", options(nomem, nostack)) };
    }
}
