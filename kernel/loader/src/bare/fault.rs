//! Exceptions in the loader: each is a refusal with vector, address and core. Other interrupts only wake a core.

use super::{apic, console};
use core::arch::global_asm;
use core::sync::atomic::{AtomicU64, Ordering};
use loader::refuse;
use x86_64::VirtAddr;
use x86_64::instructions::tables::lidt;
use x86_64::structures::DescriptorTablePointer;

global_asm!(
    r#"
    .macro FAULT number, error_code
fault_\number:
    .if \error_code == 0
    push 0
    .endif
    push \number
    jmp fault_common
    .endm

    .section .text.fault, "ax"
    .code64
    .irp number, 0, 1, 2, 3, 4, 5, 6, 7, 9, 15, 16, 18, 19, 20, 22, 23, 24, 25, 26, 27, 28, 31
    FAULT \number, 0
    .endr
    .irp number, 8, 10, 11, 12, 13, 14, 17, 21, 29, 30
    FAULT \number, 1
    .endr
fault_common:
    pop rdi
    pop rsi
    pop rdx
    mov rcx, cr2
    lea rsp, [fault_stack_top]      // whatever the old stack was worth
    call {report}
    ud2

wake_up:                            // any other interrupt
    push rax
    push rcx
    push rdx
    mov rax, [{end_of_interrupt}]
    test rax, rax
    jz 2f
    mov dword ptr [rax], 0          // xAPIC: a register in memory
    jmp 3f
2:  mov ecx, 0x80b                  // x2APIC
    xor eax, eax
    xor edx, edx
    wrmsr
3:  pop rdx
    pop rcx
    pop rax
    iretq

    .section .rodata.fault, "a"
    .balign 8
fault_table:
    .irp number, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    .quad fault_\number
    .endr
    .irp number, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    .quad fault_\number
    .endr
    .quad wake_up

    .section .bss.fault, "aw", @nobits
    .balign 16
    .skip 16384
fault_stack_top:
"#,
    report = sym report,
    end_of_interrupt = sym apic::END_OF_INTERRUPT,
);

unsafe extern "C" {
    static fault_table: [u64; 33];
}

/// Interrupt gates, two words each. Written once by the boot processor before any other core runs.
static GATES: [[AtomicU64; 2]; 256] = [const { [AtomicU64::new(0), AtomicU64::new(0)] }; 256];

/// Fills the table and loads it on this core.
pub fn install() {
    for (vector, gate) in GATES.iter().enumerate() {
        // SAFETY: `fault_table` is defined above with 33 words and never changes.
        let table = unsafe { &fault_table };
        let handler = table.get(vector.min(32)).copied().unwrap_or(0);
        const PRESENT_INTERRUPT_GATE: u64 = 0x8e00 << 32;
        const CODE_SELECTOR: u64 = 8 << 16;
        let low = handler & 0xffff | CODE_SELECTOR | PRESENT_INTERRUPT_GATE | (handler >> 16 & 0xffff) << 48;
        gate[0].store(low, Ordering::Relaxed);
        gate[1].store(handler >> 32, Ordering::Relaxed);
    }
    load();
}

/// Loads the table on this core.
pub fn load() {
    let base = VirtAddr::from_ptr(&raw const GATES);
    let pointer = DescriptorTablePointer { limit: size_of_val(&GATES) as u16 - 1, base };
    // SAFETY: every gate of the table leads to a handler above, and the table lives for ever.
    unsafe { lidt(&pointer) }
}

extern "C" fn report(vector: u64, error: u64, rip: u64, cr2: u64) -> ! {
    let core = apic::initial_id();
    console::refuse(&refuse!(
        Fault,
        "exception {vector} (error {error:#x}) at {rip:#x} on the core with APIC id {core}, cr2 {cr2:#x}"
    ))
}
