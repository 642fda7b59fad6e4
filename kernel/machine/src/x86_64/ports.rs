//! I/O ports, within the ranges the handoff lists. A port outside them reads as all ones, and writes to it vanish, like
//! an empty bus: capabilities already refuse it, and this keeps a kernel bug inside the partition.

use super::Machine;
use x86_64::instructions::port::{PortRead, PortWrite};

impl Machine {
    fn owns_ports(&self, first: u16, bytes: usize) -> bool {
        let last = usize::from(first) + bytes - 1;
        let ranges = self.handoff.ports.iter().take(self.handoff.port_count as usize);
        ranges.into_iter().any(|range| range.first <= first && last <= usize::from(range.last))
    }

    fn read<T: PortRead>(&self, port: u16, empty: T) -> T {
        if !self.owns_ports(port, size_of::<T>()) {
            return empty;
        }
        // SAFETY: the partition owns the port; a device behind it cannot reach memory outside what its owner may.
        unsafe { T::read_from_port(port) }
    }

    fn write<T: PortWrite>(&self, port: u16, value: T) {
        if self.owns_ports(port, size_of::<T>()) {
            // SAFETY: as for `read`.
            unsafe { T::write_to_port(port, value) }
        }
    }

    /// Reads a byte.
    pub fn in8(&self, port: u16) -> u8 {
        self.read(port, u8::MAX)
    }

    /// Reads two bytes.
    pub fn in16(&self, port: u16) -> u16 {
        self.read(port, u16::MAX)
    }

    /// Reads four bytes.
    pub fn in32(&self, port: u16) -> u32 {
        self.read(port, u32::MAX)
    }

    /// Writes a byte.
    pub fn out8(&self, port: u16, value: u8) {
        self.write(port, value);
    }

    /// Writes two bytes.
    pub fn out16(&self, port: u16, value: u16) {
        self.write(port, value);
    }

    /// Writes four bytes.
    pub fn out32(&self, port: u16, value: u32) {
        self.write(port, value);
    }
}
