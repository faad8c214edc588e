//! `sandbar up`: serves an app.

use crate::{
    console::Console,
    failure::{Failure, Kind},
    grants::GrantFlags,
    host,
    limits::LimitFlags,
};
use clap::Args;
use sandbar_app::{App, AppError, LOOK, Notice, Notices, Watch, manifest::Manifest};
use sandbar_engine::{Allocation, Cache};
use sandbar_triggers::http::Route;
use serde_json::json;
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::Duration,
};

/// Serves an app over HTTP: a folder with a `sandbar.toml`, a manifest, or one guest file at `/`.
///
/// SIGHUP reads it again, SIGTERM and Ctrl-C let calls finish and end it, a second one ends it at once.
#[derive(Debug, Args)]
pub(crate) struct Up {
    /// The app: a folder, a manifest, or a guest (`.wasm`, `.wat`).
    #[arg(default_value = ".")]
    path: PathBuf,
    /// Listens on this address instead of the manifest's; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Serves health, readiness, metrics and the latest receipts on this address.
    #[arg(long, value_name = "ADDRESS:PORT")]
    admin: Option<SocketAddr>,
    /// Takes a new version of the manifest or a guest over as soon as its file changes.
    #[arg(long)]
    watch: bool,
    /// Leaves this process only the files and ports that the app names now, and none of the kernel's calls of administrators:
    /// Landlock and seccomp hold that. A new version that names others needs a restart.
    #[cfg(target_os = "linux")]
    #[arg(long)]
    confine: bool,
    #[command(flatten)]
    grants: GrantFlags,
    #[command(flatten)]
    limits: LimitFlags,
}

/// What there was to tell before the first line; `None` from then on.
type Early = Mutex<Option<Vec<Notice>>>;

/// What wakes the main thread.
enum Wake {
    Reload,
    End,
}

pub(crate) fn run(up: Up, console: &Console) -> Result<ExitCode, Failure> {
    let up = Arc::new(up);
    let manifest = up.manifest()?;
    // Before there is another thread, which would not be held.
    #[cfg(target_os = "linux")]
    if up.confine {
        confine(&manifest, console)?;
    }
    let slots = u32::try_from(manifest.pool.sandboxes_max).unwrap_or(u32::MAX);
    let engine = host::engine(Allocation::Pooled { slots }, console)?;
    let watch = up.watch.then(|| Watch::new(&up.path, &manifest));
    // Before the first line says that it serves: whoever reads it may send a signal at once.
    let wakes = wakes(watch, up.clone())?;
    let early = Arc::new(Mutex::new(Some(Vec::new())));
    let app = Arc::new(App::start(manifest, engine, notices(console, &early))?);
    announce(&app, console);
    let early = early.lock().unwrap_or_else(PoisonError::into_inner).take();
    early.into_iter().flatten().for_each(|notice| console.notice(notice));
    while let Ok(Wake::Reload) = wakes.recv() {
        app.reload(up.manifest().map_err(AppError::Manifest));
    }
    Ok(end(&app, &wakes, console))
}

impl Up {
    fn manifest(&self) -> Result<Manifest, sandbar_app::manifest::ManifestErrors> {
        let mut manifest = if is_guest(&self.path) {
            let refuse = |failure: Failure| {
                let problem = sandbar_app::manifest::Problem::whole(failure.message);
                let manifest =
                    Manifest::for_guest(&self.path, sandbar_grants::Grants::default(), sandbar_call::Limits::NONE);
                manifest.refuse([match failure.hint {
                    Some(hint) => problem.hint(hint),
                    None => problem,
                }])
            };
            let grants = self.grants.grants().map_err(refuse)?;
            // Folders in flags are seen from here, not from the guest's file.
            Manifest { folder: ".".into(), ..Manifest::for_guest(&self.path, grants, self.limits.over_defaults()) }
        } else {
            let manifest = Manifest::read(&self.path)?;
            if !self.grants.is_empty() || !self.limits.is_empty() {
                let problem =
                    sandbar_app::manifest::Problem::whole("grants and limits as flags are for one guest file");
                return Err(manifest.refuse([problem.hint("write them into the manifest, at `[guests.NAME.grants]`")]));
            }
            manifest
        };
        manifest.server.listen = self.listen.unwrap_or(manifest.server.listen);
        manifest.admin.listen = self.admin.or(manifest.admin.listen);
        Ok(manifest)
    }
}

#[cfg(target_os = "linux")]
fn confine(manifest: &Manifest, console: &Console) -> Result<(), Failure> {
    use std::{fs::DirBuilder, os::unix::fs::DirBuilderExt};
    let cache = Cache::of_user().map(|cache| cache.folder);
    for folder in cache.iter().chain(&manifest.receipts.path.as_deref().and_then(Path::parent).map(Path::to_path_buf)) {
        // What is not there can't be named to the kernel. Who needs it says what is wrong.
        let _ = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    }
    let held = sandbar_engine::confine_server(&manifest.reach(cache.as_deref()))
        .map_err(|error| Failure::new(Kind::Unavailable, format!("can't confine this process: {error}")))?;
    if !held {
        console.say("this kernel has no Landlock: only its calls are held, files and ports are not");
    }
    Ok(())
}

fn is_guest(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "wasm" || ending == "wat")
}

/// Passes notices on to the console; those of the start wait, so that the first line is the address.
fn notices(console: &Console, early: &Arc<Early>) -> Notices {
    let (console, early) = (console.clone(), early.clone());
    Arc::new(move |notice| match &mut *early.lock().unwrap_or_else(PoisonError::into_inner) {
        Some(early) if !matches!(notice, Notice::Compiling(_) | Notice::Compiled(_)) => early.push(notice),
        _ => console.notice(notice),
    })
}

/// Waits for signals and changed files on threads of their own.
fn wakes(watch: Option<Watch>, up: Arc<Up>) -> Result<mpsc::Receiver<Wake>, Failure> {
    let (wake, wakes) = mpsc::channel();
    let unavailable =
        |error: std::io::Error| Failure::new(Kind::Unavailable, format!("can't wait for signals: {error}"));
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM]).map_err(unavailable)?;
    let changed = wake.clone();
    let heard = thread::Builder::new().name("sandbar-signals".into()).spawn(move || {
        for signal in signals.forever() {
            let _ = wake.send(if signal == SIGHUP { Wake::Reload } else { Wake::End });
        }
    });
    heard.map_err(unavailable)?;
    if let Some(mut watch) = watch {
        let looks = thread::Builder::new().name("sandbar-watch".into()).spawn(move || {
            loop {
                thread::sleep(LOOK);
                if watch.has_changed() {
                    if let Ok(manifest) = up.manifest() {
                        watch.follow(&manifest);
                    }
                    if changed.send(Wake::Reload).is_err() {
                        return;
                    }
                }
            }
        });
        looks.map_err(unavailable)?;
    }
    Ok(wakes)
}

/// Says what is served, with a line to copy for each route.
fn announce(app: &App, console: &Console) {
    let scheme = if app.is_tls() { "https" } else { "http" };
    let url = format!("{scheme}://{}", app.address());
    let routes = app.routes();
    if console.json {
        let routes: Vec<_> = routes.routes().iter().map(|route| route.pattern.as_str().to_owned()).collect();
        console.say(json!({ "url": url, "app": app.routes().name(), "routes": routes }));
        return;
    }
    console.say(format!("{} serves on {}", console.paint(routes.name(), "1"), console.paint(&url, "1;32")));
    for route in routes.routes() {
        console.say(format!("  {}", line(route, &url)));
    }
}

/// The line to copy for a route.
fn line(route: &Route, url: &str) -> String {
    format!("{:<28} {}", route.pattern.as_str(), route.curl(url))
}

/// Lets calls finish; another signal cuts them.
fn end(app: &Arc<App>, wakes: &mpsc::Receiver<Wake>, console: &Console) -> ExitCode {
    let within = app.drain_time();
    let (done, drained) = mpsc::channel();
    let draining = app.clone();
    let drain = thread::spawn(move || done.send(draining.drain(within)).is_ok());
    let drained = loop {
        match drained.recv_timeout(Duration::from_millis(20)) {
            Ok(drained) => break drained,
            Err(mpsc::RecvTimeoutError::Disconnected) => return ExitCode::FAILURE,
            Err(mpsc::RecvTimeoutError::Timeout) => {}
        }
        if let Ok(Wake::End) = wakes.try_recv() {
            break app.drain(Duration::ZERO);
        }
    };
    if drained.cut > 0 {
        console.say(format!("{} connections were cut", drained.cut));
    }
    console.flush();
    drop(drain);
    ExitCode::SUCCESS
}
