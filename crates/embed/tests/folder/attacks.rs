//! What a hostile plugin or folder can't do.

use crate::world::{Folder, approve, asked, entry, host, state, version};
use sandbar_embed::{Outcome, PluginFolder, folder::FolderError};
use std::{
    fs::{self, File},
    os::unix::fs::symlink,
    time::{Duration, Instant},
};

/// How a plugin is broken.
fn broken(folder: &PluginFolder, name: &str) -> std::sync::Arc<FolderError> {
    match entry(folder, name).state {
        sandbar_embed::folder::PluginState::Broken(error) => error,
        other => panic!("{name}: {other}"),
    }
}

#[test]
fn no_path_of_a_manifest_leads_out_of_the_folder() {
    let folder = Folder::new();
    fs::write(folder.around().join("out.wat"), version(1)).unwrap();
    fs::create_dir(folder.around().join("far")).unwrap();
    fs::write(folder.around().join("far/plugin.toml"), "").unwrap();
    folder.write("in.wat", version(2));
    let outside = folder.around().join("out.wat");
    symlink(&outside, folder.path("link.wat")).unwrap();
    symlink("../../out.wat", folder.path("relative.wat")).unwrap();
    symlink(folder.around(), folder.path("up")).unwrap();
    symlink(folder.around().join("far"), folder.path("far")).unwrap();
    symlink("loop", folder.path("loop")).unwrap();
    symlink("in.wat", folder.path("inner.wat")).unwrap();
    for (name, guest) in [
        ("a1", "../out.wat"),
        ("a2", "up/out.wat"),
        ("a3", "link.wat"),
        ("a4", outside.to_str().unwrap()),
        ("a5", "x/../../out.wat"),
        ("a6", ""),
        ("a7", "in.wat/../../out.wat"),
        ("a8", "..\u{0}/x"),
    ] {
        folder.write(&format!("{name}.plugin.toml"), format!("guest = {}", toml::Value::String(guest.into())));
    }
    folder.write("a9.plugin.toml", "guest = \"inner.wat\"");
    folder.write("b1.plugin.toml", "guest = \"loop\"");
    let open = folder.open();
    for name in ["a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8", "link", "far"] {
        assert!(matches!(&*broken(&open, name), FolderError::Outside { .. }), "{name}: {}", entry(&open, name).state);
    }
    assert!(matches!(&*broken(&open, "b1"), FolderError::File { .. }));
    assert_eq!(asked(&open.get("a9").unwrap()), 2, "a link that stays inside is one");
    assert_eq!(state(&open, "in"), "ready");
}

#[test]
fn what_is_no_file_or_too_large_is_refused_at_once() {
    let folder = Folder::of(&[("fine.wat", &version(1))]);
    let pipe = |name: &str| {
        use rustix::fs::{CWD, FileType, Mode, mknodat};
        mknodat(CWD, folder.path(name), FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    };
    pipe("pipe.wasm");
    pipe("manifest.plugin.toml");
    fs::create_dir(folder.path("folder.wasm")).unwrap();
    symlink("/dev/zero", folder.path("zero.wasm")).unwrap();
    File::create(folder.path("huge.wasm")).unwrap().set_len(1 << 40).unwrap();
    File::create(folder.path("long.plugin.toml")).unwrap().set_len(65_537).unwrap();
    folder.write("signed.wat", version(1));
    pipe("signed.wat.sig");
    let start = Instant::now();
    let open = folder.open();
    assert!(start.elapsed() < Duration::from_secs(10));
    for (name, told) in [
        ("pipe", "`FOLDER/pipe.wasm` is no regular file"),
        ("manifest", "`FOLDER/manifest.plugin.toml` is no regular file"),
        ("folder", "`FOLDER/folder.wasm` is no regular file"),
        ("zero", "`FOLDER/zero.wasm` leads out of the folder of plugins"),
        ("huge", "`FOLDER/huge.wasm` has more than the 134217728 bytes that it may have"),
        ("long", "`FOLDER/long.plugin.toml` has more than the 65536 bytes that it may have"),
        ("signed", "`FOLDER/signed.wat.sig` is no regular file"),
        ("fine", "ready"),
    ] {
        assert_eq!(folder.plain(entry(&open, name).state), told);
    }
}

#[test]
fn a_folder_without_end_is_refused_as_a_whole() {
    let folder = Folder::new();
    for number in 0..=10_000 {
        File::create(folder.path(&format!("{number}.txt"))).unwrap();
    }
    assert!(matches!(folder.builder().open(host()), Err(FolderError::TooMany { entries_max: 10_000, .. })));
    fs::remove_file(folder.path("7.txt")).unwrap();
    assert!(folder.open().plugins().is_empty());
    let gone = PluginFolder::open(host(), folder.path("gone"));
    assert!(matches!(gone, Err(FolderError::File { .. })));
}

#[test]
fn a_guest_that_is_not_the_one_of_its_manifest_is_refused() {
    let folder = Folder::of(&[("a.wat", &version(1))]);
    let digest = sandbar_embed::signing::digest(version(1).as_bytes());
    folder.write("a.plugin.toml", format!("guest = \"a.wat\"\ndigest = \"{digest}\""));
    let open = folder.open();
    assert_eq!(asked(&open.get("a").unwrap()), 1);
    folder.write("a.wat", version(2));
    open.refresh().unwrap();
    assert!(matches!(&*broken(&open, "a"), FolderError::Digest { expected, .. } if *expected == digest));
    assert_eq!(asked(&open.get("a").unwrap()), 1, "the one before goes on");
}

#[test]
fn no_plugin_may_write_where_plugins_or_approvals_lie() {
    let folder = Folder::of(&[("g.wat", &version(1))]);
    fs::create_dir(folder.around().join("data")).unwrap();
    fs::create_dir(folder.around().join("keys")).unwrap();
    fs::create_dir(folder.path("assets")).unwrap();
    symlink(folder.path(""), folder.around().join("data/link")).unwrap();
    let approvals = folder.around().join("keys/approved.toml");
    for (number, (dir, expected)) in [
        (".::/x", "broken"),
        ("plugins::/x", "broken"),
        ("plugins/assets::/x:rw", "broken"),
        ("data/link::/x", "broken"),
        ("keys::/x", "broken"),
        ("/::/x", "broken"),
        ("plugins/assets::/x:ro", "ready"),
        ("data::/x:rw,quota=1MiB", "ready"),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("p{number}");
        folder.write(&format!("{name}.plugin.toml"), format!("guest = \"g.wat\"\n[grants]\ndir = [\"{dir}\"]"));
        let open = folder.builder().base(folder.around()).approvals(&approvals).open(host()).unwrap();
        approve(&open, &name);
        assert_eq!(state(&open, &name), expected, "{dir}: {}", entry(&open, &name).state);
        if expected == "broken" {
            assert!(matches!(&*broken(&open, &name), FolderError::Writable { .. }), "{dir}");
        }
        fs::remove_file(folder.path(&format!("{name}.plugin.toml"))).unwrap();
    }
}

#[test]
fn no_plugin_is_the_trouble_of_another() {
    let spins =
        r#"(module (func $f (loop (br 0))) (start $f) (func (export "version") (param i32) (result i32) i32.const 1))"#;
    let bomb = format!("(module (memory 65536) {}", "(func (unreachable))".repeat(3) + ")");
    let folder = Folder::of(&[
        ("spins.wat", spins),
        ("spins.plugin.toml", "guest = \"spins.wat\"\n[limits]\nwall = \"100ms\""),
        ("bomb.wat", &bomb),
        ("garbage.wasm", "\0asm\u{1}\0\0\0garbage"),
        ("text.wasm", "no wasm at all"),
        ("traps.wat", r#"(module (func (export "version") (param i32) (result i32) unreachable))"#),
        ("nested.plugin.toml", &"a = [".repeat(10_000)),
        ("dots.plugin.toml", &format!("{}=1", "a.".repeat(20_000) + "a")),
        ("quiet.wat", &version(3)),
        ("zz.wat", &version(4)),
    ]);
    let open = folder.open();
    for name in ["spins", "bomb", "garbage", "text", "nested", "dots"] {
        assert_eq!(state(&open, name), "broken", "{name}");
    }
    let error = open.get("traps").unwrap().call::<i32>("version", &(0,)).unwrap_err();
    assert!(matches!(error.outcome, Outcome::Trapped { .. }) && error.receipt.is_some());
    assert_eq!((asked(&open.get("quiet").unwrap()), asked(&open.get("zz").unwrap())), (3, 4));
}

#[test]
fn a_name_cannot_be_taken_from_where_it_belongs() {
    let folder =
        Folder::of(&[("good.plugin.toml", "guest = \"good.wat\"\n[grants]\nrandom = true"), ("good.wat", &version(1))]);
    let open = folder.open();
    approve(&open, "good");
    folder.write("evil.plugin.toml", "name = \"good\"\nguest = \"evil.wat\"\n[grants]\nrandom = true");
    folder.write("evil.wat", version(666));
    folder.write("thief.plugin.toml", "guest = \"good.wat\"\n[grants]\nrandom = true");
    open.refresh().unwrap();
    assert_eq!((state(&open, "evil"), state(&open, "thief")), ("broken", "not-approved"));
    assert_eq!(asked(&open.get("good").unwrap()), 1);
}
