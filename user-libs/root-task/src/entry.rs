//! The first instruction of a root task, and everything before its first line of ordinary Rust: stack, thread block,
//! heap, what to do on a panic.

/// Defines `_start`, the global allocator and the panic handler of a root task's binary. `run` is called once, with
/// bootinfo and the console, and never returns; `name` starts the line that tells of a panic.
#[macro_export]
macro_rules! entry {
    (stack = $stack:expr, heap = $heap:expr, name = $name:literal, run = $run:path) => {
        mod bare {
            use core::cell::UnsafeCell;
            use $crate::__entry::{BootInfo, BootInfoPage, Heap, ThreadBlock, enter};

            /// The kernel starts a root task without a stack.
            #[repr(C, align(4096))]
            struct Memory<const BYTES: usize>(UnsafeCell<[u8; BYTES]>);

            // SAFETY: each value is handed out once, as raw memory: one as the stack, one as the heap.
            unsafe impl<const BYTES: usize> Sync for Memory<BYTES> {}

            const STACK_BYTES: usize = $stack;
            const HEAP_BYTES: usize = $heap;
            static STACK: Memory<STACK_BYTES> = Memory(UnsafeCell::new([0; STACK_BYTES]));
            static HEAP_MEMORY: Memory<HEAP_BYTES> = Memory(UnsafeCell::new([0; HEAP_BYTES]));

            /// The block that `fs` points to.
            struct Block(UnsafeCell<ThreadBlock>);

            // SAFETY: only the root task's first thread uses it.
            unsafe impl Sync for Block {}

            static BLOCK: Block = Block(UnsafeCell::new(ThreadBlock::EMPTY));

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

            extern "C" fn start(page: *const BootInfoPage) -> ! {
                // SAFETY: the kernel passes the page it mapped, its chunks behind it; nobody writes to them.
                let info = unsafe { BootInfo::from_ptr(page) };
                let block = BLOCK.0.get();
                // SAFETY: the block is a static of this one thread, and bootinfo names the IPC buffer the kernel mapped.
                unsafe { ThreadBlock::prepare(block, info.page().ipc_buffer as *mut _) };
                // SAFETY: prepared just now, and a static stays.
                unsafe { enter(block) };
                // SAFETY: this memory is given once, here, and used for nothing else.
                unsafe { HEAP.give(HEAP_MEMORY.0.get().cast(), HEAP_BYTES) };
                $run(&info, &mut $crate::console(&info))
            }

            #[panic_handler]
            fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
                use core::fmt::Write;
                let mut console = $crate::opened_console();
                let _ = writeln!(console, concat!("\n", $name, ": {}"), info);
                $crate::stop(&mut console)
            }
        }
    };
}
