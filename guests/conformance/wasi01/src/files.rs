//! What is in files: opening them, reading, writing, and moving about in them.

use crate::{
    Case, cases,
    host::{
        How, NOFOLLOW, READ, ROOT, WRITE, advise, allocate, close, contents, create, datasync, folder, mkdir, open,
        open_for, put, read, read_at, read_none, read_two, refused, rest, seek, set_size, stat, stat_at, sync, tell,
        write, write_at, write_none, write_two,
    },
};
use wasi::{FDFLAGS_APPEND, OFLAGS_CREAT, OFLAGS_DIRECTORY, OFLAGS_EXCL, OFLAGS_TRUNC};
use wasi::{WHENCE_CUR, WHENCE_END, WHENCE_SET};

pub(crate) const CASES: &[Case] = cases![
    open_what_is_missing,
    create_what_is_missing,
    create_what_is_there,
    create_exclusively,
    truncate_on_opening,
    open_a_file_as_a_folder,
    open_a_folder_as_a_file,
    open_below_a_file,
    open_without_rights,
    open_with_all_flags,
    read_only,
    write_only,
    pieces,
    nothing,
    position,
    positions_of_two,
    beyond_the_end,
    negative_positions,
    read_at_offsets,
    write_at_offsets,
    append,
    append_at_offsets,
    sizes,
    sizes_that_are_too_large,
    allocation,
    advice,
    syncing,
    unbuffered,
    large,
];

fn open_what_is_missing() {
    refused(open(ROOT, "missing", How { rights: READ, ..How::default() }), &[wasi::ERRNO_NOENT]);
    refused(open(ROOT, "missing/below", How::default()), &[wasi::ERRNO_NOENT]);
    let truncate = How { oflags: OFLAGS_TRUNC, rights: WRITE, ..How::default() };
    refused(open(ROOT, "missing", truncate), &[wasi::ERRNO_NOENT]);
    let exclusively = How { oflags: OFLAGS_EXCL, ..How::default() };
    refused(open(ROOT, "missing", exclusively), &[wasi::ERRNO_NOENT]);
}

fn create_what_is_missing() {
    let fd = create(ROOT, "new");
    assert_eq!(stat(fd).unwrap().size, 0);
    assert_eq!(stat_at(ROOT, NOFOLLOW, "new").unwrap().filetype, wasi::FILETYPE_REGULAR_FILE);
}

fn create_what_is_there() {
    put(ROOT, "file", b"contents");
    let fd = create(ROOT, "file");
    assert_eq!(rest(fd), b"contents");
}

fn create_exclusively() {
    let how = How { oflags: OFLAGS_CREAT | OFLAGS_EXCL, rights: READ | WRITE, ..How::default() };
    close(open(ROOT, "file", how).unwrap()).unwrap();
    refused(open(ROOT, "file", how), &[wasi::ERRNO_EXIST]);
    mkdir(ROOT, "folder").unwrap();
    refused(open(ROOT, "folder", how), &[wasi::ERRNO_EXIST]);
}

fn truncate_on_opening() {
    put(ROOT, "file", b"contents");
    let how = How { oflags: OFLAGS_TRUNC, rights: READ | WRITE, ..How::default() };
    let fd = open(ROOT, "file", how).unwrap();
    assert_eq!(stat(fd).unwrap().size, 0);
    assert_eq!(rest(fd), b"");
    write(fd, b"new").unwrap();
    // Also without a right to write.
    let fd = open(ROOT, "file", How { oflags: OFLAGS_TRUNC, ..How::default() }).unwrap();
    assert_eq!(stat(fd).unwrap().size, 0);
}

fn open_a_file_as_a_folder() {
    let how = How { oflags: OFLAGS_DIRECTORY, ..How::default() };
    refused(open(ROOT, "a.txt", how), &[wasi::ERRNO_NOTDIR]);
}

fn open_a_folder_as_a_file() {
    mkdir(ROOT, "folder").unwrap();
    for oflags in [0, OFLAGS_DIRECTORY] {
        refused(open(ROOT, "folder", How { oflags, rights: READ | WRITE, ..How::default() }), &[wasi::ERRNO_ISDIR]);
    }
    let creating = How { oflags: OFLAGS_CREAT, rights: READ | WRITE, ..How::default() };
    refused(open(ROOT, "folder", creating), &[wasi::ERRNO_ISDIR]);
    let truncating = How { oflags: OFLAGS_TRUNC, rights: WRITE, ..How::default() };
    refused(open(ROOT, "folder", truncating), &[wasi::ERRNO_ISDIR]);
    folder(ROOT, "folder");
}

/// A file is no folder to begin a path at.
fn open_below_a_file() {
    let fd = open_for(ROOT, "a.txt", READ);
    refused(open(fd, "below", How { oflags: OFLAGS_CREAT, ..How::default() }), &[wasi::ERRNO_NOTDIR]);
    refused(open(ROOT, "a.txt/below", How::default()), &[wasi::ERRNO_NOTDIR]);
}

/// No right asked for is the right to read, of a file and of a folder.
fn open_without_rights() {
    assert_eq!(contents(ROOT, "a.txt"), b"test-a\n");
    let fd = open_for(ROOT, "a.txt", 0);
    assert_eq!(rest(fd), b"test-a\n");
    assert!(stat(open_for(ROOT, ".", 0)).unwrap().filetype == wasi::FILETYPE_DIRECTORY);
}

/// Flags that make no difference to a regular file are no error.
fn open_with_all_flags() {
    for fdflags in [wasi::FDFLAGS_NONBLOCK, FDFLAGS_APPEND, FDFLAGS_APPEND | wasi::FDFLAGS_NONBLOCK] {
        let how = How { oflags: OFLAGS_CREAT, rights: READ | WRITE, fdflags, ..How::default() };
        let fd = open(ROOT, "file", how).unwrap();
        assert_eq!(write(fd, b"x"), Ok(1));
        close(fd).unwrap();
    }
    // A host may not have these, and says so.
    for fdflags in [wasi::FDFLAGS_SYNC, wasi::FDFLAGS_DSYNC, wasi::FDFLAGS_RSYNC | wasi::FDFLAGS_SYNC] {
        let how = How { oflags: OFLAGS_CREAT, rights: READ | WRITE, fdflags, ..How::default() };
        match open(ROOT, "file", how) {
            Ok(fd) => assert_eq!(write(fd, b"x"), Ok(1)),
            refusal => refused(refusal, &[wasi::ERRNO_NOTSUP, wasi::ERRNO_INVAL]),
        }
    }
}

fn read_only() {
    let fd = open_for(ROOT, "a.txt", READ);
    assert_eq!(rest(fd), b"test-a\n");
    refused(write(fd, b"x"), &[wasi::ERRNO_BADF, wasi::ERRNO_NOTCAPABLE]);
    refused(write_at(fd, b"x", 0), &[wasi::ERRNO_BADF, wasi::ERRNO_NOTCAPABLE]);
    refused(set_size(fd, 0), &[wasi::ERRNO_BADF, wasi::ERRNO_INVAL, wasi::ERRNO_NOTCAPABLE]);
    assert_eq!(contents(ROOT, "a.txt"), b"test-a\n");
}

fn write_only() {
    let fd = open_for(ROOT, "a.txt", WRITE);
    refused(read(fd, &mut [0; 4]), &[wasi::ERRNO_BADF, wasi::ERRNO_NOTCAPABLE]);
    refused(read_at(fd, &mut [0; 4], 0), &[wasi::ERRNO_BADF, wasi::ERRNO_NOTCAPABLE]);
    assert_eq!(write(fd, b"T"), Ok(1));
    assert_eq!(contents(ROOT, "a.txt"), b"Test-a\n");
}

/// Several buffers may take one call or more, and are read and written in their order.
fn pieces() {
    let fd = create(ROOT, "file");
    let mut written = write_two(fd, b"012", b"345").unwrap();
    if written == 3 {
        written += write(fd, b"345").unwrap();
    }
    assert_eq!((written, contents(ROOT, "file").as_slice()), (6, b"012345".as_slice()));
    seek(fd, 0, WHENCE_SET).unwrap();
    let (mut first, mut second) = ([0; 2], [0; 8]);
    match read_two(fd, &mut first, &mut second).unwrap() {
        6 => assert_eq!(&second[..4], b"2345"),
        2 => assert_eq!(rest(fd), b"2345"),
        count => panic!("{count} bytes were read into buffers of 2 and 8"),
    }
    assert_eq!(&first, b"01");
    seek(fd, 0, WHENCE_SET).unwrap();
    assert_eq!(read_two(fd, &mut [], &mut first), Ok(2), "an empty buffer is passed over");
}

fn nothing() {
    let fd = create(ROOT, "file");
    assert_eq!((write(fd, b""), write_none(fd), write_at(fd, b"", 7)), (Ok(0), Ok(0), Ok(0)));
    assert_eq!((read(fd, &mut []), read_none(fd), read(fd, &mut [0])), (Ok(0), Ok(0), Ok(0)));
    assert_eq!(stat(fd).unwrap().size, 0);
}

fn position() {
    let fd = create(ROOT, "file");
    assert_eq!(tell(fd), Ok(0));
    write(fd, b"0123456789").unwrap();
    assert_eq!((tell(fd), seek(fd, 0, WHENCE_CUR)), (Ok(10), Ok(10)));
    assert_eq!((seek(fd, 3, WHENCE_SET), tell(fd)), (Ok(3), Ok(3)));
    let mut two = [0; 2];
    assert_eq!((read(fd, &mut two), &two, tell(fd)), (Ok(2), b"34", Ok(5)));
    assert_eq!((seek(fd, -2, WHENCE_CUR), seek(fd, 4, WHENCE_CUR)), (Ok(3), Ok(7)));
    assert_eq!((seek(fd, -1, WHENCE_END), seek(fd, 0, WHENCE_END)), (Ok(9), Ok(10)));
    assert_eq!(read(fd, &mut two), Ok(0));
    seek(fd, 9, WHENCE_SET).unwrap();
    assert_eq!(read(fd, &mut two), Ok(1), "what there is");
}

/// Each opening has a position of its own.
fn positions_of_two() {
    let (first, second) = (open_for(ROOT, "a.txt", READ), open_for(ROOT, "a.txt", READ));
    read(first, &mut [0; 3]).unwrap();
    assert_eq!((tell(first), tell(second)), (Ok(3), Ok(0)));
}

/// A position may lie behind the end; what is written there leaves zeros before it.
fn beyond_the_end() {
    let fd = create(ROOT, "file");
    write(fd, b"ab").unwrap();
    assert_eq!(seek(fd, 3, WHENCE_END), Ok(5));
    assert_eq!(read(fd, &mut [0]), Ok(0));
    assert_eq!(stat(fd).unwrap().size, 2, "a position is no size");
    write(fd, b"z").unwrap();
    assert_eq!(contents(ROOT, "file"), b"ab\0\0\0z");
}

fn negative_positions() {
    let fd = open_for(ROOT, "a.txt", READ);
    seek(fd, 2, WHENCE_SET).unwrap();
    for (offset, whence) in [(-1, WHENCE_SET), (-3, WHENCE_CUR), (-8, WHENCE_END), (i64::MIN, WHENCE_CUR)] {
        refused(seek(fd, offset, whence), &[wasi::ERRNO_INVAL]);
        assert_eq!(tell(fd), Ok(2), "a refusal moves nothing");
    }
}

fn read_at_offsets() {
    let fd = open_for(ROOT, "a.txt", READ);
    let mut bytes = [0; 4];
    assert_eq!((read_at(fd, &mut bytes, 1), &bytes), (Ok(4), b"est-"));
    assert_eq!(read_at(fd, &mut bytes, 5), Ok(2));
    assert_eq!((read_at(fd, &mut bytes, 7), read_at(fd, &mut bytes, 1000)), (Ok(0), Ok(0)));
    assert_eq!(tell(fd), Ok(0), "the position stays");
}

fn write_at_offsets() {
    let fd = create(ROOT, "file");
    assert_eq!(write_at(fd, b"012345", 0), Ok(6));
    assert_eq!(write_at(fd, b"ab", 2), Ok(2));
    assert_eq!(write_at(fd, b"z", 8), Ok(1));
    assert_eq!(tell(fd), Ok(0), "the position stays");
    assert_eq!(contents(ROOT, "file"), b"01ab45\0\0z");
}

fn append() {
    put(ROOT, "file", b"begin");
    let how = How { rights: READ | WRITE, fdflags: FDFLAGS_APPEND, ..How::default() };
    let fd = open(ROOT, "file", how).unwrap();
    assert_eq!(write(fd, b"1"), Ok(1));
    seek(fd, 0, WHENCE_SET).unwrap();
    assert_eq!(write(fd, b"2"), Ok(1));
    assert_eq!(tell(fd), Ok(7), "after what was written");
    // What another wrote meanwhile is not written over.
    let other = open_for(ROOT, "file", WRITE);
    seek(other, 0, WHENCE_END).unwrap();
    write(other, b"3").unwrap();
    write(fd, b"4").unwrap();
    assert_eq!(contents(ROOT, "file"), b"begin1234");
    seek(fd, 0, WHENCE_SET).unwrap();
    assert_eq!(rest(fd), b"begin1234", "reading goes by the position");
}

/// POSIX writes at the offset, Linux at the end; neither moves the position.
fn append_at_offsets() {
    let how = How { oflags: OFLAGS_CREAT, rights: READ | WRITE, fdflags: FDFLAGS_APPEND, ..How::default() };
    let fd = open(ROOT, "file", how).unwrap();
    write(fd, b"0123").unwrap();
    assert_eq!(write_at(fd, b"abc", 0), Ok(3));
    assert_eq!(tell(fd), Ok(4));
    let found = contents(ROOT, "file");
    assert!([b"abc3".as_slice(), b"0123abc"].contains(&found.as_slice()), "{found:?}");
}

fn sizes() {
    let fd = create(ROOT, "file");
    write(fd, b"0123456789").unwrap();
    assert_eq!(set_size(fd, 4), Ok(()));
    assert_eq!((stat(fd).unwrap().size, tell(fd)), (4, Ok(10)), "the position stays");
    assert_eq!(set_size(fd, 6), Ok(()));
    assert_eq!(contents(ROOT, "file"), b"0123\0\0");
    assert_eq!((set_size(fd, 0), stat(fd).unwrap().size), (Ok(()), 0));
}

fn sizes_that_are_too_large() {
    let fd = create(ROOT, "file");
    for size in [u64::MAX, 1 << 63] {
        refused(set_size(fd, size), &[wasi::ERRNO_INVAL, wasi::ERRNO_FBIG, wasi::ERRNO_DQUOT]);
    }
    refused(write_at(fd, b"x", u64::MAX), &[wasi::ERRNO_INVAL, wasi::ERRNO_FBIG, wasi::ERRNO_DQUOT]);
    refused(read_at(fd, &mut [0], u64::MAX), &[wasi::ERRNO_INVAL, wasi::ERRNO_OVERFLOW]);
    assert_eq!(stat(fd).unwrap().size, 0);
}

/// A host may not have it, and says so; one that has it makes files larger and never smaller.
fn allocation() {
    let fd = create(ROOT, "file");
    match allocate(fd, 0, 100) {
        Ok(()) => {
            assert_eq!(stat(fd).unwrap().size, 100);
            assert_eq!((allocate(fd, 10, 10), stat(fd).unwrap().size), (Ok(()), 100));
            assert_eq!((allocate(fd, 90, 20), stat(fd).unwrap().size), (Ok(()), 110));
        }
        refusal => refused(refusal, &[wasi::ERRNO_NOTSUP]),
    }
}

fn advice() {
    let fd = open_for(ROOT, "a.txt", READ);
    for advice in [
        wasi::ADVICE_NORMAL,
        wasi::ADVICE_SEQUENTIAL,
        wasi::ADVICE_RANDOM,
        wasi::ADVICE_WILLNEED,
        wasi::ADVICE_DONTNEED,
        wasi::ADVICE_NOREUSE,
    ] {
        for (offset, length) in [(0, 0), (0, 7), (7, 4096), (10_000, 1)] {
            assert_eq!(advise(fd, offset, length, advice), Ok(()), "{advice:?} {offset} {length}");
        }
    }
}

fn syncing() {
    let fd = create(ROOT, "file");
    write(fd, b"x").unwrap();
    assert_eq!((sync(fd), datasync(fd)), (Ok(()), Ok(())));
    let fd = open_for(ROOT, "a.txt", READ);
    assert_eq!((sync(fd), datasync(fd)), (Ok(()), Ok(())), "nothing to do is no error");
}

/// What one wrote another reads at once.
fn unbuffered() {
    let writer = create(ROOT, "file");
    let reader = open_for(ROOT, "file", READ);
    for byte in 0..10 {
        assert_eq!(write(writer, &[byte]), Ok(1));
        let mut found = [0];
        assert_eq!((read(reader, &mut found), found), (Ok(1), [byte]));
    }
}

fn large() {
    let bytes: Vec<u8> = (0..3_000_000u32).map(|n| (n % 251) as u8).collect();
    let fd = create(ROOT, "file");
    let mut left = bytes.as_slice();
    while !left.is_empty() {
        let count = write(fd, left).unwrap();
        assert!(count > 0);
        left = &left[count..];
    }
    assert!(contents(ROOT, "file") == bytes);
}
