//! The systems of `refusals.rs`: each breaks one rule, most in the smallest way.

mod form;
mod machine;
mod software;

use partition_config::Code;

/// A system that is refused.
pub struct Case {
    /// Name, and name of its snapshot.
    pub name: &'static str,
    /// The text.
    pub text: &'static str,
    /// All codes it is refused with, the point of the case first.
    pub codes: &'static [Code],
    /// What the first code's underlined text starts with; may be empty.
    pub culprit: &'static str,
}

/// Every case.
pub fn cases() -> impl Iterator<Item = &'static Case> {
    [form::CASES, machine::CASES, software::CASES].into_iter().flatten()
}

/// An ELF for another processor.
pub fn arm_elf() -> Vec<u8> {
    let mut bytes = partition_config::elf::tiny(0x40_0000, 0x1000);
    bytes[18] = 183;
    bytes
}

/// So many segments, each a page of its own.
pub fn elf_of_segments(count: u16) -> Vec<u8> {
    let mut bytes = partition_config::elf::tiny(0x40_0000, 0x1000);
    bytes[56..58].copy_from_slice(&count.to_le_bytes());
    let first = bytes[64..120].to_vec();
    for number in 1..u64::from(count) {
        let mut segment = first.clone();
        segment[16..24].copy_from_slice(&(0x40_0000 + 0x1000 * number).to_le_bytes());
        bytes.extend_from_slice(&segment);
    }
    bytes
}

/// Two segments, the second within the first.
pub fn overlapping_elf() -> Vec<u8> {
    let mut bytes = partition_config::elf::tiny(0x40_0000, 0x3000);
    bytes[56] = 2;
    let mut second = bytes[64..120].to_vec();
    second[16..24].copy_from_slice(&0x40_1000_u64.to_le_bytes());
    bytes.extend_from_slice(&second);
    bytes
}
