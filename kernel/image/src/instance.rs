//! The one instance of this binary: its statics, the handlers that the entry stubs call, and its death.
//!
//! The kernel value is a static of this file alone; every layer below sees it as a reference. Invariant X1: handlers run
//! with interrupts off and never nest, so each has its core to itself; what cores share is `sync`'s affair.
//!
//! The loader releases all cores of an instance at once. Each starts its processor and leaves it in [`ARRIVALS`]; the first
//! core waits for the others, builds the kernel value from all of them, and lets them go.

use crate::entry;
use api::{Blocking, Kernel, Locks};
use capability::Cap;
use core::cell::UnsafeCell;
use core::fmt::Write;
use core::hint::spin_loop;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicBool, Ordering};
use machine::{Cpu, Machine};
use manifest::handoff::Handoff;
use manifest::handoff::{STACK_STRIDE, STACK_VIRT_BASE};
use memory::Ref;
use sync::CoreIndex;
use thread::Tcb;

/// In the gate: mapped while programs run even if the rest of the kernel is not.
#[unsafe(link_section = ".bss.gate")]
static CPUS: [Cpu; sync::CORES] = [const { Cpu::new() }; sync::CORES];

struct Place(UnsafeCell<MaybeUninit<Kernel>>);

// SAFETY: written once, by `skerry_main` on the first core, before any handler runs; references afterwards, and what they
// reach is shared between cores only under the guards of `sync`.
unsafe impl Sync for Place {}

/// A core's started processor, on its way to the kernel value.
struct Arrival {
    is_here: AtomicBool,
    machine: UnsafeCell<MaybeUninit<Machine>>,
}

// SAFETY: written by its core before `is_here` is set, read by the first core after it saw that, and by nobody else.
unsafe impl Sync for Arrival {}

static ARRIVALS: [Arrival; sync::CORES] =
    [const { Arrival { is_here: AtomicBool::new(false), machine: UnsafeCell::new(MaybeUninit::uninit()) } };
        sync::CORES];

static KERNEL: Place = Place(UnsafeCell::new(MaybeUninit::uninit()));
static LOCKS: Locks = Locks::new();
static STARTED: AtomicBool = AtomicBool::new(false);
static DYING: AtomicBool = AtomicBool::new(false);

fn kernel() -> Option<&'static Kernel> {
    if !STARTED.load(Ordering::Acquire) {
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
    let arrival = &ARRIVALS[core];
    // SAFETY: this core's place, before anybody is told of it.
    unsafe { (*arrival.machine.get()).write(machine) };
    arrival.is_here.store(true, Ordering::Release);
    if core == 0 {
        bring_up(handoff);
    }
    let kernel = loop {
        match kernel() {
            Some(kernel) => break kernel,
            None if DYING.load(Ordering::Relaxed) => machine::park(),
            None => spin_loop(),
        }
    };
    let here = kernel.on(index(cpu));
    here.start();
    // SAFETY: the machine is started with these stubs, and `start` set the current context.
    unsafe {
        if here.machine().mitigations().guards_entries() {
            entry::guarded::enter_user()
        }
        entry::plain::enter_user()
    }
}

/// Builds the kernel value from every core's processor; for the first core.
fn bring_up(handoff: &Handoff) {
    let machines = ARRIVALS.iter().take(handoff.core_count as usize).map(|arrival| {
        while !arrival.is_here.load(Ordering::Acquire) {
            spin_loop();
        }
        // SAFETY: its core wrote it before it set `is_here` and leaves it alone since; it is taken once.
        unsafe { (*arrival.machine.get()).assume_init_read() }
    });
    let idle = |core: CoreIndex| {
        let stack_top = STACK_VIRT_BASE + (core.get() as u64 + 1) * STACK_STRIDE;
        (entry::skerry_idle as *const () as u64, stack_top)
    };
    match image::start(machines, &LOCKS, handoff, idle) {
        Ok(value) => {
            // SAFETY: no handler has run yet and no other reference exists.
            unsafe { (*KERNEL.0.get()).write(value) };
            STARTED.store(true, Ordering::Release);
        }
        Err(error) => panic!("cannot bring up the instance: {error}"),
    }
}

#[inline(always)]
fn index(cpu: &Cpu) -> CoreIndex {
    CoreIndex::new(cpu.index()).unwrap_or(CoreIndex::FIRST)
}

/// The instance as this core sees it, in a system call.
#[inline(always)]
pub fn on_this_core() -> api::OnCore<'static> {
    // SAFETY: user mode, where alone a system call can come from, is entered after `skerry_main` wrote the value.
    let kernel = unsafe { (*KERNEL.0.get()).assume_init_ref() };
    // SAFETY: the stub made GS the kernel's.
    kernel.on(index(unsafe { Cpu::this() }))
}

/// A Send through `cptr` that nobody but the sender notices. If it is not done nothing was, and the answer is a capability
/// for `skerry_send`, which is not null.
#[unsafe(no_mangle)]
extern "C" fn skerry_send_lightly(cptr: u64, info: u64, sender: Ref<Tcb>) -> Cap {
    on_this_core().send_lightly(sender, cptr, info, Blocking::Yes)
}

/// The same for an NBSend.
#[unsafe(no_mangle)]
extern "C" fn skerry_nb_send_lightly(cptr: u64, info: u64, sender: Ref<Tcb>) -> Cap {
    on_this_core().send_lightly(sender, cptr, info, Blocking::No)
}

/// A machine check at `rip`, in whatever this core was doing; GS may be the user's.
#[unsafe(no_mangle)]
extern "C" fn skerry_machine_check(rip: u64) {
    if let Err(broken) = machine::take_machine_check() {
        panic!("{broken}, at {rip:#x}")
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
        let machine: &Machine = kernel.first_machine();
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
    let _ = write!(LastWords, "\n\u{1e}park ");
    if let Some(location) = info.location() {
        let _ = write!(LastWords, "{}:{} ", location.file(), location.line());
    }
    let _ = writeln!(LastWords, "{}", info.message());
    machine::park()
}
