//! File functions of WASI 0.1 that are wasmtime-wasi's as they are, but for the fuel that they cost.

use super::{
    Names,
    guest::{Guest, pass_later},
};
use crate::state::State;
use wasmtime::{Caller, Linker, Result};
use wasmtime_wasi::p1::wasi_snapshot_preview1 as wasi;

/// Lays them over, under one of the names of WASI 0.1, for a guest that has a folder.
pub(crate) fn link(linker: &mut Linker<State>, names: Names) -> Result<()> {
    pass_later! {
        linker, names, enter_outside;
        fd_datasync(fd: i32);
        fd_filestat_get(fd: i32, found: i32);
        fd_filestat_set_times(fd: i32, accessed: i64, modified: i64, flags: i32);
        fd_sync(fd: i32);
        path_filestat_get(fd: i32, follow: i32, path: i32, length: i32, found: i32);
        path_filestat_set_times(fd: i32, follow: i32, path: i32, length: i32, accessed: i64, modified: i64, flags: i32);
        path_readlink(fd: i32, path: i32, length: i32, at: i32, most: i32, read: i32);
    }
    Ok(())
}
