//! What is known of files: kinds, sizes, inodes, times.

use crate::{
    Case, cases,
    host::{
        FOLLOW, NOFOLLOW, READ, ROOT, create, folder, mkdir, open_for, put, read, refused, set_times, set_times_at,
        stat, stat_at, symlink, write,
    },
};
use wasi::{FSTFLAGS_ATIM, FSTFLAGS_ATIM_NOW, FSTFLAGS_MTIM, FSTFLAGS_MTIM_NOW};

pub(crate) const CASES: &[Case] = cases![
    of_a_file,
    of_a_folder,
    of_what_is_missing,
    identity,
    times_go_on,
    times_set,
    times_set_at,
    times_set_one,
    times_set_now,
    times_of_a_link,
    times_that_contradict,
    times_of_what_is_missing,
];

const BOTH: u16 = FSTFLAGS_ATIM | FSTFLAGS_MTIM;
const SECOND: u64 = 1_000_000_000;

fn of_a_file() {
    let (open, named) = (stat(open_for(ROOT, "a.txt", READ)).unwrap(), stat_at(ROOT, NOFOLLOW, "a.txt").unwrap());
    for found in [open, named] {
        assert_eq!((found.filetype, found.size, found.nlink), (wasi::FILETYPE_REGULAR_FILE, 7, 1));
        assert!(found.mtim > 1_700_000_000 * SECOND && found.ctim > 1_700_000_000 * SECOND);
    }
    assert_eq!((open.dev, open.ino, open.mtim), (named.dev, named.ino, named.mtim));
}

fn of_a_folder() {
    mkdir(ROOT, "folder").unwrap();
    let (open, named) = (stat(folder(ROOT, "folder")).unwrap(), stat_at(ROOT, NOFOLLOW, "folder").unwrap());
    assert_eq!((open.filetype, named.filetype), (wasi::FILETYPE_DIRECTORY, wasi::FILETYPE_DIRECTORY));
    assert_eq!((open.dev, open.ino), (named.dev, named.ino));
    assert_eq!(stat(ROOT).unwrap().ino, stat_at(ROOT, NOFOLLOW, ".").unwrap().ino);
}

fn of_what_is_missing() {
    for path in ["missing", ""] {
        refused(stat_at(ROOT, NOFOLLOW, path), &[wasi::ERRNO_NOENT]);
    }
    refused(stat_at(ROOT, NOFOLLOW, "a.txt/below"), &[wasi::ERRNO_NOTDIR]);
    let file = open_for(ROOT, "a.txt", READ);
    refused(stat_at(file, NOFOLLOW, "."), &[wasi::ERRNO_NOTDIR, wasi::ERRNO_BADF]);
}

/// Device and inode tell files apart, and stay with them.
fn identity() {
    let (a, b) = (stat_at(ROOT, NOFOLLOW, "a.txt").unwrap(), stat_at(ROOT, NOFOLLOW, "b.txt").unwrap());
    assert_eq!(a.dev, b.dev);
    assert_ne!(a.ino, b.ino);
    crate::host::rename((ROOT, "a.txt"), (ROOT, "moved")).unwrap();
    assert_eq!(stat_at(ROOT, NOFOLLOW, "moved").unwrap().ino, a.ino);
}

fn times_go_on() {
    let fd = create(ROOT, "file");
    set_times(fd, SECOND, SECOND, BOTH).unwrap();
    write(fd, b"x").unwrap();
    assert!(stat(fd).unwrap().mtim > SECOND, "writing is a change");
    let before = stat(fd).unwrap().mtim;
    read(fd, &mut [0]).unwrap();
    assert_eq!(stat(fd).unwrap().mtim, before, "reading is none");
}

fn times_set() {
    for rights in [READ, READ | crate::host::WRITE] {
        let fd = open_for(ROOT, "a.txt", rights);
        assert_eq!(set_times(fd, 42 * SECOND + 1, 69 * SECOND + 2, BOTH), Ok(()));
        let found = stat(fd).unwrap();
        assert_eq!((found.atim, found.mtim), (42 * SECOND + 1, 69 * SECOND + 2));
    }
    let fd = folder(ROOT, ".");
    assert_eq!(set_times(fd, 42 * SECOND, 69 * SECOND, BOTH), Ok(()));
    assert_eq!(stat(fd).unwrap().mtim, 69 * SECOND);
}

fn times_set_at() {
    mkdir(ROOT, "folder").unwrap();
    for path in ["a.txt", "folder", "."] {
        assert_eq!(set_times_at(ROOT, NOFOLLOW, path, (42 * SECOND, 69 * SECOND), BOTH), Ok(()));
        let found = stat_at(ROOT, NOFOLLOW, path).unwrap();
        assert_eq!((found.atim, found.mtim), (42 * SECOND, 69 * SECOND), "{path}");
    }
}

fn times_set_one() {
    let fd = create(ROOT, "file");
    set_times(fd, 1, 2, BOTH).unwrap();
    set_times(fd, 3, 4, FSTFLAGS_ATIM).unwrap();
    assert_eq!((stat(fd).unwrap().atim, stat(fd).unwrap().mtim), (3, 2));
    set_times(fd, 5, 6, FSTFLAGS_MTIM).unwrap();
    assert_eq!((stat(fd).unwrap().atim, stat(fd).unwrap().mtim), (3, 6));
    set_times(fd, 7, 8, 0).unwrap();
    assert_eq!((stat(fd).unwrap().atim, stat(fd).unwrap().mtim), (3, 6));
}

fn times_set_now() {
    let fd = create(ROOT, "file");
    set_times(fd, 1, 2, BOTH).unwrap();
    set_times(fd, 0, 0, FSTFLAGS_MTIM_NOW).unwrap();
    let found = stat(fd).unwrap();
    assert_eq!(found.atim, 1);
    assert!(found.mtim > 1_700_000_000 * SECOND);
    set_times_at(ROOT, NOFOLLOW, "file", (0, 0), FSTFLAGS_ATIM_NOW).unwrap();
    assert!(stat(fd).unwrap().atim > 1_700_000_000 * SECOND);
}

fn times_of_a_link() {
    put(ROOT, "file", b"");
    symlink("file", ROOT, "link").unwrap();
    let file = stat_at(ROOT, NOFOLLOW, "file").unwrap().mtim;
    set_times_at(ROOT, NOFOLLOW, "link", (SECOND, 2 * SECOND), BOTH).unwrap();
    assert_eq!(stat_at(ROOT, NOFOLLOW, "link").unwrap().mtim, 2 * SECOND);
    assert_eq!(stat_at(ROOT, NOFOLLOW, "file").unwrap().mtim, file, "the link's own");
    set_times_at(ROOT, FOLLOW, "link", (SECOND, 3 * SECOND), BOTH).unwrap();
    assert_eq!(stat_at(ROOT, NOFOLLOW, "file").unwrap().mtim, 3 * SECOND, "where it leads");
}

fn times_that_contradict() {
    let fd = create(ROOT, "file");
    for which in [FSTFLAGS_ATIM | FSTFLAGS_ATIM_NOW, FSTFLAGS_MTIM | FSTFLAGS_MTIM_NOW] {
        refused(set_times(fd, 100, 200, which), &[wasi::ERRNO_INVAL]);
        refused(set_times_at(ROOT, NOFOLLOW, "file", (100, 200), which), &[wasi::ERRNO_INVAL]);
    }
}

fn times_of_what_is_missing() {
    for path in ["missing", ""] {
        refused(set_times_at(ROOT, NOFOLLOW, path, (1, 1), BOTH), &[wasi::ERRNO_NOENT]);
    }
    symlink("missing", ROOT, "dangling").unwrap();
    refused(set_times_at(ROOT, FOLLOW, "dangling", (1, 1), BOTH), &[wasi::ERRNO_NOENT]);
}
