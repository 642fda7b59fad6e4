//! From the first instruction to the last: `_start`, panic, exit.

use crate::env::Env;
use crate::heap::Heap;
use crate::layout::{ENV_BASE, ENV_MAX_BYTES, EXIT_PANIC, label, slot};
use crate::{console, env};
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};
use sel4::{Endpoint, Message};

/// Makes `fn(&Env) -> i32` the program: defines entry point, panic handler and heap without an operating system, and a
/// `main` that says so with one.
#[macro_export]
macro_rules! entry {
    ($main:path) => {
        /// What the program is.
        const SKERRY_MAIN: fn(&$crate::Env) -> i32 = $main;

        #[cfg(target_os = "none")]
        #[doc(hidden)]
        mod skerry_entry {
            #[global_allocator]
            static HEAP: $crate::heap::Heap = $crate::heap::Heap::new();

            /// The root task starts the program here: a whole stack, `rdi` the address of the startup block.
            #[unsafe(naked)]
            #[unsafe(no_mangle)]
            extern "C" fn _start() -> ! {
                ::core::arch::naked_asm!("xor ebp, ebp", "and rsp, -16", "call {start}", "ud2", start = sym start)
            }

            extern "C" fn start(env: u64) -> ! {
                $crate::start::run(env, super::SKERRY_MAIN, &HEAP)
            }

            #[panic_handler]
            fn panic(info: &::core::panic::PanicInfo<'_>) -> ! {
                $crate::start::panicked(info)
            }
        }

        #[cfg(not(target_os = "none"))]
        fn main() {
            let _ = SKERRY_MAIN;
            ::std::println!("this runs without an OS: see `cargo xtask run`");
        }
    };
}

/// Runs a program to its end. Called by [`entry!`](crate::entry).
#[doc(hidden)]
pub fn run(env_base: u64, main: fn(&Env) -> i32, heap: &Heap) -> ! {
    // Whoever started the program otherwise than the root task does gets a clean end instead of a wild read.
    if env_base != ENV_BASE {
        exit(EXIT_PANIC);
    }
    // SAFETY: the root task mapped the startup block here, at least one page, read-only, for the program's whole life;
    // its header, which is smaller than a page, says how long it is.
    let header = unsafe { &*(env_base as *const env::Header) };
    let bytes = u64::from(header.total_bytes).min(ENV_MAX_BYTES) as usize;
    // SAFETY: as above, for as many bytes as the root task wrote.
    let block = unsafe { core::slice::from_raw_parts(env_base as *const u8, bytes) };
    let Ok(env) = Env::from_bytes(block) else { exit(EXIT_PANIC) };
    // SAFETY: the root task mapped the heap for this program alone.
    unsafe { heap.give(header.heap_base as *mut u8, header.heap_bytes as usize) };
    exit(main(&env))
}

/// Ends the program with an exit code; the root task reports it.
pub fn exit(code: i32) -> ! {
    console::flush();
    let root = Endpoint::new(slot::ROOT);
    loop {
        // Never answered: the root task suspends the thread.
        root.call(Message::new(label::EXIT, [code as u32 as u64]));
    }
}

/// How many panics deep the program is: the second ends it without a word.
static PANICS: AtomicU32 = AtomicU32::new(0);

/// Prints the panic and ends the program with code 101. Called by [`entry!`](crate::entry).
#[doc(hidden)]
pub fn panicked(info: &PanicInfo<'_>) -> ! {
    if PANICS.fetch_add(1, Relaxed) == 0 {
        console::flush();
        console::print(format_args!("{info}\n"));
    }
    exit(EXIT_PANIC)
}
