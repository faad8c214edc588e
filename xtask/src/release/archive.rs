//! The archive: a tar file, compressed with gzip, whose bytes are decided by what is in it and when it was committed.
//!
//! Written here and not by the machine's `tar` and `gzip`, whose output depends on their version.

use std::io::Write;

use anyhow::Result;
use flate2::{Compression, GzBuilder};
use tar::{Builder, EntryType, Header};

/// A file of an archive.
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
    mode: u32,
}

impl Entry {
    pub(super) fn program(name: &str, bytes: &[u8]) -> Entry {
        Entry { name: name.into(), bytes: bytes.into(), mode: 0o755 }
    }

    pub(super) fn text(name: &str, bytes: Vec<u8>) -> Entry {
        Entry { name: name.into(), bytes, mode: 0o644 }
    }
}

/// Packs files into one folder: in the order of their names, as of a time, owned by root.
pub(super) fn tar_gz(folder: &str, entries: &[Entry], seconds: u64) -> Result<Vec<u8>> {
    let mut sorted: Vec<&Entry> = entries.iter().collect();
    sorted.sort_by_key(|entry| &entry.name);
    let mut tar = Builder::new(Vec::new());
    for entry in sorted {
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(entry.mode);
        header.set_mtime(seconds);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(entry.bytes.len().try_into()?);
        tar.append_data(&mut header, format!("{folder}/{}", entry.name), &*entry.bytes)?;
    }
    // Without a name or a time of its own, and with the system left open.
    let mut gzip = GzBuilder::new().write(Vec::new(), Compression::best());
    gzip.write_all(&tar.into_inner()?)?;
    Ok(gzip.finish()?)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, io::Read};

    use flate2::read::GzDecoder;
    use tar::Archive;

    use super::*;

    const SECONDS: u64 = 1_700_000_000;

    fn entries() -> Vec<Entry> {
        vec![Entry::program("sandbar", b"\x7fELF"), Entry::text("LICENSE", b"a licence".into())]
    }

    #[test]
    fn the_order_and_the_machine_don_t_matter() {
        let mut turned = entries();
        turned.reverse();
        let packed = tar_gz("sandbar-1", &entries(), SECONDS).unwrap();
        assert_eq!(packed, tar_gz("sandbar-1", &turned, SECONDS).unwrap());
        assert_eq!(&packed[3..10], &[0, 0, 0, 0, 0, 2, 255], "gzip: no name, no time, best, no system");
        assert_ne!(packed, tar_gz("sandbar-1", &entries(), SECONDS + 1).unwrap(), "the commit's time is in it");
    }

    #[test]
    fn what_is_packed_is_unpacked() {
        let packed = tar_gz("sandbar-1", &entries(), SECONDS).unwrap();
        let mut archive = Archive::new(GzDecoder::new(&*packed));
        let mut found = BTreeMap::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            let header = entry.header();
            let told = (header.mode().unwrap(), header.mtime().unwrap(), header.uid().unwrap(), header.gid().unwrap());
            found.insert(entry.path().unwrap().display().to_string(), (told, bytes));
        }
        let expected = [
            ("sandbar-1/LICENSE", ((0o644, SECONDS, 0, 0), b"a licence".to_vec())),
            ("sandbar-1/sandbar", ((0o755, SECONDS, 0, 0), b"\x7fELF".to_vec())),
        ];
        assert_eq!(found, expected.map(|(name, entry)| (name.to_owned(), entry)).into());
    }
}
