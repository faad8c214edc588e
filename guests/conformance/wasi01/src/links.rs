//! Symbolic and hard links.

use crate::{
    Case, cases,
    host::{
        FOLLOW, How, NOFOLLOW, READ, ROOT, WRITE, contents, create, exists, folder, link, mkdir, open, put, readlink,
        refused, rename, rmdir, stat, stat_at, symlink, unlink, write,
    },
};
use wasi::{OFLAGS_CREAT, OFLAGS_DIRECTORY, OFLAGS_EXCL};

pub(crate) const CASES: &[Case] = cases![
    symbolic_to_a_file,
    symbolic_to_a_folder,
    symbolic_through_a_path,
    symbolic_to_nothing,
    symbolic_where_something_is,
    symbolic_with_a_slash,
    symbolic_of_nothing,
    symbolic_loop,
    symbolic_stats,
    symbolic_not_followed,
    symbolic_created_through,
    symbolic_moved,
    symbolic_removed,
    read_a_link,
    read_a_link_in_part,
    read_no_link,
    hard_to_a_file,
    hard_in_another_folder,
    hard_where_something_is,
    hard_to_a_folder,
    hard_to_nothing,
    hard_with_a_slash,
    hard_to_a_link,
    hard_that_follows,
];

fn following(rights: u64) -> How {
    How { follow: FOLLOW, rights, ..How::default() }
}

fn symbolic_to_a_file() {
    assert_eq!(symlink("a.txt", ROOT, "link"), Ok(()));
    let fd = open(ROOT, "link", following(READ | WRITE)).unwrap();
    write(fd, b"T").unwrap();
    assert_eq!(contents(ROOT, "a.txt"), b"Test-a\n");
}

fn symbolic_to_a_folder() {
    mkdir(ROOT, "folder").unwrap();
    put(ROOT, "folder/file", b"x");
    symlink("folder", ROOT, "link").unwrap();
    let through = open(ROOT, "link", How { oflags: OFLAGS_DIRECTORY, ..following(0) }).unwrap();
    assert_eq!(contents(through, "file"), b"x");
    // A link before the end of a path is always followed.
    assert_eq!(contents(ROOT, "link/file"), b"x");
    assert!(stat_at(ROOT, FOLLOW, "link/").unwrap().filetype == wasi::FILETYPE_DIRECTORY);
}

fn symbolic_through_a_path() {
    mkdir(ROOT, "one").unwrap();
    mkdir(ROOT, "one/two").unwrap();
    symlink("../../a.txt", ROOT, "one/two/link").unwrap();
    symlink("one/./two/../two/link", ROOT, "outer").unwrap();
    let fd = open(ROOT, "outer", following(READ)).unwrap();
    assert_eq!(crate::host::rest(fd), b"test-a\n");
    // Up is counted from where the link is, and allowed within what was granted.
    let two = folder(ROOT, "one/two");
    refused(open(two, "link", following(READ)), &[wasi::ERRNO_PERM, wasi::ERRNO_NOTCAPABLE]);
}

fn symbolic_to_nothing() {
    assert_eq!(symlink("missing", ROOT, "link"), Ok(()));
    refused(open(ROOT, "link", following(READ)), &[wasi::ERRNO_NOENT]);
    refused(stat_at(ROOT, FOLLOW, "link"), &[wasi::ERRNO_NOENT]);
    refused(open(ROOT, "link", How { rights: READ, ..How::default() }), &[wasi::ERRNO_LOOP]);
    let as_a_folder = How { oflags: OFLAGS_DIRECTORY, ..How::default() };
    refused(open(ROOT, "link", as_a_folder), &[wasi::ERRNO_LOOP, wasi::ERRNO_NOTDIR]);
}

fn symbolic_where_something_is() {
    mkdir(ROOT, "folder").unwrap();
    symlink("missing", ROOT, "dangling").unwrap();
    for there in ["a.txt", "folder", "folder/", "dangling", "."] {
        refused(symlink("b.txt", ROOT, there), &[wasi::ERRNO_EXIST]);
    }
    refused(symlink("b.txt", ROOT, "a.txt/"), &[wasi::ERRNO_NOTDIR, wasi::ERRNO_EXIST]);
}

fn symbolic_with_a_slash() {
    refused(symlink("missing", ROOT, "link/"), &[wasi::ERRNO_NOENT, wasi::ERRNO_NOTDIR]);
    // Where it leads may end so.
    mkdir(ROOT, "folder").unwrap();
    symlink("folder/", ROOT, "link").unwrap();
    assert!(stat_at(ROOT, FOLLOW, "link").unwrap().filetype == wasi::FILETYPE_DIRECTORY);
    symlink("a.txt/", ROOT, "other").unwrap();
    refused(stat_at(ROOT, FOLLOW, "other"), &[wasi::ERRNO_NOTDIR]);
}

fn symbolic_of_nothing() {
    refused(symlink("", ROOT, "link"), &[wasi::ERRNO_NOENT, wasi::ERRNO_INVAL]);
    refused(symlink("a.txt", ROOT, ""), &[wasi::ERRNO_NOENT]);
    refused(symlink("a.txt", ROOT, "missing/link"), &[wasi::ERRNO_NOENT]);
}

fn symbolic_loop() {
    symlink("self", ROOT, "self").unwrap();
    symlink("second", ROOT, "first").unwrap();
    symlink("first", ROOT, "second").unwrap();
    for name in ["self", "first"] {
        refused(open(ROOT, name, following(READ)), &[wasi::ERRNO_LOOP]);
        refused(open(ROOT, name, How::default()), &[wasi::ERRNO_LOOP]);
        refused(stat_at(ROOT, FOLLOW, name), &[wasi::ERRNO_LOOP]);
        assert_eq!(stat_at(ROOT, NOFOLLOW, name).unwrap().filetype, wasi::FILETYPE_SYMBOLIC_LINK);
    }
}

fn symbolic_stats() {
    symlink("a.txt", ROOT, "link").unwrap();
    let (link, file) = (stat_at(ROOT, NOFOLLOW, "link").unwrap(), stat_at(ROOT, FOLLOW, "link").unwrap());
    assert_eq!((link.filetype, link.size), (wasi::FILETYPE_SYMBOLIC_LINK, 5));
    assert_eq!((file.filetype, file.size), (wasi::FILETYPE_REGULAR_FILE, 7));
    assert_eq!(file.ino, stat_at(ROOT, NOFOLLOW, "a.txt").unwrap().ino);
    assert_ne!(file.ino, link.ino);
}

fn symbolic_not_followed() {
    mkdir(ROOT, "folder").unwrap();
    for target in ["a.txt", "folder"] {
        symlink(target, ROOT, "link").unwrap();
        refused(open(ROOT, "link", How { rights: READ, ..How::default() }), &[wasi::ERRNO_LOOP]);
        let as_a_folder = How { oflags: OFLAGS_DIRECTORY, ..How::default() };
        refused(open(ROOT, "link", as_a_folder), &[wasi::ERRNO_LOOP, wasi::ERRNO_NOTDIR]);
        unlink(ROOT, "link").unwrap();
    }
    symlink("a.txt", ROOT, "link").unwrap();
    refused(open(ROOT, "link", How { oflags: OFLAGS_DIRECTORY, ..following(0) }), &[wasi::ERRNO_NOTDIR]);
}

fn symbolic_created_through() {
    symlink("made", ROOT, "link").unwrap();
    let exclusively = How { oflags: OFLAGS_CREAT | OFLAGS_EXCL, ..following(WRITE) };
    refused(open(ROOT, "link", exclusively), &[wasi::ERRNO_EXIST]);
    open(ROOT, "link", How { oflags: OFLAGS_CREAT, ..following(WRITE) }).unwrap();
    assert_eq!(stat_at(ROOT, NOFOLLOW, "made").unwrap().filetype, wasi::FILETYPE_REGULAR_FILE);
    assert_eq!(stat_at(ROOT, NOFOLLOW, "link").unwrap().filetype, wasi::FILETYPE_SYMBOLIC_LINK);
}

fn symbolic_moved() {
    symlink("a.txt", ROOT, "link").unwrap();
    assert_eq!(rename((ROOT, "link"), (ROOT, "moved")), Ok(()));
    assert_eq!(stat_at(ROOT, NOFOLLOW, "moved").unwrap().filetype, wasi::FILETYPE_SYMBOLIC_LINK);
    // A file takes the place of a link, not of what it leads to.
    assert_eq!(rename((ROOT, "b.txt"), (ROOT, "moved")), Ok(()));
    assert_eq!(
        (contents(ROOT, "moved").as_slice(), contents(ROOT, "a.txt").as_slice()),
        (&b"test-b\n"[..], &b"test-a\n"[..])
    );
}

fn symbolic_removed() {
    mkdir(ROOT, "folder").unwrap();
    for target in ["a.txt", "folder", "missing", "link"] {
        symlink(target, ROOT, "link").unwrap();
        assert_eq!(unlink(ROOT, "link"), Ok(()), "{target}");
        assert!(!exists(ROOT, "link"));
    }
    assert!(exists(ROOT, "a.txt"));
    assert_eq!(rmdir(ROOT, "folder"), Ok(()));
}

fn read_a_link() {
    for target in ["a.txt", "missing", "..", "../../up", "folder/", "ü"] {
        symlink(target, ROOT, "link").unwrap();
        let mut buffer = [b'?'; 16];
        assert_eq!(readlink(ROOT, "link", &mut buffer), Ok(target.len()));
        assert_eq!(&buffer[..target.len()], target.as_bytes());
        assert!(buffer[target.len()..].iter().all(|&byte| byte == b'?'), "no NUL follows");
        unlink(ROOT, "link").unwrap();
    }
}

fn read_a_link_in_part() {
    symlink("a.txt", ROOT, "link").unwrap();
    let mut buffer = [0; 2];
    assert_eq!((readlink(ROOT, "link", &mut buffer), &buffer), (Ok(2), b"a."));
    assert_eq!(readlink(ROOT, "link", &mut []), Ok(0));
}

fn read_no_link() {
    let mut buffer = [0; 16];
    for path in ["a.txt", "."] {
        refused(readlink(ROOT, path, &mut buffer), &[wasi::ERRNO_INVAL]);
    }
    for path in ["missing", ""] {
        refused(readlink(ROOT, path, &mut buffer), &[wasi::ERRNO_NOENT]);
    }
}

fn hard_to_a_file() {
    let fd = create(ROOT, "a.txt");
    assert_eq!(link(NOFOLLOW, (ROOT, "a.txt"), (ROOT, "link")), Ok(()));
    let (one, other) = (stat(fd).unwrap(), stat_at(ROOT, NOFOLLOW, "link").unwrap());
    assert_eq!((one.dev, one.ino, one.size, one.nlink), (other.dev, other.ino, other.size, 2));
    write(fd, b"T").unwrap();
    assert_eq!(contents(ROOT, "link"), b"Test-a\n");
    unlink(ROOT, "a.txt").unwrap();
    assert_eq!(stat_at(ROOT, NOFOLLOW, "link").unwrap().nlink, 1);
}

fn hard_in_another_folder() {
    mkdir(ROOT, "folder").unwrap();
    let below = folder(ROOT, "folder");
    assert_eq!(link(NOFOLLOW, (ROOT, "a.txt"), (below, "link")), Ok(()));
    assert_eq!(contents(ROOT, "folder/link"), b"test-a\n");
}

fn hard_where_something_is() {
    mkdir(ROOT, "folder").unwrap();
    symlink("missing", ROOT, "dangling").unwrap();
    for there in ["b.txt", "a.txt", "folder", "dangling"] {
        refused(link(NOFOLLOW, (ROOT, "a.txt"), (ROOT, there)), &[wasi::ERRNO_EXIST]);
    }
}

fn hard_to_a_folder() {
    mkdir(ROOT, "folder").unwrap();
    for folder in ["folder", "."] {
        refused(link(NOFOLLOW, (ROOT, folder), (ROOT, "link")), &[wasi::ERRNO_PERM, wasi::ERRNO_ACCES]);
    }
}

fn hard_to_nothing() {
    for (from, to) in [("missing", "link"), ("", "link"), ("a.txt", ""), ("", ""), ("a.txt", "missing/link")] {
        refused(link(NOFOLLOW, (ROOT, from), (ROOT, to)), &[wasi::ERRNO_NOENT]);
    }
}

fn hard_with_a_slash() {
    refused(link(NOFOLLOW, (ROOT, "a.txt"), (ROOT, "link/")), &[wasi::ERRNO_NOENT, wasi::ERRNO_NOTDIR]);
    refused(link(NOFOLLOW, (ROOT, "a.txt/"), (ROOT, "link")), &[wasi::ERRNO_NOTDIR]);
    assert!(!exists(ROOT, "link"));
}

/// The link itself gets a second name, whatever it leads to.
fn hard_to_a_link() {
    for target in ["a.txt", "missing", "symbolic"] {
        symlink(target, ROOT, "symbolic").unwrap();
        assert_eq!(link(NOFOLLOW, (ROOT, "symbolic"), (ROOT, "hard")), Ok(()), "{target}");
        assert_eq!(stat_at(ROOT, NOFOLLOW, "hard").unwrap().filetype, wasi::FILETYPE_SYMBOLIC_LINK);
        unlink(ROOT, "symbolic").unwrap();
        unlink(ROOT, "hard").unwrap();
    }
}

/// A host may not follow links here, and says so.
fn hard_that_follows() {
    symlink("a.txt", ROOT, "symbolic").unwrap();
    match link(FOLLOW, (ROOT, "symbolic"), (ROOT, "hard")) {
        Ok(()) => assert_eq!(contents(ROOT, "hard"), b"test-a\n"),
        refusal => refused(refusal, &[wasi::ERRNO_INVAL]),
    }
    symlink("missing", ROOT, "dangling").unwrap();
    let following = link(FOLLOW, (ROOT, "dangling"), (ROOT, "other"));
    refused(following, &[wasi::ERRNO_INVAL, wasi::ERRNO_NOENT]);
}
