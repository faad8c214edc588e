//! What is in files: opening them, and the streams that read and write them.

use crate::{
    Case, cases,
    folder::{CHANGE, FOLLOW, NOFOLLOW, READ, WRITE, append, read, root, write},
    refused,
};
use wasip3::{
    filesystem::types::{Advice, DescriptorFlags, DescriptorType, OpenFlags},
    wit_bindgen::rt::async_support::StreamResult,
    wit_stream,
};

pub(crate) const CASES: &[Case] = cases![
    opening,
    opening_with_flags,
    flags_and_types,
    flags_of_folders,
    flags_of_a_folder_to_change,
    reading,
    reading_in_pieces,
    reading_some,
    reading_nothing,
    reading_far_beyond,
    writing,
    writing_in_pieces,
    appending,
    directions,
    sizes,
    sizes_that_are_refused,
    sizes_of_what_is_removed,
    advice,
    syncing,
    large,
    same_object,
];

async fn opening() {
    let root = root();
    let nothing = OpenFlags::empty();
    for path in ["missing", ""] {
        refused(root.open(path, nothing, READ).await, &["NoEntry"]);
    }
    for path in ["..", "/", "/a.txt"] {
        refused(root.open(path, nothing, READ).await, &["NotPermitted"]);
    }
    for path in ["a.txt/below", "a.txt/"] {
        refused(root.open(path, nothing, READ).await, &["NotDirectory"]);
    }
    refused(root.open("a.txt", OpenFlags::DIRECTORY, READ).await, &["NotDirectory"]);
    refused(root.open(".", nothing, WRITE).await, &["IsDirectory"]);
    refused(root.open("a.txt", OpenFlags::CREATE | OpenFlags::EXCLUSIVE, WRITE).await, &["Exist"]);
    let file = root.read_only("a.txt").await;
    refused(file.open_at(NOFOLLOW, "below".into(), OpenFlags::CREATE, WRITE).await, &["NotDirectory"]);
}

async fn opening_with_flags() {
    let root = root();
    let file = root.open("new", OpenFlags::CREATE | OpenFlags::EXCLUSIVE, READ | WRITE).await.unwrap();
    write(&file, 0, b"contents").await.unwrap();
    assert_eq!(read(&root.create("new").await, 0).await.unwrap(), b"contents");
    let file = root.open("new", OpenFlags::TRUNCATE, READ | WRITE).await.unwrap();
    assert_eq!(file.stat().await.unwrap().size, 0);
    root.open_at(FOLLOW, "a.txt".into(), OpenFlags::empty(), READ).await.unwrap();
}

/// What is asked for is what there is; nothing asked for is to read, and to create is to write.
async fn flags_and_types() {
    let root = root();
    let exclusively = OpenFlags::CREATE | OpenFlags::EXCLUSIVE;
    for (path, how, flags, expected) in [
        ("a.txt", OpenFlags::empty(), DescriptorFlags::empty(), READ),
        ("a.txt", OpenFlags::EXCLUSIVE, DescriptorFlags::empty(), READ),
        ("a.txt", OpenFlags::empty(), READ, READ),
        ("a.txt", OpenFlags::empty(), WRITE, WRITE),
        ("a.txt", OpenFlags::empty(), READ | WRITE, READ | WRITE),
        ("new-1", exclusively, READ | WRITE, READ | WRITE),
        ("new-2", exclusively, DescriptorFlags::empty(), READ | WRITE),
        ("new-3", exclusively, READ, READ | WRITE),
        ("new-4", exclusively, WRITE, WRITE),
    ] {
        let file = root.open(path, how, flags).await.unwrap();
        assert_eq!(file.get_flags().await.unwrap(), expected, "{path} {how:?} {flags:?}");
        assert!(matches!(file.get_type().await, Ok(DescriptorType::RegularFile)));
    }
}

async fn flags_of_folders() {
    let root = root();
    assert_eq!(root.get_flags().await.unwrap(), READ | CHANGE);
    assert!(matches!(root.get_type().await, Ok(DescriptorType::Directory)));
    let plain = root.open(".", OpenFlags::empty(), DescriptorFlags::empty()).await.unwrap();
    assert_eq!(plain.get_flags().await.unwrap(), READ);
    assert!(matches!(plain.get_type().await, Ok(DescriptorType::Directory)));
}

/// A folder that was opened to change what is in it says so.
async fn flags_of_a_folder_to_change() {
    let root = root();
    for (how, flags) in
        [(OpenFlags::empty(), CHANGE), (OpenFlags::empty(), READ | CHANGE), (OpenFlags::DIRECTORY, READ | CHANGE)]
    {
        let folder = root.open(".", how, flags).await.unwrap();
        assert_eq!(folder.get_flags().await.unwrap(), READ | CHANGE, "{how:?} {flags:?}");
    }
}

async fn reading() {
    let file = root().read_only("a.txt").await;
    for (offset, expected) in [(0, &b"test-a\n"[..]), (1, b"est-a\n"), (6, b"\n"), (7, b""), (17, b"")] {
        assert_eq!(read(&file, offset).await.unwrap(), expected, "{offset}");
    }
}

async fn reading_in_pieces() {
    let file = root().read_only("a.txt").await;
    let (mut bytes, ended) = file.read_via_stream(0);
    let mut all = Vec::new();
    loop {
        let (result, piece) = bytes.read(Vec::with_capacity(2)).await;
        assert!(piece.len() <= 2);
        all.extend(piece);
        if result == StreamResult::Dropped {
            break;
        }
    }
    ended.await.unwrap();
    assert_eq!(all, b"test-a\n");
}

/// Who has read enough hears no error for what was left.
async fn reading_some() {
    let file = root().read_only("a.txt").await;
    let (mut bytes, ended) = file.read_via_stream(1);
    let (_, piece) = bytes.read(Vec::with_capacity(1)).await;
    drop(bytes);
    assert_eq!(piece, b"e");
    ended.await.unwrap();
}

async fn reading_nothing() {
    let file = root().read_only("a.txt").await;
    for offset in [0, 1, 6, 7, 17] {
        let (mut bytes, ended) = file.read_via_stream(offset);
        let (_, piece) = bytes.read(Vec::new()).await;
        drop(bytes);
        assert_eq!(piece, b"");
        ended.await.unwrap();
    }
}

async fn reading_far_beyond() {
    refused(read(&root().read_only("a.txt").await, u64::MAX).await, &["Invalid"]);
}

async fn writing() {
    let root = root();
    let file = root.create("file").await;
    assert_eq!(read(&file, 0).await.unwrap(), b"");
    write(&file, 0, b"hello!").await.unwrap();
    write(&file, 0, b"byeee").await.unwrap();
    assert_eq!(read(&file, 0).await.unwrap(), b"byeee!");
    write(&file, 8, b"z").await.unwrap();
    write(&file, 100, b"").await.unwrap();
    assert_eq!(root.contents("file").await, b"byeee!\0\0z");
}

/// What a stream has taken, and its future has answered for, is in the file.
async fn writing_in_pieces() {
    let file = root().create("file").await;
    let (mut sender, receiver) = wit_stream::new();
    let written = file.write_via_stream(receiver, 0);
    let send = async {
        for piece in 0..100u8 {
            assert!(sender.write_all(vec![piece; 100]).await.is_empty());
        }
        drop(sender);
    };
    crate::both::both(send, written).await.1.unwrap();
    let expected: Vec<u8> = (0..100).flat_map(|piece| [piece; 100]).collect();
    assert_eq!(read(&file, 0).await.unwrap(), expected);
}

async fn appending() {
    let root = root();
    root.put("file", b"byeee!").await;
    let file = root.create("file").await;
    append(&file, b" laters").await.unwrap();
    append(&file, b"!!").await.unwrap();
    assert_eq!(root.contents("file").await, b"byeee! laters!!");
}

async fn directions() {
    let root = root();
    let no_way = &["BadDescriptor", "NotPermitted", "Access", "IsDirectory"];
    refused(write(&root.read_only("a.txt").await, 0, b"x").await, no_way);
    refused(append(&root.read_only("a.txt").await, b"x").await, no_way);
    let file = root.open("a.txt", OpenFlags::empty(), WRITE).await.unwrap();
    refused(read(&file, 0).await, no_way);
    refused(read(&root, 0).await, no_way);
    refused(write(&root, 0, b"x").await, no_way);
    assert_eq!(root.contents("a.txt").await, b"test-a\n");
}

async fn sizes() {
    let root = root();
    let (file, reader) = (root.create("file").await, root.read_only("file").await);
    for size in [42, 69, 7, 0] {
        file.set_size(size).await.unwrap();
        assert_eq!((file.stat().await.unwrap().size, reader.stat().await.unwrap().size), (size, size));
    }
    write(&file, 0, b"0123456789").await.unwrap();
    file.set_size(4).await.unwrap();
    file.set_size(6).await.unwrap();
    assert_eq!(root.contents("file").await, b"0123\0\0");
}

async fn sizes_that_are_refused() {
    let root = root();
    let file = root.create("file").await;
    refused(file.set_size(u64::MAX).await, &["Invalid", "FileTooLarge", "Quota"]);
    let reader = root.read_only("file").await;
    refused(reader.set_size(100).await, &["Invalid", "BadDescriptor", "Access"]);
    refused(root.set_size(100).await, &["Invalid", "BadDescriptor", "Access", "IsDirectory"]);
    assert_eq!(file.stat().await.unwrap().size, 0);
}

async fn sizes_of_what_is_removed() {
    let root = root();
    let (file, reader) = (root.create("file").await, root.read_only("file").await);
    root.unlink_file_at("file".into()).await.unwrap();
    file.set_size(42).await.unwrap();
    assert_eq!((file.stat().await.unwrap().size, reader.stat().await.unwrap().size), (42, 42));
}

async fn advice() {
    let root = root();
    refused(root.advise(0, 0, Advice::Normal).await, &["BadDescriptor"]);
    let file = root.read_only("a.txt").await;
    let all = [Advice::Normal, Advice::Sequential, Advice::Random, Advice::WillNeed, Advice::DontNeed, Advice::NoReuse];
    for advice in all {
        for offset in [0, 7, 7 + 4096] {
            for length in [0, 10, 4096, 7, 7 + 4096] {
                let advised = file.advise(offset, length, advice).await;
                assert!(advised.is_ok(), "{advice:?} {offset} {length}: {advised:?}");
            }
        }
    }
}

async fn syncing() {
    let root = root();
    for file in [root.create("file").await, root.read_only("a.txt").await, root.read_only(".").await] {
        file.sync().await.unwrap();
        file.sync_data().await.unwrap();
    }
}

async fn large() {
    let root = root();
    let bytes: Vec<u8> = (0..3_000_000u32).map(|n| (n % 251) as u8).collect();
    root.put("file", &bytes).await;
    assert!(root.contents("file").await == bytes);
}

async fn same_object() {
    let root = root();
    let (a, again, b) = (root.read_only("a.txt").await, root.read_only("./a.txt").await, root.read_only("b.txt").await);
    root.link_at(NOFOLLOW, "a.txt".into(), &root, "link".into()).await.unwrap();
    let link = root.read_only("link").await;
    for same in [&a, &again, &link] {
        assert!(a.is_same_object(same).await && same.is_same_object(&a).await);
        assert!(!b.is_same_object(same).await && !root.is_same_object(same).await);
    }
    assert!(root.is_same_object(&root).await && root.is_same_object(&root.read_only(".").await).await);
}
