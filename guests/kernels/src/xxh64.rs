//! XXH64: hashes 64 KiB `size` times, each time with the last hash as the seed. The xxHash specification 0.2.0, "XXH64
//! algorithm description".

use crate::splitmix::SplitMix64;

pub fn xxh64(size: u32) -> u64 {
    let mut message = vec![0; 64 * 1024];
    SplitMix64::new(64).fill(&mut message);
    (0..size).fold(0, |seed, _| hash(&message, seed))
}

fn hash(message: &[u8], seed: u64) -> u64 {
    let (stripes, rest) = message.as_chunks::<32>();
    let start = if stripes.is_empty() { seed.wrapping_add(PRIME_5) } else { converge(consume(stripes, seed)) };
    avalanche(finish(start.wrapping_add(message.len() as u64), rest))
}

fn consume(stripes: &[[u8; 32]], seed: u64) -> [u64; 4] {
    let mut lanes = [
        seed.wrapping_add(PRIME_1).wrapping_add(PRIME_2),
        seed.wrapping_add(PRIME_2),
        seed,
        seed.wrapping_sub(PRIME_1),
    ];
    for stripe in stripes {
        for (lane, bytes) in lanes.iter_mut().zip(stripe.as_chunks().0) {
            *lane = round(*lane, u64::from_le_bytes(*bytes));
        }
    }
    lanes
}

fn converge(lanes: [u64; 4]) -> u64 {
    let [a, b, c, d] = lanes;
    let sum = [a.rotate_left(1), b.rotate_left(7), c.rotate_left(12), d.rotate_left(18)];
    let sum = sum.into_iter().fold(0, u64::wrapping_add);
    lanes.into_iter().fold(sum, |hash, lane| (hash ^ round(0, lane)).wrapping_mul(PRIME_1).wrapping_add(PRIME_4))
}

/// Takes in what is left: words of eight bytes, then one of four, then bytes.
fn finish(mut hash: u64, rest: &[u8]) -> u64 {
    let (words, rest) = rest.as_chunks();
    for bytes in words {
        hash ^= round(0, u64::from_le_bytes(*bytes));
        hash = hash.rotate_left(27).wrapping_mul(PRIME_1).wrapping_add(PRIME_4);
    }
    let (halves, rest) = rest.as_chunks();
    for bytes in halves {
        hash ^= u64::from(u32::from_le_bytes(*bytes)).wrapping_mul(PRIME_1);
        hash = hash.rotate_left(23).wrapping_mul(PRIME_2).wrapping_add(PRIME_3);
    }
    for byte in rest {
        hash ^= u64::from(*byte).wrapping_mul(PRIME_5);
        hash = hash.rotate_left(11).wrapping_mul(PRIME_1);
    }
    hash
}

fn avalanche(hash: u64) -> u64 {
    let hash = (hash ^ (hash >> 33)).wrapping_mul(PRIME_2);
    let hash = (hash ^ (hash >> 29)).wrapping_mul(PRIME_3);
    hash ^ (hash >> 32)
}

fn round(lane: u64, word: u64) -> u64 {
    lane.wrapping_add(word.wrapping_mul(PRIME_2)).rotate_left(31).wrapping_mul(PRIME_1)
}

const PRIME_1: u64 = 0x9e37_79b1_85eb_ca87;
const PRIME_2: u64 = 0xc2b2_ae3d_27d4_eb4f;
const PRIME_3: u64 = 0x1656_67b1_9e37_79f9;
const PRIME_4: u64 = 0x85eb_ca77_c2b2_ae63;
const PRIME_5: u64 = 0x27d4_eb2f_1656_67c5;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(message: &str, seed: u64, expected: u64) {
        assert_eq!(hash(message.as_bytes(), seed), expected, "{message:?}");
    }

    #[test]
    fn known_answers() {
        check("", 0, 0xef46_db37_51d8_e999);
        check("a", 0, 0xd24e_c4f1_a98c_6e5b);
        check("abc", 0, 0x44bc_2cf5_ad77_0999);
        check("Nobody inspects the spammish repetition", 0, 0xfbce_a83c_8a37_8bf1);
    }
}
