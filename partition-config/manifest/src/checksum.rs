//! The checksum of manifests and archive files: finds damage, does not resist malice.

const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x100_0000_01b3;

/// FNV-1a over 8-byte little-endian words: the last partial word is zero-padded, the length in bytes is folded in as a
/// final word.
pub fn checksum(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut hash = words.iter().fold(OFFSET_BASIS, |hash, word| fold(hash, u64::from_le_bytes(*word)));
    if !rest.is_empty() {
        let mut word = [0; 8];
        word.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        hash = fold(hash, u64::from_le_bytes(word));
    }
    fold(hash, bytes.len() as u64)
}

fn fold(hash: u64, word: u64) -> u64 {
    (hash ^ word).wrapping_mul(PRIME)
}

#[cfg(test)]
mod tests {
    use super::checksum;

    #[test]
    fn zero_padding_does_not_hide_a_length() {
        assert_ne!(checksum(b""), checksum(b"\0"));
        assert_ne!(checksum(b"a"), checksum(b"a\0"));
        assert_ne!(checksum(&[0; 8]), checksum(&[0; 16]));
    }

    #[test]
    fn every_single_bit_matters() {
        let original = [0x5a_u8; 21];
        for bit in 0..21 * 8 {
            let mut damaged = original;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(checksum(&damaged), checksum(&original), "bit {bit}");
        }
    }
}
