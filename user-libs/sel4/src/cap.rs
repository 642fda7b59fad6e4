//! Capability pointers with the type of what they point to. The type is the program's belief; the kernel checks.

use abi::CPtr;

/// A capability pointer of some type.
pub trait Capability: Copy {
    /// The pointer itself.
    fn cptr(self) -> CPtr;
}

macro_rules! capabilities {
    ($($(#[$meta:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(transparent)]
        pub struct $name(CPtr);

        impl $name {
            /// The capability at this pointer, believed to be of this type.
            #[inline]
            pub const fn new(cptr: CPtr) -> Self {
                Self(cptr)
            }

            /// The pointer itself.
            #[inline]
            pub const fn cptr(self) -> CPtr {
                self.0
            }
        }

        impl Capability for $name {
            #[inline]
            fn cptr(self) -> CPtr {
                self.0
            }
        }
    )+};
}

capabilities! {
    /// Memory not yet used for anything.
    Untyped,
    /// A thread.
    Tcb,
    /// A synchronous meeting point of senders and receivers.
    Endpoint,
    /// A word of flags that can be signalled and waited for.
    Notification,
    /// A table of capability slots.
    CNode,
    /// The right to use a core for some time.
    SchedContext,
    /// The right to fill scheduling contexts, for one core.
    SchedControl,
    /// The place where the kernel keeps whom to answer.
    Reply,
    /// The right to create interrupt handlers and doorbells.
    IrqControl,
    /// One interrupt, or one doorbell heard.
    IrqHandler,
    /// Skerry: the right to ring one fixed (core, vector).
    Doorbell,
    /// A page of memory: 4 KiB, 2 MiB or 1 GiB.
    Page,
    /// Lowest paging structure: maps 4 KiB pages.
    PageTable,
    /// Maps page tables and 2 MiB pages.
    PageDirectory,
    /// Page directory pointer table: maps page directories and 1 GiB pages.
    Pdpt,
    /// Top-level page table: an address space.
    Pml4,
    /// The right to create ASID pools.
    AsidControl,
    /// A pool of address space identifiers.
    AsidPool,
    /// The right to create I/O port capabilities.
    IoPortControl,
    /// A range of I/O ports.
    IoPort,
    /// The right to set domains and their schedule.
    DomainSet,
    /// A capability of whatever type.
    Unspecified,
}

/// The capability that is none: pointer 0, whose slot is empty by convention. Some invocations take it for "no change".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Null;

impl Capability for Null {
    #[inline]
    fn cptr(self) -> CPtr {
        0
    }
}
