//! The threads that are probed: their memory, how they start, and how their faults reach the first thread.

use core::cell::UnsafeCell;
use core::mem::size_of;
use root_task::RootError;
use root_task::objects::{Objects, place};
use root_task::vspace::VSpace;
use sel4::fault::Fault;
use sel4::thread::ThreadBlock;
use sel4::{
    BootInfo, Budget, CNodeGuard, CapRights, Endpoint, Message, ObjectType, Page, Received, Reply, ResumeTarget,
    SchedContext, SchedControl, Space, Tcb, UserContext, initial,
};

/// Where every image is linked (`runtime/user.ld`).
const IMAGE_BASE: u64 = 0x40_0000;
const PAGE_BYTES: usize = 1 << abi::object::PAGE_BITS;
const STACK_BYTES: usize = 16 * 1024;
/// Less than the first thread's.
pub const PRIORITY: u8 = 100;
/// Short, so that threads of a check interrupt each other often.
const SLICE_US: u64 = 1_000;
/// The system call that does not exist, by which a thread says that it came to its end.
pub const THE_END: u64 = 0x5eed;

/// What a thread has in memory: an IPC buffer in a page of its own, a stack, the block that `fs` points to.
#[repr(C, align(4096))]
struct Seat {
    buffer: UnsafeCell<[u8; PAGE_BYTES]>,
    stack: UnsafeCell<[u8; STACK_BYTES]>,
    block: UnsafeCell<ThreadBlock>,
}

// SAFETY: a seat belongs to one thread at a time; the first thread touches its block only before that thread starts.
unsafe impl Sync for Seat {}

impl Seat {
    const fn new() -> Self {
        Self {
            buffer: UnsafeCell::new([0; PAGE_BYTES]),
            stack: UnsafeCell::new([0; STACK_BYTES]),
            block: UnsafeCell::new(ThreadBlock::EMPTY),
        }
    }
}

/// As many as run at a time.
static SEATS: [Seat; 3] = [const { Seat::new() }; 3];

/// Objects, and where faults arrive.
#[derive(Debug)]
pub struct Stage {
    /// Where objects come from.
    pub objects: Objects,
    /// The address space of everything here.
    pub vspace: VSpace,
    control: SchedControl,
    image: u64,
    faults: Endpoint,
    reply: Reply,
}

/// A thread, stopped when dropped.
#[derive(Debug)]
pub struct Actor {
    /// The thread.
    pub tcb: Tcb,
}

/// A thread of which everything is to be set by others.
#[derive(Debug)]
pub struct Member {
    /// The thread.
    pub tcb: Tcb,
    /// Its time, not bound to it.
    pub context: SchedContext,
    /// Address of its IPC buffer.
    pub buffer: u64,
    /// The buffer's page.
    pub page: u64,
}

impl Drop for Actor {
    fn drop(&mut self) {
        // It may have stopped by a fault already.
        let _ = self.tcb.suspend();
    }
}

impl Stage {
    /// Takes over the partition's memory.
    pub fn new(info: &BootInfo<'_>) -> Result<Self, RootError> {
        let mut objects = Objects::new(info);
        let control = info.sched_control(info.page().node_id).ok_or(RootError::NoManifest)?;
        let faults = Endpoint::new(objects.create(ObjectType::Endpoint, 0)?);
        let reply = Reply::new(objects.create(ObjectType::Reply, 0)?);
        let image = info.page().user_image_frames.start;
        Ok(Self { objects, vspace: VSpace::own(), control, image, faults, reply })
    }

    /// A thread of seat `seat` that nothing is set of.
    pub fn enlist(&mut self, seat: usize) -> Result<Member, RootError> {
        let tcb = Tcb::new(self.objects.create(ObjectType::Tcb, 0)?);
        let bits = abi::object::MIN_SCHED_CONTEXT_BITS;
        let context = SchedContext::new(self.objects.create(ObjectType::SchedContext, bits)?);
        let buffer = SEATS[seat].buffer.get() as u64;
        let page = self.objects.slot()?;
        let frame = place(self.image + (buffer - IMAGE_BASE) / PAGE_BYTES as u64);
        step("copy a page's capability", page.copy_from(frame, CapRights::ALL))?;
        Ok(Member { tcb, context, buffer, page: page.index })
    }

    /// A thread that does not run yet, in seat `seat`. Its faults carry the seat's number as badge.
    pub fn actor(&mut self, seat: usize) -> Result<Actor, RootError> {
        let tcb = Tcb::new(self.objects.create(ObjectType::Tcb, 0)?);
        let context = self.objects.create(ObjectType::SchedContext, abi::object::MIN_SCHED_CONTEXT_BITS)?;
        let context = SchedContext::new(context);
        step("set a budget", self.control.configure(context, Budget::round_robin(SLICE_US)))?;
        let buffer = SEATS[seat].buffer.get() as u64;
        let page = self.objects.slot()?;
        let frame = place(self.image + (buffer - IMAGE_BASE) / PAGE_BYTES as u64);
        step("copy a page's capability", page.copy_from(frame, CapRights::ALL))?;
        let space = Space { cspace: initial::CNODE, guard: CNodeGuard::default(), vspace: initial::VSPACE };
        step("configure a thread", tcb.configure(space, buffer, Page::new(page.index)))?;
        let badged = self.objects.slot()?;
        step("badge an endpoint", badged.mint_from(place(self.faults.cptr()), CapRights::ALL, seat as u64 + 1))?;
        let faults = Endpoint::new(badged.index);
        step("set a thread's priority", tcb.set_sched_params(initial::TCB, PRIORITY, PRIORITY, context, faults))?;
        Ok(Actor { tcb })
    }

    /// The registers with which a thread in seat `seat` begins at `entry`.
    pub fn registers(seat: usize, entry: u64) -> UserContext {
        let Seat { buffer, stack, block } = &SEATS[seat];
        // SAFETY: the seat's last thread is stopped, and the buffer is mapped for as long as the image is.
        unsafe { ThreadBlock::prepare(block.get(), buffer.get().cast()) };
        UserContext {
            rip: entry,
            // As after a call: eight bytes off a multiple of sixteen.
            rsp: stack.get() as u64 + (STACK_BYTES - size_of::<u64>()) as u64,
            rflags: abi::register::RFLAGS_SET,
            fs_base: block.get() as u64,
            ..UserContext::default()
        }
    }

    /// Starts a thread of its own at `entry`.
    pub fn start(&mut self, seat: usize, entry: u64) -> Result<Actor, RootError> {
        self.start_with(seat, &Self::registers(seat, entry))
    }

    /// As [`start`](Self::start), with these registers.
    pub fn start_with(&mut self, seat: usize, registers: &UserContext) -> Result<Actor, RootError> {
        let actor = self.actor(seat)?;
        step("start a thread", actor.tcb.write_registers(ResumeTarget::Yes, registers))?;
        Ok(actor)
    }

    /// Waits for a fault of some thread.
    pub fn fault(&self) -> Heard {
        Heard::new(self.faults.recv(self.reply))
    }

    /// Answers the last fault heard with one word, and waits for the next.
    pub fn answer(&self, word: u64) -> Heard {
        self.reply.send(Message::new(0, [word]));
        self.fault()
    }

    /// Lets the last thread heard go on with these registers, and waits for the next fault.
    pub fn go_on(&self, ip: u64, sp: u64, flags: u64) -> Heard {
        self.reply.send(Message::new(0, [ip, sp, flags]));
        self.fault()
    }
}

/// A fault, and whose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// The thread's seat.
    pub seat: usize,
    /// Its `rax`, if the fault is [`THE_END`].
    pub rax: u64,
    /// The fault.
    pub fault: Option<Fault>,
}

impl Heard {
    fn new(received: Received) -> Self {
        let message = received.message;
        Self {
            seat: received.badge as usize - 1,
            rax: message.words[sel4::fault::unknown_syscall::RAX],
            fault: Fault::from_message(&message),
        }
    }

    /// Whether the thread came to its end.
    pub fn is_the_end(&self) -> bool {
        matches!(self.fault, Some(Fault::UnknownSyscall { number: THE_END, .. }))
    }
}

/// Names the step at which the kernel refused.
pub fn step<T>(step: &'static str, result: sel4::Result<T>) -> Result<T, RootError> {
    result.map_err(|error| RootError::Kernel { step, error })
}
