//! The workers: threads of this address space, each with a seat (stack, IPC buffer, block for `fs`), a scheduling context
//! on a core, and a bell that ends its rest between rounds.

use crate::ledger::{self, MAX_WORKERS};
use crate::props::PROPS;
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use root_task::RootError;
use root_task::objects::{Objects, place};
use sel4::thread::ThreadBlock;
use sel4::{
    Budget, CNodeGuard, CPtr, CapRights, Notification, ObjectType, Page, Reply, ResumeTarget, SchedContext, Space, Tcb,
    UserContext, initial,
};

/// Where every image is linked (`runtime/user.ld`).
const IMAGE_BASE: u64 = 0x40_0000;
const PAGE_BYTES: u64 = 1 << abi::object::PAGE_BITS;
const STACK_BYTES: usize = 8 * 1024;
/// Short, so that preemption falls into every storm.
const SLICE_US: u64 = 2_000;
/// Of every worker, and of the first thread while they run.
pub const PRIORITY: u8 = 100;

#[repr(C, align(4096))]
struct Seat {
    buffer: UnsafeCell<[u8; PAGE_BYTES as usize]>,
    stack: UnsafeCell<[u8; STACK_BYTES]>,
    block: UnsafeCell<ThreadBlock>,
}

// SAFETY: a seat belongs to one worker for ever; the first thread touches its block only before that worker starts.
unsafe impl Sync for Seat {}

static SEATS: [Seat; MAX_WORKERS] = [const {
    Seat {
        buffer: UnsafeCell::new([0; PAGE_BYTES as usize]),
        stack: UnsafeCell::new([0; STACK_BYTES]),
        block: UnsafeCell::new(ThreadBlock::EMPTY),
    }
}; MAX_WORKERS];

/// The notification that ends a worker's rest.
static BELLS: [AtomicU64; MAX_WORKERS] = [const { AtomicU64::new(0) }; MAX_WORKERS];
/// A worker's reply object.
static REPLIES: [AtomicU64; MAX_WORKERS] = [const { AtomicU64::new(0) }; MAX_WORKERS];

/// The reply object of worker `index`.
pub fn reply(index: usize) -> Reply {
    Reply::new(REPLIES[index].load(Relaxed))
}

/// Rests until the next round.
pub fn rest(index: usize) {
    ledger::set_resting(index, true);
    Notification::new(BELLS[index].load(Relaxed)).wait();
}

/// Ends the rest of worker `index`. It counts as awake from here on, however long it takes to wake.
pub fn wake(index: usize) {
    ledger::set_resting(index, false);
    Notification::new(BELLS[index].load(Relaxed)).signal();
}

/// What a worker does: one round after the other if it rests in between, else one call for ever.
pub type Work = extern "C" fn(index: usize) -> !;

/// Whether the migration storm may move a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Home {
    /// It stays.
    Fixed,
    /// It may be moved at any time.
    Nomad,
}

/// Starts worker number `index` on `core`.
pub fn start(
    objects: &mut Objects,
    image: CPtr,
    index: usize,
    core: usize,
    home: Home,
    work: Work,
) -> Result<(), RootError> {
    BELLS[index].store(objects.create(ObjectType::Notification, 0)?, Relaxed);
    REPLIES[index].store(objects.create(ObjectType::Reply, 0)?, Relaxed);
    let tcb = Tcb::new(objects.create(ObjectType::Tcb, 0)?);
    let context = SchedContext::new(objects.create(ObjectType::SchedContext, abi::object::MIN_SCHED_CONTEXT_BITS)?);
    step("set a budget", PROPS.control(core).configure(context, Budget::round_robin(SLICE_US)))?;
    if home == Home::Nomad {
        PROPS.add_nomad(context);
    }
    let seat = &SEATS[index];
    let buffer = seat.buffer.get() as u64;
    let page = objects.slots(1)?;
    let original = place(image + (buffer - IMAGE_BASE) / PAGE_BYTES);
    step("copy a page's capability", place(page).copy_from(original, CapRights::ALL))?;
    let space = Space { cspace: initial::CNODE, guard: CNodeGuard::default(), vspace: initial::VSPACE };
    step("configure a thread", tcb.configure(space, buffer, Page::new(page)))?;
    step("set a thread's priority", tcb.set_sched_params(initial::TCB, PRIORITY, PRIORITY, context, PROPS.faults()))?;
    let block = seat.block.get();
    // SAFETY: nobody has the seat yet, and the buffer is part of this image.
    unsafe { ThreadBlock::prepare(block, buffer as *mut _) };
    let registers = UserContext {
        rip: work as *const () as u64,
        // As after a call: eight bytes off a multiple of sixteen.
        rsp: seat.stack.get() as u64 + STACK_BYTES as u64 - 8,
        rflags: abi::register::RFLAGS_SET,
        fs_base: block as u64,
        rdi: index as u64,
        ..UserContext::default()
    };
    step("start a thread", tcb.write_registers(ResumeTarget::Yes, &registers))
}

/// Names the step at which the kernel refused.
pub fn step<T>(step: &'static str, result: sel4::Result<T>) -> Result<T, RootError> {
    result.map_err(|error| RootError::Kernel { step, error })
}
