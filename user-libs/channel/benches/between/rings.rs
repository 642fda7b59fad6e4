//! The rings under one interface. All have room for [`SLOTS`] messages, ours for up to twice as many.

use channel::{Bytes, Consumer, Duplex, Polling, Producer, Region, Side};
use crossbeam_channel::{Receiver, Sender};
use crossbeam_queue::ArrayQueue;
use std::sync::atomic::AtomicU64;

/// Messages that fit.
const SLOTS: usize = 1024;
/// Messages of a batch.
pub const BATCH: u64 = 16;
/// What our messages say they are.
const KIND: u32 = 0;

/// A ring that carries messages of `WORDS` words.
pub trait Ring<const WORDS: usize> {
    const NAME: &'static str;
    type Sender<'a>: Send;
    type Receiver<'a>: Send;
    /// Runs `work` on both ends of a new ring.
    fn with<T>(work: impl FnOnce(Self::Sender<'_>, Self::Receiver<'_>) -> T) -> T;
    /// Lets the receiver see it; false if there is no room.
    fn send(sender: &mut Self::Sender<'_>, message: &[u64; WORDS]) -> bool;
    fn receive(receiver: &mut Self::Receiver<'_>) -> Option<[u64; WORDS]>;

    /// Sends up to [`BATCH`] messages that start with `number` and the numbers behind it, made in place where the ring
    /// can; how many.
    fn send_batch(sender: &mut Self::Sender<'_>, number: u64) -> u64 {
        let sent = (number..number + BATCH).take_while(|number| Self::send(sender, &[*number; WORDS])).count();
        sent as u64
    }

    /// Receives what is there, at most [`BATCH`] messages, read in place where the ring can.
    fn receive_batch(receiver: &mut Self::Receiver<'_>, mut take: impl FnMut([u64; WORDS])) {
        (0..BATCH).map_while(|_| Self::receive(receiver)).for_each(&mut take);
    }
}

pub struct Skerry;

impl<const WORDS: usize> Ring<WORDS> for Skerry {
    const NAME: &'static str = "skerry";
    type Sender<'a> = Producer<'a, Polling>;
    type Receiver<'a> = Consumer<'a, Polling>;

    fn with<T>(work: impl FnOnce(Self::Sender<'_>, Self::Receiver<'_>) -> T) -> T {
        // A record is a header and the message; a ring has a power of two of words.
        let ring = ((1 + WORDS) * SLOTS).next_power_of_two();
        let memory: Vec<AtomicU64> = (0..128 + 2 * ring).map(|_| AtomicU64::new(0)).collect();
        let open = |side| Duplex::open(Region::from_words(&memory), side, Polling).expect("large enough");
        work(open(Side::First).out, open(Side::Second).inward)
    }

    #[inline]
    fn send(sender: &mut Self::Sender<'_>, message: &[u64; WORDS]) -> bool {
        sender.try_send_words(KIND, message).is_ok()
    }

    fn send_batch(sender: &mut Self::Sender<'_>, number: u64) -> u64 {
        let messages = number..number + BATCH;
        let sent = messages.take_while(|number| sender.try_push_words(KIND, &[*number; WORDS]).is_ok()).count();
        sender.flush();
        sent as u64
    }

    #[inline]
    fn receive(receiver: &mut Self::Receiver<'_>) -> Option<[u64; WORDS]> {
        receiver.try_receive_words(KIND).expect("a sound peer")
    }

    fn receive_batch(receiver: &mut Self::Receiver<'_>, mut take: impl FnMut([u64; WORDS])) {
        receiver.batch().for_each(|message| take(words(message.expect("a sound peer").bytes)));
        receiver.release();
    }
}

/// The same ring where the receiver does not know what to expect.
pub struct Any;

impl<const WORDS: usize> Ring<WORDS> for Any {
    const NAME: &'static str = "skerry-any-length";
    type Sender<'a> = Producer<'a, Polling>;
    type Receiver<'a> = Consumer<'a, Polling>;

    fn with<T>(work: impl FnOnce(Self::Sender<'_>, Self::Receiver<'_>) -> T) -> T {
        <Skerry as Ring<WORDS>>::with(work)
    }

    #[inline]
    fn send(sender: &mut Self::Sender<'_>, message: &[u64; WORDS]) -> bool {
        <Skerry as Ring<WORDS>>::send(sender, message)
    }

    #[inline]
    fn receive(receiver: &mut Self::Receiver<'_>) -> Option<[u64; WORDS]> {
        receiver.try_receive().expect("a sound peer").map(|message| words(message.bytes))
    }
}

fn words<const WORDS: usize>(bytes: Bytes<'_>) -> [u64; WORDS] {
    bytes.words().expect("as long as it was sent")
}

pub struct Rtrb;

impl<const WORDS: usize> Ring<WORDS> for Rtrb {
    const NAME: &'static str = "rtrb";
    type Sender<'a> = rtrb::Producer<[u64; WORDS]>;
    type Receiver<'a> = rtrb::Consumer<[u64; WORDS]>;

    fn with<T>(work: impl FnOnce(Self::Sender<'_>, Self::Receiver<'_>) -> T) -> T {
        let (sender, receiver) = rtrb::RingBuffer::new(SLOTS);
        work(sender, receiver)
    }

    #[inline]
    fn send(sender: &mut Self::Sender<'_>, message: &[u64; WORDS]) -> bool {
        sender.push(*message).is_ok()
    }

    #[inline]
    fn receive(receiver: &mut Self::Receiver<'_>) -> Option<[u64; WORDS]> {
        receiver.pop().ok()
    }

    fn send_batch(sender: &mut Self::Sender<'_>, number: u64) -> u64 {
        let room = (sender.slots() as u64).min(BATCH);
        let Ok(chunk) = sender.write_chunk_uninit(room as usize) else { return 0 };
        chunk.fill_from_iter((number..number + room).map(|number| [number; WORDS])) as u64
    }

    fn receive_batch(receiver: &mut Self::Receiver<'_>, take: impl FnMut([u64; WORDS])) {
        let count = receiver.slots().min(BATCH as usize);
        if let Ok(chunk) = receiver.read_chunk(count) {
            chunk.into_iter().for_each(take);
        }
    }
}

pub struct Queue;

impl<const WORDS: usize> Ring<WORDS> for Queue {
    const NAME: &'static str = "crossbeam-queue";
    type Sender<'a> = &'a ArrayQueue<[u64; WORDS]>;
    type Receiver<'a> = &'a ArrayQueue<[u64; WORDS]>;

    fn with<T>(work: impl FnOnce(Self::Sender<'_>, Self::Receiver<'_>) -> T) -> T {
        let queue = ArrayQueue::new(SLOTS);
        work(&queue, &queue)
    }

    #[inline]
    fn send(sender: &mut Self::Sender<'_>, message: &[u64; WORDS]) -> bool {
        sender.push(*message).is_ok()
    }

    #[inline]
    fn receive(receiver: &mut Self::Receiver<'_>) -> Option<[u64; WORDS]> {
        receiver.pop()
    }
}

pub struct Crossbeam;

impl<const WORDS: usize> Ring<WORDS> for Crossbeam {
    const NAME: &'static str = "crossbeam-channel";
    type Sender<'a> = Sender<[u64; WORDS]>;
    type Receiver<'a> = Receiver<[u64; WORDS]>;

    fn with<T>(work: impl FnOnce(Self::Sender<'_>, Self::Receiver<'_>) -> T) -> T {
        let (sender, receiver) = crossbeam_channel::bounded(SLOTS);
        work(sender, receiver)
    }

    #[inline]
    fn send(sender: &mut Self::Sender<'_>, message: &[u64; WORDS]) -> bool {
        sender.try_send(*message).is_ok()
    }

    #[inline]
    fn receive(receiver: &mut Self::Receiver<'_>) -> Option<[u64; WORDS]> {
        receiver.try_recv().ok()
    }
}
