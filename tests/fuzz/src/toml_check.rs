//! Any text is refused with reasons or becomes a plan whose archive decodes.

use manifest::Manifest;
use partition_config::{StubImages, check};
use zerocopy::IntoBytes;

/// Checks `bytes` as a system file.
pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match check("fuzz.toml", text, &StubImages::default()) {
        Ok(plan) => {
            let archive = plan.archive();
            // An archive is whole pages; a vector of words is aligned.
            let words: Vec<u64> = archive.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word)).collect();
            assert!(Manifest::decode(words.as_bytes()).is_ok());
            assert!(!plan.tables().is_empty());
        }
        Err(report) => {
            assert!(!report.findings().is_empty());
            assert!(!report.to_plain_text().is_empty());
        }
    }
}
