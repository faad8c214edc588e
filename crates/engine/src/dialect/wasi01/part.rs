//! All of WASI 0.1 for a part that was linked into a guest with a memory of its own.
//!
//! wasmtime-wasi looks for the memory of who calls it under the one name `memory`, which is another part's. These are its functions
//! with the memory given to them.

use super::{
    Names,
    guest::{Guest, pass_later},
};
use crate::state::State;
use wasmtime::{Caller, Linker, Result};
use wasmtime_wasi::p1::wasi_snapshot_preview1 as wasi;

/// Provides them. What a function lacks is laid over them as over wasmtime-wasi's own.
pub(crate) fn link(linker: &mut Linker<State>, names: Names) -> Result<()> {
    at_once(linker, names)?;
    later(linker, names)
}

fn at_once(linker: &mut Linker<State>, names: Names) -> Result<()> {
    macro_rules! link {
        ($($name:ident($($argument:ident: $ty:ty),*);)+) => {$(
            linker.func_wrap(
                names.module,
                stringify!($name),
                move |mut caller: Caller<'_, State>, $($argument: $ty),*| {
                    let export = caller.get_export(names.memory);
                    let Guest { mut memory, state } = Guest::enter(&export, &mut caller)?;
                    wasi::$name(&mut state.wasi, &mut memory, $($argument),*)
                },
            )?;
        )+};
    }
    link! {
        args_get(list: i32, texts: i32);
        args_sizes_get(count: i32, size: i32);
        environ_get(list: i32, texts: i32);
        environ_sizes_get(count: i32, size: i32);
        clock_res_get(clock: i32, told: i32);
        clock_time_get(clock: i32, precision: i64, told: i32);
        fd_allocate(fd: i32, offset: i64, length: i64);
        fd_fdstat_set_flags(fd: i32, flags: i32);
        fd_fdstat_set_rights(fd: i32, rights: i64, inheriting: i64);
        fd_prestat_get(fd: i32, told: i32);
        fd_prestat_dir_name(fd: i32, path: i32, length: i32);
        fd_tell(fd: i32, told: i32);
        proc_raise(signal: i32);
        sock_accept(fd: i32, flags: i32, told: i32);
        sock_recv(fd: i32, buffers: i32, count: i32, flags: i32, told: i32, flags_told: i32);
        sock_send(fd: i32, buffers: i32, count: i32, flags: i32, told: i32);
        sock_shutdown(fd: i32, how: i32);
    }
    Ok(())
}

fn later(linker: &mut Linker<State>, names: Names) -> Result<()> {
    pass_later! {
        linker, names, enter;
        fd_advise(fd: i32, offset: i64, length: i64, advice: i32);
        fd_close(fd: i32);
        fd_datasync(fd: i32);
        fd_fdstat_get(fd: i32, told: i32);
        fd_filestat_get(fd: i32, told: i32);
        fd_filestat_set_size(fd: i32, size: i64);
        fd_filestat_set_times(fd: i32, accessed: i64, modified: i64, flags: i32);
        fd_pread(fd: i32, buffers: i32, count: i32, offset: i64, told: i32);
        fd_pwrite(fd: i32, buffers: i32, count: i32, offset: i64, told: i32);
        fd_read(fd: i32, buffers: i32, count: i32, told: i32);
        fd_readdir(fd: i32, at: i32, length: i32, cookie: i64, told: i32);
        fd_renumber(from: i32, to: i32);
        fd_seek(fd: i32, offset: i64, whence: i32, told: i32);
        fd_sync(fd: i32);
        fd_write(fd: i32, buffers: i32, count: i32, told: i32);
        path_create_directory(fd: i32, path: i32, length: i32);
        path_filestat_get(fd: i32, follow: i32, path: i32, length: i32, told: i32);
        path_filestat_set_times(fd: i32, follow: i32, path: i32, length: i32, accessed: i64, modified: i64, flags: i32);
        path_link(fd: i32, follow: i32, path: i32, length: i32, new_fd: i32, new_path: i32, new_length: i32);
        path_open(
            fd: i32, follow: i32, path: i32, length: i32, how: i32, rights: i64, inheriting: i64, flags: i32, told: i32
        );
        path_readlink(fd: i32, path: i32, length: i32, at: i32, most: i32, told: i32);
        path_remove_directory(fd: i32, path: i32, length: i32);
        path_rename(fd: i32, path: i32, length: i32, new_fd: i32, new_path: i32, new_length: i32);
        path_symlink(to: i32, to_length: i32, fd: i32, path: i32, length: i32);
        path_unlink_file(fd: i32, path: i32, length: i32);
        poll_oneoff(subscriptions: i32, events: i32, count: i32, told: i32);
    }
    Ok(())
}
