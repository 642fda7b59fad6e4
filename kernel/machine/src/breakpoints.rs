//! How the processor keeps four breakpoints in its debug registers (Intel SDM, volume 3, 18.2).
//!
//! Tests: at the end of this file.

use core::cell::Cell;

/// Breakpoints there are.
pub const COUNT: usize = 4;
/// DR7 with every breakpoint off.
pub const CONTROL_OFF: u64 = 0x400;
/// DR6 with nothing to tell.
pub const STATUS_RESET: u64 = 0xffff_0ff0;
/// DR6: the exception is a step.
pub const STATUS_STEP: u64 = 1 << 14;

/// Condition: the instruction there is to be executed.
pub const EXECUTE: u64 = 0b00;
/// Condition: data there was written.
pub const WRITE: u64 = 0b01;
/// Condition: data there was read or written.
pub const ACCESS: u64 = 0b11;
/// Bits of a condition on data above these: an index into [`BYTES`].
pub const LENGTH_SHIFT: u32 = 2;
/// How much data: lengths by their two bits.
pub const BYTES: [u64; 4] = [1, 2, 8, 4];

/// One breakpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Breakpoint {
    /// Where.
    pub address: u64,
    /// [`EXECUTE`], or [`WRITE`] or [`ACCESS`] with a length.
    pub condition: u64,
    /// Whether it is in force; if not, the rest is zero.
    pub is_enabled: bool,
}

/// A thread's breakpoints. All-zero bytes are none.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Breakpoints {
    addresses: [Cell<u64>; COUNT],
    control: Cell<u64>,
}

/// Bits of DR7 that are about `number`: enabled in this task, and its condition.
const fn control(number: usize, condition: u64) -> u64 {
    0b10 << (2 * number) | condition << (16 + 4 * number)
}

impl Breakpoints {
    /// Puts `breakpoint` in place `number`, or takes away what is there; beyond the last nothing happens.
    pub fn set(&self, number: usize, breakpoint: Breakpoint) {
        let Some(address) = self.addresses.get(number) else { return };
        address.set(breakpoint.address);
        let bits = if breakpoint.is_enabled { control(number, breakpoint.condition) } else { 0 };
        self.control.set(self.control.get() & !control(number, 0b1111) | bits);
    }

    /// The breakpoint in place `number`.
    pub fn get(&self, number: usize) -> Option<Breakpoint> {
        let address = self.addresses.get(number)?.get();
        let bits = self.control.get();
        let (condition, is_enabled) = (bits >> (16 + 4 * number) & 0b1111, bits & control(number, 0) != 0);
        Some(Breakpoint { address, condition, is_enabled })
    }

    /// The first enabled breakpoint that debug status `status` names, and its number.
    pub fn triggered(&self, status: u64) -> Option<(usize, Breakpoint)> {
        let named = (0..COUNT).filter(|number| status >> number & 1 != 0);
        named.filter_map(|number| Some((number, self.get(number)?))).find(|(_, found)| found.is_enabled)
    }

    /// Whether there are any.
    pub fn is_empty(&self) -> bool {
        self.control.get() == 0
    }

    /// What the processor is to be loaded with: addresses, and control bits, 0 if none is enabled.
    pub fn registers(&self) -> ([u64; COUNT], u64) {
        (self.addresses.each_ref().map(Cell::get), self.control.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(address: u64, condition: u64) -> Breakpoint {
        Breakpoint { address, condition, is_enabled: true }
    }

    #[test]
    fn what_is_set_is_read_and_can_be_removed() {
        let all = Breakpoints::default();
        let kinds = [
            at(0x1000, EXECUTE),
            at(0x2002, 0b01 << LENGTH_SHIFT | WRITE),
            at(0x3004, 0b11 << LENGTH_SHIFT | ACCESS),
            at(0x4008, 0b10 << LENGTH_SHIFT | ACCESS),
        ];
        for (number, breakpoint) in kinds.into_iter().enumerate() {
            all.set(number, breakpoint);
        }
        assert_eq!([0, 1, 2, 3].map(|number| all.get(number).unwrap()), kinds);
        assert_eq!(all.registers(), ([0x1000, 0x2002, 0x3004, 0x4008], 0xbf50_00aa));
        all.set(1, at(0x5000, WRITE));
        assert_eq!(all.get(1), Some(at(0x5000, WRITE)));
        assert_eq!(all.triggered(0b1110).map(|it| it.0), Some(1));
        (0..4).for_each(|number| all.set(number, Breakpoint::default()));
        assert_eq!(all.registers(), ([0; 4], 0));
        assert!(all.is_empty());
        assert_eq!(all.triggered(0b1111), None);
        assert_eq!(all.get(4), None);
        all.set(4, kinds[0]);
        assert!(all.is_empty());
    }
}
