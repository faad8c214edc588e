//! Replaces a plugin when its file changes.

use crate::{
    callback::{Destructor, UserData},
    error::Error,
    plugin::Plugin,
    pointer::{self, handle, null},
    status::{Status, always, ends},
};
use std::{
    ffi::{c_char, c_void},
    ptr::null as nothing,
};

/// Watches a file, until it is freed.
pub struct Watch(#[expect(dead_code, reason = "it works until it is dropped")] sandbar_embed::Watch);

/// Tells how a replacement went, on a thread of the library's: `error` is null where it went well, and is the library's.
pub type WatchCallback = Option<extern "C" fn(error: *const Error, user_data: *mut c_void)>;

/// Replaces a plugin whenever a file changes, which is looked at four times a second and is loaded once it has been the same for a
/// quarter of a second. `told` may be null. `destructor` frees `user_data` when the watch has ended, also where this fails.
#[unsafe(no_mangle)]
pub extern "C" fn sandbar_plugin_watch_v1(
    plugin: Option<&Plugin>,
    path: *const c_char,
    told: WatchCallback,
    user_data: *mut c_void,
    destructor: Destructor,
    watch: *mut *mut Watch,
    error: *mut *mut Error,
) -> Status {
    let user_data = UserData::new(user_data, destructor);
    ends(error, || {
        pointer::give(watch, None);
        let (plugin, path) = (handle(plugin, "plugin")?, pointer::path(path, "path")?);
        if watch.is_null() {
            return Err(null("watch"));
        }
        let callback = user_data.of(told);
        let watching = plugin.0.watch(path, move |replaced| {
            let error = replaced.err().map(Error::from);
            if let Some(told) = callback.function {
                told(error.as_ref().map_or(nothing(), |error| error), callback.user_data());
            }
        });
        pointer::give(watch, Some(Watch(watching?)));
        Ok(())
    })
}

/// Ends a watch, and waits for a replacement that is under way; null is none.
#[unsafe(no_mangle)]
pub extern "C" fn sandbar_watch_free_v1(watch: Option<Box<Watch>>) {
    always(|| drop(watch));
}
