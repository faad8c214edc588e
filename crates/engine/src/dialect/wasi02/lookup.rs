//! `wasi:sockets/ip-name-lookup` 0.2, answered by the network grants: what is looked up here is what a sandbox may connect to
//! by name.

use crate::state::State;
use futures::FutureExt;
use sandbar_grants::LookupError;
use std::{future::Future, net::IpAddr, pin::Pin, vec};
use wasmtime::{
    Result, StoreContextMut,
    component::{Linker, Resource, ResourceType},
};
use wasmtime_wasi::{
    WasiView,
    p2::bindings::sockets::network::{ErrorCode, IpAddress, Network},
};
use wasmtime_wasi_io::{
    async_trait,
    poll::{DynPollable, Pollable, subscribe},
};

const INTERFACE: &str = "wasi:sockets/ip-name-lookup@0.2.12";

/// A `resolve-address-stream`.
enum Addresses {
    /// The guest's sandbox owns the look-up: dropped with it, nobody waits for the answer.
    Coming(Pin<Box<dyn Future<Output = Answer> + Send>>),
    Here(Answer),
}

type Answer = std::result::Result<vec::IntoIter<IpAddr>, ErrorCode>;
type Store<'a> = StoreContextMut<'a, State>;

/// Provides the interface in place of wasmtime-wasi's.
pub(crate) fn link(linker: &mut Linker<State>) -> Result<()> {
    let mut lookup = linker.instance(INTERFACE)?;
    lookup.resource("resolve-address-stream", ResourceType::host::<Addresses>(), |mut store, rep| {
        store.data_mut().ctx().table.delete(Resource::<Addresses>::new_own(rep))?;
        Ok(())
    })?;
    lookup.func_wrap("resolve-addresses", |mut store: Store<'_>, (network, name): (Resource<Network>, String)| {
        store.data_mut().ctx().table.get(&network)?;
        let mut addresses = Addresses::look_up(store.data(), name);
        if let Some(Err(code)) = addresses.now() {
            return Ok((Err(*code),));
        }
        Ok((Ok(store.data_mut().ctx().table.push(addresses)?),))
    })?;
    lookup.func_wrap(
        "[method]resolve-address-stream.resolve-next-address",
        |mut store: Store<'_>, (stream,): (Resource<Addresses>,)| {
            let next: std::result::Result<Option<IpAddress>, ErrorCode> =
                match store.data_mut().ctx().table.get_mut(&stream)?.now() {
                    Some(Ok(addresses)) => Ok(addresses.next().map(IpAddress::from)),
                    Some(Err(code)) => Err(*code),
                    None => Err(ErrorCode::WouldBlock),
                };
            Ok((next,))
        },
    )?;
    lookup.func_wrap(
        "[method]resolve-address-stream.subscribe",
        |mut store: Store<'_>, (stream,): (Resource<Addresses>,)| {
            let pollable: Resource<DynPollable> = subscribe(store.data_mut().ctx().table, stream)?;
            Ok((pollable,))
        },
    )
}

impl Addresses {
    fn look_up(state: &State, name: String) -> Addresses {
        let (network, meter) = (state.network.clone(), state.tap.meter());
        Addresses::Coming(Box::pin(async move {
            network.lookup(&name, &meter).await.map(Vec::into_iter).map_err(|error| error_code(&error))
        }))
    }

    /// The answer, if it is here.
    fn now(&mut self) -> Option<&mut Answer> {
        if let Addresses::Coming(coming) = self {
            *self = Addresses::Here(coming.now_or_never()?);
        }
        match self {
            Addresses::Here(answer) => Some(answer),
            Addresses::Coming(_) => None,
        }
    }
}

#[async_trait]
impl Pollable for Addresses {
    async fn ready(&mut self) {
        if let Addresses::Coming(coming) = self {
            *self = Addresses::Here(coming.await);
        }
    }
}

fn error_code(error: &LookupError) -> ErrorCode {
    match error {
        LookupError::Denied => ErrorCode::AccessDenied,
        LookupError::Invalid(_) => ErrorCode::InvalidArgument,
        LookupError::NotFound => ErrorCode::NameUnresolvable,
        LookupError::Failed(_) => ErrorCode::TemporaryResolverFailure,
    }
}
