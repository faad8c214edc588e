//! An app that runs: started from a manifest, replaced while it runs, drained at its end.

use crate::{
    error::AppError,
    ledger::{Ledger, LedgerConfig},
    manifest::{Forwarded, Manifest, Server},
    metrics::Metrics,
    notice::{Notice, Notices},
    wiring::{Wired, wire},
};
use sandbar_call::{Receipt, Settle};
use sandbar_engine::{Engine, Program};
use sandbar_triggers::{
    admin::{self, Admin, AdminHandle, ReceiptFilter},
    http::{self as trigger, Drained, ForwardedForm, Forwarding, Guards, Handle, Incoming, Routes, ServerConfig, Tls},
};
use std::{
    fmt::Write,
    fs::File,
    io::{self, Read},
    net::SocketAddr,
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How long the ledger may take to write what is left at the end.
const LEDGER_CLOSE: Duration = Duration::from_secs(5);

/// A running app.
pub struct App {
    engine: Engine,
    server: Handle,
    running: Arc<Running>,
    admin: Option<AdminHandle>,
    notices: Notices,
    tls: bool,
}

/// What the admin listener shows.
struct Running {
    server: Handle,
    ledger: Arc<Ledger>,
    metrics: Arc<Metrics>,
    current: Mutex<Current>,
}

/// The version that new calls go to.
struct Current {
    manifest: Manifest,
    routes: Arc<Routes>,
    programs: Vec<Arc<Program>>,
}

impl App {
    /// Starts an app: everything is loaded and bound before the first request is accepted.
    ///
    /// # Errors
    /// Something of it can't be loaded, or an address can't be had.
    pub fn start(manifest: Manifest, engine: Engine, notices: Notices) -> Result<App, AppError> {
        let metrics = Arc::new(Metrics::default());
        let tell = notices.clone();
        let report = Arc::new(move |error: &crate::ledger::LedgerError| tell(Notice::Ledger(error.to_string())));
        // The listener comes first: who connects while guests compile waits and is not refused.
        let listener = trigger::Server::bind(server_config(&manifest, &notices)?)?;
        let ledger = Ledger::open(LedgerConfig::of(&manifest.receipts, report), metrics.clone())?;
        let receipts: Arc<dyn Settle> = ledger.clone();
        let Wired { routes, programs } = wire(&manifest, &engine, &receipts, &notices)?;
        warn(&manifest, &notices);
        let server = listener.start(routes.clone()).map_err(AppError::System)?;
        let (listen, tls) = (manifest.admin.listen, manifest.server.tls_key.is_some());
        let current = Mutex::new(Current { manifest, routes, programs });
        let running = Arc::new(Running { server: server.clone(), ledger, metrics, current });
        let admin =
            listen.map(|listen| admin::serve(listen, running.clone(), trigger_notices(&notices))).transpose()?;
        if let Some(admin) = &admin {
            notices(Notice::Admin(admin.address()));
        }
        Ok(App { engine, server, running, admin, notices, tls })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Where its admin listener listens, if there is one.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.as_ref().map(AdminHandle::address)
    }

    /// Whether it serves over TLS.
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// The routes that it serves now.
    pub fn routes(&self) -> Arc<Routes> {
        self.running.current().routes.clone()
    }

    /// Its receipts.
    pub fn ledger(&self) -> &Arc<Ledger> {
        &self.running.ledger
    }

    /// Replaces the app by a new version: calls in flight end on the old one. A version that is refused changes nothing, and
    /// the notice says why.
    pub fn reload(&self, manifest: Result<Manifest, AppError>) {
        match manifest.and_then(|manifest| self.replace(manifest)) {
            Ok(()) => (self.notices)(Notice::Reloaded),
            Err(error) => (self.notices)(Notice::Kept(error)),
        }
    }

    fn replace(&self, manifest: Manifest) -> Result<(), AppError> {
        let receipts: Arc<dyn Settle> = self.running.ledger.clone();
        let Wired { routes, programs } = wire(&manifest, &self.engine, &receipts, &self.notices)?;
        if let Some(tls) = tls(&manifest.server)? {
            self.server.swap_tls(tls);
        }
        warn(&manifest, &self.notices);
        self.server.swap(&routes);
        let mut current = self.running.current();
        needs_restart(&current.manifest, &manifest, &self.notices);
        *current = Current { manifest, routes, programs };
        Ok(())
    }

    /// Ends the app: stops accepting, lets calls finish for as long as the manifest says, cuts what is left, and writes the
    /// last receipts. Blocks. Another thread may call it with less time.
    pub fn drain(&self, within: Duration) -> Drained {
        let began = Instant::now();
        let drained = self.server.drain(within);
        self.engine.end(within.saturating_sub(began.elapsed()));
        let _ = self.running.ledger.close(LEDGER_CLOSE);
        drained
    }

    /// How long draining may take.
    pub fn drain_time(&self) -> Duration {
        self.running.current().manifest.server.drain
    }
}

impl Running {
    fn current(&self) -> std::sync::MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Admin for Running {
    fn is_ready(&self) -> bool {
        self.server.is_ready()
    }

    fn metrics(&self, out: &mut String) {
        out.push_str(&self.metrics.render(&self.ledger.counts()));
        self.server.metrics(out);
        render_pools(&self.current().programs, out);
    }

    fn receipts(&self, filter: &ReceiptFilter) -> Vec<Receipt> {
        let wanted = |receipt: &Arc<Receipt>| {
            filter.guest.as_deref().is_none_or(|guest| *receipt.guest == *guest)
                && filter.outcome.is_none_or(|outcome| receipt.outcome.kind() == outcome)
        };
        let latest = self.ledger.latest(usize::MAX);
        latest
            .iter()
            .filter(|receipt| wanted(receipt))
            .take(filter.latest)
            .map(|receipt| Receipt::clone(receipt))
            .collect()
    }
}

/// How busy the pool of each guest is, in the Prometheus text format.
fn render_pools(programs: &[Arc<Program>], out: &mut String) {
    for (name, help, value) in [
        ("sandbar_pool_calls", "Calls that hold a sandbox now.", (|load: (u32, u32)| load.0) as fn((u32, u32)) -> u32),
        ("sandbar_pool_waiting", "Calls that wait for a sandbox now.", |load| load.1),
    ] {
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} gauge");
        for program in programs {
            let _ = writeln!(out, "{name}{{guest=\"{}\"}} {}", program.name(), value(program.load()));
        }
    }
}

fn server_config(manifest: &Manifest, notices: &Notices) -> Result<ServerConfig, AppError> {
    let server = &manifest.server;
    let number = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
    let mut config = ServerConfig::new(server.listen, process_id().map_err(AppError::System)?);
    config.workers = server.workers.and_then(|workers| NonZeroUsize::new(number(workers)));
    config.tls = tls(server)?;
    config.guards = Guards {
        header_timeout: server.header_timeout,
        handshake_timeout: server.header_timeout,
        body_timeout: server.body_timeout,
        idle_timeout: server.idle_timeout,
        write_timeout: server.write_timeout,
        connections_max: number(server.connections_max),
        head_bytes_max: number(server.header_bytes_max),
        headers_max: number(server.headers_max),
        body_bytes_max: server.body_bytes_max,
        streams_max: u32::try_from(server.streams_max).unwrap_or(u32::MAX),
        ..Guards::default()
    };
    let (incoming, add) = match server.forwarded {
        Forwarded::Off => (Incoming::Dropped, None),
        Forwarded::XForwarded => (Incoming::Kept, Some(ForwardedForm::XForwarded)),
        Forwarded::Rfc7239 => (Incoming::Kept, Some(ForwardedForm::Rfc7239)),
    };
    config.forwarding = Forwarding { incoming, add };
    config.notices = trigger_notices(notices);
    Ok(config)
}

fn tls(server: &Server) -> Result<Option<Tls>, AppError> {
    match (&server.tls_certificate, &server.tls_key) {
        (Some(certificate), Some(key)) => Ok(Some(Tls::load(certificate, key)?)),
        _ => Ok(None),
    }
}

fn trigger_notices(notices: &Notices) -> sandbar_triggers::Notices {
    let notices = notices.clone();
    Arc::new(move |notice| notices(Notice::Trigger(notice)))
}

fn warn(manifest: &Manifest, notices: &Notices) {
    if !manifest.warnings.is_empty() {
        notices(Notice::Warning(manifest.warnings.clone()));
    }
}

/// Tells what changed and is not replaced.
fn needs_restart(old: &Manifest, new: &Manifest, notices: &Notices) {
    let Server { drain, tls_certificate, tls_key, .. } = &new.server;
    let replaced = Server {
        drain: *drain,
        tls_certificate: tls_certificate.clone(),
        tls_key: tls_key.clone(),
        ..old.server.clone()
    };
    for (name, same) in [
        ("[server]", replaced == new.server),
        ("[pool]", old.pool.sandboxes_max == new.pool.sandboxes_max),
        ("[admin]", old.admin == new.admin),
        ("[receipts]", old.receipts == new.receipts),
    ] {
        if !same {
            notices(Notice::NeedsRestart(name));
        }
    }
}

/// A random number that no other process has.
fn process_id() -> io::Result<u64> {
    let mut bytes = [0; 8];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(u64::from_ne_bytes(bytes))
}
