//! The stand-in kernel's objects and invocations.

use abi::invocation::Invocation::{self, *};
use abi::object::ObjectType;
use sel4::Error::{self, *};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::fs::File;
use std::os::fd::{AsRawFd, FromRawFd};

/// A capability.
#[derive(Clone, Debug, PartialEq)]
pub enum Cap {
    Untyped(usize),
    Frame {
        phys: u64,
        bits: u32,
        mapped: Option<(usize, u64)>,
    },
    Table {
        level: u32,
        mapped: bool,
    },
    Space(usize),
    CNode {
        id: usize,
        guard: u64,
    },
    Thread(usize),
    Endpoint {
        badge: u64,
    },
    Notification {
        id: usize,
        badge: u64,
    },
    SchedContext(usize),
    /// Time of a core.
    SchedControl(u64),
    Handler(usize),
    Doorbell {
        route: u64,
    },
    Other(&'static str),
}

/// Untyped memory.
#[derive(Clone, Copy, Debug)]
pub struct UntypedMemory {
    pub base: u64,
    pub bits: u32,
    pub device: bool,
    pub used: u64,
}

/// An address space.
#[derive(Clone, Debug, Default)]
pub struct Space {
    pub has_asid: bool,
    tables: HashSet<(u32, u64)>,
    /// Address to (physical address, bits, rights).
    pub pages: BTreeMap<u64, (u64, u32, u64)>,
}

/// A thread.
#[derive(Clone, Debug, Default)]
pub struct Thread {
    pub cnode: usize,
    pub space: usize,
    pub buffer: (u64, u64),
    pub priority: u64,
    pub context: Option<usize>,
    pub fault_badge: u64,
    pub registers: sel4::UserContext,
    pub running: bool,
}

/// A message that the root task will receive.
#[derive(Clone, Debug)]
pub struct Script {
    pub badge: u64,
    pub label: u64,
    pub words: Vec<u64>,
}

/// The kernel.
pub struct Kernel {
    memory: File,
    base: *mut u8,
    pub slots: Vec<HashMap<u64, Cap>>,
    cnode_bits: Vec<u32>,
    untypeds: Vec<UntypedMemory>,
    pub spaces: Vec<Space>,
    pub threads: Vec<Thread>,
    notifications: usize,
    /// Budget, period and core.
    pub contexts: Vec<(u64, u64, u64)>,
    /// Vector, and the notification and badge it signals.
    pub handlers: Vec<(u64, Option<(usize, u64)>)>,
    pub script: VecDeque<Script>,
    pub answered: Vec<bool>,
    pub calls: u64,
}

const PHYS_BYTES: usize = 1 << 31;
const ROOT: usize = 0;
/// Slot of the first core's time.
pub const FIRST_SCHED_CONTROL: u64 = 20;
/// Cores.
pub const CORES: u64 = 4;

impl Kernel {
    /// A kernel with 2 GiB of (sparse) memory, whose root task has the usual first capabilities.
    pub fn new() -> Self {
        // SAFETY: creates a file and maps it; both calls are checked.
        let (memory, base) = unsafe {
            let fd = libc::memfd_create(c"physical memory".as_ptr(), 0);
            assert!(fd >= 0 && libc::ftruncate(fd, PHYS_BYTES as i64) == 0, "no memory file");
            let prot = libc::PROT_READ | libc::PROT_WRITE;
            let base = libc::mmap(std::ptr::null_mut(), PHYS_BYTES, prot, libc::MAP_SHARED, fd, 0);
            assert!(base != libc::MAP_FAILED, "memory file not mapped");
            (File::from_raw_fd(fd), base.cast::<u8>())
        };
        let mut root = HashMap::new();
        root.insert(1, Cap::Thread(ROOT));
        root.insert(2, Cap::CNode { id: ROOT, guard: 51 });
        root.insert(3, Cap::Space(ROOT));
        root.insert(4, Cap::Other("irq control"));
        root.insert(6, Cap::Other("asid pool"));
        root.insert(7, Cap::Other("port control"));
        root.extend((0..CORES).map(|core| (FIRST_SCHED_CONTROL + core, Cap::SchedControl(core))));
        let own = Space { has_asid: true, tables: HashSet::from([(39, 0), (30, 0), (21, 2)]), ..Space::default() };
        Self {
            memory,
            base,
            slots: vec![root],
            cnode_bits: vec![13],
            untypeds: Vec::new(),
            spaces: vec![own],
            threads: vec![Thread { running: true, ..Thread::default() }],
            notifications: 0,
            contexts: Vec::new(),
            handlers: Vec::new(),
            script: VecDeque::new(),
            answered: Vec::new(),
            calls: 0,
        }
    }

    /// Gives the root task untyped memory; its slot.
    pub fn add_untyped(&mut self, slot: u64, base: u64, bits: u32, device: bool) {
        assert!(base.is_multiple_of(1 << bits));
        self.slots[ROOT].insert(slot, Cap::Untyped(self.untypeds.len()));
        self.untypeds.push(UntypedMemory { base, bits, device, used: 0 });
    }

    /// Physical memory, to read.
    fn phys(&self, base: u64, bytes: u64) -> &[u8] {
        assert!(base + bytes <= PHYS_BYTES as u64);
        // SAFETY: inside the mapping, which nobody writes to while the kernel is borrowed.
        unsafe { std::slice::from_raw_parts(self.base.add(base as usize), bytes as usize) }
    }

    /// Physical memory, to write.
    pub fn phys_mut(&mut self, base: u64, bytes: u64) -> &mut [u8] {
        assert!(base + bytes <= PHYS_BYTES as u64);
        // SAFETY: inside the mapping, and the kernel is borrowed by the caller alone.
        unsafe { std::slice::from_raw_parts_mut(self.base.add(base as usize), bytes as usize) }
    }

    /// What a program reads at `vaddr`, within one page.
    pub fn read(&self, space: usize, vaddr: u64, bytes: u64) -> Option<Vec<u8>> {
        let (start, (phys, bits, _)) = self.spaces[space].pages.range(..=vaddr).next_back()?;
        (vaddr + bytes <= start + (1 << bits)).then(|| self.phys(phys + (vaddr - start), bytes).to_vec())
    }

    fn cap(&self, slot: u64) -> Result<Cap, Error> {
        self.slots[ROOT].get(&slot).cloned().ok_or(InvalidCapability { capability: slot })
    }

    /// The CNode and slot that a path leads to.
    fn path(&self, root: u64, index: u64, depth: u64) -> Result<(usize, u64), Error> {
        let Cap::CNode { id, guard } = self.cap(root)? else { return Err(InvalidCapability { capability: root }) };
        let bits = u64::from(self.cnode_bits[id]);
        let resolved = if guard == 0 { bits } else { 64 };
        if depth != resolved || index >> bits != 0 {
            return Err(RangeError { min: bits, max: depth });
        }
        Ok((id, index))
    }

    fn insert(&mut self, place: (usize, u64), cap: Cap) -> Result<(), Error> {
        if self.slots[place.0].contains_key(&place.1) {
            return Err(DeleteFirst);
        }
        self.slots[place.0].insert(place.1, cap);
        Ok(())
    }

    pub fn invoke(&mut self, label: Invocation, target: u64, caps: &[u64], words: &[u64]) -> Result<(), Error> {
        let object = self.cap(target)?;
        match (label, object) {
            (UntypedRetype, Cap::Untyped(id)) => self.retype(id, caps[0], words),
            (CNodeCopy | CNodeMint, _) => {
                let (to, from) = (self.path(target, words[0], words[1])?, self.path(caps[0], words[2], words[3])?);
                let cap = self.slots[from.0].get(&from.1).cloned().ok_or(InvalidArgument { argument: 2 })?;
                let cap = match (label, cap) {
                    (CNodeMint, Cap::Endpoint { badge: 0 }) => Cap::Endpoint { badge: words[5] },
                    (CNodeMint, Cap::Notification { id, badge: 0 }) => Cap::Notification { id, badge: words[5] },
                    (CNodeMint, Cap::CNode { id, .. }) => Cap::CNode { id, guard: words[5] },
                    (CNodeMint, _) => return Err(IllegalOperation),
                    (_, Cap::Frame { phys, bits, .. }) => Cap::Frame { phys, bits, mapped: None },
                    (_, cap) => cap,
                };
                self.insert(to, cap)
            }
            (X86ASIDPoolAssign, Cap::Other("asid pool")) => {
                let Cap::Space(space) = self.cap(caps[0])? else { return Err(InvalidCapability { capability: 1 }) };
                assert!(!std::mem::replace(&mut self.spaces[space].has_asid, true));
                Ok(())
            }
            (X86PDPTMap, Cap::Table { level: 39, mapped: false })
            | (X86PageDirectoryMap, Cap::Table { level: 30, mapped: false })
            | (X86PageTableMap, Cap::Table { level: 21, mapped: false }) => self.map_table(target, caps[0], words[0]),
            (X86PageMap, Cap::Frame { .. }) => self.map_page(target, caps[0], words[0], words[1]),
            (X86PageUnmap, Cap::Frame { phys, bits, mapped }) => {
                if let Some((space, vaddr)) = mapped {
                    self.spaces[space].pages.remove(&vaddr);
                    self.slots[ROOT].insert(target, Cap::Frame { phys, bits, mapped: None });
                    if space == ROOT {
                        // SAFETY: this page was mapped there by `map_page`, for the root task's windows only.
                        assert!(unsafe { libc::munmap(vaddr as *mut _, 1 << bits) } == 0);
                    }
                }
                Ok(())
            }
            (SchedControlConfigureFlags, Cap::SchedControl(core)) => {
                let Cap::SchedContext(context) = self.cap(caps[0])? else { return Err(IllegalOperation) };
                if words[0] == 0 || words[0] > words[1] {
                    return Err(RangeError { min: 1, max: words[1] });
                }
                self.contexts[context] = (words[0], words[1], core);
                Ok(())
            }
            (SkerryIssueDoorbell, Cap::Other("irq control")) => {
                let place = self.path(caps[0], words[1], words[2])?;
                self.insert(place, Cap::Doorbell { route: words[0] })
            }
            (SkerryHearDoorbell, Cap::Other("irq control")) => {
                assert!((0xa0..=0xdf).contains(&words[0]));
                let place = self.path(caps[0], words[1], words[2])?;
                self.handlers.push((words[0], None));
                self.insert(place, Cap::Handler(self.handlers.len() - 1))
            }
            (X86IRQIssueIRQHandlerIOAPIC | X86IRQIssueIRQHandlerMSI, Cap::Other("irq control")) => {
                let place = self.path(caps[0], words[0], words[1])?;
                self.handlers.push((words[6] + abi::irq::IRQ_OFFSET, None));
                self.insert(place, Cap::Handler(self.handlers.len() - 1))
            }
            (X86IOPortControlIssue, Cap::Other("port control")) => {
                let place = self.path(caps[0], words[2], words[3])?;
                self.insert(place, Cap::Other("ports"))
            }
            (IRQSetIRQHandler, Cap::Handler(handler)) => {
                let Cap::Notification { id, badge } = self.cap(caps[0])? else { return Err(IllegalOperation) };
                self.handlers[handler].1 = Some((id, badge));
                Ok(())
            }
            (label, Cap::Thread(thread)) => self.invoke_thread(label, thread, caps, words),
            (label, cap) => panic!("{label:?} on {cap:?}"),
        }
    }

    fn invoke_thread(&mut self, label: Invocation, thread: usize, caps: &[u64], words: &[u64]) -> Result<(), Error> {
        let found: Vec<Cap> = caps.iter().filter_map(|cap| self.cap(*cap).ok()).collect();
        let target = &mut self.threads[thread];
        match (label, &found[..]) {
            (TCBConfigure, [Cap::CNode { id, .. }, Cap::Space(space), Cap::Frame { phys, .. }]) => {
                if !self.spaces[*space].has_asid || words[0] & 63 != 64 - u64::from(self.cnode_bits[*id]) {
                    return Err(IllegalOperation);
                }
                (target.cnode, target.space, target.buffer) = (*id, *space, (words[2], *phys));
            }
            (TCBSetSchedParams, [Cap::Thread(ROOT), Cap::SchedContext(context), Cap::Endpoint { badge }]) => {
                target.priority = words[1];
                target.context = Some(*context);
                target.fault_badge = *badge;
            }
            (TCBWriteRegisters, []) => {
                assert_eq!(words[1], 20);
                target.registers = sel4::UserContext::from_words(words[2..].try_into().expect("twenty registers"));
            }
            (TCBResume, []) => target.running = true,
            (TCBSuspend, []) => target.running = false,
            other => panic!("{other:?}"),
        }
        Ok(())
    }

    fn retype(&mut self, id: usize, node: u64, words: &[u64]) -> Result<(), Error> {
        let [kind, user_bits, index, depth, offset, count] = words[..] else { return Err(TruncatedMessage) };
        let kind = ObjectType::from_word(kind).ok_or(InvalidArgument { argument: 0 })?;
        assert_eq!((self.cap(node)?, index, depth), (Cap::CNode { id: ROOT, guard: 51 }, 0, 0));
        let untyped = self.untypeds[id];
        if count == 0 || count > 256 || offset + count > 1 << 13 {
            return Err(RangeError { min: 1, max: 256 });
        }
        let fits_devices = [ObjectType::Untyped, ObjectType::Page4K, ObjectType::LargePage, ObjectType::HugePage];
        if untyped.device && !fits_devices.contains(&kind) {
            return Err(InvalidArgument { argument: 0 });
        }
        let bits = kind.size_bits(user_bits) as u32;
        let start = untyped.used.next_multiple_of(1 << bits);
        if start + (count << bits) > 1 << untyped.bits {
            return Err(NotEnoughMemory { bytes_left: (1 << untyped.bits) - untyped.used });
        }
        self.untypeds[id].used = start + (count << bits);
        if !untyped.device {
            self.phys_mut(untyped.base + start, count << bits).fill(0);
        }
        for number in 0..count {
            let phys = untyped.base + start + (number << bits);
            let cap = self.object(kind, phys, bits, user_bits, untyped.device);
            self.insert((ROOT, offset + number), cap)?;
        }
        Ok(())
    }

    fn object(&mut self, kind: ObjectType, phys: u64, bits: u32, user_bits: u64, device: bool) -> Cap {
        match kind {
            ObjectType::Untyped => {
                self.untypeds.push(UntypedMemory { base: phys, bits, device, used: 0 });
                Cap::Untyped(self.untypeds.len() - 1)
            }
            ObjectType::Page4K | ObjectType::LargePage => Cap::Frame { phys, bits, mapped: None },
            ObjectType::Pdpt => Cap::Table { level: 39, mapped: false },
            ObjectType::PageDirectory => Cap::Table { level: 30, mapped: false },
            ObjectType::PageTable => Cap::Table { level: 21, mapped: false },
            ObjectType::Pml4 => {
                self.spaces.push(Space::default());
                Cap::Space(self.spaces.len() - 1)
            }
            ObjectType::CapTable => {
                self.slots.push(HashMap::new());
                self.cnode_bits.push(user_bits as u32);
                Cap::CNode { id: self.slots.len() - 1, guard: 0 }
            }
            ObjectType::Tcb => {
                self.threads.push(Thread::default());
                Cap::Thread(self.threads.len() - 1)
            }
            ObjectType::Notification => {
                self.notifications += 1;
                Cap::Notification { id: self.notifications, badge: 0 }
            }
            ObjectType::SchedContext => {
                self.contexts.push((0, 0, 0));
                Cap::SchedContext(self.contexts.len() - 1)
            }
            ObjectType::Endpoint => Cap::Endpoint { badge: 0 },
            ObjectType::Reply => Cap::Other("reply"),
            ObjectType::HugePage => panic!("nobody asked for a huge page"),
        }
    }

    fn space_of(&self, slot: u64) -> Result<usize, Error> {
        match self.cap(slot)? {
            Cap::Space(space) if self.spaces[space].has_asid => Ok(space),
            _ => Err(InvalidCapability { capability: 1 }),
        }
    }

    fn map_table(&mut self, slot: u64, space: u64, vaddr: u64) -> Result<(), Error> {
        let Cap::Table { level, .. } = self.cap(slot)? else { return Err(InvalidCapability { capability: 0 }) };
        let space = self.space_of(space)?;
        let tables = &mut self.spaces[space].tables;
        assert!(
            level == 39
                || tables.contains(&(if level == 21 { 30 } else { 39 }, vaddr >> if level == 21 { 30 } else { 39 }))
        );
        if !tables.insert((level, vaddr >> level)) {
            return Err(DeleteFirst);
        }
        self.slots[ROOT].insert(slot, Cap::Table { level, mapped: true });
        Ok(())
    }

    fn map_page(&mut self, slot: u64, space: u64, vaddr: u64, rights: u64) -> Result<(), Error> {
        let Cap::Frame { phys, bits, mapped } = self.cap(slot)? else {
            return Err(InvalidCapability { capability: 0 });
        };
        let space = self.space_of(space)?;
        assert!(rights & 2 != 0, "an unreadable page");
        if mapped.is_some() {
            return Err(InvalidArgument { argument: 0 });
        }
        if !vaddr.is_multiple_of(1 << bits) {
            return Err(AlignmentError);
        }
        let tables = &self.spaces[space].tables;
        let missing =
            [39, 30, 21].into_iter().filter(|level| *level > bits).any(|l| !tables.contains(&(l, vaddr >> l)));
        assert!(!missing, "a page without tables at {vaddr:#x}");
        let pages = &mut self.spaces[space].pages;
        let below = pages.range(..vaddr + (1 << bits)).next_back();
        if below.is_some_and(|(start, (_, size, _))| start + (1 << size) > vaddr) {
            return Err(DeleteFirst);
        }
        pages.insert(vaddr, (phys, bits, rights));
        self.slots[ROOT].insert(slot, Cap::Frame { phys, bits, mapped: Some((space, vaddr)) });
        if space == ROOT {
            let prot = if rights & 1 == 0 { libc::PROT_READ } else { libc::PROT_READ | libc::PROT_WRITE };
            let flags = libc::MAP_SHARED | libc::MAP_FIXED_NOREPLACE;
            let (fd, at) = (self.memory.as_raw_fd(), vaddr as *mut _);
            // SAFETY: maps memory of ours where nothing else is.
            let found = unsafe { libc::mmap(at, 1 << bits, prot, flags, fd, phys as i64) };
            assert_eq!(found as u64, vaddr, "the window is taken");
        }
        Ok(())
    }
}
