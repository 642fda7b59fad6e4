//! One program: capability space, address space, thread.

use crate::channels;
use crate::elf::{Access, Elf};
use crate::error::{RootError, Step};
use crate::objects::place;
use crate::partition::{Site, file_range};
use crate::vspace::VSpace;
use manifest::{Manifest, Program, program_flags};
use runtime::layout::{
    AREA_ALIGN, CNODE_BITS, ENV_BASE, ENV_MAX_BYTES, FILE_BASE, HEAP_BASE, HEAP_MAX_BYTES, IPC_BUFFER_BASE,
    STACK_MAX_BYTES, STACK_TOP, THREAD_BLOCK_BASE, slot,
};
use runtime::write::EnvWriter;
use sel4::{
    Budget, CNode, CNodeGuard, CapRights, Notification, ObjectType, Page, ResumeTarget, SchedContext, Slot, Tcb,
    UserContext, VmAttributes, initial,
};

/// A program that is ready to run.
#[derive(Clone, Copy, Debug)]
pub struct Built {
    /// Its name.
    pub name: manifest::Name,
    /// Its name, without that of the partition it comes from.
    pub own_name: manifest::Name,
    /// Whether its partition was merged with others.
    pub is_merged: bool,
    /// Bits of [`program_flags`].
    pub flags: u32,
    /// Its thread.
    pub tcb: Tcb,
}

/// A program being built.
pub struct Draft {
    /// Its address space.
    pub vspace: VSpace,
    /// Its CNode, in the root task's.
    pub cnode: CNode,
    /// Where its doorbells and interrupts arrive.
    pub notification: Notification,
    /// Its startup block.
    pub env: EnvWriter,
}

impl Draft {
    /// Slot `index` of the program's own CNode.
    pub fn slot(&self, index: u64) -> Slot {
        self.cnode.slot_at_depth(index, CNODE_BITS.into())
    }
}

/// Whether the program gets the partition's devices.
pub fn is_driver(program: &Program) -> bool {
    program.flags & program_flags::DRIVER != 0
}

/// File numbers of the program's data files.
pub fn granted<'a>(manifest: &Manifest<'a>, program: &Program) -> impl Iterator<Item = u32> + use<'a> {
    let start = program.grants.start as usize;
    let grants = manifest.grants().get(start..).unwrap_or(&[]);
    grants.iter().take(program.grants.count as usize).map(|grant| grant.file)
}

/// Builds program number `index`; it does not run yet.
pub fn build(site: &mut Site<'_>, index: u32, program: &Program) -> Result<Built, RootError> {
    let objects = &mut site.objects;
    let cnode = CNode::new(objects.create(ObjectType::CapTable, CNODE_BITS)?);
    let notification = *site.notifications.get(index as usize).ok_or(RootError::Record("program"))?;
    let vspace = VSpace::new(objects)?;
    let (home, own_name) = program.names(site.partition);
    let env = EnvWriter::new(own_name, home);
    let mut draft = Draft { vspace, cnode, notification, env };
    draft.env.header.tsc_mhz = site.instance.tsc_mhz;
    draft.env.header.loader_start_tsc = site.instance.loader_start_tsc;
    site.manifest.args_of(program).for_each(|argument| draft.env.arg(argument));

    let entry = load(site, &mut draft, program)?;
    map_own_memory(site, &mut draft, program)?;
    map_files(site, &mut draft, program)?;
    // The manifest counts programs over all its partitions; a partition manifest has one.
    channels::connect(site, &mut draft, site.partition.programs.start + index)?;
    if is_driver(program) {
        channels::give_devices(site, &mut draft)?;
    }
    let tcb = make_thread(site, &mut draft, index, program, entry)?;
    write_env(site, draft)?;
    Ok(Built { name: program.name, own_name, is_merged: program.is_merged(), flags: program.flags, tcb })
}

/// Copies the program's segments into fresh frames; gives its entry point.
fn load(site: &mut Site<'_>, draft: &mut Draft, program: &Program) -> Result<u64, RootError> {
    let (base, pages) = file_range(&site.manifest, site.instance.files_base, program.image)?;
    let size = site.manifest.file(program.image).map_or(0, |file| file.size);
    let file = site.ranges.get(base, pages)?;
    site.windows.read(&mut site.objects, file, size, |windows, objects, bytes| {
        let elf = Elf::parse(bytes)?;
        for page in elf.pages() {
            let frame = objects.create(ObjectType::Page4K, 0)?;
            if elf.has_contents(page.vaddr) {
                windows.fill(objects, frame, |target| {
                    elf.fill(page.vaddr, target);
                })?;
            }
            let rights = match page.access {
                Access::Read => CapRights::READ,
                Access::Write => CapRights::READ_WRITE,
            };
            let bits = abi::object::PAGE_BITS;
            draft.vspace.map(objects, frame, bits, page.vaddr, rights, VmAttributes::WRITE_BACK)?;
        }
        Ok(elf.entry())
    })
}

/// Stack and heap.
fn map_own_memory(site: &mut Site<'_>, draft: &mut Draft, program: &Program) -> Result<(), RootError> {
    if program.stack_bytes > STACK_MAX_BYTES || program.heap_bytes > HEAP_MAX_BYTES {
        return Err(RootError::TooMany("bytes of stack or heap"));
    }
    let stack_bytes = program.stack_bytes.next_multiple_of(4096);
    let header = &mut draft.env.header;
    (header.stack_base, header.stack_bytes) = (STACK_TOP - stack_bytes, stack_bytes);
    header.heap_bytes = program.heap_bytes.next_multiple_of(4096);
    header.heap_base = if header.heap_bytes == 0 { 0 } else { HEAP_BASE };
    draft.vspace.map_new(&mut site.objects, STACK_TOP - stack_bytes, stack_bytes)?;
    draft.vspace.map_new(&mut site.objects, HEAP_BASE, draft.env.header.heap_bytes)
}

/// The data files, read-only.
fn map_files(site: &mut Site<'_>, draft: &mut Draft, program: &Program) -> Result<(), RootError> {
    let mut vaddr = FILE_BASE;
    for index in granted(&site.manifest, program) {
        let file = site.manifest.file(index).ok_or(RootError::Record("file"))?;
        let (base, pages) = file_range(&site.manifest, site.instance.files_base, index)?;
        let mut entry = runtime::env::File { name: file.name, base: vaddr, size: file.size };
        if pages != 0 {
            let frames = site.ranges.get(base, pages)?;
            entry.base += frames.skew();
            let (rights, attributes) = (CapRights::READ, VmAttributes::WRITE_BACK);
            draft.vspace.map_frames(&mut site.objects, frames, entry.base, rights, attributes)?;
        }
        draft.env.files.push(entry);
        vaddr = (entry.base + pages).next_multiple_of(AREA_ALIGN) + AREA_ALIGN;
    }
    Ok(())
}

/// TCB, scheduling context, IPC buffer, the fixed capabilities, first registers.
fn make_thread(
    site: &mut Site<'_>,
    draft: &mut Draft,
    index: u32,
    program: &Program,
    entry: u64,
) -> Result<Tcb, RootError> {
    let objects = &mut site.objects;
    let tcb = Tcb::new(objects.create(ObjectType::Tcb, 0)?);
    let context = SchedContext::new(objects.create(ObjectType::SchedContext, abi::object::MIN_SCHED_CONTEXT_BITS)?);
    let buffer = Page::new(objects.create(ObjectType::Page4K, 0)?);
    let reports = objects.slot()?;
    let badge = u64::from(index) + 1;
    let reporting = CapRights::WRITE.union(CapRights::GRANT_REPLY);
    reports.mint_from(place(site.endpoint.cptr()), reporting, badge).step("make its endpoint capability")?;

    let guard = CNodeGuard::for_root(CNODE_BITS);
    let give = |index, from, rights| draft.slot(index).copy_from(from, rights).step("give it a capability");
    give(slot::TCB, place(tcb.cptr()), CapRights::ALL)?;
    draft.slot(slot::CNODE).mint_guard_from(place(draft.cnode.cptr()), guard).step("give it its CNode")?;
    give(slot::ROOT, reports, reporting)?;
    give(slot::NOTIFICATION, place(draft.notification.cptr()), CapRights::READ)?;
    give(slot::SCHED_CONTEXT, place(context.cptr()), CapRights::ALL)?;

    let space = sel4::Space { cspace: draft.cnode, guard, vspace: draft.vspace.root() };
    tcb.configure(space, IPC_BUFFER_BASE, buffer).step("configure its thread")?;
    let budget = Budget::new(program.budget_us, program.period_us);
    let core = site.cores.get(program.node as usize).ok_or(RootError::NoCore(program.node))?;
    core.configure(context, budget).step("give it a budget")?;
    let priority = program.priority.min(255) as u8;
    let reports = sel4::Endpoint::new(reports.index);
    tcb.set_sched_params(initial::TCB, priority, priority, context, reports).step("set its priority")?;
    let registers =
        UserContext { rip: entry, rsp: STACK_TOP, rdi: ENV_BASE, fs_base: THREAD_BLOCK_BASE, ..UserContext::default() };
    tcb.write_registers(ResumeTarget::No, &registers).step("set its registers")?;

    let block = objects.create(ObjectType::Page4K, 0)?;
    site.windows.fill(objects, block, |bytes| {
        bytes[..8].copy_from_slice(&THREAD_BLOCK_BASE.to_le_bytes());
        bytes[8..16].copy_from_slice(&IPC_BUFFER_BASE.to_le_bytes());
    })?;
    for (frame, vaddr) in [(buffer.cptr(), IPC_BUFFER_BASE), (block, THREAD_BLOCK_BASE)] {
        let (bits, rights) = (abi::object::PAGE_BITS, CapRights::READ_WRITE);
        draft.vspace.map(objects, frame, bits, vaddr, rights, VmAttributes::WRITE_BACK)?;
    }
    Ok(tcb)
}

/// Writes the startup block and maps it.
fn write_env(site: &mut Site<'_>, draft: Draft) -> Result<(), RootError> {
    let Draft { mut vspace, env, .. } = draft;
    let bytes = env.finish();
    if bytes.len() as u64 > ENV_MAX_BYTES {
        return Err(RootError::TooMany("arguments"));
    }
    for (chunk, vaddr) in bytes.chunks(4096).zip((ENV_BASE..).step_by(4096)) {
        let frame = site.objects.create(ObjectType::Page4K, 0)?;
        site.windows.fill(&mut site.objects, frame, |target| target[..chunk.len()].copy_from_slice(chunk))?;
        let (bits, attributes) = (abi::object::PAGE_BITS, VmAttributes::WRITE_BACK);
        vspace.map(&mut site.objects, frame, bits, vaddr, CapRights::READ, attributes)?;
    }
    Ok(())
}
