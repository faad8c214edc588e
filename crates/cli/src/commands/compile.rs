//! `sandbar compile`: compiles guests ahead of time.

use crate::{
    console::{Console, print},
    failure::Failure,
    host,
};
use clap::Args;
use sandbar_engine::Allocation;
use serde_json::json;
use std::{path::PathBuf, process::ExitCode};

/// Compiles guests into the artifact cache, so that their first call does not wait for it.
#[derive(Debug, Args)]
pub(crate) struct Compile {
    /// The guests (`.wasm`, `.wat`).
    #[arg(required = true)]
    guests: Vec<PathBuf>,
    /// Compiles the form that counts fuel exactly, too.
    #[arg(long)]
    fuel_metered: bool,
}

pub(crate) fn run(compile: &Compile, console: &Console) -> Result<ExitCode, Failure> {
    let engine = host::keeping_engine(Allocation::OnDemand)?;
    for path in &compile.guests {
        let guest = host::guest(path, console)?;
        let forms: &[bool] = if compile.fuel_metered { &[false, true] } else { &[false] };
        for &fuel in forms {
            let artifact =
                engine.prepare(&guest, fuel).map_err(|error| Failure::load(&path.display().to_string(), &error))?;
            if console.json {
                let made =
                    json!({ "guest": path, "digest": guest.digest(), "fuel_metered": fuel, "artifact": artifact });
                print(format_args!("{made}\n"))?;
            } else {
                let artifact = artifact.map(|artifact| artifact.display().to_string()).unwrap_or_default();
                print(format_args!("{} {artifact}\n", guest.digest()))?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
