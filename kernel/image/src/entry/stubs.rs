//! The text of both sets of stubs: `plain.rs` and `guarded.rs` include it after they have said what differs.
//!
//! `name!` makes a symbol's name; `enter!` comes when GS is the kernel's and RSP is free, `enter_on_this_stack!` where RSP
//! is to stay; `leave!` comes when all registers but RSP are the user's and `fetch_frame!` after it makes RSP that of a
//! frame for `iretq`, `leave_on_this_stack!` where RSP is the user's too; `forget_pushed!` is about the word below the stack.

use super::FRAME_STACK;
use super::handlers::{call, exception, interrupt, reply_recv, send, syscall, yield_turn};
use crate::entry::{at, nmi, skerry_kernel_fault, skerry_machine_check, skerry_nb_send_lightly, skerry_send_lightly};
use abi::syscall::Syscall;
use core::mem::offset_of;
use machine::Cpu;
use machine::context::{FLAGS_TRAP, Register};
use machine::gate::{DEBUG, DOUBLE_FAULT, GENERAL_PROTECTION, MACHINE_CHECK, NMI};

/// Leaves the kernel for the current context, for the first time.
///
/// # Safety
/// This core's `Cpu` is started and its current context is valid.
#[unsafe(naked)]
#[unsafe(link_section = ".text.entry")]
pub unsafe extern "C" fn enter_user() -> ! {
    core::arch::naked_asm!(concat!("jmp ", name!("skerry_restore")))
}

/// Where `syscall` lands: RCX holds the user's RIP, R11 its RFLAGS, RSP is still the user's.
///
/// # Safety
/// For the processor only.
#[unsafe(naked)]
#[unsafe(export_name = name!("skerry_syscall_entry"))]
#[unsafe(link_section = ".text.entry")]
pub unsafe extern "C" fn syscall_entry() {
    context_asm!(
        "swapgs",
        enter_on_this_stack!(),
        "cmp rdx, {number_of_call}",
        "jne 2f",
        save_known!("number_of_call"),
        save_changeable!(),
        save_the_rest!(),
        "jmp {call}",
        "2:",
        "cmp rdx, {number_of_reply_recv}",
        "jne 3f",
        save_known!("number_of_reply_recv"),
        save_changeable!(),
        save_the_rest!(),
        "mov rcx, r12",
        "jmp {reply_recv}",
        "3:",
        "cmp rdx, {number_of_nb_send}",
        "je 6f",
        "jl 9f",
        "cmp rdx, {number_of_send}",
        "je 7f",
        "10:",
        "mov gs:[{user_rsp}], rsp",
        "mov rsp, gs:[{current}]",
        "mov [rsp + {rdx}], rdx",
        "mov rdx, rsp",
        "mov rsp, gs:[{user_rsp}]",
        "mov [rdx + {rsp_}], rsp",
        save_changeable!(),
        save_the_rest!(),
        "jmp {other}",
        "9:",
        "cmp rdx, {number_of_yield}",
        "jne 10b",
        save_known!("number_of_yield"),
        save_changeable!(),
        save_the_rest!(),
        "jmp {yield_}",
        // Send and NBSend often change nobody's registers: then the rest of them stays where it is.
        "6:",
        save_known!("number_of_nb_send"),
        save_changeable!(),
        "mov rsp, gs:[{kernel_stack}]",
        "call {nb_send_lightly}",
        // The capability's first word; the second is in RDX.
        "5:",
        "test rax, rax",
        "jnz 4f",
        "mov rdi, gs:[{current}]",
        load!("rdi", "rdx" "rsi" "rax" "r10" "r8" "r9"),
        "mov r11, [rdi + {rflags}]",
        "mov rcx, [rdi + {next_ip}]",
        "mov rsp, [rdi + {rsp_}]",
        "mov rdi, [rdi + {rdi}]",
        leave_on_this_stack!(),
        "swapgs",
        "sysretq",
        "7:",
        save_known!("number_of_send"),
        save_changeable!(),
        "mov rsp, gs:[{kernel_stack}]",
        "call {send_lightly}",
        "jmp 5b",
        "4:",
        "mov rdi, rax",
        "mov rsi, rdx",
        "mov rdx, gs:[{current}]",
        save_the_rest!(),
        "jmp {send}",
        // Out again. A context left by a system call needs neither RCX nor R11, so `sysretq` will do. With a RIP that is not
        // canonical it would fault with the user's stack and the kernel's privilege; but RIP is where a `syscall`
        // instruction ends, and no user page ends above `abi::vm::USER_TOP`.
        concat!(".globl ", name!("skerry_restore"), "\n", name!("skerry_restore"), ":"),
        "mov r11, gs:[{current}]",
        // From here with the thread in R11, from the next with RDI, from the last with RSI too as they shall be.
        concat!(".globl ", name!("skerry_restore_thread"), "\n", name!("skerry_restore_thread"), ":"),
        "mov rdi, [r11 + {rdi}]",
        concat!(".globl ", name!("skerry_restore_badge"), "\n", name!("skerry_restore_badge"), ":"),
        "mov rsi, [r11 + {rsi}]",
        concat!(".globl ", name!("skerry_restore_message"), "\n", name!("skerry_restore_message"), ":"),
        "cmp qword ptr [r11 + {error}], -1",
        "jne {slowly}",
        "mov rcx, [r11 + {next_ip}]",
        load_most!("r11"),
        "mov rsp, [r11 + {rsp_}]",
        "mov r11, [r11 + {rflags}]",
        leave_on_this_stack!(),
        "swapgs",
        "sysretq",
        kernel_stack = const offset_of!(Cpu, kernel_stack),
        current = const offset_of!(Cpu, current),
        user_rsp = const offset_of!(Cpu, user_rsp),
        handler_stack = const offset_of!(Cpu, handler_stack),
        number_of_call = const Syscall::Call as i64,
        number_of_reply_recv = const Syscall::ReplyRecv as i64,
        number_of_send = const Syscall::Send as i64,
        number_of_nb_send = const Syscall::NBSend as i64,
        number_of_yield = const Syscall::Yield as i64,
        kernel_root = const offset_of!(Cpu, kernel_root),
        user_root = const offset_of!(Cpu, user_root),
        verw = const offset_of!(Cpu, verw),
        call = sym call,
        reply_recv = sym reply_recv,
        send_lightly = sym skerry_send_lightly,
        nb_send_lightly = sym skerry_nb_send_lightly,
        send = sym send,
        yield_ = sym yield_turn,
        other = sym syscall,
        slowly = sym restore_all,
    )
}

/// The long way out: every register, by `iretq`. R11 holds the current thread, RDI and RSI what these will be.
///
/// A RIP that is not canonical becomes a general protection fault of the thread here, since some processors would raise
/// it in the kernel. What `iretq` itself may still refuse comes back to `skerry_refused` by way of `trap`.
#[unsafe(naked)]
#[unsafe(link_section = ".text.entry")]
unsafe extern "C" fn restore_all() {
    context_asm!(
        "mov [r11 + {rdi}], rdi",
        "mov [r11 + {rsi}], rsi",
        "mov rdi, r11",
        "mov rax, [rdi + {next_ip}]",
        "mov rcx, rax",
        "sar rcx, 47",
        "inc rcx",
        "cmp rcx, 1",
        concat!("ja ", name!("skerry_refused")),
        "mov rsp, gs:[{frame_stack}]",
        "push qword ptr [rdi + {ss}]",
        "push qword ptr [rdi + {rsp_}]",
        "push qword ptr [rdi + {rflags}]",
        "push qword ptr [rdi + {cs}]",
        "push rax",
        "test byte ptr [rdi + {cs}], 3",
        // A system call that comes next finds Error as it wants it. Plain moves leave the flags of the test alone.
        "mov qword ptr [rdi + {error}], -1",
        "mov rsi, [rdi + {rsi}]",
        load_most!("rdi"),
        "mov r11, [rdi + {r11}]",
        "mov rcx, [rdi + {rcx}]",
        "mov rdi, [rdi + {rdi}]",
        concat!("jz ", name!("skerry_iret")),
        leave!(),
        fetch_frame!(),
        "swapgs",
        concat!(".globl ", name!("skerry_iret"), "\n", name!("skerry_iret"), ":"),
        "iretq",
        concat!(".globl ", name!("skerry_refused"), "\n", name!("skerry_refused"), ":"),
        "mov [rdi + {fault_ip}], rax",
        "mov qword ptr [rdi + {error}], 0",
        "mov rsp, gs:[{handler_stack}]",
        "mov esi, {general_protection}",
        "xor edx, edx",
        "jmp {exception}",
        frame_stack = const FRAME_STACK,
        user_root = const offset_of!(Cpu, user_root),
        verw = const offset_of!(Cpu, verw),
        fault_ip = const at(Register::FaultIp),
        cs = const at(Register::Cs),
        ss = const at(Register::Ss),
        r11 = const at(Register::R11),
        rcx = const at(Register::Rcx),
        handler_stack = const offset_of!(Cpu, handler_stack),
        general_protection = const GENERAL_PROTECTION,
        exception = sym exception,
    )
}

/// Every exception and interrupt, with the vector and an error code (0 if there is none) pushed on the processor's frame:
/// `[rsp]` vector, `+8` error, `+16` RIP, `+24` CS, `+32` RFLAGS, `+40` RSP, `+48` SS.
#[unsafe(naked)]
#[unsafe(link_section = ".text.entry")]
unsafe extern "C" fn trap() {
    context_asm!(
        "test byte ptr [rsp + 24], 3",
        "jz 4f",
        "swapgs",
        enter_on_this_stack!(),
        "2:",
        // No guessing on with the wrong GS.
        "lfence",
        // Gates leave the direction flag and AC as the user had them.
        "cld",
        "cmp qword ptr gs:[{smap}], 0",
        "je 3f",
        "clac",
        "3:",
        "push rdi",
        "mov rdi, gs:[{current}]",
        save!("rdi", "rsi" "rax" "rbx" "rbp" "r12" "r13" "r14" "rdx" "r10" "r8" "r9" "r15" "r11" "rcx"),
        "pop rax",
        "mov [rdi + {rdi}], rax",
        forget_pushed!(),
        "pop rsi",
        "pop rdx",
        "mov [rdi + {error}], rdx",
        "pop rax",
        "mov [rdi + {next_ip}], rax",
        "mov [rdi + {fault_ip}], rax",
        "pop qword ptr [rdi + {cs}]",
        "pop qword ptr [rdi + {rflags}]",
        "pop qword ptr [rdi + {rsp_}]",
        "pop qword ptr [rdi + {ss}]",
        "mov rsp, gs:[{handler_stack}]",
        "cmp esi, 32",
        "jae {interrupt}",
        "jmp {exception}",
        // From the kernel: an interrupt of the idle loop, an `iretq` that refused, or a bug.
        "4:",
        "cmp qword ptr [rsp], 32",
        "jae 2b",
        concat!("lea rax, [rip + ", name!("skerry_iret"), "]"),
        "cmp rax, [rsp + 16]",
        "jne {fatal}",
        "swapgs",
        "lfence",
        enter!(),
        "mov rdi, gs:[{current}]",
        "mov rax, [rdi + {next_ip}]",
        concat!("jmp ", name!("skerry_refused")),
        current = const offset_of!(Cpu, current),
        user_rsp = const offset_of!(Cpu, user_rsp),
        kernel_root = const offset_of!(Cpu, kernel_root),
        fault_ip = const at(Register::FaultIp),
        cs = const at(Register::Cs),
        ss = const at(Register::Ss),
        r11 = const at(Register::R11),
        rcx = const at(Register::Rcx),
        handler_stack = const offset_of!(Cpu, handler_stack),
        smap = const offset_of!(Cpu, smap),
        exception = sym exception,
        interrupt = sym interrupt,
        fatal = sym fatal,
    )
}

/// A kernel bug or a double fault; the frame is as for [`trap`]. GS may be the user's.
#[unsafe(naked)]
#[unsafe(link_section = ".text.entry")]
unsafe extern "C" fn fatal() {
    core::arch::naked_asm!(
        "cld",
        "mov rdi, [rsp]",
        "mov rsi, [rsp + 8]",
        "mov rdx, [rsp + 16]",
        "mov rcx, cr2",
        "and rsp, -16",
        "call {handler}",
        "ud2",
        handler = sym skerry_kernel_fault,
    )
}

/// A double fault, on its stack: where it came from, the kernel need not have been mapped. Its CR3 is
/// the word above the stack, where the seven words of the frame end.
#[unsafe(naked)]
#[unsafe(link_section = ".text.entry")]
unsafe extern "C" fn fatal_anywhere() {
    core::arch::naked_asm!(
        "mov rdi, [rsp + 56]",
        "test rdi, rdi",
        "jz {fatal}",
        "mov cr3, rdi",
        "jmp {fatal}",
        fatal = sym fatal,
    )
}

/// The machine check, on the same stack: the interrupted program goes on if the handler returns, which needs no GS.
#[unsafe(naked)]
#[unsafe(link_section = ".text.entry")]
unsafe extern "C" fn machine_check() {
    core::arch::naked_asm!(
        "cld",
        "push rax", "push rcx", "push rdx", "push rsi", "push rdi", "push r8", "push r9", "push r10", "push r11",
        "mov rdi, [rsp + 72]",
        "mov rax, cr3",
        "push rax",
        // The kernel's CR3, five words of the frame and ten of ours up.
        "mov rax, [rsp + 120]",
        "test rax, rax",
        "jz 2f",
        "mov cr3, rax",
        "2:",
        "sub rsp, 8",
        "call {handler}",
        "add rsp, 8",
        "pop rax",
        "mov cr3, rax",
        "pop r11", "pop r10", "pop r9", "pop r8", "pop rdi", "pop rsi", "pop rdx", "pop rcx", "pop rax",
        "iretq",
        handler = sym skerry_machine_check,
    )
}

/// The debug exception, on its stack. From the user it is like any other. In the kernel it can only be an echo of the
/// user's single-stepping or breakpoints around `syscall`: it is dropped, and TF with it.
#[unsafe(naked)]
#[unsafe(link_section = ".text.entry")]
unsafe extern "C" fn debug() {
    core::arch::naked_asm!(
        "test byte ptr [rsp + 8], 3",
        "jz 2f",
        "push 0",
        "push {vector}",
        "jmp {trap}",
        "2:",
        "and dword ptr [rsp + 16], {no_trap}",
        "iretq",
        vector = const DEBUG,
        no_trap = const !(FLAGS_TRAP as i32),
        trap = sym trap,
    )
}

// The stubs, 16 bytes each (`machine::gate::STUB_STRIDE`): push an error code where the processor does not, push the
// vector, join. `push` is spelled in bytes (6a: 8-bit, 68: 32-bit operand) so that its operand is never a reference.
core::arch::global_asm!(
    ".pushsection .text.entry, \"ax\", @progbits",
    ".balign 16",
    concat!(".globl ", name!("skerry_vectors"), "\n", name!("skerry_vectors"), ":"),
    ".set skerry_vector, 0",
    ".rept 256",
    ".balign 16, 0xcc",
    ".if skerry_vector == {nmi_vector}",
    "jmp {nmi}",
    ".elseif skerry_vector == {debug_vector}",
    "jmp {debug}",
    ".elseif skerry_vector == {machine_check_vector}",
    "jmp {machine_check}",
    ".else",
    // `machine::gate::has_error_code`, as a bit set of the first 32 vectors.
    ".if (skerry_vector >= 32) || ((({with_error} >> (skerry_vector & 31)) & 1) == 0)",
    ".byte 0x6a, 0",
    ".endif",
    ".byte 0x68",
    ".long skerry_vector",
    ".if skerry_vector == {double_fault}",
    "jmp {fatal_anywhere}",
    ".else",
    "jmp {trap}",
    ".endif",
    ".endif",
    ".set skerry_vector, skerry_vector + 1",
    ".endr",
    ".popsection",
    nmi_vector = const NMI,
    debug_vector = const DEBUG,
    double_fault = const DOUBLE_FAULT,
    machine_check_vector = const MACHINE_CHECK,
    with_error = const error_code_set(),
    nmi = sym nmi,
    debug = sym debug,
    machine_check = sym machine_check,
    fatal_anywhere = sym fatal_anywhere,
    trap = sym trap,
);

const fn error_code_set() -> u32 {
    let (mut set, mut vector) = (0, 0);
    while vector < 32 {
        set |= (machine::gate::has_error_code(vector) as u32) << vector;
        vector += 1;
    }
    set
}
