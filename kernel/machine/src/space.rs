//! [`AddressSpace`]: a top-level table and its tag, as the processor takes them; [`Needs`]: what a thread needs of a
//! processor besides its registers, in one word that is compared with what the processor has.
//!
//! ```text
//! 63 keep what the tag has cached | 62 FPU on | 61 a GS base    | 51..12 table | 11..0 tag     Needs
//! 63 as above | 60 FPU is on      | 59 GS base is not zero      | 51..12 table | 11..0 tag     Met
//!               58 loading an address space is more than writing CR3
//! 57 breakpoints or steps         | 56 breakpoints are on
//! ```
//!
//! The bits that CR3 does not have are others in [`Needs`] than in [`Met`], so that two words that agree in all of them have
//! none: whoever wants something unusual, or runs with it, never passes the comparison.

/// CR3 bit 63 on a write: keep the tag's translations.
const KEEP: u64 = 1 << 63;
/// Bits of CR3 that are the tag.
const TAG: u64 = 0xfff;
/// Bits of CR3 that are the table's address.
const TABLE: u64 = ((1 << 52) - 1) & !TAG;
/// What CR3 does not have begins here.
const UNUSUAL_SHIFT: u32 = 52;
const NEEDS_FPU: u64 = 1 << 62;
const NEEDS_GS_BASE: u64 = 1 << 61;
const NEEDS_DEBUGGING: u64 = 1 << 57;
const NEEDS_UNUSUAL: u64 = NEEDS_FPU | NEEDS_GS_BASE | NEEDS_DEBUGGING;
const FPU_IS_ON: u64 = 1 << 60;
const HAS_GS_BASE: u64 = 1 << 59;
const GUARDED: u64 = 1 << 58;
const HAS_BREAKPOINTS: u64 = 1 << 56;
const MET_UNUSUAL: u64 = FPU_IS_ON | HAS_GS_BASE | GUARDED | HAS_BREAKPOINTS;

/// An address space, ready to be loaded. Made by `Machine::address_space`; not valid any longer once its table is reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressSpace(u64);

impl AddressSpace {
    /// The tables at `top_table_phys` with `tag`; tag 0 is emptied by every switch to it.
    #[inline]
    pub(crate) const fn new(top_table_phys: u64, tag: u16) -> Self {
        let tag = tag as u64 & TAG;
        Self(top_table_phys & TABLE | tag | if tag == 0 { 0 } else { KEEP })
    }

    /// What is written to CR3.
    #[inline(always)]
    #[cfg(target_os = "none")]
    pub(crate) const fn word(self) -> u64 {
        self.0
    }

    /// Physical address of the tables.
    #[inline(always)]
    pub const fn table(self) -> u64 {
        self.0 & TABLE
    }

    /// The tag.
    #[inline(always)]
    #[cfg(not(target_os = "none"))]
    pub(crate) const fn tag(self) -> u16 {
        (self.0 & TAG) as u16
    }
}

/// What a thread needs of a processor besides its registers. All-zero is no valid need.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs(u64);

impl Needs {
    /// What no thread needs.
    pub const NONE: Self = Self(0);

    /// An address space, and nothing else.
    pub const fn of(space: AddressSpace) -> Self {
        Self(space.0)
    }

    /// The FPU too.
    pub const fn and_fpu(self) -> Self {
        Self(self.0 | NEEDS_FPU)
    }

    /// A GS base other than zero too.
    pub const fn and_gs_base(self) -> Self {
        Self(self.0 | NEEDS_GS_BASE)
    }

    /// Breakpoints, or to stop after so many instructions, too.
    pub const fn and_debugging(self) -> Self {
        Self(self.0 | NEEDS_DEBUGGING)
    }

    /// The address space.
    #[inline(always)]
    pub const fn space(self) -> AddressSpace {
        AddressSpace(self.0 & !NEEDS_UNUSUAL)
    }
}

/// What the processor has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Met(u64);

impl Met {
    /// The FPU off, GS base zero, and this in CR3.
    pub(crate) const fn at_start(cr3: u64) -> Self {
        Self(cr3)
    }

    /// The address space.
    #[inline(always)]
    pub(crate) const fn space(self) -> AddressSpace {
        AddressSpace(self.0 & !MET_UNUSUAL)
    }

    /// The same with another address space.
    #[inline(always)]
    pub(crate) const fn with_space(self, space: AddressSpace) -> Self {
        Self(self.0 & MET_UNUSUAL | space.0)
    }

    /// Whether the FPU is on.
    #[inline(always)]
    pub(crate) const fn fpu_is_on(self) -> bool {
        self.0 & FPU_IS_ON != 0
    }

    /// The same with the FPU on.
    #[inline(always)]
    pub(crate) const fn with_fpu_on(self) -> Self {
        Self(self.0 | FPU_IS_ON)
    }

    /// The same with the FPU off.
    #[inline(always)]
    pub(crate) const fn with_fpu_off(self) -> Self {
        Self(self.0 & !FPU_IS_ON)
    }

    /// The same with this GS base.
    pub(crate) const fn with_gs_base(self, base: u64) -> Self {
        Self(self.0 & !HAS_GS_BASE | if base == 0 { 0 } else { HAS_GS_BASE })
    }

    /// The same with these bits of breakpoints in DR7.
    pub(crate) const fn with_breakpoints(self, control: u64) -> Self {
        Self(self.0 & !HAS_BREAKPOINTS | if control == 0 { 0 } else { HAS_BREAKPOINTS })
    }

    /// Whether there are breakpoints.
    #[cfg(target_os = "none")]
    pub(crate) const fn has_breakpoints(self) -> bool {
        self.0 & HAS_BREAKPOINTS != 0
    }

    /// The same, and nothing is met any more by writing CR3 alone: for mitigations.
    #[cfg_attr(not(target_os = "none"), allow(dead_code, reason = "the model does as its mitigations say in `load`"))]
    pub(crate) const fn guarded(self) -> Self {
        Self(self.0 | GUARDED)
    }

    /// Whether [`Met::guarded`] holds.
    #[inline(always)]
    #[cfg(target_os = "none")]
    pub(crate) const fn is_guarded(self) -> bool {
        self.0 & GUARDED != 0
    }

    /// Whether `needs` are met.
    #[inline(always)]
    pub(crate) const fn meets(self, needs: Needs) -> bool {
        self.0 == needs.0
    }

    /// Whether `needs` are met but for the address space.
    #[inline(always)]
    pub(crate) const fn meets_elsewhere(self, needs: Needs) -> bool {
        (self.0 ^ needs.0) >> UNUSUAL_SHIFT == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_usual_thread_is_met_by_its_address_space_and_needs_nothing_else_in_another() {
        let (here, there) = (AddressSpace::new(0x1000, 1), AddressSpace::new(0x2000, 2));
        let met = Met::at_start(0x5000).with_space(here);
        assert!(met.meets(Needs::of(here)) && !met.meets(Needs::of(there)));
        assert!(met.meets_elsewhere(Needs::of(there)));
        assert_eq!((met.space(), met.space().table()), (here, 0x1000));
        assert!(
            !met.meets_elsewhere(Needs::of(AddressSpace::new(0x2000, 0))),
            "an untagged one is not like a tagged one"
        );
    }

    #[test]
    fn nothing_unusual_passes_on_either_side() {
        let space = AddressSpace::new(0x1000, 0);
        let plain = Met::at_start(0).with_space(space);
        let debugged = plain.with_breakpoints(1);
        let unusual = [plain.with_fpu_on(), plain.with_gs_base(8), plain.with_fpu_on().with_gs_base(8), debugged];
        let guarded = plain.guarded();
        assert_eq!(guarded.space(), space);
        assert!(!guarded.meets(Needs::of(space)) && !guarded.with_space(space).meets_elsewhere(Needs::of(space)));
        let needs = Needs::of(space);
        for wanted in
            [needs, needs.and_fpu(), needs.and_gs_base(), needs.and_fpu().and_gs_base(), needs.and_debugging()]
        {
            assert_eq!(wanted.space(), space);
            for met in unusual {
                assert!(!met.meets(wanted) && !met.meets_elsewhere(wanted));
                assert_eq!(met.with_fpu_off().with_gs_base(0).with_breakpoints(0), plain);
            }
            assert_eq!(plain.meets(wanted), wanted == needs);
            assert_eq!(plain.meets_elsewhere(wanted), wanted == needs);
        }
    }
}
