//! The current address space and the translation cache (Intel SDM volume 3, 4.10).
//!
//! With [`Tagging::Pcid`] the cache keeps translations of several address spaces apart by ASID, and a switch keeps them
//! all. ASID 0 and ASIDs above 4095 have no tag of their own: they share tag 0, which every switch to it empties.
//! Kernel pages are global and survive everything here; they never change.
//!
//! With isolated page tables ([`Isolation::On`]) the kernel runs on tables of its own, and what is current here is only
//! noted: the entry stubs load it on the way out and the kernel's on the way in. Both empty the cache, since there are
//! neither tags nor global pages then; so a kernel that runs finds no translation of a program in it.

use super::Machine;
use crate::context::is_canonical;
use crate::mitigation::Switch;
use crate::{AddressSpace, Needs};
use core::arch::asm;
use manifest::handoff::features;
use x86_64::VirtAddr;
use x86_64::instructions::tlb::{self, InvPcidCommand, Pcid};
use x86_64::registers::model_specific::Msr;

/// Bits of CR3 that are the tag.
const TAG_MASK: u64 = 0xfff;
/// Forgets what indirect branches were taught.
const IA32_PRED_CMD: u32 = 0x49;
const IBPB: u64 = 1;

/// Whether programs run on tables without the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Isolation {
    /// No: every table maps the kernel.
    Off,
    /// Yes.
    On,
}

/// What loading an address space is, beside writing CR3.
#[derive(Clone, Copy, Debug)]
pub(super) struct Loading {
    pub isolation: Isolation,
    pub switch: Switch,
    /// The top-level table of nobody's address space.
    pub nobody: u64,
}

impl Loading {
    pub(super) fn is_plain(&self) -> bool {
        self.isolation == Isolation::Off && self.switch.is_plain()
    }
}

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
    // SAFETY: every address space that comes here maps the kernel alike (the caller's invariant, see
    // `set_address_space`), so the next instruction and every reference stay valid.
    unsafe { asm!("mov cr3, {}", in(reg) value, options(nostack, preserves_flags)) };
}

/// Fills the return stack, so that no `ret` here or later goes where another address space called from.
fn fill_return_stack() {
    const ENTRIES: u64 = 32;
    // SAFETY: each call pushes a word of the kernel's stack, which has room, and goes on behind the `int3` that a guessed
    // return would stop at; the stack pointer is put back.
    unsafe {
        asm!(
            ".rept {entries}",
            "call 3f",
            "int3",
            "3:",
            ".endr",
            "add rsp, {bytes}",
            "lfence",
            entries = const ENTRIES,
            bytes = const ENTRIES * 8,
        );
    }
}

impl Machine {
    /// Makes the tables at `top_table_phys` (page-aligned) current, if they are not yet. The table must hold the kernel's
    /// top entries: [`manifest::handoff::Handoff::top_entries`], or `gate_entry` if page tables are isolated. Before an ASID
    /// means another table, or a table is reused, [`Machine::flush_asid`] is due.
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
            if met.is_guarded() { self.load_guarded(space) } else { write_root(space.word()) }
        }
    }

    /// As [`Machine::load`] of another space, with mitigations.
    #[cold]
    #[inline(never)]
    fn load_guarded(&self, space: AddressSpace) {
        match self.loading.isolation {
            Isolation::On => self.cpu.user_root.set(space.word()),
            Isolation::Off => write_root(space.word()),
        }
        if space.table() == self.loading.nobody {
            return;
        }
        if self.loading.switch.predictor {
            // SAFETY: `Switch` has this only where the processor has the register; forgetting is always sound.
            unsafe { Msr::new(IA32_PRED_CMD).write(IBPB) };
        }
        if self.loading.switch.return_stack {
            fill_return_stack();
        }
    }

    /// Meets `needs` if no more is missing than an address space; otherwise does nothing and says `false`, as it does always
    /// where mitigations have something to do with it.
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
            _ if self.loading.isolation == Isolation::On => {}
            // Without tags only the current address space is in the cache.
            Tagging::None if self.current_address_space() == top_table_phys => {
                write_root(self.met.get().space().word())
            }
            Tagging::None => {}
            Tagging::Pcid => self.invalidate_tagged(asid, InvPcidCommand::Single),
        }
    }

    fn invalidate_tagged(&self, asid: u16, command: impl FnOnce(Pcid) -> InvPcidCommand) {
        if let Ok(tag) = Pcid::new(self.tagging.tag(asid) as u16) {
            // SAFETY: `Pcid` is chosen only if the processor has the instruction; forgetting is always sound.
            unsafe { tlb::flush_pcid(command(tag)) };
        }
    }
}
