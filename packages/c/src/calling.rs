//! One call of a plugin.

use crate::{
    buffer::{self, Buffer},
    callback::{Destructor, UserData},
    cancel::Cancel,
    error::Error,
    plugin::Plugin,
    pointer::{self, handle},
    status::{Status, ends},
};
use bytes::Bytes;
use sandbar_embed::Input;
use std::{
    ffi::{c_char, c_void},
    time::Duration,
};

/// What one call is made with. All zeroes are none of it.
#[repr(C)]
#[derive(Debug)]
pub struct CallOptions {
    /// What ends the call from another thread, or null.
    pub cancel: *const Cancel,
    /// How much wall time it has, in nanoseconds, where that is less than the plugin's limit; zero for that limit.
    pub within_ns: u64,
    /// What functions of the host find with this call, by `sandbar_call_context`.
    pub context: *mut c_void,
    /// What frees `context` once no function of the host can find it any more, or null. A call that was stopped or cancelled may give
    /// before its guest has ended, where its sandbox is not held.
    pub context_free: Destructor,
    /// Where the call's receipt is written as JSON, or null. Where no call began it is emptied.
    pub receipt: *mut Buffer,
}

/// Calls an export with bytes, and blocks this thread: of a function over stdin and stdout its input. Writes what it gave, or the
/// JSON of what a typed function gave, to `output`, which may be null.
#[unsafe(no_mangle)]
pub extern "C" fn sandbar_plugin_call_v1(
    plugin: Option<&Plugin>,
    export_name: *const c_char,
    input: *const c_void,
    input_length: usize,
    options: Option<&CallOptions>,
    output: *mut Buffer,
    error: *mut *mut Error,
) -> Status {
    ends(error, || {
        let input = || Ok(Input::Bytes(Bytes::copy_from_slice(pointer::bytes(input, input_length, "input")?)));
        call(plugin, export_name, input, options, output)
    })
}

/// Calls an export with JSON: of a typed function its arguments, an array, an object of them by name, or the only one; of a function
/// over stdin and stdout its input. Otherwise as `sandbar_plugin_call`.
#[unsafe(no_mangle)]
pub extern "C" fn sandbar_plugin_call_json_v1(
    plugin: Option<&Plugin>,
    export_name: *const c_char,
    input: *const c_void,
    input_length: usize,
    options: Option<&CallOptions>,
    output: *mut Buffer,
    error: *mut *mut Error,
) -> Status {
    ends(error, || {
        let input = || Ok(Input::Json(Bytes::copy_from_slice(pointer::bytes(input, input_length, "input")?)));
        call(plugin, export_name, input, options, output)
    })
}

fn call(
    plugin: Option<&Plugin>,
    export_name: *const c_char,
    input: impl FnOnce() -> Result<Input, Error>,
    options: Option<&CallOptions>,
    output: *mut Buffer,
) -> Result<(), Error> {
    // First of all, so that it is freed whatever else is wrong.
    let context = options.filter(|options| !options.context.is_null());
    let context = context.map(|options| UserData::new(options.context, options.context_free));
    let (plugin, export) = (handle(plugin, "plugin")?, pointer::text(export_name, "export_name")?);
    let input = input()?;
    let mut calling = plugin.0.calling(export);
    let Some(options) = options else { return buffer::fill(output, &calling.answer(input)?.into_bytes()) };
    if let Some(cancel) = pointer::optional(options.cancel) {
        calling = calling.cancel(&cancel.0);
    }
    if options.within_ns > 0 {
        calling = calling.within(Duration::from_nanos(options.within_ns));
    }
    if let Some(context) = context {
        calling = calling.context(context);
    }
    if options.receipt.is_null() {
        return buffer::fill(output, &calling.answer(input)?.into_bytes());
    }
    let (answer, receipt) = calling.run(input);
    let receipt = receipt.and_then(|receipt| serde_json::to_vec(&receipt).ok()).unwrap_or_default();
    buffer::fill(options.receipt, &receipt)?;
    buffer::fill(output, &answer?.into_bytes())
}
