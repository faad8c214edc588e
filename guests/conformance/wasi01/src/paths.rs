//! Paths: how they are read, and that none leads out of what was granted.

use crate::{
    Case, cases,
    host::{
        FOLLOW, How, NOFOLLOW, ROOT, contents, exists, folder, link, mkdir, open, open_for, put, readlink, refused,
        rename, rmdir, set_times_at, stat_at, symlink, unlink,
    },
};
use wasi::{Errno, Fd, OFLAGS_CREAT};

pub(crate) const CASES: &[Case] = cases![
    dots,
    slashes,
    up_and_out,
    up_from_a_folder_below,
    absolute,
    through_a_link_that_leads_out,
    at_a_link_that_leads_out,
    to_a_link_that_leads_out,
    with_a_nul,
    that_are_no_text,
    that_are_long,
    with_odd_names,
];

const OUT: &[Errno] = &[wasi::ERRNO_PERM, wasi::ERRNO_NOTCAPABLE];

fn dots() {
    mkdir(ROOT, "one").unwrap();
    mkdir(ROOT, "one/two").unwrap();
    put(ROOT, "one/two/file", b"x");
    for path in ["./one/./two/./file", "one/../one/two/file", "one/.//two/../../one/two/../two///./file"] {
        assert_eq!(contents(ROOT, path), b"x", "{path}");
    }
    refused(open(ROOT, "one/missing/../two/file", How::default()), &[wasi::ERRNO_NOENT]);
    refused(open(ROOT, "a.txt/../a.txt", How::default()), &[wasi::ERRNO_NOTDIR]);
    refused(open(ROOT, "a.txt/.", How::default()), &[wasi::ERRNO_NOTDIR]);
}

fn slashes() {
    mkdir(ROOT, "folder").unwrap();
    put(ROOT, "folder/file", b"x");
    for path in ["folder/", "folder///", "folder//.//"] {
        assert!(stat_at(ROOT, NOFOLLOW, path).is_ok(), "{path}");
        open_for(ROOT, path, 0);
    }
    assert_eq!(contents(ROOT, "folder//file"), b"x");
    for path in ["folder/file/", "folder/file///"] {
        refused(open(ROOT, path, How::default()), &[wasi::ERRNO_NOTDIR, wasi::ERRNO_NOENT]);
        refused(stat_at(ROOT, NOFOLLOW, path), &[wasi::ERRNO_NOTDIR, wasi::ERRNO_NOENT]);
    }
    let creating = How { oflags: OFLAGS_CREAT, ..How::default() };
    refused(open(ROOT, "new/", creating), &[wasi::ERRNO_NOENT, wasi::ERRNO_ISDIR, wasi::ERRNO_NOTDIR]);
}

fn up_and_out() {
    mkdir(ROOT, "folder").unwrap();
    for path in ["..", "../", "../a.txt", "folder/../..", "folder/../../a.txt", "./..", "../../../../etc/passwd"] {
        nothing_is_done(ROOT, path);
    }
}

/// A folder is what was granted to who opens paths below it, whatever it was opened from.
fn up_from_a_folder_below() {
    mkdir(ROOT, "folder").unwrap();
    mkdir(ROOT, "sibling").unwrap();
    let below = folder(ROOT, "folder");
    for path in ["..", "../a.txt", "../folder", "../sibling", "../sibling/new"] {
        nothing_is_done(below, path);
    }
}

fn absolute() {
    for path in ["/", "/a.txt", "/etc/passwd", "//", "/missing", "/../a.txt"] {
        nothing_is_done(ROOT, path);
    }
}

fn through_a_link_that_leads_out() {
    symlink("..", ROOT, "parent").unwrap();
    for path in ["parent/file", "parent/../file", "parent/./file"] {
        nothing_is_done(ROOT, path);
    }
}

/// With a slash or dot at its end a name may be the link itself, never where it leads.
fn at_a_link_that_leads_out() {
    symlink("..", ROOT, "parent").unwrap();
    for path in ["parent/", "parent/."] {
        refused(open(ROOT, path, How::default()), OUT);
        for follow in [FOLLOW, NOFOLLOW] {
            match stat_at(ROOT, follow, path) {
                Ok(stat) => assert_eq!(stat.filetype, wasi::FILETYPE_SYMBOLIC_LINK),
                refusal => refused(refusal, OUT),
            }
        }
    }
}

fn to_a_link_that_leads_out() {
    mkdir(ROOT, "folder").unwrap();
    for (target, at) in [("..", "parent"), ("../a.txt", "up"), ("../../a.txt", "folder/up")] {
        match symlink(target, ROOT, at) {
            Ok(()) => {
                refused(open(ROOT, at, How { follow: FOLLOW, ..How::default() }), OUT);
                refused(stat_at(ROOT, FOLLOW, at), OUT);
                refused(set_times_at(ROOT, FOLLOW, at, (1, 1), wasi::FSTFLAGS_ATIM), OUT);
                let creating = How { follow: FOLLOW, oflags: OFLAGS_CREAT, ..How::default() };
                refused(open(ROOT, at, creating), OUT);
            }
            refusal => refused(refusal, OUT),
        }
    }
    // One that begins at the host's root can't be made.
    refused(symlink("/etc/passwd", ROOT, "absolute"), OUT);
    assert!(!exists(ROOT, "absolute"));
}

/// Every call with a path that leads out is refused, and does nothing.
#[track_caller]
fn nothing_is_done(dir: Fd, path: &str) {
    refused(open(dir, path, How::default()), OUT);
    let creating = How { oflags: OFLAGS_CREAT, ..How::default() };
    refused(open(dir, path, creating), &[OUT, &[wasi::ERRNO_ISDIR]].concat());
    refused(stat_at(dir, NOFOLLOW, path), OUT);
    refused(stat_at(dir, FOLLOW, path), OUT);
    refused(mkdir(dir, path), OUT);
    refused(rmdir(dir, path), OUT);
    refused(unlink(dir, path), &[OUT, &[wasi::ERRNO_ISDIR]].concat());
    refused(rename((dir, path), (ROOT, "new")), OUT);
    refused(rename((ROOT, "a.txt"), (dir, path)), OUT);
    refused(link(NOFOLLOW, (dir, path), (ROOT, "new")), OUT);
    refused(link(NOFOLLOW, (ROOT, "a.txt"), (dir, path)), OUT);
    refused(symlink("a.txt", dir, path), OUT);
    refused(readlink(dir, path, &mut [0; 8]), OUT);
    refused(set_times_at(dir, NOFOLLOW, path, (1, 1), wasi::FSTFLAGS_ATIM), OUT);
    assert!(exists(ROOT, "a.txt") && !exists(ROOT, "new"));
}

fn with_a_nul() {
    let invalid = &[wasi::ERRNO_INVAL, wasi::ERRNO_ILSEQ, wasi::ERRNO_NOENT];
    for path in ["a.txt\0", "\0", "a\0.txt"] {
        refused(open(ROOT, path, How::default()), invalid);
        refused(mkdir(ROOT, path), invalid);
        refused(stat_at(ROOT, NOFOLLOW, path), invalid);
    }
}

/// Paths are UTF-8, and others are refused rather than mended.
fn that_are_no_text() {
    let path = b"\xFF\xFE";
    let (pointer, length) = (path.as_ptr() as i32, path.len() as i32);
    // SAFETY: they are those of one slice.
    let errno = unsafe { wasi::wasi_snapshot_preview1::path_create_directory(ROOT as i32, pointer, length) };
    assert!([wasi::ERRNO_ILSEQ, wasi::ERRNO_INVAL].map(|errno| i32::from(errno.raw())).contains(&errno), "{errno}");
}

fn that_are_long() {
    let name = "n".repeat(255);
    put(ROOT, &name, b"x");
    assert_eq!(contents(ROOT, &name), b"x");
    let creating = How { oflags: OFLAGS_CREAT, ..How::default() };
    refused(open(ROOT, &"n".repeat(256), creating), &[wasi::ERRNO_NAMETOOLONG]);
    refused(stat_at(ROOT, NOFOLLOW, &"n".repeat(100_000)), &[wasi::ERRNO_NAMETOOLONG]);
    // Many short steps are no name that is too long.
    assert_eq!(contents(ROOT, &format!("{}a.txt", "./".repeat(1000))), b"test-a\n");
}

fn with_odd_names() {
    for name in [" ", "ü€𝄞", "new\nline", "back\\slash", "*", "-", "...", "a:b", "%2e%2e", "\u{202e}"] {
        put(ROOT, name, b"x");
        assert_eq!(contents(ROOT, name), b"x", "{name:?}");
        unlink(ROOT, name).unwrap();
    }
}
