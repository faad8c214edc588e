//! Builds the sample guests, as `guests/build.toml` lists them.
//!
//! Guests are a workspace of their own, since they are compiled for other targets with another profile. Paths of the
//! machine are mapped away, so that the same toolchain makes the same bytes in every folder.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};
use lexopt::Arg;
use serde::Deserialize;

use crate::{folders::Folders, step, workspace::Workspace};

pub(crate) const HELP: &str = "\
Usage: cargo xtask guests [--update]

Installs missing rustup targets and builds the guests that guests/build.toml lists.

      --update   also refresh the prebuilt guests of examples/quickstart
";

const LIST: &str = "guests/build.toml";
const MANIFEST: &str = "guests/Cargo.toml";
const TARGET_FOLDER: &str = "guests/target";

/// One guest to build.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Guest {
    name: String,
    package: String,
    target: String,
    kind: Kind,
    out: PathBuf,
    prebuilt: Option<PathBuf>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Bin,
    Cdylib,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    guest: Vec<Guest>,
}

/// What happens to prebuilt guests that differ from what was built.
#[derive(Clone, Copy)]
enum Prebuilt {
    Report,
    Update,
}

pub(crate) fn run(workspace: &Workspace, mut arguments: lexopt::Parser) -> Result<()> {
    let mut prebuilt = Prebuilt::Report;
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Long("update") => prebuilt = Prebuilt::Update,
            other => return Err(other.unexpected().into()),
        }
    }
    install_targets(workspace)?;
    let guests = build_all(workspace)?;
    for guest in &guests {
        settle_prebuilt(workspace, guest, prebuilt)?;
    }
    Ok(())
}

/// Installs the rustup targets that guests need and this machine lacks.
pub(crate) fn install_targets(workspace: &Workspace) -> Result<()> {
    let wanted = by_target(list(workspace)?).into_keys();
    let mut missing = Vec::new();
    for target in wanted {
        if !is_installed(workspace, &target)? {
            missing.push(target);
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let mut add = workspace.tool("rustup");
    step::run(add.args(["target", "add"]).args(&missing))
        .with_context(|| format!("the guests need the targets {}, and rustup installs them", missing.join(", ")))
}

/// Builds every guest and copies it where the list says.
pub(crate) fn build(workspace: &Workspace) -> Result<()> {
    build_all(workspace).map(drop)
}

fn build_all(workspace: &Workspace) -> Result<Vec<Guest>> {
    let by_target = by_target(list(workspace)?);
    for (target, guests) in &by_target {
        step::run(&mut build_command(workspace, target, guests)?)?;
        for guest in guests {
            copy_if_changed(&built(workspace, guest), &workspace.path(&guest.out))?;
        }
    }
    Ok(by_target.into_values().flatten().collect())
}

fn list(workspace: &Workspace) -> Result<Vec<Guest>> {
    Ok(workspace.toml::<List>(LIST)?.guest)
}

fn by_target(guests: Vec<Guest>) -> BTreeMap<String, Vec<Guest>> {
    let mut by_target = BTreeMap::<String, Vec<Guest>>::new();
    for guest in guests {
        by_target.entry(guest.target.clone()).or_default().push(guest);
    }
    by_target
}

/// Asks rustc itself, so that a toolchain without rustup counts too.
fn is_installed(workspace: &Workspace, target: &str) -> Result<bool> {
    let mut rustc = workspace.tool("rustc");
    let folder = step::output(rustc.args(["--print", "target-libdir", "--target", target]))
        .with_context(|| format!("`{LIST}` names the target `{target}`"))?;
    Ok(Path::new(folder.trim()).is_dir())
}

fn build_command(workspace: &Workspace, target: &str, guests: &[Guest]) -> Result<Command> {
    let mut command = workspace.cargo("build");
    command.args(["--release", "--locked", "--manifest-path", MANIFEST, "--target-dir", TARGET_FOLDER]);
    command.args(["--target", target]);
    for guest in guests {
        command.args(["--package", &guest.package]);
    }
    command.env("CARGO_ENCODED_RUSTFLAGS", Folders::of(workspace)?.rust_flags().join("\u{1f}"));
    Ok(command)
}

fn built(workspace: &Workspace, guest: &Guest) -> PathBuf {
    let file = match guest.kind {
        Kind::Bin => guest.package.clone(),
        Kind::Cdylib => guest.package.replace('-', "_"),
    };
    workspace.path(TARGET_FOLDER).join(&guest.target).join("release").join(file).with_extension("wasm")
}

/// Copies a file; an equal one keeps its time, so that nothing that depends on it is made again.
fn copy_if_changed(from: &Path, to: &Path) -> Result<()> {
    let bytes = fs::read(from).with_context(|| format!("the build left no `{}`", from.display()))?;
    if fs::read(to).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    let Some(folder) = to.parent() else { bail!("`{}` has no folder", to.display()) };
    fs::create_dir_all(folder)?;
    fs::write(to, bytes).with_context(|| format!("cannot write `{}`", to.display()))
}

fn settle_prebuilt(workspace: &Workspace, guest: &Guest, prebuilt: Prebuilt) -> Result<()> {
    let Some(path) = &guest.prebuilt else { return Ok(()) };
    let (made, kept) = (workspace.path(&guest.out), workspace.path(path));
    match prebuilt {
        Prebuilt::Update => copy_if_changed(&made, &kept),
        Prebuilt::Report => {
            if fs::read(&made).ok() != fs::read(&kept).ok() {
                eprintln!("note: `{}` differs from what `{}` builds to here", path.display(), guest.name);
                eprintln!("hint: cargo xtask guests --update");
            }
            Ok(())
        }
    }
}
