//! The writing end of a ring.
//!
//! Records are written behind this end's position and become visible together when [`Producer::flush`] publishes it.
//!
//! What is known to be free is kept as a slice, `room`, up to the end of the ring: the usual message needs one check of
//! its length. Everything else (padding, looking at the consumer's position, whatever a peer may do wrong) is care.

use crate::Figures;
use crate::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release, SeqCst},
    fence, spin_loop,
};
use crate::bell::Bell;
use crate::error::{PeerError, SendError};
use crate::layout::{PAD, Ring, header, payload, record_words, slack};
use crate::shared::{WordWriter, expect_write};

/// Words that a write is announced before it is made. The lines of records come from the consumer's processor, and behind
/// a store that waits for its line all later ones wait: unannounced, each line is waited for in turn.
const AHEAD: usize = 128;
/// Words of a cache line.
const LINE: usize = 8;

/// Sends messages.
pub struct Producer<'a, B> {
    ring: Ring<'a>,
    bell: B,
    /// Words that may be written, from this end's position on.
    room: &'a [AtomicU64],
    /// Position behind `room`; that behind the last record written is `room.len()` words before it.
    end: u64,
    /// Last believed position of the consumer.
    head: u64,
    broken: Option<PeerError>,
    greeted: Greeted,
    messages: u64,
    /// Bytes of the records so far that were neither header nor payload.
    unused: u64,
    rings: u64,
    waits: u64,
}

#[derive(PartialEq)]
enum Greeted {
    No,
    Yes,
}

impl<'a, B: Bell> Producer<'a, B> {
    pub(crate) fn new(ring: Ring<'a>, bell: B) -> Self {
        ring.producer_hello.store(ring.greeting(), Relaxed);
        let (room, end, head): (&[AtomicU64], _, _) = (&[], 0, 0);
        let (broken, greeted, messages, unused, rings, waits) = (None, Greeted::No, 0, 0, 0, 0);
        let mut new = Self { ring, bell, room, end, head, broken, greeted, messages, unused, rings, waits };
        new.go_on_at(0);
        new
    }

    /// Longest message, in bytes.
    pub fn max_message(&self) -> usize {
        self.ring.max_message()
    }

    /// What has been sent so far.
    pub fn figures(&self) -> Figures {
        let Self { messages, unused, rings, waits, .. } = *self;
        Figures { messages, bytes: payload(self.tail(), messages, unused), rings, waits }
    }

    /// Writes a message; the peer sees it at the next [`flush`](Self::flush). Fails with [`SendError::Full`] rather than wait.
    #[inline]
    pub fn try_push(&mut self, kind: u32, bytes: &[u8]) -> Result<(), SendError> {
        let mut slot = self.try_reserve(bytes.len())?;
        slot.append(bytes);
        slot.commit(kind)
    }

    /// As [`try_push`](Self::try_push), for a message whose length the program's text says: no loop and, as long as room
    /// is known of and the end of the ring is not in the way, one check, and one for what is ahead.
    #[inline]
    pub fn try_push_words<const WORDS: usize>(&mut self, kind: u32, words: &[u64; WORDS]) -> Result<(), SendError> {
        let Some((record, rest)) = self.room.split_at_checked(1 + WORDS).filter(|_| kind != PAD) else {
            return self.push_words_with_care(kind, words);
        };
        record[0].store(header(kind, WORDS * 8), Relaxed);
        record[1..].iter().zip(words).for_each(|(place, word)| place.store(*word, Relaxed));
        announce(rest.get(AHEAD..AHEAD + 1 + WORDS).unwrap_or(&[]));
        self.room = rest;
        self.messages += 1;
        Ok(())
    }

    /// As [`try_push_words`](Self::try_push_words), and publishes it.
    #[inline]
    pub fn try_send_words<const WORDS: usize>(&mut self, kind: u32, words: &[u64; WORDS]) -> Result<(), SendError> {
        self.try_push_words(kind, words)?;
        self.publish();
        Ok(())
    }

    #[cold]
    #[inline(never)]
    fn push_words_with_care(&mut self, kind: u32, words: &[u64]) -> Result<(), SendError> {
        let mut slot = self.try_reserve(words.len() * 8)?;
        for word in words {
            slot.append(&word.to_le_bytes());
        }
        slot.commit(kind)
    }

    /// Writes a message, waiting for room if there is none (what was pushed before is published by then).
    pub fn push(&mut self, kind: u32, bytes: &[u8]) -> Result<(), SendError> {
        let mut slot = self.reserve(bytes.len())?;
        slot.append(bytes);
        slot.commit(kind)
    }

    /// Writes a message and publishes it.
    pub fn send(&mut self, kind: u32, bytes: &[u8]) -> Result<(), SendError> {
        self.push(kind, bytes)?;
        self.flush();
        Ok(())
    }

    /// Room for a message of up to `bytes` bytes, to be written in place.
    #[inline]
    pub fn try_reserve(&mut self, bytes: usize) -> Result<Slot<'_, 'a, B>, SendError> {
        let words = record_words(bytes) as usize;
        if self.room.len() < words {
            self.make_room(bytes)?;
        }
        let place = self.room.get(1..words).ok_or(SendError::TooLong)?;
        Ok(Slot { producer: self, writer: WordWriter::new(place), limit: bytes })
    }

    /// Room for a message of up to `bytes` bytes; waits for it.
    pub fn reserve(&mut self, bytes: usize) -> Result<Slot<'_, 'a, B>, SendError> {
        let mut looks = 0;
        loop {
            match self.make_room(bytes) {
                Ok(()) => return self.try_reserve(bytes),
                Err(SendError::Full) => self.wait_for_room(bytes, &mut looks)?,
                Err(error) => return Err(error),
            }
        }
    }

    /// Publishes everything pushed so far, and wakes the consumer if it may sleep.
    ///
    /// No wake-up is lost: this end stores `tail`, fences, then loads `consumer_sleeps`; the consumer stores
    /// `consumer_sleeps`, fences, then loads `tail`, and sleeps only if that shows nothing new. Both fences are
    /// sequentially consistent, so at least one of the two loads sees the other's store: either the consumer finds the
    /// message, or this end finds the sleeper and rings. A ring that arrives before the wait is kept by the bell. Taking
    /// the flag with `swap` means one ring for one sleep. The producer's own sleep is the mirror image.
    #[inline]
    pub fn flush(&mut self) {
        if self.published() != self.tail() {
            self.publish();
        }
    }

    #[inline]
    fn publish(&mut self) {
        self.ring.tail.store(self.tail(), Release);
        if B::SLEEPS {
            fence(SeqCst);
            if self.ring.consumer_sleeps.load(Relaxed) != 0 && self.ring.consumer_sleeps.swap(0, Relaxed) != 0 {
                self.rings += 1;
                self.bell.ring();
            }
        }
    }

    /// What has been published of this end's position. Read back, so that sending need not keep it twice: a peer that
    /// changes it deceives itself only, for nothing is believed of it beyond [`tail`](Self::tail).
    #[inline]
    fn published(&self) -> u64 {
        self.ring.tail.load(Relaxed)
    }

    /// Position behind the last record written. Never read back from shared memory.
    #[inline]
    fn tail(&self) -> u64 {
        self.end.wrapping_sub(self.room.len() as u64)
    }

    /// Makes room for one record, writing a PAD record if it would cross the end of the ring.
    #[cold]
    #[inline(never)]
    fn make_room(&mut self, bytes: usize) -> Result<(), SendError> {
        if let Some(error) = self.broken {
            return Err(error.into());
        }
        if bytes > self.max_message() {
            return Err(SendError::TooLong);
        }
        let (tail, words) = (self.tail(), record_words(bytes));
        let to_end = self.ring.capacity() - self.ring.index(tail) as u64;
        let needed = if words > to_end { to_end + words } else { words };
        if self.free(tail) < needed {
            self.refresh()?;
        }
        if self.free(tail) < needed {
            return Err(SendError::Full);
        }
        if words > to_end {
            // A PAD's length field is not read: it reaches to the end of the ring by definition.
            self.ring.data[self.ring.index(tail)].store(header(PAD, 0), Relaxed);
            self.unused += 8 * to_end;
            self.go_on_at(tail.wrapping_add(to_end));
        } else {
            self.go_on_at(tail);
        }
        Ok(())
    }

    /// Makes `tail` this end's position.
    fn go_on_at(&mut self, tail: u64) {
        let index = self.ring.index(tail);
        let to_end = self.ring.data.len() - index;
        let count = to_end.min(self.free(tail) as usize);
        self.room = self.ring.data.get(index..index + count).unwrap_or(&[]);
        self.end = tail.wrapping_add(self.room.len() as u64);
        announce(self.room.get(..AHEAD).unwrap_or(self.room));
    }

    /// Words that are free if this end's position is `tail`.
    fn free(&self, tail: u64) -> u64 {
        self.ring.capacity() - tail.wrapping_sub(self.head)
    }

    /// Looks at the consumer's position, and believes it only if it lies between the last one and what was published.
    fn refresh(&mut self) -> Result<(), PeerError> {
        let head = self.ring.head.load(Acquire);
        let forward = |position: u64| position.wrapping_sub(self.head);
        if forward(head) > forward(self.tail()).min(forward(self.published())) {
            return Err(self.blame(PeerError::Position));
        }
        if self.greeted == Greeted::No {
            match self.ring.check_greeting(self.ring.consumer_hello) {
                Ok(true) => self.greeted = Greeted::Yes,
                Ok(false) => {}
                Err(error) => return Err(self.blame(error)),
            }
        }
        self.head = head;
        Ok(())
    }

    /// Nothing is written from now on.
    fn blame(&mut self, error: PeerError) -> PeerError {
        self.end = self.tail();
        self.room = &[];
        self.broken = Some(error);
        error
    }

    /// Publishes, then looks again a few times, then sleeps until a good part of the ring is free.
    fn wait_for_room(&mut self, bytes: usize, looks: &mut u32) -> Result<(), SendError> {
        self.flush();
        if *looks < self.bell.spins() {
            *looks += 1;
            spin_loop();
            return Ok(());
        }
        *looks = 0;
        if B::SLEEPS {
            // Twice the record covers the padding before it; a quarter of the ring keeps one ring per many messages.
            let wanted = (2 * record_words(bytes)).max(self.ring.capacity() / 4).min(self.ring.capacity());
            self.ring.producer_wants.store(wanted, Relaxed);
            fence(SeqCst);
            let before = self.head;
            self.refresh()?;
            if self.head == before {
                self.waits += 1;
                self.bell.wait();
            }
            self.ring.producer_wants.store(0, Relaxed);
        } else {
            self.bell.wait();
        }
        Ok(())
    }
}

/// Announces that all of `words` will be written.
#[inline(always)]
fn announce(words: &[AtomicU64]) {
    words.iter().step_by(LINE).for_each(expect_write);
}

/// Room for one message, filled from the front. Dropping it sends nothing.
pub struct Slot<'p, 'a, B> {
    producer: &'p mut Producer<'a, B>,
    writer: WordWriter<'a>,
    limit: usize,
}

impl<B: Bell> Slot<'_, '_, B> {
    /// Appends as much of `bytes` as still fits; returns how much that was.
    #[inline]
    pub fn append(&mut self, bytes: &[u8]) -> usize {
        let count = bytes.len().min(self.remaining());
        self.writer.append(&bytes[..count])
    }

    /// Bytes that still fit.
    #[inline]
    pub fn remaining(&self) -> usize {
        self.limit - self.writer.len()
    }

    /// Bytes written so far.
    pub fn len(&self) -> usize {
        self.writer.len()
    }

    /// Whether nothing was written yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Ends the message: it goes out with the next [`Producer::flush`].
    #[inline]
    pub fn commit(self, kind: u32) -> Result<(), SendError> {
        if kind == PAD {
            return Err(SendError::ReservedKind);
        }
        let (producer, bytes) = (self.producer, self.writer.len());
        let words = record_words(bytes) as usize;
        let record = producer.room.split_at_checked(words);
        let (Some((first, _)), Some((_, rest))) = (producer.room.split_first(), record) else {
            return Err(SendError::TooLong);
        };
        first.store(header(kind, bytes), Relaxed);
        announce(rest.get(AHEAD..AHEAD + words).unwrap_or(&[]));
        producer.room = rest;
        producer.messages += 1;
        producer.unused += slack(bytes);
        Ok(())
    }
}
