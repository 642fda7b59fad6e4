//! Programs without a peer.

use crate::error::{ProgramError, report};
use runtime::{Env, println, rdtsc};

/// Says hello and lists what it was given.
pub fn hello(env: &Env) -> i32 {
    println!("hello from {} in {}", env.program(), env.partition());
    env.args().for_each(|argument| println!("argument {argument}"));
    for end in env.ends() {
        println!("channel {}: {} bytes, {:?} end", end.name(), end.region().byte_len(), end.side());
    }
    for file in env.files() {
        println!("file {}: {} bytes", file.name.as_str(), file.size);
    }
    0
}

/// Ends with the exit code that its first argument names (0 without one).
pub fn exit_code(env: &Env) -> i32 {
    env.number(0).unwrap_or(0) as i32
}

/// Computes for as many milliseconds as its first argument says; without one, for ever.
pub fn spinner(env: &Env) -> i32 {
    let start = rdtsc();
    println!("{}: spinning", env.program());
    let ticks = env.number(0).map(|milliseconds| milliseconds.saturating_mul(1000).saturating_mul(env.tsc_mhz()));
    while ticks.is_none_or(|ticks| rdtsc().wrapping_sub(start) < ticks) {
        core::hint::spin_loop();
    }
    0
}

/// Reads, or with a second argument `write` writes, the address that its first argument names, and expects not to survive.
pub fn stray(env: &Env) -> i32 {
    report(env, touch(env)).max(1)
}

fn touch(env: &Env) -> Result<(), ProgramError> {
    let address = env.number(0).ok_or(ProgramError::NoArgument("address"))?;
    let pointer = address as *mut u8;
    if env.args().nth(1) == Some("write") {
        println!("{}: writing to {address:#x}", env.program());
        // SAFETY: none: this program exists to be stopped here. The address is none that the program uses itself.
        unsafe { pointer.write_volatile(0) };
        println!("{}: nothing stopped the write", env.program());
    } else {
        println!("{}: reading {address:#x}", env.program());
        // SAFETY: as above.
        let value = unsafe { pointer.read_volatile() };
        println!("{}: nothing stopped the read: {value:#x}", env.program());
    }
    Ok(())
}
