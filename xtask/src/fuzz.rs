//! Builds the fuzz targets of `fuzz/` and runs each for a while.
//!
//! What `cargo fuzz` does comes down to compiler flags, so neither it nor a nightly toolchain is needed: the one flag that
//! stable rustc keeps back, the address sanitizer, is let through by `RUSTC_BOOTSTRAP`. It is there for more than memory:
//! it tells libFuzzer what `memcmp` compared, and without that no target gets past its first keyword.

use std::{
    fs,
    path::PathBuf,
    process::Command,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, bail, ensure};
use lexopt::{Arg, ValueExt};
use serde::Deserialize;

use crate::{step, step::Steps, workspace::Workspace};

pub(crate) const HELP: &str = "\
Usage: cargo xtask fuzz [TARGET]... [--seconds 60] [--seed N]

Builds the fuzz targets in fuzz/ and runs those that are named, or all, each for so long. Seeds are read from
fuzz/seeds/TARGET. Inputs that reach new code are kept in the target folder, and so is one that fails; its path is told.

`differential` is one more: modules at random give in Sandbar what they give in another engine. It needs no other build
than the tests, and tells the seed of a module that differs.

      --seconds S   how long each runs (60)
      --seed N      what randomness begins with, so that two runs take the same inputs; without it, each takes new ones
";

const MANIFEST: &str = "fuzz/Cargo.toml";

/// A test that takes more seeds than the few of a usual run.
const DIFFERENTIAL: &str = "differential";

/// Coverage of edges, counted inline, with comparisons traced: what libFuzzer steers by.
const FLAGS: &[&str] = &[
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cllvm-args=-simplifycfg-branch-fold-threshold=0",
    "-Cllvm-args=-sanitizer-coverage-stack-depth",
    "-Zsanitizer=address",
    "-Cdebug-assertions",
    "--cfg=fuzzing",
];

/// One input that takes longer, or memory beyond this, is a finding.
const LIMITS: &[&str] = &["-timeout=20", "-rss_limit_mb=2048"];

struct Options {
    targets: Vec<String>,
    seconds: u64,
    seed: Option<u32>,
}

pub(crate) fn run(workspace: &Workspace, arguments: lexopt::Parser) -> Result<()> {
    let options = parse(arguments)?;
    let mut known = targets(workspace)?;
    known.push(DIFFERENTIAL.to_owned());
    if let Some(unknown) = options.targets.iter().find(|target| !known.contains(target)) {
        bail!("there is no fuzz target `{unknown}`; there are {}", known.join(", "));
    }
    let chosen = if options.targets.is_empty() { known } else { options.targets.clone() };

    let mut steps = Steps::default();
    let host = workspace.rustc("host")?;
    if chosen.iter().any(|target| target != DIFFERENTIAL) {
        steps.take("build fuzz targets", || step::run(&mut build_command(workspace, &host)))?;
    }
    if chosen.iter().any(|target| target == DIFFERENTIAL) {
        steps.take("build differential", || step::run(differential(workspace).arg("--no-run")))?;
    }
    for target in &chosen {
        let mut command = match target.as_str() {
            DIFFERENTIAL => differential_command(workspace, &options)?,
            target => fuzz_command(workspace, &host, target, &options)?,
        };
        steps.take("fuzz", || step::run(&mut command).with_context(|| format!("`{target}` found something")))?;
    }
    steps.report();
    println!("{} fuzz targets ran {} s each and found nothing", chosen.len(), options.seconds);
    Ok(())
}

fn parse(mut arguments: lexopt::Parser) -> Result<Options> {
    let mut options = Options { targets: Vec::new(), seconds: 60, seed: None };
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Long("seconds") => options.seconds = arguments.value()?.parse()?,
            Arg::Long("seed") => options.seed = Some(arguments.value()?.parse()?),
            Arg::Value(target) => options.targets.push(target.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(options)
}

/// Lists the programs of the fuzz workspace.
fn targets(workspace: &Workspace) -> Result<Vec<String>> {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Package>,
    }
    #[derive(Deserialize)]
    struct Package {
        targets: Vec<Target>,
    }
    #[derive(Deserialize)]
    struct Target {
        name: String,
        kind: Vec<String>,
    }
    let mut command = workspace.cargo("metadata");
    let said = step::output(command.args(["--no-deps", "--format-version=1", "--manifest-path", MANIFEST]))?;
    let metadata: Metadata = serde_json::from_str(&said)?;
    let all = metadata.packages.into_iter().flat_map(|package| package.targets);
    let names: Vec<String> = all.filter(|target| target.kind == ["bin"]).map(|target| target.name).collect();
    ensure!(!names.is_empty(), "`{MANIFEST}` has no fuzz target");
    Ok(names)
}

fn folder(workspace: &Workspace) -> PathBuf {
    workspace.target.join("fuzz")
}

/// With `--target`, so that the flags don't reach build scripts and procedural macros.
fn build_command(workspace: &Workspace, host: &str) -> Command {
    let mut command = workspace.cargo("build");
    command.args(["--release", "--bins", "--manifest-path", MANIFEST, "--target", host]);
    command.arg("--target-dir").arg(folder(workspace));
    command.env("RUSTC_BOOTSTRAP", "1").env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\u{1f}"));
    command
}

fn fuzz_command(workspace: &Workspace, host: &str, target: &str, options: &Options) -> Result<Command> {
    let corpus = folder(workspace).join("corpus").join(target);
    let artifacts = folder(workspace).join("artifacts").join(target);
    fs::create_dir_all(&corpus)?;
    fs::create_dir_all(&artifacts)?;
    let temporary = folder(workspace).join("temporary");
    fs::create_dir_all(&temporary)?;

    let mut command = Command::new(folder(workspace).join(host).join("release").join(target));
    // Rust's own statics look like duplicates to the sanitizer.
    command.current_dir(&workspace.root).env("ASAN_OPTIONS", "detect_odr_violation=0").args(LIMITS);
    command.env("TMPDIR", temporary);
    command.arg(format!("-max_total_time={}", options.seconds));
    command.args(options.seed.map(|seed| format!("-seed={seed}")));
    command.arg(format!("-artifact_prefix={}/", artifacts.display())).arg(corpus);
    let seeds = workspace.path("fuzz/seeds").join(target);
    command.args(seeds.is_dir().then_some(seeds));
    Ok(command)
}

fn differential(workspace: &Workspace) -> Command {
    let mut command = workspace.cargo("test");
    command.args(["--package", "sandbar-engine", "--test", DIFFERENTIAL]);
    command
}

/// Goes on from its first seed until the time is over.
fn differential_command(workspace: &Workspace, options: &Options) -> Result<Command> {
    let first = match options.seed {
        Some(seed) => u128::from(seed),
        // No run has begun with this one.
        None => SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis(),
    };
    let mut command = differential(workspace);
    command.env("SANDBAR_SEEDS", format!("{first}..")).env("SANDBAR_SECONDS", options.seconds.to_string());
    Ok(command)
}
