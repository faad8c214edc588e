//! What guests can import from WASI. Some hundred functions, which are the same for all guests whose grants ask for the same of
//! them, and are put together once.

use super::{setup, wasi01, wasi02, wasi03};
use crate::{error::LoadError, state::State, tuning::Tuning};
use sandbar_grants::{Admitted, Resolution};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};
use wasmtime::{Engine, Linker, component};

/// Linkers that have WASI, for each kind of guest.
#[derive(Default)]
pub(crate) struct Linkers {
    modules: Mutex<HashMap<Kind, Linker<State>>>,
    components: Mutex<HashMap<Kind, component::Linker<State>>>,
}

/// What the functions depend on.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Kind {
    tuning: Tuning,
    has_folders: bool,
    has_fine_clock: bool,
}

impl Kind {
    fn of(tuning: Tuning, grants: &Admitted) -> Kind {
        let (has_folders, has_fine_clock) = (!grants.folders.is_empty(), grants.clock == Resolution::Fine);
        Kind { tuning, has_folders, has_fine_clock }
    }
}

impl Linkers {
    /// WASI for a core module, where other functions may take the place of what is there.
    pub(crate) fn module(
        &self,
        engine: &Engine,
        tuning: Tuning,
        grants: &Admitted,
    ) -> Result<Linker<State>, LoadError> {
        made_once(&self.modules, Kind::of(tuning, grants), || {
            let mut linker = Linker::new(engine);
            linker.allow_shadowing(true);
            wasi01::link(&mut linker, grants)?;
            Ok(linker)
        })
    }

    /// WASI for a component, where other functions may take the place of what is there.
    pub(crate) fn component(
        &self,
        engine: &Engine,
        tuning: Tuning,
        grants: &Admitted,
    ) -> Result<component::Linker<State>, LoadError> {
        made_once(&self.components, Kind::of(tuning, grants), || {
            let mut linker = component::Linker::new(engine);
            linker.allow_shadowing(true);
            wasi02::link(&mut linker, grants)?;
            if tuning.concurrency {
                wasi03::link(&mut linker, grants)?;
            }
            Ok(linker)
        })
    }
}

fn made_once<L: Clone>(
    all: &Mutex<HashMap<Kind, L>>,
    kind: Kind,
    make: impl FnOnce() -> wasmtime::Result<L>,
) -> Result<L, LoadError> {
    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(linker) = all.get(&kind) {
        return Ok(linker.clone());
    }
    let linker = make().map_err(setup)?;
    all.insert(kind, linker.clone());
    Ok(linker)
}
