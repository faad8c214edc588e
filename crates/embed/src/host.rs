//! What plugins share: one engine, one cache of compiled plugins, one pool of sandboxes, one thread for clocks and sockets.

use crate::{Error, PluginBuilder, Source, block::block_on, forked::Process};
use rustix::rand::{GetRandomFlags, getrandom};
use sandbar_call::CallId;
use sandbar_engine::{Allocation, Cache, Compiler, Engine, EngineConfig, Interruption, LoadError};
use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Duration,
};

/// How many sandboxes there are at one time, unless the host says otherwise.
const SANDBOXES_MAX: u32 = 1_000;
/// How long plugins that are still at work when the last handle of a host goes may go on.
const END: Duration = Duration::from_millis(100);

/// Runs plugins. Clones are the same host.
#[derive(Clone)]
pub struct Host(Arc<Inner>);

struct Inner {
    engine: Engine,
    /// Where timers and sockets of guests live. Calls themselves run where they are asked for.
    runtime: Option<tokio::runtime::Runtime>,
    /// Names it in the ids of calls.
    random: u64,
    /// Who made it: a process that was forked has none of its threads.
    process: Process,
    calls: AtomicU64,
}

/// How a host is set up.
#[derive(Clone, Debug)]
pub struct HostBuilder {
    cache: Option<Cache>,
    compiler: Compiler,
    sandboxes_max: u32,
    interruption: Interruption,
}

impl Host {
    /// Sets a host up: compiled plugins are kept in the user's cache folder, and there are up to 1,000 sandboxes.
    ///
    /// # Errors
    /// Threads or memory can't be had.
    pub fn new() -> Result<Host, Error> {
        Host::builder().build()
    }

    /// Sets a host up in another way.
    pub fn builder() -> HostBuilder {
        HostBuilder {
            cache: Cache::of_user(),
            compiler: Compiler::InProcess,
            sandboxes_max: SANDBOXES_MAX,
            interruption: Interruption::default(),
        }
    }

    /// Describes a plugin: a file, or bytes. Nothing is granted to it, and its calls may take ten seconds and 256 MiB.
    pub fn plugin(&self, source: impl Into<Source>) -> PluginBuilder {
        PluginBuilder::new(self.clone(), source.into())
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.0.engine
    }

    /// Whether this process is the one that made it.
    pub(crate) fn is_here(&self) -> bool {
        self.0.process.is_this()
    }

    /// Names the next call.
    pub(crate) fn next_call(&self) -> CallId {
        CallId::new(self.0.random, self.0.calls.fetch_add(1, Relaxed) + 1)
    }

    /// Lets a future use timers and sockets wherever it is polled.
    pub(crate) fn driving<F: Future>(&self, future: F) -> Driving<'_, F> {
        Driving { host: self, future: Box::pin(future) }
    }

    /// Runs a future on this thread. It is large, so it stays where it is.
    pub(crate) fn block_on<T>(&self, future: Pin<&mut impl Future<Output = T>>) -> T {
        let _entered = self.0.runtime.as_ref().map(tokio::runtime::Runtime::enter);
        block_on(future)
    }

    fn enter(&self) -> Option<tokio::runtime::EnterGuard<'_>> {
        self.0.runtime.as_ref().map(tokio::runtime::Runtime::enter)
    }
}

impl HostBuilder {
    /// Keeps compiled plugins here, or nowhere. The folder has to be the user's own.
    #[must_use]
    pub fn cache(self, cache: Option<Cache>) -> HostBuilder {
        HostBuilder { cache, ..self }
    }

    /// Compiles in this way. A compiler in a process of its own is bounded in time and memory, and what a plugin makes of it
    /// has nowhere to go; it needs a program that calls [`crate::compiler_main`], such as `sandbar`.
    #[must_use]
    pub fn compiler(self, compiler: Compiler) -> HostBuilder {
        HostBuilder { compiler, ..self }
    }

    /// Lets so many sandboxes be there at one time, over all plugins. Each takes address space from the start, and memory
    /// only where it is used.
    #[must_use]
    pub fn sandboxes_max(self, sandboxes_max: u32) -> HostBuilder {
        HostBuilder { sandboxes_max, ..self }
    }

    /// Interrupts plugins in this way. Epochs suit a process whose signals are not its own, such as one of Python.
    #[must_use]
    pub fn interruption(self, interruption: Interruption) -> HostBuilder {
        HostBuilder { interruption, ..self }
    }

    /// Sets the host up. Without a usable cache it goes on without.
    ///
    /// # Errors
    /// Threads or memory can't be had.
    pub fn build(self) -> Result<Host, Error> {
        let config = |cache| EngineConfig {
            allocation: Allocation::Pooled { slots: self.sandboxes_max.max(1) },
            cache,
            compiler: self.compiler.clone(),
            interruption: self.interruption,
        };
        let engine = Engine::new(config(self.cache.clone())).or_else(|error| match error {
            LoadError::Cache { .. } => Engine::new(config(None)),
            error => Err(error),
        })?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("sandbar-host")
            .enable_all()
            .build()
            .map_err(Error::Setup)?;
        let (random, calls) = (random().map_err(Error::Setup)?, AtomicU64::new(0));
        let process = Process::this().map_err(Error::Setup)?;
        Ok(Host(Arc::new(Inner { engine, runtime: Some(runtime), random, process, calls })))
    }
}

impl Drop for Inner {
    /// Does not wait for tasks: the last handle may go anywhere, also in another runtime.
    fn drop(&mut self) {
        self.engine.end(END);
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn random() -> io::Result<u64> {
    let mut bytes = [0; 8];
    let count = getrandom(&mut bytes, GetRandomFlags::empty())?;
    if count == bytes.len() { Ok(u64::from_le_bytes(bytes)) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// A future that may use the host's timers and sockets.
pub(crate) struct Driving<'a, F> {
    host: &'a Host,
    future: Pin<Box<F>>,
}

impl<F: Future> Future for Driving<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let _entered = self.host.enter();
        self.future.as_mut().poll(cx)
    }
}
