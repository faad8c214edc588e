//! What an app tells whoever runs it: typed, so that the command line decides how it looks and a test can wait for it.

use crate::{error::AppError, manifest::Problems};
use sandbar_engine::LogRecord;
use std::{net::SocketAddr, sync::Arc};

/// Where notices go. Called from threads that serve: it must not block.
pub type Notices = Arc<dyn Fn(Notice) + Send + Sync>;

/// Something to tell.
#[derive(Debug)]
pub enum Notice {
    /// A line about a call.
    Log(LogRecord),
    /// Something about the listener.
    Trigger(sandbar_triggers::Notice),
    /// The ledger has trouble.
    Ledger(String),
    /// The manifest is allowed, and hardly meant.
    Warning(Problems),
    /// A guest is being compiled, which may take seconds.
    Compiling(String),
    /// It is compiled.
    Compiled(String),
    /// The app was replaced while it runs.
    Reloaded,
    /// The new version was refused and the old one goes on.
    Kept(AppError),
    /// A setting changed that only a restart brings into force.
    NeedsRestart(&'static str),
    /// The admin listener has a port.
    Admin(SocketAddr),
}
