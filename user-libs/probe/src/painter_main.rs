//! The painter's binary; everything else is in the library.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
root_task::entry!(stack = 64 * 1024, heap = 256 * 1024, name = "painter", run = probe::painter::run);

#[cfg(not(target_os = "none"))]
fn main() {
    println!("this runs without an OS: see `cargo xtask test framebuffer`");
}
