//! How streams are written and read, shown with files: leave to write, flushing, zeros, and one stream into another.

use crate::{Case, cases, folder::root};
use wasip2::io::streams::StreamError;

pub(crate) const CASES: &[Case] = cases![
    leave_to_write,
    written_after_a_flush,
    zeros,
    nothing,
    read_and_skip,
    splice,
    blocking_splice,
    a_full_disk_of_zeros,
];

/// A stream says how much it takes, and takes it.
fn leave_to_write() {
    let root = root();
    let file = root.create("file");
    let out = file.write_via_stream(0).unwrap();
    let mut written = 0;
    for _ in 0..100 {
        out.subscribe().block();
        let leave = out.check_write().unwrap();
        if leave == 0 {
            continue;
        }
        let count = leave.min(1000);
        out.write(&vec![b'x'; count as usize]).unwrap();
        written += count;
    }
    out.blocking_flush().unwrap();
    assert!(written > 0);
    assert_eq!(file.stat().unwrap().size, written);
}

fn written_after_a_flush() {
    let root = root();
    let out = root.create("file").write_via_stream(0).unwrap();
    out.subscribe().block();
    out.check_write().unwrap();
    out.write(b"abc").unwrap();
    out.flush().unwrap();
    out.subscribe().block();
    assert!(out.check_write().unwrap() > 0, "after a flush there is leave again");
    assert_eq!(root.contents("file"), b"abc");
}

fn zeros() {
    let root = root();
    let out = root.create("file").write_via_stream(0).unwrap();
    out.blocking_write_zeroes_and_flush(3).unwrap();
    out.subscribe().block();
    out.check_write().unwrap();
    out.write_zeroes(2).unwrap();
    out.blocking_flush().unwrap();
    assert_eq!(root.contents("file"), [0; 5]);
}

fn nothing() {
    let root = root();
    let out = root.create("file").write_via_stream(0).unwrap();
    out.blocking_write_and_flush(b"").unwrap();
    out.check_write().unwrap();
    out.write(b"").unwrap();
    out.blocking_flush().unwrap();
    let input = root.read_only("a.txt").read_via_stream(0).unwrap();
    assert_eq!(input.read(0).unwrap(), b"");
    assert_eq!(input.blocking_read(100).unwrap(), b"test-a\n");
}

fn read_and_skip() {
    let input = root().read_only("a.txt").read_via_stream(0).unwrap();
    assert_eq!(input.blocking_skip(2).unwrap(), 2);
    assert_eq!(input.blocking_read(2).unwrap(), b"st");
    assert_eq!(input.blocking_skip(100).unwrap(), 3);
    assert!(matches!(input.blocking_skip(1), Err(StreamError::Closed)));
    assert!(matches!(input.read(1), Err(StreamError::Closed)), "what is closed stays so");
    input.subscribe().block();
}

fn splice() {
    let root = root();
    let input = root.read_only("a.txt").read_via_stream(0).unwrap();
    let out = root.create("file").write_via_stream(0).unwrap();
    let mut moved = 0;
    while moved < 7 {
        input.subscribe().block();
        out.subscribe().block();
        moved += out.splice(&input, 3).unwrap();
    }
    out.blocking_flush().unwrap();
    assert_eq!((moved, root.contents("file")), (7, b"test-a\n".to_vec()));
}

fn blocking_splice() {
    let root = root();
    let input = root.read_only("a.txt").read_via_stream(0).unwrap();
    let out = root.create("file").write_via_stream(0).unwrap();
    let mut moved = 0;
    loop {
        match out.blocking_splice(&input, 100) {
            Ok(count) => moved += count,
            Err(StreamError::Closed) => break,
            Err(error) => panic!("{error:?}"),
        }
    }
    out.blocking_flush().unwrap();
    assert_eq!((moved, root.contents("file")), (7, b"test-a\n".to_vec()));
}

/// A write that fails says so when it is flushed, and closes the stream.
fn a_full_disk_of_zeros() {
    let out = root().create("file").write_via_stream(u64::MAX - 1).unwrap();
    let failed = out.blocking_write_and_flush(b"xyz");
    assert!(matches!(failed, Err(StreamError::LastOperationFailed(_) | StreamError::Closed)), "{failed:?}");
    assert!(matches!(out.check_write(), Err(StreamError::Closed)));
}
