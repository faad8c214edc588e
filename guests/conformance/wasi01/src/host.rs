//! The calls that cases make: WASI's own, with slices for pointers.
//!
//! Each is one call and leaves its answer as it is. What is unsafe in them is that the host is given pointers: here they
//! are always those of a slice or a value that outlives the call.

use std::mem::MaybeUninit;
use wasi::{
    Ciovec, Clockid, Dircookie, Errno, Event, Fd, Fdflags, Fdstat, Filedelta, Filesize, Filestat, Fstflags, Iovec,
    Lookupflags, Oflags, Rights, Subscription, Timestamp, Whence,
};

/// The folder that a case may do with as it likes.
pub(crate) const ROOT: Fd = 3;

/// Follows a symbolic link at the end of a path.
pub(crate) const FOLLOW: Lookupflags = wasi::LOOKUPFLAGS_SYMLINK_FOLLOW;
/// Takes it for itself.
pub(crate) const NOFOLLOW: Lookupflags = 0;

pub(crate) const READ: Rights = wasi::RIGHTS_FD_READ;
pub(crate) const WRITE: Rights = wasi::RIGHTS_FD_WRITE;

/// Checks that a call is refused with one of these.
#[track_caller]
pub(crate) fn refused<T>(answer: Result<T, Errno>, expected: &[Errno]) {
    let names = || expected.iter().map(|errno| errno.name()).collect::<Vec<_>>().join(" or ");
    match answer {
        Ok(_) => panic!("expected {}, and it was done", names()),
        Err(errno) if expected.contains(&errno) => {}
        Err(errno) => panic!("expected {}, found {}", names(), errno.name()),
    }
}

/// How something is opened.
#[derive(Clone, Copy, Default)]
pub(crate) struct How {
    pub(crate) follow: Lookupflags,
    pub(crate) oflags: Oflags,
    pub(crate) rights: Rights,
    pub(crate) fdflags: Fdflags,
}

pub(crate) fn open(dir: Fd, path: &str, how: How) -> Result<Fd, Errno> {
    // Of the inherited rights a host may make what it wants; libraries ask for all.
    let How { follow, oflags, rights, fdflags } = how;
    unsafe { wasi::path_open(dir, follow, path, oflags, rights, Rights::MAX >> 34, fdflags) }
}

/// Makes a file, or opens the one that is there, to read and write.
#[track_caller]
pub(crate) fn create(dir: Fd, path: &str) -> Fd {
    let how = How { oflags: wasi::OFLAGS_CREAT, rights: READ | WRITE, ..How::default() };
    let fd = open(dir, path, how).unwrap_or_else(|errno| panic!("creating `{path}`: {}", errno.name()));
    assert!(fd > ROOT, "0 to 2 are stdio, 3 is the folder, and `{path}` is {fd}");
    fd
}

/// Makes a file that holds these bytes.
#[track_caller]
pub(crate) fn put(dir: Fd, path: &str, bytes: &[u8]) {
    let fd = create(dir, path);
    assert_eq!(write(fd, bytes), Ok(bytes.len()), "writing `{path}`");
    close(fd).unwrap();
}

/// Opens what is there.
#[track_caller]
pub(crate) fn open_for(dir: Fd, path: &str, rights: Rights) -> Fd {
    let how = How { rights, ..How::default() };
    open(dir, path, how).unwrap_or_else(|errno| panic!("opening `{path}`: {}", errno.name()))
}

/// Opens a folder.
#[track_caller]
pub(crate) fn folder(dir: Fd, path: &str) -> Fd {
    let how = How { oflags: wasi::OFLAGS_DIRECTORY, ..How::default() };
    open(dir, path, how).unwrap_or_else(|errno| panic!("opening the folder `{path}`: {}", errno.name()))
}

/// All that a file holds.
#[track_caller]
pub(crate) fn contents(dir: Fd, path: &str) -> Vec<u8> {
    let fd = open_for(dir, path, READ);
    let all = rest(fd);
    close(fd).unwrap();
    all
}

/// What is left to read of a file.
#[track_caller]
pub(crate) fn rest(fd: Fd) -> Vec<u8> {
    let mut all = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match read(fd, &mut buffer).unwrap() {
            0 => return all,
            count => all.extend_from_slice(&buffer[..count]),
        }
    }
}

pub(crate) fn exists(dir: Fd, path: &str) -> bool {
    stat_at(dir, NOFOLLOW, path).is_ok()
}

pub(crate) fn close(fd: Fd) -> Result<(), Errno> {
    unsafe { wasi::fd_close(fd) }
}

pub(crate) fn read(fd: Fd, bytes: &mut [u8]) -> Result<usize, Errno> {
    unsafe { wasi::fd_read(fd, &[into(bytes)]) }
}

/// Reads into two buffers with one call.
pub(crate) fn read_two(fd: Fd, first: &mut [u8], second: &mut [u8]) -> Result<usize, Errno> {
    unsafe { wasi::fd_read(fd, &[into(first), into(second)]) }
}

pub(crate) fn write(fd: Fd, bytes: &[u8]) -> Result<usize, Errno> {
    unsafe { wasi::fd_write(fd, &[from(bytes)]) }
}

/// Writes two buffers with one call.
pub(crate) fn write_two(fd: Fd, first: &[u8], second: &[u8]) -> Result<usize, Errno> {
    unsafe { wasi::fd_write(fd, &[from(first), from(second)]) }
}

/// Reads or writes no buffer at all.
pub(crate) fn read_none(fd: Fd) -> Result<usize, Errno> {
    unsafe { wasi::fd_read(fd, &[]) }
}

pub(crate) fn write_none(fd: Fd) -> Result<usize, Errno> {
    unsafe { wasi::fd_write(fd, &[]) }
}

pub(crate) fn read_at(fd: Fd, bytes: &mut [u8], offset: Filesize) -> Result<usize, Errno> {
    unsafe { wasi::fd_pread(fd, &[into(bytes)], offset) }
}

pub(crate) fn write_at(fd: Fd, bytes: &[u8], offset: Filesize) -> Result<usize, Errno> {
    unsafe { wasi::fd_pwrite(fd, &[from(bytes)], offset) }
}

fn into(bytes: &mut [u8]) -> Iovec {
    Iovec { buf: bytes.as_mut_ptr(), buf_len: bytes.len() }
}

fn from(bytes: &[u8]) -> Ciovec {
    Ciovec { buf: bytes.as_ptr(), buf_len: bytes.len() }
}

pub(crate) fn seek(fd: Fd, offset: Filedelta, whence: Whence) -> Result<Filesize, Errno> {
    unsafe { wasi::fd_seek(fd, offset, whence) }
}

pub(crate) fn tell(fd: Fd) -> Result<Filesize, Errno> {
    unsafe { wasi::fd_tell(fd) }
}

pub(crate) fn set_size(fd: Fd, size: Filesize) -> Result<(), Errno> {
    unsafe { wasi::fd_filestat_set_size(fd, size) }
}

pub(crate) fn allocate(fd: Fd, offset: Filesize, length: Filesize) -> Result<(), Errno> {
    unsafe { wasi::fd_allocate(fd, offset, length) }
}

pub(crate) fn advise(fd: Fd, offset: Filesize, length: Filesize, advice: wasi::Advice) -> Result<(), Errno> {
    unsafe { wasi::fd_advise(fd, offset, length, advice) }
}

pub(crate) fn sync(fd: Fd) -> Result<(), Errno> {
    unsafe { wasi::fd_sync(fd) }
}

pub(crate) fn datasync(fd: Fd) -> Result<(), Errno> {
    unsafe { wasi::fd_datasync(fd) }
}

pub(crate) fn fdstat(fd: Fd) -> Result<Fdstat, Errno> {
    unsafe { wasi::fd_fdstat_get(fd) }
}

pub(crate) fn set_fdflags(fd: Fd, flags: Fdflags) -> Result<(), Errno> {
    unsafe { wasi::fd_fdstat_set_flags(fd, flags) }
}

pub(crate) fn set_rights(fd: Fd, base: Rights, inheriting: Rights) -> Result<(), Errno> {
    unsafe { wasi::fd_fdstat_set_rights(fd, base, inheriting) }
}

pub(crate) fn renumber(from: Fd, to: Fd) -> Result<(), Errno> {
    unsafe { wasi::fd_renumber(from, to) }
}

/// The guest's name of a folder that was granted. None where this is none.
pub(crate) fn granted_as(fd: Fd) -> Option<String> {
    let prestat = unsafe { wasi::fd_prestat_get(fd) }.ok()?;
    assert_eq!(prestat.tag, wasi::PREOPENTYPE_DIR.raw());
    let mut name = vec![0; unsafe { prestat.u.dir }.pr_name_len];
    granted_name(fd, &mut name).unwrap();
    String::from_utf8(name).ok()
}

pub(crate) fn granted_name(fd: Fd, name: &mut [u8]) -> Result<(), Errno> {
    unsafe { wasi::fd_prestat_dir_name(fd, name.as_mut_ptr(), name.len()) }
}

pub(crate) fn stat(fd: Fd) -> Result<Filestat, Errno> {
    unsafe { wasi::fd_filestat_get(fd) }
}

pub(crate) fn stat_at(dir: Fd, follow: Lookupflags, path: &str) -> Result<Filestat, Errno> {
    unsafe { wasi::path_filestat_get(dir, follow, path) }
}

pub(crate) fn set_times(fd: Fd, accessed: Timestamp, modified: Timestamp, which: Fstflags) -> Result<(), Errno> {
    unsafe { wasi::fd_filestat_set_times(fd, accessed, modified, which) }
}

/// Sets both times of what a path names.
pub(crate) fn set_times_at(
    dir: Fd,
    follow: Lookupflags,
    path: &str,
    times: (Timestamp, Timestamp),
    which: Fstflags,
) -> Result<(), Errno> {
    unsafe { wasi::path_filestat_set_times(dir, follow, path, times.0, times.1, which) }
}

pub(crate) fn mkdir(dir: Fd, path: &str) -> Result<(), Errno> {
    unsafe { wasi::path_create_directory(dir, path) }
}

pub(crate) fn rmdir(dir: Fd, path: &str) -> Result<(), Errno> {
    unsafe { wasi::path_remove_directory(dir, path) }
}

pub(crate) fn unlink(dir: Fd, path: &str) -> Result<(), Errno> {
    unsafe { wasi::path_unlink_file(dir, path) }
}

pub(crate) fn rename(from: (Fd, &str), to: (Fd, &str)) -> Result<(), Errno> {
    unsafe { wasi::path_rename(from.0, from.1, to.0, to.1) }
}

pub(crate) fn link(follow: Lookupflags, from: (Fd, &str), to: (Fd, &str)) -> Result<(), Errno> {
    unsafe { wasi::path_link(from.0, follow, from.1, to.0, to.1) }
}

pub(crate) fn symlink(target: &str, dir: Fd, path: &str) -> Result<(), Errno> {
    unsafe { wasi::path_symlink(target, dir, path) }
}

pub(crate) fn readlink(dir: Fd, path: &str, into: &mut [u8]) -> Result<usize, Errno> {
    unsafe { wasi::path_readlink(dir, path, into.as_mut_ptr(), into.len()) }
}

pub(crate) fn readdir(dir: Fd, into: &mut [u8], cookie: Dircookie) -> Result<usize, Errno> {
    unsafe { wasi::fd_readdir(dir, into.as_mut_ptr(), into.len(), cookie) }
}

pub(crate) fn now(clock: Clockid) -> Result<Timestamp, Errno> {
    unsafe { wasi::clock_time_get(clock, 1) }
}

pub(crate) fn resolution(clock: Clockid) -> Result<Timestamp, Errno> {
    unsafe { wasi::clock_res_get(clock) }
}

pub(crate) fn poll(subscriptions: &[Subscription]) -> Result<Vec<Event>, Errno> {
    let mut events = vec![MaybeUninit::<Event>::zeroed(); subscriptions.len()];
    let count = unsafe { wasi::poll_oneoff(subscriptions.as_ptr(), events.as_mut_ptr().cast(), subscriptions.len()) }?;
    assert!(count <= subscriptions.len());
    // Zeros are an event, and the host has written over the first of them.
    Ok(events[..count].iter().map(|event| unsafe { event.assume_init() }).collect())
}

pub(crate) fn fill_random(bytes: &mut [u8]) -> Result<(), Errno> {
    unsafe { wasi::random_get(bytes.as_mut_ptr(), bytes.len()) }
}
