//! Single-stepping over system calls: the trap flag is the user's affair and must never trap in the kernel.

use crate::stage::{Stage, THE_END};
use crate::{Complaint, Verdict};
use abi::syscall::Syscall;
use alloc::format;
use sel4::fault::Fault;

const DEBUG: u64 = 1;
/// Instructions of [`stepped`] behind the one that sets the flag; a step over `syscall`, or over the instruction behind a
/// load of SS, may be left out by the processor.
const STEPS_LEAST: usize = 4;
const STEPS_MOST: usize = 10;

#[unsafe(naked)]
unsafe extern "C" fn stepped() {
    core::arch::naked_asm!(
        "mov ecx, ss",
        "pushfq",
        "or dword ptr [rsp], 0x100",
        "popfq",
        "nop",
        "mov rdx, {number}",
        "syscall",
        "nop",
        // Loading SS holds back the trap until the next instruction is done: here that is the system call.
        "mov eax, ss",
        "mov rdx, {number}",
        "mov ss, eax",
        "syscall",
        "nop",
        "mov edx, {end}",
        "syscall",
        ".globl probe_stepped_end",
        "probe_stepped_end:",
        "ud2",
        number = const Syscall::Yield as i64,
        end = const THE_END,
    )
}

unsafe extern "C" {
    fn probe_stepped_end();
}

/// Follows a thread step by step to its end.
pub fn over_syscalls(stage: &mut Stage) -> Verdict {
    let (begin, end) = (stepped as *const () as u64, probe_stepped_end as *const () as u64);
    let actor = stage.start(0, begin)?;
    let mut heard = stage.fault();
    let mut steps = 0;
    while let Some(Fault::UserException { ip, sp, flags, number: DEBUG, .. }) = heard.fault {
        if !(begin..=end).contains(&ip) || steps > STEPS_MOST {
            break;
        }
        steps += 1;
        heard = stage.go_on(ip, sp, flags);
    }
    drop(actor);
    if heard.is_the_end() && (STEPS_LEAST..=STEPS_MOST).contains(&steps) {
        return Ok(());
    }
    Err(Complaint::Saw(format!("began at {begin:#x}, {steps} steps, then {:?}", heard.fault)))
}
