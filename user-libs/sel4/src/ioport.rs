//! I/O ports.

use crate::Result;
use crate::cap::{IoPort, IoPortControl};
use crate::cnode::Slot;
use crate::invoke::{act, invoke};
use abi::invocation::Invocation;

impl IoPortControl {
    /// A capability for the ports `first ..= last` (`X86IOPortControlIssue`).
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::Error::InvalidArgument) for an empty range;
    /// [`RevokeFirst`](crate::Error::RevokeFirst) if a port has a capability; a port that is not this partition's is
    /// refused too;
    /// [`DeleteFirst`](crate::Error::DeleteFirst) and [`FailedLookup`](crate::Error::FailedLookup) for the destination.
    pub fn issue(self, first: u16, last: u16, destination: Slot) -> Result<()> {
        act(
            self.cptr(),
            Invocation::X86IOPortControlIssue,
            &[destination.root.cptr()],
            &[first.into(), last.into(), destination.index, destination.depth & 0xff],
        )
    }
}

/// Errors all of these share: [`IllegalOperation`](crate::Error::IllegalOperation) for a port outside the capability.
impl IoPort {
    /// Reads 8 bits (`X86IOPortIn8`).
    pub fn in8(self, port: u16) -> Result<u8> {
        Ok(invoke(self.cptr(), Invocation::X86IOPortIn8, &[], &[port.into()])?[0] as u8)
    }

    /// Reads 16 bits (`X86IOPortIn16`).
    pub fn in16(self, port: u16) -> Result<u16> {
        Ok(invoke(self.cptr(), Invocation::X86IOPortIn16, &[], &[port.into()])?[0] as u16)
    }

    /// Reads 32 bits (`X86IOPortIn32`).
    pub fn in32(self, port: u16) -> Result<u32> {
        Ok(invoke(self.cptr(), Invocation::X86IOPortIn32, &[], &[port.into()])?[0] as u32)
    }

    /// Writes 8 bits (`X86IOPortOut8`).
    pub fn out8(self, port: u16, value: u8) -> Result<()> {
        act(self.cptr(), Invocation::X86IOPortOut8, &[], &[port.into(), value.into()])
    }

    /// Writes 16 bits (`X86IOPortOut16`).
    pub fn out16(self, port: u16, value: u16) -> Result<()> {
        act(self.cptr(), Invocation::X86IOPortOut16, &[], &[port.into(), value.into()])
    }

    /// Writes 32 bits (`X86IOPortOut32`).
    pub fn out32(self, port: u16, value: u32) -> Result<()> {
        act(self.cptr(), Invocation::X86IOPortOut32, &[], &[port.into(), value.into()])
    }
}
