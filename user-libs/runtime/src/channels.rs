//! From a name in the startup block to an open channel or a readable file.

use crate::bell::DoorbellBell;
use crate::env::{Channel, Env};
use channel::{Bell, Duplex, OpenError, Region, Side};
use core::fmt;

/// One end of a channel, not yet opened.
#[derive(Clone, Copy, Debug)]
pub struct ChannelEnd {
    record: &'static Channel,
}

/// Why a channel cannot be opened as a pair of rings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelError {
    /// This end may not both read and write; see [`channel::broadcast`] for one-way regions.
    Access,
    /// The region is too small.
    TooSmall,
}

impl fmt::Display for ChannelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Access => "a ring needs read and write access at both ends",
            Self::TooSmall => "the channel is too small for two rings",
        })
    }
}

impl core::error::Error for ChannelError {}

impl ChannelEnd {
    /// Name of the channel.
    pub fn name(&self) -> &'static str {
        self.record.name.as_str()
    }

    /// Which end this is.
    pub fn side(&self) -> Side {
        Side::from_number(self.record.side)
    }

    /// Whether this end may write to the region.
    pub fn is_writable(&self) -> bool {
        self.record.access & 2 != 0
    }

    /// The shared memory itself, for a protocol of one's own. Stores fault if this end may not write.
    pub fn region(&self) -> Region<'static> {
        // SAFETY: the startup block lies in memory only the root task wrote; it mapped these frames for the program's
        // whole life, page-aligned, and nothing else of this program lies in the channel area.
        unsafe { Region::from_raw(self.record.base as *mut u8, self.record.size as usize) }
    }

    /// Opens both rings. Do this once: a second opening would start at position 0 again and mislead the peer.
    pub fn open(&self) -> Result<Duplex<'static, DoorbellBell>, ChannelError> {
        if self.record.access & 3 != 3 {
            return Err(ChannelError::Access);
        }
        Duplex::open(self.region(), self.side(), self.bell()).map_err(|OpenError::TooSmall| ChannelError::TooSmall)
    }

    /// The bell alone.
    pub fn bell(&self) -> DoorbellBell {
        DoorbellBell::of(self.record)
    }

    /// Rings the peer's doorbell, if this end has one.
    pub fn ring(&self) {
        self.bell().ring();
    }

    /// Waits until the peer has rung; gives way once if this end hears no doorbell.
    pub fn wait(&self) {
        self.bell().wait();
    }
}

impl Env {
    /// The end of the channel named `name`.
    pub fn channel(&self, name: &str) -> Option<ChannelEnd> {
        self.ends().find(|end| end.name() == name)
    }

    /// All channel ends of this program, in the order of the system file.
    pub fn ends(&self) -> impl Iterator<Item = ChannelEnd> + use<> {
        self.channels().iter().map(|record| ChannelEnd { record })
    }

    /// The first channel whose first end this program is: where a stage of a pipeline sends.
    pub fn outgoing(&self) -> Option<ChannelEnd> {
        self.ends().find(|end| end.side() == Side::First)
    }

    /// The first channel whose second end this program is: where a stage of a pipeline receives.
    pub fn incoming(&self) -> Option<ChannelEnd> {
        self.ends().find(|end| end.side() == Side::Second)
    }

    /// The bytes of the granted file named `name`.
    pub fn file(&self, name: &str) -> Option<&'static [u8]> {
        let file = self.files().iter().find(|file| file.name.as_str() == name)?;
        // SAFETY: the root task mapped the file read-only for the program's whole life, and nobody has it writable.
        Some(unsafe { core::slice::from_raw_parts(file.base as *const u8, file.size as usize) })
    }
}
