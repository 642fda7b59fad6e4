//! This core's local APIC: enabling it, starting other cores, and its timer's count.
//!
//! Small on purpose: crate `x2apic` always starts the timer and leaves the pins unmasked with vector 0, which is the
//! opposite of what a core needs that nobody runs on yet.

use core::sync::atomic::{AtomicU64, Ordering};
use manifest::handoff::features;
use raw_cpuid::CpuId;
use x86_64::registers::model_specific::Msr;

const BASE_MSR: u32 = 0x1b;
const BASE_ENABLE: u64 = 1 << 11;
const BASE_X2APIC: u64 = 1 << 10;
const BASE_ADDRESS: u64 = 0x000f_ffff_ffff_f000;

/// Offsets of registers in xAPIC mode; in x2APIC mode the MSR is `0x800 + offset / 16`.
mod register {
    pub const ID: u32 = 0x20;
    pub const VERSION: u32 = 0x30;
    pub const TASK_PRIORITY: u32 = 0x80;
    pub const END_OF_INTERRUPT: u32 = 0xb0;
    pub const SPURIOUS: u32 = 0xf0;
    pub const ERROR_STATUS: u32 = 0x280;
    pub const COMMAND_LOW: u32 = 0x300;
    pub const COMMAND_HIGH: u32 = 0x310;
    pub const LVT_TIMER: u32 = 0x320;
    pub const LVT_THERMAL: u32 = 0x330;
    pub const LVT_COUNTERS: u32 = 0x340;
    pub const LVT_PIN0: u32 = 0x350;
    pub const LVT_PIN1: u32 = 0x360;
    pub const LVT_ERROR: u32 = 0x370;
    pub const TIMER_INITIAL: u32 = 0x380;
    pub const TIMER_CURRENT: u32 = 0x390;
    pub const TIMER_DIVIDE: u32 = 0x3e0;
}

const MASKED: u32 = 1 << 16;
const SOFTWARE_ENABLE: u32 = 1 << 8;
const DIVIDE_BY_1: u32 = 0b1011;
const DELIVERY_PENDING: u32 = 1 << 12;
/// Turns to wait for the delivery of an interrupt command; real hardware needs a few.
const DELIVERY_TURNS: u32 = 1_000_000;

/// Address of the end-of-interrupt register, 0 in x2APIC mode. Read by the interrupt stub.
pub static END_OF_INTERRUPT: AtomicU64 = AtomicU64::new(0);

/// What one core can send to another.
#[derive(Clone, Copy)]
pub enum Message {
    /// Reset it.
    Init,
    /// Let it start at this page below 1 MiB.
    StartUp(u8),
    /// A plain interrupt.
    Vector(u8),
}

impl Message {
    /// Bits 31:0 of the command: physical destination, edge, assert.
    const fn command(self) -> u32 {
        const ASSERT: u32 = 1 << 14;
        match self {
            Self::Init => ASSERT | 0b101 << 8,
            Self::StartUp(page) => ASSERT | 0b110 << 8 | page as u32,
            Self::Vector(vector) => ASSERT | vector as u32,
        }
    }
}

/// The mode all local APICs are in, and where their registers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalApic {
    base: u64,
    x2apic: bool,
}

impl LocalApic {
    /// Chooses the mode from this core's features; touches nothing.
    pub fn choose(found: u32) -> Self {
        // SAFETY: every processor with an APIC (required) has this register.
        let base = unsafe { Msr::new(BASE_MSR).read() } & BASE_ADDRESS;
        Self { base, x2apic: found & features::X2APIC != 0 }
    }

    /// Physical page of the registers (also in x2APIC mode, where nothing is there).
    pub fn page(self) -> u64 {
        self.base
    }

    /// Is it x2APIC mode?
    pub fn is_x2apic(self) -> bool {
        self.x2apic
    }

    /// Can a core with this id be reached?
    pub fn reaches(self, apic_id: u32) -> bool {
        self.x2apic || apic_id < 0xff
    }

    /// Enables this core's local APIC with every local source masked.
    pub fn enable(self) {
        let mut msr = Msr::new(BASE_MSR);
        // SAFETY: enabling in this order (first xAPIC, then x2APIC) is the architecture's; interrupts are off.
        unsafe {
            let keep = msr.read() & !BASE_ADDRESS | self.base;
            msr.write(keep | BASE_ENABLE);
            if self.x2apic {
                msr.write(keep | BASE_ENABLE | BASE_X2APIC);
            }
        }
        let end = if self.x2apic { 0 } else { self.base + u64::from(register::END_OF_INTERRUPT) };
        END_OF_INTERRUPT.store(end, Ordering::Relaxed);
        // Software enable comes first: before it, the table of local vectors ignores writes.
        self.write(register::SPURIOUS, SOFTWARE_ENABLE | u32::from(ipi::SPURIOUS));
        self.write(register::TASK_PRIORITY, 0);
        let last_local_vector = self.read(register::VERSION) >> 16 & 0xff;
        for (number, local) in [
            (0, register::LVT_TIMER),
            (1, register::LVT_PIN0),
            (2, register::LVT_PIN1),
            (3, register::LVT_ERROR),
            (4, register::LVT_COUNTERS),
            (5, register::LVT_THERMAL),
        ] {
            if number <= last_local_vector {
                self.write(local, MASKED);
            }
        }
        self.write(register::ERROR_STATUS, 0);
    }

    /// This core's id.
    pub fn id(self) -> u32 {
        let raw = self.read(register::ID);
        if self.x2apic { raw } else { raw >> 24 }
    }

    /// Sends `message`; false if the APIC does not get rid of it.
    pub fn send(self, apic_id: u32, message: Message) -> bool {
        let command = message.command();
        if self.x2apic {
            // What was written before must be visible to the target: writes to x2APIC registers do not wait for it.
            core::sync::atomic::fence(Ordering::SeqCst);
            let value = u64::from(apic_id) << 32 | u64::from(command);
            // SAFETY: the command register; the message is one of three kinds to a core the caller owns.
            unsafe { Msr::new(0x800 + register::COMMAND_LOW / 16).write(value) };
            return true;
        }
        self.write(register::COMMAND_HIGH, apic_id << 24);
        self.write(register::COMMAND_LOW, command);
        (0..DELIVERY_TURNS).any(|_| self.read(register::COMMAND_LOW) & DELIVERY_PENDING == 0)
    }

    /// Starts the timer's count at its largest value, one tick per timer clock, masked.
    pub fn start_count(self) {
        self.write(register::TIMER_DIVIDE, DIVIDE_BY_1);
        self.write(register::LVT_TIMER, MASKED);
        self.write(register::TIMER_INITIAL, u32::MAX);
    }

    /// The timer's count, falling.
    pub fn count(self) -> u32 {
        self.read(register::TIMER_CURRENT)
    }

    /// Stops the timer's count.
    pub fn stop_count(self) {
        self.write(register::TIMER_INITIAL, 0);
    }

    fn read(self, register: u32) -> u32 {
        if self.x2apic {
            // SAFETY: x2APIC mode is on and `register` is one of the constants above, all readable.
            unsafe { Msr::new(0x800 + register / 16).read() as u32 }
        } else {
            // SAFETY: the page of registers is mapped one to one; `register` lies in it.
            unsafe { ((self.base + u64::from(register)) as *const u32).read_volatile() }
        }
    }

    fn write(self, register: u32, value: u32) {
        if self.x2apic {
            // SAFETY: x2APIC mode is on; the values are valid for the registers above.
            unsafe { Msr::new(0x800 + register / 16).write(u64::from(value)) }
        } else {
            // SAFETY: the page of registers is mapped one to one; `register` lies in it.
            unsafe { ((self.base + u64::from(register)) as *mut u32).write_volatile(value) }
        }
    }
}

/// This core's id as the processor tells it, whatever state the APIC is in.
pub fn initial_id() -> u32 {
    let cpuid = CpuId::new();
    let topology = cpuid.get_extended_topology_info().and_then(|mut levels| levels.next());
    let basic = || cpuid.get_feature_info().map_or(0, |it| u32::from(it.initial_local_apic_id()));
    topology.map_or_else(basic, |level| level.x2apic_id())
}
