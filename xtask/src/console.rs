//! A partition's console as a stream of lines, and the control records among them.
//!
//! Guests print plain text. A line that opens with the byte 0x1e carries a *control record*: a message to whoever drives
//! the machine (`docs/boot.md` lists them). This module turns bytes into [`Line`]s and owns nothing else. A console's
//! bytes are allegations: any byte sequence is accepted, a record that does not parse is shown as text.
//! Tests: at the end of this file.

/// The byte that opens a control record (ASCII RS).
pub const RECORD_MARK: u8 = 0x1e;
/// Longest line kept, in bytes; the rest of a longer line starts a new one.
pub const LINE_LIMIT: usize = 4096;

/// What a guest tells the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// The root task started its programs, `ticks` of the TSC after the loader began; the TSC runs at `mhz`.
    Ready {
        /// TSC ticks since the loader's first instruction.
        ticks: u64,
        /// TSC ticks per microsecond.
        mhz: u64,
    },
    /// A program ended.
    Exit {
        /// Its name.
        program: String,
        /// Its exit code.
        code: i64,
    },
    /// Every program of the partition that is not a service ended.
    Done {
        /// First exit code that is not zero, else zero.
        code: i64,
    },
    /// The kernel instance panicked and parked its cores.
    Park {
        /// The panic message.
        text: String,
    },
    /// The loader refuses to boot.
    Refuse {
        /// The refusal's stable code.
        code: String,
        /// What is wrong, naming the culprit.
        text: String,
    },
}

impl Record {
    /// The record in `text` (the line without mark and newline), or `None` when it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(' ').unwrap_or((text, ""));
        let mut words = rest.split_ascii_whitespace();
        Some(match kind {
            "ready" => Self::Ready { ticks: words.next()?.parse().ok()?, mhz: words.next()?.parse().ok()? },
            "exit" => Self::Exit { program: words.next()?.to_owned(), code: words.next()?.parse().ok()? },
            "done" => Self::Done { code: words.next()?.parse().ok()? },
            "park" => Self::Park { text: rest.trim_end().to_owned() },
            "refuse" => {
                let (code, text) = rest.split_once(' ').unwrap_or((rest, ""));
                Self::Refuse { code: code.to_owned(), text: text.trim_end().to_owned() }
            }
            _ => return None,
        })
    }
}

/// One line of a console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// Plain output, without its newline; bytes that are not UTF-8 are replaced.
    Text(String),
    /// A control record.
    Record(Record),
}

/// Collects bytes into lines. One per console.
#[derive(Debug, Default)]
pub struct Lines {
    pending: Vec<u8>,
}

impl Lines {
    /// Takes more bytes; returns the lines they complete.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Line> {
        let mut lines = Vec::new();
        for &byte in bytes {
            match byte {
                b'\n' => lines.push(self.take()),
                // A record may follow an unfinished line of text.
                RECORD_MARK if !self.pending.is_empty() => {
                    lines.push(self.take());
                    self.pending.push(byte);
                }
                _ => self.pending.push(byte),
            }
            if self.pending.len() >= LINE_LIMIT {
                lines.push(self.take());
            }
        }
        lines
    }

    /// The last line when the console ends without a newline.
    pub fn finish(&mut self) -> Option<Line> {
        (!self.pending.is_empty()).then(|| self.take())
    }

    fn take(&mut self) -> Line {
        let bytes = std::mem::take(&mut self.pending);
        let text = String::from_utf8_lossy(&bytes);
        let text = text.trim_end_matches('\r');
        let record = text.strip_prefix(char::from(RECORD_MARK)).and_then(Record::parse);
        record.map_or_else(|| Line::Text(text.to_owned()), Line::Record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_and_records_are_told_apart() {
        let mut lines = Lines::default();
        let got =
            lines.feed(b"hello\r\n\x1eready 1200 3000\nhalf \x1edone 0\n\x1erefuse L-RAM 8 MiB missing\n\x1ewhat\n");
        assert_eq!(
            got,
            [
                Line::Text("hello".into()),
                Line::Record(Record::Ready { ticks: 1200, mhz: 3000 }),
                Line::Text("half ".into()),
                Line::Record(Record::Done { code: 0 }),
                Line::Record(Record::Refuse { code: "L-RAM".into(), text: "8 MiB missing".into() }),
                Line::Text("\x1ewhat".into()),
            ]
        );
        assert_eq!(lines.finish(), None);
    }

    #[test]
    fn an_exit_code_may_be_negative_and_a_park_has_free_text() {
        assert_eq!(Record::parse("exit ping -3"), Some(Record::Exit { program: "ping".into(), code: -3 }));
        assert_eq!(Record::parse("park lib.rs:3: boom"), Some(Record::Park { text: "lib.rs:3: boom".into() }));
        assert_eq!(Record::parse("exit ping"), None);
        assert_eq!(Record::parse("done x"), None);
    }

    proptest! {
        #[test]
        fn splitting_the_stream_anywhere_gives_the_same_lines(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in 0usize..200) {
            let whole = Lines::default().feed(&bytes);
            let at = at.min(bytes.len());
            let mut split = Lines::default();
            let mut got = split.feed(&bytes[..at]);
            got.extend(split.feed(&bytes[at..]));
            prop_assert_eq!(whole, got);
        }
    }
}
