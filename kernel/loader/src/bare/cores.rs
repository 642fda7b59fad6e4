//! The other cores: starting them one by one, and letting all of them into their kernels together.
//!
//! A core that started sets itself up, reports in its [`Seat`], and sleeps until one interrupt tells it that everything
//! is written. The seat holds what it needs then, and a small stack for that interrupt. Cores that no partition uses
//! are never started.

use super::apic::{LocalApic, Message};
use super::clock::Clock;
use super::{cpu, fault};
use core::arch::global_asm;
use core::mem::offset_of;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use loader::madt::MAX_PROCESSORS;
use loader::place::{Entrance, stack_pointer};
use loader::{PAGE, PhysicalMemory, Refusal, refuse};
use manifest::handoff::{HANDOFF_VIRT, TRAMPOLINE_VIRT};

/// Times from the MP start-up protocol (Intel SDM, volume 3, "Typical AP initialization sequence").
const AFTER_INIT_US: u64 = 10_000;
const AFTER_START_UP_US: u64 = 200;
/// How long a core may take to report: generous, as an emulator with more cores than its host lets some of them wait.
const SILENCE_US: u64 = 5_000_000;
/// Wakes the sleeping cores.
const RELEASE_VECTOR: u8 = 0xf0;

/// Values of [`Seat::status`].
mod status {
    pub const SILENT: u32 = 0;
    pub const READY: u32 = 1;
    pub const WRONG_CORE: u32 = 2;
    pub const MISSING_FEATURE: u32 = 3;
}

/// What passes between the boot processor and one other core.
#[repr(C, align(64))]
struct Seat {
    /// Written last by the core.
    status: AtomicU32,
    /// Written by the core: required features that it lacks.
    missing: AtomicU32,
    /// Written by the core: its optional features.
    found: AtomicU32,
    /// Written before the core starts.
    apic_id: AtomicU32,
    /// Written before the release.
    top_table: AtomicU64,
    entry: AtomicU64,
    stack: AtomicU64,
    index: AtomicU64,
    cr4: AtomicU64,
    /// For the interrupt that wakes the core.
    nap_stack: [AtomicU64; 40],
    nap_stack_top: [AtomicU64; 0],
}

impl Seat {
    const fn new() -> Self {
        Self {
            status: AtomicU32::new(status::SILENT),
            missing: AtomicU32::new(0),
            found: AtomicU32::new(0),
            apic_id: AtomicU32::new(0),
            top_table: AtomicU64::new(0),
            entry: AtomicU64::new(0),
            stack: AtomicU64::new(0),
            index: AtomicU64::new(0),
            cr4: AtomicU64::new(0),
            nap_stack: [const { AtomicU64::new(0) }; 40],
            nap_stack_top: [],
        }
    }
}

/// A seat for each core, by number.
static SEATS: [Seat; MAX_PROCESSORS] = [const { Seat::new() }; MAX_PROCESSORS];
/// Physical address of the seat of the core that is being started.
static STARTING: AtomicU64 = AtomicU64::new(0);
/// Not zero: everything is written.
static RELEASED: AtomicU32 = AtomicU32::new(0);
/// The mode of all local APICs.
static LOCAL_APIC: spin::Once<LocalApic> = spin::Once::new();

global_asm!(
    r#"
    .section .rodata.start_page, "a"
    .code16
start_code:                             // at offset 0 of a page below 1 MiB, in real mode
    cli
    cld
    movw %cs, %ax
    movw %ax, %ds
    lgdtl start_gdt_pointer - start_code
    movl $0x20, %eax                    // PAE
    movl %eax, %cr4
    movl start_top_table - start_code, %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx
    xorl %edx, %edx
    movl start_efer - start_code, %eax
    wrmsr
    movl $0x80010033, %eax              // PG WP NE ET MP PE: from real mode straight into long mode
    movl %eax, %cr0
    ljmpl *(start_target - start_code)
    .balign 8
start_target:
    .long core_entry
    .short 8
    .balign 8
start_gdt_pointer:
    .short 23
    .long loader_gdt
    .balign 8
start_top_table:
    .long 0
start_efer:
    .long 0
start_code_end:

    .section .text.core_entry, "ax"
    .code64
core_entry:
    movw $16, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    xorl %eax, %eax
    movw %ax, %fs
    movw %ax, %gs
    leaq start_stack_top, %rsp          // shared: only one core starts at a time
    movq {starting}, %rbx
    movq %rbx, %rdi
    xorl %ebp, %ebp
    call {set_up}
    leaq {nap_stack_top}(%rbx), %rsp
    movl %eax, {status}(%rbx)           // the next core may have the shared stack
2:  sti
    hlt                                 // no interrupt gets lost between these two
    cli
    cmpl $0, {released}
    je 2b
    movq %rbx, %rdi
    .globl enter_kernel
enter_kernel:                           // rdi: seat
    movq {cr4}(%rdi), %rax
    movq %rax, %cr4
    movq {top_table}(%rdi), %rdx
    movq {entry}(%rdi), %rcx
    movq {stack}(%rdi), %r8
    movq {index}(%rdi), %rsi
    movabsq ${handoff}, %rdi
    movabsq ${trampoline}, %rax
    jmpq *%rax

    .section .switch, "ax"
    .balign 4096
    .globl switch_page
switch_page:                            // mapped at the same address on both sides
    movq %rdx, %cr3
    movq %r8, %rsp
    xorl %eax, %eax
    xorl %ebx, %ebx
    xorl %edx, %edx
    xorl %ebp, %ebp
    xorl %r8d, %r8d
    xorl %r9d, %r9d
    xorl %r10d, %r10d
    xorl %r11d, %r11d
    xorl %r12d, %r12d
    xorl %r13d, %r13d
    xorl %r14d, %r14d
    xorl %r15d, %r15d
    jmpq *%rcx

    .section .bss.start_stack, "aw", @nobits
    .balign 16
    .skip 16384
start_stack_top:
"#,
    starting = sym STARTING,
    released = sym RELEASED,
    set_up = sym set_up,
    status = const offset_of!(Seat, status),
    top_table = const offset_of!(Seat, top_table),
    entry = const offset_of!(Seat, entry),
    stack = const offset_of!(Seat, stack),
    index = const offset_of!(Seat, index),
    cr4 = const offset_of!(Seat, cr4),
    nap_stack_top = const offset_of!(Seat, nap_stack_top),
    handoff = const HANDOFF_VIRT,
    trampoline = const TRAMPOLINE_VIRT,
    options(att_syntax)
);

unsafe extern "C" {
    static start_code: u8;
    static start_code_end: u8;
    static start_top_table: u8;
    static start_efer: u8;
    fn enter_kernel(seat: &'static Seat) -> !;
}

/// Writes the code that other cores start with to the page at `page`, below 1 MiB; they will use the tables at
/// `top_table`.
pub fn write_start_page(memory: &mut impl PhysicalMemory, page: u64, top_table: u64) -> Result<(), Refusal> {
    let offset = |symbol: *const u8| symbol.addr() - (&raw const start_code).addr();
    let size = offset(&raw const start_code_end);
    if size as u64 > PAGE {
        return Err(refuse!(Internal, "the code that cores start with is {size} bytes"));
    }
    // SAFETY: the code lies between the two symbols, in read-only data that never changes.
    let code = unsafe { core::slice::from_raw_parts(&raw const start_code, size) };
    memory.write(page, code)?;
    let top_table = u32::try_from(top_table).map_err(|_| refuse!(Internal, "tables at {top_table:#x}"))?;
    memory.write(page + offset(&raw const start_top_table) as u64, &top_table.to_le_bytes())?;
    memory.write(page + offset(&raw const start_efer) as u64, &cpu::efer().to_le_bytes())
}

/// Starts every core of `cores` (number, APIC id) at `page`; returns the optional features that all of them have, out
/// of `found`. The first that does not answer is the refusal.
pub fn start(
    local_apic: LocalApic,
    clock: &Clock,
    page: u64,
    cores: impl Iterator<Item = (usize, u32)> + Clone,
    found: u32,
) -> Result<u32, Refusal> {
    LOCAL_APIC.call_once(|| local_apic);
    let stuck = |number: usize, apic_id: u32| {
        refuse!(CoreSilent, "the interrupt that starts core {number} (APIC id {apic_id}) is not delivered")
    };
    for (number, apic_id) in cores.clone() {
        if !local_apic.reaches(apic_id) {
            return Err(refuse!(
                CoreSilent,
                "core {number} has APIC id {apic_id}, which the boot processor cannot reach without x2APIC"
            ));
        }
        local_apic.send(apic_id, Message::Init).then_some(()).ok_or_else(|| stuck(number, apic_id))?;
    }
    clock.wait(AFTER_INIT_US);
    let mut common = found;
    for (number, apic_id) in cores {
        let seat = SEATS.get(number).ok_or_else(|| refuse!(Internal, "there is no seat for core {number}"))?;
        seat.apic_id.store(apic_id, Ordering::Relaxed);
        STARTING.store((&raw const *seat).addr() as u64, Ordering::Release);
        let has_reported = || seat.status.load(Ordering::Acquire) != status::SILENT;
        for _ in 0..2 {
            // The second is for cores that missed the first; a running core ignores it.
            if !has_reported() {
                let message = Message::StartUp((page >> 12) as u8);
                local_apic.send(apic_id, message).then_some(()).ok_or_else(|| stuck(number, apic_id))?;
                clock.wait_until(AFTER_START_UP_US, has_reported);
            }
        }
        clock.wait_until(SILENCE_US, has_reported);
        match seat.status.load(Ordering::Acquire) {
            status::READY => common &= seat.found.load(Ordering::Relaxed),
            status::SILENT => {
                return Err(refuse!(CoreSilent, "core {number} (APIC id {apic_id}) does not answer"));
            }
            status::MISSING_FEATURE => {
                let missing = cpu::Missing(seat.missing.load(Ordering::Relaxed));
                return Err(refuse!(CpuFeature, "core {number} (APIC id {apic_id}) has no {missing}"));
            }
            _ => return Err(refuse!(CoreSilent, "another core answers for core {number} (APIC id {apic_id})")),
        }
    }
    Ok(common)
}

/// A core's first Rust code, on the shared stack; the result is its status.
extern "C" fn set_up(seat: &Seat) -> u32 {
    fault::load();
    let found = cpu::optional();
    let Some(local_apic) = LOCAL_APIC.get() else { return status::WRONG_CORE };
    let missing = cpu::missing().or_apic_mode(*local_apic, found);
    seat.missing.store(missing.0, Ordering::Relaxed);
    seat.found.store(found, Ordering::Relaxed);
    if missing.0 != 0 {
        return status::MISSING_FEATURE;
    }
    local_apic.enable();
    if local_apic.id() != seat.apic_id.load(Ordering::Relaxed) {
        return status::WRONG_CORE;
    }
    status::READY
}

/// Notes where core `number` will go: core `index` of the instance with this entrance.
pub fn assign(number: usize, entrance: &Entrance, index: u64, cr4: u64) -> Result<(), Refusal> {
    let seat = SEATS.get(number).ok_or_else(|| refuse!(Internal, "there is no seat for core {number}"))?;
    seat.top_table.store(entrance.top_table, Ordering::Relaxed);
    seat.entry.store(entrance.entry, Ordering::Relaxed);
    seat.stack.store(stack_pointer(index), Ordering::Relaxed);
    seat.index.store(index, Ordering::Relaxed);
    seat.cr4.store(cr4, Ordering::Relaxed);
    Ok(())
}

/// Lets every started core into its kernel; the boot processor goes last, or halts if no partition uses it.
pub fn release(local_apic: LocalApic, others: impl Iterator<Item = (usize, u32)>, boot_is_used: BootCore) -> ! {
    RELEASED.store(1, Ordering::SeqCst);
    for (_, apic_id) in others {
        // It was delivered when the core was started; there is nobody left to tell if it is not now.
        local_apic.send(apic_id, Message::Vector(RELEASE_VECTOR));
    }
    match (boot_is_used, SEATS.first()) {
        // SAFETY: the seat was assigned: tables, stack and entry point belong together, and the page that the code
        // jumps to is mapped at the same address in both address spaces.
        (BootCore::Used, Some(seat)) => unsafe { enter_kernel(seat) },
        _ => super::console::halt(),
    }
}

/// What becomes of the boot processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BootCore {
    /// It runs a kernel.
    Used,
    /// It halts.
    Unused,
}
