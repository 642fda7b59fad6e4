//! The ring behaves like a bounded queue: every sequence of operations gives what a `VecDeque` gives.
#![cfg(not(feature = "explore"))]

use channel::{Duplex, Polling, Region, SendError, Side};
use proptest::prelude::*;
use std::collections::VecDeque;
use std::sync::atomic::AtomicU64;

#[derive(Clone, Debug)]
enum Step {
    Push { kind: u32, length: usize },
    Abandon { length: usize },
    Flush,
    Take,
    Words,
    Batch { most: usize },
    Release,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0u32..5, 0usize..520).prop_map(|(kind, length)| Step::Push { kind, length }),
        4 => Just(Step::Push { kind: 1, length: 16 }),
        1 => (0usize..520).prop_map(|length| Step::Abandon { length }),
        2 => Just(Step::Flush),
        3 => Just(Step::Take),
        2 => Just(Step::Words),
        1 => (0usize..6).prop_map(|most| Step::Batch { most }),
        1 => Just(Step::Release),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn every_interleaving_on_one_thread_gives_the_queue(steps in proptest::collection::vec(step(), 0..300)) {
        let memory: Vec<AtomicU64> = (0..512).map(|_| AtomicU64::new(0)).collect();
        let region = Region::from_words(&memory);
        let mut out = Duplex::open(region, Side::First, Polling).unwrap().out;
        let mut inward = Duplex::open(region, Side::Second, Polling).unwrap().inward;
        let (mut written, mut visible) = (VecDeque::new(), VecDeque::new());
        let mut stamp = 0u8;
        let mut unreleased = false;
        for step in steps {
            match step {
                Step::Push { kind, length } => {
                    stamp = stamp.wrapping_add(1);
                    let bytes = vec![stamp; length];
                    match out.try_push(kind, &bytes) {
                        Ok(()) => written.push_back((kind, bytes)),
                        Err(SendError::TooLong) => prop_assert!(length > out.max_message()),
                        // Held: unread, read but not released, and padding. It never refuses when little is held.
                        Err(SendError::Full) => {
                            prop_assert!(!written.is_empty() || !visible.is_empty() || unreleased || length > 0);
                        }
                        Err(error) => prop_assert!(false, "{error:?}"),
                    }
                }
                Step::Abandon { length } => {
                    if let Ok(mut slot) = out.try_reserve(length) {
                        slot.append(&[0xee; 3]);
                    }
                }
                Step::Flush => {
                    out.flush();
                    visible.append(&mut written);
                }
                Step::Take => {
                    unreleased = true;
                    let found = inward.try_receive().unwrap().map(|m| (m.kind, m.bytes.iter().collect::<Vec<_>>()));
                    prop_assert_eq!(found, visible.pop_front());
                }
                Step::Words => {
                    unreleased = true;
                    let found = inward.try_receive_words::<2>(1).unwrap();
                    let expected = visible.pop_front_if(|(kind, bytes)| (*kind, bytes.len()) == (1, 16));
                    let bytes = found.map(|words| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>());
                    prop_assert_eq!(bytes, expected.map(|(_, bytes)| bytes));
                }
                Step::Batch { most } => {
                    unreleased = true;
                    // A batch sees what was visible when the ring was last looked at: a prefix of the queue.
                    let held: Vec<_> = inward.batch().take(most).map(Result::unwrap).collect();
                    for message in held {
                        prop_assert_eq!(visible.pop_front(), Some((message.kind, message.bytes.iter().collect())));
                    }
                }
                Step::Release => {
                    inward.release();
                    unreleased = false;
                }
            }
        }
        out.flush();
        visible.append(&mut written);
        while let Some(expected) = visible.pop_front() {
            let message = inward.try_receive().unwrap().expect("published");
            prop_assert_eq!(expected, (message.kind, message.bytes.iter().collect()));
        }
        prop_assert!(inward.try_receive().unwrap().is_none());
        prop_assert_eq!(out.figures().messages, inward.figures().messages);
        prop_assert_eq!(out.figures().bytes, inward.figures().bytes);
    }
}
