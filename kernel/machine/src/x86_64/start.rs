//! From the loader's minimal processor state to the kernel's: tables, control registers, MSRs, interrupt controllers.
//!
//! Control registers are written whole, so that nothing a firmware left on (performance counters for users, AVX,
//! segment-base instructions, virtualisation) stays on.

use super::bases;
use super::console::Console;
use super::local_apic::LocalApic;
use super::paging::{Isolation, Loading, Tagging};
use super::{Machine, fpu, machine_check, paging, pins};
use crate::breakpoints::CONTROL_OFF;
use crate::context::{
    FLAGS_ALIGNMENT, FLAGS_DIRECTION, FLAGS_INTERRUPT, FLAGS_IO_PRIVILEGE, FLAGS_NESTED, FLAGS_RESUME, FLAGS_TRAP,
};
use crate::cpu::{Cpu, TaskState};
use crate::mitigation::Decision;
use crate::space::Met;
use crate::{gate, selector};
use core::arch::asm;
use core::arch::x86_64::__cpuid;
use core::cell::{Cell, RefCell};
use core::marker::PhantomData;
use manifest::handoff::{Handoff, STACK_STRIDE, STACK_VIRT_BASE, features};
use x86_64::VirtAddr;
use x86_64::instructions::segmentation::{CS, DS, ES, SS, Segment};
use x86_64::instructions::tables::{lgdt, lidt, load_tss};
use x86_64::registers::control::{Cr0, Cr0Flags, Cr4, Cr4Flags, Efer, EferFlags};
use x86_64::registers::model_specific::Msr;
use x86_64::structures::DescriptorTablePointer;
use x86_64::structures::gdt::SegmentSelector;

const IA32_SYSENTER_CS: u32 = 0x174;
const IA32_PAT: u32 = 0x277;
const IA32_STAR: u32 = 0xc000_0081;
const IA32_LSTAR: u32 = 0xc000_0082;
const IA32_CSTAR: u32 = 0xc000_0083;
const IA32_FMASK: u32 = 0xc000_0084;
/// What speculation may do, for as long as the instance lives.
const IA32_SPEC_CTRL: u32 = 0x48;
const SPEC_CTRL_IBRS: u64 = 1;
const SPEC_CTRL_STIBP: u64 = 2;
/// AMD's IBRS, in EFER.
const EFER_AUTOMATIC_IBRS: u64 = 1 << 21;

/// The power-on page attributes, but entry 4 write-combining (seL4's choice).
const PAGE_ATTRIBUTES: u64 = 0x0007_0401_0007_0406;
/// What `syscall` clears in RFLAGS.
const SYSCALL_CLEARS: u64 =
    FLAGS_TRAP | FLAGS_INTERRUPT | FLAGS_DIRECTION | FLAGS_IO_PRIVILEGE | FLAGS_NESTED | FLAGS_RESUME | FLAGS_ALIGNMENT;

unsafe extern "C" {
    /// Where `syscall` goes; defined by the kernel image.
    fn skerry_syscall_entry();
    /// 256 stubs, [`gate::STUB_STRIDE`] bytes apart; defined by the kernel image.
    fn skerry_vectors();
    /// The same two for mitigations on the way in and out.
    fn skerry_syscall_entry_guarded();
    fn skerry_vectors_guarded();
}

/// Which entry stubs a core uses.
struct Stubs {
    syscall: u64,
    vectors: u64,
}

impl Stubs {
    /// Those that do what `decision` has for the way in and out.
    fn choose(decision: &Decision) -> Self {
        if decision.guards_entries() {
            let (syscall, vectors) = (skerry_syscall_entry_guarded as *const (), skerry_vectors_guarded as *const ());
            return Self { syscall: syscall as u64, vectors: vectors as u64 };
        }
        Self { syscall: skerry_syscall_entry as *const () as u64, vectors: skerry_vectors as *const () as u64 }
    }
}

/// Takes over the core this runs on as core `core_index` of the instance. Leaves interrupts off, the FPU disabled, the
/// timer disarmed and every pin masked.
///
/// # Safety
/// Called once per core, in the state and with the [`Handoff`] that the loader promises, interrupts off. `cpu` belongs to
/// this core alone. The image defines `skerry_syscall_entry`, `skerry_vectors` and the guarded ones.
pub unsafe fn start(cpu: &'static Cpu, handoff: &'static Handoff, core_index: usize) -> Machine {
    let kernel_stack = STACK_VIRT_BASE + (core_index as u64 + 1) * STACK_STRIDE;
    cpu.this.set(cpu);
    cpu.set_index(core_index);
    cpu.kernel_stack.set(kernel_stack);
    cpu.handler_stack.set(kernel_stack - size_of::<u64>() as u64);
    cpu.smap.set(u64::from(handoff.features & features::SMAP != 0));
    let decision = Decision::new(handoff.mitigations, handoff.features);
    let loading = guard(cpu, handoff, &decision);
    let isolated = loading.isolation == Isolation::On;
    // A recall empties the whole cache of a core, so that tags of address spaces it does not run would have to be tracked.
    // With isolated tables every way in and out empties it.
    let untagged = handoff.core_count > 1 || isolated;
    let tagging = if untagged { Tagging::None } else { Tagging::from_features(handoff.features) };
    let stubs = Stubs::choose(&decision);
    // SAFETY: the caller vouches for `cpu` and for being the first to run here; interrupts are off throughout.
    unsafe {
        load_tables(cpu, if decision.guards_entries() { cpu.entry_stack.top() } else { kernel_stack }, stubs.vectors);
        set_control_registers(handoff.features, tagging, loading.isolation);
        set_system_call(stubs.syscall);
        set_speculation(handoff.features, &decision);
        Msr::new(IA32_PAT).write(PAGE_ATTRIBUTES);
        asm!("mov dr7, {}", in(reg) CONTROL_OFF, options(nomem, nostack));
        machine_check::start();
    }
    let met = Met::at_start(paging::read_root());
    // SAFETY: the loader mapped the local APIC, and this core is its only user.
    let local_apic = unsafe { LocalApic::start(handoff, core_index) };
    // SAFETY: the loader mapped the I/O APIC if it reports pins, and then it is this instance's alone; the instance's
    // first core is its only user.
    let io_apic = unsafe { pins::start(handoff, core_index) };
    Machine {
        cpu,
        handoff,
        decision,
        local_apic,
        io_apic: RefCell::new(io_apic),
        console: Console::open(handoff, core_index),
        met: Cell::new(if loading.is_plain() { met } else { met.guarded() }),
        tagging,
        loading,
        fs_base: Cell::new(0),
        gs_base: Cell::new(0),
        not_send: PhantomData,
    }
}

/// Leaves for the stubs what they need for `decision`; gives what loading an address space needs.
fn guard(cpu: &'static Cpu, handoff: &Handoff, decision: &Decision) -> Loading {
    let (isolation, nobody) =
        if decision.kpti.is_on() { (Isolation::On, handoff.gate_table) } else { (Isolation::Off, handoff.top_table) };
    if isolation == Isolation::On {
        cpu.kernel_root.set(handoff.top_table);
        cpu.user_root.set(nobody);
    }
    cpu.verw.set(if decision.verw.is_on() { u64::from(selector::KERNEL_DATA) } else { 0 });
    cpu.entry_stack_top.set(cpu.entry_stack.top());
    Loading { isolation, switch: decision.switch(), nobody }
}

/// # Safety
/// `cpu` is this core's alone and lives for ever; its tables are not in use yet. `stubs` are 256 stubs.
unsafe fn load_tables(cpu: &'static Cpu, entry_stack: u64, stubs: u64) {
    let stacks = [cpu.fatal_stack.top(), cpu.nmi_stack.top(), cpu.debug_stack.top()];
    // SAFETY: nothing reads the tables yet, so nothing is aliased.
    unsafe {
        *cpu.task.get() = TaskState::new(entry_stack, stacks);
        *cpu.gdt.get() = selector::gdt(cpu.task.get() as u64, TaskState::LIMIT);
        gate::fill(&mut *cpu.idt.get(), stubs);
    }
    // SAFETY: the tables are complete, well-formed, mapped, and never move; DS, ES and SS may be anything of ring 0 in
    // long mode, and no code relies on GS or FS before they are set.
    unsafe {
        lgdt(&table(cpu.gdt.get() as u64, size_of_val(&cpu.gdt)));
        CS::set_reg(SegmentSelector(selector::KERNEL_CODE));
        SS::set_reg(SegmentSelector(selector::KERNEL_DATA));
        DS::set_reg(SegmentSelector(0));
        ES::set_reg(SegmentSelector(0));
        lidt(&table(cpu.idt.get() as u64, size_of_val(&cpu.idt)));
        load_tss(SegmentSelector(selector::TASK));
        bases::seal(cpu);
        bases::write(0, 0);
    }
}

fn table(base: u64, bytes: usize) -> DescriptorTablePointer {
    DescriptorTablePointer { limit: bytes as u16 - 1, base: VirtAddr::new_truncate(base) }
}

/// # Safety
/// The processor has what `available` says, and paging is already in the form the loader promises.
unsafe fn set_control_registers(available: u32, tagging: Tagging, isolation: Isolation) {
    let mut cr4 = Cr4Flags::PHYSICAL_ADDRESS_EXTENSION | Cr4Flags::OSFXSR | Cr4Flags::OSXMMEXCPT_ENABLE;
    // A global page of the kernel would stay in the translation cache while programs run.
    cr4.set(Cr4Flags::PAGE_GLOBAL, isolation == Isolation::Off);
    let optional = [
        (features::SMEP, Cr4Flags::SUPERVISOR_MODE_EXECUTION_PROTECTION),
        (features::SMAP, Cr4Flags::SUPERVISOR_MODE_ACCESS_PREVENTION),
        (features::UMIP, Cr4Flags::USER_MODE_INSTRUCTION_PREVENTION),
    ];
    for (feature, flag) in optional {
        cr4.set(flag, available & feature != 0);
    }
    const CPUID_MACHINE_CHECK: u32 = 1 << 7;
    cr4.set(Cr4Flags::MACHINE_CHECK_EXCEPTION, __cpuid(1).edx & CPUID_MACHINE_CHECK != 0);
    cr4.set(Cr4Flags::PCID, tagging == Tagging::Pcid);
    let cr0 = Cr0Flags::PROTECTED_MODE_ENABLE
        | Cr0Flags::MONITOR_COPROCESSOR
        | Cr0Flags::EXTENSION_TYPE
        | Cr0Flags::NUMERIC_ERROR
        | Cr0Flags::WRITE_PROTECT
        | Cr0Flags::PAGING;
    let efer = EferFlags::SYSTEM_CALL_EXTENSIONS
        | EferFlags::LONG_MODE_ENABLE
        | EferFlags::LONG_MODE_ACTIVE
        | EferFlags::NO_EXECUTE_ENABLE;
    // SAFETY: paging, long mode, write protection and no-execute stay as the loader set them; the low bits of CR3 are
    // zero, as setting PCIDE needs; the rest concerns users.
    unsafe {
        Cr4::write_raw(cr4.bits());
        Cr0::write_raw(cr0.bits());
        Efer::write_raw(efer.bits());
        asm!("fninit", options(nomem, nostack));
        fpu::set_task_switched();
    }
}

/// # Safety
/// `entry` is an entry stub of the image.
unsafe fn set_system_call(entry: u64) {
    // SAFETY: the selectors are those of the loaded table, and the entry is canonical kernel text.
    unsafe {
        Msr::new(IA32_STAR).write(selector::STAR);
        Msr::new(IA32_LSTAR).write(entry);
        Msr::new(IA32_CSTAR).write(entry);
        Msr::new(IA32_FMASK).write(SYSCALL_CLEARS);
        Msr::new(IA32_SYSENTER_CS).write(0);
    }
}

/// # Safety
/// The processor has what `available` says.
unsafe fn set_speculation(available: u32, decision: &Decision) {
    let has = |bits: u32| available & bits != 0;
    let ibrs = if decision.ibrs.is_on() && has(features::IBRS_ALL) { SPEC_CTRL_IBRS } else { 0 };
    let stibp = if decision.stibp.is_on() { SPEC_CTRL_STIBP } else { 0 };
    // SAFETY: `Decision` has a mitigation on only where the processor has its register; the bits slow it down at most.
    unsafe {
        if ibrs | stibp != 0 {
            Msr::new(IA32_SPEC_CTRL).write(ibrs | stibp);
        }
        if decision.ibrs.is_on() && has(features::AUTO_IBRS) {
            Efer::write_raw(Efer::read_raw() | EFER_AUTOMATIC_IBRS);
        }
    }
}
