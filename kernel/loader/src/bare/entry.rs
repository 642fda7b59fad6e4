//! The first instructions: from 32-bit protected mode without paging to Rust in long mode, on either boot protocol.
//!
//! The boot loader has zeroed `.bss`. The tables built here map the first 4 GiB one to one, with no protection; Rust
//! replaces them as soon as it knows the memory map. A processor without long mode is refused here, on COM1 and port
//! 0xe9, as no Rust code could run.

use core::arch::global_asm;

/// Value of `protocol` for Rust: started through PVH.
pub const PROTOCOL_PVH: u32 = 1;
/// Value of `protocol` for Rust: started through multiboot2.
pub const PROTOCOL_MULTIBOOT2: u32 = 2;

global_asm!(
    r#"
    .section .multiboot, "a"
    .balign 8
multiboot_header:
    .long 0xe85250d6, 0, multiboot_end - multiboot_header
    .long 0x100000000 - (0xe85250d6 + (multiboot_end - multiboot_header))
    .short 1, 0                     // information request: memory map
    .long 12, 6, 0
    .short 6, 0                     // modules page-aligned
    .long 8
    .short 5, 1                     // optional: a framebuffer, of whatever size and depth; text will do
    .long 20, 0, 0, 0, 0
    .short 0, 0
    .long 8
multiboot_end:

    .section .note.pvh, "a", @note
    .balign 4
    .long 4, 8, 18                  // XEN_ELFNOTE_PHYS32_ENTRY
    .asciz "Xen"
    .quad pvh_start

    .section .text.entry, "ax"
    .code32
    .globl multiboot_start
multiboot_start:
    mov edi, {multiboot2}
    cmp eax, 0x36d76289
    je 2f
    xor edi, edi
    jmp 2f
pvh_start:
    mov edi, {pvh}
2:  cli
    cld
    mov esp, offset boot_stack_top
    mov ebp, ebx                    // boot information

    pushfd                          // cpuid exists if EFLAGS.ID can be changed
    pop eax
    mov ecx, eax
    xor eax, 1 << 21
    push eax
    popfd
    pushfd
    pop eax
    cmp eax, ecx
    je no_long_mode
    mov eax, 0x80000000
    cpuid
    cmp eax, 0x80000001
    jb no_long_mode
    mov eax, 0x80000001
    cpuid
    bt edx, 29
    jnc no_long_mode

    xor ecx, ecx                    // 4 GiB in pages of 2 MiB
3:  mov eax, ecx
    shl eax, 21
    or eax, 0x83
    mov [boot_pages + ecx * 8], eax
    inc ecx
    cmp ecx, 2048
    jne 3b
    xor ecx, ecx
    mov eax, offset boot_pages + 3
4:  mov [boot_directories + ecx * 8], eax
    add eax, 4096
    inc ecx
    cmp ecx, 4
    jne 4b
    mov eax, offset boot_directories + 3
    mov [boot_top], eax

    mov eax, cr4
    or eax, 1 << 5                  // PAE
    mov cr4, eax
    mov eax, offset boot_top
    mov cr3, eax
    mov ecx, 0xc0000080             // EFER.LME
    rdmsr
    or eax, 1 << 8
    wrmsr
    mov eax, 0x80010033             // PG WP NE ET MP PE
    mov cr0, eax
    lgdt [loader_gdt_pointer]
    push 8
    mov eax, offset long_mode
    push eax
    retf

no_long_mode:
    mov esi, offset no_long_mode_text
5:  lodsb
    test al, al
    jz 7f
    mov dx, 0xe9
    out dx, al
    mov ah, al
    mov ecx, 100000
6:  mov dx, 0x3fd                   // COM1 line status: transmitter empty
    in al, dx
    test al, 0x20
    loopz 6b
    mov dx, 0x3f8
    mov al, ah
    out dx, al
    jmp 5b
7:  mov dx, 0xf4
    mov eax, 0x31
    out dx, eax
    mov esi, offset shutdown_text
    mov dx, 0x8900
8:  lodsb
    test al, al
    jz 9f
    out dx, al
    jmp 8b
9:  cli
    hlt
    jmp 9b

    .code64
long_mode:
    mov ax, 16
    mov ds, ax
    mov es, ax
    mov ss, ax
    xor eax, eax
    mov fs, ax
    mov gs, ax
    mov esp, offset boot_stack_top
    mov edi, edi                    // zero-extend
    mov esi, ebp
    xor ebp, ebp
    call {main}
    ud2

    .section .rodata.entry, "a"
no_long_mode_text:
    .asciz "\x1erefuse loader::cpu-feature the boot processor has no long mode\n"
shutdown_text:
    .asciz "Shutdown"
    .balign 8
loader_gdt:                         // accessed bits set: the processor need not write here
    .quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff
    .globl loader_gdt_pointer
loader_gdt_pointer:
    .short 23
    .quad loader_gdt

    .section .bss.entry, "aw", @nobits
    .balign 4096
boot_top:
    .skip 4096
boot_directories:
    .skip 4096
boot_pages:
    .skip 4 * 4096
    .skip 128 * 1024
boot_stack_top:
"#,
    multiboot2 = const PROTOCOL_MULTIBOOT2,
    pvh = const PROTOCOL_PVH,
    main = sym super::boot::main,
);
