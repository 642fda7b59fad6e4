//! The reading end of a ring.
//!
//! Messages are read in place. Their room goes back to the producer when [`Consumer::release`] publishes this end's
//! position, which the calls do by themselves when the ring runs empty or more than a quarter of it is held.
//!
//! The usual message takes a short path: it is known to be there, or the producer's position is one that can be believed
//! without more ado, and the end of the ring is not in the way. Everything else takes the careful path: padding, giving
//! back room, the producer's greeting, and whatever a peer may do wrong. That path lets the short one have a quarter of
//! the ring at most, so it gets its turn.

use crate::Figures;
use crate::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release, SeqCst},
    fence, spin_loop,
};
use crate::bell::Bell;
use crate::error::PeerError;
use crate::layout::{PAD, Ring, header, payload, record_words, slack, split_header};
use crate::shared::Bytes;

/// Receives messages.
pub struct Consumer<'a, B> {
    ring: Ring<'a>,
    bell: B,
    /// The ring from the next record on, up to its end.
    rest: &'a [AtomicU64],
    /// Position of the end of the ring: the next record's is `rest.len()` words before it. Only this end moves it; its
    /// shared copy is never read back.
    lap: u64,
    /// The short path may read up to here: not before the next record, not beyond `seen`.
    tail: u64,
    /// The short path may believe a position of the producer up to here; not before `tail`.
    trusted: u64,
    /// Last position of the producer that was checked.
    seen: u64,
    /// What has been published of this end's position.
    published: u64,
    broken: Option<PeerError>,
    messages: u64,
    /// Bytes of the records so far that were neither header nor payload.
    unused: u64,
    rings: u64,
    waits: u64,
}

/// A message in place.
#[derive(Clone, Copy)]
pub struct Message<'m> {
    /// What the sender says it is; never [`PAD`].
    pub kind: u32,
    /// The payload. The peer can still change it: copy before you check.
    pub bytes: Bytes<'m>,
}

/// A record that was checked.
struct Found {
    kind: u32,
    index: usize,
    bytes: usize,
    words: u64,
}

impl<'a, B: Bell> Consumer<'a, B> {
    pub(crate) fn new(ring: Ring<'a>, bell: B) -> Self {
        ring.consumer_hello.store(ring.greeting(), Relaxed);
        let (rest, lap) = (ring.data, ring.capacity());
        // Nothing is trusted before the producer has greeted.
        let (tail, trusted, seen, published) = (0, 0, 0, 0);
        let (broken, messages, unused, rings, waits) = (None, 0, 0, 0, 0);
        Self { ring, bell, rest, lap, tail, trusted, seen, published, broken, messages, unused, rings, waits }
    }

    /// What has been received so far.
    pub fn figures(&self) -> Figures {
        let Self { messages, unused, rings, waits, .. } = *self;
        Figures { messages, bytes: payload(self.head(), messages, unused), rings, waits }
    }

    /// The next message, if there is one. The messages before it may be overwritten from now on.
    #[inline]
    pub fn try_receive(&mut self) -> Result<Option<Message<'_>>, PeerError> {
        match self.locate() {
            Some(message) => Ok(Some(message)),
            None if self.is_idle() => Ok(None),
            None => self.try_receive_with_care(),
        }
    }

    /// The next message if it is of this kind and has so many words: then little has to be checked. `None` if there is
    /// none, or another, which is left to [`try_receive`](Self::try_receive).
    #[inline(always)]
    pub fn try_receive_words<const WORDS: usize>(&mut self, kind: u32) -> Result<Option<[u64; WORDS]>, PeerError> {
        let payload = match self.take_words(kind) {
            Some(payload) => payload,
            None if self.is_idle() || !self.next_is(kind, WORDS * 8)? => return Ok(None),
            // Once only: the peer may change the header as often as it likes.
            None => match self.take_words(kind) {
                Some(payload) => payload,
                None => return Ok(None),
            },
        };
        // In one place, whichever way it was found: a result of two places is copied, and in larger pieces than its words
        // were stored in, which processors cannot forward.
        Ok(Some(payload.each_ref().map(|word: &AtomicU64| word.load(Relaxed))))
    }

    /// Takes the next record the short way, if it is of this kind and has so many words; its payload. `None` says nothing.
    #[inline]
    fn take_words<const WORDS: usize>(&mut self, kind: u32) -> Option<&'a [AtomicU64; WORDS]> {
        let (record, rest) = self.at_least(1 + WORDS)?;
        let (first, payload) = record.split_first()?;
        if first.load(Relaxed) != header(kind, WORDS * 8) || kind == PAD {
            return None;
        }
        self.rest = rest;
        self.messages += 1;
        payload.first_chunk()
    }

    /// Whether the next message is of this kind and length; if so, it can be taken the short way.
    #[cold]
    #[inline(never)]
    fn next_is(&mut self, kind: u32, bytes: usize) -> Result<bool, PeerError> {
        self.release_if_much();
        let Some(found) = self.find()? else {
            self.release();
            return Ok(false);
        };
        let head = self.head();
        self.go_on_at(head);
        // Beyond a quarter, if it has to be.
        self.seen = self.known();
        self.tail = if self.tail.wrapping_sub(head) < found.words { head.wrapping_add(found.words) } else { self.tail };
        Ok((found.kind, found.bytes) == (kind, bytes))
    }

    /// Whether there is plainly nothing to do: no message, no room to give back, no error to tell of.
    #[inline]
    fn is_idle(&self) -> bool {
        let head = self.head();
        self.ring.tail.load(Relaxed) == head && self.published == head && self.broken.is_none()
    }

    #[cold]
    #[inline(never)]
    fn try_receive_with_care(&mut self) -> Result<Option<Message<'a>>, PeerError> {
        self.release_if_much();
        let message = self.locate_with_care()?;
        if message.is_none() {
            self.release();
        }
        Ok(message)
    }

    /// The next message; waits for it.
    pub fn receive(&mut self) -> Result<Message<'_>, PeerError> {
        self.take()
    }

    /// Everything that is there now, message by message, all of it readable until the batch's last message is dropped.
    /// Follow it with [`release`](Self::release), or let a later call do so.
    #[inline]
    pub fn batch(&mut self) -> Batch<'_, 'a, B> {
        Batch { consumer: self, ended: false }
    }

    /// Position of the next record.
    #[inline]
    fn head(&self) -> u64 {
        self.lap.wrapping_sub(self.rest.len() as u64)
    }

    /// Gives the room of all messages taken so far back to the producer, and wakes it if it waits for that much.
    #[inline]
    pub fn release(&mut self) {
        let head = self.head();
        if self.published == head {
            return;
        }
        // While it is measured from the old position, which nothing is behind.
        self.seen = self.known();
        self.published = head;
        self.trust(head);
        self.ring.head.store(head, Release);
        if B::SLEEPS {
            // The mirror image of Producer::flush. What is known of it can only be behind the producer's position, so `free`
            // errs on the side of ringing; and it is the whole ring when this end goes to sleep, so a waiting producer is always woken.
            fence(SeqCst);
            let wanted = self.ring.producer_wants.load(Relaxed).min(self.ring.capacity());
            let free = self.ring.capacity() - self.known().wrapping_sub(head);
            if wanted != 0 && free >= wanted && self.ring.producer_wants.swap(0, Relaxed) != 0 {
                self.rings += 1;
                self.bell.ring();
            }
        }
    }

    fn release_if_much(&mut self) {
        if self.head().wrapping_sub(self.published) > self.ring.capacity() / 4 {
            self.release();
        }
    }

    /// Where the next record begins, the short way: its first `words` words, and the ring behind them, if so many are
    /// known to be published or can be found to be.
    #[inline]
    fn at_least(&mut self, words: usize) -> Option<(&'a [AtomicU64], &'a [AtomicU64])> {
        let needed = self.head().wrapping_add(words as u64);
        if self.tail < needed {
            let tail = self.ring.tail.load(Acquire);
            if tail < needed || tail > self.trusted {
                return None;
            }
            self.tail = tail;
        }
        self.rest.split_at_checked(words)
    }

    /// Takes the next record the short way: `None` says nothing.
    #[inline]
    fn locate(&mut self) -> Option<Message<'a>> {
        let (first, rest) = self.at_least(1)?;
        let (kind, bytes) = split_header(first[0].load(Relaxed));
        let words = record_words(bytes);
        if kind == PAD || words > self.tail.wrapping_sub(self.head()) {
            return None;
        }
        let (payload, rest) = rest.split_at_checked(words as usize - 1)?;
        self.rest = rest;
        self.messages += 1;
        self.unused += slack(bytes);
        Some(Message { kind, bytes: Bytes::exactly(payload, bytes) })
    }

    /// Takes the next record. Gives back no room.
    #[cold]
    #[inline(never)]
    fn locate_with_care(&mut self) -> Result<Option<Message<'a>>, PeerError> {
        let found = self.find()?;
        Ok(found.map(|found| {
            self.take_found(&found);
            self.view(&found)
        }))
    }

    fn view(&self, found: &Found) -> Message<'a> {
        let words = self.ring.data.get(found.index + 1..found.index + found.words as usize).unwrap_or(&[]);
        Message { kind: found.kind, bytes: Bytes::new(words, found.bytes) }
    }

    fn take_found(&mut self, found: &Found) {
        self.go_on_at(self.head().wrapping_add(found.words));
        self.messages += 1;
        self.unused += slack(found.bytes);
    }

    /// Checks the next record, skipping padding, and leaves it where it is.
    fn find(&mut self) -> Result<Option<Found>, PeerError> {
        if let Some(error) = self.broken {
            return Err(error);
        }
        // At most one PAD lies before a record; after it the position is the start of the ring, where none may be.
        for _ in 0..2 {
            let head = self.head();
            if self.known() == head {
                self.refresh()?;
            }
            let available = self.known().wrapping_sub(head);
            if available == 0 {
                return Ok(None);
            }
            let index = self.ring.index(head);
            let to_end = self.ring.capacity() - index as u64;
            let (kind, bytes) = split_header(self.ring.data[index].load(Relaxed));
            if kind == PAD {
                if index == 0 || to_end > available {
                    return Err(self.blame(PeerError::Padding));
                }
                self.unused += 8 * to_end;
                self.go_on_at(head.wrapping_add(to_end));
                continue;
            }
            let words = record_words(bytes);
            if words > available || words > to_end {
                return Err(self.blame(PeerError::Length));
            }
            return Ok(Some(Found { kind, index, bytes, words }));
        }
        Err(self.blame(PeerError::Padding))
    }

    /// Makes `head` the position of the next record.
    fn go_on_at(&mut self, head: u64) {
        self.seen = self.known();
        self.rest = self.ring.data.get(self.ring.index(head)..).unwrap_or(&[]);
        self.lap = head.wrapping_add(self.rest.len() as u64);
        self.trust(head);
    }

    /// The furthest believed position of the producer: what was checked, or what the short path has seen since.
    fn known(&self) -> u64 {
        let beyond = |position: u64| position.wrapping_sub(self.published);
        if beyond(self.tail) > beyond(self.seen) { self.tail } else { self.seen }
    }

    /// Looks at the producer's position, and believes it only if it went forward and not beyond the room it has.
    fn refresh(&mut self) -> Result<(), PeerError> {
        let tail = self.ring.tail.load(Acquire);
        let (held, known) = (tail.wrapping_sub(self.published), self.known());
        if held > self.ring.capacity() || held < known.wrapping_sub(self.published) {
            return Err(self.blame(PeerError::Position));
        }
        // Whoever publishes has greeted before: the acquire above makes the greeting visible.
        if tail != known && known == 0 && self.ring.check_greeting(self.ring.producer_hello) != Ok(true) {
            return Err(self.blame(PeerError::Version));
        }
        if tail != known {
            self.seen = tail;
            self.trust(self.head());
        }
        Ok(())
    }

    /// Says how far the short path may go, from `head` on, where `seen` is all that is known. The producer has greeted.
    fn trust(&mut self, head: u64) {
        let (known, quarter) = (self.seen, self.ring.capacity() / 4);
        if known.wrapping_sub(head) > quarter {
            self.tail = head.wrapping_add(quarter);
            self.trusted = self.tail;
        } else {
            self.tail = known;
            // The quarter that may be held, and a quarter more; that is not beyond the ring, and `known` is not beyond it.
            self.trusted = self.published.wrapping_add(2 * quarter);
        }
    }

    /// Nothing is read from now on.
    fn blame(&mut self, error: PeerError) -> PeerError {
        let head = self.head();
        (self.rest, self.lap) = (&[], head);
        (self.tail, self.seen, self.trusted) = (head, head, head);
        self.broken = Some(error);
        error
    }

    /// Gives back all room, looks again a few times, then sleeps until the producer rings.
    fn wait_for_message(&mut self, looks: &mut u32) -> Result<(), PeerError> {
        self.release();
        if *looks < self.bell.spins() {
            *looks += 1;
            spin_loop();
            return Ok(());
        }
        *looks = 0;
        if !B::SLEEPS {
            self.bell.wait();
        } else if self.arm()? {
            self.waits += 1;
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
        if self.known() == self.head() {
            self.refresh()?;
        }
        let empty = self.known() == self.head();
        if !empty {
            self.disarm();
        }
        Ok(empty)
    }

    /// Takes back [`arm`](Self::arm): this end is awake.
    pub fn disarm(&mut self) {
        self.ring.consumer_sleeps.store(0, Relaxed);
    }

    /// The next message, for a reader that comes back to it: to be read before anything else is taken. Waits for it.
    pub(crate) fn take(&mut self) -> Result<Message<'a>, PeerError> {
        let mut looks = 0;
        loop {
            if let Some(message) = self.locate() {
                return Ok(message);
            }
            self.release_if_much();
            if let Some(message) = self.locate_with_care()? {
                return Ok(message);
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
        let message = match self.consumer.locate() {
            Some(message) => Ok(Some(message)),
            None => self.consumer.locate_with_care(),
        };
        self.ended = !matches!(message, Ok(Some(_)));
        message.transpose()
    }
}
