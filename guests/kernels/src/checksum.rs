//! Folds what a kernel computed into 64 bits. Order counts.

use crate::splitmix::mix;

#[derive(Default)]
pub(crate) struct Checksum(u64);

impl Checksum {
    pub(crate) fn add(&mut self, number: u64) {
        self.0 = mix(self.0.rotate_left(1) ^ number);
    }

    /// Adds the bits, so that a result which differs in the last place differs here.
    pub(crate) fn add_f64(&mut self, number: f64) {
        self.add(number.to_bits());
    }

    pub(crate) fn add_bytes(&mut self, bytes: &[u8]) {
        self.add(bytes.len() as u64);
        let (words, rest) = bytes.as_chunks();
        words.iter().for_each(|word| self.add(u64::from_le_bytes(*word)));
        rest.iter().for_each(|byte| self.add(u64::from(*byte)));
    }

    pub(crate) fn value(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(parts: &[&[u8]]) -> u64 {
        let mut checksum = Checksum::default();
        parts.iter().for_each(|part| checksum.add_bytes(part));
        checksum.value()
    }

    #[test]
    fn tells_order_and_borders() {
        assert_ne!(sum(&[b"a", b"b"]), sum(&[b"b", b"a"]));
        assert_ne!(sum(&[b"ab", b""]), sum(&[b"a", b"b"]));
        assert_ne!(sum(&[b"a"]), sum(&[b"a\0"]));
    }
}
