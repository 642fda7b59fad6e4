//! The loader binary: PVH or multiboot2 in, kernel instances out. What can be reasoned about without a machine is in
//! the library beside it; the rest is in `bare/`.
#![cfg_attr(target_os = "none", no_std, no_main)]
// A refusal is built once, by value, on the way to the exit: its size costs nothing.
#![allow(clippy::result_large_err)]

#[cfg(target_os = "none")]
mod bare;

#[cfg(not(target_os = "none"))]
fn main() {
    println!("this runs without an OS");
}
