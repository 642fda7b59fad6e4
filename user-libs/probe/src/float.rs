//! Two threads that fill the floating-point registers with patterns of their own, interrupt each other, and look whether
//! theirs is still there.

use crate::Verdict;
use crate::expect::keep_apart;
use crate::stage::{Stage, THE_END};
use abi::syscall::Syscall;

/// Looks at the registers. Long enough for many slices.
const ROUNDS: u32 = 200_000;
/// A yield every so many rounds (a power of two), so that threads change by system calls too.
const YIELD_MASK: u32 = 1023;

/// Fills `xmm0` to `xmm15`, MXCSR's rounding bits and the x87 stack's top from `rdi`; counts in `rax` how often one of them
/// is not as it was left.
#[unsafe(naked)]
unsafe extern "C" fn guard() {
    core::arch::naked_asm!(
        "mov rbx, rdi",
        "mov rbp, rdi",
        "and ebp, 0x6000",
        "or ebp, 0x1f80",
        "push rbp",
        "ldmxcsr [rsp]",
        "push rbx",
        "fninit",
        "fild qword ptr [rsp]",
        ".irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15",
        "movq xmm\\n, rbx",
        ".endr",
        "xor eax, eax",
        "mov r14d, {rounds}",
        "2:",
        ".irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15",
        "movq rcx, xmm\\n",
        "cmp rcx, rbx",
        "setne cl",
        "movzx ecx, cl",
        "add rax, rcx",
        ".endr",
        "stmxcsr [rsp]",
        "mov ecx, [rsp]",
        "and ecx, 0x6000",
        "mov r13d, ebp",
        "and r13d, 0x6000",
        "cmp ecx, r13d",
        "setne cl",
        "movzx ecx, cl",
        "add rax, rcx",
        "fld st(0)",
        "fistp qword ptr [rsp]",
        "cmp [rsp], rbx",
        "setne cl",
        "movzx ecx, cl",
        "add rax, rcx",
        "test r14d, {mask}",
        "jnz 3f",
        "mov r12, rax",
        "mov rdx, {number}",
        "syscall",
        "mov rax, r12",
        "3:",
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

/// Lets both run to their ends, and adds up what they noticed.
pub fn isolation(stage: &mut Stage) -> Verdict {
    // Bits 13 and 14 differ: MXCSR's rounding.
    keep_apart(stage, guard, [0x0123_4567_89ab_2def, 0x0765_4321_0fed_5cba])
}
