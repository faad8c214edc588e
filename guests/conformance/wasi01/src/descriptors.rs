//! File descriptors themselves: their numbers, flags and rights, and that they end.

use crate::{
    Case, cases,
    host::{
        How, NOFOLLOW, READ, ROOT, WRITE, advise, allocate, close, contents, create, datasync, exists, fdstat, folder,
        granted_as, granted_name, mkdir, open, open_for, put, read, read_at, refused, renumber, rest, rmdir, seek,
        set_fdflags, set_rights, set_size, stat, stat_at, tell, unlink, write, write_at,
    },
};
use wasi::{Errno, FDFLAGS_APPEND, FDFLAGS_NONBLOCK, Fd, OFLAGS_CREAT, OFLAGS_DIRECTORY, OFLAGS_TRUNC, RIGHTS_FD_SEEK};

pub(crate) const CASES: &[Case] = cases![
    granted_folders,
    granted_folder_names,
    granted_folder_rights,
    granted_folder_closed,
    granted_folder_replaced,
    file_stats,
    flags_of_opening,
    flags_set,
    rights_dropped,
    truncating_rights,
    closed_ones,
    never_opened_ones,
    many,
    numbers_are_used_again,
    renumbered,
    renumbered_to_itself,
    renumbered_to_nowhere,
    folders_are_no_files,
    outlive_their_file,
    outlive_their_folder,
];

fn granted_folders() {
    assert_eq!(granted_as(ROOT).as_deref(), Some("/"));
    for fd in [0, 1, 2, 4, 5] {
        assert_eq!(granted_as(fd), None, "{fd}");
    }
    let fd = folder(ROOT, ".");
    assert_eq!(granted_as(fd), None, "opened, not granted");
}

fn granted_folder_names() {
    refused(granted_name(ROOT, &mut []), &[wasi::ERRNO_INVAL, wasi::ERRNO_NAMETOOLONG]);
    let mut name = [b'?'; 3];
    assert_eq!((granted_name(ROOT, &mut name), &name), (Ok(()), b"/??"));
    let fd = folder(ROOT, ".");
    refused(granted_name(fd, &mut name), &[wasi::ERRNO_BADF, wasi::ERRNO_NOTDIR, wasi::ERRNO_INVAL]);
}

/// C libraries look at these before they try.
fn granted_folder_rights() {
    let has = fdstat(ROOT).unwrap();
    let base = wasi::RIGHTS_PATH_CREATE_DIRECTORY
        | wasi::RIGHTS_PATH_CREATE_FILE
        | wasi::RIGHTS_PATH_LINK_SOURCE
        | wasi::RIGHTS_PATH_LINK_TARGET
        | wasi::RIGHTS_PATH_OPEN
        | wasi::RIGHTS_FD_READDIR
        | wasi::RIGHTS_PATH_READLINK
        | wasi::RIGHTS_PATH_RENAME_SOURCE
        | wasi::RIGHTS_PATH_RENAME_TARGET
        | wasi::RIGHTS_PATH_SYMLINK
        | wasi::RIGHTS_PATH_REMOVE_DIRECTORY
        | wasi::RIGHTS_PATH_UNLINK_FILE
        | wasi::RIGHTS_PATH_FILESTAT_GET
        | wasi::RIGHTS_PATH_FILESTAT_SET_TIMES
        | wasi::RIGHTS_FD_FILESTAT_GET
        | wasi::RIGHTS_FD_FILESTAT_SET_TIMES;
    let inheriting = base
        | wasi::RIGHTS_FD_DATASYNC
        | wasi::RIGHTS_FD_READ
        | wasi::RIGHTS_FD_SEEK
        | wasi::RIGHTS_FD_FDSTAT_SET_FLAGS
        | wasi::RIGHTS_FD_SYNC
        | wasi::RIGHTS_FD_TELL
        | wasi::RIGHTS_FD_WRITE
        | wasi::RIGHTS_FD_ADVISE
        | wasi::RIGHTS_FD_ALLOCATE
        | wasi::RIGHTS_FD_FILESTAT_SET_SIZE
        | wasi::RIGHTS_POLL_FD_READWRITE;
    assert_eq!(has.fs_rights_base & base, base, "missing {:#b}", base & !has.fs_rights_base);
    assert_eq!(
        has.fs_rights_inheriting & inheriting,
        inheriting,
        "missing {:#b}",
        inheriting & !has.fs_rights_inheriting
    );
    assert_eq!((has.fs_filetype, has.fs_flags), (wasi::FILETYPE_DIRECTORY, 0));

    let how = How { rights: has.fs_rights_base, ..How::default() };
    open(ROOT, ".", how).expect("with the same rights");
    for oflags in [0, OFLAGS_DIRECTORY] {
        open(ROOT, ".", How { oflags, ..How::default() }).expect("with none");
        open(ROOT, ".", How { oflags, rights: READ, ..How::default() }).expect("to read");
        let writing = How { oflags, rights: READ | WRITE, ..How::default() };
        refused(open(ROOT, ".", writing), &[wasi::ERRNO_ISDIR]);
    }
}

fn granted_folder_closed() {
    let kept = folder(ROOT, ".");
    assert_eq!(close(ROOT), Ok(()));
    refused(fdstat(ROOT), &[wasi::ERRNO_BADF]);
    assert_eq!(granted_as(ROOT), None);
    assert_eq!(contents(kept, "a.txt"), b"test-a\n", "what was opened below it stays open");
}

/// Another folder takes the place of the granted one.
fn granted_folder_replaced() {
    mkdir(ROOT, "sub").unwrap();
    put(ROOT, "sub/inner", b"x");
    let sub = folder(ROOT, "sub");
    assert_eq!(renumber(sub, ROOT), Ok(()));
    refused(fdstat(sub), &[wasi::ERRNO_BADF]);
    assert!(exists(ROOT, "inner") && !exists(ROOT, "a.txt"));
}

fn file_stats() {
    let has = fdstat(open_for(ROOT, "a.txt", READ)).unwrap();
    assert_eq!((has.fs_filetype, has.fs_flags), (wasi::FILETYPE_REGULAR_FILE, 0));
    assert_eq!((has.fs_rights_base & READ, has.fs_rights_base & WRITE), (READ, 0), "as C libraries ask for O_RDONLY");
    let has = fdstat(open_for(ROOT, "a.txt", WRITE)).unwrap();
    assert_eq!((has.fs_rights_base & READ, has.fs_rights_base & WRITE), (0, WRITE));
    let has = fdstat(folder(ROOT, ".")).unwrap();
    assert_eq!(has.fs_filetype, wasi::FILETYPE_DIRECTORY);
}

fn flags_of_opening() {
    for fdflags in [0, FDFLAGS_APPEND, FDFLAGS_NONBLOCK, FDFLAGS_APPEND | FDFLAGS_NONBLOCK] {
        let fd = open(ROOT, "a.txt", How { rights: READ | WRITE, fdflags, ..How::default() }).unwrap();
        assert_eq!(fdstat(fd).unwrap().fs_flags, fdflags);
    }
}

/// A descriptor can be made to append, and made to stop.
fn flags_set() {
    let fd = create(ROOT, "file");
    write(fd, b"abc").unwrap();
    set_fdflags(fd, FDFLAGS_APPEND).unwrap();
    assert_eq!(fdstat(fd).unwrap().fs_flags, FDFLAGS_APPEND);
    seek(fd, 0, wasi::WHENCE_SET).unwrap();
    write(fd, b"d").unwrap();
    set_fdflags(fd, 0).unwrap();
    seek(fd, 0, wasi::WHENCE_SET).unwrap();
    write(fd, b"A").unwrap();
    assert_eq!(contents(ROOT, "file"), b"Abcd");
    set_fdflags(fd, FDFLAGS_NONBLOCK).unwrap();
    assert_eq!(fdstat(fd).unwrap().fs_flags, FDFLAGS_NONBLOCK);
}

/// A host may not have rights, and then says so; one that has them never gives back what was dropped.
fn rights_dropped() {
    let fd = create(ROOT, "file");
    let has = fdstat(fd).unwrap();
    let kept = has.fs_rights_base & !(READ | WRITE);
    match set_rights(fd, kept, has.fs_rights_inheriting) {
        Ok(()) => {
            assert_ne!(fdstat(fd).unwrap().fs_rights_base & RIGHTS_FD_SEEK, 0);
            refused(read(fd, &mut [0]), &[wasi::ERRNO_BADF, wasi::ERRNO_NOTCAPABLE]);
            refused(write(fd, b"x"), &[wasi::ERRNO_BADF, wasi::ERRNO_NOTCAPABLE]);
            refused(set_rights(fd, has.fs_rights_base, has.fs_rights_inheriting), &[wasi::ERRNO_NOTCAPABLE]);
        }
        refusal => refused(refusal, &[wasi::ERRNO_NOTSUP]),
    }
}

/// A folder that doesn't say that sizes can be set through paths is believed; one that says so means it.
fn truncating_rights() {
    let has = fdstat(ROOT).unwrap();
    assert_eq!(has.fs_rights_base & wasi::RIGHTS_FD_FILESTAT_SET_SIZE, 0, "a folder has no size to set");
    if has.fs_rights_base & wasi::RIGHTS_PATH_FILESTAT_SET_SIZE == 0 {
        return;
    }
    open(ROOT, "a.txt", How { oflags: OFLAGS_TRUNC, ..How::default() }).unwrap();
    let dropped = has.fs_rights_base & !wasi::RIGHTS_PATH_FILESTAT_SET_SIZE;
    set_rights(ROOT, dropped, has.fs_rights_inheriting).unwrap();
    let truncating = How { oflags: OFLAGS_TRUNC, ..How::default() };
    refused(open(ROOT, "a.txt", truncating), &[wasi::ERRNO_PERM, wasi::ERRNO_NOTCAPABLE]);
}

fn closed_ones() {
    let fd = create(ROOT, "file");
    assert_eq!(close(fd), Ok(()));
    is_none(fd);
}

fn never_opened_ones() {
    for fd in [1000, u32::MAX >> 1, u32::MAX] {
        is_none(fd);
    }
}

/// Every call says that there is no such descriptor.
fn is_none(fd: Fd) {
    let gone = &[wasi::ERRNO_BADF];
    refused(close(fd), gone);
    refused(read(fd, &mut [0]), gone);
    refused(write(fd, b"x"), gone);
    refused(read_at(fd, &mut [0], 0), gone);
    refused(write_at(fd, b"x", 0), gone);
    refused(seek(fd, 0, wasi::WHENCE_SET), gone);
    refused(tell(fd), gone);
    refused(stat(fd), gone);
    refused(fdstat(fd), gone);
    refused(set_fdflags(fd, 0), gone);
    refused(set_size(fd, 0), gone);
    refused(allocate(fd, 0, 1), gone);
    refused(advise(fd, 0, 1, wasi::ADVICE_NORMAL), gone);
    refused(datasync(fd), gone);
    refused(renumber(fd, ROOT), gone);
    refused(open(fd, "a.txt", How::default()), gone);
    refused(mkdir(fd, "x"), gone);
    refused(unlink(fd, "a.txt"), gone);
    refused(stat_at(fd, NOFOLLOW, "a.txt"), gone);
    refused(crate::host::readdir(fd, &mut [0; 64], 0), gone);
}

fn many() {
    let all: Vec<Fd> = (0..300).map(|_| open_for(ROOT, "a.txt", READ)).collect();
    let mut numbers = all.clone();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 300);
    for fd in all {
        assert_eq!(rest(fd), b"test-a\n");
        close(fd).unwrap();
    }
}

/// Programs that open and close for days never run out of numbers.
fn numbers_are_used_again() {
    let most = (0..10_000)
        .map(|_| {
            let fd = open_for(ROOT, "a.txt", READ);
            close(fd).unwrap();
            fd
        })
        .max();
    assert!(most.unwrap() < 1000, "{most:?}");
}

fn renumbered() {
    put(ROOT, "first", b"first");
    put(ROOT, "second", b"second");
    let (first, second) = (open_for(ROOT, "first", READ), open_for(ROOT, "second", READ));
    read(first, &mut [0; 2]).unwrap();
    let had = fdstat(first).unwrap();
    assert_eq!(renumber(first, second), Ok(()));
    refused(close(first), &[wasi::ERRNO_BADF]);
    let has = fdstat(second).unwrap();
    assert_eq!(
        (has.fs_filetype, has.fs_flags, has.fs_rights_base, has.fs_rights_inheriting),
        (had.fs_filetype, had.fs_flags, had.fs_rights_base, had.fs_rights_inheriting)
    );
    assert_eq!(rest(second), b"rst", "with its position");
    assert_eq!(close(second), Ok(()));
}

fn renumbered_to_itself() {
    let fd = open_for(ROOT, "a.txt", READ);
    assert_eq!(renumber(fd, fd), Ok(()));
    assert_eq!(rest(fd), b"test-a\n");
}

fn renumbered_to_nowhere() {
    let fd = open_for(ROOT, "a.txt", READ);
    let gone = open_for(ROOT, "a.txt", READ);
    close(gone).unwrap();
    refused(renumber(fd, gone), &[wasi::ERRNO_BADF]);
    refused(renumber(gone, fd), &[wasi::ERRNO_BADF]);
    assert_eq!(rest(fd), b"test-a\n", "a refusal closes nothing");
}

fn folders_are_no_files() {
    let fd = folder(ROOT, ".");
    let no_file: &[Errno] = &[wasi::ERRNO_ISDIR, wasi::ERRNO_BADF, wasi::ERRNO_NOTCAPABLE];
    refused(read(fd, &mut [0]), no_file);
    refused(read_at(fd, &mut [0], 0), no_file);
    refused(write(fd, b"x"), no_file);
    refused(write_at(fd, b"x", 0), no_file);
    for whence in [wasi::WHENCE_SET, wasi::WHENCE_CUR, wasi::WHENCE_END] {
        refused(seek(fd, 0, whence), no_file);
    }
    refused(tell(fd), no_file);
    refused(allocate(fd, 0, 1), no_file);
    refused(set_size(fd, 0), &[no_file, &[wasi::ERRNO_INVAL]].concat());
}

/// A file whose name is gone is there for who has it open.
fn outlive_their_file() {
    put(ROOT, "file", b"old");
    let fd = open_for(ROOT, "file", READ | WRITE);
    unlink(ROOT, "file").unwrap();
    assert!(!exists(ROOT, "file"));
    put(ROOT, "file", b"new");
    assert_eq!(rest(fd), b"old");
    assert_eq!((write(fd, b"er"), stat(fd).unwrap().size), (Ok(2), 5));
    assert_eq!((set_size(fd, 1), stat(fd).unwrap().size), (Ok(()), 1));
    assert_eq!(contents(ROOT, "file"), b"new");
}

fn outlive_their_folder() {
    mkdir(ROOT, "folder").unwrap();
    let fd = folder(ROOT, "folder");
    rmdir(ROOT, "folder").unwrap();
    mkdir(ROOT, "folder").unwrap();
    assert_eq!(stat(fd).unwrap().filetype, wasi::FILETYPE_DIRECTORY);
    let creating = How { oflags: OFLAGS_CREAT, rights: WRITE, ..How::default() };
    refused(open(fd, "file", creating), &[wasi::ERRNO_NOENT]);
    assert_ne!(stat(fd).unwrap().ino, stat_at(ROOT, NOFOLLOW, "folder").unwrap().ino);
}
