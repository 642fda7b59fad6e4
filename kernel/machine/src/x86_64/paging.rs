//! The current address space and the translation cache (Intel SDM volume 3, 4.10).
//!
//! With [`Tagging::Pcid`] the cache keeps translations of several address spaces apart by ASID, and a switch keeps them
//! all. ASID 0 and ASIDs above 4095 have no tag of their own: they share tag 0, which every switch to it empties.
//! Kernel pages are global and survive everything here; they never change.

use super::Machine;
use crate::context::is_canonical;
use crate::{AddressSpace, Needs};
use core::arch::asm;
use manifest::handoff::features;
use x86_64::VirtAddr;
use x86_64::instructions::tlb::{self, InvPcidCommand, Pcid};

/// Bits of CR3 that are the tag.
const TAG_MASK: u64 = 0xfff;

/// Whether cached translations carry a tag.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Tagging {
    /// No: a switch empties the cache.
    None,
    /// Yes.
    Pcid,
}

impl Tagging {
    /// Tags are used only where single tags can be flushed from afar (`invpcid`).
    pub(super) fn from_features(available: u32) -> Self {
        let needed = features::PCID | features::INVPCID;
        if available & needed == needed { Self::Pcid } else { Self::None }
    }

    fn tag(self, asid: u16) -> u64 {
        match self {
            Self::None => 0,
            Self::Pcid => u64::from(asid) * u64::from(asid as u64 <= TAG_MASK),
        }
    }
}

/// CR3.
pub(super) fn read_root() -> u64 {
    let value: u64;
    // SAFETY: reads a register.
    unsafe { asm!("mov {}, cr3", out(reg) value, options(nomem, nostack, preserves_flags)) };
    value
}

fn write_root(value: u64) {
    // SAFETY: every address space maps the kernel alike (the caller's invariant, see `set_address_space`), so the next
    // instruction and every reference stay valid.
    unsafe { asm!("mov cr3, {}", in(reg) value, options(nostack, preserves_flags)) };
}

impl Machine {
    /// Makes the tables at `top_table_phys` (page-aligned) current, if they are not yet. The table must hold the kernel's
    /// top entries ([`manifest::handoff::Handoff::top_entries`]). Before an ASID means another table, or a table is
    /// reused, [`Machine::flush_asid`] is due.
    #[inline]
    pub fn set_address_space(&self, top_table_phys: u64, asid: u16) {
        self.load(self.address_space(top_table_phys, asid));
    }

    /// The tables at `top_table_phys` as [`Machine::load`] takes them.
    #[inline]
    pub fn address_space(&self, top_table_phys: u64, asid: u16) -> AddressSpace {
        AddressSpace::new(top_table_phys, self.tagging.tag(asid) as u16)
    }

    /// As [`Machine::set_address_space`], prepared.
    #[inline]
    pub fn load(&self, space: AddressSpace) {
        let met = self.met.get();
        if met.space() != space {
            self.met.set(met.with_space(space));
            write_root(space.word());
        }
    }

    /// Meets `needs` if no more is missing than an address space; otherwise does nothing and says `false`.
    #[inline(always)]
    pub fn meet(&self, needs: Needs) -> bool {
        let met = self.met.get();
        if met.meets(needs) {
            return true;
        }
        if !met.meets_elsewhere(needs) {
            return false;
        }
        // Neither has anything unusual, so both words are what goes into CR3.
        self.met.set(met.with_space(needs.space()));
        write_root(needs.space().word());
        true
    }

    /// Physical address of the current top-level table.
    #[inline]
    pub fn current_address_space(&self) -> u64 {
        self.met.get().space().table()
    }

    /// Forgets the translation of the page at `vaddr` in `asid`.
    pub fn flush_page(&self, vaddr: u64, asid: u16) {
        if !is_canonical(vaddr) {
            return;
        }
        let address = VirtAddr::new_truncate(vaddr);
        match self.tagging {
            Tagging::None => tlb::flush(address),
            Tagging::Pcid => self.invalidate_tagged(asid, |tag| InvPcidCommand::Address(address, tag)),
        }
    }

    /// Forgets every translation of `asid`, whose top-level table is at `top_table_phys`.
    pub fn flush_asid(&self, asid: u16, top_table_phys: u64) {
        match self.tagging {
            // Without tags only the current address space is in the cache.
            Tagging::None if self.current_address_space() == top_table_phys => {
                write_root(self.met.get().space().word())
            }
            Tagging::None => {}
            Tagging::Pcid => self.invalidate_tagged(asid, InvPcidCommand::Single),
        }
    }

    /// Forgets every translation but the kernel's global ones.
    pub fn flush_all(&self) {
        match self.tagging {
            Tagging::None => write_root(self.met.get().space().word()),
            // SAFETY: `Pcid` is chosen only if the processor has the instruction.
            Tagging::Pcid => unsafe { tlb::flush_pcid(InvPcidCommand::AllExceptGlobal) },
        }
    }

    fn invalidate_tagged(&self, asid: u16, command: impl FnOnce(Pcid) -> InvPcidCommand) {
        if let Ok(tag) = Pcid::new(self.tagging.tag(asid) as u16) {
            // SAFETY: `Pcid` is chosen only if the processor has the instruction; forgetting is always sound.
            unsafe { tlb::flush_pcid(command(tag)) };
        }
    }
}
