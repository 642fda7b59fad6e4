//! The bare system calls: registers in, registers out. Everything else in this crate is built on the three of them.
//!
//! Registers are those of [`abi::register`]. On real hardware they are one `syscall` instruction each; elsewhere they
//! go to the closure in [`crate::host`]. `rbx` carries the stack pointer across the call, as stubs for seL4 do, so that
//! programs built with this crate also run on seL4 itself.

use abi::syscall::Syscall;

/// What a system call leaves in the registers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// `rdi`: the sender's badge.
    pub badge: u64,
    /// `rsi`: message info.
    pub info: u64,
    /// `r10 r8 r9 r15`: message words.
    pub words: [u64; 4],
}

#[cfg(target_os = "none")]
macro_rules! syscall {
    ($number:expr, $capability:expr, $info:expr, $words:expr $(, $register:tt = $extra:expr)*) => {{
        let (badge, info);
        let [mut word0, mut word1, mut word2, mut word3]: [u64; 4] = $words;
        // SAFETY: the instruction changes the registers named here (rbx is restored from a scratch register), and
        // memory only through capabilities the caller names; the crate's documentation states what that may mean.
        unsafe {
            core::arch::asm!(
                "mov {saved_rbx}, rbx",
                "mov rbx, rsp",
                "syscall",
                "mov rsp, rbx",
                "mov rbx, {saved_rbx}",
                saved_rbx = out(reg) _,
                in("rdx") $number as i64,
                inout("rdi") $capability => badge,
                inout("rsi") $info => info,
                inout("r10") word0,
                inout("r8") word1,
                inout("r9") word2,
                inout("r15") word3,
                $(in($register) $extra,)*
                out("rcx") _,
                out("r11") _,
                options(nostack),
            );
        }
        Answer { badge, info, words: [word0, word1, word2, word3] }
    }};
}

/// A system call that takes neither a reply object nor a second destination.
#[cfg(target_os = "none")]
#[inline(always)]
pub fn plain(number: Syscall, capability: u64, info: u64, words: [u64; 4]) -> Answer {
    syscall!(number, capability, info, words)
}

/// A system call with a capability in `r12`: the reply object to receive with, or what `NBSendWait` sends to.
#[cfg(target_os = "none")]
#[inline(always)]
pub fn with_reply(number: Syscall, capability: u64, info: u64, words: [u64; 4], reply: u64) -> Answer {
    syscall!(number, capability, info, words, "r12" = reply)
}

/// `NBSendRecv`: sends to `destination` and receives from `source` with a reply object.
#[cfg(target_os = "none")]
#[inline(always)]
pub fn with_destination(
    number: Syscall,
    source: u64,
    info: u64,
    words: [u64; 4],
    reply: u64,
    destination: u64,
) -> Answer {
    syscall!(number, source, info, words, "r12" = reply, "r13" = destination)
}

#[cfg(not(target_os = "none"))]
pub use crate::host::{plain, with_destination, with_reply};

/// Sets the calling thread's FS base.
#[inline]
pub fn set_tls_base(address: u64) {
    plain(Syscall::SetTLSBase, address, 0, [0; 4]);
}
