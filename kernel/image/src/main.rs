//! The kernel binary: where safe code meets the processor. Entry stubs are in `entry`; everything else is in the library.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod entry;
#[cfg(target_os = "none")]
mod instance;

#[cfg(not(target_os = "none"))]
fn main() {
    println!("This is a kernel: it runs without an operating system. `cargo xtask run` boots it.");
}
