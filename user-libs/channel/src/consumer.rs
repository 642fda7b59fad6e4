//! The reading end of a ring.
//!
//! Messages are read in place. Their room goes back to the producer when [`Consumer::release`] publishes the private
//! `head`, which the calls do by themselves when the ring runs empty or a quarter of it is held.

use crate::Figures;
use crate::bell::Bell;
use crate::error::PeerError;
use crate::layout::{PAD, Ring, record_words, split_header};
use crate::shared::Bytes;
use core::sync::atomic::{
    Ordering::{Acquire, Relaxed, Release, SeqCst},
    fence,
};

/// Receives messages.
pub struct Consumer<'a, B> {
    ring: Ring<'a>,
    bell: B,
    /// Position of the next record. Only this end moves it; its shared copy is never read back.
    head: u64,
    /// What has been published of `head`.
    published: u64,
    /// Last believed position of the producer.
    tail: u64,
    broken: Option<PeerError>,
    figures: Figures,
}

/// A message in place.
#[derive(Clone, Copy)]
pub struct Message<'m> {
    /// What the sender says it is; never [`PAD`].
    pub kind: u32,
    /// The payload. The peer can still change it: copy before you check.
    pub bytes: Bytes<'m>,
}

pub(crate) struct Located {
    kind: u32,
    start: usize,
    bytes: usize,
}

impl<'a, B: Bell> Consumer<'a, B> {
    pub(crate) fn new(ring: Ring<'a>, bell: B) -> Self {
        ring.consumer_hello.store(ring.greeting(), Relaxed);
        Self { ring, bell, head: 0, published: 0, tail: 0, broken: None, figures: Figures::default() }
    }

    /// What has been received so far.
    pub fn figures(&self) -> Figures {
        self.figures
    }

    /// The next message, if there is one. The messages before it may be overwritten from now on.
    #[inline]
    pub fn try_receive(&mut self) -> Result<Option<Message<'_>>, PeerError> {
        if self.head.wrapping_sub(self.published) > self.ring.capacity() / 4 {
            self.release();
        }
        let located = self.locate()?;
        if located.is_none() {
            self.release();
        }
        Ok(located.map(|at| self.view(&at)))
    }

    /// The next message; waits for it.
    pub fn receive(&mut self) -> Result<Message<'_>, PeerError> {
        let located = self.take()?;
        Ok(self.view(&located))
    }

    /// Everything that is there now, message by message, all of it readable until the batch's last message is dropped.
    /// Follow it with [`release`](Self::release), or let a later call do so.
    #[inline]
    pub fn batch(&mut self) -> Batch<'_, 'a, B> {
        Batch { consumer: self, ended: false }
    }

    /// Gives the room of all messages taken so far back to the producer, and wakes it if it waits for that much.
    #[inline]
    pub fn release(&mut self) {
        if self.published == self.head {
            return;
        }
        self.published = self.head;
        self.ring.head.store(self.head, Release);
        if B::SLEEPS {
            // The mirror image of Producer::flush. `tail` can only be behind the producer's, so `free` errs on the side
            // of ringing; and it is the whole ring when this end goes to sleep, so a waiting producer is always woken.
            fence(SeqCst);
            let wanted = self.ring.producer_wants.load(Relaxed).min(self.ring.capacity());
            let free = self.ring.capacity() - self.tail.wrapping_sub(self.head);
            if wanted != 0 && free >= wanted && self.ring.producer_wants.swap(0, Relaxed) != 0 {
                self.figures.rings += 1;
                self.bell.ring();
            }
        }
    }

    /// Takes the next record, skipping padding.
    #[inline]
    fn locate(&mut self) -> Result<Option<Located>, PeerError> {
        if let Some(error) = self.broken {
            return Err(error);
        }
        // At most one PAD lies before a record; after it the position is the start of the ring, where none may be.
        for _ in 0..2 {
            if self.tail == self.head {
                self.refresh()?;
            }
            let available = self.tail.wrapping_sub(self.head);
            if available == 0 {
                return Ok(None);
            }
            let index = self.ring.index(self.head);
            let to_end = self.ring.capacity() - index as u64;
            let (kind, bytes) = split_header(self.ring.data[index].load(Relaxed));
            if kind == PAD {
                if index == 0 || to_end > available {
                    return Err(self.blame(PeerError::Padding));
                }
                self.head = self.head.wrapping_add(to_end);
                continue;
            }
            let words = record_words(bytes);
            if words > available || words > to_end {
                return Err(self.blame(PeerError::Length));
            }
            self.head = self.head.wrapping_add(words);
            self.figures.messages += 1;
            self.figures.bytes += bytes as u64;
            return Ok(Some(Located { kind, start: index + 1, bytes }));
        }
        Err(self.blame(PeerError::Padding))
    }

    /// The payload of a record that was checked by `locate`.
    #[inline]
    pub(crate) fn view(&self, at: &Located) -> Message<'a> {
        let words = self.ring.data.get(at.start..at.start + at.bytes.div_ceil(8)).unwrap_or(&[]);
        Message { kind: at.kind, bytes: Bytes::new(words, at.bytes) }
    }

    /// Looks at the producer's position, and believes it only if it went forward and not beyond the room it has.
    fn refresh(&mut self) -> Result<(), PeerError> {
        let tail = self.ring.tail.load(Acquire);
        let held = tail.wrapping_sub(self.published);
        if held > self.ring.capacity() || held < self.tail.wrapping_sub(self.published) {
            return Err(self.blame(PeerError::Position));
        }
        // Whoever publishes has greeted before: the acquire above makes the greeting visible.
        if tail != self.tail && self.tail == 0 && self.ring.check_greeting(self.ring.producer_hello) != Ok(true) {
            return Err(self.blame(PeerError::Version));
        }
        self.tail = tail;
        Ok(())
    }

    fn blame(&mut self, error: PeerError) -> PeerError {
        self.broken = Some(error);
        error
    }

    /// Gives back all room, looks again a few times, then sleeps until the producer rings.
    fn wait_for_message(&mut self, looks: &mut u32) -> Result<(), PeerError> {
        self.release();
        if *looks < self.bell.spins() {
            *looks += 1;
            core::hint::spin_loop();
            return Ok(());
        }
        *looks = 0;
        if !B::SLEEPS {
            self.bell.wait();
        } else if self.arm()? {
            self.figures.waits += 1;
            self.bell.wait();
            self.disarm();
        }
        Ok(())
    }

    /// Tells the producer that this end is about to sleep. `true`: there is nothing to read, and the next
    /// [`Producer::flush`](crate::Producer::flush) will ring. `false`: there is something to read, do not sleep.
    ///
    /// For a program that sleeps on several channels at once; [`receive`](Self::receive) does this by itself.
    pub fn arm(&mut self) -> Result<bool, PeerError> {
        self.release();
        self.ring.consumer_sleeps.store(1, Relaxed);
        fence(SeqCst);
        if self.tail == self.head {
            self.refresh()?;
        }
        let empty = self.tail == self.head;
        if !empty {
            self.disarm();
        }
        Ok(empty)
    }

    /// Takes back [`arm`](Self::arm): this end is awake.
    pub fn disarm(&mut self) {
        self.ring.consumer_sleeps.store(0, Relaxed);
    }

    /// The position of the next message, for a reader that comes back to it; waits for it.
    pub(crate) fn take(&mut self) -> Result<Located, PeerError> {
        let mut looks = 0;
        loop {
            if self.head.wrapping_sub(self.published) > self.ring.capacity() / 4 {
                self.release();
            }
            if let Some(located) = self.locate()? {
                return Ok(located);
            }
            self.wait_for_message(&mut looks)?;
        }
    }
}

/// Iterates over the messages that are there now; their room is kept until [`Consumer::release`].
pub struct Batch<'b, 'a, B> {
    consumer: &'b mut Consumer<'a, B>,
    ended: bool,
}

impl<'b, 'a: 'b, B: Bell> Iterator for Batch<'b, 'a, B> {
    type Item = Result<Message<'b>, PeerError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let located = self.consumer.locate();
        self.ended = !matches!(located, Ok(Some(_)));
        let message: Option<Result<Message<'b>, PeerError>> =
            located.map(|found| found.map(|at| self.consumer.view(&at))).transpose();
        message
    }
}
