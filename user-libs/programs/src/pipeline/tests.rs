//! The whole pipeline on four threads, against the simplest count there is.

use super::{counter, reader, reporter, tokenizer};
use channel::{Bell, Duplex, Region, Side};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;

/// Waiting is letting the other stages run.
#[derive(Clone)]
struct Yielding;

impl Bell for Yielding {
    const SLEEPS: bool = false;
    fn ring(&self) {}
    fn wait(&self) {
        std::thread::yield_now();
    }
}

/// The words of `text` as the stages find them, most frequent first.
fn piped(text: &[u8], channel_bytes: usize, most: usize) -> Vec<(String, u64)> {
    let memory: Vec<Vec<AtomicU64>> =
        (0..3).map(|_| (0..channel_bytes / 8).map(|_| AtomicU64::new(0)).collect()).collect();
    let open = |index: usize, side| Duplex::open(Region::from_words(&memory[index]), side, Yielding).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| reader::read(text, &mut open(0, Side::First).out, || 0).unwrap());
        scope.spawn(|| {
            let (mut from, mut to) = (open(0, Side::Second), open(1, Side::First));
            tokenizer::tokenize(&mut from.inward, &mut to.out, || 0).unwrap();
        });
        scope.spawn(|| {
            let (mut from, mut to) = (open(1, Side::Second), open(2, Side::First));
            counter::count(&mut from.inward, &mut to.out, || 0).unwrap();
        });
        let (top, stages) = reporter::collect(&mut open(2, Side::Second).inward, most, || 0).unwrap();
        assert_eq!(stages.len(), 4);
        assert_eq!(stages[0].sent.bytes, text.len() as u64);
        top.into_sorted().into_iter().map(|r| (String::from_utf8(r.word).unwrap(), r.count)).collect()
    })
}

/// The same, done simply.
fn counted(text: &[u8], most: usize) -> Vec<(String, u64)> {
    let mut counts = BTreeMap::<String, u64>::new();
    for word in text.split(|byte| !byte.is_ascii_alphabetic()).filter(|word| !word.is_empty()) {
        *counts.entry(String::from_utf8(word.to_ascii_lowercase()).unwrap()).or_default() += 1;
    }
    let mut all: Vec<_> = counts.into_iter().collect();
    all.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    all.truncate(most);
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn any_text_is_counted_right(text in proptest::collection::vec(prop_oneof![
        6 => proptest::sample::select(b"abAB".to_vec()),
        2 => proptest::sample::select(b" \n'".to_vec()),
        1 => any::<u8>(),
    ], 0..20_000)) {
        prop_assert_eq!(piped(&text, 4096, 50), counted(&text, 50));
    }
}

#[test]
fn words_longer_than_every_buffer_are_counted_right() {
    let mut text = vec![b'Q'; 100_000];
    text.extend_from_slice(b" short ");
    text.extend(std::iter::repeat_n(b'q', 100_000));
    text.push(b'.');
    text.extend(std::iter::repeat_n(b'q', 99_999));
    assert_eq!(piped(&text, 4096, 10), counted(&text, 10));
}

#[test]
fn a_text_without_words_has_none() {
    assert_eq!(piped(b"", 4096, 10), []);
    assert_eq!(piped(b"123 \xc3\xa9 ...", 4096, 10), []);
}
