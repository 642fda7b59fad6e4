//! Sizes (`64M`), ranges (`0x2000000+64M`, `0x3f8-0x3ff`), times (`10ms`): text to numbers, and numbers to text.

use crate::code::Code;
use crate::diagnostic::{Finding, Findings};
use crate::read::{Read, integer, wrong_type};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;
use std::fmt;
use toml::Spanned;
use toml::de::DeValue;

/// One page.
pub const PAGE: u64 = 4096;
/// One large page, the grain of partition memory.
pub const LARGE_PAGE: u64 = 2 << 20;
/// 1024 × 1024 bytes.
pub const MIB: u64 = 1 << 20;
/// 1024 MiB.
pub const GIB: u64 = 1 << 30;

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

/// A physical range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Extent {
    /// First byte.
    pub base: u64,
    /// Bytes; `base + size` does not overflow.
    pub size: u64,
}

impl Extent {
    /// One behind the last byte.
    pub fn end(self) -> u64 {
        self.base.saturating_add(self.size)
    }

    /// Whether the two have a byte in common.
    pub fn overlaps(self, other: Self) -> bool {
        self.base < other.end() && other.base < self.end()
    }

    /// Whether base and size are multiples of `grain`.
    pub fn is_aligned(self, grain: u64) -> bool {
        self.base.is_multiple_of(grain) && self.size.is_multiple_of(grain)
    }
}

/// I/O ports, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PortExtent {
    /// First port.
    pub first: u16,
    /// Last port.
    pub last: u16,
}

impl PortExtent {
    /// Whether the two have a port in common.
    pub fn overlaps(self, other: Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

/// A length of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time {
    /// Microseconds.
    pub us: u64,
}

/// A number, decimal or `0x…`, `_` allowed between digits.
pub(crate) fn number(text: &str) -> Option<u64> {
    let digits: String = text.chars().filter(|&c| c != '_').collect();
    match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hex) if hex.starts_with(|c: char| c.is_ascii_hexdigit()) => u64::from_str_radix(hex, 16).ok(),
        Some(_) => None,
        None if digits.starts_with(|c: char| c.is_ascii_digit()) => digits.parse().ok(),
        None => None,
    }
}

/// A number of bytes with an optional unit: `4096`, `0x1000`, `64K`, `8M`, `1G`, `2T` (also `64KiB`).
pub(crate) fn bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    if let Some(plain) = number(text) {
        return Some(plain);
    }
    let text = text.strip_suffix("iB").unwrap_or(text);
    let shift = match text.chars().next_back()? {
        'K' => 10,
        'M' => 20,
        'G' => 30,
        'T' => 40,
        _ => return None,
    };
    let digits = text.get(..text.len() - 1)?.trim_end();
    number(digits)?.checked_mul(1 << shift)
}

/// `base+size` or `first-last`, the latter with the last byte included.
pub(crate) fn extent(text: &str) -> Option<Extent> {
    let (base, size) = match (text.split_once('+'), text.split_once('-')) {
        (Some((base, size)), None) => (bytes(base)?, bytes(size)?),
        (None, Some((first, last))) => {
            let first = bytes(first)?;
            (first, bytes(last)?.checked_sub(first)?.checked_add(1)?)
        }
        _ => return None,
    };
    base.checked_add(size)?;
    Some(Extent { base, size })
}

/// `first-last`, `first+count` or a single port.
pub(crate) fn ports(text: &str) -> Option<PortExtent> {
    let extent = extent(text).or_else(|| Some(Extent { base: bytes(text)?, size: 1 }))?;
    let last = extent.end().checked_sub(1)?;
    (extent.size > 0).then_some(PortExtent { first: extent.base.try_into().ok()?, last: last.try_into().ok()? })
}

/// `500us`, `10ms`, `1s`.
pub(crate) fn time(text: &str) -> Option<Time> {
    let text = text.trim();
    let (digits, factor) = match (text.strip_suffix("us"), text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(digits), ..) => (digits, 1),
        (_, Some(digits), _) => (digits, 1000),
        (.., Some(digits)) => (digits, 1_000_000),
        _ => return None,
    };
    Some(Time { us: number(digits.trim_end())?.checked_mul(factor)? })
}

impl fmt::Display for Size {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(40, "T"), (30, "G"), (20, "M"), (10, "K")];
        match units.into_iter().find(|&(shift, _)| self.0 != 0 && self.0.is_multiple_of(1 << shift)) {
            Some((shift, unit)) => write!(out, "{}{unit}", self.0 >> shift),
            None => write!(out, "{}", self.0),
        }
    }
}

impl fmt::Display for Extent {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:#x}+{}", self.base, Size(self.size))
    }
}

impl fmt::Display for PortExtent {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.first == self.last {
            true => write!(out, "{:#x}", self.first),
            false => write!(out, "{:#x}-{:#x}", self.first, self.last),
        }
    }
}

impl fmt::Display for Time {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.us {
            us if us != 0 && us.is_multiple_of(1_000_000) => write!(out, "{}s", us / 1_000_000),
            us if us != 0 && us.is_multiple_of(1000) => write!(out, "{}ms", us / 1000),
            us => write!(out, "{us}us"),
        }
    }
}

/// A size for the eye: exact if it has a unit, else rounded up.
pub fn rough(bytes: u64) -> String {
    match bytes {
        0..1024 => bytes.to_string(),
        _ if bytes.is_multiple_of(MIB) => Size(bytes).to_string(),
        1024..0xa0_0000 => format!("{}K", bytes.div_ceil(1024)),
        _ => format!("{}M", bytes.div_ceil(MIB)),
    }
}

/// Reads a string with `parse`, or says what the string should have looked like.
fn read_text<T>(
    value: &Spanned<DeValue<'_>>,
    parse: impl Fn(&str) -> Option<T>,
    (code, what, examples): (Code, &str, &str),
    findings: &mut Findings,
) -> Option<T> {
    let Some(text) = value.get_ref().as_str() else {
        wrong_type(value, what, findings);
        return None;
    };
    let parsed = parse(text);
    if parsed.is_none() {
        let message = format!("`{text}` is not {what}");
        findings.add(Finding::new(code, message, &value.span(), "cannot be read").help(format!("write {examples}")));
    }
    parsed
}

macro_rules! text_schema {
    ($name:ident, $schema_name:literal, $schema:tt) => {
        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                $schema_name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    };
}

text_schema!(Size, "Size", {
    "type": ["string", "integer"],
    "pattern": "^(0[xX][0-9a-fA-F_]+|[0-9][0-9_]*) *(([KMGT])(iB)?)?$",
    "minimum": 0,
    "description": "A number of bytes: \"4K\", \"64M\", \"1G\", or a plain integer."
});
text_schema!(Extent, "Extent", {
    "type": "string",
    "pattern": "^[^+-]+[+-][^+-]+$",
    "description": "A physical range: \"0x2000000+64M\" (base and size) or \"0xfed00000-0xfed00fff\" (first and last byte)."
});
text_schema!(PortExtent, "Ports", {
    "type": "string",
    "pattern": "^[^+-]+([+-][^+-]+)?$",
    "description": "I/O ports: \"0x3f8-0x3ff\" (first and last), \"0x3f8+8\" (first and how many), or one port."
});
text_schema!(Time, "Time", {
    "type": "string",
    "pattern": "^[0-9][0-9_]* *(us|ms|s)$",
    "description": "A length of time: \"500us\", \"10ms\", \"1s\"."
});

impl Read for Size {
    fn read(value: &Spanned<DeValue<'_>>, findings: &mut Findings) -> Option<Self> {
        if let Some(plain) = integer(value.get_ref()) {
            return Some(Self(plain));
        }
        let wanted = (Code::Unit, "a size", "a number and a unit, such as \"4K\", \"64M\" or \"1G\"");
        read_text(value, bytes, wanted, findings).map(Self)
    }
}

impl Read for Extent {
    fn read(value: &Spanned<DeValue<'_>>, findings: &mut Findings) -> Option<Self> {
        let wanted = (Code::BadRange, "a physical range", "base and size, such as \"0x2000000+64M\"");
        read_text(value, extent, wanted, findings)
    }
}

impl Read for PortExtent {
    fn read(value: &Spanned<DeValue<'_>>, findings: &mut Findings) -> Option<Self> {
        let wanted = (Code::BadRange, "a range of I/O ports", "first and last port, such as \"0x3f8-0x3ff\"");
        read_text(value, ports, wanted, findings)
    }
}

impl Read for Time {
    fn read(value: &Spanned<DeValue<'_>>, findings: &mut Findings) -> Option<Self> {
        let wanted = (Code::Unit, "a time", "a number and a unit, such as \"500us\", \"10ms\" or \"1s\"");
        read_text(value, time, wanted, findings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_have_units_of_1024() {
        assert_eq!(bytes("64M"), Some(64 << 20));
        assert_eq!(bytes("4 KiB"), Some(4096));
        assert_eq!(bytes("0x1_000"), Some(4096));
        assert_eq!(bytes("1G"), Some(GIB));
        for wrong in ["", "M", "12Q", "1.5M", "-4K", "99999999999T", "0x", "4KB", "é", "4é"] {
            assert_eq!(bytes(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn ranges_are_base_and_size_or_first_and_last() {
        assert_eq!(extent("0x2000000+64M"), Some(Extent { base: 0x200_0000, size: 64 << 20 }));
        assert_eq!(extent("0x1000-0x1fff"), Some(Extent { base: 0x1000, size: 0x1000 }));
        assert_eq!(ports("0x60"), Some(PortExtent { first: 0x60, last: 0x60 }));
        for wrong in ["0x2000", "2-1", "0xffffffffffffffff+1", "1+2+3", "1+2-3"] {
            assert_eq!(extent(wrong), None, "{wrong}");
        }
        assert_eq!(ports("0xffff+2"), None);
        assert_eq!(ports("0x60+0"), None);
    }

    #[test]
    fn times_need_a_unit() {
        assert_eq!(time("10ms"), Some(Time { us: 10_000 }));
        assert_eq!(time("1s"), Some(Time { us: 1_000_000 }));
        assert_eq!(time("500 us"), Some(Time { us: 500 }));
        assert_eq!(time("10"), None);
        assert_eq!(time("10m"), None);
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back(value: u64, us in 0..u64::MAX / 1_000_000) {
            prop_assert_eq!(bytes(&Size(value).to_string()), Some(value));
            prop_assert_eq!(time(&Time { us }.to_string()), Some(Time { us }));
        }

        #[test]
        fn any_text_is_read_without_a_panic(text: String) {
            let _ = (bytes(&text), extent(&text), ports(&text), time(&text));
        }
    }
}
