//! The operator: replaces the app again and again, by versions that are good, broken, or whose compiler is killed.

use crate::{
    app::{App, until},
    held::entries,
    version::{BROKEN, Version},
};
use sandbar_testkit::process::{Signal, signal};
use sandbar_testkit::random::Random;
use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    thread,
};

/// What an operator does, one after the other.
#[derive(Clone, Copy)]
pub(crate) enum Act {
    /// Another version.
    Replace,
    /// One that has to be refused.
    Break,
    /// One with a guest that was never compiled.
    Deploy,
    /// The same, and the compiler is killed.
    Kill,
}

impl Act {
    pub(crate) const ALL: [Act; 4] = [Act::Replace, Act::Break, Act::Deploy, Act::Kill];
}

/// How a reload ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Serves,
    Kept,
}

/// What an operator has done.
#[derive(Default)]
pub(crate) struct Done {
    /// Guests that were compiled.
    pub(crate) compiled: usize,
    /// Compilers that were killed.
    pub(crate) killed: usize,
    pub(crate) reloads: usize,
    /// What the server said of the last one.
    said: String,
}

impl Done {
    /// Does it, and checks how it ended.
    pub(crate) fn act(&mut self, act: Act, app: &App, random: &mut Random) {
        match act {
            Act::Replace => self.replace(app, &Version::any(random)),
            Act::Break => {
                Version::any(random).write(&app.folder, random.pick::<&str>(BROKEN));
                assert_eq!(self.reload(app), Verdict::Kept, "{}", self.said);
            }
            Act::Deploy => {
                self.replace(app, &Version::with_new_guest(&app.folder));
                self.compiled += 1;
            }
            Act::Kill => self.kill(app),
        }
    }

    /// Replaces the app by a version that is good.
    pub(crate) fn replace(&mut self, app: &App, version: &Version) {
        version.write(&app.folder, "");
        assert_eq!(self.reload(app), Verdict::Serves, "{}", self.said);
    }

    fn kill(&mut self, app: &App) {
        Version::with_new_guest(&app.folder).write(&app.folder, "");
        let over = AtomicBool::new(false);
        let (killed, verdict) = thread::scope(|scope| {
            let ends = Over(&over);
            let killer = scope.spawn(|| kill_compiler(app.server.id(), &over));
            let verdict = self.reload(app);
            drop(ends);
            (killer.join().unwrap(), verdict)
        });
        // One that was killed too late had compiled.
        match verdict {
            Verdict::Serves => self.compiled += 1,
            Verdict::Kept => assert!(killed, "nobody killed the compiler:{}", self.said),
        }
        self.killed += usize::from(verdict == Verdict::Kept);
    }

    fn reload(&mut self, app: &App) -> Verdict {
        take_said(app);
        self.said = "\n".into();
        app.server.signal(Signal::HUP).unwrap();
        self.reloads += 1;
        until("an end of the reload", || {
            self.said += &take_said(app);
            match &self.said {
                said if said.contains("\ninfo the new version serves\n") => Some(Verdict::Serves),
                said if said.contains("\nerror the new version was refused, the old one goes on") => {
                    Some(Verdict::Kept)
                }
                _ => None,
            }
        })
    }
}

/// Tells other threads, when it is dropped, that it is over: also where who drops it panics.
pub(crate) struct Over<'a>(pub(crate) &'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

/// What the server has said since the last time. It must not have panicked; what a guest says begins with its level.
pub(crate) fn take_said(app: &App) -> String {
    let said = app.server.take_stderr();
    let panicked = said.lines().find(|line| line.starts_with("thread '") && line.contains("panicked"));
    assert!(panicked.is_none(), "{said}");
    said
}

/// Kills the compiler that a process starts, and tells whether there was one before it was over.
fn kill_compiler(id: u32, over: &AtomicBool) -> bool {
    while !over.load(SeqCst) {
        if let Some(compiler) = compiler_of(id) {
            // It may have ended just now.
            return signal(compiler, Signal::KILL).is_ok();
        }
    }
    false
}

/// A child of a process that compiles.
fn compiler_of(id: u32) -> Option<u32> {
    let read = |process: &Path, name: &str| fs::read_to_string(process.join(name)).unwrap_or_default();
    let is_child = |process: &Path| {
        // The parent is the second after the name, which is in parentheses.
        let stat = read(process, "stat");
        stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1)) == Some(&id.to_string())
    };
    let processes = entries(Path::new("/proc"));
    let mut ids = processes.iter().filter_map(|process| Some((process, process.file_name()?.to_str()?.parse().ok()?)));
    let found = ids.find(|(process, _)| is_child(process) && read(process, "cmdline").contains("__compile"));
    found.map(|(_, id)| id)
}
