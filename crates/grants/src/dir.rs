//! Folders of the host: `HOST[::GUEST][:ro|:rw][,quota=BYTES]`.
//!
//! An entry names a folder of the host, the path at which the guest sees it, whether it may write, and how many bytes may lie
//! below it. Opening and walking paths inside the folder is the engine's, which never leaves it; what is here is which folder,
//! and how much.

mod volume;

use crate::{GrantError, Problem};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
pub use volume::{ENTRY_BYTES, QuotaExceeded, Volume, Volumes};

/// What a guest may do in a folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Access {
    /// Read and list.
    ReadOnly,
    /// All, also create, write, rename and remove.
    #[default]
    ReadWrite,
}

/// A folder that is open to a guest.
#[derive(Clone, Debug)]
pub struct Folder {
    /// Its path on the host: absolute, without symbolic links.
    pub host: PathBuf,
    /// Its path in the guest.
    pub guest: String,
    /// What the guest may do in it.
    pub access: Access,
    /// What counts the bytes below it; `None` where nothing bounds them.
    pub volume: Option<Arc<Volume>>,
}

/// An entry, before its folder is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DirEntry {
    host: String,
    pub(crate) guest: String,
    access: Access,
    quota_bytes: Option<u64>,
}

impl DirEntry {
    pub(crate) fn parse(text: &str) -> Result<DirEntry, Problem> {
        let (rest, quota_bytes) = match text.rsplit_once(",quota=") {
            Some((rest, quota)) => (rest, Some(parse_bytes(quota)?)),
            None => (text, None),
        };
        let (paths, access) = match rest.strip_suffix(":ro") {
            Some(paths) => (paths, Access::ReadOnly),
            None => (rest.strip_suffix(":rw").unwrap_or(rest), Access::ReadWrite),
        };
        if access == Access::ReadOnly && quota_bytes.is_some() {
            return Err(Problem::new("a folder that is read-only has no use for a quota"));
        }
        let (host, guest) = paths.split_once("::").unwrap_or((paths, paths));
        if host.is_empty() || guest.is_empty() {
            return Err(Problem::new("a path is missing"));
        }
        if paths.contains('\0') {
            return Err(Problem::new("a NUL can't be in a path"));
        }
        if guest.contains("::") {
            return Err(Problem::new("`::` stands once, between the host's path and the guest's"));
        }
        if paths.contains("::") && guest.contains([':', ',']) {
            // A mistyped `:ro` would else be a part of the path, and the folder open to writes.
            return Err(Problem::new(format!(
                "after the guest's path come `:ro` or `:rw` and a quota, not as in `{guest}`"
            )));
        }
        if guest.split('/').any(|part| part == "..") {
            return Err(Problem::new("the guest's path can't hold `..`; name it with `HOST::GUEST`"));
        }
        Ok(DirEntry { host: host.to_string(), guest: guest.to_string(), access, quota_bytes })
    }

    /// Finds the folder, seen from `base`, and the volume it shares.
    pub(crate) fn admit(&self, base: &Path, volumes: &Volumes) -> Result<Folder, GrantError> {
        let path = base.join(&self.host);
        let host = path.canonicalize().map_err(|error| GrantError::Folder { path: path.clone(), error })?;
        if !host.is_dir() {
            return Err(GrantError::NotAFolder { path });
        }
        let volume = match self.quota_bytes {
            Some(quota_bytes) => Some(volumes.share(&host, quota_bytes)?),
            None => None,
        };
        Ok(Folder { host, guest: self.guest.clone(), access: self.access, volume })
    }
}

/// Reads a number of bytes: `4096`, `64KiB`, `64MiB`, `1GiB`, `1TiB`, or with powers of ten `64kB`, `64MB`, `1GB`, `1TB`.
///
/// # Errors
/// What is wrong with it.
pub fn parse_bytes(text: &str) -> Result<u64, Problem> {
    let digits = text.trim_end_matches(|char: char| char.is_ascii_alphabetic());
    let unit = text.get(digits.len()..).unwrap_or_default();
    let factor: Option<u64> = match unit {
        "" | "B" => Some(1),
        "KiB" => Some(1 << 10),
        "MiB" => Some(1 << 20),
        "GiB" => Some(1 << 30),
        "TiB" => Some(1 << 40),
        "kB" => Some(1_000),
        "MB" => Some(1_000_000),
        "GB" => Some(1_000_000_000),
        "TB" => Some(1_000_000_000_000),
        _ => None,
    };
    let number = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<u64>().ok()).flatten();
    number
        .zip(factor)
        .and_then(|(number, factor)| number.checked_mul(factor))
        .ok_or_else(|| Problem::new(format!("`{}` is not a number of bytes such as `64MiB`", text.escape_debug())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_reads_back() {
        let read = |host: &str, guest: &str, access, quota_bytes| {
            Some(DirEntry { host: host.into(), guest: guest.into(), access, quota_bytes })
        };
        for (text, expected) in [
            ("data::/data", read("data", "/data", Access::ReadWrite, None)),
            ("data::/data:ro", read("data", "/data", Access::ReadOnly, None)),
            ("data::/data:rw,quota=64MiB", read("data", "/data", Access::ReadWrite, Some(64 << 20))),
            ("data,quota=5", read("data", "data", Access::ReadWrite, Some(5))),
            ("/srv/x:ro", read("/srv/x", "/srv/x", Access::ReadOnly, None)),
            (".", read(".", ".", Access::ReadWrite, None)),
            ("../up::/up", read("../up", "/up", Access::ReadWrite, None)),
            ("a,b:c::d", read("a,b:c", "d", Access::ReadWrite, None)),
            ("", None),
            ("::/data", None),
            ("data::", None),
            ("../up", None),
            ("a::b::c", None),
            ("data::/a/../b", None),
            ("data::/data:or", None),
            ("data::/data,quoat=1MiB", None),
            ("data::/data,quota=1MiB:ro", None),
            ("data,quota=x", None),
            ("data:ro,quota=1", None),
            ("da\0ta", None),
        ] {
            assert_eq!(DirEntry::parse(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn a_size_has_a_unit_or_none() {
        for (text, expected) in [
            ("0", Some(0)),
            ("4096", Some(4096)),
            ("1KiB", Some(1024)),
            ("2GiB", Some(2 << 30)),
            ("3MB", Some(3_000_000)),
            ("", None),
            ("MiB", None),
            ("-1", None),
            ("1mib", None),
            ("1.5GiB", None),
            ("99999999999TiB", None),
        ] {
            assert_eq!(parse_bytes(text).ok(), expected, "{text}");
        }
    }
}
