//! The threads of a round: each has a seat (stack, IPC buffer, thread, time) at a core of this partition, kept and used
//! again by the next round. Which core is said the way seL4 says it: by the scheduling control of that core.

use super::post::{POSTS, ROUND};
use crate::stage::step;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use root_task::RootError;
use root_task::objects::Objects;
use root_task::vspace::VSpace;
use sel4::thread::ThreadBlock;
use sel4::{
    BootInfo, Budget, CNodeGuard, CPtr, CapRights, Null, ObjectType, Page, ResumeTarget, SchedContext, SchedControl,
    Space, Tcb, UserContext, VmAttributes, initial,
};

/// Where seats are mapped: away from the image.
const SEATS_AT: u64 = 0x5000_0000;
const PAGE_BYTES: u64 = 1 << abi::object::PAGE_BITS;
/// Per seat: the IPC buffer, the stack, the page whose start is the block that `fs` points to.
const SEAT_PAGES: u64 = 4;
/// Longer than any window, so that no slice ends in one.
const SLICE_US: u64 = 10_000_000;

/// What a worker does at the post with this number. It never returns.
pub type Entry = extern "C" fn(usize) -> !;

/// Who runs at a core, of the two that a core has seats for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// It counts.
    Worker,
    /// It serves, or waits.
    Helper,
}

#[derive(Clone, Copy, Debug)]
struct Seat {
    tcb: Tcb,
    context: SchedContext,
    control: SchedControl,
    at: u64,
}

/// Objects, address space, and a seat for two threads at each core.
#[derive(Debug)]
pub struct Crew {
    /// Where objects come from.
    pub objects: Objects,
    /// The address space of all threads.
    pub own: VSpace,
    seats: Vec<[Seat; 2]>,
}

impl Crew {
    /// Seats for every core of this instance.
    pub fn new(info: &BootInfo<'_>) -> Result<Self, RootError> {
        let (mut objects, mut own) = (Objects::new(info), VSpace::own());
        let control = info.sched_control(0).ok_or(RootError::NoManifest)?;
        step("set the first thread's budget", control.configure(initial::SCHED_CONTEXT, slice()))?;
        let mut seats = Vec::new();
        for core in 0..info.page().schedcontrol.len().min(POSTS.len() as u64) {
            let control = info.sched_control(core).ok_or(RootError::NoManifest)?;
            let at = SEATS_AT + 2 * core * SEAT_PAGES * PAGE_BYTES;
            let first = seat(&mut objects, &mut own, control, at)?;
            seats.push([first, seat(&mut objects, &mut own, control, at + SEAT_PAGES * PAGE_BYTES)?]);
        }
        let mut crew = Self { objects, own, seats };
        ROUND.curtain.store(crew.objects.create(ObjectType::Notification, 0)?, Relaxed);
        for post in &POSTS[..crew.cores()] {
            post.rest.store(crew.objects.create(ObjectType::Notification, 0)?, Relaxed);
        }
        Ok(crew)
    }

    /// Cores of this partition.
    pub fn cores(&self) -> usize {
        self.seats.len()
    }

    /// Puts a new object of this kind at `place`, so that no round inherits anything.
    pub fn renew(&mut self, place: &AtomicU64, kind: ObjectType) -> Result<CPtr, RootError> {
        let object = self.objects.create(kind, 0)?;
        place.store(object, Relaxed);
        Ok(object)
    }

    /// Starts the thread of `part` at core number `core` of this partition.
    pub fn start(&self, core: usize, part: Part, priority: u8, entry: Entry) -> Result<(), RootError> {
        let Seat { tcb, context, control, at } = self.seats[core][part as usize];
        step("set a budget", control.configure(context, slice()))?;
        step("set a thread's priority", tcb.set_sched_params(initial::TCB, priority, priority, context, Null))?;
        let registers = UserContext {
            rip: entry as usize as u64,
            // As after a call: eight bytes off a multiple of sixteen.
            rsp: block(at) - 8,
            rdi: core as u64,
            rflags: abi::register::RFLAGS_SET,
            fs_base: block(at),
            ..UserContext::default()
        };
        step("start a thread", tcb.write_registers(ResumeTarget::Yes, &registers))
    }

    /// Starts a helper, waits until it has said that it is ready, and takes its time away: it runs on its callers' time.
    pub fn start_passive(&self, core: usize, priority: u8, entry: Entry) -> Result<(), RootError> {
        self.start(core, Part::Helper, priority, entry)?;
        ROUND.curtain().wait();
        step("make a server passive", self.seats[core][Part::Helper as usize].context.unbind())
    }

    /// Stops every thread.
    pub fn stop(&self) -> Result<(), RootError> {
        let mut seats = self.seats.iter().flatten();
        seats.try_for_each(|seat| step("stop a thread", seat.tcb.suspend()))
    }
}

const fn slice() -> Budget {
    Budget::round_robin(SLICE_US)
}

/// Where the block of the seat at `at` lies: behind the stack.
const fn block(at: u64) -> u64 {
    at + (SEAT_PAGES - 1) * PAGE_BYTES
}

fn seat(objects: &mut Objects, own: &mut VSpace, control: SchedControl, at: u64) -> Result<Seat, RootError> {
    let (bits, rights) = (abi::object::PAGE_BITS, CapRights::READ_WRITE);
    let mut buffer = 0;
    for page in 0..SEAT_PAGES {
        let frame = objects.create(ObjectType::Page4K, 0)?;
        own.map(objects, frame, bits, at + page * PAGE_BYTES, rights, VmAttributes::WRITE_BACK)?;
        if page == 0 {
            buffer = frame;
        }
    }
    // SAFETY: mapped just now, a page for the block; the thread that uses it does not exist yet, and the buffer is the
    // one it is configured with.
    unsafe { ThreadBlock::prepare(block(at) as *mut ThreadBlock, at as *mut _) };
    let tcb = Tcb::new(objects.create(ObjectType::Tcb, 0)?);
    let context = objects.create(ObjectType::SchedContext, abi::object::MIN_SCHED_CONTEXT_BITS)?;
    let space = Space { cspace: initial::CNODE, guard: CNodeGuard::default(), vspace: initial::VSPACE };
    step("configure a thread", tcb.configure(space, at, Page::new(buffer)))?;
    Ok(Seat { tcb, context: SchedContext::new(context), control, at })
}
