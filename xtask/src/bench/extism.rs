//! What calls of plugins cost hosts in C, Python and Node.js, beside Extism's published packages with the same plugin.
//!
//! Our packages are built as tests build them: optimised, and without link-time optimisation. Both sides keep compiled plugins
//! on disk, so what a plugin's creation takes is that of one that was compiled before.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use crate::{guests, step, workspace::Workspace};

/// Extism's current releases: its library comes in the wheel of `extism-sys`.
const OF_PYTHON: &[&str] = &["extism==1.1.1", "extism-sys==1.41.0"];
const OF_NODE: &str = "@extism/extism@1.0.3";

/// Measures all three, and gives what they said, a line of JSON for each figure.
pub(super) fn run(workspace: &Workspace) -> Result<String> {
    guests::install_targets(workspace)?;
    guests::build(workspace)?;
    let guest = workspace.path("guests/target/sandbar/vowels.wasm");
    let scripts = workspace.path("xtask/src/bench/extism");
    let folder = workspace.target.join("extism");
    fs::create_dir_all(&folder)?;
    let python = python(workspace, &folder)?;
    let cache = cache(&folder)?;

    let program = c(workspace, &folder, &scripts)?;
    let library = library(&folder.join("venv/lib"))?;
    let mut command = workspace.tool(program);
    let of_c = step::output(command.arg(library).arg(&guest).env("EXTISM_CACHE_CONFIG", &cache))?;

    let mut command = workspace.tool(python);
    let script = scripts.join("plugin.py");
    let of_python = step::output(command.arg(script).arg(&guest).env("EXTISM_CACHE_CONFIG", &cache))?;

    let script = node(workspace, &folder, &scripts)?;
    let of_node = step::output(workspace.tool("node").arg(script).arg(&guest))?;
    Ok(of_c + &of_python + &of_node)
}

/// Wasmtime keeps what Extism compiles where this file says.
fn cache(folder: &Path) -> Result<PathBuf> {
    let file = folder.join("cache.toml");
    fs::write(&file, format!("[cache]\ndirectory = {:?}\n", folder.join("cache")))?;
    Ok(file)
}

/// A Python that has both packages.
fn python(workspace: &Workspace, folder: &Path) -> Result<PathBuf> {
    let venv = folder.join("venv");
    let python = venv.join("bin/python");
    if !python.is_file() {
        step::run(workspace.tool("python3").args(["-m", "venv"]).arg(&venv))?;
    }
    let said = step::output(workspace.tool("python3").args(["packages/python/test.py", "--wheel"]))?;
    let wheel = said.lines().last().context("expected where the wheel is")?;
    let mut install = workspace.tool(&python);
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(OF_PYTHON).arg(wheel);
    step::run(&mut install)?;
    Ok(python)
}

/// The library of Extism's wheel.
fn library(folder: &Path) -> Result<PathBuf> {
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() && !path.is_symlink() {
                folders.push(path);
            } else if path.file_name().is_some_and(|name| name == "libextism_sys.so") {
                return Ok(path);
            }
        }
    }
    bail!("the wheel of extism-sys brought no `libextism_sys.so`")
}

/// The program in C, linked with our library.
fn c(workspace: &Workspace, folder: &Path, scripts: &Path) -> Result<PathBuf> {
    step::run(workspace.cargo("build").args(["--package", "sandbar-c", "--lib"]))?;
    let built = workspace.target.join("debug/libsandbar_c.so");
    // By the name that programs look for.
    let library = folder.join("libsandbar.so.1");
    fs::copy(&built, &library).with_context(|| format!("cannot copy `{}`", built.display()))?;
    let program = folder.join("plugin");
    let mut cc = workspace.tool("cc");
    cc.args(["-O2", "-o"]).arg(&program).arg(scripts.join("plugin.c"));
    cc.arg("-I").arg(workspace.path("packages/c/include")).arg(&library).arg("-ldl");
    step::run(cc.arg(format!("-Wl,-rpath,{}", folder.display())))?;
    Ok(program)
}

/// The script, beside both packages.
fn node(workspace: &Workspace, folder: &Path, scripts: &Path) -> Result<PathBuf> {
    let place = folder.join("node");
    fs::create_dir_all(&place)?;
    step::run(workspace.tool("node").args(["packages/node/scripts/build.mjs", "--debug"]))?;
    fs::write(place.join("package.json"), "{\"private\": true}\n")?;
    let mut install = workspace.tool("npm");
    install.args(["install", "--silent", "--no-audit", "--no-fund", "--prefix"]).arg(&place);
    step::run(install.arg(OF_NODE).arg(workspace.path("packages/node")))?;
    let script = place.join("plugin.mjs");
    fs::copy(scripts.join("plugin.mjs"), &script)?;
    Ok(script)
}
