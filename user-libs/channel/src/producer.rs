//! The writing end of a ring.
//!
//! Records are written behind the private `tail` and become visible together when [`Producer::flush`] publishes it.

use crate::Figures;
use crate::bell::Bell;
use crate::error::{PeerError, SendError};
use crate::layout::{PAD, Ring, header, record_words};
use crate::shared::WordWriter;
use core::sync::atomic::{
    Ordering::{Acquire, Relaxed, Release, SeqCst},
    fence,
};

/// Sends messages.
pub struct Producer<'a, B> {
    ring: Ring<'a>,
    bell: B,
    /// Position behind the last record written. Only this end moves it; its shared copy is never read back.
    tail: u64,
    /// What has been published of `tail`.
    published: u64,
    /// Last believed position of the consumer.
    head: u64,
    broken: Option<PeerError>,
    greeted: Greeted,
    figures: Figures,
}

#[derive(PartialEq)]
enum Greeted {
    No,
    Yes,
}

impl<'a, B: Bell> Producer<'a, B> {
    pub(crate) fn new(ring: Ring<'a>, bell: B) -> Self {
        ring.producer_hello.store(ring.greeting(), Relaxed);
        let figures = Figures::default();
        Self { ring, bell, tail: 0, published: 0, head: 0, broken: None, greeted: Greeted::No, figures }
    }

    /// Longest message, in bytes.
    pub fn max_message(&self) -> usize {
        self.ring.max_message()
    }

    /// What has been sent so far.
    pub fn figures(&self) -> Figures {
        self.figures
    }

    /// Writes a message; the peer sees it at the next [`flush`](Self::flush). Fails with [`SendError::Full`] rather than wait.
    #[inline]
    pub fn try_push(&mut self, kind: u32, bytes: &[u8]) -> Result<(), SendError> {
        let mut slot = self.try_reserve(bytes.len())?;
        slot.append(bytes);
        slot.commit(kind)
    }

    /// As [`try_push`](Self::try_push), for a message whose length the program's text says: no loop and, as long as room
    /// is known of and the end of the ring is not in the way, little to check.
    #[inline]
    pub fn try_push_words<const WORDS: usize>(&mut self, kind: u32, words: &[u64; WORDS]) -> Result<(), SendError> {
        let (index, needed) = (self.ring.index(self.tail), 1 + WORDS);
        let roomy = self.broken.is_none() && kind != PAD && self.free() >= needed as u64;
        let Some(room) = self.ring.data.get(index..index + needed).filter(|_| roomy) else {
            return self.push_words_with_care(kind, words);
        };
        room[0].store(header(kind, WORDS * 8), Relaxed);
        room[1..].iter().zip(words).for_each(|(place, word)| place.store(*word, Relaxed));
        self.tail = self.tail.wrapping_add(needed as u64);
        self.figures.messages += 1;
        self.figures.bytes += WORDS as u64 * 8;
        Ok(())
    }

    #[cold]
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
        let (payload, words) = self.locate(bytes)?;
        let start = self.ring.index(self.tail) + 1;
        let room = self.ring.data.get(start..start + words as usize - 1).ok_or(SendError::TooLong)?;
        Ok(Slot { producer: self, writer: WordWriter::new(room), limit: payload })
    }

    /// Room for a message of up to `bytes` bytes; waits for it.
    pub fn reserve(&mut self, bytes: usize) -> Result<Slot<'_, 'a, B>, SendError> {
        let mut looks = 0;
        loop {
            match self.locate(bytes) {
                Ok(_) => return self.try_reserve(bytes),
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
        if self.published == self.tail {
            return;
        }
        self.published = self.tail;
        self.ring.tail.store(self.tail, Release);
        if B::SLEEPS {
            fence(SeqCst);
            if self.ring.consumer_sleeps.load(Relaxed) != 0 && self.ring.consumer_sleeps.swap(0, Relaxed) != 0 {
                self.figures.rings += 1;
                self.bell.ring();
            }
        }
    }

    /// Makes room for one record at `tail` (writing a PAD record if it would cross the end): payload limit and words.
    #[inline]
    fn locate(&mut self, bytes: usize) -> Result<(usize, u64), SendError> {
        if let Some(error) = self.broken {
            return Err(error.into());
        }
        if bytes > self.max_message() {
            return Err(SendError::TooLong);
        }
        let words = record_words(bytes);
        let to_end = self.ring.capacity() - self.ring.index(self.tail) as u64;
        let needed = if words > to_end { to_end + words } else { words };
        if self.free() < needed {
            self.refresh()?;
            if self.free() < needed {
                return Err(SendError::Full);
            }
        }
        if words > to_end {
            // A PAD's length field is not read: it reaches to the end of the ring by definition.
            self.ring.data[self.ring.index(self.tail)].store(header(PAD, 0), Relaxed);
            self.tail = self.tail.wrapping_add(to_end);
        }
        Ok((bytes, words))
    }

    #[inline]
    fn free(&self) -> u64 {
        self.ring.capacity() - self.tail.wrapping_sub(self.head)
    }

    /// Looks at the consumer's position, and believes it only if it lies between the last one and our own.
    fn refresh(&mut self) -> Result<(), PeerError> {
        let head = self.ring.head.load(Acquire);
        let forward = head.wrapping_sub(self.head);
        if forward > self.published.wrapping_sub(self.head) {
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

    fn blame(&mut self, error: PeerError) -> PeerError {
        self.broken = Some(error);
        error
    }

    /// Publishes, then looks again a few times, then sleeps until a good part of the ring is free.
    fn wait_for_room(&mut self, bytes: usize, looks: &mut u32) -> Result<(), SendError> {
        self.flush();
        if *looks < self.bell.spins() {
            *looks += 1;
            core::hint::spin_loop();
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
                self.figures.waits += 1;
                self.bell.wait();
            }
            self.ring.producer_wants.store(0, Relaxed);
        } else {
            self.bell.wait();
        }
        Ok(())
    }
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
        let index = producer.ring.index(producer.tail);
        producer.ring.data[index].store(header(kind, bytes), Relaxed);
        producer.tail = producer.tail.wrapping_add(record_words(bytes));
        producer.figures.messages += 1;
        producer.figures.bytes += bytes as u64;
        Ok(())
    }
}
