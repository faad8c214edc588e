//! Random numbers, secure and not.

use crate::{Case, cases};
use wasip2::random::{
    insecure::{get_insecure_random_bytes, get_insecure_random_u64},
    insecure_seed::insecure_seed,
    random::{get_random_bytes, get_random_u64},
};

pub(crate) const CASES: &[Case] = cases![secure, insecure, seed];

fn secure() {
    assert_eq!(get_random_bytes(0), []);
    assert_eq!(get_random_bytes(100).len(), 100);
    assert_ne!(get_random_bytes(32), get_random_bytes(32));
    assert_ne!(get_random_u64(), get_random_u64());
    let many = get_random_bytes(60_000);
    assert!(many.len() == 60_000 && many.chunks(60).all(|chunk| chunk.iter().any(|&byte| byte != 0)));
}

fn insecure() {
    assert_eq!(get_insecure_random_bytes(0), []);
    assert_eq!(get_insecure_random_bytes(100).len(), 100);
    assert_ne!(get_insecure_random_bytes(32), get_insecure_random_bytes(32));
    assert_ne!(get_insecure_random_u64(), get_insecure_random_u64());
}

/// It stays as it is, so that who asks twice gets one seed.
fn seed() {
    assert_eq!(insecure_seed(), insecure_seed());
}
