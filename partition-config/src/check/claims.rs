//! Claims: who wants which piece of the machine, and where two want the same.

use super::name_of;
use crate::code::Code;
use crate::diagnostic::{Finding, Findings, Span};
use crate::read::Spot;
use crate::schema::Partition;
use crate::size::{Extent, PortExtent};
use std::collections::BTreeSet;

/// How a claim came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// A device in `owns`.
    Device(&'static str),
    /// An entry of `ports`, `mmio` or `interrupts`.
    Listed,
    /// The partition's console.
    Console,
}

/// A piece of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resource {
    /// The device as such.
    Device,
    /// I/O ports.
    Ports(PortExtent),
    /// Device memory.
    Mmio(Extent),
    /// A pin of the I/O APIC.
    Pin(u32),
    /// A vector, which each core has for itself.
    Msi(u32),
}

/// A partition wants a piece of the machine.
#[derive(Clone, Debug)]
pub(super) struct Claim {
    pub partition: usize,
    pub span: Span,
    pub origin: Origin,
    pub resource: Resource,
}

impl Claim {
    /// Whether both want the same piece.
    pub fn meets(&self, other: &Self) -> bool {
        match (self.resource, other.resource) {
            (Resource::Device, Resource::Device) => self.origin == other.origin,
            (Resource::Ports(a), Resource::Ports(b)) => a.overlaps(b),
            (Resource::Mmio(a), Resource::Mmio(b)) => a.overlaps(b),
            (Resource::Pin(a), Resource::Pin(b)) => a == b,
            (Resource::Msi(a), Resource::Msi(b)) => a == b && self.partition == other.partition,
            _ => false,
        }
    }

    /// What is wrong with two claims that meet, if anything is.
    fn clash(&self, other: &Self) -> Option<(Code, String)> {
        let of_device = self.resource == Resource::Device;
        if self.partition == other.partition {
            // What a device and a list both name is simply owned once.
            if !of_device && (self.origin, other.origin) != (Origin::Listed, Origin::Listed) {
                return None;
            }
        } else if !of_device && matches!(self.origin, Origin::Device(_)) && self.origin == other.origin {
            return None; // Said once, of the device as such.
        }
        let console = self.origin == Origin::Console || other.origin == Origin::Console;
        Some(match self.resource {
            Resource::Device => (Code::DeviceTaken, self.origin.to_string()),
            Resource::Ports(ports) if console => {
                (Code::ConsoleTaken, format!("the console at port {:#x}", ports.first))
            }
            Resource::Ports(ports) => (Code::PortsTaken, format!("I/O port range {ports} of {}", self.origin)),
            Resource::Mmio(extent) => (Code::MmioTaken, format!("device memory {extent} of {}", self.origin)),
            Resource::Pin(pin) => (Code::InterruptTaken, format!("interrupt pin {pin}")),
            Resource::Msi(vector) => (Code::InterruptTaken, format!("interrupt msi {vector}")),
        })
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Device(name) => write!(out, "device `{name}`"),
            Self::Listed => write!(out, "this list"),
            Self::Console => write!(out, "the console"),
        }
    }
}

/// Adds a finding for each pair of claims that cannot both hold, once for each pair of places in the file.
pub(super) fn refuse_clashes(partitions: &[Spot<Partition>], claims: &[Claim], findings: &mut Findings) {
    let mut said = BTreeSet::new();
    for (index, later) in claims.iter().enumerate() {
        for first in claims.iter().take(index).filter(|first| first.meets(later)) {
            let Some((code, what)) = later.clash(first) else { continue };
            if !said.insert((first.span.start, later.span.start)) {
                continue;
            }
            let owner = partitions.get(first.partition).map(|owner| name_of(&owner.value)).unwrap_or_default();
            let same = first.partition == later.partition;
            let message = match same {
                true => format!("{what} is named twice"),
                false => format!("{what} belongs to partition `{owner}` already"),
            };
            let help = match same {
                true => "remove one".to_owned(),
                false => "each device, port, device page and interrupt line has one owner: \
                          remove it here, or reach it through a channel to the partition that owns it"
                    .to_owned(),
            };
            let label = if same { "again here" } else { "a second owner" };
            findings.add(
                Finding::new(code, message, &later.span, label)
                    .also(&first.span, format!("partition `{owner}` has {}", first.origin.owned()))
                    .help(help),
            );
        }
    }
}

impl Origin {
    fn owned(self) -> String {
        match self {
            Self::Listed => "it".to_owned(),
            other => other.to_string(),
        }
    }
}
