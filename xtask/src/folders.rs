//! Names for the folders of this machine, in whatever is built to be given away.
//!
//! Compilers write paths into panic messages, assertions and debug information. Mapped, they tell nothing of who built it,
//! and the same sources make the same bytes in every folder.

use std::{env, fs, path::PathBuf};

use anyhow::Result;

use crate::{step, workspace::Workspace};

/// Folders and their names. Where one lies in another, the inner one comes later: the last that fits counts.
pub(crate) struct Folders(Vec<(PathBuf, String)>);

impl Folders {
    /// Names the folder of the sources, cargo's, and the compiler's.
    pub(crate) fn of(workspace: &Workspace) -> Result<Folders> {
        let mut folders = Folders(Vec::new());
        if let Some(home) = cargo_home() {
            folders.add(home, "/cargo");
        }
        let sysroot: PathBuf = step::output(workspace.tool("rustc").args(["--print", "sysroot"]))?.trim().into();
        let library = sysroot.join("lib/rustlib/src/rust");
        folders.add(sysroot, "/rust");
        // The standard library is compiled under this name, and shown under the other where its sources are installed.
        folders.add(library, format!("/rustc/{}", workspace.rustc("commit-hash")?));
        folders.add(&workspace.root, "/sandbar");
        Ok(folders)
    }

    pub(crate) fn add(&mut self, folder: impl Into<PathBuf>, name: impl Into<String>) {
        self.0.push((folder.into(), name.into()));
    }

    /// The flags of rustc that map them.
    pub(crate) fn rust_flags(&self) -> Vec<String> {
        self.flags("--remap-path-prefix").collect()
    }

    /// The flags of a C compiler that map them, GCC's and Clang's alike, quoted as a shell wants them.
    pub(crate) fn c_flags(&self) -> String {
        let quoted = |flag: String| format!("'{}'", flag.replace('\'', r"'\''"));
        self.flags("-ffile-prefix-map").map(quoted).collect::<Vec<_>>().join(" ")
    }

    fn flags(&self, flag: &str) -> impl Iterator<Item = String> {
        self.0.iter().map(move |(folder, name)| format!("{flag}={}={name}", folder.display()))
    }
}

fn cargo_home() -> Option<PathBuf> {
    let named = env::var_os("CARGO_HOME").map(PathBuf::from);
    named.or_else(|| env::home_dir().map(|home| home.join(".cargo")))
}

/// Where cargo unpacks what it got from registries, a folder for each.
pub(crate) fn registries() -> Result<Vec<PathBuf>> {
    let Some(folder) = cargo_home().map(|home| home.join("registry/src")).filter(|folder| folder.is_dir()) else {
        return Ok(Vec::new());
    };
    let mut found = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inner_folder_comes_later() {
        let workspace = Workspace::find().unwrap();
        let mut folders = Folders::of(&workspace).unwrap();
        folders.add("/it's", "/there");
        let flags = folders.rust_flags();
        let at = |name: &str| flags.iter().position(|flag| flag.ends_with(name)).unwrap();
        assert!(flags.iter().all(|flag| flag.starts_with("--remap-path-prefix=/")), "{flags:?}");
        assert!(at("=/rust") < at(&format!("=/rustc/{}", workspace.rustc("commit-hash").unwrap())), "{flags:?}");
        assert!(folders.c_flags().ends_with(r"'-ffile-prefix-map=/it'\''s=/there'"), "{}", folders.c_flags());
    }
}
