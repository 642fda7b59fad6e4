//! The ways into and out of the kernel, in assembly.
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
//! Tests: system tests; the vector table's encoding is tested in `machine::gate`.

use abi::syscall::Syscall;
use capability::Cap;
use core::mem::offset_of;
use machine::Cpu;
use machine::context::{FLAGS_TRAP, Register};
use machine::gate::{DEBUG, DOUBLE_FAULT, GENERAL_PROTECTION, MACHINE_CHECK, NMI};
use manifest::handoff::Handoff;
use memory::Ref;
use thread::Tcb;

unsafe extern "C" {
    fn skerry_main(handoff: *const Handoff, core: usize) -> !;
    fn skerry_call(cptr: u64, info: u64, caller: Ref<Tcb>) -> !;
    fn skerry_reply_recv(cptr: u64, info: u64, server: Ref<Tcb>, reply_cptr: u64) -> !;
    fn skerry_send_lightly(cptr: u64, info: u64, sender: Ref<Tcb>) -> Cap;
    fn skerry_nb_send_lightly(cptr: u64, info: u64, sender: Ref<Tcb>) -> Cap;
    fn skerry_send(cap: Cap) -> !;
    fn skerry_yield() -> !;
    fn skerry_syscall() -> !;
    fn skerry_exception(cpu: &'static Cpu, vector: u64, error: u64);
    fn skerry_interrupt(cpu: &'static Cpu, vector: u64);
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
            kernel_stack = const offset_of!(Cpu, kernel_stack),
        )
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
            "mov [rdx + {rdi}], rdi\n",
            "mov [rdx + {rsi}], rsi\n",
            "mov [rdx + {rax}], rax\n",
            "mov [rdx + {r10}], r10\n",
            "mov [rdx + {r8}], r8\n",
            "mov [rdx + {r9}], r9\n",
            "mov [rdx + {rflags}], r11\n",
            "mov [rdx + {next_ip}], rcx",
        )
    };
}

/// Saves the rest, and changes to the stack of handlers that are jumped to: each jumps to a way out in the end.
macro_rules! save_the_rest {
    () => {
        concat!(
            "mov [rdx + {rbx}], rbx\n",
            "mov [rdx + {rbp}], rbp\n",
            "mov [rdx + {r12}], r12\n",
            "mov [rdx + {r13}], r13\n",
            "mov [rdx + {r14}], r14\n",
            "mov [rdx + {r15}], r15\n",
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
        "cmp rdx, {number_of_send}",
        "je 7f",
        "cmp rdx, {number_of_yield}",
        "je 8f",
        "mov gs:[{user_rsp}], rsp",
        "mov rsp, gs:[{current}]",
        "mov [rsp + {rdx}], rdx",
        "mov rdx, rsp",
        "mov rsp, gs:[{user_rsp}]",
        "mov [rdx + {rsp_}], rsp",
        save_changeable!(),
        save_the_rest!(),
        "jmp {other}",
        "8:",
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
        "mov rdx, [rdi + {rdx}]",
        "mov rsi, [rdi + {rsi}]",
        "mov rax, [rdi + {rax}]",
        "mov r10, [rdi + {r10}]",
        "mov r8, [rdi + {r8}]",
        "mov r9, [rdi + {r9}]",
        "mov r11, [rdi + {rflags}]",
        "mov rcx, [rdi + {next_ip}]",
        "mov rsp, [rdi + {rsp_}]",
        "mov rdi, [rdi + {rdi}]",
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
        ".globl skerry_restore",
        "skerry_restore:",
        "mov r11, gs:[{current}]",
        "mov rdi, [r11 + {rdi}]",
        "mov rsi, [r11 + {rsi}]",
        // From here with the thread in R11, a badge in RDI and a message info in RSI.
        ".globl skerry_restore_message",
        "skerry_restore_message:",
        "cmp qword ptr [r11 + {error}], -1",
        "jne {slowly}",
        "mov rcx, [r11 + {next_ip}]",
        "mov rax, [r11 + {rax}]",
        "mov rbx, [r11 + {rbx}]",
        "mov rbp, [r11 + {rbp}]",
        "mov r12, [r11 + {r12}]",
        "mov r13, [r11 + {r13}]",
        "mov r14, [r11 + {r14}]",
        "mov rdx, [r11 + {rdx}]",
        "mov r10, [r11 + {r10}]",
        "mov r8, [r11 + {r8}]",
        "mov r9, [r11 + {r9}]",
        "mov r15, [r11 + {r15}]",
        "mov rsp, [r11 + {rsp_}]",
        "mov r11, [r11 + {rflags}]",
        "swapgs",
        "sysretq",
        current = const offset_of!(Cpu, current),
        user_rsp = const offset_of!(Cpu, user_rsp),
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
        "ja skerry_refused",
        "mov rsp, gs:[{kernel_stack}]",
        "push qword ptr [rdi + {ss}]",
        "push qword ptr [rdi + {rsp_}]",
        "push qword ptr [rdi + {rflags}]",
        "push qword ptr [rdi + {cs}]",
        "push rax",
        "test byte ptr [rdi + {cs}], 3",
        // A system call that comes next finds Error as it wants it. Plain moves leave the flags of the test alone.
        "mov qword ptr [rdi + {error}], -1",
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
        fault_ip = const at(Register::FaultIp),
        cs = const at(Register::Cs),
        ss = const at(Register::Ss),
        r11 = const at(Register::R11),
        rcx = const at(Register::Rcx),
        this = const offset_of!(Cpu, this),
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
        fault_ip = const at(Register::FaultIp),
        cs = const at(Register::Cs),
        ss = const at(Register::Ss),
        r11 = const at(Register::R11),
        rcx = const at(Register::Rcx),
        this = const offset_of!(Cpu, this),
        smap = const offset_of!(Cpu, smap),
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
