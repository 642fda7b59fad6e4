//! The made-up machine and instance: one slice of host memory, a handoff, a kernel, and its root task.
//!
//! [`System`] is the instance; what user mode can do is in `user`, ready-made objects in `build`, the checks in
//! `audit`.

pub mod audit;
mod build;
mod user;

pub use build::Thread;
pub use user::{Answer, Call, Ended};

use abi::bootinfo::BootInfo;
use api::{Kernel, OnCore};
use capability::Slot;
use ipi::route::Summons;
use machine::Machine;
use machine::mitigation::Decision;
use machine::model::Event;
use manifest::Memory;
use manifest::handoff::{Handoff, MAGIC, MIN_ROOT_CNODE_BITS, PortRange, Route, TopEntry, VERSION, features};
use memory::host::Slice;
use memory::{Phys, Ref};
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use sync::CoreIndex;
use thread::Tcb;
use zerocopy::FromZeros;

/// Size of the slice.
pub const SLICE_BYTES: u64 = 8 << 20;
const KERNEL_BYTES: u64 = 2 << 20;
/// Pages of the root task's image.
pub const IMAGE_PAGES: u64 = 4;
/// User address of the root task's image.
pub const IMAGE: u64 = 0x40_0000;
/// Physical address of the device range; no memory is there, so a kernel access would fault.
pub const DEVICE: u64 = 0xff_0000_0000;
/// Bytes of the device range: one large page.
pub const DEVICE_BYTES: u64 = 2 << 20;
/// Text in the manifest's place.
pub const MANIFEST: &[u8] = b"a manifest of nineteen";
/// Doorbell routes out.
pub const ROUTES: [(u32, u32); 2] = [(1, 0xa0), (7, 0xdf)];
/// Doorbell vectors heard.
pub const HEARD: [u8; 2] = [0xa0, 0xa3];
/// I/O APIC pins owned.
pub const PINS: u64 = 1 << 4 | 1 << 9;
/// MSI user vectors owned.
pub const MESSAGES: [u64; 2] = [1 << 7, 1 << 3];
/// I/O ports owned.
pub const PORTS: (u16, u16) = (0x3f8, 0x3ff);
/// Kernel-half entries.
pub const TOP: [(u64, u64); 2] = [(256, 0xfd_aaa0_0003), (511, 0xfd_bbb0_0003)];
/// Kernel-half entry of the gate's table.
pub const GATE: [(u64, u64); 1] = [(511, 0xfd_ccc0_0003)];
/// Capability pointers that the kernel put into the root task's CNode.
pub mod slot {
    #![allow(dead_code)]
    pub const TCB: u64 = 1;
    pub const CNODE: u64 = 2;
    pub const VSPACE: u64 = 3;
    pub const IRQ: u64 = 4;
    pub const ASID: u64 = 5;
    pub const POOL: u64 = 6;
    pub const PORTS: u64 = 7;
    pub const BUFFER: u64 = 10;
    pub const DOMAIN: u64 = 11;
    pub const SC: u64 = 14;
}

/// What differs from the usual instance.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Bits of [`features`].
    pub features: u32,
    /// RAM beyond the kernel's and the root task's.
    pub slice_bytes: u64,
    /// Cores of the instance.
    pub cores: usize,
    /// Bits of [`manifest::mitigations`].
    pub mitigations: u32,
    /// As [`Handoff::framebuffer`].
    pub framebuffer: [u64; 3],
    /// As [`Handoff::root_cnode_bits`].
    pub root_cnode_bits: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            features: features::HUGE_PAGES,
            slice_bytes: SLICE_BYTES,
            cores: 1,
            mitigations: 0,
            framebuffer: [0; 3],
            root_cnode_bits: 0,
        }
    }
}

/// One instance.
pub struct System {
    pub kernel: Rc<Kernel>,
    /// The core that acts.
    at: Cell<CoreIndex>,
    /// Cores that were interrupted by another and have not entered yet, bit n for core n.
    summoned: Rc<Cell<u32>>,
    pub handoff: Handoff,
    next_slot: Cell<u64>,
    next_page: Cell<u64>,
    info: OnceCell<BootInfo>,
    budgets: RefCell<HashMap<u64, u64>>,
    root_thread: Cell<Option<Ref<Tcb>>>,
    audited: Cell<bool>,
    /// Whether system calls go without the fast paths; `SKERRY_SLOW=1` makes every test do so.
    pub slow: Cell<bool>,
    log: RefCell<Vec<Event>>,
    /// Its memory; dropped last.
    pub slice: Slice,
}

/// The handoff for a slice.
pub fn handoff(slice: &Slice, options: Options) -> Handoff {
    let base = slice.range().base.0;
    let mut page = Handoff::new_zeroed();
    page.magic = MAGIC;
    page.version = VERSION;
    page.features = options.features;
    page.core_count = options.cores as u32;
    page.memory_count = 1;
    page.memory[0] = Memory { base, size: slice.range().size };
    page.tsc_mhz = 1000;
    page.domain_count = 4;
    page.kernel = Memory { base, size: KERNEL_BYTES };
    page.top_table = base + 0x1000;
    page.top_entry_count = TOP.len() as u32;
    for (place, (index, value)) in page.top_entries.iter_mut().zip(TOP) {
        *place = TopEntry { index, value };
    }
    page.mitigations = options.mitigations;
    let [(index, value)] = GATE;
    (page.gate_table, page.gate_entry) = (base + 0x2000, TopEntry { index, value });
    let root = base + KERNEL_BYTES;
    page.root_image = Memory { base: root, size: IMAGE_PAGES * 4096 };
    page.root_virt_base = IMAGE;
    page.root_entry = IMAGE + 0x10;
    let manifest = root + IMAGE_PAGES * 4096;
    page.manifest = Memory { base: manifest, size: MANIFEST.len() as u64 };
    page.files = Memory { base: manifest + 4096, size: 3 * 4096 };
    page.free_base = manifest + 4 * 4096;
    page.device_count = 1;
    page.devices[0] = Memory { base: DEVICE, size: DEVICE_BYTES };
    page.port_count = 1;
    page.ports[0] = PortRange { first: PORTS.0, last: PORTS.1 };
    page.route_count = ROUTES.len() as u32;
    for (place, (apic_id, vector)) in page.routes.iter_mut().zip(ROUTES) {
        *place = Route { apic_id, vector };
    }
    page.pins = PINS;
    page.msi_vectors = MESSAGES;
    for vector in HEARD {
        page.doorbells_heard |= 1 << (vector - 0xa0);
    }
    page.rsdp = 0xe_0000;
    page.rsdp_bytes[..8].copy_from_slice(b"RSD PTR ");
    page.framebuffer = options.framebuffer;
    page.root_cnode_bits = options.root_cnode_bits;
    page
}

/// A core that uses the mitigations of this page, as the bare machine's would.
pub fn machine(handoff: &Handoff) -> Machine {
    let machine = Machine::new();
    let decision = Decision::new(handoff.mitigations, handoff.features);
    machine.set_mitigations(decision, if decision.kpti.is_on() { handoff.gate_table } else { handoff.top_table });
    if handoff.features & features::FSGSBASE != 0 {
        machine.set_base_instructions();
    }
    machine
}

impl System {
    /// An instance whose root task is about to run its first instruction.
    pub fn new() -> Self {
        Self::with(Options::default())
    }

    /// As [`new`](Self::new), with other options.
    pub fn with(options: Options) -> Self {
        let slice = Slice::new(options.slice_bytes);
        let handoff = handoff(&slice, options);
        let manifest: Ref<Bytes> = Ref::at(Phys(handoff.manifest.base));
        memory::host::copy_into_object(manifest, MANIFEST);
        // Free memory is whatever was there before.
        let mut dirty = handoff.free_base;
        while dirty < slice.range().end() {
            memory::host::copy_into_object(Ref::<Bytes>::at(Phys(dirty)), &[0xd1; 4096]);
            dirty += 4096;
        }
        let machines = (0..options.cores).map(|_| machine(&handoff));
        let kernel =
            image::start(machines, Box::leak(Box::new(api::Locks::new())), &handoff, |_| (0xffff_ffff_8000_0000, 0))
                .expect("the instance comes up");
        let kernel = Rc::new(kernel);
        let summoned = Rc::new(Cell::new(0));
        for (_, core) in kernel.cores().iter() {
            core.machine.on_interrupt_core(respond(&kernel, &summoned));
        }
        let system = Self {
            kernel,
            at: Cell::new(CoreIndex::FIRST),
            summoned,
            handoff,
            next_slot: Cell::new(0),
            next_page: Cell::new(0x7e_0000_0000),
            info: OnceCell::new(),
            budgets: RefCell::default(),
            root_thread: Cell::new(None),
            audited: Cell::new(true),
            slow: Cell::new(std::env::var_os("SKERRY_SLOW").is_some()),
            log: RefCell::default(),
            slice,
        };
        system.next_slot.set(system.bootinfo().empty.start + 64);
        system.root_thread.set(Some(Ref::at(system.slot(slot::TCB).cap().phys())));
        for (index, _) in system.kernel.cores().iter() {
            system.kernel.on(index).start();
        }
        system.audit();
        system
    }

    /// The instance as the core that acts sees it.
    pub fn here(&self) -> OnCore<'_> {
        self.kernel.on(self.at.get())
    }

    /// Makes core `index` the one that acts.
    pub fn act_on(&self, index: usize) {
        self.at.set(CoreIndex::new(index).expect("the build has such a core"));
    }

    /// Lets time pass, on all cores: their clocks are one.
    pub fn advance(&self, ticks: u64) {
        self.set_now(self.machine().now().saturating_add(ticks));
    }

    /// Sets every core's clock.
    pub fn set_now(&self, ticks: u64) {
        self.kernel.cores().iter().for_each(|(_, core)| core.machine.set_now(ticks));
    }

    /// Kernel-half entries of every address space.
    pub fn top_entries(&self) -> &'static [(u64, u64)] {
        if self.machine().mitigations().kpti.is_on() { &GATE } else { &TOP }
    }

    /// The core that acts.
    pub fn acting(&self) -> usize {
        self.at.get().get()
    }

    /// Lets every core that another interrupted enter its kernel, until none is left.
    pub fn settle(&self) {
        let acting = self.acting();
        while self.summoned.get() != 0 {
            let index = self.summoned.get().trailing_zeros();
            self.summoned.set(self.summoned.get() & !(1 << index));
            self.act_on(index as usize);
            self.interrupt(ipi::IPI_RESCHEDULE);
        }
        self.act_on(acting);
    }

    /// The modelled machine.
    pub fn machine(&self) -> &Machine {
        self.here().machine()
    }

    /// The running thread.
    pub fn current(&self) -> Ref<Tcb> {
        self.here().core().current.get()
    }

    /// Whether nobody can run.
    pub fn is_idle(&self) -> bool {
        self.current() == self.here().core().idle
    }

    /// Slot of the root task's CNode.
    pub fn slot(&self, cptr: u64) -> Ref<Slot> {
        Slot::neighbour(self.root_cnode(), cptr)
    }

    /// log2 of its slots.
    pub fn root_cnode_bits(&self) -> u32 {
        self.handoff.root_cnode_bits.max(MIN_ROOT_CNODE_BITS)
    }

    /// Where the root task's CNode lies: the largest object of boot, so the topmost.
    pub fn root_cnode(&self) -> Ref<Slot> {
        let end = self.slice.range().end();
        Ref::at(Phys(end - (32 << self.root_cnode_bits())))
    }

    /// The root task's control block, dead or alive.
    pub fn root_thread(&self) -> Ref<Tcb> {
        self.root_thread.get().expect("set when the system was made")
    }

    /// Remembers that the context at `context` was given `ticks`: its refills must sum to that from now on.
    pub fn expect_budget(&self, context: Phys, ticks: u64) {
        self.budgets.borrow_mut().insert(context.0, ticks);
    }

    /// Forgets what the context at `context` was given.
    pub fn forget_budget(&self, context: Phys) {
        self.budgets.borrow_mut().remove(&context.0);
    }

    /// What the refills of a context must sum to, if that is known.
    pub fn budget(&self, context: Phys) -> Option<u64> {
        self.budgets.borrow().get(&context.0).copied()
    }

    /// A slot of the root CNode that nobody used.
    pub fn fresh(&self) -> u64 {
        self.fresh_many(1)
    }

    /// `count` such slots in a row.
    pub fn fresh_many(&self, count: u64) -> u64 {
        self.next_slot.replace(self.next_slot.get() + count)
    }

    /// User addresses of `bytes` bytes that nobody used, aligned to `bytes`.
    pub fn fresh_vaddr(&self, bytes: u64) -> u64 {
        let at = self.next_page.get().next_multiple_of(bytes);
        self.next_page.set(at + bytes);
        at
    }

    /// Stops checking the invariants at every entry, for long runs that do it now and then.
    pub fn audit_never(&self) {
        self.audited.set(false);
    }

    /// Effects on the machine since the last call, oldest first.
    pub fn take_events(&self) -> Vec<Event> {
        self.log.take()
    }

    /// Checks every invariant, if that is wanted.
    pub fn audit(&self) {
        let new: Vec<Event> = self.kernel.cores().iter().flat_map(|(_, core)| core.machine.take_events()).collect();
        for event in &new {
            if let Event::Ring { command } = *event {
                let is_route = |&(apic_id, vector)| {
                    ipi::route::Route::new(apic_id, vector).map(ipi::route::Command::ring) == Some(command)
                };
                assert!(ROUTES.iter().any(is_route), "invariant broken: D3: {command:?} is on no route");
            }
        }
        self.log.borrow_mut().extend(new);
        if self.audited.get() {
            self.audit_now();
        }
    }

    /// Checks every invariant.
    #[track_caller]
    pub fn audit_now(&self) {
        if let Err(violation) = audit::check(self) {
            panic!("invariant broken: {violation}");
        }
    }

    /// The pages of the free memory of boot.
    fn pages(&self) -> impl Iterator<Item = Ref<Bytes>> {
        (self.handoff.free_base..self.slice.range().end()).step_by(4096).map(|base| Ref::at(Phys(base)))
    }

    /// A word of memory, counted from the slice's base if it is an address in it.
    fn relative(&self, word: u64) -> u64 {
        let range = self.slice.range();
        let low = word & ((1 << 46) - 1);
        let counted = [0, memory::WINDOW_BASE].into_iter().find_map(|window| {
            let address = low.checked_sub(window)?;
            let inside = (range.base.0..=range.end()).contains(&address);
            inside.then(|| word - low + (address - range.base.0) + (1 << 45))
        });
        counted.unwrap_or(word)
    }

    /// Where the free memory of two instances that did the same differs, in at most eight words.
    pub fn differences(&self, other: &System) -> Vec<String> {
        let first = self.handoff.free_base - self.slice.range().base.0;
        [self, other].into_iter().for_each(audit::forget_roots);
        let pages = (first..).step_by(4096).zip(self.pages().zip(other.pages()));
        pages
            .filter(|(_, (mine, others))| !mine.equals(others))
            .flat_map(|(at, (mine, others))| (0..512).map(move |i| (at + i as u64 * 8, mine.get(i), others.get(i))))
            .filter(|&(_, mine, others)| mine != others && self.relative(mine) != other.relative(others))
            .take(8)
            .map(|(at, mine, others)| format!("{at:#x}: {mine:#x} and {others:#x}"))
            .collect()
    }

    /// The timer interrupts after `us` microseconds.
    pub fn tick(&self, us: u64) {
        self.advance(us * 1000);
        self.interrupt(ipi::TIMER);
    }

    /// CPU vector `vector` interrupts whoever runs.
    pub fn interrupt(&self, vector: u8) {
        let context = &self.current().context;
        context.enter_by_trap(context.next_pc(), 0);
        if self.slow.get() {
            self.here().slow_interrupt(vector);
        } else {
            self.here().interrupt(vector);
        }
        self.audit();
    }

    /// The running thread raises processor exception `vector`.
    pub fn exception(&self, vector: u64, code: u64) {
        let context = &self.current().context;
        context.enter_by_trap(context.next_pc(), code);
        if self.slow.get() {
            self.here().slow_exception(vector, code);
        } else {
            self.here().exception(vector, code);
        }
        self.audit();
    }
}

/// What the cores of `kernel` do when another interrupts them: they answer a recall at once, as a core does that waits to
/// enter, and enter their kernel later (`summoned`).
fn respond(kernel: &Rc<Kernel>, summoned: &Rc<Cell<u32>>) -> impl Fn(usize, Summons) + 'static {
    let (kernel, summoned) = (Rc::downgrade(kernel), summoned.clone());
    move |index, why| {
        summoned.set(summoned.get() | 1 << index);
        if why == Summons::Recall
            && let (Some(kernel), Some(index)) = (kernel.upgrade(), CoreIndex::new(index))
        {
            kernel.on(index).ipc().answer_recall();
        }
    }
}

/// A page as bytes, for looking at memory.
#[repr(C, align(8))]
pub struct Bytes {
    words: [std::cell::Cell<u64>; 512],
}
memory::object!(Bytes);

impl Bytes {
    /// Word `index` of the page.
    pub fn get(&self, index: usize) -> u64 {
        self.words[index].get()
    }

    /// Whether all words are the same; without a branch for each, which fuzzers would count.
    pub fn equals(&self, other: &Self) -> bool {
        self.words.iter().zip(&other.words).fold(0, |differing, (a, b)| differing | (a.get() ^ b.get())) == 0
    }

    /// Writes word `index` of the page, as a program that mapped it would.
    pub fn set(&self, index: usize, value: u64) {
        self.words[index].set(value);
    }
}
