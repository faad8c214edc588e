//! A server: one listening socket, one acceptor, and a worker for each core.

use crate::{
    Notices,
    http::{
        Forwarding, Guards, Routes, Tls,
        acceptor::{Hand, accept},
        connection::Arrival,
        drain::Handle,
        metrics::Counters,
        worker::{Setup, Worker, runtime, work},
    },
};
use arc_swap::ArcSwap;
use http::HeaderValue;
use std::{
    fmt, io,
    net::SocketAddr,
    num::NonZeroUsize,
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicU8, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst},
    },
    thread,
};
use tokio::{
    net::{TcpListener, TcpSocket},
    runtime::Runtime,
    sync::{Notify, mpsc},
};

/// Connections that the kernel keeps until they are accepted.
const BACKLOG: u32 = 1024;
/// The most workers of one server.
const WORKERS_MAX: usize = 1024;

/// How a server listens and what it allows.
#[derive(Clone)]
pub struct ServerConfig {
    /// Where it listens. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Threads that serve; `None` takes one for each core.
    pub workers: Option<NonZeroUsize>,
    /// The random half of the ids of calls, unique to this process.
    pub process: u64,
    /// The certificate; `None` serves cleartext.
    pub tls: Option<Tls>,
    /// The bounds on clients.
    pub guards: Guards,
    /// What guests are told about clients behind a proxy.
    pub forwarding: Forwarding,
    /// The `Server` header of answers that have none.
    pub server_header: Option<HeaderValue>,
    /// Where notices for the log go.
    pub notices: Notices,
}

impl ServerConfig {
    /// Listens in cleartext with the default bounds, one worker a core, and says nothing to a log.
    pub fn new(listen: SocketAddr, process: u64) -> ServerConfig {
        ServerConfig {
            listen,
            workers: None,
            process,
            tls: None,
            guards: Guards::default(),
            forwarding: Forwarding::default(),
            server_header: None,
            notices: Arc::new(|_| {}),
        }
    }
}

/// A server that listens and does not accept yet: who connects waits.
pub struct Server {
    config: ServerConfig,
    address: SocketAddr,
    listener: TcpListener,
    acceptor: Runtime,
}

/// A server that can't listen.
#[derive(Debug)]
pub struct BindError {
    /// Where it should have listened.
    pub address: SocketAddr,
    /// Why it can't.
    pub error: io::Error,
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let BindError { address, error } = self;
        write!(f, "can't listen on `{address}`: ")?;
        match error.kind() {
            io::ErrorKind::AddrInUse => {
                write!(f, "another program listens there\nhint: `--listen {}:0` takes a free port", host(address))
            }
            io::ErrorKind::AddrNotAvailable => {
                write!(f, "this machine has no such address\nhint: `--listen 127.0.0.1:{}`", address.port())
            }
            io::ErrorKind::PermissionDenied => {
                write!(f, "ports under 1024 need a privilege\nhint: `--listen {}:8080`", host(address))
            }
            _ => write!(f, "{error}"),
        }
    }
}

/// The address as it is written before a port.
fn host(address: &SocketAddr) -> String {
    match address {
        SocketAddr::V4(address) => address.ip().to_string(),
        SocketAddr::V6(address) => format!("[{}]", address.ip()),
    }
}

impl std::error::Error for BindError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

impl Server {
    /// Takes the address.
    ///
    /// # Errors
    /// An address that is in use, not this machine's, or not allowed.
    pub fn bind(config: ServerConfig) -> Result<Server, BindError> {
        listen(config.listen)
            .map_err(|error| BindError { address: config.listen, error })
            .map(|(acceptor, listener, address)| Server { config, address, listener, acceptor })
    }

    /// Where it listens, with the port that it took.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether it speaks TLS.
    pub fn is_tls(&self) -> bool {
        self.config.tls.is_some()
    }

    /// Starts to serve. It serves until it is drained by its handle, also when all handles are dropped.
    ///
    /// # Errors
    /// A thread or its runtime that the system does not give.
    pub fn start(self, routes: Arc<Routes>) -> io::Result<Handle> {
        let Server { config, address, listener, acceptor } = self;
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let count = config.workers.map_or(cores, NonZeroUsize::get).min(WORKERS_MAX);
        let shared = Arc::new(Shared {
            stage: AtomicU8::new(Stage::Serving as u8),
            tls: config.tls.clone().map(ArcSwap::from_pointee),
            connections_max: config.guards.connections_max,
            open: AtomicUsize::new(0),
            drains: Notify::new(),
            counters: Counters::default(),
            notices: config.notices.clone(),
            running: Mutex::new(0),
            ended: Condvar::new(),
        });
        let mut hands = Vec::with_capacity(count);
        for index in 0..count {
            hands.push(start_worker(&config, index, &shared, &routes)?);
        }
        let workers = hands.iter().map(|hand| hand.worker.clone()).collect();
        let accepting = shared.clone();
        thread::Builder::new()
            .name("http-accept".into())
            .spawn(move || acceptor.block_on(accept(listener, accepting, hands)))?;
        Ok(Handle { shared, workers, address })
    }
}

fn listen(address: SocketAddr) -> io::Result<(Runtime, TcpListener, SocketAddr)> {
    let runtime = runtime()?;
    let listener = {
        let _entered = runtime.enter();
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        // A restart takes the port while old connections wait out their time. (Elsewhere it would share the port.)
        #[cfg(unix)]
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)?
    };
    let address = listener.local_addr()?;
    Ok((runtime, listener, address))
}

fn start_worker(config: &ServerConfig, index: usize, shared: &Arc<Shared>, routes: &Arc<Routes>) -> io::Result<Hand> {
    let setup = Setup {
        guards: config.guards.clone(),
        forwarding: config.forwarding,
        server_header: config.server_header.clone(),
        notices: config.notices.clone(),
        process: config.process,
        index: u16::try_from(index).unwrap_or(u16::MAX),
    };
    let worker = Arc::new(Worker::new(setup, routes.clone()));
    let (arrivals, arriving) = mpsc::channel::<Arrival>(config.guards.connections_max.clamp(1, mpsc_most()));
    let runtime = runtime()?;
    let (mine, shared) = (worker.clone(), shared.clone());
    shared.started();
    let running = shared.clone();
    let spawned =
        thread::Builder::new().name(format!("http-{index}")).spawn(move || work(runtime, &mine, &running, arriving));
    if let Err(error) = spawned {
        shared.ended();
        return Err(error);
    }
    Ok(Hand { worker, arrivals })
}

/// The most that a channel takes.
fn mpsc_most() -> usize {
    tokio::sync::Semaphore::MAX_PERMITS
}

/// How far a server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Stage {
    Serving,
    /// Nothing is accepted; what was asked is answered.
    Draining,
    /// What is left is dropped.
    Cut,
}

/// What the threads of a server share.
pub(crate) struct Shared {
    stage: AtomicU8,
    /// Present where it speaks TLS; replaced while running.
    pub(crate) tls: Option<ArcSwap<Tls>>,
    pub(crate) connections_max: usize,
    /// Connections of all workers.
    pub(crate) open: AtomicUsize,
    /// Tells the acceptor to end.
    pub(crate) drains: Notify,
    /// What the acceptor counts.
    pub(crate) counters: Counters,
    pub(crate) notices: Notices,
    /// Workers that run.
    pub(crate) running: Mutex<usize>,
    /// Told when one ends.
    pub(crate) ended: Condvar,
}

impl Shared {
    pub(crate) fn stage(&self) -> Stage {
        match self.stage.load(SeqCst) {
            0 => Stage::Serving,
            1 => Stage::Draining,
            _ => Stage::Cut,
        }
    }

    /// Moves to a later stage; an earlier one changes nothing.
    pub(crate) fn advance(&self, stage: Stage) {
        self.stage.fetch_max(stage as u8, SeqCst);
    }

    /// Counts a connection that goes to a worker.
    pub(crate) fn arrived(&self, worker: &Worker) {
        self.open.fetch_add(1, Relaxed);
        worker.open.fetch_add(1, SeqCst);
    }

    /// Takes one off the count; the last of a draining worker lets it end.
    pub(crate) fn left(&self, worker: &Worker) {
        self.open.fetch_sub(1, Relaxed);
        if worker.open.fetch_sub(1, SeqCst) == 1 && self.stage() != Stage::Serving {
            worker.changed.notify_one();
        }
    }

    fn started(&self) {
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) += 1;
    }

    /// Counts a worker that ended.
    pub(crate) fn ended(&self) {
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.ended.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_in_use_says_what_to_type() {
        let first = Server::bind(ServerConfig::new("127.0.0.1:0".parse().unwrap(), 1)).unwrap();
        let second = Server::bind(ServerConfig::new(first.address(), 1)).err().unwrap();
        assert_eq!(
            second.to_string(),
            format!(
                "can't listen on `{}`: another program listens there\nhint: `--listen 127.0.0.1:0` takes a free port",
                first.address()
            )
        );
    }
}
