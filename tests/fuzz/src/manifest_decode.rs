//! Any bytes are refused with a name, or are a manifest that can be followed everywhere and written back the same. Half of
//! the inputs get a right checksum, so that the fuzzer can look behind it.

use manifest::{Header, Manifest, checksum};
use partition_config::writer::Tables;
use zerocopy::IntoBytes;

/// Byte offset of the checksum in the header.
const CHECKSUM: usize = std::mem::offset_of!(Header, checksum);

/// Decodes what follows the first byte.
pub fn run(bytes: &[u8]) {
    let Some((&choice, bytes)) = bytes.split_first() else { return };
    let mut words: Vec<u64> = bytes.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word)).collect();
    if choice & 1 == 1 && words.len() * 8 >= size_of::<Header>() {
        let sum = checksum(&words.as_bytes()[size_of::<Header>()..]);
        words[CHECKSUM / 8] = sum;
    }
    let Ok(manifest) = Manifest::decode(words.as_bytes()) else { return };
    let tables = Tables::from_manifest(&manifest);
    let again = tables.to_bytes();
    let again: Vec<u64> = again.chunks(8).map(to_word).collect();
    let again = Manifest::decode(again.as_bytes()).expect("what was sound is written soundly");
    assert_eq!(Tables::from_manifest(&again), tables);
    for partition in manifest.partitions() {
        for program in manifest.programs_of(partition) {
            assert!(manifest.file(program.image).is_some());
            let _ = (manifest.args_of(program).count(), manifest.grants_of(program).count());
        }
        for end in manifest.ends_of(partition) {
            assert!(manifest.channel_of(end).is_some());
            assert_eq!(manifest.doorbell_of(end).is_some(), ![manifest::NONE, manifest::LOCAL].contains(&end.rings));
        }
    }
}

fn to_word(chunk: &[u8]) -> u64 {
    let mut word = [0; 8];
    word[..chunk.len()].copy_from_slice(chunk);
    u64::from_le_bytes(word)
}
