//! Folders: making, removing and moving them and what is in them.

use crate::{
    Case, cases,
    host::{NOFOLLOW, ROOT, contents, exists, folder, mkdir, put, refused, rename, rmdir, stat_at, symlink, unlink},
};

pub(crate) const CASES: &[Case] = cases![
    make,
    make_what_is_there,
    make_below_nothing,
    make_with_a_slash,
    remove,
    remove_what_is_full,
    remove_what_is_no_folder,
    remove_what_is_missing,
    remove_the_folder_itself,
    remove_with_a_slash,
    unlink_a_folder,
    unlink_what_is_missing,
    unlink_with_a_slash,
    rename_a_file,
    rename_over_a_file,
    rename_to_itself,
    rename_what_is_missing,
    rename_a_folder,
    rename_over_a_folder,
    rename_over_what_is_full,
    rename_a_folder_over_a_file,
    rename_a_file_over_a_folder,
    rename_into_itself,
    rename_the_folder_itself,
    rename_between_folders,
    rename_a_file_with_a_slash,
    rename_a_folder_with_a_slash,
];

fn make() {
    assert_eq!((mkdir(ROOT, "new"), mkdir(ROOT, "new/below")), (Ok(()), Ok(())));
    assert_eq!(stat_at(ROOT, NOFOLLOW, "new").unwrap().filetype, wasi::FILETYPE_DIRECTORY);
    put(folder(ROOT, "new"), "below/file", b"x");
}

fn make_what_is_there() {
    mkdir(ROOT, "folder").unwrap();
    symlink("missing", ROOT, "link").unwrap();
    for there in ["folder", "folder/", "a.txt", ".", "link"] {
        refused(mkdir(ROOT, there), &[wasi::ERRNO_EXIST]);
    }
}

fn make_below_nothing() {
    refused(mkdir(ROOT, "missing/new"), &[wasi::ERRNO_NOENT]);
    refused(mkdir(ROOT, "a.txt/new"), &[wasi::ERRNO_NOTDIR]);
    refused(mkdir(ROOT, ""), &[wasi::ERRNO_NOENT]);
}

fn make_with_a_slash() {
    assert_eq!((mkdir(ROOT, "one/"), mkdir(ROOT, "many///")), (Ok(()), Ok(())));
    assert!(exists(ROOT, "one") && exists(ROOT, "many"));
}

fn remove() {
    mkdir(ROOT, "folder").unwrap();
    assert_eq!(rmdir(ROOT, "folder"), Ok(()));
    assert!(!exists(ROOT, "folder"));
}

fn remove_what_is_full() {
    mkdir(ROOT, "folder").unwrap();
    mkdir(ROOT, "folder/below").unwrap();
    refused(rmdir(ROOT, "folder"), &[wasi::ERRNO_NOTEMPTY]);
    rmdir(ROOT, "folder/below").unwrap();
    assert_eq!(rmdir(ROOT, "folder"), Ok(()));
}

fn remove_what_is_no_folder() {
    refused(rmdir(ROOT, "a.txt"), &[wasi::ERRNO_NOTDIR]);
    refused(rmdir(ROOT, "a.txt/"), &[wasi::ERRNO_NOTDIR]);
    symlink(".", ROOT, "link").unwrap();
    refused(rmdir(ROOT, "link"), &[wasi::ERRNO_NOTDIR]);
    symlink("missing", ROOT, "dangling").unwrap();
    refused(rmdir(ROOT, "dangling"), &[wasi::ERRNO_NOTDIR]);
}

fn remove_what_is_missing() {
    refused(rmdir(ROOT, "missing"), &[wasi::ERRNO_NOENT]);
    refused(rmdir(ROOT, "missing/"), &[wasi::ERRNO_NOENT]);
    refused(rmdir(ROOT, ""), &[wasi::ERRNO_NOENT]);
}

fn remove_the_folder_itself() {
    refused(rmdir(ROOT, "."), &[wasi::ERRNO_INVAL, wasi::ERRNO_BUSY, wasi::ERRNO_NOTEMPTY]);
}

fn remove_with_a_slash() {
    for path in ["folder/", "folder////"] {
        mkdir(ROOT, "folder").unwrap();
        assert_eq!(rmdir(ROOT, path), Ok(()), "{path}");
        assert!(!exists(ROOT, "folder"));
    }
    mkdir(ROOT, "folder").unwrap();
    mkdir(ROOT, "folder/below").unwrap();
    assert_eq!(rmdir(ROOT, "folder/below/"), Ok(()));
    assert!(exists(ROOT, "folder"));
}

fn unlink_a_folder() {
    mkdir(ROOT, "folder").unwrap();
    for path in ["folder", "folder/", "."] {
        refused(unlink(ROOT, path), &[wasi::ERRNO_ISDIR, wasi::ERRNO_PERM]);
    }
    assert!(exists(ROOT, "folder"));
}

fn unlink_what_is_missing() {
    refused(unlink(ROOT, "missing"), &[wasi::ERRNO_NOENT]);
    refused(unlink(ROOT, ""), &[wasi::ERRNO_NOENT]);
    refused(unlink(ROOT, "a.txt/below"), &[wasi::ERRNO_NOTDIR]);
    assert_eq!(unlink(ROOT, "a.txt"), Ok(()));
    refused(unlink(ROOT, "a.txt"), &[wasi::ERRNO_NOENT]);
}

fn unlink_with_a_slash() {
    refused(unlink(ROOT, "a.txt/"), &[wasi::ERRNO_NOTDIR]);
    assert!(exists(ROOT, "a.txt"));
}

fn rename_a_file() {
    assert_eq!(rename((ROOT, "a.txt"), (ROOT, "moved")), Ok(()));
    assert!(!exists(ROOT, "a.txt"));
    assert_eq!(contents(ROOT, "moved"), b"test-a\n");
}

fn rename_over_a_file() {
    assert_eq!(rename((ROOT, "a.txt"), (ROOT, "b.txt")), Ok(()));
    assert!(!exists(ROOT, "a.txt"));
    assert_eq!(contents(ROOT, "b.txt"), b"test-a\n");
}

fn rename_to_itself() {
    assert_eq!(rename((ROOT, "a.txt"), (ROOT, "a.txt")), Ok(()));
    assert_eq!(contents(ROOT, "a.txt"), b"test-a\n");
}

fn rename_what_is_missing() {
    refused(rename((ROOT, "missing"), (ROOT, "moved")), &[wasi::ERRNO_NOENT]);
    refused(rename((ROOT, "missing"), (ROOT, "missing")), &[wasi::ERRNO_NOENT]);
    refused(rename((ROOT, "a.txt"), (ROOT, "missing/moved")), &[wasi::ERRNO_NOENT]);
    refused(rename((ROOT, ""), (ROOT, "moved")), &[wasi::ERRNO_NOENT]);
    refused(rename((ROOT, "a.txt"), (ROOT, "")), &[wasi::ERRNO_NOENT]);
}

fn rename_a_folder() {
    mkdir(ROOT, "folder").unwrap();
    put(ROOT, "folder/file", b"x");
    assert_eq!(rename((ROOT, "folder"), (ROOT, "moved")), Ok(()));
    assert!(!exists(ROOT, "folder") && exists(ROOT, "moved/file"));
}

fn rename_over_a_folder() {
    mkdir(ROOT, "folder").unwrap();
    put(ROOT, "folder/file", b"x");
    mkdir(ROOT, "empty").unwrap();
    assert_eq!(rename((ROOT, "folder"), (ROOT, "empty")), Ok(()));
    assert!(!exists(ROOT, "folder") && exists(ROOT, "empty/file"));
}

fn rename_over_what_is_full() {
    mkdir(ROOT, "folder").unwrap();
    mkdir(ROOT, "full").unwrap();
    put(ROOT, "full/file", b"x");
    let full = &[wasi::ERRNO_NOTEMPTY, wasi::ERRNO_EXIST, wasi::ERRNO_ACCES];
    refused(rename((ROOT, "folder"), (ROOT, "full")), full);
    assert!(exists(ROOT, "folder") && exists(ROOT, "full/file"));
}

fn rename_a_folder_over_a_file() {
    mkdir(ROOT, "folder").unwrap();
    refused(rename((ROOT, "folder"), (ROOT, "a.txt")), &[wasi::ERRNO_NOTDIR]);
    assert_eq!(contents(ROOT, "a.txt"), b"test-a\n");
}

fn rename_a_file_over_a_folder() {
    mkdir(ROOT, "folder").unwrap();
    refused(rename((ROOT, "a.txt"), (ROOT, "folder")), &[wasi::ERRNO_ISDIR, wasi::ERRNO_ACCES]);
    assert!(exists(ROOT, "a.txt"));
}

fn rename_into_itself() {
    mkdir(ROOT, "folder").unwrap();
    refused(rename((ROOT, "folder"), (ROOT, "folder/below")), &[wasi::ERRNO_INVAL]);
}

fn rename_the_folder_itself() {
    refused(rename((ROOT, "."), (ROOT, "moved")), &[wasi::ERRNO_BUSY, wasi::ERRNO_INVAL, wasi::ERRNO_ACCES]);
}

fn rename_between_folders() {
    mkdir(ROOT, "one").unwrap();
    mkdir(ROOT, "two").unwrap();
    put(ROOT, "one/file", b"x");
    let (one, two) = (folder(ROOT, "one"), folder(ROOT, "two"));
    assert_eq!(rename((one, "file"), (two, "moved")), Ok(()));
    assert!(exists(ROOT, "two/moved") && !exists(one, "file"));
    refused(rename((one, "file"), (two, "moved")), &[wasi::ERRNO_NOENT]);
}

fn rename_a_file_with_a_slash() {
    refused(rename((ROOT, "a.txt/"), (ROOT, "moved")), &[wasi::ERRNO_NOTDIR]);
    refused(rename((ROOT, "a.txt"), (ROOT, "moved/")), &[wasi::ERRNO_NOTDIR, wasi::ERRNO_NOENT]);
    assert!(exists(ROOT, "a.txt") && !exists(ROOT, "moved"));
}

fn rename_a_folder_with_a_slash() {
    mkdir(ROOT, "source").unwrap();
    for (from, to) in [("source/", "target"), ("target", "source/"), ("source/", "target/"), ("target", "source")] {
        assert_eq!(rename((ROOT, from), (ROOT, to)), Ok(()), "{from} {to}");
    }
    assert!(exists(ROOT, "source"));
}
