//! A text that grows up to a bound.

use super::{Handles, ValueError, ValueErrorKind};
use std::fmt::{self, Write};
use wasmtime::component::ResourceAny;

/// A text under construction. Writing past its bound fails, and nothing is allocated for it.
pub(super) struct Bounded {
    text: String,
    bytes_max: usize,
    /// Where resources are kept that are written as handles.
    pub(super) handles: Option<Handles>,
}

impl Bounded {
    pub(super) fn new(bytes_max: usize) -> Bounded {
        Bounded { text: String::new(), bytes_max, handles: None }
    }

    pub(super) fn finish(self) -> String {
        self.text
    }

    /// Keeps a resource and gives its handle, or none where there is no place for it.
    pub(super) fn hold(&mut self, resource: ResourceAny) -> Result<Option<u32>, Unwritable> {
        let Some(handles) = &mut self.handles else { return Ok(None) };
        handles.put(resource).map(Some).ok_or_else(|| Unwritable::Unsupported("more handles than can be held".into()))
    }

    /// Writes what `each` makes of every item, `separator` between them.
    pub(super) fn separated<T>(
        &mut self,
        separator: &str,
        items: impl IntoIterator<Item = T>,
        mut each: impl FnMut(&mut Bounded, T) -> Result<(), Unwritable>,
    ) -> Result<(), Unwritable> {
        for (index, item) in items.into_iter().enumerate() {
            if index > 0 {
                self.write_str(separator)?;
            }
            each(self, item)?;
        }
        Ok(())
    }
}

impl Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if text.len() > self.bytes_max - self.text.len() {
            return Err(fmt::Error);
        }
        self.text.push_str(text);
        Ok(())
    }
}

/// Why a value can't be written.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unwritable {
    /// The bound was met.
    TooLong,
    /// It holds a value, named here, that no text can carry.
    Unsupported(String),
}

impl Unwritable {
    pub(super) fn of(self, what: String, bytes_max: usize) -> ValueError {
        let (kind, expected, found) = match self {
            Unwritable::TooLong => {
                (ValueErrorKind::TooLarge, format!("at most {bytes_max} bytes of text"), "more".to_owned())
            }
            Unwritable::Unsupported(found) => {
                (ValueErrorKind::Unsupported, "a value that text can carry".to_owned(), found)
            }
        };
        ValueError { kind, what, expected, found, hint: None }
    }
}

impl From<fmt::Error> for Unwritable {
    fn from(_: fmt::Error) -> Unwritable {
        Unwritable::TooLong
    }
}
