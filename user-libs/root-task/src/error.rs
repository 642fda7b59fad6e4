//! Why a partition cannot be started, in words for its console.

use crate::elf::ElfError;
use crate::untyped::DeviceError;
use core::fmt;
use manifest::DecodeError;

/// Why a partition cannot be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RootError {
    /// Bootinfo lacks the partition manifest or the facts about this instance.
    NoManifest,
    /// The manifest cannot be read.
    Manifest(DecodeError),
    /// It does not describe exactly one partition.
    PartitionCount,
    /// The kernel refused a step.
    Kernel {
        /// Which.
        step: &'static str,
        /// How.
        error: sel4::Error,
    },
    /// No memory for an object of this many bits.
    OutOfMemory {
        /// Its size.
        bits: u32,
        /// Bytes left in pieces too small.
        left: u64,
    },
    /// The CNode is full.
    OutOfSlots,
    /// A channel, file or device lies where this partition has no memory of that kind.
    Device(DeviceError),
    /// The kernel gave no scheduling control for this core of the partition.
    NoCore(u32),
    /// A record of the manifest points nowhere.
    Record(&'static str),
    /// A program file cannot be started.
    Elf(ElfError),
    /// More of something than a program can have.
    TooMany(&'static str),
}

impl From<ElfError> for RootError {
    fn from(error: ElfError) -> Self {
        Self::Elf(error)
    }
}

impl From<DeviceError> for RootError {
    fn from(error: DeviceError) -> Self {
        Self::Device(error)
    }
}

impl fmt::Display for RootError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoManifest => f.write_str("the kernel handed over no partition manifest"),
            Self::Manifest(error) => error.fmt(f),
            Self::PartitionCount => f.write_str("the partition manifest must describe exactly one partition"),
            Self::Kernel { step, error } => write!(f, "the kernel refused to {step}: {error}"),
            Self::OutOfMemory { bits, left } => {
                write!(
                    f,
                    "no piece of {} bytes is left ({left} bytes in smaller ones): give it more memory",
                    1u64 << bits
                )
            }
            Self::OutOfSlots => f.write_str("all capability slots are used"),
            Self::Device(DeviceError::NotOurs(address)) => {
                write!(f, "physical address {address:#x} is not among this partition's device memory")
            }
            Self::Device(DeviceError::Passed(address)) => {
                write!(f, "physical address {address:#x} overlaps memory that is in use")
            }
            Self::NoCore(node) => write!(f, "the kernel gives no time on the partition's core {node}"),
            Self::Record(what) => write!(f, "the manifest names a {what} that it does not have"),
            Self::Elf(error) => write!(f, "its image cannot be started: {error}"),
            Self::TooMany(what) => write!(f, "it has too many {what}"),
        }
    }
}

impl core::error::Error for RootError {}

/// Names the step at which the kernel refused.
pub trait Step<T> {
    /// The same result, its error saying what was being done.
    fn step(self, step: &'static str) -> Result<T, RootError>;
}

impl<T> Step<T> for sel4::Result<T> {
    fn step(self, step: &'static str) -> Result<T, RootError> {
        self.map_err(|error| RootError::Kernel { step, error })
    }
}
