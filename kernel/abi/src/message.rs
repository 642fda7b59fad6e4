//! Messages: the info word, the IPC buffer, capability rights and CNode guards.
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

/// A thread's IPC buffer: what of a message does not travel in registers.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(1024))]
pub struct IpcBuffer {
    /// Message info; the kernel does not use this copy.
    pub tag: u64,
    /// Message words; the first four travel in registers instead.
    pub message: [u64; MAX_LENGTH],
    /// The program's own.
    pub user_data: u64,
    /// Out: capability pointers to send. In: badges of unwrapped capabilities.
    pub caps_or_badges: [u64; MAX_EXTRA_CAPS],
    /// Receive path: CNode to resolve from.
    pub receive_cnode: u64,
    /// Receive path: where the received capability goes.
    pub receive_index: u64,
    /// Receive path: bits of the index to resolve.
    pub receive_depth: u64,
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

const _: () = {
    use core::mem::offset_of;
    assert!(size_of::<IpcBuffer>() == 1 << ipc_buffer::SIZE_BITS);
    assert!(size_of::<IpcBuffer>() == ipc_buffer::WORDS * 8);
    assert!(offset_of!(IpcBuffer, message) == ipc_buffer::MESSAGE * 8);
    assert!(offset_of!(IpcBuffer, user_data) == ipc_buffer::USER_DATA * 8);
    assert!(offset_of!(IpcBuffer, caps_or_badges) == ipc_buffer::CAPS_OR_BADGES * 8);
    assert!(offset_of!(IpcBuffer, receive_cnode) == ipc_buffer::RECEIVE_CNODE * 8);
    assert!(offset_of!(IpcBuffer, receive_index) == ipc_buffer::RECEIVE_INDEX * 8);
    assert!(offset_of!(IpcBuffer, receive_depth) == ipc_buffer::RECEIVE_DEPTH * 8);
};

impl IpcBuffer {
    /// A buffer of zeroes.
    pub const ZERO: Self = Self {
        tag: 0,
        message: [0; MAX_LENGTH],
        user_data: 0,
        caps_or_badges: [0; MAX_EXTRA_CAPS],
        receive_cnode: 0,
        receive_index: 0,
        receive_depth: 0,
    };
}

/// What a capability lets its holder do with an object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct CapRights(u64);

impl CapRights {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Send, signal, write.
    pub const WRITE: Self = Self(1);
    /// Receive, wait, read.
    pub const READ: Self = Self(2);
    /// Send any capability along.
    pub const GRANT: Self = Self(4);
    /// Send the right to reply along (a call).
    pub const GRANT_REPLY: Self = Self(8);
    /// Read and write.
    pub const READ_WRITE: Self = Self(3);
    /// Everything.
    pub const ALL: Self = Self(15);
    /// Everything but read.
    pub const NO_READ: Self = Self(13);
    /// Everything but write.
    pub const NO_WRITE: Self = Self(14);

    /// The rights in the low four bits of `word`; the others mean nothing.
    #[inline]
    pub const fn from_word(word: u64) -> Self {
        Self(word & 15)
    }

    /// The packed form: write 1, read 2, grant 4, grant-reply 8.
    #[inline]
    pub const fn word(self) -> u64 {
        self.0
    }

    /// Whether every right of `other` is among these.
    #[inline]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The rights in both.
    #[inline]
    pub const fn intersect(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The rights in either.
    #[inline]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// The guard of a CNode capability as `CNodeMint`, `CNodeMutate` and the TCB invocations take it: `guard:58 size:6`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct CNodeGuard(u64);

impl CNodeGuard {
    /// A guard of `size` bits; bits that do not fit are cut.
    #[inline]
    pub const fn new(guard: u64, size: u32) -> Self {
        Self((guard << 6) | (size as u64 & 63))
    }

    /// An all-zero guard that fills a capability pointer up: the usual one for a CNode of `radix_bits` as a root.
    #[inline]
    pub const fn for_root(radix_bits: u32) -> Self {
        Self::new(0, crate::WORD_BITS.saturating_sub(radix_bits))
    }

    /// The guard whose packed form is `word`.
    #[inline]
    pub const fn from_word(word: u64) -> Self {
        Self(word)
    }

    /// The packed form.
    #[inline]
    pub const fn word(self) -> u64 {
        self.0
    }

    /// Bits the guard compares.
    #[inline]
    pub const fn guard(self) -> u64 {
        self.0 >> 6
    }

    /// How many bits it compares (0 to 63).
    #[inline]
    pub const fn size(self) -> u32 {
        (self.0 & 63) as u32
    }
}
