//! Wires a manifest: its guests become programs, its routes entries into them.

use crate::{
    error::AppError,
    manifest::{self, Answer, Manifest, Problem, Sandbox},
    notice::{Notice, Notices},
};
use http::HeaderValue;
use sandbar_call::{GuestName, Settle, Shape};
use sandbar_engine::{
    Binding, Engine, EntryChoice, Fuel, Guest, LoadError, Log, LogRecord, Policy, PoolLimits, Program, Progress,
};
use sandbar_grants::Volumes;
use sandbar_triggers::http::{self as trigger, Files, Home, Pattern, Route, Routes, Target};
use std::{collections::HashMap, env, ops::Range, sync::Arc};

/// A wired manifest: what answers, and what it is made of.
pub(crate) struct Wired {
    pub(crate) routes: Arc<Routes>,
    pub(crate) programs: Vec<Arc<Program>>,
}

/// Loads every guest and builds every route, or says everything that is wrong.
pub(crate) fn wire(
    manifest: &Manifest,
    engine: &Engine,
    receipts: &Arc<dyn Settle>,
    notices: &Notices,
) -> Result<Wired, AppError> {
    let mut problems = Vec::new();
    let mut programs = HashMap::new();
    let volumes = Volumes::default();
    for guest in &manifest.guests {
        match load(guest, manifest, engine, &volumes, notices) {
            Ok(loaded) => drop(programs.insert(guest.name.clone(), loaded)),
            Err(error) => {
                problems.push(refused(&format!("can't load the guest `{}`", guest.name), guest.at.clone(), &error))
            }
        }
    }
    let mut routes = Vec::new();
    for route in &manifest.routes {
        match build(route, manifest, &programs, receipts) {
            Ok(Some(route)) => routes.push(route),
            Ok(None) => {}
            Err(problem) => problems.push(problem),
        }
    }
    if !problems.is_empty() {
        return Err(manifest.refuse(problems).into());
    }
    let routes = Routes::build(manifest.name.clone(), Home::Listed, routes)
        .map_err(|error| manifest.refuse([Problem::whole(error.to_string())]))?;
    Ok(Wired { routes: Arc::new(routes), programs: programs.into_values().map(|loaded| loaded.program).collect() })
}

struct Loaded {
    guest: Guest,
    program: Arc<Program>,
}

fn load(
    guest: &manifest::Guest,
    manifest: &Manifest,
    engine: &Engine,
    volumes: &Volumes,
    notices: &Notices,
) -> Result<Loaded, LoadError> {
    let tell = Arc::new(Tell(notices.clone()));
    let loaded = Guest::from_file(guest.name.clone(), &guest.path)?.with_progress(tell.clone());
    if let Some(expected) = guest.digest.filter(|expected| *expected != loaded.digest()) {
        let (expected, found) = (expected.to_string(), loaded.digest().to_string());
        return Err(LoadError::Digest { expected, found });
    }
    let admitted = guest.grants.admit(&manifest.folder, &|name| env::var(name).ok(), volumes)?;
    let binding = Binding {
        grants: Arc::new(admitted),
        fuel: if guest.fuel_metered { Fuel::Always } else { Fuel::WhereLimited },
        policy: policy(guest.sandbox),
        pool: PoolLimits {
            sandboxes_max: u32::try_from(guest.sandboxes_max).unwrap_or(u32::MAX),
            waiting_max: u32::try_from(manifest.pool.waiting_max).unwrap_or(u32::MAX),
            wait: guest.wait,
        },
        ..Binding::new(guest.limits.clone(), tell)
    };
    let program = engine.bind(&loaded, binding)?;
    Ok(Loaded { guest: loaded, program })
}

fn policy(sandbox: Sandbox) -> Policy {
    match sandbox {
        Sandbox::Fresh => Policy::Fresh,
        Sandbox::Reused { calls, idle } => Policy::Reused { calls, idle },
        Sandbox::Held => Policy::Held,
    }
}

/// Builds a route; `None` where its guest could not be loaded, which is said already.
fn build(
    route: &manifest::Route,
    manifest: &Manifest,
    programs: &HashMap<GuestName, Loaded>,
    receipts: &Arc<dyn Settle>,
) -> Result<Option<Route>, Problem> {
    let at = route.route.at.clone();
    let pattern = route.route.value.parse::<Pattern>();
    let pattern = pattern.map_err(|error| Problem::error("the route can't be read", at.clone(), error.to_string()))?;
    let target = match &route.answer {
        Answer::Files(folder) => Target::Files(
            Files::open(folder).map_err(|error| Problem::error("the folder can't be served", at, error.to_string()))?,
        ),
        Answer::Guest { guest, export } => {
            let Some(Loaded { guest: loaded, program }) = programs.get(guest) else { return Ok(None) };
            let asked = manifest.guest(guest);
            let export = export.as_ref().or(asked.and_then(|asked| asked.export.as_ref()));
            let content_type = content_type(route)?;
            let choice = EntryChoice {
                shape: asked.and_then(|asked| asked.shape),
                export: export.map(|export| export.value.clone()),
                content_type,
            };
            let entry = program
                .entry(loaded, choice)
                .map_err(|error| refused(&format!("the guest `{guest}` can't answer this route"), at, &error))?;
            let wants_match =
                entry.shape() == Shape::Command || entry.shape() == Shape::Http && manifest.server.tls_key.is_some();
            Target::Guest(trigger::Binding {
                run: Arc::new(entry),
                receipts: receipts.clone(),
                wants_match,
                content_type: None,
                body_bytes_max: None,
            })
        }
    };
    let example = route.example.as_ref().map(|body| format!("-d '{}'", body.replace('\'', r"'\''")));
    Ok(Some(Route { pattern, target, example }))
}

fn content_type(route: &manifest::Route) -> Result<Option<HeaderValue>, Problem> {
    let malformed = |_| Problem::error("the content type can't be sent", route.at.clone(), "not a header value");
    route.content_type.as_deref().map(HeaderValue::from_str).transpose().map_err(malformed)
}

fn refused(what: &str, at: Range<usize>, error: &LoadError) -> Problem {
    let problem = Problem::error(what, at, error.to_string());
    match error.hint() {
        Some(hint) => problem.hint(hint),
        None => problem,
    }
}

/// Passes on what guests say.
struct Tell(Notices);

impl Log for Tell {
    fn log(&self, record: LogRecord) {
        (self.0)(Notice::Log(record));
    }
}

impl Progress for Tell {
    fn compiling(&self, guest: &str) {
        (self.0)(Notice::Compiling(guest.to_owned()));
    }

    fn compiled(&self, guest: &str) {
        (self.0)(Notice::Compiled(guest.to_owned()));
    }
}
