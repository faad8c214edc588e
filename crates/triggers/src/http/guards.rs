//! The bounds of a server: how long a client may take and how much it may send.
//!
//! Timeouts are counted in ticks of a quarter of the shortest one (at least 10 ms, at most a second), so each holds to
//! within one tick. What a *call* may take is not here but in its limits.

use std::time::Duration;

/// How long clients may take and how much they may hold.
#[derive(Clone, Debug)]
pub struct Guards {
    /// From the accepted connection, or the first byte of a later request, to the end of the request's head.
    pub header_timeout: Duration,
    /// The longest wait for the next piece of a body that is being read; for a small body, that is gathered before its call
    /// starts, the longest wait for all of it. Over it the client gets 408.
    pub body_timeout: Duration,
    /// How long a connection may stay open without a request.
    pub idle_timeout: Duration,
    /// The longest time in which a client takes nothing of what is written to it.
    pub write_timeout: Duration,
    /// From the accepted connection to the end of the TLS handshake.
    pub handshake_timeout: Duration,
    /// Connections open at one time. One more is answered 503 and closed; with TLS it is closed.
    pub connections_max: usize,
    /// Bytes of a request's head, or of an HTTP/2 header list. Over it: 431.
    pub head_bytes_max: usize,
    /// Header fields of an HTTP/1 request. Over it: 431. Any other number than 100 costs a microsecond a request.
    pub headers_max: usize,
    /// Bytes of a request's body. Over it: 413, at once where `Content-Length` tells.
    pub body_bytes_max: u64,
    /// A body whose `Content-Length` is at most this is gathered before its call starts, so that a slow client holds no
    /// sandbox. One that waits for `100 Continue` is not.
    pub gather_bytes_max: u64,
    /// Requests that one HTTP/2 connection may have open at one time.
    pub streams_max: u32,
    /// Bytes of answers that one HTTP/2 stream buffers for a client that does not take them.
    pub stream_buffer_bytes_max: usize,
}

impl Default for Guards {
    /// Bounds that suit a server on the open internet.
    fn default() -> Guards {
        Guards {
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(75),
            write_timeout: Duration::from_secs(30),
            handshake_timeout: Duration::from_secs(10),
            connections_max: 10_000,
            head_bytes_max: 32 * 1024,
            headers_max: 100,
            body_bytes_max: 16 * 1024 * 1024,
            gather_bytes_max: 64 * 1024,
            streams_max: 128,
            stream_buffer_bytes_max: 64 * 1024,
        }
    }
}

impl Guards {
    /// The time between two looks at the connections.
    pub(crate) fn tick(&self) -> Duration {
        let timeouts =
            [self.header_timeout, self.body_timeout, self.idle_timeout, self.write_timeout, self.handshake_timeout];
        let shortest = timeouts.into_iter().min().unwrap_or(Duration::from_secs(1));
        (shortest / 4).clamp(Duration::from_millis(10), Duration::from_secs(1))
    }

    /// The same bounds in ticks.
    pub(crate) fn in_ticks(&self) -> Ticks {
        let tick = self.tick();
        let ticks = |timeout: Duration| u32::try_from(timeout.as_nanos().div_ceil(tick.as_nanos())).unwrap_or(u32::MAX);
        Ticks {
            header: ticks(self.header_timeout),
            body: ticks(self.body_timeout),
            idle: ticks(self.idle_timeout),
            write: ticks(self.write_timeout),
            handshake: ticks(self.handshake_timeout),
        }
    }
}

/// The timeouts of [`Guards`] in ticks, each at least one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticks {
    pub(crate) header: u32,
    pub(crate) body: u32,
    pub(crate) idle: u32,
    pub(crate) write: u32,
    pub(crate) handshake: u32,
}
