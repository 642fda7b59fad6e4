//! From the API's register names to where the context keeps them, and what a user may put there.

use abi::register::UserRegister;
use machine::{Context, Register};

/// Where the context keeps `register`. The user's `rip` is the address the thread restarts at.
pub const fn place(register: UserRegister) -> Register {
    match register {
        UserRegister::Rip => Register::FaultIp,
        UserRegister::Rsp => Register::Rsp,
        UserRegister::Rflags => Register::Rflags,
        UserRegister::Rax => Register::Rax,
        UserRegister::Rbx => Register::Rbx,
        UserRegister::Rcx => Register::Rcx,
        UserRegister::Rdx => Register::Rdx,
        UserRegister::Rsi => Register::Rsi,
        UserRegister::Rdi => Register::Rdi,
        UserRegister::Rbp => Register::Rbp,
        UserRegister::R8 => Register::R8,
        UserRegister::R9 => Register::R9,
        UserRegister::R10 => Register::R10,
        UserRegister::R11 => Register::R11,
        UserRegister::R12 => Register::R12,
        UserRegister::R13 => Register::R13,
        UserRegister::R14 => Register::R14,
        UserRegister::R15 => Register::R15,
        UserRegister::FsBase => Register::FsBase,
        UserRegister::GsBase => Register::GsBase,
    }
}

/// Writes a register on a user's behalf: addresses are made canonical, flags keep what the kernel needs.
#[inline]
pub fn write_user(context: &Context, register: UserRegister, value: u64) {
    let value = match register {
        UserRegister::Rip | UserRegister::FsBase | UserRegister::GsBase => canonical(value),
        UserRegister::Rflags => Context::sanitise_flags(value),
        _ => value,
    };
    context.set(place(register), value);
}

/// `address` if the processor could hold it, else 0.
#[inline]
pub const fn canonical(address: u64) -> u64 {
    if address > 0x0000_7fff_ffff_ffff && address < 0xffff_8000_0000_0000 { 0 } else { address }
}
