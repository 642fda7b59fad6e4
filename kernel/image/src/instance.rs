//! The one instance of this binary: its statics, the handlers that the entry stubs call, and its death.
//!
//! The kernel value is a static of this file alone; every layer below sees it as a reference. Invariant X1: handlers run
//! with interrupts off and never nest, so each has the instance to itself.

use api::Kernel;
use core::cell::UnsafeCell;
use core::fmt::Write;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicBool, Ordering};
use machine::{Cpu, Machine};
use manifest::handoff::Handoff;
use manifest::handoff::{STACK_STRIDE, STACK_VIRT_BASE};

static CPUS: [Cpu; sync::CORES] = [const { Cpu::new() }; sync::CORES];

struct Place(UnsafeCell<MaybeUninit<Kernel>>);

// SAFETY: written once, by `skerry_main` on the only core, before any handler runs; read-only references afterwards.
unsafe impl Sync for Place {}

static KERNEL: Place = Place(UnsafeCell::new(MaybeUninit::uninit()));
static STARTED: AtomicBool = AtomicBool::new(false);
static DYING: AtomicBool = AtomicBool::new(false);

fn kernel() -> Option<&'static Kernel> {
    if !STARTED.load(Ordering::Relaxed) {
        return None;
    }
    // SAFETY: STARTED is set after the value was written.
    Some(unsafe { (*KERNEL.0.get()).assume_init_ref() })
}

/// Where the loader's hand-over ends up: brings the instance up and leaves for its root task.
#[unsafe(no_mangle)]
extern "C" fn skerry_main(handoff: *const Handoff, core: usize) -> ! {
    // SAFETY: the loader maps the page read-only at this address for the life of the instance.
    let handoff: &'static Handoff = unsafe { &*handoff };
    let Some(cpu) = CPUS.get(core) else { machine::park() };
    // SAFETY: first and only call on this core; `cpu` is used by no other.
    let machine = unsafe { machine::start(cpu, handoff, core) };
    let stack_top = STACK_VIRT_BASE + (core as u64 + 1) * STACK_STRIDE;
    let idle = (entry_address(), stack_top);
    match image::start(machine, handoff, idle) {
        Ok(value) => {
            // SAFETY: no handler has run yet and no other reference exists.
            unsafe { (*KERNEL.0.get()).write(value) };
            STARTED.store(true, Ordering::Relaxed);
        }
        Err(error) => panic!("cannot bring up the instance: {error}"),
    }
    if let Some(kernel) = kernel() {
        kernel.start();
    }
    // SAFETY: the machine is started and `start` set the current context.
    unsafe { crate::entry::skerry_enter_user() }
}

fn entry_address() -> u64 {
    crate::entry::skerry_idle as *const () as u64
}

#[unsafe(no_mangle)]
extern "C" fn skerry_syscall(_cpu: &'static Cpu) -> ! {
    // SAFETY: user mode, where alone this can come from, is entered after `skerry_main` wrote the value.
    let kernel = unsafe { (*KERNEL.0.get()).assume_init_ref() };
    kernel.syscall();
    // SAFETY: the stub saved the user's registers, the kernel stack is empty at each entry, and the current context is the
    // one to restore. Not returning spares saving the registers that nobody will read.
    unsafe { core::arch::asm!("jmp skerry_restore", options(noreturn)) }
}

#[unsafe(no_mangle)]
extern "C" fn skerry_exception(_cpu: &'static Cpu, vector: u64, error: u64) {
    if let Some(kernel) = kernel() {
        kernel.exception(vector, error);
    }
}

#[unsafe(no_mangle)]
extern "C" fn skerry_interrupt(_cpu: &'static Cpu, vector: u64) {
    if let Some(kernel) = kernel() {
        kernel.interrupt(vector as u8);
    }
}

#[unsafe(no_mangle)]
extern "C" fn skerry_kernel_fault(vector: u64, error: u64, rip: u64, fault_address: u64) -> ! {
    panic!("processor exception {vector} (error {error:#x}) in the kernel at {rip:#x}, address {fault_address:#x}")
}

/// The console, for last words: the instance's machine if it is up, else whatever the handoff page says.
struct LastWords;

impl Write for LastWords {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        let Some(kernel) = kernel() else {
            // SAFETY: the loader maps the handoff page at this address, read-only, for the life of the instance.
            let handoff = unsafe { &*(manifest::handoff::HANDOFF_VIRT as *const Handoff) };
            machine::write_without_machine(handoff, text);
            return Ok(());
        };
        let machine: &Machine = kernel.machine();
        text.bytes().for_each(|byte| machine.put_byte(byte));
        Ok(())
    }
}

/// A panic stops this instance only: it says where, and parks the core.
#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    if DYING.swap(true, Ordering::Relaxed) {
        machine::park();
    }
    let _ = writeln!(LastWords, "\n\u{1e}park {}{}", Location(info), Message(info));
    machine::park()
}

struct Location<'i, 'p>(&'i core::panic::PanicInfo<'p>);

impl core::fmt::Display for Location<'_, '_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.0.location() {
            Some(location) => write!(f, "{}:{} ", location.file(), location.line()),
            None => Ok(()),
        }
    }
}

struct Message<'i, 'p>(&'i core::panic::PanicInfo<'p>);

impl core::fmt::Display for Message<'_, '_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}", self.0.message())
    }
}
