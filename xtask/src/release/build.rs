//! The program of a release, built the same way everywhere.

use std::{
    collections::BTreeSet,
    env, fs,
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::source::Source;
use crate::{
    folders::{Folders, registries},
    step,
    workspace::Workspace,
};

/// The variables that a build sees: where things are, and how the registry is reached. No other may change the bytes.
const VARIABLES: &[&str] = &[
    "PATH",
    "HOME",
    "TMPDIR",
    "CARGO_HOME",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
];

/// The same, by how they begin.
const VARIABLES_OF: &[&str] = &["CARGO_HTTP_", "CARGO_NET_", "CARGO_REGISTR", "CARGO_SOURCE_"];

/// What is released.
pub(super) struct Product {
    pub(super) package: String,
    pub(super) program: String,
    pub(super) version: String,
    pub(super) target: String,
}

/// A program, and the packages that were compiled for it, as cargo names them.
pub(super) struct Built {
    pub(super) program: Vec<u8>,
    pub(super) compiled: BTreeSet<String>,
}

impl Product {
    /// Finds the program of a package, for the machine that this is.
    pub(super) fn read(workspace: &Workspace, package: &str) -> Result<Product> {
        #[derive(Deserialize)]
        struct Metadata {
            packages: Vec<Package>,
        }
        #[derive(Deserialize)]
        struct Package {
            name: String,
            version: String,
            targets: Vec<Target>,
        }
        #[derive(Deserialize)]
        struct Target {
            name: String,
            kind: Vec<String>,
        }
        let mut command = workspace.cargo("metadata");
        let said = step::output(command.args(["--no-deps", "--format-version=1"]))?;
        let Metadata { packages } = serde_json::from_str(&said)?;
        let found = packages.into_iter().find(|found| found.name == package);
        let found = found.with_context(|| format!("the workspace has no package `{package}`"))?;
        let program = found.targets.into_iter().find(|target| target.kind == ["bin"]);
        let program = program.with_context(|| format!("`{package}` has no program"))?;
        Ok(Product {
            package: found.name,
            program: program.name,
            version: found.version,
            target: workspace.rustc("host")?,
        })
    }

    pub(super) fn full_name(&self) -> String {
        format!("{}-{}-{}", self.program, self.version, self.target)
    }
}

/// Builds the program.
pub(super) fn build(source: &Source, product: &Product) -> Result<Built> {
    // Sources of packages are unpacked first, into the folders that are then named.
    let mut fetch = source.workspace.cargo("fetch");
    step::run(fetch.args(["--locked", "--target", &product.target]))?;
    let folders = folders(&source.workspace)?;

    let mut command = source.workspace.cargo("build");
    // With `--target`, so that the flags don't reach build scripts and procedural macros.
    command.args(["--release", "--locked", "--target", &product.target]);
    command.args(["--package", &product.package, "--bin", &product.program]);
    command.arg("--target-dir").arg(&source.workspace.target);
    command.arg("--message-format=json-render-diagnostics").stderr(Stdio::inherit());
    settle_environment(&mut command, &folders, source);
    let told = read(&mut command)?;

    let program = told.executable.with_context(|| format!("cargo built no `{}`", product.program))?;
    let program = fs::read(&program).with_context(|| format!("cannot read `{}`", program.display()))?;
    Ok(Built { program, compiled: told.compiled })
}

/// Names what a path in the program could begin with.
fn folders(workspace: &Workspace) -> Result<Folders> {
    let mut folders = Folders::of(workspace)?;
    // Named after the registry's address, which may be a mirror's.
    for registry in registries()? {
        folders.add(registry, "/cargo/registry");
    }
    folders.add(&workspace.target, "/target");
    Ok(folders)
}

/// Leaves a build only what it needs of the environment, and sets what decides the bytes.
fn settle_environment(command: &mut Command, folders: &Folders, source: &Source) {
    command.env_clear();
    let is_kept = |name: &str| VARIABLES.contains(&name) || VARIABLES_OF.iter().any(|start| name.starts_with(start));
    command.envs(env::vars_os().filter(|(name, _)| name.to_str().is_some_and(is_kept)));
    command.env("CARGO_ENCODED_RUSTFLAGS", folders.rust_flags().join("\u{1f}"));
    // Compilers write the date into C code that asks for it, unless they are told another.
    command.env("SOURCE_DATE_EPOCH", source.seconds.to_string());
    command.env("CFLAGS", folders.c_flags()).env("CXXFLAGS", folders.c_flags()).env("CC_SHELL_ESCAPED_FLAGS", "1");
    command.env("CARGO_INCREMENTAL", "0").env("LC_ALL", "C").env("TZ", "UTC");
}

/// What cargo tells of a build, line by line.
#[derive(Default)]
struct Told {
    executable: Option<PathBuf>,
    compiled: BTreeSet<String>,
}

fn read(command: &mut Command) -> Result<Told> {
    #[derive(Deserialize)]
    struct Line {
        reason: String,
        package_id: Option<String>,
        executable: Option<PathBuf>,
    }
    let output = command.output().with_context(|| format!("cannot start `{}`", step::shown(command)))?;
    ensure!(output.status.success(), "`{}` failed ({})", step::shown(command), output.status);
    let mut told = Told::default();
    for line in String::from_utf8(output.stdout)?.lines() {
        let line: Line = serde_json::from_str(line).with_context(|| format!("cargo said `{line}`"))?;
        if line.reason == "compiler-artifact" {
            told.compiled.extend(line.package_id);
            told.executable = line.executable.or(told.executable);
        }
    }
    Ok(told)
}
