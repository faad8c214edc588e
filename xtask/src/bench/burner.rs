//! A guest that only burns processor time, as long as its deadline lets it.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::Duration,
};

use anyhow::{Result, bail, ensure};
use sandbar_testkit::process::Server;

use super::{
    ask::Client,
    deployed::{App, Keys},
    usage,
};

/// A guest that never ends, section by section:
///
/// ```wat
/// (module (func (export "handle_request") (result i32) (loop (br 0)) (unreachable)))
/// ```
const GUEST: &[u8] = b"\0asm\x01\0\0\0\
    \x01\x05\x01\x60\0\x01\x7f\
    \x03\x02\x01\0\
    \x07\x12\x01\x0ehandle_request\0\0\
    \x0a\x0a\x01\x08\0\x03\x40\x0c\0\x0b\0\x0b";
const LIMITS: &str = "limits = { wall = \"1s\", cpu = \"none\" }";
const STOPPED: u16 = 504;

/// How long it burns before others are asked.
const BURNS_FIRST: Duration = Duration::from_millis(500);

/// Deploys it.
pub(super) fn deploy(app: &mut App) -> Result<()> {
    app.deploy_with("burner", GUEST, Keys { guest: LIMITS, route: "" })
}

/// Does something while the burner is asked over as many connections as there are cores.
pub(super) fn beside<T>(server: &Server, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let burn = || burn(server.address(), &over);
        let burners: Vec<_> = (0..usage::cores()).map(|_| scope.spawn(burn)).collect();
        thread::sleep(BURNS_FIRST);
        let done = work();
        // Each ends with its request's deadline.
        over.store(true, Relaxed);
        burners.into_iter().try_for_each(|burner| burner.join().unwrap_or_else(|_| bail!("a client panicked")))?;
        done
    })
}

/// Asks the burner again as soon as it was stopped.
fn burn(address: SocketAddr, over: &AtomicBool) -> Result<()> {
    while !over.load(Relaxed) {
        // A connection for each, since one may end with the answer of a call that was stopped.
        let status = Client::connect(address)?.answer("/burner")?.status;
        ensure!(status == STOPPED, "the burner was answered with status {status}, expected {STOPPED}");
    }
    Ok(())
}
