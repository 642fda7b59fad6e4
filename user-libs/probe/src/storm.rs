//! A thread that makes nothing but system calls: most of its time passes at their entries and exits, where stack and GS
//! change hands. Whatever interrupts it there must leave its registers alone; the system tests send unmaskable interrupts.

use crate::stage::{Stage, THE_END};
use crate::{Complaint, Verdict};
use abi::syscall::Syscall;
use alloc::format;
use sel4::BootInfo;

/// How long, in microseconds of the processor's clock.
const DURATION_US: u64 = 300_000;

/// Until the clock reaches `rdi`: a send to nobody and a yield, then a look at the registers that both keep. Counts in `rax`
/// how often one is not as it was left.
#[unsafe(naked)]
unsafe extern "C" fn calls() {
    core::arch::naked_asm!(
        "mov r12, rdi",
        "mov r13, rsp",
        "movabs rbx, 0x0123456789abcdef",
        "mov rbp, rbx",
        "not rbp",
        "xor r14d, r14d",
        "2:",
        "xor edi, edi",
        "xor esi, esi",
        "mov rdx, {nb_send}",
        "syscall",
        "mov rdx, {yield_}",
        "syscall",
        "cmp rsp, r13",
        "jne 3f",
        "mov rax, rbp",
        "not rax",
        "cmp rax, rbx",
        "jne 3f",
        "movabs rax, 0x0123456789abcdef",
        "cmp rax, rbx",
        "je 4f",
        "3:",
        "inc r14",
        "4:",
        "rdtsc",
        "shl rdx, 32",
        "or rax, rdx",
        "cmp rax, r12",
        "jb 2b",
        "mov rax, r14",
        "mov edx, {end}",
        "syscall",
        nb_send = const Syscall::NBSend as i64,
        yield_ = const Syscall::Yield as i64,
        end = const THE_END,
    )
}

/// Lets it run to its end.
pub fn registers_survive(stage: &mut Stage, info: &BootInfo<'_>) -> Verdict {
    let mut registers = Stage::registers(0, calls as *const () as u64);
    // SAFETY: every x86-64 processor has a clock that users may read here.
    let now = unsafe { core::arch::x86_64::_rdtsc() };
    registers.rdi = now + DURATION_US * u64::from(info.tsc_mhz().unwrap_or(1));
    let actor = stage.start_with(0, &registers)?;
    let heard = stage.fault();
    drop(actor);
    if heard.is_the_end() && heard.rax == 0 {
        return Ok(());
    }
    Err(Complaint::Saw(format!("{} changes, then {:?}", heard.rax, heard.fault)))
}
