//! `sandbar types`: writes a guest's types for other languages.

use crate::{
    console::{Console, print},
    failure::{Failure, Kind},
};
use clap::{ArgGroup, Args};
use sandbar_bindings::{Error, Language, Way, World};
use sandbar_call::Shape;
use sandbar_engine::{
    LoadError,
    inspect::{self, Candidate},
};
use std::{
    borrow::Cow,
    collections::HashMap,
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Writes what a guest's functions take and give as types of TypeScript, Python or Rust.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("language").required(true))]
pub(crate) struct Types {
    /// The guest (`.wasm`, `.wat`), or WIT: a file (`.wit`) or a folder.
    guest: PathBuf,
    /// Writes declarations of TypeScript, for `loadPlugin<Exports>`.
    #[arg(long, group = "language")]
    ts: bool,
    /// Writes a stub of Python, for `cast(Exports, plugin)`.
    #[arg(long, group = "language")]
    py: bool,
    /// Writes a module of Rust, with a client that calls by `sandbar-embed`.
    #[arg(long, group = "language")]
    rust: bool,
    /// The world of the WIT, where it has several.
    #[arg(long, value_name = "NAME")]
    world: Option<String>,
    /// Writes to a file, and not to stdout.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(crate) fn run(command: &Types, _: &Console) -> Result<ExitCode, Failure> {
    let name = command.guest.display().to_string();
    let failed = |error: Error| failure(&name, &error);
    let is_wit = command.guest.is_dir() || command.guest.extension().is_some_and(|end| end == "wit");
    let world = match (is_wit, &command.world) {
        (true, world) => sandbar_bindings::wit(&command.guest, world.as_deref()).map_err(failed)?,
        (false, None) => of_guest(&command.guest, &name)?,
        (false, Some(_)) => {
            let failure = Failure::new(Kind::Usage, format!("`{name}` is a guest and has one world"));
            return Err(failure.hint("leave `--world` out"));
        }
    };
    let text = world.write(language(command)).map_err(failed)?;
    match &command.output {
        None => print(text)?,
        Some(path) => fs::write(path, text)
            .map_err(|error| Failure::new(Kind::Unavailable, format!("can't write `{}`: {error}", path.display())))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn language(command: &Types) -> Language {
    match (command.ts, command.py) {
        (true, _) => Language::TypeScript,
        (_, true) => Language::Python,
        _ => Language::Rust,
    }
}

/// Reads a guest; what of it can be called is for the engine to say.
fn of_guest(path: &Path, name: &str) -> Result<World, Failure> {
    let mut bytes = Vec::new();
    File::open(path)
        // One byte more than a guest may have, for its error.
        .and_then(|file| file.take(inspect::GUEST_BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(|error| Failure::new(Kind::NoInput, format!("can't read `{name}`: {error}")))?;
    let binary = inspect::binary(Cow::Owned(bytes));
    let read = binary.and_then(|binary| inspect::summary(&binary).map(|summary| (binary, summary)));
    let (binary, summary) = read.map_err(|error| Failure::load(name, &LoadError::Malformed(error)))?;
    let ways: HashMap<_, _> = summary.candidates.iter().filter_map(way).collect();
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    sandbar_bindings::guest(&binary, &stem, |export| ways.get(export).copied()).map_err(|error| failure(name, &error))
}

/// How a host calls an export.
fn way(candidate: &Candidate) -> Option<(&str, Way)> {
    let way = match candidate.shape {
        Shape::Typed => Way::Typed,
        Shape::Function => Way::Stdio,
        Shape::Command | Shape::Http => return None,
    };
    Some((candidate.export.as_deref()?, way))
}

fn failure(name: &str, error: &Error) -> Failure {
    match error {
        Error::File(path, error) => Failure::new(Kind::NoInput, format!("can't read `{}`: {error}", path.display())),
        Error::World { worlds, .. } => {
            let failure = Failure::new(Kind::Input, format!("`{name}`: {error}"));
            match worlds.first() {
                Some(world) => failure.hint(format!("name it with `--world {world}`")),
                None => failure,
            }
        }
        error => Failure::new(Kind::Input, format!("`{name}`: {error}")),
    }
}
