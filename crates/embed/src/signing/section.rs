//! The section of a guest that holds its signatures: a custom section at the top level of a module or a component, and its last.

use super::{SIGNATURE_BYTES_MAX, SignatureError, Signatures};
use std::fmt;

/// The name of the section.
pub const SECTION: &str = "sandbar-signature";

/// What modules and components begin with; four bytes of version follow.
const MAGIC: &[u8] = b"\0asm";
/// Where the first section begins.
const HEAD_BYTES: usize = 8;

/// A guest, and its section of signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split<'a> {
    /// The guest without the section: what is signed, and what is run.
    pub guest: &'a [u8],
    /// The signatures in it, where it has the section.
    pub signatures: Option<Signatures>,
}

/// Why a guest can't be parted from its signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SectionError {
    /// The section that begins at this byte does not end within the guest.
    Cut {
        /// Where the section begins.
        at: usize,
    },
    /// The section of signatures is not as it has to be.
    Signature(SignatureError),
}

/// Parts a guest from its signatures. A guest as text has none.
///
/// # Errors
/// Its sections are cut off, or the signatures are not in its last section, in more than one, or not in their form.
pub fn split(bytes: &[u8]) -> Result<Split<'_>, SectionError> {
    let mut found: Option<(usize, usize, &[u8])> = None;
    let mut at = HEAD_BYTES;
    while bytes.starts_with(MAGIC) && at < bytes.len() {
        let cut = SectionError::Cut { at };
        let (&id, rest) = bytes.get(at..).and_then(<[u8]>::split_first).ok_or(cut.clone())?;
        let (size, rest) = number(rest).ok_or(cut.clone())?;
        let body = rest.get(..size).ok_or(cut)?;
        let end = bytes.len() - rest.len() + size;
        if let Some(text) = (id == 0).then(|| signatures(body)).flatten()
            && found.replace((at, end, text)).is_some()
        {
            return Err(SectionError::Signature(SignatureError::Repeated));
        }
        at = end;
    }
    let Some((start, end, text)) = found else { return Ok(Split { guest: bytes, signatures: None }) };
    if end != bytes.len() {
        return Err(SectionError::Signature(SignatureError::NotLast));
    }
    let form = |problem: &str| SectionError::Signature(SignatureError::Form(problem.into()));
    if text.len() as u64 > SIGNATURE_BYTES_MAX {
        return Err(form(&format!("they have more than {SIGNATURE_BYTES_MAX} bytes")));
    }
    let text = str::from_utf8(text).map_err(|_| form("they are no text"))?;
    let signatures = text.parse().map_err(SectionError::Signature)?;
    Ok(Split { guest: bytes.get(..start).unwrap_or_default(), signatures: Some(signatures) })
}

/// Gives a guest a section of signatures, its last. `guest` is one without.
///
/// # Errors
/// It is none in binary: a text has no sections.
pub fn embed(guest: &[u8], signatures: &Signatures) -> Result<Vec<u8>, NotBinary> {
    if !guest.starts_with(MAGIC) {
        return Err(NotBinary);
    }
    let mut body = Vec::new();
    write_number(&mut body, SECTION.len());
    body.extend(SECTION.as_bytes());
    body.extend(signatures.to_string().as_bytes());
    let mut bytes = guest.to_vec();
    bytes.push(0);
    write_number(&mut bytes, body.len());
    bytes.extend(body);
    Ok(bytes)
}

/// A guest is a text, or no guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotBinary;

impl fmt::Display for NotBinary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("only a guest in binary can hold its signatures; keep them beside it")
    }
}

impl std::error::Error for NotBinary {}

impl fmt::Display for SectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SectionError::Cut { at } => write!(f, "the guest is cut off in the section that begins at byte {at}"),
            SectionError::Signature(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for SectionError {}

/// What a custom section holds, if it is the one of signatures.
fn signatures(body: &[u8]) -> Option<&[u8]> {
    let (length, rest) = number(body)?;
    let (name, text) = rest.split_at_checked(length)?;
    (name == SECTION.as_bytes()).then_some(text)
}

/// Reads a number of up to 32 bits in LEB128, as sizes are written.
fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0_u64;
    for (at, &byte) in bytes.iter().enumerate().take(5) {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            let value = usize::try_from(u32::try_from(value).ok()?).ok()?;
            return Some((value, bytes.get(at + 1..)?));
        }
    }
    None
}

fn write_number(bytes: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}
