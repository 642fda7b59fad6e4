//! Any text is refused with reasons or becomes a plan whose archive decodes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use manifest::Manifest;
use partition_config::{StubImages, check};
use zerocopy::IntoBytes;

fuzz_target!(|text: &str| {
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
});
