//! A stand-in for the kernel proper: exercises console, timer, idle loop and traps on the real machine.

use crate::entry::{skerry_enter_user, skerry_idle};
use core::cell::{Cell, OnceCell};
use core::fmt::Write;
use core::panic::PanicInfo;
use machine::{Context, Cpu, Machine};
use manifest::handoff::{Handoff, STACK_STRIDE, STACK_VIRT_BASE};

/// Time between two lines on the console.
const BEAT_US: u64 = 200_000;

static CPU: Cpu = Cpu::new();
static PROBE: Slot = Slot(OnceCell::new());

struct Probe {
    machine: Machine,
    idle: Context,
    beats: Cell<u64>,
}

struct Slot(OnceCell<Probe>);

// SAFETY: only the instance's one core reaches it, with interrupts off.
unsafe impl Sync for Slot {}

macro_rules! say {
    ($($text:tt)*) => {
        if let Some(probe) = PROBE.0.get() {
            let _ = writeln!(&mut &probe.machine, $($text)*);
        }
    };
}

#[unsafe(no_mangle)]
extern "C" fn skerry_main(handoff: *const Handoff, core: usize) -> ! {
    // SAFETY: the loader maps the page for as long as the instance lives.
    let handoff: &'static Handoff = unsafe { &*handoff };
    if core != 0 {
        machine::park();
    }
    // SAFETY: first code on this core, in the state the loader promises; `CPU` is used here only.
    let machine = unsafe { machine::start(&CPU, handoff, core) };
    let probe = PROBE.0.get_or_init(|| Probe { machine, idle: Context::new(), beats: Cell::new(0) });
    say!(
        "skerry-kernel: core with APIC id {}, {} MHz, features {:#x}, slice {:#x}+{:#x}, free from {:#x}",
        handoff.apic_ids[0],
        handoff.tsc_mhz,
        handoff.features,
        handoff.memory[0].base,
        handoff.memory[0].size,
        handoff.free_base
    );
    probe.idle.init_idle(skerry_idle as *const () as u64, STACK_VIRT_BASE + STACK_STRIDE);
    probe.machine.set_current_context(&probe.idle);
    beat(probe);
    // SAFETY: the core is started and its context was just initialised.
    unsafe { skerry_enter_user() }
}

fn beat(probe: &Probe) {
    let due = probe.machine.now() + BEAT_US * probe.machine.ticks_per_us();
    probe.machine.set_deadline(due);
}

#[unsafe(no_mangle)]
extern "C" fn skerry_interrupt(_cpu: &'static Cpu, vector: u64) {
    let Some(probe) = PROBE.0.get() else { return };
    match ipi::classify(vector as u8) {
        ipi::Vector::Timer => {
            probe.machine.end_of_interrupt();
            probe.beats.set(probe.beats.get() + 1);
            say!("timer {} in the idle loop", probe.beats.get());
            beat(probe);
        }
        ipi::Vector::Spurious => {}
        other => {
            probe.machine.end_of_interrupt();
            say!("interrupt {other:?}");
        }
    }
}

#[unsafe(no_mangle)]
extern "C" fn skerry_syscall(_cpu: &'static Cpu) {
    say!("a system call, but there is no user");
}

#[unsafe(no_mangle)]
extern "C" fn skerry_exception(_cpu: &'static Cpu, vector: u64, error: u64) {
    panic!("exception {vector} with error {error:#x} from a user, but there is none");
}

#[unsafe(no_mangle)]
extern "C" fn skerry_kernel_fault(vector: u64, error: u64, rip: u64, fault_address: u64) -> ! {
    panic!("kernel fault {vector}, error {error:#x}, at {rip:#x}, address {fault_address:#x}");
}

#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    say!("\n\x1epark {info}");
    machine::park()
}
