//! Prime sieve: finds the primes up to `size` with the sieve of Eratosthenes, a bit for each odd number. Nicomachus,
//! "Introduction to Arithmetic", book 1, chapter 13.

use crate::checksum::Checksum;

pub fn sieve(size: u32) -> u64 {
    let mut checksum = Checksum::default();
    let (mut count, mut sum) = (0, 0);
    for prime in primes(size) {
        count += 1;
        sum += u64::from(prime);
    }
    checksum.add(count);
    checksum.add(sum);
    checksum.value()
}

fn primes(limit: u32) -> impl Iterator<Item = u32> {
    let composites = composites(limit);
    let odd = (3..=limit).step_by(2).filter(move |number| !composites.has(*number));
    (2..=limit.min(2)).chain(odd)
}

fn composites(limit: u32) -> OddSet {
    let mut composites = OddSet(vec![0; (limit / 128) as usize + 1]);
    for number in (3..=limit.isqrt()).step_by(2) {
        if !composites.has(number) {
            // Smaller multiples have a smaller factor, and are there already.
            (number * number..=limit).step_by(2 * number as usize).for_each(|multiple| composites.insert(multiple));
        }
    }
    composites
}

/// A set of odd numbers: number `n` is bit `n / 2`.
struct OddSet(Vec<u64>);

impl OddSet {
    fn has(&self, number: u32) -> bool {
        self.0[(number / 128) as usize] & (1 << (number / 2 % 64)) != 0
    }

    fn insert(&mut self, number: u32) {
        self.0[(number / 128) as usize] |= 1 << (number / 2 % 64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(limit: u32, count: usize) {
        assert_eq!(primes(limit).count(), count, "up to {limit}");
    }

    #[test]
    fn known_counts() {
        check(0, 0);
        check(1, 0);
        check(2, 1);
        check(3, 2);
        check(100, 25);
        check(127, 31);
        check(1_000_000, 78_498);
        assert_eq!(primes(30).collect::<Vec<_>>(), [2, 3, 5, 7, 11, 13, 17, 19, 23, 29]);
    }
}
