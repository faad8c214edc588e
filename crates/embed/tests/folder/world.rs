//! What the tests share: one host, folders that go with their test, and guests.

#![allow(dead_code, reason = "each test program uses a part of it")]

use sandbar_embed::{
    Host, Plugin, PluginFolder,
    folder::{PluginEntry, PluginFolderBuilder, Scope},
    signing::SecretKey,
};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

/// One host for all of a process.
pub(crate) fn host() -> &'static Host {
    static HOST: OnceLock<Host> = OnceLock::new();
    HOST.get_or_init(|| Host::builder().cache(None).sandboxes_max(200).build().unwrap())
}

/// A guest that answers with its number.
pub(crate) fn version(number: i32) -> String {
    format!(r#"(module (func (export "version") (param i32) (result i32) i32.const {number}))"#)
}

/// The number that a plugin answers with.
pub(crate) fn asked(plugin: &Plugin) -> i32 {
    plugin.call::<i32>("version", &(0,)).unwrap()
}

/// A guest of the quickstart, in binary.
pub(crate) fn quickstart(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/quickstart").join(name)).unwrap()
}

/// A key that is the same in each run.
pub(crate) fn key(number: u8) -> SecretKey {
    SecretKey::from_seed([number; 32]).unwrap()
}

/// A folder, until its test ends.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Folder {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("sandbar-folder-{}-{}", std::process::id(), COUNT.fetch_add(1, Relaxed));
        let path = std::env::temp_dir().canonicalize().unwrap().join(name);
        fs::create_dir_all(path.join("plugins")).unwrap();
        Folder(path)
    }

    /// A folder with these files.
    pub(crate) fn of(files: &[(&str, &str)]) -> Folder {
        let folder = Folder::new();
        files.iter().for_each(|(path, text)| folder.write(path, text));
        folder
    }

    /// The folder around the folder of plugins.
    pub(crate) fn around(&self) -> &Path {
        &self.0
    }

    /// Where something in the folder of plugins lies.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.0.join("plugins").join(path)
    }

    pub(crate) fn write(&self, path: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    pub(crate) fn builder(&self) -> PluginFolderBuilder {
        PluginFolder::builder(self.path(""))
    }

    pub(crate) fn open(&self) -> PluginFolder {
        self.builder().open(host()).unwrap()
    }

    /// The files of a table, one for each name, to be read as a message.
    pub(crate) fn plain(&self, text: impl ToString) -> String {
        text.to_string().replace(self.path("").to_str().unwrap(), "FOLDER/").replace(self.0.to_str().unwrap(), "AROUND")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

/// The entry of a name.
pub(crate) fn entry(folder: &PluginFolder, name: &str) -> PluginEntry {
    folder.entry(name).unwrap_or_else(|| panic!("no `{name}`"))
}

/// The name of the state of a plugin.
pub(crate) fn state(folder: &PluginFolder, name: &str) -> &'static str {
    entry(folder, name).state.key()
}

/// Approves a plugin as it is.
pub(crate) fn approve(folder: &PluginFolder, name: &str) {
    let entry = entry(folder, name);
    folder.approve(&entry, Scope::Digest(entry.digest.unwrap())).unwrap();
}
