//! Ends one call from another thread.

use crate::status::always;

/// Ends the calls that it is given to, from any thread.
#[derive(Debug, Default)]
pub struct Cancel(pub(crate) sandbar_embed::Cancel);

/// Makes one that no call was given yet. It is freed by `sandbar_cancel_free`.
#[unsafe(no_mangle)]
pub extern "C" fn sandbar_cancel_new_v1() -> Box<Cancel> {
    Box::default()
}

/// Ends the call that it was given to, and every later one that it is given to: within some milliseconds where the guest runs,
/// at once where it waits. A function of the host that was called is not interrupted.
#[unsafe(no_mangle)]
pub extern "C" fn sandbar_cancel_now_v1(cancel: Option<&Cancel>) {
    always(|| cancel.map_or((), |cancel| cancel.0.cancel()));
}

/// Frees it; null is none. The calls that it was given to go on.
#[unsafe(no_mangle)]
pub extern "C" fn sandbar_cancel_free_v1(cancel: Option<Box<Cancel>>) {
    always(|| drop(cancel));
}
