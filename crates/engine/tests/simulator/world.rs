//! The storage of a run: folders that are granted, and everything around them that is not.

use crate::canary::{Canary, NOBODY, Nest};
use rustix::fs::{FileType, Mode, OFlags};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::SystemTime,
};

/// Bytes that a volume counts for each entry beside its content.
const ENTRY_BYTES: u64 = sandbar_grants::dir::ENTRY_BYTES;

/// A folder with the folders of all tenants, one that they share, and one that nobody is granted. It goes away with the run.
pub(crate) struct World {
    base: PathBuf,
    before: BTreeMap<PathBuf, Entry>,
}

/// How long an open of the slow file takes at most.
pub(crate) const SLOW_NS: u64 = 700_000_000;
const SLOW_FILE: &str = "shared/slow";

/// What lies at a path.
type Entry = (u64, Option<SystemTime>, Vec<u8>);

impl World {
    pub(crate) fn new(tenants: usize) -> World {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("sandbar-simulator-{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed));
        let base = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&base);
        fs::create_dir_all(base.join("outside")).unwrap();
        fs::create_dir_all(base.join("shared/d")).unwrap();
        fs::write(base.join("outside/secret"), Canary::of_tenant(NOBODY).to_string()).unwrap();
        for file in ["shared/kept", "shared/a", "shared/d/a"] {
            fs::write(base.join(file), "everybody may read this\n").unwrap();
        }
        // A pipe is a file that answers when somebody else does.
        rustix::fs::mknodat(rustix::fs::CWD, base.join(SLOW_FILE), FileType::Fifo, Mode::from_raw_mode(0o600), 0)
            .unwrap();
        let mut world = World { base: base.canonicalize().unwrap(), before: BTreeMap::new() };
        for tenant in 0..tenants {
            fs::create_dir_all(world.own(tenant)).unwrap();
        }
        world.before = world.around();
        world
    }

    /// Answers whoever waits for the slow file.
    pub(crate) fn let_slow_file_answer(&self) {
        let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let _ = rustix::fs::open(self.base.join(SLOW_FILE), flags, Mode::empty());
    }

    /// The folder of a tenant.
    pub(crate) fn own(&self, tenant: usize) -> PathBuf {
        self.base.join("own").join(tenant.to_string())
    }

    pub(crate) fn shared(&self) -> PathBuf {
        self.base.join("shared")
    }

    /// Bytes that a tenant's folder holds as a quota counts them: every file as long as it says.
    pub(crate) fn own_bytes(&self, tenant: usize) -> u64 {
        let mut seen = std::collections::HashSet::new();
        let mut bytes = 0;
        walk(&self.own(tenant), &mut |_, meta| {
            use std::os::unix::fs::MetadataExt;
            if meta.is_dir() || seen.insert(meta.ino()) {
                bytes += ENTRY_BYTES + if meta.is_file() { meta.len() } else { 0 };
            }
        });
        bytes
    }

    /// What is wrong with the storage: things that changed where nobody may write, and canaries in other tenants' folders.
    pub(crate) fn faults(&self, tenants: usize) -> Vec<String> {
        let mut faults = Vec::new();
        let now = self.around();
        for path in self.before.keys().chain(now.keys()) {
            if self.before.get(path) != now.get(path) {
                faults.push(format!("`{}` was touched, and nobody may write there", self.shown(path)));
            }
        }
        for tenant in 0..tenants {
            walk(&self.own(tenant), &mut |path, meta| {
                let bytes = if meta.is_file() { fs::read(path).unwrap_or_default() } else { Vec::new() };
                let strange = Canary::all_in(&bytes)
                    .into_iter()
                    .find(|canary| usize::from(canary.tenant) != tenant || canary.nest != Nest::Tenant);
                if let Some(canary) = strange {
                    faults.push(format!("`{}` holds the canary {canary:?}", self.shown(path)));
                }
            });
        }
        faults.dedup();
        faults
    }

    fn shown<'a>(&self, path: &'a Path) -> std::path::Display<'a> {
        path.strip_prefix(&self.base).unwrap_or(path).display()
    }

    /// Everything but what lies in the tenants' own folders.
    fn around(&self) -> BTreeMap<PathBuf, Entry> {
        let mut found = BTreeMap::new();
        let own = self.base.join("own");
        walk(&self.base, &mut |path, meta| {
            if path.parent().is_some_and(|parent| parent.starts_with(&own)) && path.parent() != Some(&own) {
                return;
            }
            let content = if meta.is_file() { fs::read(path).unwrap_or_default() } else { Vec::new() };
            // A tenant's folder itself changes when something is made in it.
            let modified = meta.modified().ok().filter(|_| meta.is_file());
            found.insert(path.to_owned(), (if meta.is_file() { meta.len() } else { 0 }, modified, content));
        });
        found
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.base);
    }
}

/// Visits everything below a folder. No link is followed.
fn walk(folder: &Path, visit: &mut dyn FnMut(&Path, &fs::Metadata)) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let Ok(meta) = fs::symlink_metadata(&path) else { continue };
        visit(&path, &meta);
        if meta.is_dir() {
            walk(&path, visit);
        }
    }
}
