//! The one listening socket: accepts connections and hands each to the worker that has the fewest.
//!
//! One socket and not one a worker with `SO_REUSEPORT`: the kernel would spread connections by their hash, so that one
//! worker may have all of a few busy ones; and a second server on the same port would go unnoticed.
//!
//! Accepting never ends by an error. A connection that is gone already is skipped; when descriptors or memory run out,
//! accepting pauses, 5 ms at first and twice as long each time up to a second, and goes on.

use crate::{
    Notice,
    http::{connection::Arrival, metrics::add, server::Shared, worker::Worker},
};
use futures::FutureExt as _;
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

const FIRST_WAIT: Duration = Duration::from_millis(5);
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// Connections over the cap that are told so at one time; more are closed without a word.
const TURNED_AWAY_MAX: usize = 64;
const TURNED_AWAY_TIMEOUT: Duration = Duration::from_secs(1);
const TURNED_AWAY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 1\r\n\
    connection: close\r\ncontent-length: 33\r\n\r\n{\"error\":\"too many connections\"}\n";

/// A worker and the way to it.
pub(crate) struct Hand {
    pub(crate) worker: Arc<Worker>,
    pub(crate) arrivals: mpsc::Sender<Arrival>,
}

/// Accepts until the server drains; what had connected before that is accepted still.
pub(crate) async fn accept(listener: TcpListener, shared: Arc<Shared>, hands: Vec<Hand>) {
    let mut acceptor = Acceptor { shared, hands, wait: FIRST_WAIT, told_full: false, turning: Arc::default() };
    loop {
        tokio::select! {
            biased;
            () = acceptor.shared.drains.notified() => break,
            accepted = listener.accept() => {
                if let Some(wait) = acceptor.take(accepted.map(|(stream, _)| stream)) {
                    tokio::select! {
                        () = acceptor.shared.drains.notified() => break,
                        () = tokio::time::sleep(wait) => {}
                    }
                }
            }
        }
    }
    // Lets the runtime look at the socket once more.
    tokio::task::yield_now().await;
    while let Some(Ok((stream, _))) = listener.accept().now_or_never() {
        acceptor.take(Ok(stream));
    }
}

struct Acceptor {
    shared: Arc<Shared>,
    hands: Vec<Hand>,
    wait: Duration,
    told_full: bool,
    turning: Arc<AtomicUsize>,
}

impl Acceptor {
    /// Takes what came of accepting and says how long to pause.
    fn take(&mut self, accepted: io::Result<TcpStream>) -> Option<Duration> {
        match accepted {
            Ok(stream) => {
                self.wait = FIRST_WAIT;
                self.place(stream);
                None
            }
            Err(error) if is_the_peers(&error) => None,
            Err(error) => {
                let wait = self.wait;
                self.wait = (wait * 2).min(LONGEST_WAIT);
                add(&self.shared.counters.accept_errors, 1);
                (self.shared.notices)(Notice::AcceptFailed { error, wait });
                Some(wait)
            }
        }
    }

    fn place(&mut self, stream: TcpStream) {
        if self.shared.open.load(Relaxed) >= self.shared.connections_max {
            return self.turn_away(stream);
        }
        self.told_full = false;
        let Some(hand) = self.hands.iter().min_by_key(|hand| hand.worker.open.load(Relaxed)) else { return };
        let address = stream.peer_addr().ok();
        // Off this thread's runtime and on to the worker's.
        let Ok(stream) = stream.into_std() else { return };
        self.shared.arrived(&hand.worker);
        add(&self.shared.counters.accepted, 1);
        if hand.arrivals.try_send(Arrival { stream, address }).is_err() {
            self.shared.left(&hand.worker);
        }
    }

    fn turn_away(&mut self, stream: TcpStream) {
        add(&self.shared.counters.refused, 1);
        if !self.told_full {
            self.told_full = true;
            (self.shared.notices)(Notice::ConnectionsFull { most: self.shared.connections_max });
        }
        if self.shared.tls.is_some() || self.turning.load(Relaxed) >= TURNED_AWAY_MAX {
            return;
        }
        self.turning.fetch_add(1, Relaxed);
        let turning = self.turning.clone();
        tokio::spawn(async move {
            let _ = tokio::time::timeout(TURNED_AWAY_TIMEOUT, say_busy(stream)).await;
            turning.fetch_sub(1, Relaxed);
        });
    }
}

/// Answers without reading the request, then reads to its end: closing on unread bytes would reset the connection.
async fn say_busy(mut stream: TcpStream) -> io::Result<()> {
    stream.write_all(TURNED_AWAY).await?;
    stream.shutdown().await?;
    let mut unread = [0; 1024];
    while stream.read(&mut unread).await? > 0 {}
    Ok(())
}

/// Whether an error is about the one connection that was to be accepted.
fn is_the_peers(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_for_those_turned_away_have_the_length_they_say() {
        let text = std::str::from_utf8(TURNED_AWAY).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}", body.len())), "{text}");
    }
}
