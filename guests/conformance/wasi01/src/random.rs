//! Secure random numbers.

use crate::{Case, cases, host::fill_random};

pub(crate) const CASES: &[Case] = cases![none, many, never_the_same];

fn none() {
    assert_eq!(fill_random(&mut []), Ok(()));
}

/// All of a large buffer is filled: no run of 64 zeros is left, which chance doesn't leave.
fn many() {
    let mut bytes = vec![0; 1 << 20];
    fill_random(&mut bytes).unwrap();
    assert!(bytes.chunks(64).all(|chunk| chunk.iter().any(|&byte| byte != 0)));
}

fn never_the_same() {
    let (mut first, mut second) = ([0; 32], [0; 32]);
    fill_random(&mut first).unwrap();
    fill_random(&mut second).unwrap();
    assert_ne!(first, second);
}
