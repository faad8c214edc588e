//! Signatures of plugins: Ed25519 over a statement of what a plugin is, kept beside it or in it.
//!
//! What is signed is a short text that names the plugin and the digests of its guest and its manifest, and not the files
//! themselves. So a signature can be checked with any tool, holds for both files together, and can't be moved to another name.
//! The formats are those of `docs/plugin-folders.md`.

mod key;
mod section;
mod signature;

pub use {
    key::{KeyError, KeyId, PublicKey, SecretKey},
    section::{NotBinary, SECTION, SectionError, Split, embed, split},
    signature::{SIGNATURES_MAX, Signature, SignatureError, Signatures, Statement},
};

use sandbar_call::Digest;

/// How large a file of signatures or a key may be.
pub const SIGNATURE_BYTES_MAX: u64 = 8 << 10;

/// The SHA-256 of bytes.
pub fn digest(bytes: &[u8]) -> Digest {
    let mut digest = Digest([0; 32]);
    digest.0.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, bytes).as_ref());
    digest
}

/// Lower-case hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Reads exactly so many bytes from lower-case hexadecimal digits.
fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.len() != 2 * N || !text.bytes().all(is_digit) {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, at) in bytes.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
    }
    Some(bytes)
}
