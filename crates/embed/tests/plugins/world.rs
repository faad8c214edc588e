//! What the tests share: one host, and guests as text.

use sandbar_embed::{Host, PluginBuilder, Policy};
use std::{sync::OnceLock, time::Duration};

/// One host for all of a process.
pub(crate) fn host() -> &'static Host {
    static HOST: OnceLock<Host> = OnceLock::new();
    HOST.get_or_init(|| Host::builder().cache(None).sandboxes_max(100).build().unwrap())
}

/// A plugin of a guest as text.
pub(crate) fn text(wat: &str) -> PluginBuilder {
    host().plugin(wat.as_bytes().to_vec())
}

/// A plugin of a guest of the quickstart.
pub(crate) fn quickstart(name: &str) -> PluginBuilder {
    host().plugin(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/quickstart").join(name))
}

/// Every way in which sandboxes live.
pub(crate) const POLICIES: [Policy; 3] = [
    Policy::Held,
    Policy::Reused { sandboxes_max: 4, calls: 1_000, idle: Duration::from_secs(10) },
    Policy::Fresh { sandboxes_max: 4 },
];

/// Runs a future as an async host would, on a runtime of its own.
pub(crate) fn on_tokio<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}
