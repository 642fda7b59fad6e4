//! After the start: prints for programs, and reports how each of them ends.

use crate::console::{Console, Record};
use crate::partition::Running;
use core::fmt::Write;
use manifest::program_flags;
use runtime::layout::{EXIT_FAULT, PRINT_MAX_BYTES, label};
use sel4::fault::Fault;
use sel4::{Message, Received, buffer};

/// How the programs of a partition have fared; decides when the partition is done, and with which code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    left: usize,
    code: i32,
}

impl Tally {
    /// Programs with these flags were started.
    pub fn new(flags: impl Iterator<Item = u32>) -> Self {
        Self { left: flags.filter(|flags| flags & program_flags::SERVICE == 0).count(), code: 0 }
    }

    /// A program ended. `Some(code)` if it was the last that matters: the first code that was not 0, or 0.
    pub fn ended(&mut self, flags: u32, code: i32) -> Option<i32> {
        if flags & program_flags::SERVICE != 0 || self.left == 0 {
            return None;
        }
        if self.code == 0 {
            self.code = code;
        }
        self.left -= 1;
        (self.left == 0).then_some(self.code)
    }
}

/// Serves the partition's programs for ever.
pub fn serve(running: &Running, console: &mut Console) -> ! {
    let mut tally = Tally::new(running.programs.iter().map(|program| program.flags));
    let mut received = running.endpoint.recv(running.reply);
    loop {
        received = match handle(running, console, &mut tally, &received) {
            Answer::Empty => running.endpoint.reply_recv(Message::EMPTY, running.reply),
            Answer::None => running.endpoint.recv(running.reply),
        };
    }
}

/// What a sender hears.
enum Answer {
    /// An empty message.
    Empty,
    /// Nothing: it stays blocked, or is suspended.
    None,
}

fn handle(running: &Running, console: &mut Console, tally: &mut Tally, received: &Received) -> Answer {
    let index = received.badge.wrapping_sub(1) as usize;
    let Some(program) = running.programs.get(index) else { return Answer::None };
    console.speak_as(program.is_merged.then_some(program.name));
    let code = match received.message.info.label() {
        label::PRINT => {
            print(console, &received.message);
            return Answer::Empty;
        }
        label::EXIT => received.message.words[0] as u32 as i32,
        _ => {
            console.fresh_line();
            let _ = match Fault::from_message(&received.message) {
                Some(fault) => writeln!(console, "{}: {fault}", program.own_name.as_str()),
                None => writeln!(console, "{}: sent a message that means nothing", program.own_name.as_str()),
            };
            EXIT_FAULT
        }
    };
    // It cannot run on either way: it waits for an answer that never comes. Suspended, it does not even wait.
    let _ = program.tcb.suspend();
    console.record(Record::Exit { program: program.name.as_str(), code });
    if let Some(code) = tally.ended(program.flags, code) {
        console.record(Record::Done { code });
    }
    Answer::None
}

/// Prints the text of a [`label::PRINT`] message.
fn print(console: &mut Console, message: &Message) {
    let length = (message.words[0] as usize).min(PRINT_MAX_BYTES).min(message.info.length().saturating_sub(1) * 8);
    let words = (1..).map(|index| message.words.get(index).copied().unwrap_or_else(|| buffer::word(index)));
    for byte in words.flat_map(u64::to_le_bytes).take(length) {
        console.put(byte);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVICE: u32 = program_flags::SERVICE;

    #[test]
    fn a_partition_is_done_when_the_last_program_that_is_no_service_ends() {
        let mut tally = Tally::new([0, SERVICE, 0].into_iter());
        assert_eq!(tally.ended(0, 0), None);
        assert_eq!(tally.ended(SERVICE, 7), None);
        assert_eq!(tally.ended(0, 0), Some(0));
        assert_eq!(tally.ended(SERVICE, 7), None);
    }

    #[test]
    fn the_first_code_that_is_not_zero_counts() {
        let mut tally = Tally::new([0, 0, 0].into_iter());
        assert_eq!((tally.ended(0, 0), tally.ended(0, 3), tally.ended(0, 4)), (None, None, Some(3)));
    }
}
