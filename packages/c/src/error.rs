//! Why a function could not do what it was asked for.

use crate::status::{Status, always};
use sandbar_embed::{CallError, Outcome, Receipt};
use std::{
    ffi::{CString, c_char},
    ptr::null,
    sync::OnceLock,
};

/// Why a function could not do what it was asked for. It is the caller's, and is freed by `sandbar_error_free`.
#[derive(Debug)]
pub struct Error {
    pub(crate) status: Status,
    message: CString,
    /// What the guest ended with where it said that it failed.
    code: i32,
    receipt: Option<Box<Receipt>>,
    /// The same, once it was asked for.
    json: OnceLock<CString>,
}

impl Error {
    pub(crate) fn new(status: Status, message: &str) -> Error {
        Error { status, message: text(message), code: 0, receipt: None, json: OnceLock::new() }
    }

    pub(crate) fn argument(message: &str) -> Error {
        Error::new(Status::Argument, message)
    }

    /// The message.
    pub(crate) fn text(&self) -> &str {
        self.message.to_str().unwrap_or_default()
    }

    pub(crate) fn bug(message: &str) -> Error {
        Error::new(Status::Bug, &format!("the library panicked: {message}"))
    }
}

impl From<sandbar_embed::Error> for Error {
    fn from(error: sandbar_embed::Error) -> Error {
        use sandbar_embed::Error::{Grant, Load, Manifest, Option, SelfTest, Setup, Start};
        let status = match &error {
            Load(_) | Manifest { .. } => Status::Load,
            Grant(_) | Option(_) => Status::Argument,
            Start(outcome) => outcome.kind().into(),
            SelfTest(_) => Status::SelfTest,
            Setup(_) => Status::System,
        };
        Error::new(status, &error.to_string())
    }
}

impl From<CallError> for Error {
    fn from(error: CallError) -> Error {
        let code = match &error.outcome {
            Outcome::Failed { code: Some(code), .. } => *code,
            _ => 0,
        };
        Error { code, receipt: error.receipt.clone(), ..Error::new(error.outcome.kind().into(), &error.to_string()) }
    }
}

/// A text for C, where the first zero byte would be its end.
fn text(text: &str) -> CString {
    CString::new(text.replace('\0', "\u{fffd}")).unwrap_or_default()
}

/// Gives the status that the function returned.
#[unsafe(no_mangle)]
pub extern "C" fn sandbar_error_status_v1(error: Option<&Error>) -> Status {
    error.map_or(Status::Argument, |error| error.status)
}

/// Gives the message: one line in most cases, lower case, no full stop. It lives as long as the error.
#[unsafe(no_mangle)]
pub extern "C" fn sandbar_error_message_v1(error: Option<&Error>) -> *const c_char {
    error.map_or(c"no error", |error| &error.message).as_ptr()
}

/// Gives the number that the guest ended with where the status is `SANDBAR_FAILED`, and zero otherwise.
#[unsafe(no_mangle)]
pub extern "C" fn sandbar_error_code_v1(error: Option<&Error>) -> i32 {
    error.map_or(0, |error| error.code)
}

/// Gives the receipt of the call as JSON, or null where no call began. It lives as long as the error.
#[unsafe(no_mangle)]
pub extern "C" fn sandbar_error_receipt_v1(error: Option<&Error>) -> *const c_char {
    let Some(Error { receipt: Some(receipt), json, .. }) = error else { return null() };
    json.get_or_init(|| text(&serde_json::to_string(receipt).unwrap_or_default())).as_ptr()
}

/// Frees an error; null is none.
#[unsafe(no_mangle)]
pub extern "C" fn sandbar_error_free_v1(error: Option<Box<Error>>) {
    always(|| drop(error));
}
