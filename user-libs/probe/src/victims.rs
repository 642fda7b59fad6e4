//! What threads execute to provoke the kernel, one small piece of code each, and what has to come of it.

use crate::expect::{Begin, Case, Expect, judge};
use crate::stage::{Stage, THE_END, step};
use crate::{Complaint, Verdict};
use Begin::{Address, Code};
use Expect::{Access, Exception, ExceptionAnywhere, Fetch, TheEnd};
use abi::sched::tcb_flags;
use abi::syscall::Syscall;
use alloc::format;
use root_task::RootError;
use sel4::{CapRights, Error, ObjectType, ResumeTarget, VmAttributes};

const DIVIDE: u64 = 0;
const BREAKPOINT: u64 = 3;
const ILLEGAL_INSTRUCTION: u64 = 6;
const NO_FPU: u64 = 7;
const GENERAL_PROTECTION: u64 = 13;
const X87: u64 = 16;
const SIMD: u64 = 19;

/// First address that is not canonical.
const HOLE: u64 = 1 << 47;
const KERNEL: u64 = 0xffff_ffff_8000_0000;
/// Nested task, alignment check, direction: what `popfq` lets a user set and no kernel code wants to see.
const ODD_FLAGS: u64 = 1 << 14 | 1 << 18 | 1 << 10;
/// Interrupt enable and I/O privilege: what `popfq` must not change for a user.
const PRIVILEGED_FLAGS: u64 = 1 << 9 | 3 << 12;

/// A naked function of this assembly.
macro_rules! victim {
    ($name:ident: $($line:literal),+ $(; $($operands:tt)+)?) => {
        #[unsafe(naked)]
        unsafe extern "C" fn $name() {
            core::arch::naked_asm!($($line),+, $($($operands)+)?)
        }
    };
}

victim!(breakpoint: "int3");
victim!(trap_instruction: ".byte 0xf1");
victim!(int_80: "int 0x80");
victim!(int_debug: "int 1");
victim!(int_nmi: "int 2");
victim!(int_double_fault: "int 8");
victim!(int_page_fault: "int 14");
victim!(int_doorbell: "int 0xa0");
victim!(int_last: "int 255");
victim!(divide: "xor edx, edx", "xor ecx, ecx", "div ecx");
victim!(ud2: "ud2");
victim!(hlt: "hlt");
victim!(cli: "cli");
victim!(port_in: "in al, 0x60");
victim!(port_out: "out 0x70, al");
victim!(read_msr: "rdmsr");
victim!(write_page_tables: "mov cr3, rax");
victim!(read_control: "mov rax, cr0");
victim!(read_debug: "mov rax, dr7");
victim!(swap_gs: "swapgs");
victim!(leave_kernel: "sysretq");
victim!(load_idt: "lidt [rsp]");
victim!(invalidate: "invlpg [rsp]");
victim!(read_counter: "rdpmc");
victim!(read_extended_state: "xgetbv");
victim!(enter_by_sysenter: "sysenter");
victim!(kernel_stack_segment: "mov eax, 0x10", "mov ss, eax");
victim!(kernel_code_segment: "movabs rax, 0x800000000", "push rax", ".byte 0xff, 0x2c, 0x24");
victim!(read_null: "xor eax, eax", "mov rax, [rax]");
victim!(read_kernel: "mov rax, {at}", "mov rax, [rax]"; at = const KERNEL as i64);
victim!(write_kernel: "mov rax, {at}", "mov [rax], rax"; at = const KERNEL as i64);
victim!(jump_to_kernel: "mov rax, {at}", "jmp rax"; at = const KERNEL as i64);
victim!(read_hole: "movabs rax, {at}", "mov rax, [rax]"; at = const HOLE);
victim!(jump_to_hole: "movabs rax, {at}", "jmp rax"; at = const HOLE);
victim!(stack_in_the_hole: "movabs rsp, {at}", "mov edx, {end}", "syscall"; at = const HOLE, end = const THE_END);
victim!(stack_in_the_kernel: "mov rsp, {at}", "ud2"; at = const KERNEL as i64);
victim!(odd_flags_in_a_call:
    "pushfq", "or dword ptr [rsp], {odd}", "popfq", "mov rdx, {number}", "syscall",
    "pushfq", "pop rax", "mov edx, {end}", "syscall";
    odd = const ODD_FLAGS, number = const Syscall::Yield as i64, end = const THE_END);
victim!(odd_flags_in_an_exception: "pushfq", "or dword ptr [rsp], {odd}", "popfq", "ud2"; odd = const ODD_FLAGS);
victim!(misaligned:
    "pushfq", "or dword ptr [rsp], {check}", "popfq", "mov rax, [rsp - 13]", "mov edx, {end}", "syscall";
    check = const 1 << 18, end = const THE_END);
victim!(privileged_flags:
    "push 0x3002", "popfq", "pushfq", "pop rax", "mov edx, {end}", "syscall"; end = const THE_END);
victim!(simd_divide:
    "push 0x1d80", "ldmxcsr [rsp]", "xorps xmm0, xmm0", "xorps xmm1, xmm1", "pcmpeqd xmm1, xmm1", "cvtdq2ps xmm1, xmm1",
    "divps xmm1, xmm0", "mov edx, {end}", "syscall"; end = const THE_END);
victim!(x87_divide: "fninit", "push 0x37b", "fldcw [rsp]", "fld1", "fldz", "fdivp", "fwait");
victim!(use_fpu: "movaps xmm0, xmm1", "mov edx, {end}", "syscall"; end = const THE_END);

const fn case(name: &'static str, code: unsafe extern "C" fn(), expect: &'static [Expect]) -> Case {
    Case { name, begin: Code(code), expect }
}

/// An instruction that only the kernel may execute.
const fn privileged(name: &'static str, code: unsafe extern "C" fn()) -> Case {
    case(name, code, &[Exception(GENERAL_PROTECTION, 0, 0)])
}

/// `int n` of a vector that is the kernel's: the error code names the gate (QEMU 7.2 counts in bytes instead of eights).
macro_rules! closed_gate {
    ($name:literal, $code:ident, $vector:literal) => {
        case(
            $name,
            $code,
            &[Exception(GENERAL_PROTECTION, $vector << 3 | 2, 0), Exception(GENERAL_PROTECTION, $vector << 4 | 2, 0)],
        )
    };
}

/// Everything that one thread and one fault can show.
pub const CASES: &[Case] = &[
    case("int3", breakpoint, &[Exception(BREAKPOINT, 0, 1)]),
    // QEMU does not know this instruction.
    case("int1", trap_instruction, &[Exception(1, 0, 1), Exception(ILLEGAL_INSTRUCTION, 0, 0)]),
    closed_gate!("int-0x80", int_80, 0x80),
    closed_gate!("int-debug", int_debug, 1),
    closed_gate!("int-nmi", int_nmi, 2),
    closed_gate!("int-double-fault", int_double_fault, 8),
    closed_gate!("int-page-fault", int_page_fault, 14),
    closed_gate!("int-doorbell", int_doorbell, 0xa0),
    closed_gate!("int-last", int_last, 255),
    case("divide", divide, &[Exception(DIVIDE, 0, 4)]),
    case("ud2", ud2, &[Exception(ILLEGAL_INSTRUCTION, 0, 0)]),
    privileged("hlt", hlt),
    privileged("cli", cli),
    privileged("port-in", port_in),
    privileged("port-out", port_out),
    privileged("rdmsr", read_msr),
    privileged("mov-cr3", write_page_tables),
    privileged("mov-cr0", read_control),
    privileged("mov-dr7", read_debug),
    privileged("swapgs", swap_gs),
    privileged("sysret", leave_kernel),
    privileged("lidt", load_idt),
    privileged("invlpg", invalidate),
    privileged("rdpmc", read_counter),
    case("xgetbv", read_extended_state, &[Exception(ILLEGAL_INSTRUCTION, 0, 0)]),
    // AMD's processors do not know it in long mode; Intel's find no segment for it.
    case("sysenter", enter_by_sysenter, &[Exception(ILLEGAL_INSTRUCTION, 0, 0), Exception(GENERAL_PROTECTION, 0, 0)]),
    case("kernel-stack-segment", kernel_stack_segment, &[Exception(GENERAL_PROTECTION, 0x10, 5)]),
    case("kernel-code-segment", kernel_code_segment, &[ExceptionAnywhere(GENERAL_PROTECTION, 8)]),
    case("read-null", read_null, &[Access(0)]),
    case("read-kernel", read_kernel, &[Access(KERNEL)]),
    case("write-kernel", write_kernel, &[Access(KERNEL)]),
    case("jump-to-kernel", jump_to_kernel, &[Fetch(KERNEL)]),
    case("read-non-canonical", read_hole, &[Exception(GENERAL_PROTECTION, 0, 10)]),
    case("jump-to-non-canonical", jump_to_hole, &[ExceptionAnywhere(GENERAL_PROTECTION, 0)]),
    case("stack-non-canonical", stack_in_the_hole, &[TheEnd { rax: 0, mask: 0 }]),
    case("stack-in-the-kernel", stack_in_the_kernel, &[ExceptionAnywhere(ILLEGAL_INSTRUCTION, 0)]),
    case("odd-flags-in-a-call", odd_flags_in_a_call, &[TheEnd { rax: ODD_FLAGS, mask: ODD_FLAGS }]),
    case("odd-flags-in-an-exception", odd_flags_in_an_exception, &[ExceptionAnywhere(ILLEGAL_INSTRUCTION, 0)]),
    // CR0.AM is off, as in seL4: the flag means nothing.
    case("misaligned", misaligned, &[TheEnd { rax: 0, mask: 0 }]),
    case("privileged-flags", privileged_flags, &[TheEnd { rax: 1 << 9, mask: PRIVILEGED_FLAGS }]),
    // QEMU never raises it.
    case("simd-divide", simd_divide, &[ExceptionAnywhere(SIMD, 0), TheEnd { rax: 0, mask: 0 }]),
    case("x87-divide", x87_divide, &[ExceptionAnywhere(X87, 0)]),
    // The kernel makes 0 of an address that is not canonical.
    Case { name: "begin-non-canonical", begin: Address(HOLE), expect: &[Fetch(0)] },
    Case { name: "begin-far-non-canonical", begin: Address(1 << 63), expect: &[Fetch(0)] },
    Case { name: "begin-in-the-kernel", begin: Address(KERNEL), expect: &[Fetch(KERNEL)] },
    Case { name: "begin-at-null", begin: Address(0), expect: &[Fetch(0)] },
];

/// The last page of the user half cannot be mapped: a system call in its last two bytes would return to an address that is
/// not canonical, and `sysretq` to there faults on Intel's processors with the kernel's privilege and the user's stack.
pub fn last_page(stage: &mut Stage) -> Verdict {
    let frame = stage.objects.create(ObjectType::Page4K, 0)?;
    let (bits, rights, attributes) = (abi::object::PAGE_BITS, CapRights::READ_WRITE, VmAttributes::WRITE_BACK);
    for (address, allowed) in [(HOLE - (1 << bits), false), (HOLE - (2 << bits), true)] {
        let mapped = stage.vspace.map(&mut stage.objects, frame, bits, address, rights, attributes);
        let refused = matches!(mapped, Err(RootError::Kernel { error: Error::InvalidArgument { argument: 0 }, .. }));
        if refused == allowed || (allowed && mapped.is_err()) {
            return Err(Complaint::Saw(format!("a page at {address:#x}: {mapped:?}")));
        }
    }
    Ok(())
}

/// A thread without the right to use the FPU gets an exception, and only that thread.
pub fn fpu_denied(stage: &mut Stage) -> Verdict {
    let begin = use_fpu as *const () as u64;
    let actor = stage.actor(0)?;
    step("deny the FPU", actor.tcb.set_flags(0, tcb_flags::FPU_DISABLED))?;
    step("start a thread", actor.tcb.write_registers(ResumeTarget::Yes, &Stage::registers(0, begin)))?;
    let denied = stage.fault();
    drop(actor);
    judge(&[Exception(NO_FPU, 0, 0)], begin, &denied)?;
    let actor = stage.start(0, begin)?;
    let allowed = stage.fault();
    drop(actor);
    judge(&[TheEnd { rax: 0, mask: 0 }], begin, &allowed)
}
