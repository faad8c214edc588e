//! The handle of a running server: replace what it serves, and end it without losing a request.
//!
//! Draining: the server is not ready, accepts what had connected and then nothing, tells each connection to end (`Connection:
//! close`, `GOAWAY`), and lets calls finish. At the deadline what is left is dropped, which cancels its calls; their receipts
//! say so. A client that sends a request on an idle connection at the very moment it closes has to send it again, as HTTP
//! demands of it (RFC 9112, section 9.3.1).

use crate::http::{
    Routes, Tls,
    metrics::{Counters, render},
    server::{Shared, Stage},
    worker::{LocalRoutes, Worker},
};
use std::{
    net::SocketAddr,
    sync::{Arc, PoisonError, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

/// How long dropping the calls that are left may take, beyond the deadline.
const CUT_TIMEOUT: Duration = Duration::from_secs(2);

/// A running server.
#[derive(Clone)]
pub struct Handle {
    pub(crate) shared: Arc<Shared>,
    pub(crate) workers: Vec<Arc<Worker>>,
    pub(crate) address: SocketAddr,
}

/// How a server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were cut at the deadline.
    pub cut: usize,
}

impl Handle {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether it takes new requests.
    pub fn is_ready(&self) -> bool {
        self.shared.stage() == Stage::Serving
    }

    /// Connections that are open now.
    pub fn connections(&self) -> usize {
        self.shared.open.load(Relaxed)
    }

    /// Serves other routes from now on. A request that runs ends on the routes that it began with.
    pub fn swap(&self, routes: &Arc<Routes>) {
        for worker in &self.workers {
            worker.routes.store(Arc::new(LocalRoutes::of(routes.clone())));
        }
    }

    /// Shows another certificate from now on. A server that began without TLS does not learn it: returns `false`.
    pub fn swap_tls(&self, tls: Tls) -> bool {
        self.shared.tls.as_ref().map(|slot| slot.store(Arc::new(tls))).is_some()
    }

    /// Appends the server's own counters in the Prometheus text format.
    pub fn metrics(&self, out: &mut String) {
        let workers = self.workers.iter().map(|worker| &worker.counters);
        let all: Vec<&Counters> = workers.chain([&self.shared.counters]).collect();
        render(out, self.connections(), &all);
    }

    /// Ends the server: waits until the last call has ended, at most `within`, and cuts what is left. Blocks; a second call
    /// on another thread with less time ends it sooner, and both return.
    pub fn drain(&self, within: Duration) -> Drained {
        self.advance(Stage::Draining);
        if self.wait(within) {
            return Drained { cut: 0 };
        }
        let cut = self.connections();
        self.advance(Stage::Cut);
        // A guest that never yields may hold its worker longer: its own limits end it.
        self.wait(CUT_TIMEOUT);
        Drained { cut }
    }

    fn advance(&self, stage: Stage) {
        for worker in &self.workers {
            worker.draining.store(true, Relaxed);
        }
        self.shared.advance(stage);
        self.shared.drains.notify_one();
        for worker in &self.workers {
            worker.changed.notify_one();
        }
    }

    /// Waits until every worker has ended, and says whether they have.
    fn wait(&self, within: Duration) -> bool {
        let deadline = Instant::now().checked_add(within);
        let mut running = self.shared.running.lock().unwrap_or_else(PoisonError::into_inner);
        while *running > 0 {
            let left = deadline.map_or(within, |deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return false;
            }
            running = self.shared.ended.wait_timeout(running, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}
