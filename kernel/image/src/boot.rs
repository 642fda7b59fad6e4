//! The order in which one instance comes up: check the handoff, lay out objects, build the kernel value, then its root task.

use crate::allocate::Allocator;
use crate::root_task;
use api::{Kernel, Locks, Setup};
use core::slice;
use interrupt::{Allowed, InterruptTable};
use ipi::route::Route;
use machine::Machine;
use machine::mitigation::Decision;
use manifest::handoff::{self, Handoff, features};
use memory::{Phys, Range, Ref};
use sync::{CoreIndex, PerCore};
use thread::{Core, ReadyQueues};

/// Why an instance cannot come up. Each is a broken promise of the loader, found before the first user instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BootError {
    /// The page does not begin with the magic word, or is of another version.
    NotAHandoff,
    /// A count of the page exceeds its array.
    Count,
    /// Memory ranges overlap, are misaligned, or lie beyond the window.
    Memory,
    /// A doorbell route is none that a kernel may ring.
    Route,
    /// The slice is too small for the objects of the root task.
    OutOfMemory,
    /// The root CNode is full.
    OutOfSlots,
    /// Page tables are to be isolated, and there are none to do it with.
    Gate,
    /// The root task's image lies outside the user half or overlaps itself.
    RootImage,
}

impl core::fmt::Display for BootError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            BootError::NotAHandoff => "the handoff page is missing or of another version",
            BootError::Count => "the handoff page counts more than it can hold",
            BootError::Memory => "the handoff's memory ranges overlap, are misaligned or out of reach",
            BootError::Route => "the handoff lists a doorbell route that no kernel may ring",
            BootError::OutOfMemory => "the slice is too small for the root task's objects",
            BootError::OutOfSlots => "the root task's CNode is full",
            BootError::Gate => "the handoff has no tables that map the way into the kernel alone",
            BootError::RootImage => "the root task's image does not fit the user half",
        })
    }
}

/// Brings up the instance that `handoff` describes on `machines`, one for each of its cores. `idle` gives where a core's
/// idle thread runs: instruction pointer and stack pointer. Says on the console which mitigations it uses. Afterwards
/// [`api::OnCore::start`] chooses what each core runs.
pub fn start(
    machines: impl IntoIterator<Item = Machine>,
    locks: &'static Locks,
    handoff: &Handoff,
    idle: impl Fn(CoreIndex) -> (u64, u64),
) -> Result<Kernel, BootError> {
    check(handoff)?;
    let first = handoff.memory[0];
    let mut memory = Allocator::new(handoff.free_base, first.base + first.size);
    let root_objects = root_task::Objects::take(&mut memory, handoff)?;
    let interrupt_slots = memory.take_pages(InterruptTable::slot_bytes())?;
    let mut machines = machines.into_iter();
    let cores = PerCore::try_from_fn(handoff.core_count as usize, |index| {
        let machine = machines.next().ok_or(BootError::Count)?;
        core(&mut memory, index, machine, idle(index))
    })?;
    let mitigations = cores.iter().next().map(|(_, core)| core.machine.mitigations());
    let mitigations = mitigations.unwrap_or_else(|| Decision::new(0, 0));
    let kernel = Kernel::new(cores, locks, setup(handoff, &mitigations, interrupt_slots)?);
    let put = |text: &str| text.bytes().for_each(|byte| kernel.first_machine().put_byte(byte));
    mitigations.say(put);
    put("\n");
    root_task::build(&kernel, handoff, &root_objects, memory.rest())?;
    Ok(kernel)
}

/// The scheduler's objects of one core.
fn core(
    memory: &mut Allocator,
    index: CoreIndex,
    machine: Machine,
    (start, stack): (u64, u64),
) -> Result<Core, BootError> {
    let ready = memory.take_pages(size_of::<ReadyQueues>() as u64)?;
    let thread: Ref<thread::Tcb> = Ref::at(memory.take(abi::object::TCB_BITS)?);
    let context = memory.take(abi::object::MIN_SCHED_CONTEXT_BITS)?;
    thread.context.init_idle(start, stack);
    Ok(Core::new(index, machine, thread, Ref::at(context), Ref::at(ready)))
}

fn setup(handoff: &Handoff, mitigations: &Decision, interrupt_slots: Phys) -> Result<Setup, BootError> {
    let mut routes = [None; handoff::MAX_ROUTES];
    let listed = handoff.routes.iter().take(handoff.route_count as usize);
    for (place, route) in routes.iter_mut().zip(listed) {
        *place = Some(Route::new(route.apic_id, route.vector).ok_or(BootError::Route)?);
    }
    let allowed = Allowed { pins: handoff.pins, messages: handoff.msi_vectors, doorbells: handoff.doorbells_heard };
    let mut top_entries = [(0, 0); handoff::MAX_TOP_ENTRIES];
    let whole = &handoff.top_entries[..handoff.top_entry_count as usize];
    let (kernel_root, listed) = match mitigations.kpti.is_on() {
        true if handoff.gate_table == 0 => return Err(BootError::Gate),
        true => (handoff.gate_table, slice::from_ref(&handoff.gate_entry)),
        false => (handoff.top_table, whole),
    };
    for (place, entry) in top_entries.iter_mut().zip(listed) {
        *place = (entry.index, entry.value);
    }
    let mut ports = [(1, 0); handoff::MAX_PORTS];
    for (place, range) in ports.iter_mut().zip(handoff.ports.iter().take(handoff.port_count as usize)) {
        *place = (range.first, range.last);
    }
    Ok(Setup {
        interrupts: InterruptTable::new(Ref::at(interrupt_slots), allowed, routes.into_iter().flatten()),
        kernel_root: Phys(kernel_root),
        top_entries,
        ports,
        huge_pages: handoff.features & features::HUGE_PAGES != 0,
        domains: handoff.domain_count,
    })
}

/// The instance checks its own part of the configuration before it trusts it.
fn check(handoff: &Handoff) -> Result<(), BootError> {
    if handoff.magic != handoff::MAGIC || handoff.version != handoff::VERSION {
        return Err(BootError::NotAHandoff);
    }
    let counts = [
        (handoff.core_count, sync::CORES),
        (handoff.memory_count, handoff::MAX_MEMORY),
        (handoff.device_count, handoff::MAX_DEVICES),
        (handoff.port_count, handoff::MAX_PORTS),
        (handoff.route_count, handoff::MAX_ROUTES),
        (handoff.top_entry_count, handoff::MAX_TOP_ENTRIES),
        (handoff.root_cnode_bits, handoff::MAX_ROOT_CNODE_BITS as usize),
    ];
    if counts.iter().any(|&(count, most)| count as usize > most) || handoff.core_count == 0 || handoff.memory_count == 0
    {
        return Err(BootError::Count);
    }
    let range = |memory: &manifest::Memory| Range { base: Phys(memory.base), size: memory.size };
    let slices = &handoff.memory[..handoff.memory_count as usize];
    for (index, slice) in slices.iter().enumerate() {
        let slice = range(slice);
        if slice.size == 0 || slice.end() > 1 << memory::WINDOW_BITS || !slice.base.is_aligned(12) {
            return Err(BootError::Memory);
        }
        if slices[..index].iter().any(|other| range(other).overlaps(slice)) {
            return Err(BootError::Memory);
        }
    }
    let first = range(&slices[0]);
    let parts = [range(&handoff.kernel), range(&handoff.root_image), range(&handoff.manifest), range(&handoff.files)];
    for (index, part) in parts.iter().enumerate() {
        let below_free = part.end() <= handoff.free_base || part.size == 0;
        if part.size != 0 && (!first.contains(*part) || !below_free || !part.base.is_aligned(12)) {
            return Err(BootError::Memory);
        }
        if parts[..index].iter().any(|other| other.size != 0 && part.size != 0 && other.overlaps(*part)) {
            return Err(BootError::Memory);
        }
    }
    if handoff.free_base > first.end() || handoff.free_base & 0xfff != 0 {
        return Err(BootError::Memory);
    }
    // A device range inside RAM of the slice would give user mode the kernel's own objects.
    let devices = &handoff.devices[..handoff.device_count as usize];
    if devices.iter().any(|device| slices.iter().any(|slice| range(slice).overlaps(range(device)))) {
        return Err(BootError::Memory);
    }
    Ok(())
}
