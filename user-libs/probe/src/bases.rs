//! Two threads that write their segment bases themselves, interrupt each other, and look whether theirs are still there.
//!
//! The kernel lets one such instruction pass at a time and steps over it, so each is two entries into the kernel.

use crate::Verdict;
use crate::expect::{Begin, Case, Expect, keep_apart};
use crate::stage::{Stage, THE_END};
use abi::syscall::Syscall;
use core::arch::x86_64::__cpuid_count;

/// Writes and looks. Long enough for many slices.
const ROUNDS: u32 = 4_000;
/// A yield every so many rounds (a power of two), so that threads change by system calls too.
const YIELD_MASK: u32 = 15;

/// Writes both bases, other values each round, from `rdi` on; counts in `rax` how often one of them, or the trap flag, is
/// not as it was left.
#[unsafe(naked)]
unsafe extern "C" fn guard() {
    core::arch::naked_asm!(
        "mov rbx, rdi",
        "lea rbp, [rdi + 8]",
        "xor eax, eax",
        "mov r14d, {rounds}",
        "2:",
        "add rbx, 0x1000",
        "sub rbp, 0x1000",
        "wrfsbase rbx",
        "wrgsbase rbp",
        "test r14d, {mask}",
        "jnz 3f",
        "mov r12, rax",
        "mov rdx, {number}",
        "syscall",
        "mov rax, r12",
        "3:",
        "rdfsbase rcx",
        "cmp rcx, rbx",
        "setne cl",
        "movzx ecx, cl",
        "add rax, rcx",
        "rdgsbase rcx",
        "cmp rcx, rbp",
        "setne cl",
        "movzx ecx, cl",
        "add rax, rcx",
        "pushfq",
        "pop rcx",
        "shr ecx, 8",
        "and ecx, 1",
        "add rax, rcx",
        "dec r14d",
        "jnz 2b",
        "mov edx, {end}",
        "syscall",
        rounds = const ROUNDS,
        mask = const YIELD_MASK,
        number = const Syscall::Yield as i64,
        end = const THE_END,
    )
}

/// A base that is not canonical: the instruction is legal, its operand is not. QEMU does not mind; then the base is 0.
#[unsafe(naked)]
unsafe extern "C" fn write_nonsense() {
    core::arch::naked_asm!(
        "mov rbx, 0x800000000000", "wrfsbase rbx", "rdfsbase rax", "mov edx, {end}", "syscall",
        end = const THE_END,
    )
}

/// Under the thread's own trap flag the kernel does not step: the instruction stays illegal.
#[unsafe(naked)]
unsafe extern "C" fn write_while_stepping() {
    core::arch::naked_asm!("pushfq", "or dword ptr [rsp], 0x100", "popfq", "wrfsbase rbx")
}

/// What comes of code that writes a base, if the processor can.
fn judge(stage: &mut Stage, code: unsafe extern "C" fn(), expect: &'static [Expect]) -> Verdict {
    let expect = if is_supported() { expect } else { &[ILLEGAL] };
    Case { name: "bases", begin: Begin::Code(code), expect }.judge(stage)
}

const ILLEGAL: Expect = Expect::ExceptionAnywhere(6, 0);

fn is_supported() -> bool {
    __cpuid_count(7, 0).ebx & 1 != 0
}

/// Operands and circumstances that do not do.
pub fn refused(stage: &mut Stage) -> Verdict {
    judge(stage, write_nonsense, &[Expect::Exception(13, 0, 10), Expect::TheEnd { rax: 0, mask: u64::MAX }])?;
    judge(stage, write_while_stepping, &[ILLEGAL])
}

/// Lets both run to their ends, and adds up what they noticed.
pub fn isolation(stage: &mut Stage) -> Verdict {
    if !is_supported() {
        return judge(stage, guard, &[ILLEGAL]);
    }
    keep_apart(stage, guard, [0x1234_5678_9000, 0x7654_3210_a000])
}
