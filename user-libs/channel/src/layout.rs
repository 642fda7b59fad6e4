//! Where things are in a region, and what a record header means. All positions count 64-bit words.

use crate::atomic::{AtomicU64, Ordering::Relaxed};
use crate::error::{OpenError, PeerError};
use crate::shared::Region;

/// Smallest region that can carry a channel, in bytes. (For exploration two rings of eight words.)
pub const MIN_REGION_BYTES: usize = if cfg!(feature = "explore") { 1152 } else { 4096 };
/// Message kind that the ring keeps for itself: a record that only fills the ring up to its end.
pub const PAD: u32 = u32::MAX;

/// Words of one control block; each of its four 128-byte lines is written by one end only (a pair of cache lines, since
/// processors fetch them in pairs).
const CONTROL_WORDS: usize = 64;
const LINE_WORDS: usize = 16;
/// Upper half of a hello word: "SKRN", version 1 in the lowest byte's place of the lower half.
const HELLO: u64 = 0x534b_524e_0001_0000;

/// The shared words of one ring.
#[derive(Clone, Copy)]
pub(crate) struct Ring<'a> {
    /// Position behind the last published record; the producer writes it.
    pub tail: &'a AtomicU64,
    /// The producer's greeting.
    pub producer_hello: &'a AtomicU64,
    /// Position of the first record still in use; the consumer writes it.
    pub head: &'a AtomicU64,
    /// The consumer's greeting.
    pub consumer_hello: &'a AtomicU64,
    /// Non-zero while the consumer may sleep.
    pub consumer_sleeps: &'a AtomicU64,
    /// Free words the sleeping producer waits for; 0 while it is awake.
    pub producer_wants: &'a AtomicU64,
    /// The records.
    pub data: &'a [AtomicU64],
}

impl<'a> Ring<'a> {
    /// Ring number `index` (0 or 1) of `region`.
    pub fn new(region: Region<'a>, index: usize) -> Result<Self, OpenError> {
        if region.byte_len() < MIN_REGION_BYTES {
            return Err(OpenError::TooSmall);
        }
        let half = (region.words().len() - 2 * CONTROL_WORDS) / 2;
        let capacity = 1usize << half.ilog2();
        let part = |start, count| region.part(start, count).ok_or(OpenError::TooSmall);
        let control = part(index * CONTROL_WORDS, CONTROL_WORDS)?;
        Ok(Self {
            tail: &control[0],
            producer_hello: &control[1],
            head: &control[LINE_WORDS],
            consumer_hello: &control[LINE_WORDS + 1],
            consumer_sleeps: &control[2 * LINE_WORDS],
            producer_wants: &control[3 * LINE_WORDS],
            data: part(2 * CONTROL_WORDS + index * capacity, capacity)?,
        })
    }

    /// Capacity in words; a power of two.
    #[inline]
    pub fn capacity(&self) -> u64 {
        self.data.len() as u64
    }

    /// Index into `data` of position `position`.
    #[inline]
    pub fn index(&self, position: u64) -> usize {
        (position & (self.capacity() - 1)) as usize
    }

    /// What each end says when it opens this ring.
    pub fn greeting(&self) -> u64 {
        HELLO | u64::from(self.capacity().ilog2())
    }

    /// Checks the other end's greeting; `false` if it has not opened the ring yet.
    pub fn check_greeting(&self, hello: &AtomicU64) -> Result<bool, PeerError> {
        match hello.load(Relaxed) {
            0 => Ok(false),
            word if word == self.greeting() => Ok(true),
            _ => Err(PeerError::Version),
        }
    }

    /// Longest message, in bytes. A record takes at most half the ring, so that it fits somewhere in an empty one.
    #[inline]
    pub fn max_message(&self) -> usize {
        (self.data.len() / 2 - 1) * 8
    }
}

/// Words of a record whose payload has `bytes` bytes.
#[inline]
pub(crate) fn record_words(bytes: usize) -> u64 {
    1 + ((bytes as u64 + 7) >> 3)
}

/// The header word of a record.
#[inline]
pub(crate) fn header(kind: u32, bytes: usize) -> u64 {
    u64::from(kind) << 32 | bytes as u64 & 0xffff_ffff
}

/// Kind and payload length of a header word: both are allegations.
#[inline]
pub(crate) fn split_header(word: u64) -> (u32, usize) {
    ((word >> 32) as u32, word as u32 as usize)
}

/// Bytes behind a payload of `bytes` bytes, up to the next whole word.
#[inline]
pub(crate) fn slack(bytes: usize) -> u64 {
    (bytes as u64).wrapping_neg() & 7
}

/// Bytes of payload before position `position`: what is left of the words when the headers of so many messages and
/// `unused` bytes are taken off. So sending and receiving count messages only.
pub(crate) fn payload(position: u64, messages: u64, unused: u64) -> u64 {
    position.wrapping_sub(messages).wrapping_mul(8).wrapping_sub(unused)
}
