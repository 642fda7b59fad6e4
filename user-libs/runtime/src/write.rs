//! Writing a startup block: the root task's side of [`env`](crate::env).

use crate::env::{Channel, Device, File, Header, Irq, MAGIC, Ports, Table, VERSION};
use alloc::vec;
use alloc::vec::Vec;
use core::mem::size_of;
use manifest::Name;
use zerocopy::{FromZeros, Immutable, IntoBytes};

/// Everything a block holds.
#[derive(Clone, Debug)]
pub struct EnvWriter {
    /// Its fixed part; the tables and sizes are filled in by [`finish`](Self::finish).
    pub header: Header,
    /// Channel ends.
    pub channels: Vec<Channel>,
    /// Granted files.
    pub files: Vec<File>,
    /// Device registers.
    pub devices: Vec<Device>,
    /// I/O ports.
    pub ports: Vec<Ports>,
    /// Interrupts.
    pub irqs: Vec<Irq>,
    /// Arguments, each followed by a zero byte.
    pub args: Vec<u8>,
}

impl EnvWriter {
    /// A block for `program` of `partition` with empty tables.
    pub fn new(program: Name, partition: Name) -> Self {
        let mut header = Header::new_zeroed();
        (header.magic, header.version, header.program, header.partition) = (MAGIC, VERSION, program, partition);
        Self {
            header,
            channels: Vec::new(),
            files: Vec::new(),
            devices: Vec::new(),
            ports: Vec::new(),
            irqs: Vec::new(),
            args: Vec::new(),
        }
    }

    /// Appends an argument.
    pub fn arg(&mut self, text: &str) {
        self.args.extend_from_slice(text.as_bytes());
        self.args.push(0);
    }

    /// The finished block.
    pub fn finish(mut self) -> Vec<u8> {
        let mut bytes = vec![0; size_of::<Header>()];
        self.header.channels = append(&mut bytes, &self.channels);
        self.header.files = append(&mut bytes, &self.files);
        self.header.devices = append(&mut bytes, &self.devices);
        self.header.ports = append(&mut bytes, &self.ports);
        self.header.irqs = append(&mut bytes, &self.irqs);
        self.header.args = append(&mut bytes, &self.args);
        self.header.total_bytes = bytes.len() as u32;
        bytes[..size_of::<Header>()].copy_from_slice(self.header.as_bytes());
        bytes
    }
}

fn append<T: IntoBytes + Immutable>(bytes: &mut Vec<u8>, records: &[T]) -> Table {
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    let table = Table { offset: bytes.len() as u32, count: records.len() as u32 };
    bytes.extend_from_slice(records.as_bytes());
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::{Env, EnvError, NONE};
    use proptest::prelude::*;

    fn leak(bytes: &[u8]) -> &'static [u8] {
        let mut words = vec![0u64; bytes.len().div_ceil(8)];
        words.as_mut_bytes()[..bytes.len()].copy_from_slice(bytes);
        &words.leak().as_bytes()[..bytes.len()]
    }

    fn name(text: &str) -> Name {
        Name::new(text).expect("short")
    }

    fn example() -> Vec<u8> {
        let mut writer = EnvWriter::new(name("reader"), name("west"));
        writer.header.tsc_mhz = 2500;
        writer.channels.push(Channel {
            name: name("text"),
            base: 0x20_0000_0000,
            size: 65536,
            access: 3,
            side: 0,
            doorbell: 16,
            badge_bit: NONE,
        });
        writer.files.push(File { name: name("input"), base: 0x40_0000_0000, size: 12345 });
        writer.ports.push(Ports { first: 0x60, last: 0x64, slot: 96 });
        ["20", "0x1f", "three"].into_iter().for_each(|text| writer.arg(text));
        writer.finish()
    }

    #[test]
    fn what_is_written_is_read() {
        let env = Env::from_bytes(leak(&example())).unwrap();
        assert_eq!((env.program(), env.partition(), env.tsc_mhz()), ("reader", "west", 2500));
        assert_eq!(env.args().collect::<Vec<_>>(), ["20", "0x1f", "three"]);
        assert_eq!((env.number(0), env.number(1), env.number(2), env.number(3)), (Some(20), Some(31), None, None));
        assert_eq!((env.channels().len(), env.channels()[0].doorbell), (1, 16));
        assert_eq!((env.files()[0].size, env.ports()[0].slot), (12345, 96));
        assert!(env.devices().is_empty() && env.irqs().is_empty());
    }

    #[test]
    fn another_version_is_refused() {
        let mut bytes = example();
        bytes[8] = 99;
        assert_eq!(Env::from_bytes(leak(&bytes)).err(), Some(EnvError::Version));
        assert_eq!(Env::from_bytes(leak(&bytes[..40])).err(), Some(EnvError::Short));
    }

    proptest! {
        #[test]
        fn damaged_blocks_never_panic(changes in proptest::collection::vec((12usize..400, any::<u8>()), 0..20)) {
            let mut bytes = example();
            for (place, value) in changes {
                if let Some(byte) = bytes.get_mut(place) {
                    *byte = value;
                }
            }
            if let Ok(env) = Env::from_bytes(leak(&bytes)) {
                let _ = (env.program().len(), env.args().count(), env.number(0));
                let _ = (env.channels().len(), env.files().len(), env.devices().len(), env.irqs().len());
            }
        }
    }
}
