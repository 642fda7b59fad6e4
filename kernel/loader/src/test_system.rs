//! Small systems for tests: manifests from editable tables, ELF files from lists of segments, archives from both.

use crate::Refusal;
use crate::archive::Archive;
use manifest::handoff::{KERNEL_VIRT_BASE, SEGMENT_OF_GATE};
use manifest::{
    Channel, Core, Doorbell, End, File, Grant, Header, Irq, MAGIC, Memory, NONE, Name, Partition, Ports, Program,
    Range, Table, VERSION, checksum, console,
};
use zerocopy::{FromZeros, Immutable, IntoBytes};

/// The tables of a manifest.
#[derive(Clone, Default)]
pub struct Tables {
    pub partitions: Vec<Partition>,
    pub cores: Vec<Core>,
    pub memory: Vec<Memory>,
    pub devices: Vec<Memory>,
    pub ports: Vec<Ports>,
    pub irqs: Vec<Irq>,
    pub programs: Vec<Program>,
    pub channels: Vec<Channel>,
    pub ends: Vec<End>,
    pub doorbells: Vec<Doorbell>,
    pub files: Vec<File>,
    pub grants: Vec<Grant>,
    pub strings: Vec<u8>,
}

impl Tables {
    /// The manifest's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut body = Vec::new();
        let mut header = Header::new_zeroed();
        header.partitions = append(&mut body, &self.partitions);
        header.cores = append(&mut body, &self.cores);
        header.memory = append(&mut body, &self.memory);
        header.devices = append(&mut body, &self.devices);
        header.ports = append(&mut body, &self.ports);
        header.irqs = append(&mut body, &self.irqs);
        header.programs = append(&mut body, &self.programs);
        header.channels = append(&mut body, &self.channels);
        header.ends = append(&mut body, &self.ends);
        header.doorbells = append(&mut body, &self.doorbells);
        header.files = append(&mut body, &self.files);
        header.grants = append(&mut body, &self.grants);
        header.strings = append(&mut body, &self.strings);
        header.magic = MAGIC;
        header.version = VERSION;
        header.header_bytes = size_of::<Header>() as u32;
        header.total_bytes = (size_of::<Header>() + body.len()) as u64;
        header.checksum = checksum(&body);
        header.name = Name::new("test").unwrap();
        [header.as_bytes(), &body].concat()
    }
}

fn append<T: IntoBytes + Immutable>(body: &mut Vec<u8>, records: &[T]) -> Table {
    body.resize(body.len().next_multiple_of(8), 0);
    let offset = (size_of::<Header>() + body.len()) as u32;
    body.extend_from_slice(records.as_bytes());
    Table { offset, count: records.len() as u32 }
}

/// An archive, 8-byte aligned.
pub struct System {
    words: Vec<u64>,
    size: usize,
}

impl System {
    fn from_bytes(bytes: &[u8]) -> Self {
        let words = bytes.chunks(8).map(|chunk| {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            u64::from_ne_bytes(word)
        });
        Self { words: words.collect(), size: bytes.len() }
    }

    /// The archive's bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.words.as_bytes()[..self.size]
    }

    /// The same with changed bytes.
    pub fn with(&self, change: impl FnOnce(&mut Vec<u8>)) -> Self {
        let mut bytes = self.bytes().to_vec();
        change(&mut bytes);
        Self::from_bytes(&bytes)
    }

    /// The decoded archive.
    pub fn open(&self) -> Result<Archive<'_>, Refusal> {
        Archive::open(self.bytes())
    }

    /// The decoded archive of a system that is not damaged.
    pub fn archive(&self) -> Archive<'_> {
        self.open().unwrap()
    }

    /// Partitions "one" (core 0, 16 to 24 MiB) and "two" (core 1, 24 to 32 MiB), channel "line" behind them.
    pub fn two_partitions() -> Self {
        Self::edited(|_| {})
    }

    /// [`System::two_partitions`] with the system manifest's tables changed.
    pub fn edited(edit: impl FnOnce(&mut Tables)) -> Self {
        Self::with_kernel(&kernel_elf(), &root_elf(), edit)
    }

    /// With other ELF files.
    pub fn with_kernel(kernel: &[u8], root: &[u8], edit: impl FnOnce(&mut Tables)) -> Self {
        let range = |start: u32, count: u32| Range { start, count };
        let mut tables = Tables { channels: vec![channel("line", 32 << 20, 0x2000)], ..Tables::default() };
        let contents: [(&str, &[u8]); 3] = [("kernel", kernel), ("root", root), ("data", b"data of one")];
        let mut manifests = Vec::new();
        for (index, name) in ["one", "two"].into_iter().enumerate() {
            let number = index as u32;
            let files = if index == 0 { range(1, 2) } else { range(1, 1) };
            let mut record = partition(name, number, files);
            let peer = 1 - number;
            let bell = Doorbell { core: peer, vector: 0xa3, channel: 0, route: 0 };
            let end = End { channel: 0, program: number, access: 3, side: number, rings: number, hears: 0xa3 };
            tables.cores.push(Core { number, node: 0 });
            tables.memory.push(Memory { base: (16 << 20) + u64::from(number) * (8 << 20), size: 8 << 20 });
            tables.programs.push(program(files.start));
            tables.ends.push(end);
            tables.doorbells.push(bell);
            tables.partitions.push(record);

            for all in [
                &mut record.cores,
                &mut record.memory,
                &mut record.programs,
                &mut record.ends,
                &mut record.doorbells_out,
            ] {
                all.start = 0;
            }
            record.files = range(0, files.count);
            (record.kernel, record.root_task) = (NONE, NONE);
            let mut offset = 0;
            let own_files = contents[1..1 + files.count as usize].iter().map(|(name, bytes)| {
                let placed = file(name, offset, bytes);
                offset += (bytes.len() as u64).next_multiple_of(4096);
                placed
            });
            let own = Tables {
                partitions: vec![record],
                cores: vec![tables.cores[index]],
                memory: vec![tables.memory[index]],
                programs: vec![program(0)],
                channels: tables.channels.clone(),
                ends: vec![End { program: 0, rings: 0, ..end }],
                doorbells: vec![bell],
                files: own_files.collect(),
                ..Tables::default()
            };
            manifests.push((format!("manifest:{index}"), own.encode()));
        }
        let mut contents: Vec<(String, Vec<u8>)> =
            contents.iter().map(|(name, bytes)| (name.to_string(), bytes.to_vec())).collect();
        edit(&mut tables);
        // Partitions that `edit` has added are told the same as the first.
        for index in 2..tables.partitions.len() {
            manifests.push((format!("manifest:{index}"), manifests[0].1.clone()));
        }
        contents.extend(manifests);
        tables.files = contents.iter().map(|(name, bytes)| file(name, 0, bytes)).collect();
        let mut archive = tables.encode();
        for (index, (_, bytes)) in contents.iter().enumerate() {
            archive.resize(archive.len().next_multiple_of(4096), 0);
            tables.files[index].offset = archive.len() as u64;
            archive.extend_from_slice(bytes);
        }
        let manifest = tables.encode();
        archive[..manifest.len()].copy_from_slice(&manifest);
        Self::from_bytes(&archive)
    }
}

fn partition(name: &str, number: u32, files: Range) -> Partition {
    let mut record = Partition::new_zeroed();
    record.name = Name::new(name).unwrap();
    record.console_kind = console::UART;
    record.console_port = [0x3f8, 0x2f8][number as usize];
    record.root_task = 1;
    let one = Range { start: number, count: 1 };
    (record.cores, record.memory, record.programs, record.ends, record.doorbells_out) = (one, one, one, one, one);
    record.files = files;
    record
}

fn program(image: u32) -> Program {
    let mut record = Program::new_zeroed();
    record.name = Name::new("program").unwrap();
    (record.image, record.budget_us, record.period_us, record.stack_bytes) = (image, 1000, 1000, 4096);
    record
}

fn channel(name: &str, base: u64, size: u64) -> Channel {
    Channel { name: Name::new(name).unwrap(), base, size }
}

fn file(name: &str, offset: u64, bytes: &[u8]) -> File {
    File { name: Name::new(name).unwrap(), offset, size: bytes.len() as u64, checksum: checksum(bytes) }
}

/// A static x86-64 ELF file from segments (virtual address, `PF_*` flags, bytes in the file, size in memory).
pub fn elf(entry: u64, segments: &[(u64, u32, &[u8], u64)]) -> Vec<u8> {
    let mut bytes = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    bytes.extend([2_u16, 62].iter().flat_map(|it| it.to_le_bytes()));
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend([entry, 64, 0].iter().flat_map(|it| it.to_le_bytes()));
    bytes.extend(0_u32.to_le_bytes());
    bytes.extend([64_u16, 56, segments.len() as u16, 64, 0, 0].iter().flat_map(|it| it.to_le_bytes()));
    let mut offset = 64 + 56 * segments.len() as u64;
    for (virt, flags, data, size) in segments {
        bytes.extend([1_u32, *flags].iter().flat_map(|it| it.to_le_bytes()));
        let words = [offset, *virt, *virt, data.len() as u64, *size, 16];
        bytes.extend(words.iter().flat_map(|it| it.to_le_bytes()));
        offset += data.len() as u64;
    }
    segments.iter().for_each(|(_, _, data, _)| bytes.extend_from_slice(data));
    bytes
}

/// Text, rodata, data with bss, and in the gate: the text, and data of two pages.
pub fn kernel_elf() -> Vec<u8> {
    elf(
        KERNEL_VIRT_BASE + 0x10,
        &[
            (KERNEL_VIRT_BASE, 5 | SEGMENT_OF_GATE, &[0x90; 0x1800], 0x1800),
            (KERNEL_VIRT_BASE + 0x3000, 4, b"read only", 9),
            (KERNEL_VIRT_BASE + 0x4000, 6, b"data", 0x3004),
            (KERNEL_VIRT_BASE + 0x9000, 6 | SEGMENT_OF_GATE, b"", 0x1004),
        ],
    )
}

/// Two segments with a gap.
pub fn root_elf() -> Vec<u8> {
    elf(0x40_0100, &[(0x40_0100, 5, b"root text", 9), (0x40_3000, 6, b"root data", 0x1800)])
}
