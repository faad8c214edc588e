//! How a request that a guest sent can fail.

use sandbar_call::{Denial, Stop};
use std::{error::Error, fmt};

/// A failed request. The cases are those that a guest is told apart; the texts are for the log.
#[derive(Clone, Debug)]
pub enum HttpError {
    /// The server, or every address it has, is not granted.
    Denied(Box<Denial>),
    /// The request can't be sent as it is: its URI, method or headers.
    RequestInvalid(String),
    /// The guest's own body failed.
    RequestBody(String),
    /// The name could not be looked up.
    Dns(String),
    /// There is no such name.
    DestinationNotFound,
    /// The server refused the connection.
    ConnectionRefused,
    /// The server can't be reached.
    ConnectionFailed(String),
    /// There was no connection in time: name, connect and TLS together.
    ConnectionTimeout,
    /// The connection ended before the response did.
    ConnectionTerminated,
    /// The call has no connection left.
    ConnectionLimit(Stop),
    /// The server's certificate is not trusted for this host.
    TlsCertificate(String),
    /// TLS failed otherwise.
    TlsProtocol(String),
    /// The response did not begin in time.
    ResponseTimeout,
    /// The response's body paused for too long.
    BodyTimeout,
    /// A body went over the call's limit of bytes.
    BodyLimit(Stop),
    /// The response's body has more bytes than were wanted, which are so many.
    BodyTooLarge(usize),
    /// The response's head is too large.
    ResponseHeadTooLarge,
    /// The server broke HTTP.
    Protocol(String),
}

impl HttpError {
    /// Says what a failed exchange was, from the library's error. An error of a body of ours is found in its causes.
    pub(super) fn of_exchange(error: hyper::Error) -> HttpError {
        let mut cause = error.source();
        while let Some(inner) = cause {
            if let Some(ours) = inner.downcast_ref::<HttpError>() {
                return ours.clone();
            }
            cause = inner.source();
        }
        match &error {
            error if error.is_parse_too_large() => HttpError::ResponseHeadTooLarge,
            error if error.is_parse() => HttpError::Protocol(with_causes(error)),
            error if error.is_incomplete_message() || error.is_closed() || error.is_canceled() => {
                HttpError::ConnectionTerminated
            }
            error if error.is_user() => HttpError::RequestInvalid(with_causes(error)),
            error if is_io(error) => HttpError::ConnectionTerminated,
            error => HttpError::Protocol(with_causes(error)),
        }
    }
}

fn is_io(error: &hyper::Error) -> bool {
    error.source().is_some_and(|cause| cause.is::<std::io::Error>())
}

/// An error and what caused it, on one line.
pub(super) fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HttpError::Denied(denial) => write!(f, "`{}` is not granted", denial.asked),
            HttpError::RequestInvalid(why) => write!(f, "the request can't be sent: {why}"),
            HttpError::RequestBody(why) => write!(f, "the request's body failed: {why}"),
            HttpError::Dns(why) => write!(f, "the host could not be looked up: {why}"),
            HttpError::DestinationNotFound => f.write_str("there is no such host"),
            HttpError::ConnectionRefused => f.write_str("the server refused the connection"),
            HttpError::ConnectionFailed(why) => write!(f, "the server can't be reached: {why}"),
            HttpError::ConnectionTimeout => f.write_str("there was no connection in time"),
            HttpError::ConnectionTerminated => f.write_str("the connection ended before the response did"),
            HttpError::ConnectionLimit(stop) | HttpError::BodyLimit(stop) => stop.fmt(f),
            HttpError::TlsCertificate(why) => write!(f, "the server's certificate is not trusted: {why}"),
            HttpError::TlsProtocol(why) => write!(f, "TLS failed: {why}"),
            HttpError::ResponseTimeout => f.write_str("the response did not begin in time"),
            HttpError::BodyTimeout => f.write_str("the response's body paused for too long"),
            HttpError::BodyTooLarge(most) => write!(f, "the response's body has more than {most} bytes"),
            HttpError::ResponseHeadTooLarge => f.write_str("the response's head is too large"),
            HttpError::Protocol(why) => write!(f, "the server broke HTTP: {why}"),
        }
    }
}

impl Error for HttpError {}
