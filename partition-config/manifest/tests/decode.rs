//! Decoding accepts any bytes without a panic, and names what it refuses. (Sound and slightly damaged manifests are made
//! in `partition-config/tests/properties.rs`, where the writer is.)

use manifest::{DecodeError, Header, MAGIC, Manifest, Name, Table, VERSION, checksum};
use proptest::prelude::*;
use zerocopy::IntoBytes;

/// Bytes that start at a multiple of 8.
fn aligned(bytes: &[u8]) -> Vec<u64> {
    bytes
        .chunks(8)
        .map(|chunk| {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            u64::from_le_bytes(word)
        })
        .collect()
}

const EMPTY: Table = Table { offset: HEADER_BYTES, count: 0 };
const HEADER_BYTES: u32 = size_of::<Header>() as u32;

/// A header that is right for `body`, with these tables.
fn header(body: &[u8], tables: [Table; 13]) -> Header {
    let [partitions, cores, memory, devices, ports, irqs, programs, channels, ends, doorbells, files, grants, strings] =
        tables;
    Header {
        magic: MAGIC,
        version: VERSION,
        header_bytes: HEADER_BYTES,
        total_bytes: u64::from(HEADER_BYTES) + body.len() as u64,
        checksum: checksum(body),
        name: Name::new("system").unwrap(),
        partitions,
        cores,
        memory,
        devices,
        ports,
        irqs,
        programs,
        channels,
        ends,
        doorbells,
        files,
        grants,
        strings,
    }
}

fn with_header(edit: impl FnOnce(&mut Header)) -> Vec<u64> {
    let mut header = header(&[], [EMPTY; 13]);
    edit(&mut header);
    aligned(header.as_bytes())
}

fn refusal(words: &[u64]) -> DecodeError {
    Manifest::decode(words.as_bytes()).unwrap_err()
}

#[test]
fn an_empty_system_is_a_manifest() {
    let words = with_header(|_| ());
    let manifest = Manifest::decode(words.as_bytes()).unwrap();
    assert_eq!((manifest.name(), manifest.partitions().len(), manifest.bytes().len()), ("system", 0, words.len() * 8));
}

#[test]
fn what_follows_a_manifest_does_not_matter() {
    let mut words = with_header(|_| ());
    words.extend([7, 7, 7]);
    assert!(Manifest::decode(words.as_bytes()).is_ok());
}

#[test]
fn every_broken_header_has_a_name() {
    assert_eq!(refusal(&with_header(|header| header.magic[0] = b'X')), DecodeError::Magic);
    assert_eq!(refusal(&with_header(|header| header.version += 1)), DecodeError::Version(VERSION + 1));
    assert_eq!(refusal(&with_header(|header| header.header_bytes -= 8)), DecodeError::HeaderSize);
    assert_eq!(refusal(&with_header(|header| header.total_bytes = 8)), DecodeError::HeaderSize);
    assert!(matches!(refusal(&with_header(|header| header.total_bytes += 1)), DecodeError::Short { .. }));
    assert!(matches!(refusal(&with_header(|header| header.total_bytes = u64::MAX)), DecodeError::Short { .. }));
    assert!(matches!(refusal(&with_header(|header| header.checksum ^= 1)), DecodeError::Checksum { .. }));
    assert_eq!(
        refusal(&with_header(|header| header.name.bytes[31] = 1)),
        DecodeError::Name { table: "header", index: 0 }
    );
    assert_eq!(
        refusal(&with_header(|header| header.name.bytes[0] = 0xff)),
        DecodeError::Name { table: "header", index: 0 }
    );
    assert!(matches!(refusal(&[]), DecodeError::Short { .. }));
}

#[test]
fn misaligned_bytes_are_refused() {
    let words = with_header(|_| ());
    assert_eq!(Manifest::decode(&words.as_bytes()[4..]).unwrap_err(), DecodeError::Misaligned);
}

#[test]
fn a_table_lies_behind_the_one_before_it_and_within_the_manifest() {
    let table = |offset, count| with_header(|header| header.files = Table { offset, count });
    assert_eq!(refusal(&table(0, 0)), DecodeError::Table("files"));
    assert_eq!(refusal(&table(HEADER_BYTES + 4, 0)), DecodeError::Table("files"));
    assert_eq!(refusal(&table(HEADER_BYTES, 1)), DecodeError::Table("files"));
    assert_eq!(refusal(&table(HEADER_BYTES, u32::MAX)), DecodeError::Table("files"));
    assert_eq!(refusal(&table(u32::MAX - 7, u32::MAX)), DecodeError::Table("files"));
}

proptest! {
    #[test]
    fn arbitrary_bytes_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600), skip in 0_usize..16) {
        let words = aligned(&bytes);
        let _ = Manifest::decode(words.as_bytes().get(skip..).unwrap_or(&[]));
    }

    #[test]
    fn arbitrary_records_behind_a_right_header_do_not_panic(
        body in proptest::collection::vec(prop_oneof![3 => Just(0_u64), 1 => 0_u64..5, 1 => any::<u64>()], 0..300),
        counts in proptest::array::uniform13(0_u32..3),
        gaps in proptest::array::uniform13(0_u32..2),
    ) {
        let sizes = [
            size_of::<manifest::Partition>(), size_of::<manifest::Core>(), size_of::<manifest::Memory>(),
            size_of::<manifest::Memory>(), size_of::<manifest::Ports>(), size_of::<manifest::Irq>(),
            size_of::<manifest::Program>(), size_of::<manifest::Channel>(), size_of::<manifest::End>(),
            size_of::<manifest::Doorbell>(), size_of::<manifest::File>(), size_of::<manifest::Grant>(), 1,
        ];
        let mut offset = HEADER_BYTES;
        let mut tables = [EMPTY; 13];
        for (((table, size), count), gap) in tables.iter_mut().zip(sizes).zip(counts).zip(gaps) {
            *table = Table { offset: offset + gap * 8, count };
            offset = (table.offset + count * size as u32).next_multiple_of(8);
        }
        let mut words = aligned(header(body.as_bytes(), tables).as_bytes());
        words.extend(&body);
        let _ = Manifest::decode(words.as_bytes());
    }
}
