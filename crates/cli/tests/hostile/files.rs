//! Paths that lead out of a folder, files without end, and a volume that is full.

use crate::app::{TIME, empty_folder, finish, guest_file, sandbar};
use sandbar_testkit::process::{self, Finished};
use std::{
    collections::HashSet,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    thread,
};

const GUESTS: [&str; 2] = ["cli-p1.wasm", "cli-p2.wasm"];

/// Makes a folder `granted` beside one that is not, with links of every kind from one to the other.
fn world(name: &str) -> PathBuf {
    let world = empty_folder(name);
    for folder in ["granted/sub", "outside/sub"] {
        fs::create_dir_all(world.join(folder)).unwrap();
    }
    fs::write(world.join("outside/secret"), "the secret").unwrap();
    fs::write(world.join("granted/file"), "the file").unwrap();
    let granted = world.join("granted");
    for (target, link) in [
        ("file", "link-inside"),
        ("../outside", "link-out"),
        ("../outside/secret", "link-to-secret"),
        ("sub/../../outside/secret", "link-around"),
        ("nowhere", "link-to-nothing"),
        ("../outside/new", "link-to-new"),
        ("loop", "loop"),
        ("/proc/self/environ", "link-to-environ"),
        ("/etc/passwd", "link-to-passwd"),
    ] {
        symlink(target, granted.join(link)).unwrap();
    }
    symlink(world.join("outside/secret"), granted.join("link-absolute")).unwrap();
    world
}

fn run(world: &Path, guest: &str, flags: &str, arguments: &[&str]) -> Finished {
    let mut command = sandbar();
    command.arg("run").args(["--dir", &format!("{}::/data{flags}", world.join("granted").display())]);
    process::run(command.arg(guest_file(guest)).args(arguments), b"", TIME).unwrap()
}

/// Every file of the world, with what it holds and where a link leads.
fn listing(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let kind = fs::symlink_metadata(&path).unwrap().file_type();
        if kind.is_dir() {
            found.push(path.display().to_string());
            found.extend(listing(&path));
        } else if kind.is_symlink() {
            found.push(format!("{} -> {}", path.display(), fs::read_link(&path).unwrap().display()));
        } else {
            found.push(format!("{}: {}", path.display(), fs::read_to_string(&path).unwrap()));
        }
    }
    found.sort();
    found
}

#[test]
fn no_path_leads_out_of_a_folder() {
    let world = world("paths");
    let before = listing(&world);
    let absolute = world.join("outside/secret").display().to_string();
    let refused: &[&[&str]] = &[
        &["read", "/data/../outside/secret"],
        &["read", "/data/sub/../../outside/secret"],
        &["read", "../outside/secret"],
        &["read", &absolute],
        &["read", "/etc/passwd"],
        &["read", "/proc/self/environ"],
        &["read", "/proc/self/root/etc/passwd"],
        &["read", "/dev/urandom"],
        &["read", "//etc/passwd"],
        &["read", "/data//../../etc/passwd"],
        &["read", "/data/link-out/secret"],
        &["read", "/data/link-out/../outside/secret"],
        &["read", "/data/link-to-secret"],
        &["read", "/data/link-around"],
        &["read", "/data/link-absolute"],
        &["read", "/data/link-to-environ"],
        &["read", "/data/link-to-passwd"],
        &["read", "/data/link-to-nothing"],
        &["read", "/data/loop"],
        &["read", "/data/file/"],
        &["read", "/data/file/../file"],
        &["read", ""],
        &["ls", "/"],
        &["ls", "/data/.."],
        &["ls", "/data/link-out"],
        &["ls", "/data/link-out/"],
        &["write", "/data/../outside/new", "x"],
        &["write", "/data/link-to-secret", "x"],
        &["write", "/data/link-to-new", "x"],
        &["write", "/data/link-absolute", "x"],
        &["append", "/data/link-to-secret", "1"],
        &["truncate", "/data/link-to-secret"],
        &["mkdir", "/data/../outside/folder"],
        &["mkdir", "/data/link-out/folder"],
        &["rm", "/data/../outside/secret"],
        &["rm", "/data/link-out/secret"],
        &["rename", "/data/file", "/data/../outside/file"],
        &["rename", "/data/file", "/data/link-out/file"],
        &["rename", "/data/link-out/secret", "/data/stolen"],
        &["rename", "/data/../outside/secret", "/data/stolen"],
        &["symlink", "/etc/passwd", "/data/new-link"],
        &["symlink", "x", "/data/../outside/new-link"],
        &["symlink", "x", "/data/link-out/new-link"],
    ];
    for guest in GUESTS {
        for arguments in refused {
            let finished = run(&world, guest, "", arguments);
            let said = finished.stdout_text() + &finished.stderr_text();
            assert_eq!(finished.code(), Some(1), "{guest} {arguments:?}: {said}");
            assert!(!said.contains("the secret") && !said.contains("root:"), "{guest} {arguments:?}: {said}");
            assert_eq!(listing(&world), before, "{guest} {arguments:?}");
        }
        for (arguments, expected) in [
            (&["read", "/data/file"][..], "the file"),
            (&["read", "/data/./sub/../file"], "the file"),
            (&["read", "/data/link-inside"], "the file"),
            (&["ls", "/data/sub/"], ""),
        ] {
            let finished = run(&world, guest, "", arguments);
            assert_eq!(
                (finished.code(), finished.stdout_text().as_str()),
                (Some(0), expected),
                "{guest} {arguments:?}"
            );
        }
    }
}

/// A link that a guest makes itself leads nowhere it could not go without.
#[test]
fn a_link_of_the_guests_own_leads_no_further() {
    for guest in GUESTS {
        let world = world("own-links");
        for (target, read) in [
            ("../outside", "/data/own/secret"),
            ("../outside/secret", "/data/own"),
            ("../../..", "/data/own/etc/passwd"),
        ] {
            // Whether it may be made is the host's choice; that it may not be followed is not.
            run(&world, guest, "", &["symlink", target, "/data/own"]);
            let finished = run(&world, guest, "", &["read", read]);
            assert_eq!(finished.code(), Some(1), "{guest} {target}: {finished:?}");
            assert!(!finished.stdout_text().contains("the secret"));
            let _ = fs::remove_file(world.join("granted/own"));
        }
    }
}

/// A folder that becomes a link, and a folder again, while a guest walks through it.
#[test]
fn a_folder_that_is_swapped_meanwhile_leads_nowhere() {
    let world = world("swapped");
    fs::write(world.join("granted/sub/secret"), "the bait").unwrap();
    let (sub, aside) = (world.join("granted/sub"), world.join("granted/aside"));
    let ends = AtomicBool::new(false);
    let mut found = HashSet::new();
    thread::scope(|scope| {
        scope.spawn(|| {
            while !ends.load(SeqCst) {
                fs::rename(&sub, &aside).unwrap();
                symlink("../outside", &sub).unwrap();
                thread::yield_now();
                fs::remove_file(&sub).unwrap();
                fs::rename(&aside, &sub).unwrap();
                thread::yield_now();
            }
        });
        for guest in GUESTS {
            found.extend((0..100).map(|_| run(&world, guest, "", &["read", "/data/sub/secret"]).stdout_text()));
        }
        ends.store(true, SeqCst);
    });
    assert!(!found.contains("the secret"), "{found:?}");
}

#[test]
fn a_read_only_folder_stays_as_it_is() {
    let world = world("read-only");
    let before = listing(&world);
    for guest in GUESTS {
        for arguments in [
            &["write", "/data/file", "x"][..],
            &["write", "/data/new", "x"],
            &["append", "/data/file", "1"],
            &["truncate", "/data/file"],
            &["truncate", "/data/file", "100"],
            &["mkdir", "/data/folder"],
            &["rm", "/data/file"],
            &["rename", "/data/file", "/data/other"],
            &["symlink", "file", "/data/other"],
        ] {
            let finished = run(&world, guest, ":ro", arguments);
            assert_eq!(finished.code(), Some(1), "{guest} {arguments:?}: {finished:?}");
            assert_eq!(listing(&world), before, "{guest} {arguments:?}");
        }
        assert_eq!(run(&world, guest, ":ro", &["read", "/data/file"]).stdout_text(), "the file");
    }
}

#[test]
fn open_files_end_at_the_limit_of_handles() {
    let world = world("open-files");
    let folder = format!("{}::/data", world.join("granted").display());
    for guest in GUESTS {
        let path = guest_file(guest);
        let mut arguments = vec!["run", "--handles", "200", "--dir", &folder, path.to_str().unwrap()];
        arguments.extend(["open-many", "/data/file", "100000"]);
        let finished = finish(arguments, b"");
        assert_eq!(finished.code(), Some(124), "{guest}: {finished:?}");
        assert!(finished.stderr_text().contains("`handles`"), "{guest}: {finished:?}");
        // And below it: the limit is the guest's, not the system's.
        let few = run(&world, guest, "", &["open-many", "/data/file", "100"]);
        assert_eq!((few.code(), few.stdout_text().as_str()), (Some(0), "100\n"), "{guest}: {few:?}");
    }
}

/// A volume that is full is full for its own guest, who is told so and goes on; files that were there are whole.
#[test]
fn a_full_volume_is_full_for_its_own_guest() {
    for guest in GUESTS {
        let (one, two) = (world("volume-one"), world("volume-two"));
        const QUOTA: &str = ":rw,quota=1MiB";
        let full = run(&one, guest, QUOTA, &["append", "/data/big", "100000000"]);
        assert_eq!(full.code(), Some(1), "{guest}: {full:?}");
        let bytes = fs::metadata(one.join("granted/big")).unwrap().len();
        assert!((900 << 10..=1 << 20).contains(&bytes), "{guest}: {bytes}");
        // It stays full over calls, also for many small files, and room is given back.
        assert_eq!(run(&one, guest, QUOTA, &["append", "/data/other", "200000"]).code(), Some(1));
        assert_eq!(run(&one, guest, QUOTA, &["truncate", "/data/big", "100000000000"]).code(), Some(1));
        assert_eq!(run(&one, guest, QUOTA, &["read", "/data/file"]).stdout_text(), "the file");
        assert_eq!(run(&one, guest, QUOTA, &["rm", "/data/big"]).code(), Some(0));
        assert_eq!(run(&one, guest, QUOTA, &["append", "/data/other", "200000"]).code(), Some(0));
        assert_eq!(run(&two, guest, QUOTA, &["append", "/data/big", "200000"]).code(), Some(0));
    }
}
