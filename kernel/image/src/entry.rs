//! The ways into and out of the kernel, in assembly.
//!
//! There are two sets of them, [`plain`] and [`guarded`], from one text (`entry/stubs.rs`, and `entry/handlers.rs` for what
//! ends by jumping to a way out): a core uses the second if its mitigations have something to do on the way, and pays
//! nothing for them with the first. Names of the second end in `_guarded`.
//!
//! ```text
//! skerry_start            the ELF entry: loader → `skerry_main`
//! skerry_syscall_entry    `syscall`: user registers → current thread, handler by number, then restore
//! skerry_vectors          256 stubs → common path → `skerry_exception` | `skerry_interrupt`, then restore
//! skerry_restore          current thread → user (`sysretq` after a system call, `iretq` otherwise) or idle loop
//! ```
//!
//! Who may interrupt what: with a kernel CS, interrupts come only from the idle loop (the rest of the kernel runs with
//! interrupts off), and exceptions are kernel bugs: `skerry_kernel_fault`. GS is the kernel's whenever kernel code runs,
//! but for the first instruction of the system call entry and the last of restore; only NMI, debug exception, double
//! fault and machine check can arrive there, so these have stacks of their own and do not look at GS unless they came
//! from the user.
//!
//! The handlers run on the core's kernel stack, which is empty at each entry: nothing on it survives a handler.
//!
//! This text and the cores' [`Cpu`] blocks are the gate: with isolated page tables they are all that is mapped of the
//! kernel while programs run, at the same addresses, and everything else is only there between [`guarded`]'s `enter` and
//! `leave`. So a stub may touch nothing else before the one and after the other.
//!
//! Tests: system tests, of both sets; the vector table's encoding is tested in `machine::gate`.

use capability::Cap;
use core::mem::offset_of;
use machine::context::Register;
use manifest::handoff::Handoff;
use memory::Ref;
use thread::Tcb;

unsafe extern "C" {
    fn skerry_main(handoff: *const Handoff, core: usize) -> !;
    fn skerry_send_lightly(cptr: u64, info: u64, sender: Ref<Tcb>) -> Cap;
    fn skerry_nb_send_lightly(cptr: u64, info: u64, sender: Ref<Tcb>) -> Cap;
    fn skerry_machine_check(rip: u64);
    fn skerry_kernel_fault(vector: u64, error: u64, rip: u64, fault_address: u64) -> !;
}

/// Where a thread, whose address the stubs have, keeps `register`.
const fn at(register: Register) -> usize {
    offset_of!(Tcb, context) + register.offset()
}

/// A naked function's body: assembly that may name every register of a thread's context, by its place in the thread.
macro_rules! context_asm {
    ($($body:tt)*) => {
        core::arch::naked_asm!(
            $($body)*
            rdi = const at(Register::Rdi),
            rsi = const at(Register::Rsi),
            rax = const at(Register::Rax),
            rbx = const at(Register::Rbx),
            rbp = const at(Register::Rbp),
            rdx = const at(Register::Rdx),
            r8 = const at(Register::R8),
            r9 = const at(Register::R9),
            r10 = const at(Register::R10),
            r12 = const at(Register::R12),
            r13 = const at(Register::R13),
            r14 = const at(Register::R14),
            r15 = const at(Register::R15),
            rsp_ = const at(Register::Rsp),
            rflags = const at(Register::Rflags),
            next_ip = const at(Register::NextIp),
            error = const at(Register::Error),
        )
    };
}

/// Stores registers to the thread whose address is in `$thread`.
macro_rules! save {
    ($thread:literal, $($register:literal)+) => {
        concat!($("mov [", $thread, " + {", $register, "}], ", $register, "\n",)+)
    };
}

/// Loads registers from the thread whose address is in `$thread`.
macro_rules! load {
    ($thread:literal, $($register:literal)+) => {
        concat!($("mov ", $register, ", [", $thread, " + {", $register, "}]\n",)+)
    };
}

/// Begins to save a system call whose number is known, to the current thread, whose address RDX has from now on.
macro_rules! save_known {
    ($number:literal) => {
        concat!(
            "mov rdx, gs:[{current}]\n",
            "mov [rdx + {rsp_}], rsp\n",
            "mov qword ptr [rdx + {rdx}], {",
            $number,
            "}\n",
        )
    };
}

/// Goes on with what a Rust function may change. What RCX, R11 and FaultIp would be follows from these
/// (`machine::context`), and Error says so since the thread was left to the user.
macro_rules! save_changeable {
    () => {
        concat!(
            save!("rdx", "rdi" "rsi" "rax" "r10" "r8" "r9"),
            "mov [rdx + {rflags}], r11\n",
            "mov [rdx + {next_ip}], rcx",
        )
    };
}

/// Saves the rest, and changes to the stack of handlers that are jumped to: each jumps to a way out in the end.
macro_rules! save_the_rest {
    () => {
        concat!(save!("rdx", "rbx" "rbp" "r12" "r13" "r14" "r15"), "mov rsp, gs:[{handler_stack}]")
    };
}

/// Loads all registers of the user, from the thread whose address is in `$thread`, but those that the ways out load last.
macro_rules! load_most {
    ($thread:literal) => {
        load!($thread, "rax" "rbx" "rbp" "r12" "r13" "r14" "rdx" "r10" "r8" "r9" "r15")
    };
}

pub mod guarded;
pub mod plain;

/// The ELF entry. The loader leaves the handoff in RDI, the core's index in RSI, and the stack's top in RSP.
///
/// # Safety
/// For the loader only.
#[unsafe(naked)]
#[unsafe(no_mangle)]
#[unsafe(link_section = ".text.entry")]
pub unsafe extern "C" fn skerry_start() -> ! {
    core::arch::naked_asm!("xor ebp, ebp", "cld", "call {main}", "ud2", main = sym skerry_main)
}

/// The idle loop, for `Context::init_idle`: entered by restore with interrupts on, left by interrupts, needs no stack
/// of its own (its stack pointer may be the top of the kernel stack).
#[unsafe(naked)]
#[unsafe(no_mangle)]
#[unsafe(link_section = ".text.entry")]
pub extern "C" fn skerry_idle() -> ! {
    core::arch::naked_asm!("2:", "hlt", "jmp 2b")
}

/// The non-maskable interrupt: counted in the word above its stack, where the processor's five words end.
#[unsafe(naked)]
#[unsafe(link_section = ".text.entry")]
unsafe extern "C" fn nmi() {
    core::arch::naked_asm!("inc qword ptr [rsp + 40]", "iretq")
}
