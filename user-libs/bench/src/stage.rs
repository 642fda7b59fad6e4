//! The threads that are measured: two at a time, on memory of this image, in this address space or in a second one that
//! has the same pages at the same addresses.
//!
//! So both threads run the same code and see the same statics wherever they are, and an address space of its own costs
//! a thread exactly what it costs any thread. The two are suspended before the next two start, hence may share stacks
//! and buffers with them.

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use root_task::RootError;
use root_task::objects::{Objects, place};
use root_task::vspace::VSpace;
use sel4::thread::ThreadBlock;
use sel4::{
    BootInfo, Budget, CNodeGuard, CPtr, CapRights, Endpoint, Notification, Null, ObjectType, Page, Pml4, Reply,
    ResumeTarget, SchedContext, SchedControl, Space, Tcb, UserContext, VmAttributes, initial,
};

/// Where every image is linked (`runtime/user.ld`).
const IMAGE_BASE: u64 = 0x40_0000;
const PAGE_BYTES: u64 = 1 << abi::object::PAGE_BITS;
const STACK_BYTES: usize = 16 * 1024;
/// Long enough that no slice ends during a measurement.
pub const SLICE_US: u64 = 1_000_000;
/// Bits of a scheduling context's size.
const SCHED_CONTEXT_BITS: u32 = abi::object::MIN_SCHED_CONTEXT_BITS;

/// What a thread has in memory: an IPC buffer in a page of its own, a stack, the block that `fs` points to.
#[repr(C, align(4096))]
struct Seat {
    buffer: UnsafeCell<[u8; PAGE_BYTES as usize]>,
    stack: UnsafeCell<[u8; STACK_BYTES]>,
    block: UnsafeCell<ThreadBlock>,
}

// SAFETY: a seat belongs to one thread at a time; the first thread touches its block only before that thread starts.
unsafe impl Sync for Seat {}

impl Seat {
    const fn new() -> Self {
        Self {
            buffer: UnsafeCell::new([0; PAGE_BYTES as usize]),
            stack: UnsafeCell::new([0; STACK_BYTES]),
            block: UnsafeCell::new(ThreadBlock::EMPTY),
        }
    }
}

static SEATS: [Seat; 2] = [const { Seat::new() }; 2];

/// The capabilities that the measured threads use, where they find them.
#[derive(Debug)]
pub struct Props {
    endpoint: AtomicU64,
    reply: AtomicU64,
    notification: AtomicU64,
    back: AtomicU64,
    curtain: AtomicU64,
    /// Words of each message.
    pub words: AtomicU64,
}

/// The only ones.
pub static PROPS: Props = Props {
    endpoint: AtomicU64::new(0),
    reply: AtomicU64::new(0),
    notification: AtomicU64::new(0),
    back: AtomicU64::new(0),
    curtain: AtomicU64::new(0),
    words: AtomicU64::new(0),
};

impl Props {
    /// Where the client calls and the server receives.
    pub fn endpoint(&self) -> Endpoint {
        Endpoint::new(self.endpoint.load(Relaxed))
    }

    /// The server's reply object.
    pub fn reply(&self) -> Reply {
        Reply::new(self.reply.load(Relaxed))
    }

    /// What the client signals.
    pub fn notification(&self) -> Notification {
        Notification::new(self.notification.load(Relaxed))
    }

    /// What the waiter signals when it waits again.
    pub fn back(&self) -> Notification {
        Notification::new(self.back.load(Relaxed))
    }

    /// What tells the first thread that a thread is ready, or has finished.
    pub fn curtain(&self) -> Notification {
        Notification::new(self.curtain.load(Relaxed))
    }
}

/// Ends a measured thread's work.
pub fn finish() -> ! {
    PROPS.curtain().signal();
    loop {
        PROPS.back().wait();
    }
}

/// Which seat a thread takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Calls, signals, faults.
    Client,
    /// Serves, waits, handles.
    Server,
}

/// Where a thread runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the root task's address space.
    Same,
    /// In the second one.
    Other,
}

/// Who hears of a thread's faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Faults {
    /// Nobody.
    Unheard,
    /// Whoever receives from [`Props::endpoint`].
    ToEndpoint,
}

/// A thread to be measured.
#[derive(Clone, Copy, Debug)]
pub struct Actor {
    /// Seat.
    pub role: Role,
    /// Address space.
    pub place: Place,
    /// Priority.
    pub priority: u8,
    /// Fault endpoint.
    pub faults: Faults,
    /// What it does.
    pub entry: extern "C" fn() -> !,
}

/// A thread that was started.
#[derive(Clone, Copy, Debug)]
pub struct Started {
    tcb: Tcb,
    context: SchedContext,
}

impl Started {
    /// Takes the thread's time away: from now on it runs on the time of those who call it.
    pub fn make_passive(self) -> Result<(), RootError> {
        self.context.unbind().map_err(|error| RootError::Kernel { step: "make a server passive", error })
    }

    /// Stops the thread for good.
    pub fn stop(self) -> Result<(), RootError> {
        self.tcb.suspend().map_err(|error| RootError::Kernel { step: "stop a thread", error })
    }
}

/// Memory, address spaces and control of time.
#[derive(Debug)]
pub struct Stage {
    /// Where objects come from.
    pub objects: Objects,
    /// The root task's own address space.
    pub own: VSpace,
    other: VSpace,
    control: SchedControl,
    image: CPtr,
}

impl Stage {
    /// Builds the second address space and the props.
    pub fn new(info: &BootInfo<'_>) -> Result<Self, RootError> {
        let mut objects = Objects::new(info);
        let control = info.sched_control(info.page().node_id).ok_or(RootError::NoManifest)?;
        step(
            "set the first thread's budget",
            control.configure(initial::SCHED_CONTEXT, Budget::round_robin(SLICE_US)),
        )?;
        let mut other = VSpace::new(&mut objects)?;
        let frames = info.page().user_image_frames;
        for index in 0..frames.len() {
            let (copy, at) = (copy_page(&mut objects, frames.start + index)?, IMAGE_BASE + index * PAGE_BYTES);
            let bits = abi::object::PAGE_BITS;
            other.map(&mut objects, copy, bits, at, CapRights::READ_WRITE, VmAttributes::WRITE_BACK)?;
        }
        for (prop, kind) in [
            (&PROPS.endpoint, ObjectType::Endpoint),
            (&PROPS.reply, ObjectType::Reply),
            (&PROPS.notification, ObjectType::Notification),
            (&PROPS.back, ObjectType::Notification),
            (&PROPS.curtain, ObjectType::Notification),
        ] {
            prop.store(objects.create(kind, 0)?, Relaxed);
        }
        Ok(Self { objects, own: VSpace::own(), other, control, image: frames.start })
    }

    /// New endpoint, reply object and notifications, so that no measurement inherits anything.
    pub fn fresh_props(&mut self, words: u64) -> Result<(), RootError> {
        PROPS.endpoint.store(self.objects.create(ObjectType::Endpoint, 0)?, Relaxed);
        PROPS.reply.store(self.objects.create(ObjectType::Reply, 0)?, Relaxed);
        PROPS.notification.store(self.objects.create(ObjectType::Notification, 0)?, Relaxed);
        PROPS.back.store(self.objects.create(ObjectType::Notification, 0)?, Relaxed);
        PROPS.words.store(words, Relaxed);
        Ok(())
    }

    /// Starts a thread with time of its own.
    pub fn start(&mut self, actor: Actor) -> Result<Started, RootError> {
        let tcb = Tcb::new(self.objects.create(ObjectType::Tcb, 0)?);
        let context = SchedContext::new(self.objects.create(ObjectType::SchedContext, SCHED_CONTEXT_BITS)?);
        step("set a budget", self.control.configure(context, Budget::round_robin(SLICE_US)))?;
        let seat = &SEATS[actor.role as usize];
        let buffer = seat.buffer.get() as u64;
        let vspace = match actor.place {
            Place::Same => initial::VSPACE,
            Place::Other => self.other.root(),
        };
        self.configure(tcb, vspace, buffer)?;
        let authority = initial::TCB;
        let placed = match actor.faults {
            Faults::Unheard => tcb.set_sched_params(authority, actor.priority, actor.priority, context, Null),
            Faults::ToEndpoint => {
                tcb.set_sched_params(authority, actor.priority, actor.priority, context, PROPS.endpoint())
            }
        };
        step("set a thread's priority", placed)?;
        let block = seat.block.get();
        // SAFETY: the seat's last thread is stopped, and the buffer is mapped wherever this image is.
        unsafe { ThreadBlock::prepare(block, buffer as *mut _) };
        let registers = UserContext {
            rip: actor.entry as usize as u64,
            // As after a call: eight bytes off a multiple of sixteen.
            rsp: seat.stack.get() as u64 + STACK_BYTES as u64 - 8,
            rflags: abi::register::RFLAGS_SET,
            fs_base: block as u64,
            ..UserContext::default()
        };
        step("start a thread", tcb.write_registers(ResumeTarget::Yes, &registers))?;
        Ok(Started { tcb, context })
    }

    fn configure(&mut self, tcb: Tcb, vspace: Pml4, buffer: u64) -> Result<(), RootError> {
        let page = copy_page(&mut self.objects, self.image + (buffer - IMAGE_BASE) / PAGE_BYTES)?;
        let space = Space { cspace: initial::CNODE, guard: CNodeGuard::default(), vspace };
        step("configure a thread", tcb.configure(space, buffer, Page::new(page)))
    }

    /// Waits until a measured thread is ready or has finished.
    pub fn wait(&self) {
        PROPS.curtain().wait();
    }
}

/// An unmapped capability to the page whose capability is `page`.
fn copy_page(objects: &mut Objects, page: CPtr) -> Result<CPtr, RootError> {
    let slot = objects.slots(1)?;
    step("copy a page's capability", place(slot).copy_from(place(page), CapRights::ALL))?;
    Ok(slot)
}

/// Names the step at which the kernel refused.
pub fn step<T>(step: &'static str, result: sel4::Result<T>) -> Result<T, RootError> {
    result.map_err(|error| RootError::Kernel { step, error })
}
