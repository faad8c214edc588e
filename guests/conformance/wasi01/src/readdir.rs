//! Listing folders: every entry once, in whatever order, through a buffer of whatever size.

use crate::{
    Case, cases,
    host::{
        NOFOLLOW, ROOT, close, contents, exists, folder, mkdir, put, readdir, refused, rmdir, stat_at, symlink, unlink,
    },
};
use std::collections::BTreeSet;
use wasi::{Dircookie, Fd, Filetype};

pub(crate) const CASES: &[Case] = cases![
    an_empty_folder,
    kinds_and_inodes,
    from_each_cookie,
    in_small_buffers,
    a_truncated_entry,
    many,
    again_from_the_start,
    after_a_change,
    while_removing,
    while_adding,
    two_at_one_time,
    no_folder,
];

/// How large an entry is without its name.
const HEAD: usize = 24;

#[derive(Debug)]
struct Entry {
    name: String,
    next: Dircookie,
    inode: u64,
    kind: Filetype,
}

fn an_empty_folder() {
    mkdir(ROOT, "folder").unwrap();
    let fd = folder(ROOT, "folder");
    let entries = whole(fd, 4096);
    assert_eq!(names(&entries), BTreeSet::from([".", ".."]));
    let own = entries.iter().find(|entry| entry.name == ".").unwrap();
    assert_eq!(own.inode, stat_at(ROOT, NOFOLLOW, "folder").unwrap().ino);
    assert!(entries.iter().all(|entry| entry.kind == wasi::FILETYPE_DIRECTORY));
}

fn kinds_and_inodes() {
    mkdir(ROOT, "folder").unwrap();
    symlink("a.txt", ROOT, "link").unwrap();
    let entries = whole(ROOT, 4096);
    let expected = [
        ("a.txt", wasi::FILETYPE_REGULAR_FILE),
        ("b.txt", wasi::FILETYPE_REGULAR_FILE),
        ("folder", wasi::FILETYPE_DIRECTORY),
        ("link", wasi::FILETYPE_SYMBOLIC_LINK),
    ];
    assert_eq!(entries.len(), expected.len() + 2);
    for (name, kind) in expected {
        let entry = entries.iter().find(|entry| entry.name == name).unwrap();
        assert_eq!((entry.kind, entry.inode), (kind, stat_at(ROOT, NOFOLLOW, name).unwrap().ino), "{name}");
    }
}

/// The cookie of an entry leads to the one after it.
fn from_each_cookie() {
    fill(ROOT, 5);
    let all = whole(ROOT, 4096);
    for (at, entry) in all.iter().enumerate() {
        let (later, _) = page(ROOT, 4096, entry.next);
        let later: Vec<_> = later.iter().map(|entry| entry.name.as_str()).collect();
        let expected: Vec<_> = all[at + 1..].iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(later, expected, "after `{}`", entry.name);
    }
}

/// However few entries a call gives, none is lost and none comes twice.
fn in_small_buffers() {
    fill(ROOT, 20);
    let expected = names(&whole(ROOT, 4096)).into_iter().map(str::to_owned).collect::<BTreeSet<_>>();
    for size in [HEAD + 8, 40, 100, 129, 1000] {
        let entries = whole(ROOT, size);
        let found: BTreeSet<_> = entries.iter().map(|entry| entry.name.clone()).collect();
        assert_eq!((found.len(), found == expected), (entries.len(), true), "{size}");
    }
}

/// A buffer that is too small is filled, by which a caller sees that there is more.
fn a_truncated_entry() {
    let mut buffer = [0; HEAD / 2];
    assert_eq!(readdir(ROOT, &mut buffer, 0), Ok(buffer.len()));
    let mut buffer = [0; HEAD];
    assert_eq!(readdir(ROOT, &mut buffer, 0), Ok(buffer.len()));
    assert_eq!(readdir(ROOT, &mut [], 0), Ok(0));
}

fn many() {
    mkdir(ROOT, "folder").unwrap();
    let fd = folder(ROOT, "folder");
    fill(fd, 300);
    let entries = whole(fd, 256);
    assert_eq!((entries.len(), names(&entries).len()), (302, 302));
}

fn again_from_the_start() {
    fill(ROOT, 10);
    let first = whole(ROOT, 128);
    let second = whole(ROOT, 128);
    assert_eq!(names(&first), names(&second));
    let other = folder(ROOT, ".");
    assert_eq!(names(&whole(other, 4096)), names(&first));
}

/// Who begins anew sees what is there now.
fn after_a_change() {
    let fd = folder(ROOT, ".");
    assert!(!names(&whole(fd, 4096)).contains("new"));
    put(ROOT, "new", b"");
    assert!(names(&whole(fd, 4096)).contains("new"));
    unlink(ROOT, "new").unwrap();
    assert!(!names(&whole(fd, 4096)).contains("new"));
}

/// `rm -r` removes what it has been told of before it asks on, and has to be told of all else: POSIX leaves open only
/// whether what was added or removed meanwhile is told.
fn while_removing() {
    mkdir(ROOT, "folder").unwrap();
    let fd = folder(ROOT, "folder");
    fill(fd, 100);
    let mut cookie = 0;
    loop {
        let (entries, more) = page(fd, 256, cookie);
        for entry in &entries {
            if !entry.name.starts_with('.') {
                unlink(fd, &entry.name).unwrap();
            }
            cookie = entry.next;
        }
        if !more {
            break;
        }
    }
    let left = whole(fd, 4096).len() - 2;
    assert_eq!(left, 0, "{left} of 100 files were never listed");
    close(fd).unwrap();
    assert_eq!(rmdir(ROOT, "folder"), Ok(()));
}

/// Nothing that was there all the time is missed or told twice because something else came.
fn while_adding() {
    mkdir(ROOT, "folder").unwrap();
    let fd = folder(ROOT, "folder");
    fill(fd, 50);
    let (mut cookie, mut told) = (0, Vec::new());
    for round in 0.. {
        let (entries, more) = page(fd, 256, cookie);
        cookie = entries.last().map_or(cookie, |entry| entry.next);
        told.extend(entries.into_iter().map(|entry| entry.name).filter(|name| name.starts_with("file")));
        if !more {
            break;
        }
        put(fd, &format!("added-{round}"), b"");
    }
    let once: BTreeSet<_> = told.iter().collect();
    assert_eq!((told.len(), once.len()), (50, 50));
}

/// Two that list one folder don't disturb each other.
fn two_at_one_time() {
    fill(ROOT, 20);
    let (one, other) = (folder(ROOT, "."), folder(ROOT, "."));
    let (mut first, mut second) = (Vec::new(), Vec::new());
    let (mut first_cookie, mut second_cookie) = (0, 0);
    for _ in 0..40 {
        let (entries, _) = page(one, 100, first_cookie);
        first_cookie = entries.last().map_or(first_cookie, |entry| entry.next);
        first.extend(entries);
        let (entries, _) = page(other, 64, second_cookie);
        second_cookie = entries.last().map_or(second_cookie, |entry| entry.next);
        second.extend(entries);
    }
    assert_eq!((first.len(), second.len()), (24, 24));
    assert_eq!(names(&first), names(&second));
}

fn no_folder() {
    let file = crate::host::open_for(ROOT, "a.txt", crate::host::READ);
    refused(readdir(file, &mut [0; 64], 0), &[wasi::ERRNO_NOTDIR, wasi::ERRNO_BADF]);
    assert_eq!(contents(ROOT, "a.txt"), b"test-a\n");
}

fn fill(dir: Fd, count: usize) {
    for at in 0..count {
        let name = format!("file.{at}");
        put(dir, &name, b"");
        assert!(exists(dir, &name));
    }
}

fn names(entries: &[Entry]) -> BTreeSet<&str> {
    entries.iter().map(|entry| entry.name.as_str()).collect()
}

/// Lists a folder as C libraries do it.
#[track_caller]
fn whole(dir: Fd, buffer: usize) -> Vec<Entry> {
    let (mut all, mut cookie) = (Vec::new(), 0);
    loop {
        let (entries, more) = page(dir, buffer, cookie);
        assert!(!more || !entries.is_empty(), "a buffer of {buffer} bytes holds no entry");
        cookie = entries.last().map_or(cookie, |entry| entry.next);
        all.extend(entries);
        if !more {
            return all;
        }
    }
}

/// What one call gives: the entries that came whole, and whether there may be more.
#[track_caller]
fn page(dir: Fd, buffer: usize, cookie: Dircookie) -> (Vec<Entry>, bool) {
    let mut bytes = vec![0; buffer];
    let used = readdir(dir, &mut bytes, cookie).unwrap();
    let more = used == buffer;
    let (mut entries, mut left) = (Vec::new(), &bytes[..used]);
    while left.len() >= HEAD {
        let number = |at: usize| u64::from_le_bytes(left[at..at + 8].try_into().unwrap());
        let length = u32::from_le_bytes(left[16..20].try_into().unwrap()) as usize;
        let Some(name) = left.get(HEAD..HEAD + length) else { break };
        let kind = kind(left[20]);
        entries.push(Entry { name: String::from_utf8(name.into()).unwrap(), next: number(0), inode: number(8), kind });
        left = &left[HEAD + length..];
    }
    (entries, more)
}

fn kind(raw: u8) -> Filetype {
    let known = [wasi::FILETYPE_DIRECTORY, wasi::FILETYPE_REGULAR_FILE, wasi::FILETYPE_SYMBOLIC_LINK];
    known.into_iter().find(|kind| kind.raw() == raw).unwrap_or(wasi::FILETYPE_UNKNOWN)
}
