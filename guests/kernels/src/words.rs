//! Word count: counts `size` words of a text in a hash map, and sorts them by how often they occur. The hash is FNV-1a:
//! draft-eastlake-fnv, section 2.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

use crate::{checksum::Checksum, splitmix::SplitMix64, vocabulary::Vocabulary};

/// The text is this long and read again and again, so that counting is the work and not writing.
const TEXT_BYTES: usize = 128 * 1024;

pub fn words(size: u32) -> u64 {
    let mut random = SplitMix64::new(5);
    let text = Vocabulary::new(&mut random, 4_096).text(&mut random, TEXT_BYTES);
    let words = std::iter::repeat(&text).flat_map(|text| text.split_ascii_whitespace());

    let mut checksum = Checksum::default();
    for (word, count) in by_count(count(words.take(size as usize))) {
        checksum.add_bytes(word.as_bytes());
        checksum.add(u64::from(count));
    }
    checksum.value()
}

type Counts<'a> = HashMap<&'a str, u32, BuildHasherDefault<Fnv1a>>;

fn count<'a>(words: impl Iterator<Item = &'a str>) -> Counts<'a> {
    let mut counts = Counts::default();
    for word in words {
        *counts.entry(word).or_default() += 1;
    }
    counts
}

/// Sorts the most frequent first, and equally frequent ones by the alphabet: a map's own order is not the same
/// everywhere.
fn by_count(counts: Counts<'_>) -> Vec<(&str, u32)> {
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_unstable_by(|(a, a_count), (b, b_count)| b_count.cmp(a_count).then(a.cmp(b)));
    counts
}

struct Fnv1a(u64);

impl Default for Fnv1a {
    fn default() -> Self {
        Fnv1a(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv1a {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_hashes() {
        for (text, expected) in
            [("", 0xcbf2_9ce4_8422_2325), ("a", 0xaf63_dc4c_8601_ec8c), ("foobar", 0x8594_4171_f739_67e8)]
        {
            let mut hash = Fnv1a::default();
            hash.write(text.as_bytes());
            assert_eq!(hash.finish(), expected, "{text:?}");
        }
    }

    #[test]
    fn counts_and_sorts() {
        let counts = by_count(count("b a b c a b d".split(' ')));
        assert_eq!(counts, [("b", 3), ("a", 2), ("c", 1), ("d", 1)]);
    }
}
