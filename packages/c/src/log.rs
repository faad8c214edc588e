//! What plugins say, and what is said of them.

use crate::{callback::Callback, value::Bytes};
use sandbar_embed as embed;
use std::ffi::c_void;

/// How much a line matters.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// The finest that a guest says itself.
    Trace = 0,
    /// What helps its author.
    Debug = 1,
    /// What the guest wrote to stderr, and hints.
    Info = 2,
    /// A call that did not end well.
    Warn = 3,
    /// A failure of the host.
    Error = 4,
}

/// A line about a call. It is there until the callback returns.
#[repr(C)]
#[derive(Debug)]
pub struct LogRecord {
    /// How much it matters.
    pub level: LogLevel,
    /// The plugin's name, UTF-8.
    pub plugin: Bytes,
    /// The call, 32 hexadecimal digits.
    pub call: Bytes,
    /// What was said, UTF-8 without control characters.
    pub message: Bytes,
}

/// Takes lines, on whatever thread there is something to say, at one time on several. It must not block.
pub type LogCallback = Option<extern "C" fn(record: *const LogRecord, user_data: *mut c_void)>;

/// Tells a line.
pub(crate) fn tell(callback: &Callback<extern "C" fn(*const LogRecord, *mut c_void)>, record: &embed::LogRecord) {
    let call = record.call.to_string();
    let shown = LogRecord {
        level: match record.level {
            embed::LogLevel::Trace => LogLevel::Trace,
            embed::LogLevel::Debug => LogLevel::Debug,
            embed::LogLevel::Info => LogLevel::Info,
            embed::LogLevel::Warn => LogLevel::Warn,
            embed::LogLevel::Error => LogLevel::Error,
        },
        plugin: view(&record.guest),
        call: view(&call),
        message: view(&record.message),
    };
    (callback.function)(&raw const shown, callback.user_data());
}

/// Reads a level that C gives, which may be any number.
pub(crate) fn level(level: i32) -> embed::LogLevel {
    match level {
        ..=0 => embed::LogLevel::Trace,
        1 => embed::LogLevel::Debug,
        2 => embed::LogLevel::Info,
        3 => embed::LogLevel::Warn,
        4.. => embed::LogLevel::Error,
    }
}

fn view(text: &str) -> Bytes {
    Bytes { data: text.as_ptr(), length: text.len() }
}
