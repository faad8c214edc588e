//! What a guest does with files: also with those that nobody granted.

use sandbar_testkit::random::Random;

/// A path that guests use.
#[derive(Debug)]
pub(crate) struct Path {
    pub(crate) text: &'static str,
    /// Whether it leads out of every folder, whatever lies in it.
    pub(crate) outside: bool,
}

const fn inside(text: &'static str) -> Path {
    Path { text, outside: false }
}

const fn outside(text: &'static str) -> Path {
    Path { text, outside: true }
}

pub(crate) const PATHS: &[Path] = &[
    inside("a"),
    inside("b"),
    inside("c"),
    inside("d"),
    inside("d/a"),
    inside("d/e"),
    inside("d/../b"),
    inside("./a"),
    inside("a/"),
    inside("link"),
    inside("link/a"),
    inside("link/secret"),
    inside("kept"),
    inside("slow"),
    outside(".."),
    outside("../a"),
    outside("../../outside/secret"),
    outside("d/../../../outside/secret"),
    outside("/etc/passwd"),
    outside("/proc/self/environ"),
    inside("."),
];

/// Where links lead that guests make: into the folder, out of it, nowhere.
const TARGETS: &[&str] = &["a", "d", "..", "../../outside", "/etc", "link", "none"];

/// One thing to do, in the folder of a number: there may be none.
#[derive(Clone, Debug)]
pub(crate) struct FileStep {
    pub(crate) folder: u32,
    pub(crate) path: usize,
    pub(crate) what: What,
}

#[derive(Clone, Debug)]
pub(crate) enum What {
    Read,
    /// `oflags` and `fdflags` of WASI 0.1, and how many bytes.
    Write {
        oflags: u32,
        fdflags: u32,
        bytes: u32,
    },
    /// As many times, and never closed.
    OpenMany(u32),
    SetSize(u64),
    List,
    Stat,
    MakeDir,
    RemoveDir,
    Unlink,
    /// To another path, maybe in another folder.
    Rename {
        folder: u32,
        path: usize,
    },
    Link {
        folder: u32,
        path: usize,
    },
    Symlink(&'static str),
}

impl What {
    /// Whether it changes something where it succeeds.
    pub(crate) fn changes(&self) -> bool {
        !matches!(self, What::Read | What::OpenMany(_) | What::List | What::Stat)
    }
}

impl FileStep {
    pub(crate) fn random(random: &mut Random) -> FileStep {
        let folder = |random: &mut Random| *random.pick(&[0, 0, 0, 0, 1, 1, 2]);
        let path = |random: &mut Random| *random.pick(&(0..PATHS.len()).collect::<Vec<_>>());
        let what = match random.between(0..=15) {
            0..=2 => What::Read,
            3..=7 => What::Write {
                oflags: *random.pick(&[0, 1, 1, 1, 8, 9, 5]),
                fdflags: *random.pick(&[0, 0, 1]),
                bytes: random.skewed(0..=60_000) as u32,
            },
            8 => What::OpenMany(random.skewed(1..=200) as u32),
            9 => What::SetSize(random.skewed(0..=300_000)),
            10 if random.chance(50) => What::List,
            10 => What::Stat,
            11 => What::MakeDir,
            12 if random.chance(50) => What::RemoveDir,
            12 => What::Unlink,
            13 => What::Rename { folder: folder(random), path: path(random) },
            14 => What::Link { folder: folder(random), path: path(random) },
            _ => What::Symlink(random.pick::<&str>(TARGETS)),
        };
        FileStep { folder: folder(random), path: path(random), what }
    }

    /// Whether it can't succeed, whatever the folders hold. `granted` tells of each folder whether it may be written to, `keeps`
    /// whether a number beyond them may stand for what was opened in one.
    pub(crate) fn must_fail(&self, granted: &[bool], keeps: bool) -> bool {
        let bars = |folder: u32, path: usize, changes: bool| match granted.get(folder as usize) {
            None => !keeps || PATHS[path].outside,
            Some(writable) => PATHS[path].outside || (changes && !writable),
        };
        let other = match self.what {
            What::Rename { folder, path } | What::Link { folder, path } => bars(folder, path, true),
            _ => false,
        };
        // A list is of the folder itself.
        let lists = matches!(self.what, What::List) && granted.get(self.folder as usize).is_some();
        !lists && (bars(self.folder, self.path, self.what.changes()) || other)
    }
}
