//! The capabilities a root task starts with, at their fixed places.

use crate::cap::*;
use abi::bootinfo::InitialSlot;

/// The root task's thread.
pub const TCB: Tcb = Tcb::new(InitialSlot::InitThreadTcb as u64);
/// Its CNode, also the root of its capability space.
pub const CNODE: CNode = CNode::new(InitialSlot::InitThreadCNode as u64);
/// Its address space.
pub const VSPACE: Pml4 = Pml4::new(InitialSlot::InitThreadVSpace as u64);
/// Interrupts and doorbells.
pub const IRQ_CONTROL: IrqControl = IrqControl::new(InitialSlot::IrqControl as u64);
/// ASID pools.
pub const ASID_CONTROL: AsidControl = AsidControl::new(InitialSlot::AsidControl as u64);
/// The pool that its address space is in.
pub const ASID_POOL: AsidPool = AsidPool::new(InitialSlot::InitThreadAsidPool as u64);
/// I/O ports.
pub const IO_PORT_CONTROL: IoPortControl = IoPortControl::new(InitialSlot::IoPortControl as u64);
/// The bootinfo page.
pub const BOOT_INFO_FRAME: Page = Page::new(InitialSlot::BootInfoFrame as u64);
/// The page of its IPC buffer.
pub const IPC_BUFFER: Page = Page::new(InitialSlot::InitThreadIpcBuffer as u64);
/// Domains.
pub const DOMAIN: DomainSet = DomainSet::new(InitialSlot::Domain as u64);
/// Its scheduling context.
pub const SCHED_CONTEXT: SchedContext = SchedContext::new(InitialSlot::InitThreadSc as u64);
/// First slot without a fixed meaning.
pub const FIRST_FREE: u64 = abi::bootinfo::NUM_INITIAL_CAPS;
