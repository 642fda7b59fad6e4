//! The set for mitigations on the way in and out: isolated page tables, `verw`, or both, as the words in [`Cpu`] say.
//!
//! With isolated tables an entry begins on the user's CR3, with what the gate maps. RSP is the register that an entry has
//! to spare: the user's is in `Cpu::user_rsp`, or it points to the frame on a stack of the gate, whose address waits there.
//! On the way out it is the last to be loaded. So no other register of a program is ever in memory that the gate maps,
//! but for a word that `trap` pushes and clears.

use core::mem::offset_of;
use machine::Cpu;

/// Where frames for `iretq` are made: in the gate.
const FRAME_STACK: usize = offset_of!(Cpu, entry_stack_top);

macro_rules! name {
    ($name:literal) => {
        concat!($name, "_guarded")
    };
}

/// The kernel's tables, if it has its own. A wrong guess of the branch runs the kernel on tables that do not map it.
macro_rules! enter {
    () => {
        concat!("mov rsp, gs:[{kernel_root}]\n", "test rsp, rsp\n", "jz 8f\n", "mov cr3, rsp\n", "8:")
    };
}

macro_rules! enter_on_this_stack {
    () => {
        concat!("lfence\n", "mov gs:[{user_rsp}], rsp\n", enter!(), "\n", "mov rsp, gs:[{user_rsp}]")
    };
}

/// The user's tables, and nothing left in the buffers. The kernel's own tables map no program, so a wrong guess of the
/// first branch finds nothing to run; `lfence` is for the second.
macro_rules! leave {
    () => {
        concat!(
            "mov rsp, gs:[{user_root}]\n",
            "test rsp, rsp\n",
            "jz 8f\n",
            "mov cr3, rsp\n",
            "8:\n",
            "cmp qword ptr gs:[{verw}], 0\n",
            "je 9f\n",
            "verw word ptr gs:[{verw}]\n",
            "9:\n",
            "lfence",
        )
    };
}

macro_rules! leave_on_this_stack {
    () => {
        concat!("mov gs:[{user_rsp}], rsp\n", leave!(), "\n", "mov rsp, gs:[{user_rsp}]")
    };
}

/// The five words of a frame.
macro_rules! fetch_frame {
    () => {
        concat!("mov rsp, gs:[{frame_stack}]\n", "lea rsp, [rsp - 40]")
    };
}

macro_rules! forget_pushed {
    () => {
        "mov qword ptr [rsp - 8], 0"
    };
}

#[allow(clippy::duplicate_mod, reason = "one text for both sets")]
#[path = "handlers.rs"]
mod handlers;
#[allow(clippy::duplicate_mod, reason = "one text for both sets")]
#[path = "stubs.rs"]
mod stubs;

pub use stubs::enter_user;
