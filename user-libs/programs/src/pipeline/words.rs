//! From text to words.

/// Splits a text that comes in pieces into words, each followed by a line feed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Splitter {
    within: Within,
    /// Words begun so far.
    pub words: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Within {
    #[default]
    Gap,
    Word,
}

impl Splitter {
    /// What to write for the next byte of the text: at most one byte.
    #[inline]
    pub fn byte(&mut self, byte: u8) -> Option<u8> {
        let letter = byte | 0x20;
        if letter.is_ascii_lowercase() {
            self.words += u64::from(self.within == Within::Gap);
            self.within = Within::Word;
            return Some(letter);
        }
        self.end()
    }

    /// What to write at the end of the text.
    #[inline]
    pub fn end(&mut self) -> Option<u8> {
        let within = core::mem::replace(&mut self.within, Within::Gap);
        (within == Within::Word).then_some(b'\n')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_maximal_runs_of_ascii_letters() {
        let mut splitter = Splitter::default();
        let text = "Don't\u{e9}t\u{e9}  X86_64-[Kernel]@`{K\u{fc}".bytes();
        let mut words: Vec<u8> = text.filter_map(|byte| splitter.byte(byte)).collect();
        words.extend(splitter.end());
        assert_eq!(String::from_utf8(words).unwrap(), "don\nt\nt\nx\nkernel\nk\n");
        assert_eq!((splitter.words, splitter.end()), (6, None));
    }
}
