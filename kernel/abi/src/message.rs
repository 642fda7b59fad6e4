//! Messages: the info word and the IPC buffer.
//!
//! Tests: `tests/numbers.rs`.

/// Most words of a message.
pub const MAX_LENGTH: usize = 120;
/// Most extra capabilities of a message.
pub const MAX_EXTRA_CAPS: usize = 3;
/// Message words that travel in registers; see [`register::MESSAGE`](crate::register::MESSAGE).
pub const FAST_REGISTERS: usize = 4;

/// A message's label, length and capability counts, packed as `label:52 capsUnwrapped:3 extraCaps:2 length:7`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct MessageInfo(u64);

impl MessageInfo {
    /// Packs the four fields; bits that do not fit are cut.
    #[inline]
    pub const fn new(label: u64, caps_unwrapped: u64, extra_caps: u64, length: u64) -> Self {
        Self((label << 12) | ((caps_unwrapped & 7) << 9) | ((extra_caps & 3) << 7) | (length & 0x7f))
    }

    /// The info whose packed form is `word`; every word is one.
    #[inline]
    pub const fn from_word(word: u64) -> Self {
        Self(word)
    }

    /// The packed form.
    #[inline]
    pub const fn word(self) -> u64 {
        self.0
    }

    /// What the message asks for, or how a request ended (52 bits).
    #[inline]
    pub const fn label(self) -> u64 {
        self.0 >> 12
    }

    /// Received: bit n is set if the n-th extra capability was unwrapped to its badge.
    #[inline]
    pub const fn caps_unwrapped(self) -> u64 {
        (self.0 >> 9) & 7
    }

    /// Extra capabilities: sent, or received (0 to 3).
    #[inline]
    pub const fn extra_caps(self) -> usize {
        ((self.0 >> 7) & 3) as usize
    }

    /// Message words, as the sender claims: up to 127, of which the kernel moves at most [`MAX_LENGTH`].
    #[inline]
    pub const fn raw_length(self) -> usize {
        (self.0 & 0x7f) as usize
    }

    /// Message words, at most [`MAX_LENGTH`].
    #[inline]
    pub const fn length(self) -> usize {
        let raw = self.raw_length();
        if raw > MAX_LENGTH { MAX_LENGTH } else { raw }
    }

    /// The same info with another length.
    #[inline]
    pub const fn with_length(self, length: usize) -> Self {
        Self((self.0 & !0x7f) | (length as u64 & 0x7f))
    }
}

/// The IPC buffer word by word, for code that sees it as a slice of words.
pub mod ipc_buffer {
    /// Bits of its size: it holds 1024 bytes and is aligned to them.
    pub const SIZE_BITS: u32 = 10;
    /// Words in it.
    pub const WORDS: usize = 128;
    /// Message info.
    pub const TAG: usize = 0;
    /// First message word.
    pub const MESSAGE: usize = 1;
    /// The program's own word.
    pub const USER_DATA: usize = 121;
    /// First capability pointer or badge.
    pub const CAPS_OR_BADGES: usize = 122;
    /// Receive path: CNode.
    pub const RECEIVE_CNODE: usize = 125;
    /// Receive path: index.
    pub const RECEIVE_INDEX: usize = 126;
    /// Receive path: depth.
    pub const RECEIVE_DEPTH: usize = 127;
}
