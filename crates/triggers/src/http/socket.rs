//! The bytes of one connection: counted, watched for stalls, and read ahead to tell HTTP/2 from HTTP/1.

use crate::http::{metrics::add, worker::Peer};
use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::server::TlsStream;

/// What an HTTP/2 client that knows what it talks to sends first (RFC 9113, section 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The most bytes that are read and thrown away after an answer that ended its connection.
const LINGER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A connection below HTTP.
pub(crate) struct Socket {
    stream: Stream,
    peer: Arc<Peer>,
    /// Bytes read ahead and where to go on in them.
    ahead: [u8; PREFACE.len()],
    ahead_from: usize,
    ahead_to: usize,
    /// Whether a byte between requests starts a request's head. Not so in HTTP/2, where it may be a ping.
    byte_starts_head: bool,
    lingered_bytes: usize,
    /// Whether the write that comes next has let others go first.
    gave_way: bool,
}

pub(crate) enum Stream {
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Which HTTP a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

impl Socket {
    /// Takes a connection and finds out what it speaks: by ALPN, or without TLS by its first bytes. Those are read ahead,
    /// at most 24 and only as long as they match, and given back to the reader.
    pub(crate) async fn open(stream: Stream, peer: Arc<Peer>) -> io::Result<(Socket, Protocol)> {
        let ahead = [0; PREFACE.len()];
        let mut socket = Socket {
            stream,
            peer,
            ahead,
            ahead_from: 0,
            ahead_to: 0,
            byte_starts_head: false,
            lingered_bytes: 0,
            gave_way: false,
        };
        let protocol = match &socket.stream {
            Stream::Tls(tls) if tls.get_ref().1.alpn_protocol() == Some(b"h2") => Protocol::Http2,
            Stream::Tls(_) => Protocol::Http1,
            Stream::Tcp(_) => socket.read_ahead().await?,
        };
        socket.byte_starts_head = protocol == Protocol::Http1;
        Ok((socket, protocol))
    }

    async fn read_ahead(&mut self) -> io::Result<Protocol> {
        loop {
            let free = self.ahead.get_mut(self.ahead_to..).unwrap_or_default();
            let read = match &mut self.stream {
                Stream::Tcp(tcp) => tcp.read(free).await?,
                Stream::Tls(tls) => tls.read(free).await?,
            };
            add(&self.peer.worker.counters.received_bytes, read as u64);
            self.ahead_to += read;
            let seen = self.ahead.get(..self.ahead_to).unwrap_or_default();
            match (seen == PREFACE, read > 0 && PREFACE.starts_with(seen)) {
                (true, _) => return Ok(Protocol::Http2),
                (false, true) => {}
                (false, false) => return Ok(Protocol::Http1),
            }
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.ahead_from < this.ahead_to {
            let to = this.ahead_to.min(this.ahead_from + into.remaining());
            into.put_slice(this.ahead.get(this.ahead_from..to).unwrap_or_default());
            this.ahead_from = to;
            return Poll::Ready(Ok(()));
        }
        let before = into.filled().len();
        ready!(match &mut this.stream {
            Stream::Tcp(tcp) => Pin::new(tcp).poll_read(cx, into),
            Stream::Tls(tls) => Pin::new(tls).poll_read(cx, into),
        })?;
        let read = into.filled().len() - before;
        if read > 0 {
            add(&this.peer.worker.counters.received_bytes, read as u64);
            if this.byte_starts_head {
                this.peer.watch.heard();
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl Socket {
    /// Reads and throws away what a client still sends after an answer that did not wait for it: closing on unread bytes
    /// would reset the connection, and the client might never see the answer. Bounded in bytes here and in time by its watch.
    fn linger(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut bytes = [0; 4096];
        while self.lingered_bytes < LINGER_BYTES_MAX {
            let mut into = ReadBuf::new(&mut bytes);
            let read = Pin::new(&mut *self).poll_read(cx, &mut into);
            self.peer.watch.blocked(read.is_pending());
            ready!(read)?;
            match into.filled().len() {
                0 => break,
                read => self.lingered_bytes += read,
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Before each write: lets the worker's other tasks that are ready go first, and says whether it does.
    ///
    /// So the requests that came together are run one after the other, and then answered one after the other. The code of
    /// guests and that of the network each stay in the processor's caches, and a client with several connections wakes up
    /// once for many answers. Where nothing else is ready it costs one more poll.
    fn gives_way(&mut self, cx: &mut Context<'_>) -> bool {
        self.gave_way = !self.gave_way;
        if self.gave_way {
            cx.waker().wake_by_ref();
        }
        self.gave_way
    }

    /// Counts what was written, and watches a peer that takes nothing.
    fn wrote(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        self.peer.watch.blocked(written.is_pending());
        if let Poll::Ready(Ok(bytes)) = &written {
            add(&self.peer.worker.counters.sent_bytes, *bytes as u64);
        }
        written
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.gives_way(cx) {
            return Poll::Pending;
        }
        let written = match &mut self.stream {
            Stream::Tcp(tcp) => Pin::new(tcp).poll_write(cx, bytes),
            Stream::Tls(tls) => Pin::new(tls).poll_write(cx, bytes),
        };
        self.wrote(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.gives_way(cx) {
            return Poll::Pending;
        }
        let written = match &mut self.stream {
            Stream::Tcp(tcp) => Pin::new(tcp).poll_write_vectored(cx, parts),
            Stream::Tls(tls) => Pin::new(tls).poll_write_vectored(cx, parts),
        };
        self.wrote(written)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Tcp(tcp) => tcp.is_write_vectored(),
            Stream::Tls(tls) => tls.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            // The kernel takes it from here: nothing to wait for.
            Stream::Tcp(_) => Poll::Ready(Ok(())),
            Stream::Tls(tls) => {
                let flushed = Pin::new(tls).poll_flush(cx);
                self.peer.watch.blocked(flushed.is_pending());
                flushed
            }
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = match &mut self.stream {
            Stream::Tcp(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Stream::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        };
        if matches!(shut, Poll::Ready(Ok(()))) && self.peer.watch.lingers() {
            return self.linger(cx);
        }
        self.peer.watch.blocked(shut.is_pending());
        shut
    }
}
