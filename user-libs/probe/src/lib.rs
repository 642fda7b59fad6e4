//! A root task that provokes its kernel instance from user mode: every way to trap, registers that no thread should be
//! able to bring along, floating-point state under preemption, domains. It prints a line for each check, `probe: NAME: ok`
//! or what it saw instead, and is done with the number of checks that failed.
//!
//! Each check runs in a thread of its own, whose faults this first thread receives. A thread ends by a system call that
//! does not exist, since the fault that this is carries all its registers.
//!
//! Run by the system tests (`tests/system/probe.rs`) and in Bochs by hand: what processors do differently at the edges is
//! exactly what is probed.
#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod bases;
mod breakpoints;
mod domains;
mod expect;
mod float;
pub mod hostile;
pub mod painter;
mod stage;
mod step;
mod storm;
mod victims;

use core::fmt::Write;
use root_task::RootError;
use root_task::console::{Console, Record};
use sel4::BootInfo;
use stage::Stage;

/// Runs every check, says `done`, and stops.
pub fn run(info: &BootInfo<'_>, console: &mut Console) -> ! {
    let failures = match checks(info, console) {
        Ok(failures) => failures,
        Err(error) => {
            let _ = writeln!(console, "probe: {error}");
            1
        }
    };
    console.record(Record::Done { code: failures });
    loop {
        let _ = sel4::initial::TCB.suspend();
    }
}

/// What a check saw: nothing to complain of, or this.
type Verdict = Result<(), Complaint>;

/// Why a check failed.
#[derive(Debug)]
enum Complaint {
    /// The kernel refused what the check needs, or there was no memory.
    Setup(RootError),
    /// Something else than expected happened.
    Saw(alloc::string::String),
}

impl From<RootError> for Complaint {
    fn from(error: RootError) -> Self {
        Self::Setup(error)
    }
}

fn checks(info: &BootInfo<'_>, console: &mut Console) -> Result<i32, RootError> {
    let mut stage = Stage::new(info)?;
    let mut failures = 0;
    let mut report = |name: &str, verdict: Verdict| {
        let _ = match verdict {
            Ok(()) => writeln!(console, "probe: {name}: ok"),
            Err(complaint) => {
                failures += 1;
                match complaint {
                    Complaint::Setup(error) => writeln!(console, "probe: {name}: {error}"),
                    Complaint::Saw(what) => writeln!(console, "probe: {name}: {what}"),
                }
            }
        };
    };
    if abi::HARDWARE_DEBUG {
        // Such a kernel tells of traps in another way; the rest is as in the usual one.
        for (name, check) in breakpoints::CHECKS {
            report(name, check(&mut stage));
        }
        return Ok(failures);
    }
    for case in victims::CASES {
        report(case.name, case.judge(&mut stage));
    }
    report("last-page-of-the-user-half", victims::last_page(&mut stage));
    report("fpu-denied", victims::fpu_denied(&mut stage));
    report("single-step-over-syscall", step::over_syscalls(&mut stage));
    report("fpu-isolation", float::isolation(&mut stage));
    report("bases-refused", bases::refused(&mut stage));
    report("bases-isolation", bases::isolation(&mut stage));
    report("syscall-storm", storm::registers_survive(&mut stage, info));
    report("domains", domains::alternate(&mut stage, info));
    // Interrupts from outside that nobody of these noticed are counted here.
    sel4::debug::snapshot();
    Ok(failures)
}
