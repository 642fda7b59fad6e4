//! The binary: entry with a stack of its own, heap, panic.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(not(target_os = "none"))]
fn main() {
    println!("this runs without an OS: see `cargo xtask test --stress`");
}

#[cfg(target_os = "none")]
mod bare {
    use core::cell::UnsafeCell;
    use root_task::console::Console;
    use runtime::heap::Heap;
    use sel4::BootInfo;
    use sel4::thread::ThreadBlock;

    /// The kernel starts a root task without a stack.
    #[repr(C, align(4096))]
    struct Memory<const BYTES: usize>(UnsafeCell<[u8; BYTES]>);

    // SAFETY: each value is handed out once, as raw memory: one as the stack, one as the heap.
    unsafe impl<const BYTES: usize> Sync for Memory<BYTES> {}

    const STACK_BYTES: usize = 32 * 1024;
    const HEAP_BYTES: usize = 64 * 1024;
    static STACK: Memory<STACK_BYTES> = Memory(UnsafeCell::new([0; STACK_BYTES]));
    static HEAP_MEMORY: Memory<HEAP_BYTES> = Memory(UnsafeCell::new([0; HEAP_BYTES]));

    /// The block that `fs` points to.
    struct Block(UnsafeCell<ThreadBlock>);

    // SAFETY: only the root task's first thread uses it.
    unsafe impl Sync for Block {}

    static BLOCK: Block = Block(UnsafeCell::new(ThreadBlock::EMPTY));

    // Only the first thread allocates: the workers just make system calls.
    #[global_allocator]
    static HEAP: Heap = Heap::new();

    /// The kernel enters here: no stack, `rdi` the address of the bootinfo page.
    #[unsafe(naked)]
    #[unsafe(no_mangle)]
    extern "C" fn _start() -> ! {
        core::arch::naked_asm!(
            "lea rsp, [rip + {stack} + {bytes}]",
            "xor ebp, ebp",
            "call {start}",
            "ud2",
            stack = sym STACK,
            bytes = const STACK_BYTES,
            start = sym start,
        )
    }

    extern "C" fn start(page: *const abi::bootinfo::BootInfo) -> ! {
        // SAFETY: the kernel passes the page it mapped, its chunks behind it; nobody writes to them.
        let info = unsafe { BootInfo::from_ptr(page) };
        let block = BLOCK.0.get();
        // SAFETY: the block is a static of this one thread, and bootinfo names the IPC buffer the kernel mapped.
        unsafe { ThreadBlock::prepare(block, info.page().ipc_buffer as *mut _) };
        // SAFETY: prepared just now, and a static stays.
        unsafe { sel4::thread::enter(block) };
        // SAFETY: this memory is given once, here, and used for nothing else.
        unsafe { HEAP.give(HEAP_MEMORY.0.get().cast(), HEAP_BYTES) };
        stress::run(&info, &mut Console::new(sel4::debug::put_char))
    }

    #[panic_handler]
    fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
        use core::fmt::Write;
        let mut console = Console::new(sel4::debug::put_char);
        let _ = writeln!(console, "\nstress: {info}");
        root_task::stop(&mut console)
    }
}
