//! Reads a guest: bytes or text, what it is, and what it needs.

mod look;

use crate::{
    engine::Engine,
    error::LoadError,
    inspect::{self, Kind, Summary},
};
use bytes::Bytes;
use sandbar_call::{Digest, GuestName};
use std::{borrow::Cow, fs, path::Path, sync::Arc};

pub use look::FileLook;

/// A guest's bytes, and what they say of themselves.
#[derive(Clone)]
pub struct Guest {
    name: GuestName,
    bytes: Bytes,
    summary: Arc<Summary>,
    progress: Option<Arc<dyn Progress>>,
}

/// Hears of a guest that is being compiled, which a person may have to wait for.
pub trait Progress: Send + Sync {
    /// Compiling starts.
    fn compiling(&self, guest: &str);
    /// Compiling has ended.
    fn compiled(&self, guest: &str);
}

impl Guest {
    /// Reads a guest from its bytes, binary or text.
    ///
    /// # Errors
    /// They are no WebAssembly.
    pub fn from_bytes(name: impl Into<GuestName>, bytes: impl Into<Bytes>) -> Result<Guest, LoadError> {
        let bytes = binary(bytes.into())?;
        let summary = Arc::new(inspect::summary(&bytes)?);
        Ok(Guest { name: name.into(), bytes, summary, progress: None })
    }

    /// Reads a guest from its file.
    ///
    /// # Errors
    /// The file can't be read, or is no WebAssembly.
    pub fn from_file(name: impl Into<GuestName>, path: &Path) -> Result<Guest, LoadError> {
        Guest::from_bytes(name, file(path)?)
    }

    /// Tells this progress when the guest is compiled.
    #[must_use]
    pub fn with_progress(mut self, progress: Arc<dyn Progress>) -> Guest {
        self.progress = Some(progress);
        self
    }

    /// Its name in its app.
    pub fn name(&self) -> &GuestName {
        &self.name
    }

    /// Its binary.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The digest of its binary.
    pub fn digest(&self) -> Digest {
        self.summary.digest
    }

    /// What it says of itself.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    pub(crate) fn is_component(&self) -> bool {
        self.summary.kind == Kind::Component
    }

    /// Compiles, and tells whoever waits.
    pub(crate) fn compiling<T>(&self, compile: impl FnOnce() -> T) -> T {
        if let Some(progress) = &self.progress {
            progress.compiling(&self.name);
        }
        let compiled = compile();
        if let Some(progress) = &self.progress {
            progress.compiled(&self.name);
        }
        compiled
    }
}

impl Engine {
    /// Reads a guest from its bytes, binary or text. What they say is not read again where somebody uses the same guest.
    ///
    /// # Errors
    /// They are no WebAssembly.
    pub fn read(&self, name: impl Into<GuestName>, bytes: impl Into<Bytes>) -> Result<Guest, LoadError> {
        let bytes = binary(bytes.into())?;
        let digest = inspect::digest(&bytes);
        let summary = self.known().summaries.get_or_make(digest, || inspect::summary_of(digest, &bytes))?;
        Ok(Guest { name: name.into(), bytes, summary, progress: None })
    }

    /// Reads a guest from its file, as [`Engine::read`] does.
    ///
    /// # Errors
    /// The file can't be read, or is no WebAssembly.
    pub fn read_file(&self, name: impl Into<GuestName>, path: &Path) -> Result<Guest, LoadError> {
        self.read(name, file(path)?)
    }
}

fn binary(bytes: Bytes) -> Result<Bytes, LoadError> {
    Ok(match inspect::binary(Cow::Borrowed(bytes.as_ref()))? {
        Cow::Borrowed(_) => bytes,
        Cow::Owned(binary) => binary.into(),
    })
}

fn file(path: &Path) -> Result<Vec<u8>, LoadError> {
    let read = || {
        let size = fs::metadata(path)?.len();
        if size > inspect::GUEST_BYTES_MAX {
            let message = format!("it has {size} bytes, the most is {}", inspect::GUEST_BYTES_MAX);
            return Err(std::io::Error::new(std::io::ErrorKind::FileTooLarge, message));
        }
        fs::read(path)
    };
    read().map_err(|error| LoadError::Read { path: path.to_owned(), error })
}
