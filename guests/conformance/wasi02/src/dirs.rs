//! Folders: making, removing and moving, and listing them.

use crate::{
    Case, cases,
    folder::{FOLLOW, Folder, NOFOLLOW, READ, WRITE, refused, root},
};
use wasip2::filesystem::types::{DescriptorType, ErrorCode, OpenFlags};

pub(crate) const CASES: &[Case] = cases![
    make,
    remove,
    remove_with_a_slash,
    remove_what_is_no_folder,
    unlink,
    rename,
    rename_folders,
    rename_between_folders,
    list,
    list_kinds,
    list_many,
    list_while_removing,
    list_a_file,
    nothing_leads_out,
    nothing_leads_out_of_a_folder_below,
    absolute_paths,
];

fn make() {
    let root = root();
    assert_eq!((root.create_directory_at("new"), root.create_directory_at("slash/")), (Ok(()), Ok(())));
    for there in ["new", "new/", "a.txt", "."] {
        refused(root.create_directory_at(there), &[ErrorCode::Exist]);
    }
    refused(root.create_directory_at(""), &[ErrorCode::NoEntry]);
    refused(root.create_directory_at("missing/new"), &[ErrorCode::NoEntry]);
}

fn remove() {
    let root = root();
    let below = root.below("folder");
    below.put("file", b"");
    refused(root.remove_directory_at("folder"), &[ErrorCode::NotEmpty]);
    below.unlink_file_at("file").unwrap();
    assert_eq!(root.remove_directory_at("folder"), Ok(()));
    for missing in ["folder", "", "missing"] {
        refused(root.remove_directory_at(missing), &[ErrorCode::NoEntry]);
    }
    refused(root.remove_directory_at("."), &[ErrorCode::Invalid, ErrorCode::Access, ErrorCode::Busy]);
}

fn remove_with_a_slash() {
    let root = root();
    for path in ["folder/", "folder////"] {
        root.create_directory_at("folder").unwrap();
        assert_eq!(root.remove_directory_at(path), Ok(()), "{path}");
        assert!(!root.exists("folder"));
    }
}

fn remove_what_is_no_folder() {
    let root = root();
    root.symlink_at(".", "dot").unwrap();
    root.symlink_at("missing", "dangling").unwrap();
    for path in ["a.txt", "a.txt/", "dot", "dangling"] {
        refused(root.remove_directory_at(path), &[ErrorCode::NotDirectory]);
    }
}

fn unlink() {
    let root = root();
    root.create_directory_at("folder").unwrap();
    for folder in ["folder", "folder/", "."] {
        refused(root.unlink_file_at(folder), &[ErrorCode::IsDirectory, ErrorCode::NotPermitted]);
    }
    for missing in ["missing", ""] {
        refused(root.unlink_file_at(missing), &[ErrorCode::NoEntry]);
    }
    refused(root.unlink_file_at("a.txt/"), &[ErrorCode::NotDirectory]);
    assert_eq!(root.unlink_file_at("a.txt"), Ok(()));
}

fn rename() {
    let root = root();
    let mv = |from: &str, to: &str| root.rename_at(from, &root, to);
    assert_eq!((mv("a.txt", "a.txt"), mv("a.txt", "moved"), mv("moved", "b.txt")), (Ok(()), Ok(()), Ok(())));
    assert_eq!(root.contents("b.txt"), b"test-a\n");
    for (from, to) in [("a.txt", "x"), ("moved", "moved"), ("", "x"), ("b.txt", ""), ("b.txt", "missing/x")] {
        refused(mv(from, to), &[ErrorCode::NoEntry]);
    }
    refused(mv(".", "x"), &[ErrorCode::Busy, ErrorCode::Invalid, ErrorCode::Access]);
}

fn rename_folders() {
    let root = root();
    root.below("folder").put("file", b"");
    root.below("empty");
    root.below("full").put("file", b"");
    let mv = |from: &str, to: &str| root.rename_at(from, &root, to);
    refused(mv("folder", "full"), &[ErrorCode::NotEmpty, ErrorCode::Exist]);
    refused(mv("folder", "a.txt"), &[ErrorCode::NotDirectory]);
    refused(mv("a.txt", "folder"), &[ErrorCode::IsDirectory]);
    refused(mv("folder", "folder/below"), &[ErrorCode::Invalid]);
    assert_eq!((mv("folder", "empty"), mv("empty/", "moved/")), (Ok(()), Ok(())));
    assert!(root.exists("moved/file"));
}

fn rename_between_folders() {
    let root = root();
    let below = root.below("folder");
    assert_eq!(root.rename_at("a.txt", &below, "inner"), Ok(()));
    refused(root.rename_at("a.txt", &below, "inner"), &[ErrorCode::NoEntry]);
    assert_eq!(below.rename_at("inner", &root, "back"), Ok(()));
    assert_eq!(root.contents("back"), b"test-a\n");
}

/// Neither the folder itself nor the one above is among what is in it.
fn list() {
    let root = root();
    assert_eq!(root.names(), ["a.txt", "b.txt"]);
    assert_eq!(root.below("folder").names(), [""; 0]);
    assert_eq!(root.names(), ["a.txt", "b.txt", "folder"]);
}

fn list_kinds() {
    let root = root();
    root.create_directory_at("folder").unwrap();
    root.symlink_at("a.txt", "link").unwrap();
    let entries = root.read_directory().unwrap();
    while let Some(entry) = entries.read_directory_entry().unwrap() {
        let expected = match entry.name.as_str() {
            "folder" => DescriptorType::Directory,
            "link" => DescriptorType::SymbolicLink,
            _ => DescriptorType::RegularFile,
        };
        assert_eq!(entry.type_, expected, "{}", entry.name);
    }
    assert!(entries.read_directory_entry().unwrap().is_none(), "the end stays the end");
}

fn list_many() {
    let below = root().below("folder");
    (0..1000).for_each(|at| below.put(&format!("{at}"), b""));
    let mut names = below.names();
    names.dedup();
    assert_eq!(names.len(), 1000);
}

fn list_while_removing() {
    let root = root();
    let below = root.below("folder");
    (0..200).for_each(|at| below.put(&format!("{at}"), b""));
    let entries = below.read_directory().unwrap();
    while let Some(entry) = entries.read_directory_entry().unwrap() {
        below.unlink_file_at(&entry.name).unwrap();
    }
    assert_eq!(root.remove_directory_at("folder"), Ok(()));
}

fn list_a_file() {
    refused(root().read_only("a.txt").read_directory(), &[ErrorCode::NotDirectory, ErrorCode::BadDescriptor]);
}

fn nothing_leads_out() {
    let root = root();
    root.symlink_at("..", "parent").unwrap();
    for path in ["..", "../x", "./..", "parent/x", "parent/../x", "../../../etc/passwd"] {
        nothing_is_done(&root, &root, path);
    }
    refused(root.open_at(FOLLOW, "parent", OpenFlags::empty(), READ), &[ErrorCode::NotPermitted]);
    refused(root.stat_at(FOLLOW, "parent"), &[ErrorCode::NotPermitted]);
}

fn nothing_leads_out_of_a_folder_below() {
    let root = root();
    let below = root.below("folder");
    for path in ["..", "../a.txt", "../folder", "../new"] {
        nothing_is_done(&root, &below, path);
    }
}

fn absolute_paths() {
    let root = root();
    for path in ["/", "/a.txt", "/etc/passwd", "/missing"] {
        nothing_is_done(&root, &root, path);
    }
    refused(root.symlink_at("/etc/passwd", "link"), &[ErrorCode::NotPermitted]);
}

/// Every call with a path that leads out is refused, and does nothing.
#[track_caller]
fn nothing_is_done(root: &Folder, folder: &Folder, path: &str) {
    let out = &[ErrorCode::NotPermitted];
    refused(folder.open(path, OpenFlags::empty(), READ), out);
    refused(folder.open(path, OpenFlags::CREATE, WRITE), out);
    refused(folder.stat_at(NOFOLLOW, path), out);
    refused(folder.metadata_hash_at(NOFOLLOW, path), out);
    refused(folder.create_directory_at(path), out);
    refused(folder.remove_directory_at(path), out);
    refused(folder.unlink_file_at(path), &[ErrorCode::NotPermitted, ErrorCode::IsDirectory]);
    refused(folder.rename_at(path, root, "new"), out);
    refused(root.rename_at("a.txt", folder, path), out);
    refused(folder.link_at(NOFOLLOW, path, root, "new"), out);
    refused(root.link_at(NOFOLLOW, "a.txt", folder, path), out);
    refused(folder.symlink_at("a.txt", path), out);
    refused(folder.readlink_at(path), out);
    assert!(root.exists("a.txt") && !root.exists("new"));
}
