//! Runs commands whose first argument names a case.

use crate::{
    app::{empty_folder, finish, guest_file, sandbar},
    known::{Failed, compare},
    mirror,
};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    fs,
    io::{Read, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
};

/// What each case finds in its folder.
const FILES: [(&str, &str); 2] = [("a.txt", "test-a\n"), ("b.txt", "test-b\n")];

/// What each case may do. Its own time is bounded, since one that hangs would hang the test.
const FLAGS: &[&str] = &[
    "--wall=60s",
    "--random",
    "--clock=fine",
    "--allow-tcp=listen *:*",
    "--allow-tcp=private+*:*",
    "--allow-udp=listen *:*",
    "--allow-udp=private+*:*",
    "--allow-http=private+*://*:*",
    "--allow-lookup=*",
];

/// How much of a guest's stderr is shown.
const SHOWN_CHARACTERS: usize = 600;

/// What a case wants beside what all get, and how it ends. A text that isn't there is not looked at.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Case {
    args: Vec<String>,
    env: BTreeMap<String, String>,
    stdin: String,
    hold_stdin: bool,
    stdin_after: Option<After>,
    stdout: Option<String>,
    stderr: Option<String>,
    code: i32,
}

/// What is written to stdin once this has come from stdout.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct After {
    stdout: String,
    stdin: String,
}

/// The servers that cases of HTTP ask, and the folder that each case has one in.
struct World {
    guest: PathBuf,
    folder: PathBuf,
    server: SocketAddr,
}

/// Runs every case of a guest, as many at one time as there are processors, and compares which fail.
pub(crate) fn check(guest: &str) {
    let file = guest_file(&format!("{guest}.wasm"));
    let listed = finish(["run".as_ref(), file.as_os_str(), "list".as_ref()], b"");
    let names: Vec<String> = listed.stdout_text().lines().map(str::to_owned).collect();
    assert!(names.len() > 100, "{guest} lists {} cases: {}", names.len(), listed.stderr_text());
    let mut all: BTreeMap<String, BTreeMap<String, Case>> = toml::from_str(include_str!("cases.toml")).unwrap();
    let wanted = all.remove(guest).unwrap_or_default();
    let strays: Vec<_> = wanted.keys().filter(|name| !names.contains(name)).collect();
    assert!(strays.is_empty(), "cases.toml has what is no case of {guest}: {strays:?}");

    let plain = Case::default();
    let world = World { guest: file, folder: empty_folder(guest), server: mirror::serve() };
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(Failed::new()));
    let work = || {
        while let Some(name) = names.get(next.fetch_add(1, Relaxed)) {
            let case = wanted.get(name).unwrap_or(&plain);
            if let Err(why) = case.holds(name, &world) {
                failed.lock().unwrap().insert(name.clone(), why);
            }
        }
    };
    thread::scope(|scope| {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        (0..processors).for_each(|_| drop(scope.spawn(work)));
    });
    compare(guest, &names, &failed.into_inner().unwrap());
}

impl Case {
    fn holds(&self, name: &str, world: &World) -> Result<(), String> {
        let folder = world.folder.join(name.replace('/', "-"));
        fs::create_dir(&folder).unwrap();
        FILES.iter().for_each(|(file, text)| fs::write(folder.join(file), text).unwrap());

        let output = self.run(&mut self.command(name, &folder, world));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.code() != Some(self.code) {
            let said = said.split("\nnote: run with").next().unwrap_or_default();
            let shown: String = said.trim().chars().take(SHOWN_CHARACTERS).collect();
            return Err(format!("expected {}, found {}: {shown}", self.code, output.status));
        }
        for (expected, found) in [(&self.stdout, &output.stdout), (&self.stderr, &output.stderr)] {
            let found = String::from_utf8_lossy(found);
            if let Some(expected) = expected.as_deref().filter(|expected| *expected != found) {
                return Err(format!("expected {expected:?}, found {found:?}"));
            }
        }
        Ok(())
    }

    fn command(&self, name: &str, folder: &Path, world: &World) -> Command {
        let long = |text: &str| text.replace("LONG", &"x".repeat(100_000));
        let mut command = sandbar();
        command.arg("run").args(FLAGS).arg(format!("--dir={}::/", folder.display()));
        for (name, value) in &self.env {
            command.arg(format!("--env={name}={}", long(value)));
        }
        if name.starts_with("http/") {
            command.arg(format!("--env=HTTP_SERVER={}", world.server));
            command.arg(format!("--env=HTTP_DEAD={}", mirror::NOBODY));
        }
        command.arg(&world.guest).arg(name).args(self.args.iter().map(|argument| long(argument)));
        command
    }

    fn run(&self, command: &mut Command) -> Output {
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let mut input = self.stdin.as_str();
        if let Some(after) = &self.stdin_after {
            let mut said = vec![0; after.stdout.len()];
            // One that ends before it says that is told by its code.
            let _ = child.stdout.as_mut().unwrap().read_exact(&mut said);
            assert_eq!(String::from_utf8_lossy(&said), after.stdout);
            input = &after.stdin;
        }
        // It may end without having read its stdin.
        let _ = stdin.write_all(input.as_bytes());
        let held = self.hold_stdin.then_some(stdin);
        let output = child.wait_with_output().unwrap();
        drop(held);
        output
    }
}
