//! Numbers from a seed: the same ones every time and on every machine.

use std::ops::RangeInclusive;

/// SplitMix64, <https://doi.org/10.1145/2714064.2660195>: a few lines, and good enough to choose with.
pub struct Random(u64);

impl Random {
    /// Starts at a seed.
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// Starts numbers of their own, so that what is chosen in one place does not move what is chosen in another.
    pub fn fork(&mut self) -> Random {
        Random(self.next())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number of a range.
    pub fn between(&mut self, range: RangeInclusive<u64>) -> u64 {
        let (least, most) = range.into_inner();
        least + self.next() % (most - least + 1)
    }

    /// Mostly little, now and then much.
    pub fn skewed(&mut self, range: RangeInclusive<u64>) -> u64 {
        let (least, most) = range.into_inner();
        let most = if self.chance(80) { least + (most - least) / 16 } else { most };
        self.between(least..=most)
    }

    /// As [`Random::between`], of 32 bits.
    pub fn small(&mut self, range: RangeInclusive<u32>) -> u32 {
        let (least, most) = range.into_inner();
        u32::try_from(self.between(least.into()..=most.into())).unwrap_or(most)
    }

    /// Yes, so many times in a hundred.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }

    /// A thing, now and then.
    pub fn maybe<T>(&mut self, percent: u64, make: impl FnOnce(&mut Random) -> T) -> Option<T> {
        self.chance(percent).then(|| make(self))
    }

    /// One of these, of which there has to be one.
    #[expect(clippy::indexing_slicing, reason = "what is left of a division by the length is within it")]
    pub fn pick<'a, T>(&mut self, among: &'a [T]) -> &'a T {
        let at = self.next() % among.len() as u64;
        &among[at as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_numbers_every_time() {
        let numbers = |seed| {
            let mut random = Random::new(seed);
            [(); 3].map(|()| random.between(0..=999))
        };
        assert_eq!(numbers(1), numbers(1));
        assert_ne!(numbers(1), numbers(2));
    }
}
