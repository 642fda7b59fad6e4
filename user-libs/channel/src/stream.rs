//! A byte stream over a ring: messages of kind [`DATA`] carry bytes, one of kind [`END`] closes the stream.

use crate::bell::Bell;
use crate::consumer::{Consumer, Message};
use crate::error::{PeerError, SendError};
use crate::producer::Producer;

/// Kind of a message that carries bytes of the stream.
pub const DATA: u32 = 0;
/// Kind of the message that ends the stream.
pub const END: u32 = 1;

/// Writes a stream into a ring.
pub struct StreamWriter<'a, B: Bell> {
    producer: Producer<'a, B>,
}

impl<'a, B: Bell> StreamWriter<'a, B> {
    /// A stream over `producer`.
    pub fn new(producer: Producer<'a, B>) -> Self {
        Self { producer }
    }

    /// Writes all of `bytes` and publishes them; waits for room as needed.
    pub fn write_all(&mut self, bytes: &[u8]) -> Result<(), SendError> {
        for chunk in bytes.chunks(self.producer.max_message()) {
            self.producer.send(DATA, chunk)?;
        }
        Ok(())
    }

    /// Ends the stream and gives the ring back.
    pub fn finish(mut self) -> Result<Producer<'a, B>, SendError> {
        self.producer.send(END, &[])?;
        Ok(self.producer)
    }
}

/// Reads a stream from a ring.
pub struct StreamReader<'a, B: Bell> {
    consumer: Consumer<'a, B>,
    current: Option<Message<'a>>,
    offset: usize,
    ended: bool,
}

impl<'a, B: Bell> StreamReader<'a, B> {
    /// A stream over `consumer`.
    pub fn new(consumer: Consumer<'a, B>) -> Self {
        Self { consumer, current: None, offset: 0, ended: false }
    }

    /// Reads some bytes, waiting for the first of them; 0 at the end of the stream (or if `target` is empty).
    pub fn read(&mut self, target: &mut [u8]) -> Result<usize, PeerError> {
        while !target.is_empty() && !self.ended {
            let Some(current) = &self.current else {
                let message = self.consumer.take()?;
                self.ended = message.kind == END;
                self.current = Some(message);
                self.offset = 0;
                continue;
            };
            let count = current.bytes.copy_from(self.offset, target);
            self.offset += count;
            if count != 0 {
                return Ok(count);
            }
            self.current = None;
        }
        Ok(0)
    }
}

#[cfg(all(test, not(feature = "explore")))]
mod tests {
    use super::*;
    use crate::{Duplex, Polling, Region, Side};
    use core::sync::atomic::AtomicU64;

    #[test]
    fn a_stream_longer_than_the_ring_arrives_whole_and_ends() {
        let memory: Vec<AtomicU64> = (0..512).map(|_| AtomicU64::new(0)).collect();
        let region = Region::from_words(&memory);
        let text: Vec<u8> = (0..100_000u32).map(|n| (n.wrapping_mul(n) >> 3) as u8).collect();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let end = Duplex::open(region, Side::First, Polling).unwrap();
                let mut writer = StreamWriter::new(end.out);
                text.chunks(777).for_each(|part| writer.write_all(part).unwrap());
                writer.finish().unwrap();
            });
            let mut reader = StreamReader::new(Duplex::open(region, Side::Second, Polling).unwrap().inward);
            let mut whole = Vec::new();
            let mut buffer = [0; 100];
            loop {
                match reader.read(&mut buffer).unwrap() {
                    0 => break,
                    count => whole.extend_from_slice(&buffer[..count]),
                }
            }
            assert_eq!(reader.read(&mut buffer), Ok(0), "the end stays the end");
            assert!(whole == text);
        });
    }
}
