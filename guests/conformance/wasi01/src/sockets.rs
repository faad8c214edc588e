//! Sockets, which a command of WASI 0.1 can't open: the calls for them tell a descriptor that is none from one that is
//! something else.

use crate::{
    Case, cases,
    host::{READ, ROOT, open_for, refused},
};
use wasi::{Ciovec, Errno, FD_STDOUT, Fd, Iovec};

pub(crate) const CASES: &[Case] = cases![no_sockets, no_descriptors];

fn no_sockets() {
    for fd in [FD_STDOUT, ROOT, open_for(ROOT, "a.txt", READ)] {
        all(fd, wasi::ERRNO_NOTSOCK);
    }
}

fn no_descriptors() {
    all(1000, wasi::ERRNO_BADF);
}

#[track_caller]
fn all(fd: Fd, expected: Errno) {
    let mut byte = [0];
    // SAFETY: the pointers and lengths are those of one array.
    unsafe {
        for how in [wasi::SDFLAGS_RD, wasi::SDFLAGS_WR, wasi::SDFLAGS_RD | wasi::SDFLAGS_WR] {
            refused(wasi::sock_shutdown(fd, how), &[expected]);
        }
        refused(wasi::sock_send(fd, &[Ciovec { buf: byte.as_ptr(), buf_len: 1 }], 0), &[expected]);
        refused(wasi::sock_recv(fd, &[Iovec { buf: byte.as_mut_ptr(), buf_len: 1 }], 0), &[expected]);
        refused(wasi::sock_accept(fd, 0), &[expected]);
    }
}
