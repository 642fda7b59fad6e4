//! The stub: a time stamp, one system call (or what stands in its place), a time stamp.
//!
//! All stubs are the same instructions but for one, so that what one costs without that instruction's work is what each
//! of them costs: [`cost`] measures it with a `nop`. Stamps of different threads may be subtracted just as well, since
//! every stub has the same instructions before and after.

use crate::trace::Stamps;
use abi::syscall::Syscall;
use sel4::{MessageInfo, sys::Answer};

/// What to put into the registers.
#[derive(Clone, Copy, Debug)]
pub struct Registers {
    /// `rdx`.
    pub number: Syscall,
    /// `rdi`.
    pub capability: u64,
    /// `rsi`.
    pub info: MessageInfo,
    /// `r10 r8 r9 r15`.
    pub words: [u64; 4],
    /// `r12`.
    pub reply: u64,
}

impl Registers {
    /// A call without message and reply object.
    pub const fn plain(number: Syscall, capability: u64) -> Self {
        Self { number, capability, info: MessageInfo::new(0, 0, 0, 0), words: [0; 4], reply: 0 }
    }
}

macro_rules! stub {
    ($(#[$meta:meta])* $name:ident, $instruction:literal) => {
        $(#[$meta])*
        #[inline(never)]
        pub fn $name(registers: &Registers) -> (Stamps, Answer) {
            let Registers { number, capability, info, words: [mut word0, mut word1, mut word2, mut word3], reply } =
                *registers;
            let (start, end, badge, answer);
            // SAFETY: as the stubs of `sel4::sys`: every register that changes is named here (rbx is kept on the stack),
            // and memory changes only through the capabilities named.
            unsafe {
                core::arch::asm!(
                    "push rbx",
                    "rdtsc",
                    "shl rdx, 32",
                    "or rax, rdx",
                    "mov r14, rax",
                    "mov rdx, r13",
                    "mov rbx, rsp",
                    $instruction,
                    "mov rsp, rbx",
                    "rdtsc",
                    "shl rdx, 32",
                    "or rax, rdx",
                    "pop rbx",
                    in("r13") number as i64,
                    in("r12") reply,
                    inout("rdi") capability => badge,
                    inout("rsi") info.word() => answer,
                    inout("r10") word0,
                    inout("r8") word1,
                    inout("r9") word2,
                    inout("r15") word3,
                    out("r14") start,
                    out("rax") end,
                    out("rdx") _,
                    out("rcx") _,
                    out("r11") _,
                );
            }
            (Stamps { start, end }, Answer { badge, info: answer, words: [word0, word1, word2, word3] })
        }
    };
}

stub! {
    /// A system call.
    system_call, "syscall"
}
stub! {
    /// An illegal instruction of two bytes; the fault's handler must continue behind it.
    illegal_instruction, "ud2"
}
stub! {
    /// An instruction of two bytes that does nothing.
    nothing, "xchg ax, ax"
}

/// Bytes of the instruction that [`illegal_instruction`] times.
pub const INSTRUCTION_BYTES: u64 = 2;

/// Ticks that any stub takes without its system call's work.
pub fn cost() -> u64 {
    let registers = Registers::plain(Syscall::Yield, 0);
    let ticks = |_| {
        let (stamps, _) = nothing(&registers);
        stamps.end - stamps.start
    };
    (0..64).map(ticks).min().unwrap_or(0)
}
