//! Writing manifests: tables of records to the flat bytes that `manifest::Manifest::decode` reads.
//!
//! `tests/properties.rs` shows that what is written decodes to the same records.

use manifest::{
    Channel, Core, Doorbell, End, File, Grant, Header, Irq, MAGIC, Manifest, Memory, Name, Partition, Ports, Program,
    Range, Table, VERSION, checksum,
};
use zerocopy::{Immutable, IntoBytes};

/// The records of a manifest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tables {
    /// Name of the system.
    pub name: String,
    /// Partitions.
    pub partitions: Vec<Partition>,
    /// Cores.
    pub cores: Vec<Core>,
    /// RAM.
    pub memory: Vec<Memory>,
    /// Device memory.
    pub devices: Vec<Memory>,
    /// I/O ports.
    pub ports: Vec<Ports>,
    /// Interrupts.
    pub irqs: Vec<Irq>,
    /// Programs.
    pub programs: Vec<Program>,
    /// Channels.
    pub channels: Vec<Channel>,
    /// Channel ends.
    pub ends: Vec<End>,
    /// Doorbells.
    pub doorbells: Vec<Doorbell>,
    /// Files.
    pub files: Vec<File>,
    /// Grants.
    pub grants: Vec<Grant>,
    /// Arguments.
    pub strings: Vec<u8>,
}

impl Tables {
    /// The records of a manifest that was decoded.
    pub fn from_manifest(manifest: &Manifest<'_>) -> Self {
        Self {
            name: manifest.name().to_owned(),
            partitions: manifest.partitions().to_vec(),
            cores: manifest.cores().to_vec(),
            memory: manifest.memory().to_vec(),
            devices: manifest.devices().to_vec(),
            ports: manifest.ports().to_vec(),
            irqs: manifest.irqs().to_vec(),
            programs: manifest.programs().to_vec(),
            channels: manifest.channels().to_vec(),
            ends: manifest.ends().to_vec(),
            doorbells: manifest.doorbells().to_vec(),
            files: manifest.files().to_vec(),
            grants: manifest.grants().to_vec(),
            strings: manifest.strings().to_vec(),
        }
    }

    /// The manifest.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut body = Body { bytes: vec![0; size_of::<Header>()] };
        let partitions = body.put(&self.partitions);
        let cores = body.put(&self.cores);
        let memory = body.put(&self.memory);
        let devices = body.put(&self.devices);
        let ports = body.put(&self.ports);
        let irqs = body.put(&self.irqs);
        let programs = body.put(&self.programs);
        let channels = body.put(&self.channels);
        let ends = body.put(&self.ends);
        let doorbells = body.put(&self.doorbells);
        let files = body.put(&self.files);
        let grants = body.put(&self.grants);
        let strings = body.put(&self.strings);
        let mut bytes = body.bytes;
        let header_bytes = size_of::<Header>();
        let header = Header {
            magic: MAGIC,
            version: VERSION,
            header_bytes: header_bytes as u32,
            total_bytes: bytes.len() as u64,
            checksum: checksum(bytes.get(header_bytes..).unwrap_or(&[])),
            name: name(&self.name),
            partitions,
            cores,
            memory,
            devices,
            ports,
            irqs,
            programs,
            channels,
            ends,
            doorbells,
            files,
            grants,
            strings,
        };
        if let Some(place) = bytes.get_mut(..header_bytes) {
            place.copy_from_slice(header.as_bytes());
        }
        bytes
    }
}

struct Body {
    bytes: Vec<u8>,
}

impl Body {
    fn put<T: IntoBytes + Immutable>(&mut self, records: &[T]) -> Table {
        self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
        let offset = self.bytes.len() as u32;
        self.bytes.extend_from_slice(records.as_bytes());
        Table { offset, count: records.len() as u32 }
    }
}

/// A name of the manifest. The check has made sure that it fits; what does not is cut at a character.
pub fn name(text: &str) -> Name {
    let mut end = text.len().min(manifest::NAME_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).and_then(Name::new).unwrap_or(Name { bytes: [0; manifest::NAME_BYTES] })
}

/// Appends `records` to `table`; the range they now have.
pub fn append<T>(table: &mut Vec<T>, records: impl IntoIterator<Item = T>) -> Range {
    let start = table.len();
    table.extend(records);
    Range { start: start as u32, count: (table.len() - start) as u32 }
}
