//! Random numbers, secure and not.

use crate::{Case, cases};
use wasip3::random::{
    insecure::{get_insecure_random_bytes, get_insecure_random_u64},
    insecure_seed::get_insecure_seed,
    random::{get_random_bytes, get_random_u64},
};

pub(crate) const CASES: &[Case] = cases![secure, insecure, seed];

async fn secure() {
    assert_eq!(get_random_bytes(0), []);
    assert_eq!(get_random_bytes(100).len(), 100);
    assert_ne!(get_random_bytes(10), get_random_bytes(10));
    assert_ne!(get_random_u64(), get_random_u64());
    let many = get_random_bytes(60_000);
    assert!(!many.is_empty() && many.chunks_exact(60).all(|chunk| chunk.iter().any(|&byte| byte != 0)));
}

async fn insecure() {
    assert_eq!(get_insecure_random_bytes(100).len(), 100);
    assert_ne!(get_insecure_random_bytes(100), get_insecure_random_bytes(100));
    assert_ne!(get_insecure_random_u64(), get_insecure_random_u64());
}

/// It stays as it is, so that who asks twice gets one seed.
async fn seed() {
    assert_eq!(get_insecure_seed(), get_insecure_seed());
}
