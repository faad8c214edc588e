//! Finds what lies in a folder, and reads what each plugin is.
//!
//! A plugin is named by where it lies, and nothing else gives it its name. So no plugin can take another's place, name or
//! approval, whatever its manifest says.

use super::{
    FolderError, is_name,
    manifest::Manifest,
    place::{Root, below},
};
use crate::signing::{SIGNATURE_BYTES_MAX, SectionError, SignatureError, Signatures, Statement, digest, split};
use sandbar_engine::inspect::GUEST_BYTES_MAX;
use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

/// How many entries the folder may hold, of any kind.
pub const ENTRIES_MAX: usize = 10_000;
/// How large a manifest may be.
pub const MANIFEST_BYTES_MAX: u64 = 64 << 10;
/// What the name of a manifest beside its guest ends with.
const MANIFEST_ENDING: &str = ".plugin.toml";
/// The name of a manifest in a folder of the plugin's own.
const MANIFEST_FILE: &str = "plugin.toml";

/// What may be a plugin: a manifest, or a guest without one.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) name: String,
    pub(crate) manifest: Option<PathBuf>,
    /// The guest, unless the manifest says another.
    pub(crate) guest: PathBuf,
    /// Another that has the same name.
    pub(crate) twin: Option<PathBuf>,
}

/// A plugin that was read, but for its guest, of which only the digest is kept.
#[derive(Clone, Debug)]
pub(crate) struct Offer {
    pub(crate) statement: Statement,
    pub(crate) manifest: Manifest,
    pub(crate) guest: PathBuf,
    pub(crate) signatures: Result<Signatures, SignatureError>,
}

/// Finds the plugins of a folder, by name.
pub(crate) fn scan(root: &Root) -> Result<BTreeMap<String, Found>, FolderError> {
    let at = |error| FolderError::File { path: root.path().to_owned(), error };
    let mut found: BTreeMap<String, Found> = BTreeMap::new();
    let mut names = Vec::new();
    for entry in fs::read_dir(root.path()).map_err(at)? {
        if names.len() == ENTRIES_MAX {
            return Err(FolderError::TooMany { path: root.path().to_owned(), entries_max: ENTRIES_MAX });
        }
        names.push(entry.map_err(at)?.file_name());
    }
    // The order of a folder is the file system's; what is found must not depend on it.
    names.sort();
    for file in names {
        if let Some(new) = one(root.path(), &file) {
            found.entry(new.name.clone()).and_modify(|first| first.meet(&new)).or_insert(new);
        }
    }
    Ok(found)
}

/// What an entry of the folder is, if anything.
fn one(root: &Path, file: &OsString) -> Option<Found> {
    let path = root.join(file);
    let text = file.to_string_lossy();
    if let Some(name) = text.strip_suffix(MANIFEST_ENDING) {
        let guest = root.join(format!("{name}.wasm"));
        return Some(Found { name: name.to_owned(), manifest: Some(path), guest, twin: None });
    }
    if let Some(name) = text.strip_suffix(".wasm").or_else(|| text.strip_suffix(".wat")) {
        return Some(Found { name: name.to_owned(), manifest: None, guest: path, twin: None });
    }
    let manifest = path.join(MANIFEST_FILE);
    // Whatever lies there: that it may not be read is told later.
    manifest.symlink_metadata().ok()?;
    let guest = path.join(format!("{text}.wasm"));
    Some(Found { name: text.into_owned(), manifest: Some(manifest), guest, twin: None })
}

/// The plugin that a guest or a manifest is of, and the folder that it lies in.
pub(crate) fn find(path: &Path) -> Result<(Root, Found), FolderError> {
    let at = |error| FolderError::File { path: path.to_owned(), error };
    let path = path.canonicalize().map_err(at)?;
    let nowhere = || at(std::io::ErrorKind::InvalidFilename.into());
    let (folder, file) = (path.parent().ok_or_else(nowhere)?, path.file_name().ok_or_else(nowhere)?);
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let beside = format!("{stem}{MANIFEST_ENDING}");
    let (root, entry) = if folder.join(MANIFEST_FILE).exists() {
        (folder.parent().ok_or_else(nowhere)?, folder.file_name().ok_or_else(nowhere)?.to_owned())
    } else if folder.join(&beside).exists() {
        (folder, beside.into())
    } else {
        (folder, file.to_owned())
    };
    let found = one(root, &entry).ok_or_else(|| FolderError::NotAFile { path: path.clone() })?;
    Ok((Root::open(root)?, found))
}

impl Found {
    /// Another that has the same name: the guest that is meant, or a second plugin.
    fn meet(&mut self, other: &Found) {
        let is_beside = self.place().parent() == other.place().parent();
        match (&self.manifest, &other.manifest) {
            (Some(_), None) if is_beside => {}
            (None, Some(_)) if is_beside => *self = Found { twin: self.twin.take(), ..other.clone() },
            _ => {
                self.twin.get_or_insert_with(|| other.place().to_owned());
            }
        }
    }

    /// What names it.
    pub(crate) fn place(&self) -> &Path {
        self.manifest.as_deref().unwrap_or(&self.guest)
    }

    /// Reads it.
    pub(crate) fn read(&self, root: &Root) -> Result<Offer, FolderError> {
        if !is_name(&self.name) {
            return Err(FolderError::Name { name: self.name.clone() });
        }
        if let Some(twin) = &self.twin {
            return Err(FolderError::Twice { first: self.place().to_owned(), second: twin.clone() });
        }
        let (manifest, manifest_digest) = match &self.manifest {
            None => (Manifest::default(), None),
            Some(path) => {
                let bytes = there(path, root.read(path, MANIFEST_BYTES_MAX)?)?;
                (Manifest::read(&self.name, path, &bytes)?, Some(digest(&bytes)))
            }
        };
        let guest = match (&manifest.guest, self.place().parent()) {
            (Some(said), Some(folder)) => below(folder, said)?,
            _ => self.guest.clone(),
        };
        let bytes = there(&guest, root.read(&guest, GUEST_BYTES_MAX)?)?;
        let (bytes, embedded) = match split(&bytes) {
            Ok(split) => (split.guest, Ok(split.signatures)),
            Err(SectionError::Signature(error)) => (&*bytes, Err(error)),
            Err(error) => return Err(FolderError::Guest(error)),
        };
        let found = digest(bytes);
        if let Some(expected) = manifest.digest.filter(|expected| *expected != found) {
            return Err(FolderError::Digest { expected, found });
        }
        let signatures = match embedded {
            Ok(embedded) => signatures(root, &guest, embedded)?,
            Err(error) => Err(error),
        };
        let statement = Statement { name: self.name.clone(), guest: found, manifest: manifest_digest };
        Ok(Offer { statement, manifest, guest, signatures })
    }
}

impl Offer {
    /// Reads the guest again, to load it: what is run is what was judged, without its signatures.
    pub(crate) fn guest(&self, root: &Root) -> Result<Vec<u8>, FolderError> {
        let mut bytes = there(&self.guest, root.read(&self.guest, GUEST_BYTES_MAX)?)?;
        let length = split(&bytes).map_or(bytes.len(), |split| split.guest.len());
        bytes.truncate(length);
        if digest(&bytes) == self.statement.guest { Ok(bytes) } else { Err(FolderError::Changed) }
    }
}

/// Where the signatures of a guest lie that are not in it.
pub fn signatures_path(guest: &Path) -> PathBuf {
    let mut path = guest.as_os_str().to_owned();
    path.push(".sig");
    path.into()
}

/// The signatures in a guest, and those beside it.
fn signatures(
    root: &Root,
    guest: &Path,
    embedded: Option<Signatures>,
) -> Result<Result<Signatures, SignatureError>, FolderError> {
    let mut signatures = Signatures::default();
    let path = signatures_path(guest);
    match root.read(&path, SIGNATURE_BYTES_MAX) {
        Ok(None) => {}
        Ok(Some(bytes)) => {
            let parsed = str::from_utf8(&bytes).map_err(|_| SignatureError::Form("they are no text".into()));
            match parsed.and_then(str::parse) {
                Ok(beside) => signatures = beside,
                Err(error) => return Ok(Err(error)),
            }
        }
        Err(error) => return Err(error),
    }
    if let Some(embedded) = embedded {
        signatures.extend(embedded);
    }
    Ok(Ok(signatures))
}

fn there(path: &Path, bytes: Option<Vec<u8>>) -> Result<Vec<u8>, FolderError> {
    bytes.ok_or_else(|| FolderError::File { path: path.to_owned(), error: std::io::ErrorKind::NotFound.into() })
}
