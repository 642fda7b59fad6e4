//! Breakpoints and steps, on kernels with seL4's hardware debug API.

use crate::stage::{Actor, Heard, Stage, THE_END, step};
use crate::{Complaint, Verdict};
use abi::breakpoint::{Access, Kind};
use alloc::format;
use core::sync::atomic::AtomicU64;
use sel4::fault::Fault;
use sel4::{Breakpoint, ResumeTarget};

/// A check.
type Check = fn(&mut Stage) -> Verdict;

/// Every check, by name.
pub const CHECKS: &[(&str, Check)] = &[
    ("instruction-breakpoint", instruction),
    ("write-breakpoint", |stage| data(stage, Access::Write, 1)),
    ("access-breakpoint", |stage| data(stage, Access::ReadWrite, 2)),
    ("breakpoint-of-one-thread", one_thread),
    ("single-step", single_step),
    ("three-steps", three_steps),
    ("breakpoint-instruction", software),
    ("breakpoint-held-back-into-a-call", held_back),
];

/// What is watched; the last check puts a selector there.
static WORD: AtomicU64 = AtomicU64::new(0);

/// A thread that does nothing twice, and ends.
#[unsafe(naked)]
unsafe extern "C" fn idle_twice() {
    core::arch::naked_asm!("nop", "nop", "nop", "mov edx, {end}", "syscall", "ud2", end = const THE_END)
}

/// A thread that reads the watched word, then writes it, and ends.
#[unsafe(naked)]
unsafe extern "C" fn read_and_write() {
    core::arch::naked_asm!(
        "mov rax, [rip + {word}]",
        "mov [rip + {word}], rax",
        "mov edx, {end}",
        "syscall",
        "ud2",
        word = sym WORD,
        end = const THE_END,
    )
}

#[unsafe(naked)]
unsafe extern "C" fn break_and_end() {
    core::arch::naked_asm!("int3", "mov edx, {end}", "syscall", "ud2", end = const THE_END)
}

/// Loading SS holds the trap of the watched word back until the next instruction is done: here that is the system call.
#[unsafe(naked)]
unsafe extern "C" fn load_stack_segment() {
    core::arch::naked_asm!(
        "mov eax, ss",
        "mov [rip + {word}], ax",
        "mov edx, {end}",
        "mov ss, [rip + {word}]",
        "syscall",
        "ud2",
        word = sym WORD,
        end = const THE_END,
    )
}

/// A stopped thread in seat `seat` that will begin at `entry`, after `prepare`.
fn start(
    stage: &mut Stage,
    seat: usize,
    entry: u64,
    prepare: impl FnOnce(&Actor) -> sel4::Result<()>,
) -> Result<Actor, Complaint> {
    let actor = stage.actor(seat)?;
    step("prepare a thread", prepare(&actor))?;
    step("start a thread", actor.tcb.write_registers(ResumeTarget::Yes, &Stage::registers(seat, entry)))?;
    Ok(actor)
}

fn at_instruction(address: u64) -> Breakpoint {
    Breakpoint { address, kind: Kind::Instruction, bytes: 0, access: Access::Read }
}

fn at_word(access: Access) -> Breakpoint {
    Breakpoint { address: WORD.as_ptr() as u64, kind: Kind::Data, bytes: 8, access }
}

fn unexpected(what: &str, heard: &Heard) -> Complaint {
    Complaint::Saw(format!("{what}: {:x?}", heard.fault))
}

fn ended(what: &str, heard: &Heard) -> Verdict {
    if heard.is_the_end() { Ok(()) } else { Err(unexpected(what, heard)) }
}

fn instruction(stage: &mut Stage) -> Verdict {
    let begin = idle_twice as *const () as u64;
    let actor = start(stage, 0, begin, |actor| {
        actor.tcb.set_breakpoint(2, at_instruction(begin + 1))?;
        actor.tcb.set_breakpoint(3, at_instruction(begin + 2))?;
        actor.tcb.unset_breakpoint(3)
    })?;
    let heard = stage.fault();
    let wanted = Fault::Debug { ip: begin + 1, reason: Kind::Instruction.word(), address: begin + 1, number: 2 };
    if heard.fault != Some(wanted) {
        return Err(unexpected("at the breakpoint", &heard));
    }
    let heard = stage.answer(0);
    drop(actor);
    ended("past the breakpoint", &heard)
}

/// `hits` of the two accesses, a read and then a write, trigger.
fn data(stage: &mut Stage, access: Access, hits: usize) -> Verdict {
    let begin = read_and_write as *const () as u64;
    let actor = start(stage, 0, begin, |actor| actor.tcb.set_breakpoint(0, at_word(access)))?;
    let mut heard = stage.fault();
    for hit in 0..hits {
        let wanted = WORD.as_ptr() as u64;
        match heard.fault {
            Some(Fault::Debug { reason, address, number: 0, .. })
                if reason == Kind::Data.word() && address == wanted => {}
            _ => return Err(unexpected(&format!("access {hit}"), &heard)),
        }
        heard = stage.answer(0);
    }
    drop(actor);
    ended("past the accesses", &heard)
}

fn one_thread(stage: &mut Stage) -> Verdict {
    let begin = read_and_write as *const () as u64;
    let watched = start(stage, 0, begin, |actor| actor.tcb.set_breakpoint(1, at_word(Access::Write)))?;
    let other = start(stage, 1, begin, |_| Ok(()))?;
    let (first, second) = (stage.fault(), stage.fault());
    drop((watched, other));
    for heard in [first, second] {
        let stopped = matches!(heard.fault, Some(Fault::Debug { number: 1, .. }));
        if (heard.seat == 0) != stopped || (heard.seat == 1) != heard.is_the_end() {
            return Err(unexpected(&format!("thread {}", heard.seat), &heard));
        }
    }
    Ok(())
}

fn single_step(stage: &mut Stage) -> Verdict {
    let begin = idle_twice as *const () as u64;
    let actor = start(stage, 0, begin, |actor| actor.tcb.configure_single_stepping(0, 1).map(drop))?;
    let mut heard = stage.fault();
    for instruction in 1..=3 {
        let wanted = Some((begin + instruction, Kind::SingleStep.word()));
        let found = match heard.fault {
            Some(Fault::Debug { ip, reason, .. }) => Some((ip, reason)),
            _ => None,
        };
        if found != wanted {
            return Err(unexpected(&format!("instruction {instruction}"), &heard));
        }
        heard = stage.answer(u64::from(instruction < 3));
    }
    drop(actor);
    ended("without stepping", &heard)
}

fn three_steps(stage: &mut Stage) -> Verdict {
    let begin = idle_twice as *const () as u64;
    let actor = start(stage, 0, begin, |actor| actor.tcb.configure_single_stepping(0, 3).map(drop))?;
    let heard = stage.fault();
    if !matches!(heard.fault, Some(Fault::Debug { ip, .. }) if ip == begin + 3) {
        return Err(unexpected("after three instructions", &heard));
    }
    let heard = stage.answer(0);
    drop(actor);
    ended("without stepping", &heard)
}

fn software(stage: &mut Stage) -> Verdict {
    let begin = break_and_end as *const () as u64;
    let actor = start(stage, 0, begin, |_| Ok(()))?;
    let heard = stage.fault();
    let is_it = |ip, reason| ip == begin + 1 && reason == Kind::SoftwareBreakRequest.word();
    if !matches!(heard.fault, Some(Fault::Debug { ip, reason, .. }) if is_it(ip, reason)) {
        return Err(unexpected("at the instruction", &heard));
    }
    let heard = stage.answer(0);
    drop(actor);
    ended("past it", &heard)
}

/// The kernel must neither stop nor tell of what is its own entry.
fn held_back(stage: &mut Stage) -> Verdict {
    let begin = load_stack_segment as *const () as u64;
    let actor = start(stage, 0, begin, |actor| actor.tcb.set_breakpoint(0, at_word(Access::ReadWrite)))?;
    let mut heard = stage.fault();
    // The write, and on some processors the load of SS.
    for _ in 0..2 {
        if !matches!(heard.fault, Some(Fault::Debug { ip, .. }) if ip > begin) {
            break;
        }
        heard = stage.answer(0);
    }
    drop(actor);
    ended("at the system call", &heard)
}
