//! One worker: a thread with a runtime of its own that serves its connections from the first byte to the last.
//!
//! Thread per core and no work stealing: a request, its guest and its socket stay on one core, nothing on the way of a
//! request is shared with another worker, and no lock is taken. (`LocalSet` would spare the `Send` bounds and costs a second
//! scheduler.) The price is that a connection can't move: new ones go to the worker that has the fewest.

use crate::{
    Notice, Notices,
    http::{
        Routes,
        connection::{Arrival, serve},
        forwarded::Forwarding,
        guards::{Guards, Ticks},
        metrics::{Counters, add},
        server::{Shared, Stage},
        watch::{Phase, Watch, watched},
    },
};
use arc_swap::ArcSwap;
use http::HeaderValue;
use sandbar_call::{CallId, Receipt, Settle};
use slab::Slab;
use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    runtime::{Builder, Runtime},
    sync::{Notify, mpsc},
    time::MissedTickBehavior,
};

/// Threads for blocking work (reading files) that one worker may have.
const BLOCKING_THREADS_MAX: usize = 8;
/// Tasks that run between two looks at the sockets. Smaller than tokio's 61, since one may run a guest for its whole time
/// slice; at 8 the looks themselves showed in the profile.
const TASKS_PER_LOOK: u32 = 31;

/// What a worker's connections share.
pub(crate) struct Worker {
    pub(crate) guards: Guards,
    pub(crate) forwarding: Forwarding,
    pub(crate) server_header: Option<HeaderValue>,
    pub(crate) notices: Notices,
    pub(crate) routes: ArcSwap<LocalRoutes>,
    pub(crate) counters: Counters,
    /// Connections that it has or that are on their way to it.
    pub(crate) open: AtomicUsize,
    /// Set before the stage changes: answers say that their connection ends.
    pub(crate) draining: AtomicBool,
    /// Told when the stage changes, and when the last connection ends.
    pub(crate) changed: Notify,
    process: u64,
    calls: AtomicU64,
    watches: Mutex<Slab<Arc<Peer>>>,
}

/// A table of routes as one worker uses it. What each call holds a reference of is a copy of this worker's own, since a
/// count that several cores change costs more than the call's route.
pub(crate) struct LocalRoutes {
    pub(crate) routes: Arc<Routes>,
    pub(crate) trigger: Arc<str>,
    /// In the order of the routes.
    pub(crate) bindings: Vec<LocalBinding>,
}

pub(crate) struct LocalBinding {
    pub(crate) source: Arc<str>,
    pub(crate) receipts: Arc<dyn Settle>,
}

struct Relay(Arc<dyn Settle>);

impl Settle for Relay {
    fn settle(&self, receipt: Receipt) {
        self.0.settle(receipt);
    }
}

impl LocalRoutes {
    pub(crate) fn of(routes: Arc<Routes>) -> LocalRoutes {
        let nowhere: Arc<dyn Settle> = Arc::new(|_: Receipt| {});
        let bindings = routes.routes().iter().map(|route| LocalBinding {
            source: route.pattern.as_str().into(),
            receipts: match &route.target {
                crate::http::Target::Guest(binding) => Arc::new(Relay(binding.receipts.clone())),
                crate::http::Target::Files(_) => nowhere.clone(),
            },
        });
        let bindings = bindings.collect();
        LocalRoutes { routes, trigger: "http".into(), bindings }
    }
}

/// One connection, or one stream of an HTTP/2 connection.
pub(crate) struct Peer {
    pub(crate) worker: Arc<Worker>,
    pub(crate) address: Option<SocketAddr>,
    pub(crate) tls: bool,
    pub(crate) watch: Watch,
    /// The connection of a stream.
    connection: Option<Arc<Peer>>,
}

impl Peer {
    pub(crate) fn connected(worker: Arc<Worker>, address: Option<SocketAddr>, tls: bool) -> Arc<Peer> {
        let phase = if tls { Phase::Handshake } else { Phase::Fresh };
        Arc::new(Peer { worker, address, tls, watch: Watch::new(phase), connection: None })
    }

    /// Opens a stream of an HTTP/2 connection.
    pub(crate) fn stream(self: &Arc<Peer>) -> Arc<Peer> {
        let (worker, address, tls) = (self.worker.clone(), self.address, self.tls);
        self.watch.stream_opened();
        Arc::new(Peer { worker, address, tls, watch: Watch::new(Phase::Call), connection: Some(self.clone()) })
    }

    pub(crate) fn is_stream(&self) -> bool {
        self.connection.is_some()
    }

    /// Runs the task of this connection or stream under its watch. `then` is called when it ends, also when it is aborted.
    pub(crate) fn spawn(
        self: &Arc<Peer>,
        task: impl Future<Output = ()> + Send + 'static,
        then: impl FnOnce() + Send + 'static,
    ) {
        let listed = Listed { at: self.worker.watch(self.clone()), peer: self.clone() };
        let ended = Ended(Some(then));
        let peer = self.clone();
        let running = tokio::spawn(async move {
            // Dropped after the task, in this order.
            let _ended = ended;
            let _listed = listed;
            watched(&peer.watch, task).await;
        });
        self.watch.runs_in(running.abort_handle());
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if let Some(connection) = &self.connection {
            connection.watch.stream_ended();
        }
    }
}

/// A place in the worker's list of watches.
struct Listed {
    at: usize,
    peer: Arc<Peer>,
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.peer.worker.unwatch(self.at);
    }
}

struct Ended<F: FnOnce()>(Option<F>);

impl<F: FnOnce()> Drop for Ended<F> {
    fn drop(&mut self) {
        if let Some(then) = self.0.take() {
            then();
        }
    }
}

/// What a worker takes from its server.
pub(crate) struct Setup {
    pub(crate) guards: Guards,
    pub(crate) forwarding: Forwarding,
    pub(crate) server_header: Option<HeaderValue>,
    pub(crate) notices: Notices,
    /// The random half of the ids of calls.
    pub(crate) process: u64,
    /// Which worker this is; the ids of its calls start here.
    pub(crate) index: u16,
}

impl Worker {
    pub(crate) fn new(setup: Setup, routes: Arc<Routes>) -> Worker {
        Worker {
            guards: setup.guards,
            forwarding: setup.forwarding,
            server_header: setup.server_header,
            notices: setup.notices,
            routes: ArcSwap::from_pointee(LocalRoutes::of(routes)),
            counters: Counters::default(),
            open: AtomicUsize::new(0),
            draining: AtomicBool::new(false),
            changed: Notify::new(),
            process: setup.process,
            calls: AtomicU64::new(u64::from(setup.index) << 48),
            watches: Mutex::new(Slab::new()),
        }
    }

    /// The next call's id: unique among the workers, since each counts 2^48 calls from its own start.
    pub(crate) fn next_call(&self) -> CallId {
        CallId::new(self.process, self.calls.fetch_add(1, Relaxed) + 1)
    }

    /// Counts and tells that an answer was cut.
    pub(crate) fn cut(&self, notice: Notice) {
        add(&self.counters.cut, 1);
        (self.notices)(notice);
    }

    fn watch(&self, peer: Arc<Peer>) -> usize {
        self.watches.lock().unwrap_or_else(PoisonError::into_inner).insert(peer)
    }

    fn unwatch(&self, at: usize) {
        let peer = self.watches.lock().unwrap_or_else(PoisonError::into_inner).try_remove(at);
        // Outside the lock: dropping the last of a stream touches its connection.
        drop(peer);
    }

    /// Does something with each watch, outside the lock: aborting a task may drop it here and change the list.
    fn each(&self, mut act: impl FnMut(&Peer)) {
        let peers: Vec<Arc<Peer>> =
            self.watches.lock().unwrap_or_else(PoisonError::into_inner).iter().map(|(_, peer)| peer.clone()).collect();
        peers.iter().for_each(|peer| act(peer));
    }

    fn sweep(&self, ticks: &Ticks, stage: Stage) {
        self.each(|peer| {
            if let Some(timeout) = peer.watch.sweep(ticks) {
                self.counters.timed_out(timeout);
            }
            if stage != Stage::Serving {
                peer.watch.close();
            }
        });
    }

    /// Asks all connections to end; those just opened get one more tick to send the request that may be on its way.
    fn close_all(&self) {
        self.each(|peer| {
            if !peer.watch.is_fresh() {
                peer.watch.close();
            }
        });
    }
}

/// Makes the runtime of a worker or acceptor.
pub(crate) fn runtime() -> std::io::Result<Runtime> {
    Builder::new_current_thread()
        .enable_all()
        .event_interval(TASKS_PER_LOOK)
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .build()
}

/// Serves arrivals until the server drains and the last one has ended, or it is cut.
pub(crate) fn work(runtime: Runtime, worker: &Arc<Worker>, shared: &Arc<Shared>, arrivals: mpsc::Receiver<Arrival>) {
    runtime.block_on(attend(worker, shared, arrivals));
    // What is left was cut: nothing waits for it.
    runtime.shutdown_timeout(Duration::ZERO);
    shared.ended();
}

async fn attend(worker: &Arc<Worker>, shared: &Arc<Shared>, mut arrivals: mpsc::Receiver<Arrival>) {
    let ticks = worker.guards.in_ticks();
    let mut tick = tokio::time::interval(worker.guards.tick());
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut accepting = true;
    loop {
        match shared.stage() {
            Stage::Serving => {}
            Stage::Draining if !accepting && worker.open.load(Relaxed) == 0 => return,
            Stage::Draining => {}
            Stage::Cut => return worker.each(|peer| peer.watch.abort()),
        }
        tokio::select! {
            arrival = arrivals.recv(), if accepting => match arrival {
                Some(arrival) => admit(worker, shared, arrival),
                None => accepting = false,
            },
            _ = tick.tick() => worker.sweep(&ticks, shared.stage()),
            () = worker.changed.notified() => {
                if shared.stage() == Stage::Draining {
                    worker.close_all();
                }
            }
        }
    }
}

/// Starts to serve a connection. It is counted already and is taken off the count when its task ends.
fn admit(worker: &Arc<Worker>, shared: &Arc<Shared>, arrival: Arrival) {
    let tls = shared.tls.as_ref().map(|tls| tls.load_full());
    let peer = Peer::connected(worker.clone(), arrival.address, tls.is_some());
    let (task, left, shared) = (serve(peer.clone(), arrival.stream, tls), worker.clone(), shared.clone());
    peer.spawn(task, move || shared.left(&left));
}
