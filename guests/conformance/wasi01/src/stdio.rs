//! Standard input, output and error. Each is a pipe; what comes on stdin, and is expected on stdout, is in `cases.toml`.

use crate::{
    Case, cases,
    host::{
        How, ROOT, close, create, exists, fdstat, open, put, read, refused, renumber, rest, seek, set_size, stat, tell,
        unlink, write, write_at, write_none, write_two,
    },
};
use wasi::{FD_STDERR, FD_STDIN, FD_STDOUT};

pub(crate) const CASES: &[Case] = cases![
    stdout,
    stdout_in_pieces,
    stderr,
    stdin,
    stdin_at_its_end,
    directions,
    no_terminal,
    no_position,
    stats,
    closed,
    renumbered,
    renumbered_over,
];

fn stdout() {
    assert_eq!(write(FD_STDOUT, b"hello"), Ok(5));
}

/// Two buffers may go out with one call or with two; nothing is lost, and no buffer is no error.
fn stdout_in_pieces() {
    assert_eq!(write_none(FD_STDOUT), Ok(0));
    assert_eq!(write(FD_STDOUT, b""), Ok(0));
    match write_two(FD_STDOUT, b"hel", b"lo").unwrap() {
        5 => {}
        3 => assert_eq!(write(FD_STDOUT, b"lo"), Ok(2)),
        count => panic!("{count} of 3 and 2 bytes were written"),
    }
    assert_eq!(write_two(FD_STDOUT, b"", b"!"), Ok(1), "an empty buffer is passed over");
}

fn stderr() {
    assert_eq!(write(FD_STDERR, b"hello"), Ok(5));
}

fn stdin() {
    assert_eq!(rest(FD_STDIN), b"some input\n");
}

fn stdin_at_its_end() {
    for _ in 0..3 {
        assert_eq!(read(FD_STDIN, &mut [0; 8]), Ok(0));
    }
}

fn directions() {
    refused(write(FD_STDIN, b"x"), &[wasi::ERRNO_BADF, wasi::ERRNO_NOTCAPABLE]);
    for fd in [FD_STDOUT, FD_STDERR] {
        refused(read(fd, &mut [0]), &[wasi::ERRNO_BADF, wasi::ERRNO_NOTCAPABLE]);
    }
}

/// As `isatty` finds out: a terminal is a character device that can't be moved in.
fn no_terminal() {
    for fd in [FD_STDIN, FD_STDOUT, FD_STDERR] {
        assert_ne!(fdstat(fd).unwrap().fs_filetype, wasi::FILETYPE_CHARACTER_DEVICE, "{fd} is a pipe");
    }
    let file = create(ROOT, "file");
    assert_eq!(fdstat(file).unwrap().fs_filetype, wasi::FILETYPE_REGULAR_FILE);
}

fn no_position() {
    for fd in [FD_STDIN, FD_STDOUT, FD_STDERR] {
        refused(seek(fd, 0, wasi::WHENCE_CUR), &[wasi::ERRNO_SPIPE, wasi::ERRNO_NOTCAPABLE]);
        refused(tell(fd), &[wasi::ERRNO_SPIPE, wasi::ERRNO_NOTCAPABLE]);
    }
    refused(write_at(FD_STDOUT, b"x", 0), &[wasi::ERRNO_SPIPE, wasi::ERRNO_NOTCAPABLE]);
}

fn stats() {
    for fd in [FD_STDIN, FD_STDOUT, FD_STDERR] {
        let filetype = stat(fd).unwrap().filetype;
        assert!(filetype != wasi::FILETYPE_REGULAR_FILE && filetype != wasi::FILETYPE_DIRECTORY);
        refused(set_size(fd, 0), &[wasi::ERRNO_BADF, wasi::ERRNO_INVAL, wasi::ERRNO_NOTCAPABLE]);
    }
}

fn closed() {
    for fd in [FD_STDIN, FD_STDOUT, FD_STDERR] {
        assert_eq!(close(fd), Ok(()));
        refused(close(fd), &[wasi::ERRNO_BADF]);
        refused(fdstat(fd), &[wasi::ERRNO_BADF]);
    }
    refused(write(FD_STDOUT, b"lost"), &[wasi::ERRNO_BADF]);
}

/// A stream of stdio moves to where a file was, as `dup2` does it.
fn renumbered() {
    for fd in [FD_STDIN, FD_STDOUT, FD_STDERR] {
        // Takes the lowest number that is free, which may be one of stdio.
        let creating = How { oflags: wasi::OFLAGS_CREAT, ..How::default() };
        let file = open(ROOT, "file", creating).unwrap();
        assert_eq!(renumber(fd, file), Ok(()));
        assert!(fdstat(file).is_ok());
        refused(fdstat(fd), &[wasi::ERRNO_BADF]);
        unlink(ROOT, "file").unwrap();
        if fd == FD_STDOUT {
            assert_eq!(write(file, b"hello"), Ok(5), "it is stdout still");
        }
    }
}

/// A file takes the place of stdout, and gets what is written there.
fn renumbered_over() {
    let file = create(ROOT, "out");
    assert_eq!(renumber(file, FD_STDOUT), Ok(()));
    refused(fdstat(file), &[wasi::ERRNO_BADF]);
    assert_eq!(write(FD_STDOUT, b"to the file"), Ok(11));
    assert_eq!(seek(FD_STDOUT, 0, wasi::WHENCE_CUR), Ok(11));
    assert!(exists(ROOT, "out"));
    assert_eq!(crate::host::contents(ROOT, "out"), b"to the file");
    put(ROOT, "after", b"");
}
