//! Why bytes are not a manifest. Every refusal names the culprit; none carries anything but static text and numbers.

use core::fmt;

/// Why [`crate::Manifest::decode`] refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// Fewer bytes than a header, or than the header promises.
    Short {
        /// Bytes needed.
        needed: u64,
        /// Bytes given.
        given: u64,
    },
    /// The bytes do not start at a multiple of 8.
    Misaligned,
    /// The first eight bytes are not [`crate::MAGIC`].
    Magic,
    /// Written for another version of the layout.
    Version(u32),
    /// The header has another size than this version's, or the total is smaller than the header.
    HeaderSize,
    /// What follows the header is damaged.
    Checksum {
        /// As the header says.
        expected: u64,
        /// As computed.
        found: u64,
    },
    /// A table lies outside the manifest, is misaligned, or overlaps the one before it.
    Table(&'static str),
    /// A name is empty, not UTF-8, or has bytes behind its zero.
    Name {
        /// The table.
        table: &'static str,
        /// The record.
        index: u32,
    },
    /// A field of a record has no meaning or points outside its table.
    Field {
        /// The table.
        table: &'static str,
        /// The record.
        index: u32,
        /// The field.
        field: &'static str,
    },
}

impl fmt::Display for DecodeError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Short { needed, given } => write!(out, "the manifest needs {needed} bytes, there are {given}"),
            Self::Misaligned => write!(out, "the manifest is not 8-byte aligned"),
            Self::Magic => write!(out, "this is not a manifest"),
            Self::Version(version) => {
                write!(out, "the manifest has version {version}, this reads version {}", crate::VERSION)
            }
            Self::HeaderSize => write!(out, "the manifest's header has the wrong size"),
            Self::Checksum { expected, found } => {
                write!(out, "the manifest is damaged: checksum {found:#018x}, expected {expected:#018x}")
            }
            Self::Table(table) => write!(out, "the manifest's table of {table} lies outside its place"),
            Self::Name { table, index } => write!(out, "name {index} of the manifest's {table} is not a name"),
            Self::Field { table, index, field } => {
                write!(out, "record {index} of the manifest's {table}: `{field}` is out of range")
            }
        }
    }
}

impl core::error::Error for DecodeError {}
