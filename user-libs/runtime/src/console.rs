//! Printing: text is collected to lines, and each line goes to the root task in one message.

use crate::layout::{PRINT_MAX_BYTES, label, slot};
use core::fmt::{self, Write};
use sel4::{Endpoint, Message, MessageInfo, buffer};
use spin::Mutex;

struct LineBuffer {
    bytes: [u8; PRINT_MAX_BYTES],
    used: usize,
}

static BUFFER: Mutex<LineBuffer> = Mutex::new(LineBuffer { bytes: [0; PRINT_MAX_BYTES], used: 0 });

impl LineBuffer {
    fn push(&mut self, byte: u8) {
        if self.used == PRINT_MAX_BYTES {
            self.send();
        }
        self.bytes[self.used] = byte;
        self.used += 1;
        if byte == b'\n' {
            self.send();
        }
    }

    fn send(&mut self) {
        let used = core::mem::take(&mut self.used);
        if used != 0 {
            send(&self.bytes[..used]);
        }
    }
}

impl Write for LineBuffer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().for_each(|byte| self.push(byte));
        Ok(())
    }
}

/// Sends at most [`PRINT_MAX_BYTES`] bytes to the root task, and waits until they are printed.
fn send(bytes: &[u8]) {
    let words = 1 + bytes.len().div_ceil(8);
    let mut registers = [bytes.len() as u64, 0, 0, 0];
    for (index, chunk) in bytes.chunks(8).enumerate() {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        let word = u64::from_le_bytes(word);
        match registers.get_mut(index + 1) {
            Some(register) => *register = word,
            None => buffer::set_word(index + 1, word),
        }
    }
    let info = MessageInfo::new(label::PRINT, 0, 0, words as u64);
    Endpoint::new(slot::ROOT).call(Message { info, words: registers });
}

/// Prints formatted text; what follows the last line end waits for the next one, or for [`flush`].
pub fn print(arguments: fmt::Arguments<'_>) {
    // The lock is free unless a Display implementation prints while it is being printed: that text is dropped.
    if let Some(mut buffer) = BUFFER.try_lock() {
        let _ = buffer.write_fmt(arguments);
    }
}

/// Prints bytes as they are.
pub fn print_bytes(bytes: &[u8]) {
    if let Some(mut buffer) = BUFFER.try_lock() {
        bytes.iter().for_each(|byte| buffer.push(*byte));
    }
}

/// Prints an unfinished line.
pub fn flush() {
    if let Some(mut buffer) = BUFFER.try_lock() {
        buffer.send();
    }
}

/// Prints to the partition's console.
#[macro_export]
macro_rules! print {
    ($($argument:tt)*) => { $crate::console::print(::core::format_args!($($argument)*)) };
}

/// Prints a line to the partition's console.
#[macro_export]
macro_rules! println {
    () => { $crate::console::print(::core::format_args!("\n")) };
    ($($argument:tt)*) => { $crate::console::print(::core::format_args!("{}\n", ::core::format_args!($($argument)*))) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn each_line_is_one_message_and_long_lines_are_cut() {
        let (sender, lines) = mpsc::channel();
        sel4::host::set_kernel(move |frame, buffer| {
            assert_eq!(frame.capability, slot::ROOT);
            assert_eq!(MessageInfo::from_word(frame.info).label(), label::PRINT);
            let mut bytes = Vec::new();
            for index in 1..MessageInfo::from_word(frame.info).length() {
                let word = if index < 4 { frame.words[index] } else { buffer.message[index] };
                bytes.extend_from_slice(&word.to_le_bytes());
            }
            bytes.truncate(frame.words[0] as usize);
            sender.send(String::from_utf8(bytes).unwrap()).unwrap();
            Default::default()
        });
        crate::print!("half of ");
        crate::print!("{} line\nand ", 'a');
        crate::println!("another, {}", "long".repeat(10));
        crate::print!("{}", "x".repeat(PRINT_MAX_BYTES + 1));
        flush();
        let lines: Vec<_> = lines.try_iter().collect();
        assert_eq!(lines[0], "half of a line\n");
        assert_eq!(lines[1], format!("and another, {}\n", "long".repeat(10)));
        assert_eq!((lines[2].len(), lines[3].as_str(), lines.len()), (PRINT_MAX_BYTES, "x", 4));
    }
}
