//! Where a plugin comes from.

use crate::{Error, Host, extism::ExtismManifest, terms::Terms};
use bytes::Bytes;
use sandbar_engine::Guest;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// Where a plugin comes from.
#[derive(Clone)]
pub enum Source {
    /// A file, binary or text.
    File(PathBuf),
    /// Bytes, binary or text.
    Bytes(Bytes),
    /// A guest that was read already.
    Guest(Guest),
    /// What a manifest of Extism's names. A plugin that is loaded from it has what it says, too; one that is replaced by it keeps
    /// what it was loaded with.
    Extism(ExtismManifest),
}

impl Source {
    /// Reads the guest.
    pub(crate) fn guest(&self, host: &Host, terms: &Terms) -> Result<Guest, Error> {
        let (engine, name) = (host.engine(), terms.name.as_ref());
        let named = |otherwise: &str| -> Arc<str> { name.cloned().unwrap_or_else(|| otherwise.into()) };
        Ok(match self {
            Source::File(path) => {
                let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
                engine.read_file(named(&stem), path)?
            }
            Source::Bytes(bytes) => engine.read(named("plugin"), bytes.clone())?,
            Source::Guest(guest) => guest.clone(),
            Source::Extism(manifest) => manifest.guest(host, name, &terms.base)?,
        })
    }
}

impl From<&str> for Source {
    fn from(path: &str) -> Source {
        Source::File(path.into())
    }
}

impl From<&Path> for Source {
    fn from(path: &Path) -> Source {
        Source::File(path.into())
    }
}

impl From<PathBuf> for Source {
    fn from(path: PathBuf) -> Source {
        Source::File(path)
    }
}

impl From<Vec<u8>> for Source {
    fn from(bytes: Vec<u8>) -> Source {
        Source::Bytes(bytes.into())
    }
}

impl From<&'static [u8]> for Source {
    fn from(bytes: &'static [u8]) -> Source {
        Source::Bytes(Bytes::from_static(bytes))
    }
}

impl From<Bytes> for Source {
    fn from(bytes: Bytes) -> Source {
        Source::Bytes(bytes)
    }
}

impl From<Guest> for Source {
    fn from(guest: Guest) -> Source {
        Source::Guest(guest)
    }
}

impl From<ExtismManifest> for Source {
    fn from(manifest: ExtismManifest) -> Source {
        Source::Extism(manifest)
    }
}
