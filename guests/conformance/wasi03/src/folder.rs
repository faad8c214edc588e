//! The folder that a case may do with as it likes, and short ways to what is in it.

use crate::both::both;
use std::ops::Deref;
use wasip3::{
    filesystem::{
        preopens,
        types::{Descriptor, DescriptorFlags, ErrorCode, OpenFlags, PathFlags},
    },
    wit_stream,
};

pub(crate) const READ: DescriptorFlags = DescriptorFlags::READ;
pub(crate) const WRITE: DescriptorFlags = DescriptorFlags::WRITE;
pub(crate) const CHANGE: DescriptorFlags = DescriptorFlags::MUTATE_DIRECTORY;
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
    pub(crate) async fn open(
        &self,
        path: &str,
        how: OpenFlags,
        flags: DescriptorFlags,
    ) -> Result<Descriptor, ErrorCode> {
        self.open_at(NOFOLLOW, path.into(), how, flags).await
    }

    /// Opens what is there, to read.
    pub(crate) async fn read_only(&self, path: &str) -> Descriptor {
        self.open(path, OpenFlags::empty(), READ).await.unwrap_or_else(|error| panic!("opening `{path}`: {error:?}"))
    }

    /// Makes a file, or opens the one that is there, to read and write.
    pub(crate) async fn create(&self, path: &str) -> Descriptor {
        let opened = self.open(path, OpenFlags::CREATE, READ | WRITE).await;
        opened.unwrap_or_else(|error| panic!("creating `{path}`: {error:?}"))
    }

    /// Makes a file that holds these bytes.
    pub(crate) async fn put(&self, path: &str, bytes: &[u8]) {
        write(&self.create(path).await, 0, bytes).await.unwrap();
    }

    /// All that a file holds.
    pub(crate) async fn contents(&self, path: &str) -> Vec<u8> {
        read(&self.read_only(path).await, 0).await.unwrap()
    }

    /// Makes a folder and opens it.
    pub(crate) async fn below(&self, path: &str) -> Folder {
        self.create_directory_at(path.into()).await.unwrap();
        Folder(self.open(path, OpenFlags::DIRECTORY, CHANGE).await.unwrap())
    }

    pub(crate) async fn exists(&self, path: &str) -> bool {
        self.stat_at(NOFOLLOW, path.into()).await.is_ok()
    }

    pub(crate) async fn rename(&self, from: &str, to: &str) -> Result<(), ErrorCode> {
        self.rename_at(from.into(), self, to.into()).await
    }

    /// The names in it, sorted.
    pub(crate) async fn names(&self) -> Vec<String> {
        let (entries, ended) = self.read_directory();
        let mut names: Vec<_> = entries.collect().await.into_iter().map(|entry| entry.name).collect();
        ended.await.unwrap();
        names.sort();
        names
    }
}

/// What is in a file from there on.
pub(crate) async fn read(file: &Descriptor, offset: u64) -> Result<Vec<u8>, ErrorCode> {
    let (bytes, ended) = file.read_via_stream(offset);
    let bytes = bytes.collect().await;
    ended.await.map(|()| bytes)
}

pub(crate) async fn write(file: &Descriptor, offset: u64, bytes: &[u8]) -> Result<(), ErrorCode> {
    let (mut sender, receiver) = wit_stream::new();
    let written = file.write_via_stream(receiver, offset);
    let send = async {
        let left = sender.write_all(bytes.to_vec()).await;
        drop(sender);
        left
    };
    let (left, written) = both(send, written).await;
    written.inspect(|()| assert!(left.is_empty(), "all was written"))
}

pub(crate) async fn append(file: &Descriptor, bytes: &[u8]) -> Result<(), ErrorCode> {
    let (mut sender, receiver) = wit_stream::new();
    let written = file.append_via_stream(receiver);
    let send = async {
        sender.write_all(bytes.to_vec()).await;
        drop(sender);
    };
    both(send, written).await.1
}
