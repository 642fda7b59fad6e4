//! Physical memory behind two small traits, so that the same code builds an instance in RAM and in a test's vector.
//!
//! [`PhysicalView`] reads what others wrote (boot information, ACPI tables, the archive); [`PhysicalMemory`] writes,
//! and every write is bounded: a [`Window`] lets a builder reach its own slice and nothing else.

use crate::refuse;
use crate::{Refusal, Span};

/// Read access to physical memory.
pub trait PhysicalView: Clone {
    /// The bytes at `address`, or `None` where nothing can be read (page 0 included).
    fn view(&self, address: u64, size: u64) -> Option<&[u8]>;

    /// The little-endian 32-bit word at `address`.
    fn word32(&self, address: u64) -> Option<u32> {
        word32(self.view(address, 4)?, 0)
    }

    /// The little-endian 64-bit word at `address`.
    fn word64(&self, address: u64) -> Option<u64> {
        word64(self.view(address, 8)?, 0)
    }
}

/// The little-endian 32-bit word at byte `offset`, if it is there.
pub fn word32(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes.get(offset..)?.first_chunk().map(|word| u32::from_le_bytes(*word))
}

/// The little-endian 64-bit word at byte `offset`, if it is there.
pub fn word64(bytes: &[u8], offset: usize) -> Option<u64> {
    bytes.get(offset..)?.first_chunk().map(|word| u64::from_le_bytes(*word))
}

/// Write access to physical memory.
pub trait PhysicalMemory {
    /// Copies `bytes` to `address`.
    fn write(&mut self, address: u64, bytes: &[u8]) -> Result<(), Refusal>;

    /// Zeroes `span`.
    fn zero(&mut self, span: Span) -> Result<(), Refusal>;

    /// The 64-bit word at `address`.
    fn read_word(&self, address: u64) -> Result<u64, Refusal>;

    /// Sets the 64-bit word at `address`.
    fn write_word(&mut self, address: u64, value: u64) -> Result<(), Refusal> {
        self.write(address, &value.to_le_bytes())
    }
}

/// The part of `inner` that lies in one of `allowed`.
pub struct Window<'a, M> {
    inner: &'a mut M,
    allowed: &'a [Span],
}

impl<'a, M: PhysicalMemory> Window<'a, M> {
    /// Bounds `inner` to `allowed`.
    pub fn new(inner: &'a mut M, allowed: &'a [Span]) -> Self {
        Self { inner, allowed }
    }

    fn check(&self, address: u64, size: u64) -> Result<Span, Refusal> {
        Span::new(address, size)
            .filter(|span| self.allowed.iter().any(|allowed| allowed.contains(*span)))
            .ok_or_else(|| refuse!(Internal, "stray access of {size:#x} bytes at {address:#x}"))
    }
}

impl<M: PhysicalMemory> PhysicalMemory for Window<'_, M> {
    fn write(&mut self, address: u64, bytes: &[u8]) -> Result<(), Refusal> {
        self.check(address, bytes.len() as u64)?;
        self.inner.write(address, bytes)
    }

    fn zero(&mut self, span: Span) -> Result<(), Refusal> {
        self.check(span.start(), span.size())?;
        self.inner.zero(span)
    }

    fn read_word(&self, address: u64) -> Result<u64, Refusal> {
        self.check(address, 8)?;
        self.inner.read_word(address)
    }
}

/// Simulated memory for tests: `bytes` at physical address `base`.
#[cfg(test)]
#[derive(Clone)]
pub struct Simulated {
    /// Physical address of the first byte.
    pub base: u64,
    /// Contents.
    pub bytes: Vec<u8>,
}

#[cfg(test)]
impl Simulated {
    /// Memory full of a pattern, so that forgotten zeroing shows.
    pub fn dirty(base: u64, size: u64) -> Self {
        Self { base, bytes: vec![0xa5; size as usize] }
    }

    fn range(&self, address: u64, size: u64) -> Option<core::ops::Range<usize>> {
        let start = usize::try_from(address.checked_sub(self.base)?).ok()?;
        let end = start.checked_add(usize::try_from(size).ok()?)?;
        (end <= self.bytes.len()).then_some(start..end)
    }
}

#[cfg(test)]
impl PhysicalView for Simulated {
    fn view(&self, address: u64, size: u64) -> Option<&[u8]> {
        self.bytes.get(self.range(address, size)?)
    }
}

#[cfg(test)]
impl PhysicalMemory for Simulated {
    fn write(&mut self, address: u64, bytes: &[u8]) -> Result<(), Refusal> {
        let range = self.range(address, bytes.len() as u64).ok_or_else(|| refuse!(Internal, "write {address:#x}"))?;
        self.bytes[range].copy_from_slice(bytes);
        Ok(())
    }

    fn zero(&mut self, span: Span) -> Result<(), Refusal> {
        let range = self.range(span.start(), span.size()).ok_or_else(|| refuse!(Internal, "zero {span}"))?;
        self.bytes[range].fill(0);
        Ok(())
    }

    fn read_word(&self, address: u64) -> Result<u64, Refusal> {
        self.word64(address).ok_or_else(|| refuse!(Internal, "read {address:#x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_refuses_every_access_that_leaves_it() {
        let mut memory = Simulated::dirty(0x1000, 0x3000);
        let allowed = [Span::between(0x2000, 0x3000)];
        let mut window = Window::new(&mut memory, &allowed);
        assert!(window.write_word(0x2ff8, 1).is_ok());
        assert!(window.write_word(0x2ff9, 1).is_err());
        assert!(window.write_word(0x1ff8, 1).is_err());
        assert!(window.zero(Span::between(0x2000, 0x3001)).is_err());
        assert!(window.read_word(u64::MAX).is_err());
    }
}
