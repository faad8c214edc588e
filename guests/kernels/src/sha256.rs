//! SHA-256: hashes a message of `size` KiB. NIST FIPS 180-4, sections 4.1.2, 5.1.1 and 6.2.

use crate::{checksum::Checksum, splitmix::SplitMix64};

pub fn sha256(size: u32) -> u64 {
    let mut random = SplitMix64::new(256);
    let mut hash = Sha256::new();
    let mut piece = [0; 1024];
    for _ in 0..size {
        random.fill(&mut piece);
        hash.update(&piece);
    }
    let mut checksum = Checksum::default();
    checksum.add_bytes(&hash.digest());
    checksum.value()
}

const BLOCK: usize = 64;

struct Sha256 {
    state: [u32; 8],
    /// The bytes that wait for a whole block are `block[..bytes % BLOCK]`.
    block: [u8; BLOCK],
    bytes: u64,
}

impl Sha256 {
    fn new() -> Self {
        Sha256 { state: START, block: [0; BLOCK], bytes: 0 }
    }

    fn update(&mut self, mut message: &[u8]) {
        let waiting = (self.bytes % BLOCK as u64) as usize;
        self.bytes += message.len() as u64;
        if waiting > 0 {
            let (head, rest) = message.split_at(message.len().min(BLOCK - waiting));
            self.block[waiting..waiting + head.len()].copy_from_slice(head);
            if waiting + head.len() < BLOCK {
                return;
            }
            compress(&mut self.state, &self.block);
            message = rest;
        }
        let (blocks, rest) = message.as_chunks();
        for block in blocks {
            compress(&mut self.state, block);
        }
        self.block[..rest.len()].copy_from_slice(rest);
    }

    /// Pads the message with a one bit, zeros and its length in bits, and ends it.
    fn digest(mut self) -> [u8; 32] {
        let bits = self.bytes * 8;
        let zeros = (BLOCK as u64 * 2 - 9 - self.bytes % BLOCK as u64) % BLOCK as u64;
        self.update(&[0x80]);
        self.update(&[0; BLOCK][..zeros as usize]);
        self.update(&bits.to_be_bytes());

        let mut digest = [0; 32];
        for (bytes, word) in digest.as_chunks_mut().0.iter_mut().zip(self.state) {
            *bytes = word.to_be_bytes();
        }
        digest
    }
}

fn compress(state: &mut [u32; 8], block: &[u8; BLOCK]) {
    let mut schedule = [0; 64];
    for (word, bytes) in schedule.iter_mut().zip(block.as_chunks().0) {
        *word = u32::from_be_bytes(*bytes);
    }
    for t in 16..64 {
        let (early, late) = (schedule[t - 15], schedule[t - 2]);
        let small0 = early.rotate_right(7) ^ early.rotate_right(18) ^ (early >> 3);
        let small1 = late.rotate_right(17) ^ late.rotate_right(19) ^ (late >> 10);
        schedule[t] = schedule[t - 16].wrapping_add(small0).wrapping_add(schedule[t - 7]).wrapping_add(small1);
    }

    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;
    for (word, constant) in schedule.into_iter().zip(CONSTANTS) {
        let big1 = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
        let choice = (e & f) ^ (!e & g);
        let first = h.wrapping_add(big1).wrapping_add(choice).wrapping_add(constant).wrapping_add(word);
        let big0 = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
        let majority = (a & b) ^ (a & c) ^ (b & c);
        let second = big0.wrapping_add(majority);
        (h, g, f, e, d, c, b, a) = (g, f, e, d.wrapping_add(first), c, b, a, first.wrapping_add(second));
    }
    for (old, new) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
        *old = old.wrapping_add(new);
    }
}

const START: [u32; 8] =
    [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19];

#[rustfmt::skip]
const CONSTANTS: [u32; 64] = [
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn check(message: &[u8], digest: &str) {
        for step in [1, 63, 64, 1000] {
            let mut hash = Sha256::new();
            message.chunks(step).for_each(|piece| hash.update(piece));
            let found: String = hash.digest().iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(found, digest, "{} bytes in pieces of {step}", message.len());
        }
    }

    #[test]
    fn known_answers() {
        check(b"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        check(b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        check(
            b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
        );
        check(&[b'a'; 1_000_000], "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    }
}
