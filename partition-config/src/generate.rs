//! A system with a partition for each core, in which every core rings its neighbour and reports.

use crate::size::{LARGE_PAGE, Size, bytes};
use std::fmt::Write as _;

/// Most partitions of a generated system.
pub const CORES_LAST: u32 = 255;

/// Why no system is generated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GenerateError(String);

impl std::fmt::Display for GenerateError {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for GenerateError {}

/// The text of a system file with `cores` partitions (1 to [`CORES_LAST`]), each with `memory`, such as "8M".
///
/// # Errors
/// When a number is out of range, or `memory` is not a multiple of 2M.
pub fn generate(cores: u32, memory: &str) -> Result<String, GenerateError> {
    if !(1..=CORES_LAST).contains(&cores) {
        return Err(GenerateError(format!("{cores} cores are not 1 to {CORES_LAST}")));
    }
    let size = bytes(memory).filter(|&size| size > 0 && size.is_multiple_of(LARGE_PAGE));
    let Some(memory) = size.map(Size) else {
        return Err(GenerateError(format!("`{memory}` is no multiple of 2M, such as 8M")));
    };
    let mut text = format!(
        "# Every core rings its neighbour and reports. Written by `cargo xtask generate --cores {cores}`.\n\n\
         [system]\nname = \"neighbours-{cores}\"\n"
    );
    let _ = write!(text, "\n[system.defaults]\nmemory = \"{memory}\"\n");
    for core in 0..cores {
        let _ = write!(
            text,
            "\n[[partition]]\nname = \"core-{core}\"\ncores = [{core}]\n\n[[partition.program]]\nimage = \"neighbour\"\n"
        );
    }
    // One core has no neighbour.
    for core in 0..if cores > 1 { cores } else { 0 } {
        let next = (core + 1) % cores;
        let _ = write!(
            text,
            "\n[[channel]]\nname = \"ring-{core}\"\nends = [\"core-{core}/neighbour\", \"core-{next}/neighbour\"]\n\
             size = \"4K\"\ndoorbells = \"forward\"\n"
        );
    }
    Ok(text)
}
