//! Symbolic and hard links.

use crate::{
    Case, cases,
    folder::{FOLLOW, NOFOLLOW, READ, WRITE, refused, root},
};
use wasip2::filesystem::types::{DescriptorType, ErrorCode, OpenFlags};

pub(crate) const CASES: &[Case] =
    cases![symbolic, symbolic_loop, symbolic_refused, read, created_through, hard, hard_refused];

fn symbolic() {
    let root = root();
    root.below("folder").put("file", b"inner");
    root.symlink_at("a.txt", "link").unwrap();
    root.symlink_at("folder", "to-folder").unwrap();
    refused(root.open("link", OpenFlags::empty(), READ), &[ErrorCode::Loop]);
    root.open_at(FOLLOW, "link", OpenFlags::empty(), READ).unwrap();
    root.open_at(FOLLOW, "to-folder", OpenFlags::DIRECTORY, READ).unwrap();
    assert_eq!(root.contents("to-folder/file"), b"inner");
    assert_eq!(root.stat_at(NOFOLLOW, "link").unwrap().type_, DescriptorType::SymbolicLink);
    assert_eq!(root.stat_at(FOLLOW, "link").unwrap().size, 7);
    assert_eq!(root.unlink_file_at("link"), Ok(()));
    assert!(root.exists("a.txt"));
}

fn symbolic_loop() {
    let root = root();
    root.symlink_at("self", "self").unwrap();
    refused(root.open_at(FOLLOW, "self", OpenFlags::empty(), READ), &[ErrorCode::Loop]);
    refused(root.stat_at(FOLLOW, "self"), &[ErrorCode::Loop]);
}

fn symbolic_refused() {
    let root = root();
    root.symlink_at("missing", "dangling").unwrap();
    for there in ["a.txt", "dangling", "."] {
        refused(root.symlink_at("b.txt", there), &[ErrorCode::Exist]);
    }
    refused(root.symlink_at("whatever", ""), &[ErrorCode::NoEntry]);
    refused(root.symlink_at("", "link"), &[ErrorCode::NoEntry, ErrorCode::Invalid]);
    refused(root.symlink_at("missing", "link/"), &[ErrorCode::NoEntry, ErrorCode::NotDirectory]);
    refused(root.open_at(FOLLOW, "dangling", OpenFlags::empty(), READ), &[ErrorCode::NoEntry]);
}

fn read() {
    let root = root();
    for target in ["a.txt", "missing", "..", "folder/", "ü"] {
        root.symlink_at(target, "link").unwrap();
        assert_eq!(root.readlink_at("link").as_deref(), Ok(target));
        root.unlink_file_at("link").unwrap();
    }
    for path in ["a.txt", "."] {
        refused(root.readlink_at(path), &[ErrorCode::Invalid]);
    }
    for path in ["missing", ""] {
        refused(root.readlink_at(path), &[ErrorCode::NoEntry]);
    }
}

fn created_through() {
    let root = root();
    root.symlink_at("made", "link").unwrap();
    root.open_at(FOLLOW, "link", OpenFlags::CREATE, WRITE).unwrap();
    assert_eq!(root.stat_at(NOFOLLOW, "made").unwrap().type_, DescriptorType::RegularFile);
}

fn hard() {
    let root = root();
    let below = root.below("folder");
    root.link_at(NOFOLLOW, "a.txt", &root, "link").unwrap();
    root.link_at(NOFOLLOW, "a.txt", &below, "link").unwrap();
    assert_eq!(root.stat_at(NOFOLLOW, "a.txt").unwrap().link_count, 3);
    root.create("link").write(b"T", 0).unwrap();
    assert_eq!(below.contents("link"), b"Test-a\n");
    root.symlink_at("missing", "symbolic").unwrap();
    root.link_at(NOFOLLOW, "symbolic", &root, "second").unwrap();
    assert_eq!(root.stat_at(NOFOLLOW, "second").unwrap().type_, DescriptorType::SymbolicLink);
}

fn hard_refused() {
    let root = root();
    root.below("folder");
    let ln = |from: &str, to: &str| root.link_at(NOFOLLOW, from, &root, to);
    for folder in [".", "folder"] {
        refused(ln(folder, "link"), &[ErrorCode::NotPermitted, ErrorCode::Access]);
    }
    for (from, to) in [("", "link"), ("", ""), ("a.txt", ""), ("missing", "link")] {
        refused(ln(from, to), &[ErrorCode::NoEntry]);
    }
    for there in ["a.txt", "b.txt", "folder"] {
        refused(ln("a.txt", there), &[ErrorCode::Exist]);
    }
    refused(ln("a.txt", "link/"), &[ErrorCode::NoEntry, ErrorCode::NotDirectory]);
}
