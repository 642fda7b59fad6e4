//! The four-core pipeline: reader → tokenizer → counter → reporter.
//!
//! Words are maximal runs of ASCII letters, lower-cased. What crosses the channels:
//!
//! | from | kind | payload |
//! |---|---|---|
//! | reader | `DATA` | bytes of the file |
//! | tokenizer | `DATA` | words, each followed by a line feed; a word may be cut between two messages |
//! | counter | `DATA` | a count (8 bytes), then the word or its last piece |
//! | counter | `PART` | a piece of a word too long for one message |
//! | all | `END` | the end: the figures of all stages so far |
//! | all | `FAIL` | the end, because this stage or one before it failed |
//!
//! No word is too long and no text too large for the protocol; what limits both is the heap of counter and reporter,
//! and that limit ends in a message, not in a wrong count. Tests: `tests.rs`, against a simple count.

pub mod counter;
pub mod counts;
pub mod figures;
pub mod reader;
pub mod reporter;
pub mod tokenizer;
pub mod top;
pub mod words;

#[cfg(test)]
mod tests;

/// Contents.
pub const DATA: u32 = 0;
/// The end of the stream, with figures.
pub const END: u32 = 1;
/// The stream ends here because a stage failed.
pub const FAIL: u32 = 2;
/// A piece of a long word, more of it follows.
pub const PART: u32 = 3;

/// Largest payload the stages send: enough to make the cost of a message small, small enough that several are under way.
pub const CHUNK_BYTES: usize = 2048;
