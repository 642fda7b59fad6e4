//! The root task: its objects, its address space, its capabilities, and the page that tells it about them.

use crate::allocate::{Allocator, aligned_pieces};
use crate::chunks::{self, PAGE_BYTES};
use crate::{BootError, bootinfo};
use abi::bootinfo::{BootInfo, InitialSlot, NUM_INITIAL_CAPS, SlotRegion, UntypedDesc};
use abi::object::{self, MAX_UNTYPED_BITS, MIN_UNTYPED_BITS};
use api::Kernel;
use capability::{Cap, FrameSize, Kind, Rights, Slot};
use machine::Register;
use manifest::handoff::{Handoff, MIN_ROOT_CNODE_BITS};
use memory::{Phys, Ref};
use sync::CoreIndex;
use thread::{BOOT_SLICE_US, SchedContext, State, Tcb, TcbSlot};
use vspace::{AsidPool, Attributes, Level, Mapper, Table, USER_TOP};

/// ASID of the root task's address space.
const ASID: u16 = 1;

/// Memory for everything the root task starts with.
#[derive(Debug)]
pub(crate) struct Objects {
    cnode: Phys,
    cnode_bits: u32,
    root: Phys,
    pool: Phys,
    buffer: Phys,
    info: Phys,
    extra: Phys,
    extra_pages: u64,
    /// Paging structures below the top, one behind the other.
    tables: Phys,
    thread: Phys,
    context: Phys,
}

/// User addresses of the root task, from the image's first page to the end of the extra bootinfo.
#[derive(Clone, Copy, Debug)]
struct Layout {
    image: u64,
    buffer: u64,
    info: u64,
    extra: u64,
    end: u64,
}

impl Layout {
    fn of(handoff: &Handoff) -> Result<Self, BootError> {
        let image = handoff.root_virt_base;
        let size = handoff.root_image.size.checked_next_multiple_of(PAGE_BYTES).ok_or(BootError::RootImage)?;
        let extra_bytes = chunks::total_bytes(handoff).next_multiple_of(PAGE_BYTES);
        let buffer = image.checked_add(size).ok_or(BootError::RootImage)?;
        let info = buffer + PAGE_BYTES;
        let extra = info + PAGE_BYTES;
        let end = extra.checked_add(extra_bytes).ok_or(BootError::RootImage)?;
        let in_user_half = image >= PAGE_BYTES && image.is_multiple_of(PAGE_BYTES) && end <= USER_TOP;
        if !in_user_half || handoff.root_entry < image || handoff.root_entry >= buffer {
            return Err(BootError::RootImage);
        }
        Ok(Self { image, buffer, info, extra, end })
    }

    /// Paging structures of `level` that the span needs.
    fn tables(&self, level: Level) -> impl Iterator<Item = u64> {
        let bits = level.bits() + 9;
        (self.image >> bits..=(self.end - 1) >> bits).map(move |index| index << bits)
    }
}

const LEVELS: [(Level, Kind); 3] =
    [(Level::Pdpt, Kind::Pdpt), (Level::PageDirectory, Kind::PageDirectory), (Level::PageTable, Kind::PageTable)];

impl Objects {
    pub(crate) fn take(memory: &mut Allocator, handoff: &Handoff) -> Result<Self, BootError> {
        let layout = Layout::of(handoff)?;
        let cnode_bits = handoff.root_cnode_bits.max(MIN_ROOT_CNODE_BITS);
        let cnode = memory.take(cnode_bits + object::SLOT_BITS)?;
        let extra_pages = (layout.end - layout.extra) / PAGE_BYTES;
        let extra = memory.take_pages(extra_pages * PAGE_BYTES)?;
        let tables = LEVELS.iter().flat_map(|&(level, _)| layout.tables(level)).count() as u64;
        let tables = memory.take_pages(tables * PAGE_BYTES)?;
        Ok(Self {
            cnode,
            cnode_bits,
            root: memory.take(object::PAGING_BITS)?,
            pool: memory.take(object::ASID_POOL_BITS)?,
            buffer: memory.take(object::PAGE_BITS)?,
            info: memory.take(object::PAGE_BITS)?,
            extra,
            extra_pages,
            tables,
            thread: memory.take(object::TCB_BITS)?,
            context: memory.take(8)?,
        })
    }
}

/// The root CNode while it is being filled.
struct Slots {
    base: Ref<Slot>,
    next: u64,
    end: u64,
}

impl Slots {
    fn put(&self, slot: InitialSlot, cap: Cap) -> Ref<Slot> {
        let place = Slot::neighbour(self.base, slot as u64);
        place.insert_root(cap);
        place
    }

    fn add(&mut self, cap: Cap) -> Result<(), BootError> {
        if self.next >= self.end {
            return Err(BootError::OutOfSlots);
        }
        Slot::neighbour(self.base, self.next).insert_root(cap);
        self.next += 1;
        Ok(())
    }

    fn since(&self, start: u64) -> SlotRegion {
        SlotRegion { start, end: self.next }
    }
}

/// Builds the root task and makes it ready; `rest` is the untouched part of the first memory range.
pub(crate) fn build(kernel: &Kernel, handoff: &Handoff, objects: &Objects, rest: (u64, u64)) -> Result<(), BootError> {
    let layout = Layout::of(handoff)?;
    let bits = objects.cnode_bits;
    let mut slots = Slots { base: Ref::at(objects.cnode), next: NUM_INITIAL_CAPS, end: 1 << bits };
    let mut info = BootInfo::EMPTY;
    info.num_nodes = kernel.cores().len() as u64;

    let root = assign_space(kernel, objects);
    info.user_image_paging = map_tables(kernel, objects, &layout, root, &mut slots)?;
    let start = slots.next;
    map_image(kernel, handoff, &layout, root, &mut slots)?;
    info.user_image_frames = slots.since(start);

    let buffer = map_page(kernel, root, layout.buffer, objects.buffer)?;
    let info_frame = map_page(kernel, root, layout.info, objects.info)?;
    let start = slots.next;
    for page in 0..objects.extra_pages {
        let offset = page * PAGE_BYTES;
        slots.add(map_page(kernel, root, layout.extra + offset, objects.extra.offset(offset))?)?;
    }
    info.extra_bi_pages = slots.since(start);
    chunks::write(objects.extra, handoff);
    info.extra_len = chunks::total_bytes(handoff);

    let start = slots.next;
    for core in 0..kernel.cores().len() {
        slots.add(Cap::control(Kind::SchedControl, core as u64))?;
    }
    info.schedcontrol = slots.since(start);
    add_untypeds(handoff, rest, &mut slots, &mut info)?;

    let cnode = Cap::cnode(objects.cnode, bits).with_guard(0, u64::BITS - bits);
    let cnode = slots.put(InitialSlot::InitThreadCNode, cnode);
    let space = slots.put(InitialSlot::InitThreadVSpace, Cap::table(Kind::Pml4, objects.root).with_mapping(ASID, 0));
    let buffer = slots.put(InitialSlot::InitThreadIpcBuffer, buffer);
    slots.put(InitialSlot::BootInfoFrame, info_frame);
    slots.put(InitialSlot::InitThreadTcb, Cap::thread(objects.thread));
    slots.put(InitialSlot::InitThreadSc, Cap::sched_context(objects.context, 8));
    slots.put(InitialSlot::IrqControl, Cap::control(Kind::IrqControl, 0));
    slots.put(InitialSlot::AsidControl, Cap::control(Kind::AsidControl, 0));
    slots.put(InitialSlot::InitThreadAsidPool, Cap::asid_pool(objects.pool, 0));
    slots.put(InitialSlot::IoPortControl, Cap::control(Kind::IoPortControl, 0));
    slots.put(InitialSlot::Domain, Cap::control(Kind::Domain, 0));

    info.ipc_buffer = layout.buffer;
    info.init_thread_cnode_size_bits = u64::from(bits);
    info.empty = SlotRegion { start: slots.next, end: slots.end };
    bootinfo::write(Ref::at(objects.info), &info);
    start_thread(kernel, handoff, objects, &layout, [cnode, space, buffer]);
    Ok(())
}

fn assign_space(kernel: &Kernel, objects: &Objects) -> Ref<Table> {
    let root: Ref<Table> = Ref::at(objects.root);
    root.adopt_kernel_half(kernel.top_entries().iter().copied());
    let pool: Ref<AsidPool> = Ref::at(objects.pool);
    kernel.asids().install(0, pool);
    pool.assign(ASID, root);
    root
}

fn mapper(kernel: &Kernel) -> Mapper<'_> {
    Mapper { machine: kernel.first_machine(), asids: kernel.asids() }
}

/// Puts every paging structure in place and gives the root task its capability.
fn map_tables(
    kernel: &Kernel,
    objects: &Objects,
    layout: &Layout,
    root: Ref<Table>,
    slots: &mut Slots,
) -> Result<SlotRegion, BootError> {
    let start = slots.next;
    let mut table = objects.tables;
    for (level, kind) in LEVELS {
        for vaddr in layout.tables(level) {
            mapper(kernel)
                .map_table(root, vaddr, level, table, Attributes::from_word(0))
                .map_err(|_| BootError::RootImage)?;
            slots.add(Cap::table(kind, table).with_mapping(ASID, vaddr))?;
            table = table.offset(PAGE_BYTES);
        }
    }
    Ok(slots.since(start))
}

fn map_image(
    kernel: &Kernel,
    handoff: &Handoff,
    layout: &Layout,
    root: Ref<Table>,
    slots: &mut Slots,
) -> Result<(), BootError> {
    let pages = (layout.buffer - layout.image) / PAGE_BYTES;
    for page in 0..pages {
        let offset = page * PAGE_BYTES;
        let frame = Phys(handoff.root_image.base + offset);
        slots.add(map_page(kernel, root, layout.image + offset, frame)?)?;
    }
    Ok(())
}

/// Maps a page of the root task, and gives the capability that says so.
fn map_page(kernel: &Kernel, root: Ref<Table>, vaddr: u64, frame: Phys) -> Result<Cap, BootError> {
    let rights = Rights::READ.or(Rights::WRITE);
    let size = FrameSize::Small;
    mapper(kernel)
        .map_frame(root, ASID, vaddr, frame, size, rights, Attributes::from_word(0))
        .map_err(|_| BootError::RootImage)?;
    Ok(Cap::frame(frame, size, rights, false).with_mapping(ASID, vaddr))
}

fn add_untypeds(handoff: &Handoff, rest: (u64, u64), slots: &mut Slots, info: &mut BootInfo) -> Result<(), BootError> {
    let start = slots.next;
    let mut count = 0;
    let mut add = |base: u64, bits: u32, device: bool| -> Result<(), BootError> {
        // What exceeds the page's list is not lost to others, only to this root task; seL4 does the same.
        let Some(place) = info.untyped_list.get_mut(count) else { return Ok(()) };
        *place = UntypedDesc { paddr: base, size_bits: bits as u8, is_device: u8::from(device), padding: [0; 6] };
        count += 1;
        // RAM counts as used until its first Retype, which zeroes it; device memory is never touched.
        let used = if device { 0 } else { 1 << bits };
        slots.add(Cap::untyped(Phys(base), bits, device).with_used(used))
    };
    let devices = handoff.devices.iter().take(handoff.device_count as usize);
    for range in devices.chain(core::iter::once(&handoff.files)) {
        for (base, bits) in aligned_pieces(range.base, range.base + range.size, object::PAGE_BITS, MAX_UNTYPED_BITS) {
            add(base, bits, true)?;
        }
    }
    for (base, bits) in aligned_pieces(rest.0, rest.1, MIN_UNTYPED_BITS, MAX_UNTYPED_BITS) {
        add(base, bits, false)?;
    }
    for range in handoff.memory.iter().take(handoff.memory_count as usize).skip(1) {
        for (base, bits) in aligned_pieces(range.base, range.base + range.size, object::PAGE_BITS, MAX_UNTYPED_BITS) {
            add(base, bits, false)?;
        }
    }
    info.untyped = slots.since(start);
    Ok(())
}

fn start_thread(kernel: &Kernel, handoff: &Handoff, objects: &Objects, layout: &Layout, caps: [Ref<Slot>; 3]) {
    let thread: Ref<Tcb> = Ref::at(objects.thread);
    let context: Ref<SchedContext> = Ref::at(objects.context);
    thread.initialise();
    for (source, which) in caps.into_iter().zip([TcbSlot::CSpace, TcbSlot::VSpace, TcbSlot::Buffer]) {
        // As any IPC buffer, the thread's own capability to it is not the one that keeps it mapped.
        let cap = if which == TcbSlot::Buffer { source.cap().with_mapping(0, 0) } else { source.cap() };
        Slot::insert_derived(source, Tcb::slot(thread, which), cap);
    }
    thread.ipc_buffer.set(layout.buffer);
    thread.priority.set(u8::MAX);
    thread.max_priority.set(u8::MAX);
    thread.context.set(Register::Rdi, layout.info);
    thread.context.set(Register::NextIp, handoff.root_entry);
    thread.context.set(Register::FaultIp, handoff.root_entry);
    let mut name = [0; 32];
    name[..9].copy_from_slice(b"root task");
    thread.name.set(name);
    let ipc = kernel.on(CoreIndex::FIRST).ipc();
    ipc.core.now.set(ipc.machine.now());
    let slice = ipc.clock().ticks(BOOT_SLICE_US);
    ipc.configure(context, CoreIndex::FIRST, slice, slice, 2);
    thread.state.set(State::RUNNING);
    ipc.bind(context, thread);
}
