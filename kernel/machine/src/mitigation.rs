//! Which mitigations of leaks through speculation an instance uses: what was asked for, against what the processor has
//! and is open to.
//!
//! [`Decision::new`] is the whole table, computed from two words of the handoff page, and prints as the line that a kernel
//! says when it starts. [`Switch`] is what of it happens between two address spaces. The back ends do it.
//!
//! Tests: at the end of this file; `model/tests.rs` for effects; system tests boot isolated kernels.

use core::fmt;
use manifest::handoff::features;
use manifest::mitigations as bit;

/// Why a mitigation is used, or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// On: the system file names it.
    Named,
    /// On: the processor needs it.
    Needed,
    /// Off: the system file leaves it out.
    LeftOut,
    /// Off: the processor does not need it.
    NotNeeded,
    /// Off: the processor cannot do it.
    Absent,
}

impl Reason {
    /// Whether the mitigation is used.
    pub const fn is_on(self) -> bool {
        matches!(self, Self::Named | Self::Needed)
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Named => "on (named)",
            Self::Needed => "on (needed)",
            Self::LeftOut => "off",
            Self::NotNeeded => "off (not needed)",
            Self::Absent => "off (this processor has none)",
        }
    }
}

/// What an instance does, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Programs run on tables that map the gate only.
    pub kpti: Reason,
    /// Indirect branches in the kernel do not follow what programs taught the processor.
    pub ibrs: Reason,
    /// Nor do they follow what a neighbour on the same core taught it.
    pub stibp: Reason,
    /// Between two address spaces the branch predictor forgets.
    pub ibpb: Reason,
    /// Between two address spaces the return stack is filled.
    pub rsb: Reason,
    /// Before user mode buffers are overwritten.
    pub verw: Reason,
}

impl Decision {
    /// For bits of [`manifest::mitigations`] and of [`features`].
    pub fn new(asked: u32, found: u32) -> Self {
        let has = |bits: u32| found & bits != 0;
        Self {
            kpti: decide(asked, bit::KPTI, true, !has(features::NO_MELTDOWN)),
            ibrs: decide(asked, bit::IBRS, has(features::IBRS_ALL | features::AUTO_IBRS), true),
            stibp: decide(asked, bit::STIBP, has(features::STIBP), true),
            ibpb: decide(asked, bit::IBPB, has(features::IBPB), true),
            rsb: decide(asked, bit::RSB, true, true),
            // The instruction itself is as old as segments: where it is named it is executed, whatever it clears.
            verw: match decide(asked, bit::VERW, has(features::MD_CLEAR), !has(features::NO_MDS)) {
                Reason::Absent if asked & bit::VERW != 0 => Reason::Named,
                reason => reason,
            },
        }
    }

    /// What happens between two address spaces.
    pub const fn switch(&self) -> Switch {
        Switch { predictor: self.ibpb.is_on(), return_stack: self.rsb.is_on() }
    }

    /// Whether something is to do on each way in or out, so that the stubs without mitigations will not do.
    pub const fn guards_entries(&self) -> bool {
        self.kpti.is_on() || self.verw.is_on()
    }

    /// Says all of it in pieces: without formatting, which a kernel that runs does not do.
    pub fn say(&self, mut out: impl FnMut(&str)) {
        out("mitigations: ");
        if self.each().iter().all(|(_, reason)| *reason == Reason::LeftOut) {
            return out("none (as the system file says)");
        }
        let mut separator = "";
        for (name, reason) in self.each() {
            [separator, name, " ", reason.words()].into_iter().for_each(&mut out);
            separator = ", ";
        }
    }

    fn each(&self) -> [(&'static str, Reason); 6] {
        let Self { kpti, ibrs, stibp, ibpb, rsb, verw } = *self;
        [("kpti", kpti), ("ibrs", ibrs), ("stibp", stibp), ("ibpb", ibpb), ("rsb", rsb), ("verw", verw)]
    }
}

const fn decide(asked: u32, which: u32, can: bool, needs: bool) -> Reason {
    let named = asked & which != 0;
    match (named, asked & bit::AUTO != 0) {
        (false, false) => Reason::LeftOut,
        (false, true) if !needs => Reason::NotNeeded,
        _ if !can => Reason::Absent,
        (true, _) => Reason::Named,
        (false, true) => Reason::Needed,
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut written = Ok(());
        self.say(|text| written = written.and_then(|()| f.write_str(text)));
        written
    }
}

/// What happens when another address space than the last one is loaded, unless it is nobody's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Switch {
    /// The branch predictor forgets.
    pub predictor: bool,
    /// The return stack is filled.
    pub return_stack: bool,
}

impl Switch {
    /// Whether nothing does.
    pub const fn is_plain(self) -> bool {
        !self.predictor && !self.return_stack
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Reason::{Absent, LeftOut, Named, Needed, NotNeeded};
    use manifest::mitigations::{ALL, AUTO, IBPB, KPTI, VERW};

    /// kpti, ibrs, stibp, ibpb, rsb, verw.
    fn reasons(asked: u32, found: u32) -> [Reason; 6] {
        Decision::new(asked, found).each().map(|(_, reason)| reason)
    }

    /// An Intel processor of 2017 with the microcode of 2018, one of 2023, and an AMD processor of 2022.
    const OLD: u32 = features::IBPB | features::STIBP | features::MD_CLEAR;
    const NEW: u32 = features::NO_MELTDOWN | features::NO_MDS | features::MD_CLEAR | features::IBRS_ALL | OLD;
    const AMD: u32 = features::NO_MELTDOWN | features::NO_MDS | features::IBPB | features::STIBP | features::AUTO_IBRS;

    #[test]
    fn nothing_asked_is_nothing_done_whatever_the_processor() {
        for found in [0, OLD, NEW, AMD, u32::MAX] {
            assert_eq!(reasons(0, found), [LeftOut; 6]);
            assert!(Decision::new(0, found).switch().is_plain());
        }
    }

    #[test]
    fn auto_is_what_the_processor_needs_and_has() {
        assert_eq!(reasons(AUTO, OLD), [Needed, Absent, Needed, Needed, Needed, Needed]);
        assert_eq!(reasons(AUTO, NEW), [NotNeeded, Needed, Needed, Needed, Needed, NotNeeded]);
        assert_eq!(reasons(AUTO, AMD), [NotNeeded, Needed, Needed, Needed, Needed, NotNeeded]);
    }

    #[test]
    fn a_processor_that_says_nothing_is_taken_for_an_open_one() {
        assert_eq!(reasons(AUTO, 0), [Needed, Absent, Absent, Absent, Needed, Absent]);
    }

    #[test]
    fn all_is_everything_that_can_be_done_needed_or_not() {
        assert_eq!(reasons(ALL, NEW), [Named; 6]);
        assert_eq!(reasons(ALL, 0), [Named, Absent, Absent, Absent, Named, Named], "`verw` is always an instruction");
    }

    #[test]
    fn what_is_named_is_done_and_auto_adds_to_it() {
        assert_eq!(reasons(KPTI | IBPB, NEW), [Named, LeftOut, LeftOut, Named, LeftOut, LeftOut]);
        assert_eq!(reasons(KPTI | AUTO, NEW), [Named, Needed, Needed, Needed, Needed, NotNeeded]);
        assert_eq!(Decision::new(VERW, NEW).verw, Named);
    }

    #[test]
    fn the_line_says_what_is_on_and_why() {
        let line = |asked, found| Decision::new(asked, found).to_string();
        assert_eq!(line(0, OLD), "mitigations: none (as the system file says)");
        assert_eq!(
            line(AUTO, OLD & !features::IBPB),
            "mitigations: kpti on (needed), ibrs off (this processor has none), stibp on (needed), \
             ibpb off (this processor has none), rsb on (needed), verw on (needed)"
        );
        assert_eq!(line(KPTI, NEW), "mitigations: kpti on (named), ibrs off, stibp off, ibpb off, rsb off, verw off");
    }
}
