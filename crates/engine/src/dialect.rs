//! Binds each ABI to events and grants. An old dialect is adapted here, once, and nowhere else.
//!
//! Files, sockets, clocks, random and stdio are enforced by wasmtime-wasi, which gets the same grant data as everything else.
//! What it has no hook for, quotas, denials and missing secure random, is laid over its functions here.

mod clocks;
pub(crate) mod extism;
mod files;
mod functions;
mod host_stdio;
mod linkers;
mod metered;
mod random;
mod target;
mod unknown;
mod wasi01;
mod wasi02;
mod wasi03;

use crate::{Binding, error::LoadError, outcome::Denied, state::State, tap::Tap};
use sandbar_call::{Denial, GrantKind};
use sandbar_grants::{Access, Admitted, Network, SocketUse, suggestion};
use std::sync::Arc;
use wasmtime::{Module, component::Component};
use wasmtime_wasi::{FsPerms, TrappableError, WasiCtxBuilder, sockets::SocketAddrUse};

pub use extism::ExtismBounds;
pub use wasi01::Names as WasiNames;
pub(crate) use {files::Files, host_stdio::host_stdio, linkers::Linkers, wasi01::Listings};

/// Provides the imports of a core module, beside what the linker has.
pub(crate) fn link_module(
    mut linker: wasmtime::Linker<State>,
    module: &Module,
    binding: &Binding,
) -> Result<wasmtime::InstancePre<State>, LoadError> {
    wasi01::link_parts(&mut linker, module, &binding.grants).map_err(setup)?;
    extism::link(&mut linker, module, &binding.config).map_err(setup)?;
    functions::link_module(&mut linker, module, &binding.functions)?;
    linker.instantiate_pre(module).map_err(|error| unknown::in_module(module, &error))
}

/// Whether a core module imports something that may make it wait: all but functions of the host program that answer at once.
pub(crate) fn waits(module: &Module, binding: &Binding) -> bool {
    module.imports().any(|import| !binding.functions.answers_at_once(import.module(), import.name()))
}

/// Provides the imports of a component, beside what the linker has.
pub(crate) fn link_component(
    mut linker: wasmtime::component::Linker<State>,
    component: &Component,
    binding: &Binding,
) -> Result<wasmtime::component::InstancePre<State>, LoadError> {
    functions::link_component(&mut linker, component, &binding.functions)?;
    linker.instantiate_pre(component).map_err(|error| unknown::in_component(&error))
}

/// What WASI gives a sandbox, from its grants.
pub(crate) fn context(grants: &Admitted, network: &Arc<Network>, tap: &Tap) -> wasmtime::Result<WasiCtxBuilder> {
    let mut wasi = WasiCtxBuilder::new();
    wasi.envs(&grants.env)
        .wall_clock(clocks::Wall::new(grants.clock, tap.clone()))
        .monotonic_clock(clocks::Monotonic::new(grants.clock, tap.clone()));
    for folder in &grants.folders {
        let perms = match folder.access {
            Access::ReadOnly => FsPerms::ReadOnly,
            Access::ReadWrite => FsPerms::ReadWrite,
        };
        wasi.preopened_dir(&folder.host, &folder.guest, perms)?;
    }
    wasi.allow_tcp(true).allow_udp(true).allow_ip_name_lookup(false);
    let (network, tap) = (network.clone(), tap.clone());
    wasi.socket_addr_check(move |address, used_for| {
        let granted = network.check(address, socket_use(used_for), &tap.meter());
        Box::pin(std::future::ready(granted))
    });
    Ok(wasi)
}

fn socket_use(used_for: SocketAddrUse) -> SocketUse {
    match used_for {
        SocketAddrUse::TcpBind => SocketUse::TcpBind,
        SocketAddrUse::TcpListen => SocketUse::TcpListen,
        SocketAddrUse::TcpAccept => SocketUse::TcpAccept,
        SocketAddrUse::TcpConnect => SocketUse::TcpConnect,
        SocketAddrUse::UdpBind => SocketUse::UdpBind,
        SocketAddrUse::UdpSend => SocketUse::UdpSend,
        SocketAddrUse::UdpReceive => SocketUse::UdpReceive,
    }
}

fn setup(error: wasmtime::Error) -> LoadError {
    LoadError::Setup(format!("{error:#}"))
}

/// Ends the call of a guest that asks for secure random numbers and has no grant for them: its interface has no error.
fn random_granted(state: &State) -> wasmtime::Result<()> {
    let meter = state.tap.meter();
    if state.grants.random {
        meter.called(GrantKind::Random);
        return Ok(());
    }
    let line = suggestion(GrantKind::Random, "true").map_or_else(String::new, |suggestion| suggestion.line);
    let denial = Denial::new(GrantKind::Random, "secure random numbers", line);
    meter.denied(denial.clone());
    Err(Denied(denial).into())
}

/// Counts a use of a grant.
fn used(tap: &Tap, grant: GrantKind) {
    tap.meter().called(grant);
}

/// What a guest is told of a call to the host, apart from what ends the guest.
fn answer<T, E>(result: Result<T, TrappableError<E>>) -> wasmtime::Result<Result<T, E>>
where
    E: std::error::Error + Send + Sync + 'static,
{
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(error) => error.downcast().map(Err),
    }
}
