//! The stress test's binary; everything else is in the library.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
root_task::entry!(stack = 32 * 1024, heap = 64 * 1024, name = "stress", run = stress::run);

#[cfg(not(target_os = "none"))]
fn main() {
    println!("this runs without an OS: see `cargo xtask test --stress`");
}
