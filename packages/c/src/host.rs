//! What plugins share: one engine, one cache of compiled plugins, one pool of sandboxes.

use crate::{
    error::Error,
    host_options,
    pointer::{self, null},
    status::{Status, always, ends},
    terms::json,
};
use std::{
    ffi::{c_char, c_int},
    process::ExitCode,
};

/// What plugins share. Any thread can use it; make one for a process, after forking.
pub struct Host(pub(crate) sandbar_embed::Host);

/// Sets a host up by options as JSON, or without where `options` is null. It is freed by `sandbar_host_free`.
///
/// The keys are `cache` (a folder, or `false`), `compiler` (the path of `sandbar`, which then compiles in a process of its own),
/// `sandboxes_max` and `interruption` (`"epochs"` or `"signals"`).
#[unsafe(no_mangle)]
pub extern "C" fn sandbar_host_new_v1(options: *const c_char, host: *mut *mut Host, error: *mut *mut Error) -> Status {
    ends(error, || {
        pointer::give(host, None);
        let options = pointer::optional_text(options, "options")?.map(|text| json(text, "options")).transpose()?;
        if host.is_null() {
            return Err(null("host"));
        }
        let builder = host_options::builder(options.as_ref()).map_err(|problem| Error::argument(&problem))?;
        pointer::give(host, Some(Host(builder.build()?)));
        Ok(())
    })
}

/// Frees a host; null is none. Plugins that are there still keep what they need of it.
#[unsafe(no_mangle)]
pub extern "C" fn sandbar_host_free_v1(host: Option<Box<Host>>) {
    always(|| drop(host));
}

/// Is the compiler for the process that started this one, where the program's first argument asks for that, and gives what `main` has to
/// return then; otherwise gives -1 and does nothing. A program that calls it first thing in `main`, with the count of its arguments
/// and `argv[1]`, can be its own `compiler`.
#[unsafe(no_mangle)]
pub extern "C" fn sandbar_compiler_main_v1(arguments_count: c_int, first_argument: *const c_char) -> c_int {
    let asked = arguments_count > 1
        && pointer::optional_text(first_argument, "first_argument")
            .is_ok_and(|first| first == Some(sandbar_embed::COMPILER_ARGUMENT));
    if !asked {
        return -1;
    }
    let mut status = ExitCode::FAILURE;
    always(|| status = sandbar_embed::compiler_main());
    c_int::from(status != ExitCode::SUCCESS)
}

/// Gives the library's version, such as `0.1.0`. The text is there for ever.
#[unsafe(no_mangle)]
pub extern "C" fn sandbar_version_v1() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}
