//! A run on the terminal: each partition's lines with its prefix and colour, the control records in words.

use super::{BAD, PLAIN, QUIET};
use anstyle::{AnsiColor, Style};
use xtask::console::{Line, Record};
use xtask::session::Member;

const COLOURS: [AnsiColor; 6] =
    [AnsiColor::Cyan, AnsiColor::Yellow, AnsiColor::Green, AnsiColor::Magenta, AnsiColor::Blue, AnsiColor::BrightRed];

/// Prints lines as they come.
#[derive(Debug)]
pub struct Show {
    names: Vec<String>,
    width: usize,
}

impl Show {
    /// Shows the partitions of `members`.
    pub fn new(members: &[Member]) -> Self {
        let names: Vec<String> = members.iter().map(|member| member.name.clone()).collect();
        let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max("machine".len());
        Self { names, width }
    }

    /// Prints one line of the partition `owner`, or of the machine.
    pub fn line(&self, owner: Option<usize>, line: &Line) {
        let (name, style) = match owner.and_then(|index| Some((self.names.get(index)?, index))) {
            Some((name, index)) => (name.as_str(), colour(index)),
            None => ("machine", QUIET),
        };
        let width = self.width;
        let prefix = format!("{style}{name:>width$} |{PLAIN}");
        match line {
            Line::Text(text) => anstream::println!("{prefix} {}", printable(text)),
            Line::Record(Record::Park { text }) => {
                anstream::println!("{prefix} {BAD}kernel panicked:{PLAIN} {}", printable(text));
            }
            Line::Record(Record::Refuse { code, text }) => {
                anstream::println!("{prefix} {BAD}refused:{PLAIN} {} {}", printable(code), printable(text));
            }
            Line::Record(record) => anstream::println!("{prefix} {QUIET}{}{PLAIN}", printable(&in_words(record))),
        }
    }
}

fn colour(index: usize) -> Style {
    COLOURS.get(index % COLOURS.len()).map_or(QUIET, |colour| colour.on_default())
}

fn in_words(record: &Record) -> String {
    match record {
        Record::Ready { ticks, mhz } => {
            format!("ready {:.1} ms after the loader's start", *ticks as f64 / (*mhz).max(1) as f64 / 1000.0)
        }
        Record::Exit { program, code } => format!("{program} ended with code {code}"),
        Record::Done { code } => format!("finished with code {code}"),
        Record::Park { text } => format!("parked: {text}"),
        Record::Refuse { code, text } => format!("refused: {code} {text}"),
    }
}

/// A guest's text without escape sequences and control characters: it must not steer the terminal.
fn printable(text: &str) -> String {
    let text = anstream::adapter::strip_str(text).to_string();
    let text = text.trim_start_matches('\r');
    text.chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect()
}
