//! The programs that are measured: ours from the workspace, and Wasmtime's own command line, of the same version.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context, Result};
use serde::Deserialize;

use super::Options;
use crate::{guests, install::Program, step, workspace::Workspace};

/// What the peer is built with: everything that its `run` and `serve` use in a default build. Left out are its other
/// commands, and the profiling, debugging and stack-switching hooks, which would only slow it down.
const WASMTIME_FEATURES: &[&str] = &[
    "run",
    "serve",
    "compile",
    "cranelift",
    "parallel-compilation",
    "pooling-allocator",
    "component-model",
    "component-model-async",
    "threads",
    "gc",
    "gc-drc",
    "gc-copying",
    "gc-null",
    "wat",
    "cache",
    "backtrace",
    "demangle",
    "addr2line",
    "coredump",
];

/// The programs.
pub(super) struct Peers {
    pub(super) sandbar: PathBuf,
    pub(super) native: PathBuf,
    pub(super) load: PathBuf,
    pub(super) stream: PathBuf,
    pub(super) wasmtime: PathBuf,
    /// Where Sandbar keeps what it would keep in the user's folders.
    pub(super) home: PathBuf,
}

impl Peers {
    /// Builds what is not there, or takes what somebody built into a folder.
    pub(super) fn find(workspace: &Workspace, options: &Options) -> Result<Peers> {
        let home = workspace.target.join("bench");
        fs::create_dir_all(&home)?;
        if let Some(folder) = &options.programs {
            let wasmtime = folder.join("wasmtime");
            return Ok(Peers::of(|name| folder.join(name), wasmtime, home));
        }
        guests::install_targets(workspace)?;
        guests::build(workspace)?;
        step::run(workspace.cargo("build").args(["--release", "-p", "sandbar", "-p", "sandbar-testkit", "--bins"]))?;
        Ok(Peers::of(|name| workspace.program(name), wasmtime(workspace)?, home))
    }

    fn of(program: impl Fn(&str) -> PathBuf, wasmtime: PathBuf, home: PathBuf) -> Peers {
        Peers {
            sandbar: program("sandbar"),
            native: program("native"),
            load: program("load"),
            stream: program("stream"),
            wasmtime,
            home,
        }
    }

    /// Calls our program away from the user's cache and state.
    pub(super) fn sandbar(&self) -> Command {
        let mut command = Command::new(&self.sandbar);
        for (name, folder) in [("XDG_CACHE_HOME", "cache"), ("XDG_STATE_HOME", "state"), ("XDG_DATA_HOME", "data")] {
            command.env(name, self.home.join(folder));
        }
        command
    }
}

/// Finds Wasmtime's command line of the version that the workspace is locked to, and installs it when it is missing.
fn wasmtime(workspace: &Workspace) -> Result<PathBuf> {
    let peer = Program {
        name: "wasmtime",
        package: "wasmtime-cli",
        version: &locked_version(workspace)?,
        folder: "peers",
        arguments: &["--no-default-features", "--features", &WASMTIME_FEATURES.join(",")],
    };
    peer.install(workspace)
}

fn locked_version(workspace: &Workspace) -> Result<String> {
    #[derive(Deserialize)]
    struct Lock {
        package: Vec<Package>,
    }
    #[derive(Deserialize)]
    struct Package {
        name: String,
        version: String,
    }
    let lock: Lock = workspace.toml("Cargo.lock")?;
    let wasmtime = lock.package.into_iter().find(|package| package.name == "wasmtime");
    Ok(wasmtime.context("`Cargo.lock` has no `wasmtime`")?.version)
}
