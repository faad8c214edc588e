//! Symbolic and hard links.

use crate::{
    Case, cases,
    folder::{FOLLOW, NOFOLLOW, READ, WRITE, root, write},
    refused,
};
use wasip3::filesystem::types::{DescriptorType, OpenFlags};

pub(crate) const CASES: &[Case] =
    cases![symbolic, symbolic_loop, symbolic_refused, read, created_through, hard, hard_refused];

async fn symbolic() {
    let root = root();
    root.below("folder").await.put("file", b"inner").await;
    for (target, link) in [("a.txt", "link"), ("folder", "to-folder"), ("link", "to-link")] {
        root.symlink_at(target.into(), link.into()).await.unwrap();
        refused(root.open(link, OpenFlags::empty(), READ).await, &["Loop"]);
        root.open_at(FOLLOW, link.into(), OpenFlags::empty(), READ).await.unwrap();
        assert!(matches!(root.stat_at(NOFOLLOW, link.into()).await.unwrap().type_, DescriptorType::SymbolicLink));
    }
    assert_eq!(root.contents("to-folder/file").await, b"inner");
    assert_eq!(root.stat_at(FOLLOW, "to-link".into()).await.unwrap().size, 7);
    root.unlink_file_at("link".into()).await.unwrap();
    assert!(root.exists("a.txt").await);
}

async fn symbolic_loop() {
    let root = root();
    root.symlink_at("self".into(), "self".into()).await.unwrap();
    refused(root.open_at(FOLLOW, "self".into(), OpenFlags::empty(), READ).await, &["Loop"]);
    refused(root.stat_at(FOLLOW, "self".into()).await, &["Loop"]);
}

async fn symbolic_refused() {
    let root = root();
    root.symlink_at("missing".into(), "dangling".into()).await.unwrap();
    for there in ["a.txt", "dangling", "."] {
        refused(root.symlink_at("b.txt".into(), there.into()).await, &["Exist"]);
    }
    refused(root.symlink_at("whatever".into(), "".into()).await, &["NoEntry"]);
    refused(root.symlink_at("".into(), "whatever".into()).await, &["NoEntry"]);
    refused(root.symlink_at("missing".into(), "link/".into()).await, &["NoEntry", "NotDirectory"]);
    refused(root.open_at(FOLLOW, "dangling".into(), OpenFlags::empty(), READ).await, &["NoEntry"]);
}

async fn read() {
    let root = root();
    for target in ["a.txt", "missing", "..", "folder/", "ü"] {
        root.symlink_at(target.into(), "link".into()).await.unwrap();
        assert_eq!(root.readlink_at("link".into()).await.unwrap(), target);
        root.unlink_file_at("link".into()).await.unwrap();
    }
    for path in ["a.txt", "."] {
        refused(root.readlink_at(path.into()).await, &["Invalid"]);
    }
    for path in ["missing", ""] {
        refused(root.readlink_at(path.into()).await, &["NoEntry"]);
    }
    refused(root.read_only("a.txt").await.readlink_at(".".into()).await, &["NotDirectory"]);
}

async fn created_through() {
    let root = root();
    root.symlink_at("made".into(), "link".into()).await.unwrap();
    root.open_at(FOLLOW, "link".into(), OpenFlags::CREATE, WRITE).await.unwrap();
    assert!(matches!(root.stat_at(NOFOLLOW, "made".into()).await.unwrap().type_, DescriptorType::RegularFile));
}

async fn hard() {
    let root = root();
    let below = root.below("folder").await;
    root.link_at(NOFOLLOW, "a.txt".into(), &root, "link".into()).await.unwrap();
    root.link_at(NOFOLLOW, "a.txt".into(), &below, "link".into()).await.unwrap();
    assert_eq!(root.stat_at(NOFOLLOW, "a.txt".into()).await.unwrap().link_count, 3);
    write(&root.create("link").await, 0, b"T").await.unwrap();
    assert_eq!(below.contents("link").await, b"Test-a\n");
}

async fn hard_refused() {
    let root = root();
    root.below("folder").await;
    for folder in [".", "folder"] {
        let made = root.link_at(NOFOLLOW, folder.into(), &root, "link".into()).await;
        refused(made, &["NotPermitted", "Access"]);
    }
    for (from, to) in [("", "link"), ("", ""), ("a.txt", ""), ("missing", "link")] {
        refused(root.link_at(NOFOLLOW, from.into(), &root, to.into()).await, &["NoEntry"]);
    }
    for there in ["a.txt", "b.txt", "folder"] {
        refused(root.link_at(NOFOLLOW, "a.txt".into(), &root, there.into()).await, &["Exist"]);
    }
}
