//! The figures of the run: each stage adds its own to the message that ends the stream.

use crate::error::ProgramError;
use alloc::vec::Vec;
use channel::Figures;
use core::fmt;

/// Words of one stage's record in the message.
const WORDS: usize = 13;
/// Bytes of one stage's record.
const BYTES: usize = WORDS * 8;

/// What one stage did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stage {
    /// Its name, zero-padded.
    pub name: [u8; 16],
    /// What it received.
    pub received: Figures,
    /// What it sent.
    pub sent: Figures,
    /// Doorbells that reached it.
    pub heard: u64,
    /// Words it saw (tokenizer), or different words (counter).
    pub words: u64,
    /// TSC ticks from its first message to its last.
    pub ticks: u64,
}

impl Stage {
    /// A stage's name in its record.
    pub fn name(text: &str) -> [u8; 16] {
        let mut name = [0; 16];
        let length = text.len().min(16);
        name[..length].copy_from_slice(&text.as_bytes()[..length]);
        name
    }

    /// Appends the record to an `END` message.
    pub fn append(&self, message: &mut Vec<u8>) -> Result<(), ProgramError> {
        message.try_reserve(BYTES)?;
        message.extend_from_slice(&self.name);
        let (r, s) = (self.received, self.sent);
        let numbers = [
            r.messages, r.bytes, r.rings, r.waits, s.messages, s.bytes, s.rings, s.waits, self.heard, self.words,
            self.ticks,
        ];
        numbers.iter().for_each(|number| message.extend_from_slice(&number.to_le_bytes()));
        Ok(())
    }

    /// The records of an `END` message.
    pub fn all(message: &[u8]) -> impl Iterator<Item = Self> {
        message.chunks_exact(BYTES).map(|record| {
            let (name, numbers) = record.split_at(16);
            let mut words = [0; WORDS - 2];
            for (word, bytes) in words.iter_mut().zip(numbers.chunks_exact(8)) {
                *word = bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte));
            }
            let [rm, rb, rr, rw, sm, sb, sr, sw, heard, words, ticks] = words;
            let mut stage = Self { heard, words, ticks, ..Self::default() };
            stage.name.copy_from_slice(name);
            stage.received = Figures { messages: rm, bytes: rb, rings: rr, waits: rw };
            stage.sent = Figures { messages: sm, bytes: sb, rings: sr, waits: sw };
            stage
        })
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = self.name.iter().position(|byte| *byte == 0).unwrap_or(16);
        let name = core::str::from_utf8(&self.name[..length]).unwrap_or("?");
        // A stage works for each message it receives; the first has only those it sends.
        let (bytes, messages) = match self.received.messages {
            0 => (self.sent.bytes, self.sent.messages),
            messages => (self.received.bytes, messages),
        };
        write!(
            f,
            "{name}: {bytes} bytes, {messages} messages, {} doorbells sent, {} received, {} waits, {} ticks per message",
            self.received.rings + self.sent.rings,
            self.heard,
            self.received.waits + self.sent.waits,
            self.ticks / messages.max(1),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_appended_is_read_back_and_printed() {
        let stage = Stage {
            name: Stage::name("tokenizer"),
            received: Figures { messages: 10, bytes: 20_000, rings: 3, waits: 4 },
            sent: Figures { messages: 8, bytes: 16_000, rings: 5, waits: 6 },
            heard: 7,
            words: 999,
            ticks: 12_345,
        };
        let mut message = Vec::new();
        stage.append(&mut message).unwrap();
        Stage::default().append(&mut message).unwrap();
        assert_eq!(Stage::all(&message).collect::<Vec<_>>(), [stage, Stage::default()]);
        assert_eq!(
            stage.to_string(),
            "tokenizer: 20000 bytes, 10 messages, 8 doorbells sent, 7 received, 10 waits, 1234 ticks per message"
        );
    }
}
