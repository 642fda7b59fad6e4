//! I/O ports of a modelled core: a port reads as what a test put there, or as all ones, like an empty bus.

use super::{Event, Machine};
use core::cell::RefCell;
use std::collections::BTreeMap;

/// What the ports read as.
#[derive(Debug, Default)]
pub(super) struct Ports {
    inputs: RefCell<BTreeMap<u16, u32>>,
}

impl Machine {
    /// Makes `port` read as `value` (truncated to the width of the access).
    pub fn set_port(&self, port: u16, value: u32) {
        self.ports.inputs.borrow_mut().insert(port, value);
    }

    fn input(&self, port: u16, bytes: u8) -> u32 {
        let mask = u32::MAX >> (32 - 8 * u32::from(bytes));
        let value = self.ports.inputs.borrow().get(&port).copied().unwrap_or(u32::MAX) & mask;
        self.log(Event::PortIn { port, bytes, value });
        value
    }

    /// Reads a byte.
    pub fn in8(&self, port: u16) -> u8 {
        self.input(port, 1) as u8
    }

    /// Reads two bytes.
    pub fn in16(&self, port: u16) -> u16 {
        self.input(port, 2) as u16
    }

    /// Reads four bytes.
    pub fn in32(&self, port: u16) -> u32 {
        self.input(port, 4)
    }

    /// Writes a byte.
    pub fn out8(&self, port: u16, value: u8) {
        self.log(Event::PortOut { port, bytes: 1, value: value.into() });
    }

    /// Writes two bytes.
    pub fn out16(&self, port: u16, value: u16) {
        self.log(Event::PortOut { port, bytes: 2, value: value.into() });
    }

    /// Writes four bytes.
    pub fn out32(&self, port: u16, value: u32) {
        self.log(Event::PortOut { port, bytes: 4, value });
    }
}
