//! The startup block: what a program is told about itself, in one read-only page or a few.
//!
//! The root task writes it with [`write::EnvWriter`](crate::write::EnvWriter), the program reads it through [`Env`]. The
//! format is versioned plain data; reading never panics, a damaged table reads as empty. Tests: `write.rs`.
//!
//! ```text
//! Header | channels | files | devices | ports | irqs | arguments (zero-separated bytes)
//! ```

use manifest::Name;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// First word of the block.
pub const MAGIC: u64 = u64::from_le_bytes(*b"SKERRYEN");
/// Version of the layout.
pub const VERSION: u32 = 1;
/// "None", where a slot or a bit is optional.
pub const NONE: u32 = u32::MAX;

macro_rules! record {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident : $ty:ty),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
        #[repr(C)]
        pub struct $name { $($(#[$field_meta])* pub $field: $ty),+ }
    };
}

record! {
    /// Where a table lies: byte offset from the start of the block, number of records.
    Table {
        /// Bytes from the start of the block.
        offset: u32,
        /// Records, or bytes for the arguments.
        count: u32,
    }
}

record! {
    /// Opens the block.
    Header {
        /// [`MAGIC`].
        magic: u64,
        /// [`VERSION`].
        version: u32,
        /// Bytes of the whole block.
        total_bytes: u32,
        /// Name of this program.
        program: Name,
        /// Name of its partition.
        partition: Name,
        /// Start of the heap, or 0.
        heap_base: u64,
        /// Bytes of the heap.
        heap_bytes: u64,
        /// Lowest address of the stack.
        stack_base: u64,
        /// Bytes of the stack.
        stack_bytes: u64,
        /// TSC ticks per microsecond.
        tsc_mhz: u64,
        /// TSC when the loader began.
        loader_start_tsc: u64,
        /// [`Channel`] records.
        channels: Table,
        /// [`File`] records.
        files: Table,
        /// [`Device`] records (drivers only).
        devices: Table,
        /// [`Ports`] records (drivers only).
        ports: Table,
        /// [`Irq`] records (drivers only).
        irqs: Table,
        /// Arguments (`count` in bytes).
        args: Table,
    }
}

record! {
    /// One channel end of this program.
    Channel {
        /// Name of the channel.
        name: Name,
        /// Address.
        base: u64,
        /// Bytes.
        size: u64,
        /// Bit 0: readable. Bit 1: writable.
        access: u32,
        /// 0 for the end listed first, 1 for the other.
        side: u32,
        /// Slot of the doorbell that wakes the peer, or [`NONE`].
        doorbell: u32,
        /// Bit of the notification's badge that the peer's doorbell sets, or [`NONE`].
        badge_bit: u32,
    }
}

record! {
    /// A file granted to this program.
    File {
        /// Name.
        name: Name,
        /// Address.
        base: u64,
        /// Bytes.
        size: u64,
    }
}

record! {
    /// Device registers mapped for this program, uncached.
    Device {
        /// Physical address.
        phys: u64,
        /// Address.
        base: u64,
        /// Bytes.
        size: u64,
    }
}

record! {
    /// I/O ports `first ..= last` behind the capability in `slot`.
    Ports {
        /// First port.
        first: u16,
        /// Last port.
        last: u16,
        /// Slot of the capability.
        slot: u32,
    }
}

record! {
    /// An interrupt whose handler is in `slot`; it sets bit `badge_bit` of the notification's badge.
    Irq {
        /// As in the manifest: pin or message-signalled.
        kind: u32,
        /// Pin or user vector.
        number: u32,
        /// Slot of the handler.
        slot: u32,
        /// Bit of the badge.
        badge_bit: u32,
    }
}

/// Why a block cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnvError {
    /// Too short, or not 8-byte aligned.
    Short,
    /// Not a startup block, or one of another version.
    Version,
}

/// A program's view of its startup block.
#[derive(Clone, Copy, Debug)]
pub struct Env {
    bytes: &'static [u8],
    header: &'static Header,
}

impl Env {
    /// Reads the block at the start of `bytes`.
    pub fn from_bytes(bytes: &'static [u8]) -> Result<Self, EnvError> {
        let (header, _) = Header::ref_from_prefix(bytes).map_err(|_| EnvError::Short)?;
        if header.magic != MAGIC || header.version != VERSION {
            return Err(EnvError::Version);
        }
        let bytes = bytes.get(..header.total_bytes as usize).ok_or(EnvError::Short)?;
        Ok(Self { bytes, header })
    }

    fn table<T: FromBytes + Immutable + KnownLayout>(&self, table: Table) -> &'static [T] {
        let rest = self.bytes.get(table.offset as usize..).unwrap_or(&[]);
        <[T]>::ref_from_prefix_with_elems(rest, table.count as usize).map_or(&[], |(records, _)| records)
    }

    /// The fixed part.
    pub fn header(&self) -> &'static Header {
        self.header
    }

    /// Name of this program.
    pub fn program(&self) -> &'static str {
        self.header.program.as_str()
    }

    /// Name of its partition.
    pub fn partition(&self) -> &'static str {
        self.header.partition.as_str()
    }

    /// TSC ticks per microsecond.
    pub fn tsc_mhz(&self) -> u64 {
        self.header.tsc_mhz
    }

    /// The arguments, in order; empty ones are left out.
    pub fn args(&self) -> impl Iterator<Item = &'static str> + use<> {
        let text = core::str::from_utf8(self.table::<u8>(self.header.args)).unwrap_or("");
        text.split('\0').filter(|argument| !argument.is_empty())
    }

    /// Argument number `index` (from 0) as a number: decimal, or hexadecimal with `0x`.
    pub fn number(&self, index: usize) -> Option<u64> {
        let text = self.args().nth(index)?;
        match text.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16).ok(),
            None => text.parse().ok(),
        }
    }

    /// All channel ends of this program.
    pub fn channels(&self) -> &'static [Channel] {
        self.table(self.header.channels)
    }

    /// The files granted to it.
    pub fn files(&self) -> &'static [File] {
        self.table(self.header.files)
    }

    /// Its device registers (drivers only).
    pub fn devices(&self) -> &'static [Device] {
        self.table(self.header.devices)
    }

    /// Its I/O ports (drivers only).
    pub fn ports(&self) -> &'static [Ports] {
        self.table(self.header.ports)
    }

    /// Its interrupts (drivers only).
    pub fn irqs(&self) -> &'static [Irq] {
        self.table(self.header.irqs)
    }
}
