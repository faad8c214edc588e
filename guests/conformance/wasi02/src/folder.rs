//! The folder that a case may do with as it likes, and short ways to what is in it.

use std::ops::Deref;
use wasip2::{
    filesystem::{
        preopens,
        types::{Descriptor, DescriptorFlags, ErrorCode, OpenFlags, PathFlags},
    },
    io::streams::{InputStream, StreamError},
};

pub(crate) const READ: DescriptorFlags = DescriptorFlags::READ;
pub(crate) const WRITE: DescriptorFlags = DescriptorFlags::WRITE;
pub(crate) const FOLLOW: PathFlags = PathFlags::SYMLINK_FOLLOW;
pub(crate) const NOFOLLOW: PathFlags = PathFlags::empty();

/// A folder, with what cases do again and again.
pub(crate) struct Folder(Descriptor);

impl Deref for Folder {
    type Target = Descriptor;

    fn deref(&self) -> &Descriptor {
        &self.0
    }
}

/// The folder at `/`, which is the only one.
pub(crate) fn root() -> Folder {
    let mut granted = preopens::get_directories();
    assert_eq!(granted.len(), 1);
    let (folder, name) = granted.remove(0);
    assert_eq!(name, "/");
    Folder(folder)
}

impl Folder {
    pub(crate) fn open(&self, path: &str, how: OpenFlags, flags: DescriptorFlags) -> Result<Descriptor, ErrorCode> {
        self.open_at(NOFOLLOW, path, how, flags)
    }

    /// Opens what is there, to read.
    #[track_caller]
    pub(crate) fn read_only(&self, path: &str) -> Descriptor {
        self.open(path, OpenFlags::empty(), READ).unwrap_or_else(|error| panic!("opening `{path}`: {error}"))
    }

    /// Makes a file, or opens the one that is there, to read and write.
    #[track_caller]
    pub(crate) fn create(&self, path: &str) -> Descriptor {
        self.open(path, OpenFlags::CREATE, READ | WRITE).unwrap_or_else(|error| panic!("creating `{path}`: {error}"))
    }

    /// Makes a file that holds these bytes.
    #[track_caller]
    pub(crate) fn put(&self, path: &str, bytes: &[u8]) {
        assert_eq!(self.create(path).write(bytes, 0), Ok(bytes.len() as u64), "writing `{path}`");
    }

    /// All that a file holds.
    #[track_caller]
    pub(crate) fn contents(&self, path: &str) -> Vec<u8> {
        whole(&self.read_only(path))
    }

    /// Makes a folder and opens it.
    #[track_caller]
    pub(crate) fn below(&self, path: &str) -> Folder {
        self.create_directory_at(path).unwrap();
        let flags = READ | DescriptorFlags::MUTATE_DIRECTORY;
        Folder(self.open(path, OpenFlags::DIRECTORY, flags).unwrap())
    }

    pub(crate) fn exists(&self, path: &str) -> bool {
        self.stat_at(NOFOLLOW, path).is_ok()
    }

    /// The names in it, sorted.
    #[track_caller]
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = self.read_directory().unwrap();
        let mut names: Vec<_> =
            std::iter::from_fn(|| entries.read_directory_entry().unwrap()).map(|entry| entry.name).collect();
        names.sort();
        names
    }
}

/// All that a file holds.
#[track_caller]
pub(crate) fn whole(file: &Descriptor) -> Vec<u8> {
    to_the_end(&file.read_via_stream(0).unwrap())
}

/// Reads a stream to its end.
#[track_caller]
pub(crate) fn to_the_end(stream: &InputStream) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        match stream.blocking_read(1 << 16) {
            Ok(bytes) => all.extend(bytes),
            Err(StreamError::Closed) => return all,
            Err(error) => panic!("{error:?}"),
        }
    }
}

/// Checks that a call is refused with one of these.
#[track_caller]
pub(crate) fn refused<T>(answer: Result<T, ErrorCode>, expected: &[ErrorCode]) {
    match answer {
        Ok(_) => panic!("expected {expected:?}, and it was done"),
        Err(error) => assert!(expected.contains(&error), "expected {expected:?}, found {error:?}"),
    }
}
