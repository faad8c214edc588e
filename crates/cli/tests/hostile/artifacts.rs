//! Compiled artifacts that are not what this user's own program wrote: refused and made anew.

use crate::app::{TIME, empty_folder, guest_file, sandbar};
use sandbar_testkit::process;
use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    thread,
};

/// Beside a guest's artifact there is that of the module which interrupts guests, where signals do.
const ARTIFACTS: usize = if cfg!(all(target_os = "linux", target_arch = "x86_64")) { 2 } else { 1 };

/// Calls `add` with its artifacts in this folder.
fn add(cache: &Path) -> (Option<i32>, String, String) {
    let mut command = sandbar();
    command.env("XDG_CACHE_HOME", cache).arg("call").arg(guest_file("add.wat")).args(["add", "1", "2"]);
    let finished = process::run(&mut command, b"", TIME).unwrap();
    (finished.code(), finished.stdout_text(), finished.stderr_text())
}

fn artifacts(cache: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(cache.join("sandbar")).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|ending| ending == "cwasm")).collect()
}

fn is_right(cache: &Path) {
    assert_eq!(add(cache), (Some(0), "3\n".into(), String::new()));
}

#[test]
fn a_forged_artifact_is_refused_and_made_anew() {
    let cache = empty_folder("forged");
    is_right(&cache);
    let used = artifacts(&cache);
    assert_eq!(used.len(), ARTIFACTS);
    // Another guest's artifact, genuine in itself, under this one's name.
    let mut other = sandbar();
    other.env("XDG_CACHE_HOME", &cache).arg("compile").arg(guest_file("sensor.wasm"));
    assert_eq!(process::run(&mut other, b"", TIME).unwrap().code(), Some(0));
    let others = artifacts(&cache).into_iter().find(|path| !used.contains(path)).unwrap();
    let others = fs::read(others).unwrap();
    used.iter().for_each(|artifact| is_refused_when_forged(&cache, artifact, &others));
}

fn is_refused_when_forged(cache: &Path, artifact: &Path, others: &[u8]) {
    let genuine = fs::read(artifact).unwrap();
    let flipped = |at: usize| {
        let mut bytes = genuine.clone();
        bytes[at] ^= 1;
        bytes
    };
    let last = genuine.len() - 1;
    for (what, forged) in [
        ("a byte of code", flipped(genuine.len() / 2)),
        ("the first byte", flipped(0)),
        ("the last byte", flipped(last)),
        ("the byte before the tag", flipped(genuine.len() - 41)),
        ("cut in the middle", genuine[..genuine.len() / 2].to_vec()),
        ("cut by one", genuine[..last].to_vec()),
        ("only a tag", genuine[genuine.len() - 40..].to_vec()),
        ("empty", Vec::new()),
        ("another guest's", others.to_vec()),
        ("with more after it", [&genuine[..], b"x"].concat()),
    ] {
        // Kept in place, as one who forges would do it: the program must neither use it nor write into it.
        let before = fs::metadata(artifact).unwrap().ino();
        fs::write(artifact, &forged).unwrap();
        is_right(cache);
        let (after, now) = (fs::metadata(artifact).unwrap().ino(), fs::read(artifact).unwrap());
        assert!(now.len() == genuine.len() && (before != after || now == genuine), "{what}: it was not made anew");
        assert_ne!(now, forged, "{what}");
        is_right(cache);
        assert_eq!(fs::metadata(artifact).unwrap().ino(), after, "{what}: what was made anew is used");
    }
}

/// Artifacts under another secret are another user's: none of them is used.
#[test]
fn artifacts_of_another_secret_are_not_used() {
    let cache = empty_folder("other-secret");
    is_right(&cache);
    let used = artifacts(&cache);
    let genuine: Vec<_> = used.iter().map(|artifact| fs::read(artifact).unwrap()).collect();
    fs::write(cache.join("sandbar/secret"), [7; 32]).unwrap();
    is_right(&cache);
    let tag = |bytes: &[u8]| bytes[bytes.len() - 32..].to_vec();
    for (artifact, genuine) in used.iter().zip(&genuine) {
        assert_ne!(tag(&fs::read(artifact).unwrap()), tag(genuine));
    }
    // A secret that is none is an error that says what to do.
    fs::write(cache.join("sandbar/secret"), "short").unwrap();
    let (code, _, stderr) = add(&cache);
    assert!(code == Some(69) && stderr.contains("delete it"), "{code:?} {stderr}");
}

/// A folder that others can write to is no place for code that runs with the user's rights.
#[test]
fn a_folder_that_others_write_to_is_refused() {
    let cache = empty_folder("open-cache");
    is_right(&cache);
    let mode = |mode: u32| fs::set_permissions(cache.join("sandbar"), fs::Permissions::from_mode(mode)).unwrap();
    mode(0o777);
    let (code, stdout, stderr) = add(&cache);
    assert!(code == Some(69) && stdout.is_empty() && stderr.contains("can be written by others"), "{code:?} {stderr}");
    mode(0o700);
    is_right(&cache);
    let secret = fs::metadata(cache.join("sandbar/secret")).unwrap().mode();
    assert_eq!(secret & 0o777, 0o600);
}

/// Many processes that start at once with nothing there: each is right, and one artifact of each is left.
#[test]
fn processes_that_start_at_once_share_one_cache() {
    let cache = empty_folder("shared-cache");
    thread::scope(|scope| {
        let runs: Vec<_> = (0..8).map(|_| scope.spawn(|| is_right(&cache))).collect();
        runs.into_iter().for_each(|run| run.join().unwrap());
    });
    let left: Vec<_> = fs::read_dir(cache.join("sandbar")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), ARTIFACTS + 1, "artifacts and the secret, and nothing unfinished: {left:?}");
}
