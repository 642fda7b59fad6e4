//! The root task's binary; everything else is in the library.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
root_task::entry!(stack = 64 * 1024, heap = 512 * 1024, name = "root task", run = root_task::run);

#[cfg(not(target_os = "none"))]
fn main() {
    println!("this runs without an OS: see `cargo xtask run`");
}
