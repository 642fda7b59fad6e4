//! One-way publication of the latest value, for an end that may only read: a sequence lock, always polled.
//!
//! The publisher never waits and never looks at what it shares; a subscriber sees some published value in full, or
//! learns that there is none yet, or that it was overtaken too often. Values may be skipped. Layout: word 0 is the
//! sequence number (odd while a value is being written), word 1 the length, then the value. Tests: below.

use crate::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
    fence, spin_loop,
};
use crate::shared::{Bytes, Region, WordWriter};

/// How often a subscriber tries again when a new value overtakes its reading.
const ATTEMPTS: u32 = 1000;

/// The writing end.
pub struct Publisher<'a> {
    sequence: &'a AtomicU64,
    length: &'a AtomicU64,
    data: &'a [AtomicU64],
    next: u64,
}

/// The reading end; its memory may be mapped read-only.
pub struct Subscriber<'a> {
    sequence: &'a AtomicU64,
    length: &'a AtomicU64,
    data: &'a [AtomicU64],
}

/// Why there is no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// None was published yet.
    Nothing,
    /// It changed during each of many attempts.
    Overtaken,
    /// The buffer is smaller than the value, which has this many bytes.
    TooLong(usize),
}

fn split(region: Region<'_>) -> Option<(&AtomicU64, &AtomicU64, &[AtomicU64])> {
    let (header, data) = region.words().split_at_checked(2)?;
    Some((&header[0], &header[1], data))
}

impl<'a> Publisher<'a> {
    /// The publisher of `region` (zero so far); `None` if it has not even room for the header.
    pub fn open(region: Region<'a>) -> Option<Self> {
        let (sequence, length, data) = split(region)?;
        Some(Self { sequence, length, data, next: 0 })
    }

    /// Replaces the value; `false` if it does not fit (nothing is changed then).
    #[must_use]
    pub fn publish(&mut self, value: &[u8]) -> bool {
        if value.len() > self.data.len() * 8 {
            return false;
        }
        self.sequence.store(self.next | 1, Relaxed);
        fence(Release);
        self.length.store(value.len() as u64, Relaxed);
        WordWriter::new(self.data).append(value);
        self.next = self.next.wrapping_add(2);
        self.sequence.store(self.next, Release);
        true
    }
}

impl<'a> Subscriber<'a> {
    /// A subscriber to `region`; `None` if it has not even room for the header.
    pub fn open(region: Region<'a>) -> Option<Self> {
        let (sequence, length, data) = split(region)?;
        Some(Self { sequence, length, data })
    }

    /// Copies the latest value to the front of `target`: its sequence number (1 is the first) and length.
    pub fn read(&self, target: &mut [u8]) -> Result<(u64, usize), ReadError> {
        for _ in 0..ATTEMPTS {
            let before = self.sequence.load(Acquire);
            if before == 0 {
                return Err(ReadError::Nothing);
            }
            let length = self.length.load(Relaxed).min(self.data.len() as u64 * 8) as usize;
            let fits = length <= target.len();
            if fits {
                Bytes::new(self.data, length).copy_to(target);
            }
            fence(Acquire);
            if before.is_multiple_of(2) && self.sequence.load(Relaxed) == before {
                return if fits { Ok((before / 2, length)) } else { Err(ReadError::TooLong(length)) };
            }
            spin_loop();
        }
        Err(ReadError::Overtaken)
    }
}

#[cfg(all(test, not(feature = "explore")))]
mod tests {
    use super::*;

    #[test]
    fn a_subscriber_sees_the_latest_value_in_full() {
        let memory: Vec<AtomicU64> = (0..8).map(|_| AtomicU64::new(0)).collect();
        let mut publisher = Publisher::open(Region::from_words(&memory)).unwrap();
        let subscriber = Subscriber::open(Region::from_words(&memory)).unwrap();
        let mut buffer = [0; 48];
        assert_eq!(subscriber.read(&mut buffer), Err(ReadError::Nothing));
        assert!(publisher.publish(b"first, and long"));
        assert!(publisher.publish(b"second"));
        assert!(!publisher.publish(&[0; 49]));
        assert_eq!(subscriber.read(&mut buffer), Ok((2, 6)));
        assert_eq!(&buffer[..6], b"second");
        assert_eq!(subscriber.read(&mut buffer[..3]), Err(ReadError::TooLong(6)));
        memory[1].store(u64::MAX, Relaxed);
        assert_eq!(subscriber.read(&mut buffer), Ok((2, 48)), "a lie about the length ends at the region");
        memory[0].store(7, Relaxed);
        assert_eq!(subscriber.read(&mut buffer), Err(ReadError::Overtaken));
    }

    #[test]
    fn no_value_is_ever_torn() {
        let memory: Vec<AtomicU64> = (0..34).map(|_| AtomicU64::new(0)).collect();
        let region = Region::from_words(&memory);
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let mut publisher = Publisher::open(region).unwrap();
                for round in 0..20_000u32 {
                    assert!(publisher.publish(&[round as u8; 256][..(round % 256) as usize]));
                }
            });
            let subscriber = Subscriber::open(region).unwrap();
            let mut buffer = [0; 256];
            let mut last = 0;
            while last < 20_000 {
                if let Ok((sequence, length)) = subscriber.read(&mut buffer) {
                    assert!(sequence >= last);
                    last = sequence;
                    let round = (sequence - 1) as u32;
                    assert_eq!(length, (round % 256) as usize);
                    assert!(buffer[..length].iter().all(|&byte| byte == round as u8));
                }
            }
        });
    }
}
