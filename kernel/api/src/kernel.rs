//! [`Kernel`]: one instance as a value; and [`Entry`]: one visit to it, with the guards that visit holds.

use crate::{Refusal, Stop};
use capability::Slot;
use core::ops::Deref;
use interrupt::InterruptTable;
use ipc::Ipc;
use machine::Machine;
use memory::{Phys, Ref};
use sync::rank::{Derivation, Device, Existence};
use sync::{CoreIndex, Guard, Held, PerCore, Ranked};
use thread::{Core, Threads};
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

/// One kernel instance.
#[derive(Debug)]
pub struct Kernel {
    machine: Machine,
    cores: PerCore<Core>,
    asids: AsidTable,
    pub(crate) kernel_root: Phys,
    pub(crate) top_entries: [(u64, u64); TOP_ENTRIES],
    pub(crate) ports: [(u16, u16); PORT_RANGES],
    pub(crate) huge_pages: bool,
    pub(crate) domains: u64,
    existence: Ranked<Existence, ()>,
    pub(crate) derivation: Ranked<Derivation, ()>,
    interrupts: Ranked<Device, InterruptTable>,
}

impl Kernel {
    /// An instance on `machine` whose only core is `core`.
    pub fn new(machine: Machine, core: Core, setup: Setup) -> Self {
        Self {
            machine,
            cores: PerCore::only(core),
            asids: AsidTable::default(),
            kernel_root: setup.kernel_root,
            top_entries: setup.top_entries,
            ports: setup.ports,
            huge_pages: setup.huge_pages,
            domains: setup.domains.clamp(1, thread::DOMAINS as u64),
            existence: Ranked::new(()),
            derivation: Ranked::new(()),
            interrupts: Ranked::new(setup.interrupts),
        }
    }

    /// The processor.
    #[inline(always)]
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// Scheduler state of this core.
    #[inline(always)]
    pub fn core(&self) -> &Core {
        self.cores.of(CoreIndex::FIRST)
    }

    /// Kernel-half entries for new address spaces.
    pub fn top_entries(&self) -> &[(u64, u64)] {
        &self.top_entries
    }

    /// Address spaces.
    pub fn asids(&self) -> &AsidTable {
        &self.asids
    }

    /// The operations on threads and messages, for this core.
    #[inline(always)]
    pub fn ipc(&self) -> Ipc<'_> {
        let threads = Threads {
            machine: &self.machine,
            core: self.cores.of(CoreIndex::FIRST),
            asids: &self.asids,
            kernel_root: self.kernel_root,
        };
        Ipc { threads }
    }

    /// Runs `visit` as one kernel entry, with the existence guard held.
    #[inline(always)]
    pub fn enter<R>(&self, visit: impl FnOnce(&mut Entry<'_>) -> R) -> R {
        let mut nothing = Held::at_kernel_entry(CoreIndex::FIRST);
        let existence = self.existence.lock(&mut nothing);
        visit(&mut Entry { kernel: self, ipc: self.ipc(), existence })
    }
}

/// One kernel entry.
#[derive(Debug)]
pub struct Entry<'k> {
    /// The instance.
    pub kernel: &'k Kernel,
    ipc: Ipc<'k>,
    existence: Guard<'k, Existence, ()>,
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
        core.work_units.set(core.work_units.get() + 1);
        if core.work_units.get() < WORK_UNITS {
            return Ok(());
        }
        core.work_units.set(0);
        self.update_time();
        if self.machine.pending_interrupt() || !self.has_budget_left() {
            return Err(Stop::Preempted);
        }
        Ok(())
    }

    /// Refuses unless `slot` is empty.
    pub fn ensure_empty(&self, slot: Ref<Slot>) -> Result<(), Refusal> {
        if slot.is_empty() { Ok(()) } else { Err(Refusal::plain(abi::error::Error::DeleteFirst)) }
    }
}
