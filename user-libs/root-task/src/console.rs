//! The partition's console: text of programs, and control records that tools understand.
//!
//! Only the root task writes to it, so a record always starts a line; a program cannot forge one, since the byte that
//! starts a record is replaced in its text.

use core::fmt;
use manifest::Name;

/// Starts a control record at the beginning of a line.
const RECORD: u8 = 0x1e;

/// What tools want to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record<'a> {
    /// The programs were started.
    Ready {
        /// TSC ticks since the loader began.
        ticks: u64,
        /// TSC ticks per microsecond.
        mhz: u64,
    },
    /// A program ended.
    Exit {
        /// Its name.
        program: &'a str,
        /// Its exit code.
        code: i32,
    },
    /// All programs that are no services ended, or the partition did not start.
    Done {
        /// First exit code that was not 0.
        code: i32,
    },
}

impl fmt::Display for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready { ticks, mhz } => write!(f, "ready {ticks} {mhz}"),
            Self::Exit { program, code } => write!(f, "exit {program} {code}"),
            Self::Done { code } => write!(f, "done {code}"),
        }
    }
}

/// The console.
#[derive(Debug)]
pub struct Console {
    put: fn(u8),
    line: Line,
    speaker: Option<Name>,
}

#[derive(Debug, PartialEq, Eq)]
enum Line {
    Fresh,
    Begun,
}

impl Console {
    /// A console that `put` puts bytes on.
    pub fn new(put: fn(u8)) -> Self {
        Self { put, line: Line::Fresh, speaker: None }
    }

    /// Has every line from here on begin with this name: programs of a merged partition share a console.
    pub fn speak_as(&mut self, speaker: Option<Name>) {
        if self.speaker != speaker {
            self.fresh_line();
            self.speaker = speaker;
        }
    }

    /// Prints a byte of a program's text.
    pub fn put(&mut self, byte: u8) {
        if let (Line::Fresh, Some(name)) = (&self.line, self.speaker) {
            name.as_str().bytes().chain(*b": ").for_each(self.put);
        }
        let byte = if byte == RECORD { b'?' } else { byte };
        (self.put)(byte);
        self.line = if byte == b'\n' { Line::Fresh } else { Line::Begun };
    }

    /// Ends a line that somebody began.
    pub fn fresh_line(&mut self) {
        if self.line == Line::Begun {
            self.put(b'\n');
        }
    }

    /// Prints a control record.
    pub fn record(&mut self, record: Record<'_>) {
        self.fresh_line();
        self.speaker = None;
        (self.put)(RECORD);
        let _ = fmt::write(self, format_args!("{record}\n"));
    }
}

impl fmt::Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().for_each(|byte| self.put(byte));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    thread_local! {
        static OUT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }

    #[test]
    fn lines_of_several_speakers_begin_with_their_names_and_do_not_mix() {
        let mut console = Console::new(|byte| OUT.with_borrow_mut(|out| out.push(byte)));
        let mut say = |name: &str, text: &str| {
            console.speak_as(Name::new(name));
            text.bytes().for_each(|byte| console.put(byte));
        };
        say("a/x", "one\ntwo ");
        say("b/y", "three\n");
        say("a/x", "four ");
        say("a/x", "five\n");
        console.record(Record::Exit { program: "a/x", code: 0 });
        let out = OUT.with_borrow(|out| String::from_utf8(out.clone()).unwrap());
        assert_eq!(out, "a/x: one\na/x: two \nb/y: three\na/x: four five\n\x1eexit a/x 0\n");
    }

    #[test]
    fn records_start_lines_and_cannot_be_forged() {
        let mut console = Console::new(|byte| OUT.with_borrow_mut(|out| out.push(byte)));
        b"half\x1edone 0".iter().for_each(|byte| console.put(*byte));
        console.record(Record::Exit { program: "ping", code: -3 });
        console.record(Record::Done { code: 0 });
        let out = OUT.with_borrow(|out| String::from_utf8(out.clone()).unwrap());
        assert_eq!(out, "half?done 0\n\x1eexit ping -3\n\x1edone 0\n");
    }
}
