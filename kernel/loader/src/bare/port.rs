//! The I/O ports that the loader uses, by crate `x86_64`.

use x86_64::instructions::port::Port;

/// Reads one byte.
pub fn read8(port: u16) -> u8 {
    // SAFETY: the loader owns every device until the first instance runs, and reads ports without memory effects only.
    unsafe { Port::new(port).read() }
}

/// Writes one byte.
pub fn write8(port: u16, value: u8) {
    // SAFETY: as for `read8`; the callers write to interrupt controllers, timer and consoles: none touches memory.
    unsafe { Port::new(port).write(value) }
}

/// Writes four bytes.
pub fn write32(port: u16, value: u32) {
    // SAFETY: as for `write8`.
    unsafe { Port::new(port).write(value) }
}
