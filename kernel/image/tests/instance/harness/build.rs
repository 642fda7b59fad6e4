//! Ready-made objects: what nearly every test begins with. All are made by system calls of the running thread, which is
//! expected to live in the root task's CSpace.

use super::{System, slot};
use abi::bootinfo::{BootInfo, SlotRegion, UntypedDesc};
use abi::invocation::Invocation;
use abi::object::ObjectType;
use memory::{Phys, Ref};
use std::mem::offset_of;
use thread::Tcb;

/// Rights: all.
pub const ALL: u64 = 15;

/// A thread in the root task's CSpace and VSpace, with its own buffer.
#[derive(Clone, Copy, Debug)]
pub struct Thread {
    pub tcb: Ref<Tcb>,
    pub cap: u64,
    pub sc: u64,
}

impl System {
    /// The bootinfo page, read as the root task reads it.
    pub fn bootinfo(&self) -> BootInfo {
        *self.info.get_or_init(|| self.read_bootinfo())
    }

    fn read_bootinfo(&self) -> BootInfo {
        let frame = self.slot(9).cap().phys();
        let page: Ref<super::Bytes> = Ref::at(frame);
        let word = |offset: usize| page.get(offset / 8);
        let region = |offset: usize| SlotRegion { start: word(offset), end: word(offset + 8) };
        let mut info = BootInfo::EMPTY;
        info.extra_len = word(offset_of!(BootInfo, extra_len));
        info.num_nodes = word(offset_of!(BootInfo, num_nodes));
        info.ipc_buffer = word(offset_of!(BootInfo, ipc_buffer));
        info.empty = region(offset_of!(BootInfo, empty));
        info.user_image_frames = region(offset_of!(BootInfo, user_image_frames));
        info.user_image_paging = region(offset_of!(BootInfo, user_image_paging));
        info.extra_bi_pages = region(offset_of!(BootInfo, extra_bi_pages));
        info.init_thread_cnode_size_bits = word(offset_of!(BootInfo, init_thread_cnode_size_bits));
        info.schedcontrol = region(offset_of!(BootInfo, schedcontrol));
        info.untyped = region(offset_of!(BootInfo, untyped));
        for (index, place) in info.untyped_list.iter_mut().enumerate() {
            let offset = offset_of!(BootInfo, untyped_list) + index * 16;
            let meta = word(offset + 8);
            *place = UntypedDesc {
                paddr: word(offset),
                size_bits: meta as u8,
                is_device: (meta >> 8) as u8,
                padding: [0; 6],
            };
        }
        info
    }

    /// CPtr of SchedControl.
    pub fn sched_control(&self) -> u64 {
        self.bootinfo().schedcontrol.start
    }

    /// CPtr of the largest untyped RAM.
    pub fn untyped(&self) -> u64 {
        let info = self.bootinfo();
        let count = info.untyped.len() as usize;
        let listed = info.untyped_list.iter().enumerate().take(count).filter(|(_, it)| it.is_device == 0);
        let largest = listed.max_by_key(|(_, it)| it.size_bits).expect("there is RAM");
        info.untyped.start + largest.0 as u64
    }

    /// CPtr of the untyped of the device range.
    pub fn device_untyped(&self) -> u64 {
        let info = self.bootinfo();
        let index = info.untyped_list.iter().position(|it| it.paddr == super::DEVICE).expect("it is listed");
        info.untyped.start + index as u64
    }

    /// Makes an object from the largest untyped and gives its CPtr.
    #[track_caller]
    pub fn make(&self, kind: ObjectType, size_bits: u64) -> u64 {
        self.make_many(kind, size_bits, 1)
    }

    /// Makes `count` objects in consecutive slots.
    #[track_caller]
    pub fn make_many(&self, kind: ObjectType, size_bits: u64, count: u64) -> u64 {
        self.make_from(self.untyped(), kind, size_bits, count)
    }

    /// Makes `count` objects from `untyped` in consecutive slots.
    #[track_caller]
    pub fn make_from(&self, untyped: u64, kind: ObjectType, size_bits: u64, count: u64) -> u64 {
        let first = self.fresh_many(count);
        let words = [kind as u64, size_bits, 0, 0, first, count];
        self.invoke(untyped, Invocation::UntypedRetype, &words, &[slot::CNODE]).ok();
        first
    }

    /// An endpoint.
    pub fn endpoint(&self) -> u64 {
        self.make(ObjectType::Endpoint, 0)
    }

    /// A notification.
    pub fn notification(&self) -> u64 {
        self.make(ObjectType::Notification, 0)
    }

    /// A reply object.
    pub fn reply(&self) -> u64 {
        self.make(ObjectType::Reply, 0)
    }

    /// Copies `source` with `badge` and `rights` into a fresh slot.
    #[track_caller]
    pub fn mint(&self, source: u64, rights: u64, badge: u64) -> u64 {
        let target = self.fresh();
        let words = [target, 64, source, 64, rights, badge];
        self.invoke(slot::CNODE, Invocation::CNodeMint, &words, &[slot::CNODE]).ok();
        target
    }

    /// Copies `source` into a fresh slot.
    #[track_caller]
    pub fn copy(&self, source: u64) -> u64 {
        let target = self.fresh();
        let words = [target, 64, source, 64, ALL];
        self.invoke(slot::CNODE, Invocation::CNodeCopy, &words, &[slot::CNODE]).ok();
        target
    }

    /// Deletes `cptr`.
    #[track_caller]
    pub fn delete(&self, cptr: u64) {
        self.invoke(slot::CNODE, Invocation::CNodeDelete, &[cptr, 64], &[]).ok();
    }

    /// Revokes `cptr`.
    #[track_caller]
    pub fn revoke(&self, cptr: u64) {
        self.invoke(slot::CNODE, Invocation::CNodeRevoke, &[cptr, 64], &[]).ok();
    }

    /// A 4 KiB frame mapped into the root VSpace; gives (CPtr, user address).
    pub fn page(&self) -> (u64, u64) {
        let frame = self.make(ObjectType::Page4K, 0);
        let vaddr = self.fresh_vaddr(4096);
        self.map_tables(vaddr);
        self.invoke(frame, Invocation::X86PageMap, &[vaddr, 3, 0], &[slot::VSPACE]).ok();
        (frame, vaddr)
    }

    /// Puts paging structures in place so that a 4 KiB page can be mapped at `vaddr` of the root VSpace.
    pub fn map_tables(&self, vaddr: u64) {
        for (kind, map) in [
            (ObjectType::Pdpt, Invocation::X86PDPTMap),
            (ObjectType::PageDirectory, Invocation::X86PageDirectoryMap),
            (ObjectType::PageTable, Invocation::X86PageTableMap),
        ] {
            let table = self.make(kind, 0);
            let answer = self.invoke(table, map, &[vaddr, 0], &[slot::VSPACE]);
            if answer.label != 0 {
                self.delete(table);
            }
        }
    }

    /// A configured scheduling context of `budget_us` in each `period_us`.
    #[track_caller]
    pub fn sched_context(&self, budget_us: u64, period_us: u64) -> u64 {
        let sc = self.make(ObjectType::SchedContext, 8);
        self.configure(sc, budget_us, period_us, 0).ok();
        sc
    }

    /// Configures a scheduling context; badge 0x5c.
    pub fn configure(&self, sc: u64, budget_us: u64, period_us: u64, flags: u64) -> super::Answer {
        let words = [budget_us, period_us, 8, 0x5c, flags];
        self.expect_budget(self.phys(sc), budget_us * 1000);
        self.invoke(self.sched_control(), Invocation::SchedControlConfigureFlags, &words, &[sc])
    }

    /// A thread that is not running and has no scheduling context (`sc` is 0).
    #[track_caller]
    pub fn passive_thread(&self, priority: u64) -> Thread {
        let cap = self.make(ObjectType::Tcb, 0);
        let (frame, vaddr) = self.page();
        let caps = [slot::CNODE, slot::VSPACE, frame];
        self.invoke(cap, Invocation::TCBConfigure, &[0, 0, vaddr], &caps).ok();
        self.invoke(cap, Invocation::TCBSetPriority, &[priority], &[slot::TCB]).ok();
        let tcb = Ref::at(self.cap(cap).phys());
        let thread = Thread { tcb, cap, sc: 0 };
        self.invoke(cap, Invocation::TCBWriteRegisters, &[0, 1, 0x50_0000], &[]).ok();
        thread
    }

    /// Configures `sc` as 10 ms of round robin on core `core`.
    #[track_caller]
    pub fn configure_on(&self, core: usize, sc: u64) {
        let words = [10_000, 10_000, 8, 0x5c, 0];
        self.expect_budget(self.phys(sc), 10_000_000);
        let control = self.sched_control() + core as u64;
        self.invoke(control, Invocation::SchedControlConfigureFlags, &words, &[sc]).ok();
    }

    /// A thread that is not running, with a round-robin context of 10 ms of core `core`.
    #[track_caller]
    pub fn thread_on(&self, core: usize, priority: u64) -> Thread {
        let thread = self.passive_thread(priority);
        let sc = self.make(ObjectType::SchedContext, 8);
        self.configure_on(core, sc);
        self.invoke(sc, Invocation::SchedContextBind, &[], &[thread.cap]).ok();
        Thread { sc, ..thread }
    }

    /// A thread that is not running, with a round-robin context of 10 ms.
    #[track_caller]
    pub fn thread(&self, priority: u64) -> Thread {
        let thread = self.passive_thread(priority);
        let sc = self.sched_context(10_000, 10_000);
        self.invoke(sc, Invocation::SchedContextBind, &[], &[thread.cap]).ok();
        Thread { sc, ..thread }
    }

    /// Makes the root task less important than every test thread, so that they run until they all wait.
    pub fn step_back(&self) {
        self.invoke(slot::TCB, Invocation::TCBSetPriority, &[1], &[slot::TCB]).ok();
    }

    /// The root task starts `thread`, which then runs if it is the more important.
    #[track_caller]
    pub fn resume(&self, thread: Thread) {
        self.invoke(thread.cap, Invocation::TCBResume, &[], &[]).ok();
    }

    /// The root task.
    pub fn root(&self) -> Ref<Tcb> {
        Ref::at(self.slot(slot::TCB).cap().phys())
    }

    /// Object of the capability at `cptr`.
    pub fn phys(&self, cptr: u64) -> Phys {
        self.cap(cptr).phys()
    }
}
