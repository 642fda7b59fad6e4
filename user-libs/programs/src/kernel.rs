//! Programs that make their own kernel instance misbehave, to show that nobody else notices. Debug kernels only.

use manifest::handoff::WINDOW_VIRT_BASE;
use runtime::{Env, println};

/// Makes the kernel instance panic.
pub fn panic(env: &Env) -> i32 {
    println!("{}: about to panic the kernel", env.program());
    sel4::debug::panic_kernel();
    println!("{}: the kernel did not panic", env.program());
    1
}

/// Makes the kernel read the address that the first argument names; a physical address means its place in the window.
pub fn stray(env: &Env) -> i32 {
    let given = env.number(0).unwrap_or(0);
    let address = if given < WINDOW_VIRT_BASE { WINDOW_VIRT_BASE + given } else { given };
    println!("{}: about to make the kernel read {address:#x}", env.program());
    let value = sel4::debug::peek(address);
    println!("{}: nothing stopped the kernel: {value:#x}", env.program());
    1
}
