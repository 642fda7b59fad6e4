//! What a check does, and what has to come of it.

use crate::stage::{Heard, Stage};
use crate::{Complaint, Verdict};
use alloc::format;
use alloc::vec::Vec;
use sel4::fault::Fault;

/// One thread that provokes once.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// Name, as it is printed.
    pub name: &'static str,
    /// What the thread executes.
    pub begin: Begin,
    /// What has to come of it: one of these, since processors and emulators differ at the edges.
    pub expect: &'static [Expect],
}

/// Where a thread begins.
#[derive(Clone, Copy, Debug)]
pub enum Begin {
    /// With this code.
    Code(unsafe extern "C" fn()),
    /// At this address, whatever is there.
    Address(u64),
}

impl Begin {
    fn address(self) -> u64 {
        match self {
            Self::Code(code) => code as usize as u64,
            Self::Address(address) => address,
        }
    }
}

/// What has to come of it.
#[derive(Clone, Copy, Debug)]
pub enum Expect {
    /// An exception: this vector, with this error code, so far from where it began.
    Exception(u64, u64, u64),
    /// As `Exception`, at an address that does not matter.
    ExceptionAnywhere(u64, u64),
    /// A failed data access to this address.
    Access(u64),
    /// A failed instruction fetch from this address.
    Fetch(u64),
    /// The thread comes to its end, with these bits of these in `rax`.
    TheEnd {
        /// Value of the bits.
        rax: u64,
        /// Which bits.
        mask: u64,
    },
}

impl Case {
    /// Runs the thread to its first fault and judges that.
    pub fn judge(&self, stage: &mut Stage) -> Verdict {
        let begin = self.begin.address();
        let actor = stage.start(0, begin)?;
        let heard = stage.fault();
        drop(actor);
        judge(self.expect, begin, &heard)
    }
}

impl Expect {
    fn is(self, begin: u64, heard: &Heard) -> bool {
        match (self, heard.fault) {
            (Self::Exception(vector, wanted, offset), Some(Fault::UserException { ip, number, code, .. })) => {
                number == vector && code == wanted && ip == begin + offset
            }
            (Self::ExceptionAnywhere(vector, wanted), Some(Fault::UserException { number, code, .. })) => {
                number == vector && code == wanted
            }
            (Self::Access(wanted), Some(Fault::Vm { address, prefetch, .. })) => address == wanted && prefetch == 0,
            (Self::Fetch(wanted), Some(Fault::Vm { address, prefetch, .. })) => address == wanted && prefetch == 1,
            (Self::TheEnd { rax, mask }, Some(_)) => heard.is_the_end() && heard.rax & mask == rax,
            _ => false,
        }
    }
}

/// Judges the first fault of a thread that began at `begin`.
pub fn judge(expect: &[Expect], begin: u64, heard: &Heard) -> Verdict {
    if expect.iter().any(|expect| expect.is(begin, heard)) {
        return Ok(());
    }
    Err(Complaint::Saw(format!("began at {begin:#x}, rax {:#x}, then {:x?}", heard.rax, heard.fault)))
}

/// Lets two threads run `code` to its end, each with a pattern of its own in `rdi`: each counts in `rax` what it noticed of
/// the other, which must be nothing.
pub fn keep_apart(stage: &mut Stage, code: unsafe extern "C" fn(), patterns: [u64; 2]) -> Verdict {
    let mut actors = Vec::new();
    for (seat, pattern) in patterns.into_iter().enumerate() {
        let mut registers = Stage::registers(seat, code as usize as u64);
        registers.rdi = pattern;
        actors.push(stage.start_with(seat, &registers)?);
    }
    for _ in patterns {
        let heard = stage.fault();
        if !heard.is_the_end() || heard.rax != 0 {
            return Err(Complaint::Saw(format!("thread {}: {} changes, {:?}", heard.seat, heard.rax, heard.fault)));
        }
    }
    Ok(())
}
