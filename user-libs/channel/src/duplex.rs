//! Both rings of a region, as one end of the channel sees them.

use crate::bell::Bell;
use crate::consumer::Consumer;
use crate::error::OpenError;
use crate::layout::Ring;
use crate::producer::Producer;
use crate::shared::Region;

/// Which end of the channel this program is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The end listed first: it sends on ring 0.
    First,
    /// The other end: it sends on ring 1.
    Second,
}

impl Side {
    /// The side with the manifest's number: 0 is the first end, everything else the second.
    pub fn from_number(number: u32) -> Self {
        if number == 0 { Self::First } else { Self::Second }
    }
}

/// One end of a channel: a ring out and a ring in. The two halves can be used apart, also by two threads.
pub struct Duplex<'a, B> {
    /// Sends to the peer.
    pub out: Producer<'a, B>,
    /// Receives from the peer.
    pub inward: Consumer<'a, B>,
}

impl<'a, B: Bell + Clone> Duplex<'a, B> {
    /// Opens this end of the channel in `region`, which must have been zero before either end first opened it, and must
    /// be opened once only by each end. `bell` wakes the peer and is what this end sleeps on, for both directions.
    pub fn open(region: Region<'a>, side: Side, bell: B) -> Result<Self, OpenError> {
        let (out, inward) = match side {
            Side::First => (0, 1),
            Side::Second => (1, 0),
        };
        Ok(Self {
            out: Producer::new(Ring::new(region, out)?, bell.clone()),
            inward: Consumer::new(Ring::new(region, inward)?, bell),
        })
    }
}

#[cfg(all(test, not(feature = "explore")))]
mod tests {
    use super::*;
    use crate::{PAD, PeerError, Polling, SendError};
    use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

    fn memory() -> Vec<AtomicU64> {
        (0..512).map(|_| AtomicU64::new(0)).collect()
    }

    fn both(memory: &[AtomicU64]) -> (Duplex<'_, Polling>, Duplex<'_, Polling>) {
        let region = Region::from_words(memory);
        let open = |side| Duplex::open(region, side, Polling).expect("large enough");
        (open(Side::First), open(Side::Second))
    }

    #[test]
    fn a_message_crosses_in_each_direction_with_its_kind() {
        let memory = memory();
        let (mut left, mut right) = both(&memory);
        left.out.send(7, b"there").unwrap();
        right.out.send(8, b"back again").unwrap();
        let message = right.inward.try_receive().unwrap().unwrap();
        assert_eq!((message.kind, message.bytes.iter().collect::<Vec<_>>()), (7, b"there".to_vec()));
        let message = left.inward.try_receive().unwrap().unwrap();
        assert_eq!((message.kind, message.bytes.iter().collect::<Vec<_>>()), (8, b"back again".to_vec()));
        assert!(left.inward.try_receive().unwrap().is_none());
    }

    #[test]
    fn nothing_is_seen_before_the_flush_and_all_of_it_after() {
        let memory = memory();
        let (mut left, mut right) = both(&memory);
        for kind in 0..5 {
            left.out.push(kind, &[kind as u8]).unwrap();
        }
        assert!(right.inward.try_receive().unwrap().is_none());
        left.out.flush();
        let kinds: Vec<_> = right.inward.batch().map(|message| message.unwrap().kind).collect();
        assert_eq!(kinds, [0, 1, 2, 3, 4]);
    }

    #[test]
    fn a_message_of_any_length_up_to_the_limit_fits_into_an_empty_ring_at_any_position() {
        let memory = memory();
        let (mut left, mut right) = both(&memory);
        let longest = left.out.max_message();
        for round in 0..200 {
            let bytes = vec![round as u8; (round * 31) % (longest + 1)];
            left.out.try_push(1, &bytes).unwrap();
            left.out.flush();
            let message = right.inward.try_receive().unwrap().unwrap();
            assert_eq!(message.bytes.iter().collect::<Vec<_>>(), bytes);
            assert!(right.inward.try_receive().unwrap().is_none());
        }
        assert_eq!(left.out.try_push(1, &vec![0; longest + 1]), Err(SendError::TooLong));
        assert_eq!(left.out.try_push(PAD, b""), Err(SendError::ReservedKind));
    }

    #[test]
    fn words_arrive_as_they_were_at_any_position_of_the_ring_and_only_as_so_many() {
        let memory = memory();
        let (mut left, mut right) = both(&memory);
        for number in 0..500 {
            left.out.try_push_words(3, &[number, !number, 7]).unwrap();
            left.out.flush();
            let message = right.inward.try_receive().unwrap().unwrap();
            assert_eq!((message.kind, message.bytes.words()), (3, Some([number, !number, 7])));
            assert_eq!((message.bytes.words::<2>(), message.bytes.words::<4>()), (None, None));
        }
        assert_eq!(left.out.try_push_words(PAD, &[0]), Err(SendError::ReservedKind));
        let sent = (0..).take_while(|_| left.out.try_push_words(1, &[0; 7]).is_ok()).count();
        assert_eq!(left.out.try_push_words(1, &[0; 7]), Err(SendError::Full));
        left.out.flush();
        assert_eq!(right.inward.batch().filter(|message| message.unwrap().bytes.words() == Some([0; 7])).count(), sent);
    }

    #[test]
    fn words_of_an_expected_kind_are_taken_and_other_messages_left() {
        let memory = memory();
        let (mut left, mut right) = both(&memory);
        assert_eq!(right.inward.try_receive_words::<1>(3), Ok(None), "nothing is there");
        for number in 0..500 {
            left.out.try_send_words(3, &[number, !number, 7]).unwrap();
            assert_eq!(right.inward.try_receive_words::<2>(3), Ok(None), "of another length");
            assert_eq!(right.inward.try_receive_words::<3>(4), Ok(None), "of another kind");
            assert_eq!(right.inward.try_receive_words(3), Ok(Some([number, !number, 7])));
            assert_eq!(right.inward.try_receive_words::<3>(3), Ok(None), "taken once");
        }
        let long = [9; 64 - 1];
        left.out.try_send_words(5, &long).unwrap();
        assert_eq!(right.inward.try_receive_words(5), Ok(Some(long)), "more than a quarter of the ring");
        left.out.send(PAD - 1, b"not a word").unwrap();
        assert_eq!(right.inward.try_receive_words::<0>(PAD), Ok(None));
        assert_eq!(right.inward.try_receive_words::<2>(PAD - 1), Ok(None));
        assert_eq!(right.inward.try_receive().unwrap().unwrap().bytes.len(), 10);
        assert_eq!(left.out.figures().bytes, right.inward.figures().bytes);
        assert_eq!(left.out.figures().bytes, 500 * 24 + 63 * 8 + 10);
    }

    #[test]
    fn a_reader_that_is_behind_gives_room_back_before_it_has_read_everything() {
        let memory = memory();
        let (mut left, mut right) = both(&memory);
        let full = (0..).take_while(|_| left.out.try_send_words(1, &[0]).is_ok()).count();
        let taken = (0..).take_while(|_| {
            right.inward.try_receive_words::<1>(1).unwrap().is_some() && left.out.try_send_words(1, &[0]).is_err()
        });
        assert!(taken.count() <= full / 2, "at most half of it is held");
    }

    #[test]
    fn a_full_ring_says_so_and_goes_on_when_room_is_released() {
        let memory = memory();
        let (mut left, mut right) = both(&memory);
        let mut sent = 0;
        while left.out.try_push(1, &[0; 56]).is_ok() {
            sent += 1;
        }
        assert_eq!(left.out.try_push(1, &[0; 56]), Err(SendError::Full));
        left.out.flush();
        assert_eq!(right.inward.batch().count(), sent);
        assert_eq!(left.out.try_push(1, &[0; 56]), Err(SendError::Full));
        right.inward.release();
        assert_eq!(left.out.try_push(1, &[0; 56]), Ok(()));
    }

    #[test]
    fn a_peer_of_another_version_or_size_is_refused() {
        let memory = memory();
        let (mut left, mut right) = both(&memory);
        left.out.send(1, b"x").unwrap();
        memory[1].store(0x1234, Relaxed);
        assert_eq!(right.inward.try_receive().err(), Some(PeerError::Version));
        assert_eq!(right.inward.try_receive().err(), Some(PeerError::Version), "and stays refused");
        memory[17].store(0x1234, Relaxed);
        let refused = loop {
            match left.out.try_push(1, &[0; 100]) {
                Ok(()) => left.out.flush(),
                Err(error) => break error,
            }
        };
        assert_eq!(refused, SendError::Peer(PeerError::Version));
    }

    #[test]
    fn a_small_region_is_refused_and_both_ends_are_send() {
        fn is_send<T: Send>(_: &T) {}
        let memory = memory();
        let opened = Duplex::open(Region::from_words(&memory[..511]), Side::First, Polling);
        assert_eq!(opened.err(), Some(OpenError::TooSmall));
        let (left, _) = both(&memory);
        is_send(&left.out);
        is_send(&left.inward);
    }
}
