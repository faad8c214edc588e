//! `wasi:sockets/ip-name-lookup` 0.3, answered by the network grants, as in 0.2.

use crate::state::State;
use sandbar_grants::LookupError;
use wasmtime::{
    Result,
    component::{Accessor, Linker},
};
use wasmtime_wasi::p3::bindings::sockets::{ip_name_lookup::ErrorCode, types::IpAddress};

const INTERFACE: &str = "wasi:sockets/ip-name-lookup@0.3.0";

/// Provides the interface in place of wasmtime-wasi's.
pub(crate) fn link(linker: &mut Linker<State>) -> Result<()> {
    let mut lookup = linker.instance(INTERFACE)?;
    lookup.func_wrap_concurrent("resolve-addresses", |store: &Accessor<State>, (name,): (String,)| {
        Box::pin(async move {
            let (network, meter) = store.with(|mut store| {
                let state = store.data_mut();
                (state.network.clone(), state.tap.meter())
            });
            let found = network.lookup(&name, &meter).await;
            let addresses: std::result::Result<Vec<IpAddress>, ErrorCode> =
                found.map(|found| found.into_iter().map(IpAddress::from).collect()).map_err(|error| error_code(&error));
            Ok((addresses,))
        })
    })
}

fn error_code(error: &LookupError) -> ErrorCode {
    match error {
        LookupError::Denied => ErrorCode::AccessDenied,
        LookupError::Invalid(_) => ErrorCode::InvalidArgument,
        LookupError::NotFound => ErrorCode::NameUnresolvable,
        LookupError::Failed(_) => ErrorCode::TemporaryResolverFailure,
    }
}
