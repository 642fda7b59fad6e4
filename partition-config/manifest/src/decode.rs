//! Decoding: any bytes in, a checked [`Manifest`] or a named refusal out.
//!
//! This file finds the tables and hands out slices of them; `check.rs` looks at what the records say. Tests:
//! `tests/decode.rs`, and `partition-config/tests/properties.rs`.

use crate::check;
use crate::checksum::checksum;
use crate::error::DecodeError;
use crate::record::*;
use core::mem::size_of;
use zerocopy::{FromBytes, Immutable, KnownLayout};

/// A manifest whose every index, range and name was checked; borrows the bytes it was decoded from.
#[derive(Clone, Copy, Debug)]
pub struct Manifest<'a> {
    bytes: &'a [u8],
    header: &'a Header,
    partitions: &'a [Partition],
    cores: &'a [Core],
    memory: &'a [Memory],
    devices: &'a [Memory],
    ports: &'a [Ports],
    irqs: &'a [Irq],
    programs: &'a [Program],
    channels: &'a [Channel],
    ends: &'a [End],
    doorbells: &'a [Doorbell],
    files: &'a [File],
    grants: &'a [Grant],
    strings: &'a [u8],
}

impl<'a> Manifest<'a> {
    /// Checks `bytes`, which must start at a multiple of 8 and may be longer than the manifest (an archive, a page).
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        if !bytes.as_ptr().addr().is_multiple_of(8) {
            return Err(DecodeError::Misaligned);
        }
        let given = bytes.len() as u64;
        let header_bytes = size_of::<Header>();
        let (header, _) =
            Header::ref_from_prefix(bytes).map_err(|_| DecodeError::Short { needed: header_bytes as u64, given })?;
        if header.magic != MAGIC {
            return Err(DecodeError::Magic);
        }
        if header.version != VERSION {
            return Err(DecodeError::Version(header.version));
        }
        if header.header_bytes as usize != header_bytes || header.total_bytes < header_bytes as u64 {
            return Err(DecodeError::HeaderSize);
        }
        let short = DecodeError::Short { needed: header.total_bytes, given };
        let total = usize::try_from(header.total_bytes).map_err(|_| short)?;
        let bytes = bytes.get(..total).ok_or(short)?;
        let found = checksum(bytes.get(header_bytes..).unwrap_or(&[]));
        if found != header.checksum {
            return Err(DecodeError::Checksum { expected: header.checksum, found });
        }

        let mut tables = Tables { bytes, next: header_bytes };
        let manifest = Self {
            bytes,
            header,
            partitions: tables.take("partitions", header.partitions)?,
            cores: tables.take("cores", header.cores)?,
            memory: tables.take("memory", header.memory)?,
            devices: tables.take("devices", header.devices)?,
            ports: tables.take("ports", header.ports)?,
            irqs: tables.take("irqs", header.irqs)?,
            programs: tables.take("programs", header.programs)?,
            channels: tables.take("channels", header.channels)?,
            ends: tables.take("ends", header.ends)?,
            doorbells: tables.take("doorbells", header.doorbells)?,
            files: tables.take("files", header.files)?,
            grants: tables.take("grants", header.grants)?,
            strings: tables.take("strings", header.strings)?,
        };
        check::records(&manifest)?;
        Ok(manifest)
    }

    /// The manifest's own bytes, without anything that followed them.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The header.
    pub fn header(&self) -> &'a Header {
        self.header
    }

    /// Name of the system.
    pub fn name(&self) -> &'a str {
        self.header.name.as_str()
    }

    /// All partitions; exactly one in a partition manifest.
    pub fn partitions(&self) -> &'a [Partition] {
        self.partitions
    }

    /// All cores, of every partition.
    pub fn cores(&self) -> &'a [Core] {
        self.cores
    }

    /// All RAM ranges, of every partition.
    pub fn memory(&self) -> &'a [Memory] {
        self.memory
    }

    /// All device ranges, of every partition (channels are not among them).
    pub fn devices(&self) -> &'a [Memory] {
        self.devices
    }

    /// All port ranges.
    pub fn ports(&self) -> &'a [Ports] {
        self.ports
    }

    /// All interrupts.
    pub fn irqs(&self) -> &'a [Irq] {
        self.irqs
    }

    /// All programs.
    pub fn programs(&self) -> &'a [Program] {
        self.programs
    }

    /// All channels.
    pub fn channels(&self) -> &'a [Channel] {
        self.channels
    }

    /// All channel ends.
    pub fn ends(&self) -> &'a [End] {
        self.ends
    }

    /// All doorbells.
    pub fn doorbells(&self) -> &'a [Doorbell] {
        self.doorbells
    }

    /// All files.
    pub fn files(&self) -> &'a [File] {
        self.files
    }

    /// All grants.
    pub fn grants(&self) -> &'a [Grant] {
        self.grants
    }

    /// The string table.
    pub fn strings(&self) -> &'a [u8] {
        self.strings
    }

    /// The partition's cores.
    pub fn cores_of(&self, partition: &Partition) -> &'a [Core] {
        slice(self.cores, partition.cores)
    }

    /// The partition's RAM; the kernel lives at the base of the first range.
    pub fn memory_of(&self, partition: &Partition) -> &'a [Memory] {
        slice(self.memory, partition.memory)
    }

    /// The partition's MMIO ranges (channels are found through [`Self::ends_of`]).
    pub fn devices_of(&self, partition: &Partition) -> &'a [Memory] {
        slice(self.devices, partition.devices)
    }

    /// The partition's port ranges.
    pub fn ports_of(&self, partition: &Partition) -> &'a [Ports] {
        slice(self.ports, partition.ports)
    }

    /// The partition's interrupts.
    pub fn irqs_of(&self, partition: &Partition) -> &'a [Irq] {
        slice(self.irqs, partition.irqs)
    }

    /// The partition's programs.
    pub fn programs_of(&self, partition: &Partition) -> &'a [Program] {
        slice(self.programs, partition.programs)
    }

    /// The partition's channel ends.
    pub fn ends_of(&self, partition: &Partition) -> &'a [End] {
        slice(self.ends, partition.ends)
    }

    /// The doorbells the partition may ring, in the order of their route numbers.
    pub fn doorbells_of(&self, partition: &Partition) -> &'a [Doorbell] {
        slice(self.doorbells, partition.doorbells_out)
    }

    /// The files the loader copies into the partition.
    pub fn files_of(&self, partition: &Partition) -> &'a [File] {
        slice(self.files, partition.files)
    }

    /// The data files granted to a program.
    pub fn grants_of(&self, program: &Program) -> impl Iterator<Item = &'a File> + use<'a> {
        let files = self.files;
        slice(self.grants, program.grants).iter().filter_map(move |grant| files.get(grant.file as usize))
    }

    /// The program's arguments, in order.
    pub fn args_of(&self, program: &Program) -> impl Iterator<Item = &'a str> + use<'a> {
        let text = core::str::from_utf8(slice(self.strings, program.args)).unwrap_or("");
        text.split('\0').filter(|arg| !arg.is_empty())
    }

    /// The program's channel ends with their position in [`Self::ends`]; `program` is an index of [`Self::programs`], or
    /// [`NONE`] for those of a root task of the user's own.
    pub fn ends_of_program(&self, program: u32) -> impl Iterator<Item = (usize, &'a End)> + use<'a> {
        self.ends.iter().enumerate().filter(move |(_, end)| end.program == program)
    }

    /// The file with this index, if `index` is one ([`NONE`] is not).
    pub fn file(&self, index: u32) -> Option<&'a File> {
        self.files.get(index as usize)
    }

    /// The channel of an end.
    pub fn channel_of(&self, end: &End) -> Option<&'a Channel> {
        self.channels.get(end.channel as usize)
    }

    /// The other end of the channel of `end`, if this manifest has it.
    pub fn peer_of(&self, end: &End) -> Option<&'a End> {
        self.ends.iter().find(|other| other.channel == end.channel && other.side != end.side)
    }

    /// The doorbell that an end rings, if it rings another partition.
    pub fn doorbell_of(&self, end: &End) -> Option<&'a Doorbell> {
        self.doorbells.get(end.rings as usize)
    }
}

/// The records of `range`; none if it leaves the table (which `decode` has excluded for its own records).
fn slice<T>(table: &[T], range: Range) -> &[T] {
    let start = range.start as usize;
    start.checked_add(range.count as usize).and_then(|end| table.get(start..end)).unwrap_or(&[])
}

/// Takes tables in the order of the layout; each starts behind the end of the one before.
struct Tables<'a> {
    bytes: &'a [u8],
    next: usize,
}

impl<'a> Tables<'a> {
    fn take<T: FromBytes + Immutable + KnownLayout>(
        &mut self,
        name: &'static str,
        table: Table,
    ) -> Result<&'a [T], DecodeError> {
        let refused = DecodeError::Table(name);
        let (start, count) = (table.offset as usize, table.count as usize);
        let end = count.checked_mul(size_of::<T>()).and_then(|size| start.checked_add(size)).ok_or(refused)?;
        if start < self.next || !start.is_multiple_of(8) {
            return Err(refused);
        }
        let bytes = self.bytes.get(start..end).ok_or(refused)?;
        self.next = end;
        <[T]>::ref_from_bytes_with_elems(bytes, count).map_err(|_| refused)
    }
}
