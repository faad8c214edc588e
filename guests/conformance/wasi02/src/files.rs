//! What is in files: opening them, reading, writing, and their streams.

use crate::{
    Case, cases,
    folder::{FOLLOW, NOFOLLOW, READ, WRITE, refused, root, to_the_end, whole},
};
use wasip2::{
    filesystem::types::{Advice, DescriptorFlags, DescriptorType, ErrorCode, OpenFlags, filesystem_error_code},
    io::streams::{OutputStream, StreamError},
};

pub(crate) const CASES: &[Case] = cases![
    opening,
    opening_with_flags,
    flags_and_types,
    flags_of_folders,
    flags_of_a_folder_to_change,
    directions,
    read_and_write,
    read_beyond,
    streams_at_offsets,
    two_streams_at_one_time,
    append_stream,
    a_stream_outlives_its_file,
    a_stream_of_the_wrong_direction,
    sizes,
    sizes_that_are_too_large,
    advice,
    syncing,
    removed_and_still_open,
    large,
    same_object,
];

fn opening() {
    let root = root();
    refused(root.open("missing", OpenFlags::empty(), READ), &[ErrorCode::NoEntry]);
    refused(root.open("", OpenFlags::empty(), READ), &[ErrorCode::NoEntry]);
    refused(root.open("missing", OpenFlags::TRUNCATE, WRITE), &[ErrorCode::NoEntry]);
    refused(root.open("a.txt/below", OpenFlags::empty(), READ), &[ErrorCode::NotDirectory]);
    refused(root.open("a.txt", OpenFlags::DIRECTORY, READ), &[ErrorCode::NotDirectory]);
    refused(root.open("a.txt/", OpenFlags::empty(), READ), &[ErrorCode::NotDirectory]);
    refused(root.open(".", OpenFlags::empty(), WRITE), &[ErrorCode::IsDirectory]);
    refused(root.open("a.txt", OpenFlags::CREATE | OpenFlags::EXCLUSIVE, WRITE), &[ErrorCode::Exist]);
    let file = root.read_only("a.txt");
    refused(file.open_at(NOFOLLOW, "below", OpenFlags::CREATE, WRITE), &[ErrorCode::NotDirectory]);
}

fn opening_with_flags() {
    let root = root();
    let file = root.open("new", OpenFlags::CREATE | OpenFlags::EXCLUSIVE, READ | WRITE).unwrap();
    file.write(b"contents", 0).unwrap();
    assert_eq!(whole(&root.create("new")), b"contents", "to create what is there opens it");
    let file = root.open("new", OpenFlags::TRUNCATE, READ | WRITE).unwrap();
    assert_eq!(file.stat().unwrap().size, 0);
    root.open_at(FOLLOW, "a.txt", OpenFlags::empty(), READ).unwrap();
}

/// What is asked for is what there is; nothing asked for is to read, and to create is to write.
fn flags_and_types() {
    let root = root();
    for (how, flags, expected) in [
        (OpenFlags::empty(), DescriptorFlags::empty(), READ),
        (OpenFlags::EXCLUSIVE, DescriptorFlags::empty(), READ),
        (OpenFlags::empty(), READ, READ),
        (OpenFlags::empty(), WRITE, WRITE),
        (OpenFlags::empty(), READ | WRITE, READ | WRITE),
        (OpenFlags::CREATE, DescriptorFlags::empty(), READ | WRITE),
        (OpenFlags::CREATE, WRITE, WRITE),
    ] {
        let file = root.open("a.txt", how, flags).unwrap();
        assert_eq!(file.get_flags(), Ok(expected), "{how:?} {flags:?}");
        assert_eq!(file.get_type(), Ok(DescriptorType::RegularFile));
    }
}

fn flags_of_folders() {
    let root = root();
    assert_eq!(root.get_flags(), Ok(READ | DescriptorFlags::MUTATE_DIRECTORY));
    assert_eq!(root.get_type(), Ok(DescriptorType::Directory));
    let plain = root.open(".", OpenFlags::empty(), DescriptorFlags::empty()).unwrap();
    assert!(plain.get_flags().unwrap().contains(READ));
}

/// A folder that was opened to change what is in it says so.
fn flags_of_a_folder_to_change() {
    let flags = READ | DescriptorFlags::MUTATE_DIRECTORY;
    let folder = root().open(".", OpenFlags::DIRECTORY, flags).unwrap();
    assert_eq!(folder.get_flags(), Ok(flags));
}

fn directions() {
    let root = root();
    let no_way = &[ErrorCode::BadDescriptor, ErrorCode::NotPermitted, ErrorCode::Access];
    let file = root.read_only("a.txt");
    refused(file.write(b"x", 0), no_way);
    let file = root.open("a.txt", OpenFlags::empty(), WRITE).unwrap();
    refused(file.read(1, 0), no_way);
    refused(root.read(1, 0), &[no_way.as_slice(), &[ErrorCode::IsDirectory]].concat());
    refused(root.write(b"x", 0), &[no_way.as_slice(), &[ErrorCode::IsDirectory]].concat());
    refused(root.set_size(0), &[no_way.as_slice(), &[ErrorCode::IsDirectory, ErrorCode::Invalid]].concat());
    assert_eq!(root.contents("a.txt"), b"test-a\n");
}

fn read_and_write() {
    let file = root().create("file");
    assert_eq!(file.write(b"012345", 0), Ok(6));
    assert_eq!(file.write(b"ab", 2), Ok(2));
    assert_eq!(file.write(b"z", 8), Ok(1));
    assert_eq!(file.write(b"", 100), Ok(0));
    assert_eq!(whole(&file), b"01ab45\0\0z");
    assert_eq!(file.read(3, 1).unwrap().0, b"1ab");
}

fn read_beyond() {
    let file = root().read_only("a.txt");
    // Whether the end comes with the last bytes or after them is the host's to say.
    assert_eq!(file.read(100, 0).unwrap().0, b"test-a\n");
    assert_eq!(file.read(10, 7).unwrap(), (vec![], true));
    assert_eq!(file.read(10, 1000).unwrap(), (vec![], true));
    let (bytes, _) = file.read(0, 0).unwrap();
    assert_eq!(bytes, []);
    refused(file.read(1, u64::MAX), &[ErrorCode::Invalid, ErrorCode::Overflow]);
}

fn streams_at_offsets() {
    let file = root().read_only("a.txt");
    for (offset, expected) in [(0, &b"test-a\n"[..]), (1, b"est-a\n"), (6, b"\n"), (7, b""), (17, b"")] {
        assert_eq!(to_the_end(&file.read_via_stream(offset).unwrap()), expected, "{offset}");
    }
    let file = root().create("file");
    write_all(&file.write_via_stream(3).unwrap(), b"abc");
    write_all(&file.write_via_stream(0).unwrap(), b"xy");
    assert_eq!(whole(&file), b"xy\0abc");
}

/// Each stream has a position of its own.
fn two_streams_at_one_time() {
    let file = root().read_only("a.txt");
    let (first, second) = (file.read_via_stream(0).unwrap(), file.read_via_stream(0).unwrap());
    assert_eq!(first.blocking_read(3).unwrap(), b"tes");
    assert_eq!(second.blocking_read(4).unwrap(), b"test");
    assert_eq!(first.blocking_read(10).unwrap(), b"t-a\n");
    assert_eq!(second.blocking_skip(10).unwrap(), 3);
    assert!(matches!(second.blocking_read(1), Err(StreamError::Closed)));
}

fn append_stream() {
    let root = root();
    root.put("file", b"begin");
    let file = root.create("file");
    let stream = file.append_via_stream().unwrap();
    write_all(&stream, b"1");
    file.write(b"2", 6).unwrap();
    write_all(&stream, b"3");
    assert_eq!(root.contents("file"), b"begin123");
}

fn a_stream_outlives_its_file() {
    let root = root();
    let stream = root.read_only("a.txt").read_via_stream(0).unwrap();
    assert_eq!(to_the_end(&stream), b"test-a\n");
    let stream = root.create("file").write_via_stream(0).unwrap();
    write_all(&stream, b"late");
    drop(stream);
    assert_eq!(root.contents("file"), b"late");
}

/// It is refused when it is made, or when it is used.
fn a_stream_of_the_wrong_direction() {
    let root = root();
    let no_way = &[ErrorCode::BadDescriptor, ErrorCode::NotPermitted, ErrorCode::Access];
    match root.read_only("a.txt").write_via_stream(0) {
        Ok(stream) => match stream.blocking_write_and_flush(b"x") {
            Err(StreamError::LastOperationFailed(error)) => assert!(filesystem_error_code(&error).is_some()),
            other => panic!("{other:?}"),
        },
        refusal => refused(refusal, no_way),
    }
    refused(root.read_via_stream(0), &[no_way.as_slice(), &[ErrorCode::IsDirectory]].concat());
    refused(root.write_via_stream(0), &[no_way.as_slice(), &[ErrorCode::IsDirectory]].concat());
}

fn sizes() {
    let root = root();
    let file = root.create("file");
    file.write(b"0123456789", 0).unwrap();
    file.set_size(4).unwrap();
    file.set_size(6).unwrap();
    assert_eq!((file.stat().unwrap().size, root.contents("file")), (6, b"0123\0\0".to_vec()));
    let reader = root.read_only("file");
    refused(reader.set_size(100), &[ErrorCode::Invalid, ErrorCode::BadDescriptor, ErrorCode::Access]);
}

fn sizes_that_are_too_large() {
    let file = root().create("file");
    let too_large = &[ErrorCode::Invalid, ErrorCode::FileTooLarge, ErrorCode::Quota];
    refused(file.set_size(u64::MAX), too_large);
    refused(file.write(b"x", u64::MAX), too_large);
    assert_eq!(file.stat().unwrap().size, 0);
}

fn advice() {
    let root = root();
    refused(root.advise(0, 0, Advice::Normal), &[ErrorCode::BadDescriptor]);
    let file = root.read_only("a.txt");
    let all = [Advice::Normal, Advice::Sequential, Advice::Random, Advice::WillNeed, Advice::DontNeed, Advice::NoReuse];
    for advice in all {
        for (offset, length) in [(0, 0), (0, 7), (7, 4096), (10_000, 1)] {
            assert_eq!(file.advise(offset, length, advice), Ok(()), "{advice:?} {offset} {length}");
        }
    }
}

fn syncing() {
    let root = root();
    for file in [root.create("file"), root.read_only("a.txt"), root.read_only(".")] {
        assert_eq!((file.sync(), file.sync_data()), (Ok(()), Ok(())));
    }
}

fn removed_and_still_open() {
    let root = root();
    let file = root.create("file");
    file.write(b"old", 0).unwrap();
    root.unlink_file_at("file").unwrap();
    root.put("file", b"new");
    assert_eq!(file.write(b"er", 3), Ok(2));
    assert_eq!((whole(&file), root.contents("file")), (b"older".to_vec(), b"new".to_vec()));
}

fn large() {
    let root = root();
    let bytes: Vec<u8> = (0..3_000_000u32).map(|n| (n % 251) as u8).collect();
    write_all(&root.create("file").write_via_stream(0).unwrap(), &bytes);
    assert!(root.contents("file") == bytes);
}

fn same_object() {
    let root = root();
    let (a, again, b) = (root.read_only("a.txt"), root.read_only("./a.txt"), root.read_only("b.txt"));
    root.link_at(NOFOLLOW, "a.txt", &root, "link").unwrap();
    let link = root.read_only("link");
    assert!(a.is_same_object(&a) && a.is_same_object(&again) && a.is_same_object(&link));
    assert!(!a.is_same_object(&b) && !a.is_same_object(&root));
    assert!(root.is_same_object(&root.read_only(".")));
}

#[track_caller]
pub(crate) fn write_all(stream: &OutputStream, bytes: &[u8]) {
    for chunk in bytes.chunks(4096) {
        stream.blocking_write_and_flush(chunk).unwrap();
    }
}
