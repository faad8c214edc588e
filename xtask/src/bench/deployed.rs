//! Apps of many guests, which are one guest over and over: each file has a digest of its own, so that nothing is shared that
//! would not be with guests of different authors.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::{step, workspace::Workspace};

/// Guests that one `sandbar compile` gets.
const BATCH: usize = 50;

/// How often progress is shown.
const SHOWN_EVERY: Duration = Duration::from_secs(10);

/// A folder with guests and their manifest.
pub(super) struct App {
    folder: PathBuf,
    manifest: String,
    guests: Vec<PathBuf>,
}

/// Further keys of a guest's table and of its route's, as lines of TOML.
#[derive(Clone, Copy, Default)]
pub(super) struct Keys<'a> {
    pub(super) guest: &'a str,
    pub(super) route: &'a str,
}

/// Reads a guest that is built or checked in.
pub(super) fn read(workspace: &Workspace, path: &str) -> Result<Vec<u8>> {
    fs::read(workspace.path(path)).with_context(|| format!("cannot read `{path}`\nhint: cargo xtask guests"))
}

impl App {
    /// Begins an app anew; `settings` are tables of its manifest.
    pub(super) fn new(folder: PathBuf, settings: &str) -> Result<App> {
        fs::create_dir_all(&folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
        Ok(App { folder, manifest: format!("version = 1\nname = \"bench\"\n\n{settings}"), guests: Vec::new() })
    }

    /// Deploys a guest at `/NAME`.
    pub(super) fn deploy(&mut self, name: &str, wasm: &[u8]) -> Result<()> {
        self.deploy_with(name, wasm, Keys::default())
    }

    /// Deploys a guest at `/NAME`, with more said of it.
    pub(super) fn deploy_with(&mut self, name: &str, wasm: &[u8], keys: Keys<'_>) -> Result<()> {
        let file = self.folder.join(name).with_extension("wasm");
        fs::write(&file, distinct(wasm, name)).with_context(|| format!("cannot write `{}`", file.display()))?;
        let Keys { guest, route } = keys;
        self.manifest.push_str(&format!(
            "[guests.{name}]\npath = \"{name}.wasm\"\n{guest}\n\n\
             [[http]]\nroute = \"/{name}\"\nguest = \"{name}\"\n{route}\n\n"
        ));
        self.guests.push(file);
        Ok(())
    }

    /// Writes the manifest.
    pub(super) fn write(&self) -> Result<()> {
        let path = self.folder.join("sandbar.toml");
        fs::write(&path, &self.manifest).with_context(|| format!("cannot write `{}`", path.display()))
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Has every guest's artifact in the cache: compiles what is not there.
    pub(super) fn compile(&self, sandbar: impl Fn() -> Command + Sync) -> Result<()> {
        let batches: Vec<&[PathBuf]> = self.guests.chunks(BATCH).collect();
        let (next, shown) = (AtomicUsize::new(0), Mutex::new(Instant::now()));
        let compile = || {
            while let Some(batch) = batches.get(next.fetch_add(1, Relaxed)) {
                step::output(sandbar().arg("compile").args(*batch))?;
                let mut shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
                if shown.elapsed() > SHOWN_EVERY {
                    *shown = Instant::now();
                    let done = (next.load(Relaxed) * BATCH).min(self.guests.len());
                    eprintln!("compiled {done} of {} guests, once", self.guests.len());
                }
            }
            Ok(())
        };
        let cores = thread::available_parallelism().map_or(1, usize::from);
        thread::scope(|scope| {
            let workers: Vec<_> = (0..cores.min(batches.len())).map(|_| scope.spawn(compile)).collect();
            workers.into_iter().try_for_each(|worker| worker.join().unwrap_or_else(|_| bail!("a worker panicked")))
        })
    }
}

/// Appends a custom section, which changes nothing but the digest. Modules and components both may end with one.
fn distinct(wasm: &[u8], mark: &str) -> Vec<u8> {
    const NAME: &[u8] = b"bench";
    let content = [&length(NAME.len())[..], NAME, mark.as_bytes()].concat();
    [wasm, &[0], &length(content.len())[..], &content].concat()
}

/// A number as WebAssembly writes it: seven bits a byte, the lowest first.
fn length(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_custom_section_is_appended() {
        assert_eq!(distinct(b"\0asm", "g7"), b"\0asm\0\x08\x05benchg7");
        assert_eq!(length(300), [0xac, 0x02]);
        let long = "x".repeat(200);
        assert_eq!(distinct(b"", &long)[..4], [0, 0xce, 0x01, 0x05]);
    }

    #[test]
    fn a_manifest_names_each_guest() {
        let folder = std::env::temp_dir().join(format!("sandbar-bench-{}", std::process::id()));
        let mut app = App::new(folder.clone(), "[pool]\nwait = \"1s\"\n\n").unwrap();
        app.deploy("g1", b"\0asm").unwrap();
        let keys = Keys { guest: "limits = { wall = \"1s\" }", route: "export = \"x\"" };
        app.deploy_with("g2", b"\0asm", keys).unwrap();
        app.write().unwrap();
        let manifest: toml::Table = fs::read_to_string(folder.join("sandbar.toml")).unwrap().parse().unwrap();
        assert_eq!(manifest["guests"]["g1"]["path"].as_str(), Some("g1.wasm"));
        assert_eq!(manifest["http"][0]["route"].as_str(), Some("/g1"));
        assert_eq!(manifest["guests"]["g2"]["limits"]["wall"].as_str(), Some("1s"));
        assert_eq!(manifest["http"][1]["export"].as_str(), Some("x"));
        assert!(folder.join("g1.wasm").is_file());
        fs::remove_dir_all(folder).unwrap();
    }
}
