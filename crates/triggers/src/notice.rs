//! What a trigger tells the log: typed, so that the app decides where it goes and tests can wait for it.

use std::{fmt, io, net::SocketAddr, sync::Arc, time::Duration};

/// Where notices go. Called from the threads that serve: it must not block.
pub type Notices = Arc<dyn Fn(Notice) + Send + Sync>;

/// Something that an operator may want to know, for the log and never for a client.
#[derive(Debug)]
pub enum Notice {
    /// A connection could not be accepted; the next try comes after `wait`.
    AcceptFailed {
        /// What the system said.
        error: io::Error,
        /// How long accepting pauses.
        wait: Duration,
    },
    /// Connections are at their cap and a new one was turned away. Told once until the count falls under the cap.
    ConnectionsFull {
        /// The cap.
        most: usize,
    },
    /// A TLS handshake failed.
    HandshakeFailed {
        /// The client, where the system knows it.
        peer: Option<SocketAddr>,
        /// Why.
        error: io::Error,
    },
    /// A guest's answer was not a valid one and the client got a 500 in its place.
    AnswerRefused {
        /// The call.
        request: Arc<str>,
        /// What was wrong.
        why: &'static str,
    },
    /// A guest's answer ended early; the connection or stream was cut, so that the client knows.
    AnswerCut {
        /// The call.
        request: Arc<str>,
        /// Why.
        why: String,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Notice::AcceptFailed { error, wait } => {
                write!(f, "accepting failed, trying again in {} ms: {error}", wait.as_millis())
            }
            Notice::ConnectionsFull { most } => {
                write!(f, "{most} connections are open, more are turned away\nhint: raise the cap of connections")
            }
            Notice::HandshakeFailed { peer: Some(peer), error } => {
                write!(f, "TLS handshake with {peer} failed: {error}")
            }
            Notice::HandshakeFailed { peer: None, error } => write!(f, "TLS handshake failed: {error}"),
            Notice::AnswerRefused { request, why } => write!(f, "answer of request `{request}` refused: {why}"),
            Notice::AnswerCut { request, why } => write!(f, "answer of request `{request}` cut: {why}"),
        }
    }
}
