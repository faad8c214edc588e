//! Results that a core function leaves in its memory: a text, bytes or a list.
//!
//! Its type tells nothing of them, so whoever embeds the guest says what an export gives. Where it lies: `(i32, i32)` is its
//! address and the number of its elements; an `i64` has the address in its upper half and that number in its lower; an `i32` is
//! the address of the two, one after the other, as the canonical ABI of components returns what does not fit.

use super::super::{
    ValueError, ValueErrorKind, base64,
    text::{Bounded, Unwritable},
};
use std::fmt::Write as _;
use wasmtime::Val;

/// What an export leaves in its guest's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InMemory {
    /// UTF-8, which becomes a JSON string.
    Text,
    /// Bytes, which become `{"base64": …}`.
    Bytes,
    /// A list of integers of so many bytes each, with a sign or without.
    Integers {
        /// 1, 2, 4 or 8.
        width: usize,
        /// Whether they have a sign.
        signed: bool,
    },
    /// A list of floats of four or eight bytes.
    Floats {
        /// 4 or 8.
        width: usize,
    },
}

/// Each by its name.
const NAMES: &[(&str, InMemory)] = &[
    ("text", InMemory::Text),
    ("bytes", InMemory::Bytes),
    ("u8", InMemory::Integers { width: 1, signed: false }),
    ("i8", InMemory::Integers { width: 1, signed: true }),
    ("u16", InMemory::Integers { width: 2, signed: false }),
    ("i16", InMemory::Integers { width: 2, signed: true }),
    ("u32", InMemory::Integers { width: 4, signed: false }),
    ("i32", InMemory::Integers { width: 4, signed: true }),
    ("u64", InMemory::Integers { width: 8, signed: false }),
    ("i64", InMemory::Integers { width: 8, signed: true }),
    ("f32", InMemory::Floats { width: 4 }),
    ("f64", InMemory::Floats { width: 8 }),
];

impl InMemory {
    /// Reads a name: `text`, `bytes`, or the type of a list's elements, such as `i32`.
    pub fn named(name: &str) -> Option<InMemory> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, it)| *it)
    }

    /// The names that there are.
    pub fn names() -> impl Iterator<Item = &'static str> + Clone {
        NAMES.iter().map(|(name, _)| *name)
    }

    fn width(self) -> usize {
        match self {
            InMemory::Text | InMemory::Bytes => 1,
            InMemory::Integers { width, .. } | InMemory::Floats { width } => width,
        }
    }

    /// Writes it as JSON: what the results of a call say lies in memory.
    pub(crate) fn text(
        self,
        export: &str,
        results: &[Val],
        memory: &[u8],
        bytes_max: usize,
    ) -> Result<String, ValueError> {
        let what = || format!("the result of `{export}`");
        let wrong = |kind, expected: &str, found: String| ValueError {
            kind,
            what: what(),
            expected: expected.to_owned(),
            found,
            hint: None,
        };
        let place = place(results, memory);
        let expected = "`(i32, i32)`, `i64` or `i32`, which say where it lies";
        let (address, elements) =
            place.ok_or_else(|| wrong(ValueErrorKind::Mismatch, expected, format!("{results:?}")))?;
        let length = (elements as usize).checked_mul(self.width());
        let range = length.and_then(|length| Some(address as usize..(address as usize).checked_add(length)?));
        let bytes = range.and_then(|range| memory.get(range)).ok_or_else(|| {
            let found = format!("{elements} elements at {address}");
            wrong(ValueErrorKind::Mismatch, "a place in the guest's memory", found)
        })?;
        let mut out = Bounded::new(bytes_max);
        let written = match self {
            InMemory::Text => {
                let text = std::str::from_utf8(bytes)
                    .map_err(|error| wrong(ValueErrorKind::Mismatch, "UTF-8", error.to_string()))?;
                super::super::json::write_string(&mut out, text)
            }
            // A third more than the bytes, and what is around it.
            InMemory::Bytes if bytes.len() / 3 * 4 > bytes_max => Err(Unwritable::TooLong),
            InMemory::Bytes => write!(out, "{{\"base64\":\"{}\"}}", base64::encode(bytes)).map_err(Unwritable::from),
            InMemory::Integers { .. } | InMemory::Floats { .. } => self.list(&mut out, bytes),
        };
        written.map_err(|error| error.of(what(), bytes_max))?;
        Ok(out.finish())
    }

    fn list(self, out: &mut Bounded, bytes: &[u8]) -> Result<(), Unwritable> {
        use super::super::json::{write_float, write_wide};
        out.write_str("[")?;
        out.separated(",", bytes.chunks_exact(self.width()), |out, chunk| {
            let mut eight = [0; 8];
            eight.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
            let bits = u64::from_le_bytes(eight);
            match self {
                InMemory::Integers { width, signed: true } => {
                    // The sign is the highest bit of so many bytes.
                    let unused = 64 - 8 * width as u32;
                    write_wide(out, i128::from(bits.cast_signed() << unused >> unused))
                }
                InMemory::Floats { width: 4 } => write_float(out, f64::from(f32::from_bits(bits as u32))),
                InMemory::Floats { .. } => write_float(out, f64::from_bits(bits)),
                InMemory::Integers { .. } | InMemory::Text | InMemory::Bytes => write_wide(out, i128::from(bits)),
            }
        })?;
        Ok(out.write_str("]")?)
    }
}

/// The address, and the number of elements.
fn place(results: &[Val], memory: &[u8]) -> Option<(u32, u32)> {
    match *results {
        [Val::I32(address), Val::I32(elements)] => Some((address.cast_unsigned(), elements.cast_unsigned())),
        [Val::I64(both)] => Some(((both >> 32) as u32, both as u32)),
        [Val::I32(pair)] => {
            let at = pair.cast_unsigned() as usize;
            let word = |at: usize| Some(u32::from_le_bytes(memory.get(at..at.checked_add(4)?)?.try_into().ok()?));
            Some((word(at)?, word(at.checked_add(4)?)?))
        }
        _ => None,
    }
}
