//! The ways into and out of the kernel, in assembly.
//!
//! ```text
//! skerry_start            the ELF entry: loader → `skerry_main`
//! skerry_syscall_entry    `syscall`: user registers → current Context, handler by number, then restore
//! skerry_vectors          256 stubs → common path → `skerry_exception` | `skerry_interrupt`, then restore
//! skerry_restore          current Context → user (`sysretq` after a system call, `iretq` otherwise) or idle loop
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
//! Tests: system tests; the vector table's encoding is tested in `machine::gate`.

use abi::syscall::Syscall;
use capability::Cap;
use core::mem::offset_of;
use machine::Cpu;
use machine::context::{FLAGS_TRAP, Register, SYSCALL_BYTES};
use machine::gate::{DEBUG, DOUBLE_FAULT, GENERAL_PROTECTION, MACHINE_CHECK, NMI};
use manifest::handoff::Handoff;

unsafe extern "C" {
    fn skerry_main(handoff: *const Handoff, core: usize) -> !;
    fn skerry_call() -> !;
    fn skerry_reply_recv() -> !;
    fn skerry_send_lightly(cptr: u64, info: u64) -> Cap;
    fn skerry_nb_send_lightly(cptr: u64, info: u64) -> Cap;
    fn skerry_send(cap: Cap) -> !;
    fn skerry_yield() -> !;
    fn skerry_syscall() -> !;
    fn skerry_exception(cpu: &'static Cpu, vector: u64, error: u64);
    fn skerry_interrupt(cpu: &'static Cpu, vector: u64);
    fn skerry_kernel_fault(vector: u64, error: u64, rip: u64, fault_address: u64) -> !;
}

/// A naked function's body: assembly that may name every register of a `Context` (by offset).
macro_rules! context_asm {
    ($($body:tt)*) => {
        core::arch::naked_asm!(
            $($body)*
            rdi = const Register::Rdi.offset(),
            rsi = const Register::Rsi.offset(),
            rax = const Register::Rax.offset(),
            rbx = const Register::Rbx.offset(),
            rbp = const Register::Rbp.offset(),
            rdx = const Register::Rdx.offset(),
            r8 = const Register::R8.offset(),
            r9 = const Register::R9.offset(),
            r10 = const Register::R10.offset(),
            r11 = const Register::R11.offset(),
            r12 = const Register::R12.offset(),
            r13 = const Register::R13.offset(),
            r14 = const Register::R14.offset(),
            r15 = const Register::R15.offset(),
            rcx = const Register::Rcx.offset(),
            rsp_ = const Register::Rsp.offset(),
            rflags = const Register::Rflags.offset(),
            next_ip = const Register::NextIp.offset(),
            fault_ip = const Register::FaultIp.offset(),
            error = const Register::Error.offset(),
        )
    };
}

/// Saves what the entry of a system call did not save yet, and changes to the stack of handlers that are jumped to: each
/// jumps to `skerry_restore` in the end. RSP is the current context, RCX and R11 as `syscall` left them.
macro_rules! save_the_rest {
    () => {
        concat!(
            "mov [rsp + {rbx}], rbx\n",
            "mov [rsp + {rbp}], rbp\n",
            "mov [rsp + {r12}], r12\n",
            "mov [rsp + {r13}], r13\n",
            "mov [rsp + {r14}], r14\n",
            "mov [rsp + {r15}], r15\n",
            "mov [rsp + {r11}], r11\n",
            "mov [rsp + {rcx}], rcx\n",
            "mov qword ptr [rsp + {error}], -1\n",
            "sub rcx, {syscall_bytes}\n",
            "mov [rsp + {fault_ip}], rcx\n",
            "mov rcx, gs:[{user_rsp}]\n",
            "mov [rsp + {rsp_}], rcx\n",
            "mov rsp, gs:[{handler_stack}]",
        )
    };
}

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

/// Leaves the kernel for the current context, for the first time.
///
/// # Safety
/// This core's `Cpu` is started and its current context is valid.
#[unsafe(naked)]
#[unsafe(no_mangle)]
#[unsafe(link_section = ".text.entry")]
pub unsafe extern "C" fn skerry_enter_user() -> ! {
    core::arch::naked_asm!("jmp skerry_restore")
}

/// The idle loop, for `Context::init_idle`: entered by restore with interrupts on, left by interrupts, needs no stack
/// of its own (its stack pointer may be the top of the kernel stack).
#[unsafe(naked)]
#[unsafe(no_mangle)]
#[unsafe(link_section = ".text.entry")]
pub extern "C" fn skerry_idle() -> ! {
    core::arch::naked_asm!("2:", "hlt", "jmp 2b")
}

/// Where `syscall` lands: RCX holds the user's RIP, R11 its RFLAGS, RSP is still the user's.
///
/// # Safety
/// For the processor only.
#[unsafe(naked)]
#[unsafe(no_mangle)]
#[unsafe(link_section = ".text.entry")]
pub unsafe extern "C" fn skerry_syscall_entry() {
    context_asm!(
        "swapgs",
        "mov gs:[{user_rsp}], rsp",
        "mov rsp, gs:[{current}]",
        // First what a Rust function may change.
        "mov [rsp + {rdi}], rdi",
        "mov [rsp + {rsi}], rsi",
        "mov [rsp + {rax}], rax",
        "mov [rsp + {rdx}], rdx",
        "mov [rsp + {r10}], r10",
        "mov [rsp + {r8}], r8",
        "mov [rsp + {r9}], r9",
        "mov [rsp + {rflags}], r11",
        "mov [rsp + {next_ip}], rcx",
        "cmp rdx, {number_of_call}",
        "jne 2f",
        save_the_rest!(),
        "jmp {call}",
        "2:",
        "cmp rdx, {number_of_reply_recv}",
        "jne 3f",
        save_the_rest!(),
        "jmp {reply_recv}",
        "3:",
        // Send and NBSend often change nobody's registers: then the rest of them stays where it is.
        "cmp rdx, {number_of_nb_send}",
        "je 6f",
        "cmp rdx, {number_of_send}",
        "jne 5f",
        "mov rsp, gs:[{kernel_stack}]",
        "call {send_lightly}",
        "7:",
        // The capability's first word; the second is in RDX.
        "test rax, rax",
        "jnz 4f",
        "mov rdi, gs:[{current}]",
        "mov rsi, [rdi + {rsi}]",
        "mov rax, [rdi + {rax}]",
        "mov rdx, [rdi + {rdx}]",
        "mov r10, [rdi + {r10}]",
        "mov r8, [rdi + {r8}]",
        "mov r9, [rdi + {r9}]",
        "mov r11, [rdi + {rflags}]",
        "mov rcx, [rdi + {next_ip}]",
        "mov rsp, gs:[{user_rsp}]",
        "mov rdi, [rdi + {rdi}]",
        "swapgs",
        "sysretq",
        "6:",
        "mov rsp, gs:[{kernel_stack}]",
        "call {nb_send_lightly}",
        "jmp 7b",
        "4:",
        "mov rsp, gs:[{current}]",
        "mov rcx, [rsp + {next_ip}]",
        "mov r11, [rsp + {rflags}]",
        save_the_rest!(),
        "mov rdi, rax",
        "mov rsi, rdx",
        "jmp {send}",
        "5:",
        save_the_rest!(),
        "cmp rdx, {number_of_yield}",
        "je {yield_}",
        "jmp {other}",
        // Out again. A context left by a system call needs neither RCX nor R11, so `sysretq` will do. With a RIP that is not
        // canonical it would fault with the user's stack and the kernel's privilege; but RIP is where a `syscall`
        // instruction ends, and no user page ends above `abi::vm::USER_TOP`.
        ".globl skerry_restore",
        "skerry_restore:",
        "mov rdi, gs:[{current}]",
        "cmp qword ptr [rdi + {error}], -1",
        "jne {slowly}",
        "mov rcx, [rdi + {next_ip}]",
        "mov rsi, [rdi + {rsi}]",
        "mov rax, [rdi + {rax}]",
        "mov rbx, [rdi + {rbx}]",
        "mov rbp, [rdi + {rbp}]",
        "mov r12, [rdi + {r12}]",
        "mov r13, [rdi + {r13}]",
        "mov r14, [rdi + {r14}]",
        "mov rdx, [rdi + {rdx}]",
        "mov r10, [rdi + {r10}]",
        "mov r8, [rdi + {r8}]",
        "mov r9, [rdi + {r9}]",
        "mov r15, [rdi + {r15}]",
        "mov r11, [rdi + {rflags}]",
        "mov rsp, [rdi + {rsp_}]",
        "mov rdi, [rdi + {rdi}]",
        "swapgs",
        "sysretq",
        current = const offset_of!(Cpu, current),
        user_rsp = const offset_of!(Cpu, user_rsp),
        syscall_bytes = const SYSCALL_BYTES,
        kernel_stack = const offset_of!(Cpu, kernel_stack),
        handler_stack = const offset_of!(Cpu, handler_stack),
        number_of_call = const Syscall::Call as i64,
        number_of_reply_recv = const Syscall::ReplyRecv as i64,
        number_of_send = const Syscall::Send as i64,
        number_of_nb_send = const Syscall::NBSend as i64,
        number_of_yield = const Syscall::Yield as i64,
        call = sym skerry_call,
        reply_recv = sym skerry_reply_recv,
        send_lightly = sym skerry_send_lightly,
        nb_send_lightly = sym skerry_nb_send_lightly,
        send = sym skerry_send,
        yield_ = sym skerry_yield,
        other = sym skerry_syscall,
        slowly = sym restore_all,
    )
}

/// The long way out: every register, by `iretq`. RDI holds the current context.
///
/// A RIP that is not canonical becomes a general protection fault of the thread here, since some processors would raise
/// it in the kernel. What `iretq` itself may still refuse comes back to `skerry_refused` by way of `trap`.
#[unsafe(naked)]
#[unsafe(link_section = ".text.entry")]
unsafe extern "C" fn restore_all() {
    context_asm!(
        "mov rax, [rdi + {next_ip}]",
        "mov rcx, rax",
        "sar rcx, 47",
        "inc rcx",
        "cmp rcx, 1",
        "ja skerry_refused",
        "mov rsp, gs:[{kernel_stack}]",
        "push qword ptr [rdi + {ss}]",
        "push qword ptr [rdi + {rsp_}]",
        "push qword ptr [rdi + {rflags}]",
        "push qword ptr [rdi + {cs}]",
        "push rax",
        "test byte ptr [rdi + {cs}], 3",
        // Plain loads leave the flags of this test alone.
        "mov rsi, [rdi + {rsi}]",
        "mov rax, [rdi + {rax}]",
        "mov rbx, [rdi + {rbx}]",
        "mov rbp, [rdi + {rbp}]",
        "mov r12, [rdi + {r12}]",
        "mov r13, [rdi + {r13}]",
        "mov r14, [rdi + {r14}]",
        "mov rdx, [rdi + {rdx}]",
        "mov r10, [rdi + {r10}]",
        "mov r8, [rdi + {r8}]",
        "mov r9, [rdi + {r9}]",
        "mov r15, [rdi + {r15}]",
        "mov r11, [rdi + {r11}]",
        "mov rcx, [rdi + {rcx}]",
        "mov rdi, [rdi + {rdi}]",
        "jz skerry_iret",
        "swapgs",
        ".globl skerry_iret",
        "skerry_iret:",
        "iretq",
        ".globl skerry_refused",
        "skerry_refused:",
        "mov [rdi + {fault_ip}], rax",
        "mov qword ptr [rdi + {error}], 0",
        "mov rsp, gs:[{kernel_stack}]",
        "mov rdi, gs:[{this}]",
        "mov esi, {general_protection}",
        "xor edx, edx",
        "call {exception}",
        "jmp skerry_restore",
        this = const offset_of!(Cpu, this),
        kernel_stack = const offset_of!(Cpu, kernel_stack),
        cs = const Register::Cs.offset(),
        ss = const Register::Ss.offset(),
        general_protection = const GENERAL_PROTECTION,
        exception = sym skerry_exception,
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
        "mov [rdi + {rsi}], rsi",
        "mov [rdi + {rax}], rax",
        "mov [rdi + {rbx}], rbx",
        "mov [rdi + {rbp}], rbp",
        "mov [rdi + {r12}], r12",
        "mov [rdi + {r13}], r13",
        "mov [rdi + {r14}], r14",
        "mov [rdi + {rdx}], rdx",
        "mov [rdi + {r10}], r10",
        "mov [rdi + {r8}], r8",
        "mov [rdi + {r9}], r9",
        "mov [rdi + {r15}], r15",
        "mov [rdi + {r11}], r11",
        "mov [rdi + {rcx}], rcx",
        "pop rax",
        "mov [rdi + {rdi}], rax",
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
        "mov rsp, gs:[{kernel_stack}]",
        "mov rdi, gs:[{this}]",
        "cmp esi, 32",
        "jae 5f",
        "call {exception}",
        "jmp skerry_restore",
        "5:",
        "call {interrupt}",
        "jmp skerry_restore",
        // From the kernel: an interrupt of the idle loop, an `iretq` that refused, or a bug.
        "4:",
        "cmp qword ptr [rsp], 32",
        "jae 2b",
        "lea rax, [rip + skerry_iret]",
        "cmp rax, [rsp + 16]",
        "jne {fatal}",
        "swapgs",
        "lfence",
        "mov rdi, gs:[{current}]",
        "mov rax, [rdi + {next_ip}]",
        "jmp skerry_refused",
        current = const offset_of!(Cpu, current),
        this = const offset_of!(Cpu, this),
        kernel_stack = const offset_of!(Cpu, kernel_stack),
        smap = const offset_of!(Cpu, smap),
        cs = const Register::Cs.offset(),
        ss = const Register::Ss.offset(),
        exception = sym skerry_exception,
        interrupt = sym skerry_interrupt,
        fatal = sym fatal,
    )
}

/// A kernel bug, a double fault or a machine check; the frame is as for [`trap`]. GS may be the user's.
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

/// The non-maskable interrupt: counted in the word above its stack, where the processor's five words end.
#[unsafe(naked)]
#[unsafe(link_section = ".text.entry")]
unsafe extern "C" fn nmi() {
    core::arch::naked_asm!("inc qword ptr [rsp + 40]", "iretq")
}

// The stubs, 16 bytes each (`machine::gate::STUB_STRIDE`): push an error code where the processor does not, push the
// vector, join. `push` is spelled in bytes (6a: 8-bit, 68: 32-bit operand) so that its operand is never a reference.
core::arch::global_asm!(
    ".pushsection .text.entry, \"ax\", @progbits",
    ".globl skerry_vectors",
    ".balign 16",
    "skerry_vectors:",
    ".set skerry_vector, 0",
    ".rept 256",
    ".balign 16, 0xcc",
    ".if skerry_vector == {nmi_vector}",
    "jmp {nmi}",
    ".elseif skerry_vector == {debug_vector}",
    "jmp {debug}",
    ".else",
    // `machine::gate::has_error_code`, as a bit set of the first 32 vectors.
    ".if (skerry_vector >= 32) || ((({with_error} >> (skerry_vector & 31)) & 1) == 0)",
    ".byte 0x6a, 0",
    ".endif",
    ".byte 0x68",
    ".long skerry_vector",
    ".if (skerry_vector == {double_fault}) || (skerry_vector == {machine_check})",
    "jmp {fatal}",
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
    machine_check = const MACHINE_CHECK,
    with_error = const error_code_set(),
    nmi = sym nmi,
    debug = sym debug,
    fatal = sym fatal,
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
