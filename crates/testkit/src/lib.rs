//! What Sandbar's tests and benches stand on: golden files, processes under test, numbers from seeds, a load generator and a
//! streaming client.
//!
//! This crate owns no word of the sentence and ships with no product. It must not know any other Sandbar crate, so that
//! every crate may use it in its tests; it meets the product as a user does, by its program and its answers.

#![forbid(unsafe_code)]

pub mod golden;
#[cfg(feature = "peers")]
pub mod load;
pub mod process;
pub mod random;
pub mod response;
#[cfg(feature = "peers")]
pub mod stream;
pub mod url;
