//! Frames, paging structures and ASIDs. Source: seL4 manual, "Address spaces and virtual memory".

use crate::args::{Args, slot_at};
use crate::error::Side;
use crate::{Entry, Outcome, Refusal, Stop};
use abi::error::Error;
use abi::invocation::Invocation;
use capability::{Cap, Kind, LookupFault, Rights, Slot, is_final};
use memory::Ref;
use vspace::{AsidPool, Attributes, Level, MapError, Table, USER_TOP};

impl From<MapError> for Refusal {
    fn from(error: MapError) -> Self {
        match error {
            MapError::MissingTable { bits_left } => {
                Refusal::lookup(Side::Destination, LookupFault::MissingCapability { bits_left })
            }
            MapError::Occupied => Refusal::plain(Error::DeleteFirst),
        }
    }
}

impl Entry<'_> {
    pub(crate) fn invoke_frame(&mut self, slot: Ref<Slot>, invocation: Option<Invocation>, args: &Args) -> Outcome {
        let cap = slot.cap();
        match invocation {
            Some(Invocation::X86PageMap) => self.map_frame(slot, args),
            Some(Invocation::X86PageUnmap) => {
                self.will_succeed();
                if let Some((asid, vaddr)) = cap.mapping() {
                    self.unmap_frame(cap, asid, vaddr);
                    slot.set_cap(cap.with_mapping(0, 0));
                }
                Ok(())
            }
            Some(Invocation::X86PageGetAddress) => {
                self.will_succeed();
                self.answer(args, &[cap.phys().0]);
                Ok(())
            }
            _ => Err(Refusal::plain(Error::IllegalOperation).into()),
        }
    }

    fn map_frame(&mut self, slot: Ref<Slot>, args: &Args) -> Outcome {
        args.require(3, 1)?;
        let cap = slot.cap();
        let vaddr = args.word(0);
        let size = cap.frame_size();
        let (root_cap, asid) = root_of(args.cap(0)?)?;
        match cap.mapping() {
            Some((mapped_asid, _)) if mapped_asid != asid => return Err(Refusal::capability(1).into()),
            Some((_, mapped_at)) if mapped_at != vaddr => return Err(Refusal::argument(0).into()),
            Some(_) => {}
            None => {
                let top = vaddr.checked_add(1 << size.bits());
                if vaddr > USER_TOP || top.is_none_or(|top| top > USER_TOP) {
                    return Err(Refusal::argument(0).into());
                }
            }
        }
        let root = self.check_root(root_cap, asid)?;
        if vaddr & ((1 << size.bits()) - 1) != 0 {
            return Err(Refusal::plain(Error::AlignmentError).into());
        }
        let rights = cap.frame_rights().and(Rights::from_word(args.word(1)));
        // Page tables cannot say write-only: without the right to read there is no access.
        let rights = if rights.allow(Rights::READ) { rights } else { Rights::NONE };
        self.mapper().frame_place(root, vaddr, size).map_err(Refusal::from)?;
        self.will_succeed();
        let attributes = Attributes::from_word(args.word(2));
        let mapper = self.mapper();
        if mapper.map_frame(root, asid, vaddr, cap.phys(), size, rights, attributes).map_err(Refusal::from)? {
            self.take_back_asid(asid);
        }
        slot.set_cap(cap.with_mapping(asid, vaddr));
        Ok(())
    }

    pub(crate) fn invoke_table(&mut self, slot: Ref<Slot>, invocation: Option<Invocation>, args: &Args) -> Outcome {
        let cap = slot.cap();
        let (level, map, unmap) = match cap.kind() {
            Kind::PageTable => (Level::PageTable, Invocation::X86PageTableMap, Invocation::X86PageTableUnmap),
            Kind::PageDirectory => {
                (Level::PageDirectory, Invocation::X86PageDirectoryMap, Invocation::X86PageDirectoryUnmap)
            }
            _ => (Level::Pdpt, Invocation::X86PDPTMap, Invocation::X86PDPTUnmap),
        };
        if invocation == Some(unmap) {
            if !is_final(&slot) {
                return Err(Refusal::plain(Error::RevokeFirst).into());
            }
            self.will_succeed();
            if cap.mapping().is_some() {
                self.unmap_table(cap);
                // Its entries named frames of the space it was in: a table that is mapped again starts empty.
                memory::clear(cap.phys(), abi::object::PAGING_BITS);
                slot.set_cap(cap.with_mapping(0, 0));
            }
            return Ok(());
        }
        if invocation != Some(map) {
            return Err(Refusal::plain(Error::IllegalOperation).into());
        }
        args.require(2, 1)?;
        if cap.mapping().is_some() {
            return Err(Refusal::capability(0).into());
        }
        let span = level.bits() + 9;
        let vaddr = args.word(0) & !((1 << span) - 1);
        let (root_cap, asid) = root_of(args.cap(0)?)?;
        if vaddr >= USER_TOP {
            return Err(Refusal::argument(0).into());
        }
        let root = self.check_root(root_cap, asid)?;
        let attributes = Attributes::from_word(args.word(1));
        self.mapper().map_table(root, vaddr, level, cap.phys(), attributes).map_err(Refusal::from)?;
        self.will_succeed();
        slot.set_cap(cap.with_mapping(asid, vaddr));
        Ok(())
    }

    /// The root that `cap`, assigned to `asid`, names, if `asid` names it too.
    fn check_root(&self, cap: Cap, asid: u16) -> Result<Ref<Table>, Stop> {
        match self.asids.root(asid) {
            None => Err(Refusal::lookup(Side::Destination, LookupFault::InvalidRoot).into()),
            Some(root) if root.phys() != cap.phys() => Err(Refusal::capability(1).into()),
            Some(root) => Ok(root),
        }
    }

    pub(crate) fn invoke_asid_control(&mut self, invocation: Option<Invocation>, args: &Args) -> Outcome {
        if invocation != Some(Invocation::X86ASIDControlMakePool) {
            return Err(Refusal::plain(Error::IllegalOperation).into());
        }
        args.require(2, 2)?;
        let Some(base) = self.asids.free_pool() else {
            return Err(Refusal::plain(Error::DeleteFirst).into());
        };
        let parent = args.slot(0)?;
        let untyped = parent.cap();
        let fits = untyped.kind() == Kind::Untyped
            && untyped.size_bits() == abi::object::ASID_POOL_BITS
            && !untyped.is_device();
        if !fits {
            return Err(Refusal::capability(1).into());
        }
        if parent.has_children() {
            return Err(Refusal::plain(Error::RevokeFirst).into());
        }
        let target = slot_at(args.cap(1)?, args.word(0), args.word(1), Side::Destination)?;
        self.ensure_empty(target)?;
        self.will_succeed();
        memory::clear(untyped.phys(), abi::object::ASID_POOL_BITS);
        parent.set_cap(untyped.with_used(1 << abi::object::ASID_POOL_BITS));
        let cap = Cap::asid_pool(untyped.phys(), base);
        let pool: Ref<AsidPool> = cap.object();
        self.asids.install(base, pool);
        let _tree = self.derivation();
        Slot::insert_child(parent, target, cap);
        Ok(())
    }

    pub(crate) fn invoke_asid_pool(&mut self, cap: Cap, invocation: Option<Invocation>, args: &Args) -> Outcome {
        if invocation != Some(Invocation::X86ASIDPoolAssign) {
            return Err(Refusal::plain(Error::IllegalOperation).into());
        }
        args.require(0, 1)?;
        let slot = args.slot(0)?;
        let root = slot.cap();
        if root.kind() != Kind::Pml4 || root.mapping().is_some() {
            return Err(Refusal::capability(1).into());
        }
        let base = cap.index() as u16;
        let pool: Ref<AsidPool> = cap.object();
        match self.asids.pool(base) {
            None => return Err(Refusal::lookup(Side::Destination, LookupFault::InvalidRoot).into()),
            Some(installed) if installed != pool => return Err(Refusal::capability(0).into()),
            Some(_) => {}
        }
        let Some(asid) = pool.free(base) else {
            return Err(Refusal::plain(Error::DeleteFirst).into());
        };
        self.will_succeed();
        pool.assign(asid, root.object());
        slot.set_cap(root.with_mapping(asid, 0));
        Ok(())
    }
}

/// An address space capability with its ASID; refused as capability 1 if it has none.
fn root_of(cap: Cap) -> Result<(Cap, u16), Refusal> {
    match cap.mapping() {
        Some((asid, _)) if cap.kind() == Kind::Pml4 => Ok((cap, asid)),
        _ => Err(Refusal::capability(1)),
    }
}
