//! [`Kernel`]: one instance as a value; [`OnCore`]: the instance as one of its cores sees it; and [`Entry`]: one visit of
//! a core that has the instance to itself.

use crate::{Refusal, Stop};
use capability::Slot;
use core::ops::Deref;
use interrupt::InterruptTable;
use ipc::Ipc;
use machine::Machine;
use memory::{Phys, Ref};
use sync::rank::{Derivation, Device, Object, Reply};
use sync::{CoreIndex, Exclusive, Existence, Guard, PerCore, Ranked, Recalls, Striped};
use thread::{Core, Epoch, Threads};
use vspace::AsidTable;

/// Most entries of the kernel half of a top-level table.
pub const TOP_ENTRIES: usize = manifest::handoff::MAX_TOP_ENTRIES;
/// Most I/O port ranges of an instance.
pub const PORT_RANGES: usize = manifest::handoff::MAX_PORTS;

/// What an instance is made of.
#[derive(Debug)]
pub struct Setup {
    /// The instance's interrupts.
    pub interrupts: InterruptTable,
    /// The kernel's own address space.
    pub kernel_root: Phys,
    /// Kernel-half entries for new address spaces, `(index, entry)`; index 0 ends the list.
    pub top_entries: [(u64, u64); TOP_ENTRIES],
    /// I/O ports that may be issued, `first ..= last`; `(1, 0)` is none.
    pub ports: [(u16, u16); PORT_RANGES],
    /// Whether 1 GiB pages exist.
    pub huge_pages: bool,
    /// Scheduling domains, 1 to [`thread::DOMAINS`].
    pub domains: u64,
}

/// What an instance's cores wait for. Apart from the instance's value because it is large and never moves.
#[derive(Debug)]
pub struct Locks {
    pub(crate) existence: Existence,
    pub(crate) objects: Striped<Object>,
    pub(crate) replies: Striped<Reply>,
    recalls: Recalls,
}

impl Locks {
    /// Free locks.
    pub const fn new() -> Self {
        Self { existence: Existence::new(), objects: Striped::new(), replies: Striped::new(), recalls: Recalls::new() }
    }
}

/// One kernel instance.
#[derive(Debug)]
pub struct Kernel {
    cores: PerCore<Core>,
    pub(crate) locks: &'static Locks,
    asids: AsidTable,
    pub(crate) epoch: Epoch,
    pub(crate) kernel_root: Phys,
    pub(crate) top_entries: [(u64, u64); TOP_ENTRIES],
    pub(crate) ports: [(u16, u16); PORT_RANGES],
    pub(crate) huge_pages: bool,
    pub(crate) domains: u64,
    pub(crate) derivation: Ranked<Derivation, ()>,
    pub(crate) interrupts: Ranked<Device, InterruptTable>,
}

impl Kernel {
    /// An instance that runs on `cores`, which nothing else uses `locks` for.
    pub fn new(cores: PerCore<Core>, locks: &'static Locks, setup: Setup) -> Self {
        Self {
            cores,
            locks,
            asids: AsidTable::default(),
            epoch: Epoch::new(),
            kernel_root: setup.kernel_root,
            top_entries: setup.top_entries,
            ports: setup.ports,
            huge_pages: setup.huge_pages,
            domains: setup.domains.clamp(1, thread::DOMAINS as u64),
            derivation: Ranked::new(()),
            interrupts: Ranked::new(setup.interrupts),
        }
    }

    /// The instance's cores.
    pub fn cores(&self) -> &PerCore<Core> {
        &self.cores
    }

    /// The processor of the first core, which alone drives the I/O APIC.
    #[inline(always)]
    pub fn first_machine(&self) -> &Machine {
        &self.cores.of(CoreIndex::FIRST).machine
    }

    /// The instance as core `index` sees it.
    #[inline(always)]
    pub fn on(&self, index: CoreIndex) -> OnCore<'_> {
        OnCore { kernel: self, core: self.cores.of(index) }
    }

    /// Kernel-half entries for new address spaces.
    pub fn top_entries(&self) -> &[(u64, u64)] {
        &self.top_entries
    }

    /// Address spaces.
    pub fn asids(&self) -> &AsidTable {
        &self.asids
    }
}

/// The instance as one of its cores sees it.
#[derive(Clone, Copy, Debug)]
pub struct OnCore<'k> {
    /// The instance.
    pub(crate) kernel: &'k Kernel,
    core: &'k Core,
}

impl<'k> OnCore<'k> {
    /// This core.
    #[inline(always)]
    pub fn core(self) -> &'k Core {
        self.core
    }

    /// This core's processor.
    #[inline(always)]
    pub fn machine(self) -> &'k Machine {
        &self.core.machine
    }

    /// The operations on threads and messages, for this core.
    #[inline(always)]
    pub fn ipc(self) -> Ipc<'k> {
        let kernel = self.kernel;
        let threads = Threads {
            machine: &self.core.machine,
            core: self.core,
            cores: &kernel.cores,
            recalls: &kernel.locks.recalls,
            epoch: &kernel.epoch,
            asids: &kernel.asids,
            kernel_root: kernel.kernel_root,
        };
        Ipc { threads }
    }

    /// Runs `visit` as one kernel entry that has the instance to itself.
    #[inline(always)]
    pub fn enter<R>(self, visit: impl FnOnce(&mut Entry<'_>) -> R) -> R {
        let ipc = self.ipc();
        let waiting = || ipc.answer_recall();
        let existence = self.kernel.locks.existence.exclude(self.core.index, self.kernel.cores.len(), waiting);
        ipc.regain_space();
        visit(&mut Entry { kernel: self.kernel, ipc, existence })
    }
}

/// One kernel entry that has the instance to itself.
#[derive(Debug)]
pub struct Entry<'k> {
    /// The instance.
    pub kernel: &'k Kernel,
    ipc: Ipc<'k>,
    existence: Exclusive<'k>,
}

impl<'k> Deref for Entry<'k> {
    type Target = Ipc<'k>;

    #[inline(always)]
    fn deref(&self) -> &Ipc<'k> {
        &self.ipc
    }
}

/// Work units between two looks for a pending interrupt (seL4's default).
const WORK_UNITS: u32 = 100;
/// Work units between two looks for another core that waits. To wait for is worse than to be interrupted late: it waits with
/// interrupts off, and others behind it.
const WORK_UNITS_OTHERS_WAIT: u32 = 10;

impl<'k> Entry<'k> {
    /// The interrupt table.
    #[inline(always)]
    pub fn interrupts(&mut self) -> Guard<'_, Device, InterruptTable> {
        self.kernel.interrupts.lock(self.existence.held())
    }

    /// The derivation tree, for changes of it.
    #[inline(always)]
    pub fn derivation(&mut self) -> Guard<'_, Derivation, ()> {
        self.kernel.derivation.lock(self.existence.held())
    }

    /// Counts a unit of work; says whether the operation should stop to let an interrupt in.
    pub fn preemption_point(&self) -> Result<(), Stop> {
        let core = self.core;
        let done = core.work_units.get() + 1;
        let is_awaited = done.is_multiple_of(WORK_UNITS_OTHERS_WAIT) && self.existence.is_awaited();
        core.work_units.set(done);
        if done < WORK_UNITS && !is_awaited {
            return Ok(());
        }
        core.work_units.set(0);
        self.update_time();
        if is_awaited || self.machine.pending_interrupt() || !self.has_budget_left() {
            return Err(Stop::Preempted);
        }
        Ok(())
    }

    /// Refuses unless `slot` is empty.
    pub fn ensure_empty(&self, slot: Ref<Slot>) -> Result<(), Refusal> {
        if slot.is_empty() { Ok(()) } else { Err(Refusal::plain(abi::error::Error::DeleteFirst)) }
    }
}
