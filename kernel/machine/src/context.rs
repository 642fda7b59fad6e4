//! [`Context`]: the registers a thread leaves in memory while it is not running, in seL4's order.
//!
//! The order is what user programs see through register messages and what the entry stubs save: registers that survive a
//! system call first, then those that `syscall` itself destroys, then what only a change of thread needs.
//!
//! Two registers do not exist in the processor. [`Register::NextIp`] is where the thread continues; [`Register::FaultIp`]
//! is the instruction that brought it here (a `syscall` instruction, or the same address as `NextIp` after an exception
//! or interrupt), and where it continues if it is *restarted*. [`Register::Error`] holds the processor's error code, or
//! [`SYSCALL_ERROR`] while the thread is in a system call, which is what lets it leave by the short way (`sysretq`).
//!
//! A system call does not store what follows from the rest: `Rcx` is `NextIp`, `R11` is `Rflags`, and `FaultIp` lies one
//! `syscall` instruction before `NextIp`. [`Context::get`] knows, and [`Context::set`] stores them before it changes one of
//! these registers; then the thread leaves by the long way, which restores all.
//!
//! Tests: at the end of this file.

use crate::selector;
use core::cell::Cell;

/// Value of [`Register::Error`] while a thread is inside a system call; no exception has this error code.
pub const SYSCALL_ERROR: u64 = u64::MAX;
/// Bytes of the `syscall` instruction: how far `FaultIp` lies before `NextIp` in a system call.
pub const SYSCALL_BYTES: u64 = 2;

/// What the host's stand-in for a system call leaves where nothing is stored.
#[cfg(not(target_os = "none"))]
const NOT_STORED: u64 = 0x0bad_0bad_0bad_0bad;

/// RFLAGS bit 1, which reads as one always.
pub const FLAGS_ALWAYS: u64 = 1 << 1;
/// RFLAGS.TF: single step.
pub const FLAGS_TRAP: u64 = 1 << 8;
/// RFLAGS.IF: interrupts enabled.
pub const FLAGS_INTERRUPT: u64 = 1 << 9;
/// RFLAGS.DF: string instructions count down.
pub const FLAGS_DIRECTION: u64 = 1 << 10;
/// RFLAGS.IOPL, both bits.
pub const FLAGS_IO_PRIVILEGE: u64 = 3 << 12;
/// RFLAGS.NT: nested task.
pub const FLAGS_NESTED: u64 = 1 << 14;
/// RFLAGS.RF: resume.
pub const FLAGS_RESUME: u64 = 1 << 16;
/// RFLAGS.AC: alignment check, and with SMAP the permission to touch user pages.
pub const FLAGS_ALIGNMENT: u64 = 1 << 18;
/// What a user may choose: CF, PF, AF, ZF, SF, TF, DF, OF.
const FLAGS_USER: u64 = 0xdd5;

/// A slot of [`Context`]; the number is the slot's index.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
#[allow(missing_docs, reason = "the names are the processor's")]
pub enum Register {
    Rdi = 0,
    Rsi = 1,
    Rax = 2,
    Rbx = 3,
    Rbp = 4,
    R12 = 5,
    R13 = 6,
    R14 = 7,
    Rdx = 8,
    R10 = 9,
    R8 = 10,
    R9 = 11,
    R15 = 12,
    Rflags = 13,
    /// Where the thread continues.
    NextIp = 14,
    /// Error code of the last exception, or [`SYSCALL_ERROR`].
    Error = 15,
    Rsp = 16,
    /// The instruction that entered the kernel.
    FaultIp = 17,
    R11 = 18,
    Rcx = 19,
    Cs = 20,
    Ss = 21,
    FsBase = 22,
    GsBase = 23,
}

impl Register {
    /// Slots of a [`Context`].
    pub const COUNT: usize = 24;

    /// Byte offset of the slot in a [`Context`], for the entry stubs.
    pub const fn offset(self) -> usize {
        self as usize * size_of::<u64>()
    }
}

/// The saved registers of a thread (or of the idle loop). All-zero bytes are a valid value, which cannot be resumed.
#[derive(Debug)]
#[repr(C, align(16))]
pub struct Context {
    regs: [Cell<u64>; Register::COUNT],
}

impl Context {
    /// All registers zero.
    pub const fn new() -> Self {
        Self { regs: [const { Cell::new(0) }; Register::COUNT] }
    }

    /// The value of `register`.
    #[inline(always)]
    pub fn get(&self, register: Register) -> u64 {
        match register {
            Register::FaultIp if self.is_in_syscall() => self.stored(Register::NextIp).wrapping_sub(SYSCALL_BYTES),
            Register::Rcx if self.is_in_syscall() => self.stored(Register::NextIp),
            Register::R11 if self.is_in_syscall() => self.stored(Register::Rflags),
            _ => self.stored(register),
        }
    }

    /// Sets `register` to `value`, unchecked: flags from a user go through [`Context::sanitise_flags`] first, segment
    /// bases through [`is_canonical`], and `Cs` and `Ss` are set by the `init_` functions only.
    #[inline(always)]
    pub fn set(&self, register: Register, value: u64) {
        use Register::{Error, FaultIp, NextIp, R11, Rcx, Rflags};
        if matches!(register, Error | FaultIp | NextIp | R11 | Rcx | Rflags) {
            self.leave_syscall();
        }
        self.store(register, value);
    }

    #[inline(always)]
    fn stored(&self, register: Register) -> u64 {
        self.regs[register as usize].get()
    }

    #[inline(always)]
    fn store(&self, register: Register, value: u64) {
        self.regs[register as usize].set(value);
    }

    /// Stores what follows from the rest in a system call, after which it need not.
    fn leave_syscall(&self) {
        if self.is_in_syscall() {
            let follows =
                [Register::Rcx, Register::R11, Register::FaultIp].map(|register| (register, self.get(register)));
            follows.into_iter().for_each(|(register, value)| self.store(register, value));
            self.store(Register::Error, 0);
        }
    }

    /// Makes this the context of a user thread: user segments, interrupts enabled, all else zero.
    pub fn init_user(&self) {
        self.regs.iter().for_each(|slot| slot.set(0));
        self.set(Register::Cs, u64::from(selector::USER_CODE));
        self.set(Register::Ss, u64::from(selector::USER_DATA));
        self.set(Register::Rflags, FLAGS_ALWAYS | FLAGS_INTERRUPT);
    }

    /// Makes this the context of a kernel idle loop at `rip` with stack pointer `rsp`: kernel segments, interrupts
    /// enabled, all else zero.
    pub fn init_idle(&self, rip: u64, rsp: u64) {
        self.regs.iter().for_each(|slot| slot.set(0));
        self.set(Register::Cs, u64::from(selector::KERNEL_CODE));
        self.set(Register::Ss, u64::from(selector::KERNEL_DATA));
        self.set(Register::Rflags, FLAGS_ALWAYS | FLAGS_INTERRUPT);
        self.set(Register::NextIp, rip);
        self.set(Register::FaultIp, rip);
        self.set(Register::Rsp, rsp);
    }

    /// Flags that are safe to resume a user with, nearest to `flags`: arithmetic, TF and DF as asked, interrupts on,
    /// everything else (IOPL, NT, RF, VM, AC, VIF, VIP, ID) off.
    pub const fn sanitise_flags(flags: u64) -> u64 {
        flags & FLAGS_USER | FLAGS_ALWAYS | FLAGS_INTERRUPT
    }

    /// Where the thread continues.
    #[cfg(not(target_os = "none"))]
    pub fn next_pc(&self) -> u64 {
        self.get(Register::NextIp)
    }

    /// Makes the thread continue where it does again what it was doing.
    #[inline]
    pub fn restart(&self) {
        self.set(Register::NextIp, self.get(Register::FaultIp));
        self.set(Register::Error, 0);
    }

    /// Whether the thread is in a system call, so that leaving by `sysretq` restores all it may rely on.
    #[inline(always)]
    pub fn is_in_syscall(&self) -> bool {
        self.stored(Register::Error) == SYSCALL_ERROR
    }

    /// What the entry stub does for `syscall` (the host's stand-in for it): `next` is the address behind the
    /// instruction. What follows from the rest is not left as it was, so that nobody reads it unnoticed.
    #[cfg(not(target_os = "none"))]
    pub fn enter_by_syscall(&self, next: u64) {
        self.store(Register::NextIp, next);
        [Register::FaultIp, Register::Rcx, Register::R11].iter().for_each(|&register| self.store(register, NOT_STORED));
        self.store(Register::Error, SYSCALL_ERROR);
    }

    /// What the entry stub does for an exception or interrupt at `rip` (the host's stand-in for it).
    #[cfg(not(target_os = "none"))]
    pub fn enter_by_trap(&self, rip: u64, error: u64) {
        self.store(Register::NextIp, rip);
        self.store(Register::FaultIp, rip);
        self.store(Register::Error, error);
    }
}

/// Whether `address` is canonical with 48-bit virtual addresses: bits 63:47 all equal.
pub const fn is_canonical(address: u64) -> bool {
    matches!((address as i64) >> 47, 0 | -1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn sanitised_flags_keep_interrupts_on_and_privilege_off(flags: u64) {
            let clean = Context::sanitise_flags(flags);
            prop_assert_eq!(clean & FLAGS_INTERRUPT, FLAGS_INTERRUPT);
            prop_assert_eq!(clean & FLAGS_ALWAYS, FLAGS_ALWAYS);
            prop_assert_eq!(clean & (FLAGS_IO_PRIVILEGE | FLAGS_NESTED | FLAGS_RESUME | FLAGS_ALIGNMENT), 0);
            prop_assert_eq!(clean >> 12, 0);
            prop_assert_eq!(clean & FLAGS_USER, flags & FLAGS_USER, "the user's own bits survive");
            prop_assert_eq!(Context::sanitise_flags(clean), clean);
        }

        #[test]
        fn canonical_means_sign_extended_from_bit_47(address: u64) {
            prop_assert_eq!(is_canonical(address), ((address << 16) as i64 >> 16) as u64 == address);
        }
    }

    #[test]
    fn a_context_is_two_dozen_words_and_zero_is_valid() {
        assert_eq!(size_of::<Context>(), 24 * 8);
        assert_eq!(align_of::<Context>(), 16);
        assert_eq!(Register::GsBase as usize + 1, Register::COUNT);
        assert_eq!(Register::Rsp.offset(), 0x80);
    }

    #[test]
    fn a_user_context_has_user_segments_and_interrupts_on() {
        let context = Context::new();
        context.set(Register::R15, 7);
        context.init_user();
        assert_eq!(context.get(Register::Cs) & 3, 3);
        assert_eq!(context.get(Register::Ss) & 3, 3);
        assert_eq!(context.get(Register::Rflags), 0x202);
        assert_eq!(context.get(Register::R15), 0);
        assert!(!context.is_in_syscall());
    }

    #[test]
    fn an_idle_context_has_kernel_segments_and_interrupts_on() {
        let context = Context::new();
        context.init_idle(0xffff_ffff_8000_1000, 0xffff_ffff_bff0_8000);
        assert_eq!(context.get(Register::Cs) & 3, 0);
        assert_eq!(context.get(Register::Ss) & 3, 0);
        assert_eq!(context.get(Register::Rflags), 0x202);
        assert_eq!(context.next_pc(), 0xffff_ffff_8000_1000);
        assert!(!context.is_in_syscall());
    }

    #[test]
    fn a_syscall_restarts_at_the_instruction_and_a_fault_at_the_fault() {
        let context = Context::new();
        context.init_user();
        context.enter_by_syscall(0x40_1002);
        assert_eq!((context.next_pc(), context.get(Register::FaultIp)), (0x40_1002, 0x40_1000));
        assert!(context.is_in_syscall());
        context.enter_by_trap(0x40_2000, 6);
        assert_eq!((context.next_pc(), context.get(Register::FaultIp)), (0x40_2000, 0x40_2000));
        assert!(!context.is_in_syscall());
    }

    #[test]
    fn what_a_syscall_does_not_store_follows_from_the_rest_until_something_of_it_changes() {
        let context = Context::new();
        context.init_user();
        context.enter_by_syscall(0x40_1002);
        let seen = || [Register::Rcx, Register::R11, Register::FaultIp].map(|register| context.get(register));
        assert_eq!(seen(), [0x40_1002, 0x202, 0x40_1000]);
        context.set(Register::Rdi, 1);
        assert!(context.is_in_syscall(), "an answer's registers are not among them");
        context.set(Register::Rflags, 0x203);
        assert_eq!((seen(), context.is_in_syscall()), ([0x40_1002, 0x202, 0x40_1000], false));
        context.enter_by_syscall(0x40_1002);
        context.restart();
        assert_eq!((seen(), context.next_pc()), ([0x40_1002, 0x203, 0x40_1000], 0x40_1000));
        context.enter_by_syscall(0x40_1002);
        context.set(Register::FaultIp, 0x40_1002);
        assert_eq!((seen(), context.next_pc()), ([0x40_1002, 0x203, 0x40_1002], 0x40_1002));
    }
}
