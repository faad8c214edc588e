//! Reads files, bounded and below one folder.

use super::FolderError;
use std::{
    fs::{self, OpenOptions},
    io::{self, ErrorKind, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Component, Path, PathBuf},
};

/// A folder that what is read has to lie in.
#[derive(Clone, Debug)]
pub(crate) struct Root(PathBuf);

impl Root {
    pub(crate) fn open(path: &Path) -> Result<Root, FolderError> {
        let at = |error| FolderError::File { path: path.to_owned(), error };
        let root = path.canonicalize().map_err(at)?;
        if root.is_dir() { Ok(Root(root)) } else { Err(at(ErrorKind::NotADirectory.into())) }
    }

    /// Its path: absolute, without symbolic links.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Reads a file, or tells that there is none. What it says, and not how long it claims to be, is held to the bound.
    pub(crate) fn read(&self, path: &Path, bytes_max: u64) -> Result<Option<Vec<u8>>, FolderError> {
        let at = |error| FolderError::File { path: path.to_owned(), error };
        let real = match path.canonicalize() {
            Ok(real) => real,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(at(error)),
        };
        if !real.starts_with(&self.0) {
            return Err(FolderError::Outside { path: path.to_owned() });
        }
        match read_file(&real, bytes_max) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(FolderError::File { error, .. }) => Err(at(error)),
            Err(other) => Err(other),
        }
    }
}

/// The path of something in a folder, by what a manifest says: no `..`, and not from the root.
pub(crate) fn below(folder: &Path, said: &str) -> Result<PathBuf, FolderError> {
    let is_plain = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    if said.is_empty() || said.contains('\0') || !Path::new(said).components().all(is_plain) {
        return Err(FolderError::Outside { path: said.into() });
    }
    Ok(folder.join(said))
}

/// Reads a regular file of up to so many bytes, and never waits for a pipe.
pub(crate) fn read_file(path: &Path, bytes_max: u64) -> Result<Vec<u8>, FolderError> {
    let at = |error: io::Error| FolderError::File { path: path.to_owned(), error };
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(at)?;
    let meta = file.metadata().map_err(at)?;
    if !meta.is_file() {
        return Err(FolderError::NotAFile { path: path.to_owned() });
    }
    let too_large = || FolderError::TooLarge { path: path.to_owned(), bytes_max };
    if meta.len() > bytes_max {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(meta.len()).unwrap_or_default());
    file.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes).map_err(at)?;
    if bytes.len() as u64 > bytes_max { Err(too_large()) } else { Ok(bytes) }
}

/// Writes a file anew, or leaves it as it was.
pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> Result<(), FolderError> {
    // Where it is a link, the file that is meant may well lie elsewhere.
    let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let mut name = real.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let new = real.with_file_name(name);
    let write = || {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&new)?;
        file.write_all(bytes)?;
        if let Ok(meta) = fs::metadata(&real) {
            file.set_permissions(meta.permissions())?;
        }
        file.sync_all()?;
        fs::rename(&new, &real)
    };
    write().map_err(|error: io::Error| {
        let _ = fs::remove_file(&new);
        FolderError::File { path: path.to_owned(), error }
    })
}
