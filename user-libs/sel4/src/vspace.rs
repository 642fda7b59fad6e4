//! Address spaces: paging structures, pages, ASIDs.

use crate::cap::{AsidControl, AsidPool, Page, PageDirectory, PageTable, Pdpt, Pml4, Untyped};
use crate::cnode::Slot;
use crate::invoke::{act, invoke};
use crate::{CapRights, Result, VmAttributes};
use abi::invocation::Invocation;

macro_rules! paging_structure {
    ($name:ident, $map:ident, $unmap:ident, $level:literal) => {
        impl $name {
            #[doc = concat!("Maps this ", $level, " where `vaddr` lies (`", stringify!($map), "`).")]
            ///
            /// # Errors
            /// [`DeleteFirst`](crate::Error::DeleteFirst) if one is there;
            /// [`FailedLookup`](crate::Error::FailedLookup) if the level above is missing or the address space has no
            /// ASID; [`InvalidArgument`](crate::Error::InvalidArgument) for a kernel address;
            /// [`InvalidCapability`](crate::Error::InvalidCapability) if it is mapped already.
            pub fn map(self, vspace: Pml4, vaddr: u64, attributes: VmAttributes) -> Result<()> {
                act(self.cptr(), Invocation::$map, &[vspace.cptr()], &[vaddr, attributes.word()])
            }

            #[doc = concat!("Unmaps this ", $level, " (`", stringify!($unmap), "`).")]
            ///
            /// # Errors
            /// [`RevokeFirst`](crate::Error::RevokeFirst) if another capability to it exists.
            pub fn unmap(self) -> Result<()> {
                act(self.cptr(), Invocation::$unmap, &[], &[])
            }
        }
    };
}

paging_structure!(Pdpt, X86PDPTMap, X86PDPTUnmap, "page directory pointer table");
paging_structure!(PageDirectory, X86PageDirectoryMap, X86PageDirectoryUnmap, "page directory");
paging_structure!(PageTable, X86PageTableMap, X86PageTableUnmap, "page table");

impl Page {
    /// Maps the page, or changes rights and attributes if it is mapped there already (`X86PageMap`).
    ///
    /// # Errors
    /// [`AlignmentError`](crate::Error::AlignmentError) for an address that is no multiple of the page's size;
    /// [`DeleteFirst`](crate::Error::DeleteFirst) if another page is there;
    /// [`FailedLookup`](crate::Error::FailedLookup) if a paging structure is missing (the bits left say which:
    /// [`abi::error::LookupFailure::MissingCapability`]) or the address space has no ASID;
    /// [`InvalidArgument`](crate::Error::InvalidArgument) for a kernel address, or a page mapped elsewhere.
    pub fn map(self, vspace: Pml4, vaddr: u64, rights: CapRights, attributes: VmAttributes) -> Result<()> {
        act(self.cptr(), Invocation::X86PageMap, &[vspace.cptr()], &[vaddr, rights.word(), attributes.word()])
    }

    /// Unmaps the page (`X86PageUnmap`).
    pub fn unmap(self) -> Result<()> {
        act(self.cptr(), Invocation::X86PageUnmap, &[], &[])
    }

    /// The page's physical address (`X86PageGetAddress`).
    pub fn physical_address(self) -> Result<u64> {
        Ok(invoke(self.cptr(), Invocation::X86PageGetAddress, &[], &[])?[0])
    }
}

impl AsidControl {
    /// Turns a 4 KiB untyped into a pool of 512 ASIDs (`X86ASIDControlMakePool`).
    ///
    /// # Errors
    /// [`InvalidCapability`](crate::Error::InvalidCapability) for an untyped of another size or of device memory;
    /// [`RevokeFirst`](crate::Error::RevokeFirst) for one in use; [`DeleteFirst`](crate::Error::DeleteFirst) if there
    /// are pools enough, or the destination is taken; [`FailedLookup`](crate::Error::FailedLookup) for the destination.
    pub fn make_pool(self, untyped: Untyped, destination: Slot) -> Result<()> {
        act(
            self.cptr(),
            Invocation::X86ASIDControlMakePool,
            &[untyped.cptr(), destination.root.cptr()],
            &[destination.index, destination.depth & 0xff],
        )
    }
}

impl AsidPool {
    /// Gives an address space an ASID, without which nothing can be mapped in it (`X86ASIDPoolAssign`).
    ///
    /// # Errors
    /// [`DeleteFirst`](crate::Error::DeleteFirst) if the pool is empty;
    /// [`InvalidCapability`](crate::Error::InvalidCapability) if the address space has one already.
    pub fn assign(self, vspace: Pml4) -> Result<()> {
        act(self.cptr(), Invocation::X86ASIDPoolAssign, &[vspace.cptr()], &[])
    }
}
