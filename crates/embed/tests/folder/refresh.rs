//! A folder that changes while its plugins are called.

use crate::world::{Folder, approve, asked, entry, host, key, state, version};
use sandbar_embed::{
    Plugin, PluginFolder, Probation, Resource,
    folder::{Keep, Switch, sign},
};
use std::{fs, sync::mpsc, thread, time::Duration};

const TRAPS: &str = r#"(module (func (export "version") (param i32) (result i32) unreachable))"#;

fn manifest(version: &str, more: &str) -> String {
    format!("guest = \"a.wat\"\nversion = \"{version}\"\n{more}")
}

fn running(folder: &PluginFolder, name: &str) -> Option<String> {
    entry(folder, name).plugin_version.map(|version| version.to_string())
}

#[test]
fn what_comes_changes_and_goes_is_seen() {
    let folder = Folder::of(&[("a.wat", &version(1)), ("a.plugin.toml", &manifest("1.0.0", ""))]);
    let open = folder.open();
    let kept = open.get("a").unwrap();
    folder.write("b.wat", version(10));
    folder.write("a.wat", version(2));
    folder.write("a.plugin.toml", manifest("1.1.0", ""));
    open.refresh().unwrap();
    assert_eq!((asked(&kept), asked(&open.get("b").unwrap())), (2, 10), "who has a plugin has its new version");
    assert_eq!(running(&open, "a").as_deref(), Some("1.1.0"));
    // Other terms make another plugin: what was given to the one before is not changed behind its back.
    folder.write("a.wat", version(3));
    folder.write("a.plugin.toml", manifest("1.2.0", "[limits]\nwall = \"1s\""));
    open.refresh().unwrap();
    assert_eq!((asked(&kept), asked(&open.get("a").unwrap())), (2, 3));
    assert_eq!(open.get("a").unwrap().limits().get(Resource::Wall), Some(1_000_000_000));
    fs::remove_file(folder.path("b.wat")).unwrap();
    open.refresh().unwrap();
    assert!(open.get("b").is_none() && open.entry("b").is_none());
}

#[test]
fn an_update_that_may_not_be_loaded_leaves_the_version_before() {
    let plain = manifest("1.0.0", "");
    let folder = Folder::of(&[("a.wat", &version(1)), ("a.plugin.toml", &plain)]);
    let open = folder.builder().keys([key(1).public()]).open(host()).unwrap();
    for (file, text, expected) in [
        ("a.plugin.toml", manifest("2.0.0", "[grants]\nrandom = true"), "not-approved"),
        ("a.plugin.toml", manifest("2.0.0", "[requires]\ngone = \"*\""), "missing-dependency"),
        ("a.plugin.toml", manifest("2.0.0", "[requires]\na = \"*\""), "broken"),
        ("a.plugin.toml", "guest".into(), "broken"),
        ("a.plugin.toml", manifest("2.0.0", "sandbox = \"what\""), "broken"),
        ("a.wat", "(module".into(), "broken"),
        ("a.wat.sig", "nonsense".into(), "bad-signature"),
    ] {
        folder.write(file, &text);
        open.refresh().unwrap();
        assert_eq!(state(&open, "a"), expected, "{text}: {}", entry(&open, "a").state);
        assert_eq!((asked(&open.get("a").unwrap()), running(&open, "a").as_deref()), (1, Some("1.0.0")), "{text}");
        folder.write("a.plugin.toml", &plain);
        folder.write("a.wat", version(1));
        let _ = fs::remove_file(folder.path("a.wat.sig"));
        open.refresh().unwrap();
        assert_eq!(state(&open, "a"), "ready");
    }
    // Once it is approved, it is taken up.
    folder.write("a.wat", version(2));
    folder.write("a.plugin.toml", manifest("2.0.0", "[grants]\nrandom = true"));
    open.refresh().unwrap();
    approve(&open, "a");
    assert_eq!((asked(&open.get("a").unwrap()), running(&open, "a").as_deref()), (2, Some("2.0.0")));
}

#[test]
fn what_is_switched_off_withdrawn_or_not_trusted_any_more_goes() {
    let folder = Folder::of(&[
        ("a.wat", &version(1)),
        ("a.plugin.toml", &manifest("1.0.0", "[grants]\nrandom = true")),
        ("b.wat", &version(2)),
        ("b.plugin.toml", "guest = \"b.wat\"\n[requires]\na = \"^1\""),
    ]);
    let open = folder.open();
    approve(&open, "a");
    assert_eq!((state(&open, "a"), state(&open, "b")), ("ready", "ready"));
    open.disable("a").unwrap();
    assert!(open.get("a").is_none() && open.get("b").is_none());
    assert_eq!((state(&open, "a"), state(&open, "b")), ("disabled", "missing-dependency"));
    open.enable("a").unwrap();
    assert!(open.get("a").is_some() && open.get("b").is_some());
    open.withdraw("a").unwrap();
    assert!(open.get("a").is_none());
    // The version before goes on as long as it is approved itself.
    approve(&open, "a");
    folder.write("a.wat", version(3));
    open.refresh().unwrap();
    assert_eq!((state(&open, "a"), asked(&open.get("a").unwrap())), ("not-approved", 1));
    open.withdraw("a").unwrap();
    assert!(open.get("a").is_none());

    let folder = Folder::of(&[("a.wat", &version(1))]);
    sign(folder.path("a.wat"), &key(1), Keep::Beside).unwrap();
    let open = folder.builder().keys([key(1).public()]).require_signatures().open(host()).unwrap();
    folder.write("a.wat", version(2));
    open.refresh().unwrap();
    assert_eq!((state(&open, "a"), asked(&open.get("a").unwrap())), ("bad-signature", 1));
}

#[test]
fn a_version_on_probation_goes_back_by_itself_and_is_not_tried_again() {
    let folder = Folder::of(&[("a.wat", &version(1)), ("a.plugin.toml", &manifest("1.0.0", ""))]);
    let each = |_: &_, builder: sandbar_embed::PluginBuilder| builder.probation(Probation { calls: 10, failures: 2 });
    let open = folder.builder().each(each).open(host()).unwrap();
    folder.write("a.wat", TRAPS);
    folder.write("a.plugin.toml", manifest("1.1.0", ""));
    open.refresh().unwrap();
    let plugin: Plugin = open.get("a").unwrap();
    assert_eq!(running(&open, "a").as_deref(), Some("1.1.0"));
    for _ in 0..2 {
        plugin.call::<i32>("version", &(0,)).unwrap_err();
    }
    assert_eq!(asked(&plugin), 1);
    assert_eq!((state(&open, "a"), running(&open, "a").as_deref()), ("rolled-back", Some("1.0.0")));
    open.refresh().unwrap();
    assert_eq!((state(&open, "a"), asked(&plugin)), ("rolled-back", 1));
    folder.write("a.wat", version(3));
    folder.write("a.plugin.toml", manifest("1.1.1", ""));
    open.refresh().unwrap();
    assert_eq!((state(&open, "a"), asked(&plugin)), ("ready", 3));
}

#[test]
fn an_approved_update_goes_to_whoever_has_the_plugin() {
    let asks = "[grants]\nrandom = true";
    let folder = Folder::of(&[("a.wat", &version(1)), ("a.plugin.toml", &manifest("1.0.0", asks))]);
    let each = |_: &_, builder: sandbar_embed::PluginBuilder| builder.probation(Probation { calls: 10, failures: 1 });
    let open = folder.builder().each(each).open(host()).unwrap();
    approve(&open, "a");
    let plugin = open.get("a").unwrap();
    folder.write("a.wat", version(2));
    open.refresh().unwrap();
    assert_eq!((state(&open, "a"), asked(&plugin)), ("not-approved", 1));
    approve(&open, "a");
    assert_eq!((state(&open, "a"), asked(&plugin)), ("ready", 2));
    // One that goes back to what is no longer approved is let go of at the next look.
    folder.write("a.wat", TRAPS);
    open.refresh().unwrap();
    approve(&open, "a");
    plugin.call::<i32>("version", &(0,)).unwrap_err();
    assert_eq!((state(&open, "a"), asked(&plugin)), ("rolled-back", 2));
    open.refresh().unwrap();
    assert_eq!((state(&open, "a"), open.get("a").is_none()), ("rolled-back", true));
}

#[test]
fn a_plugin_that_another_requires_may_change_what_there_is() {
    let folder = Folder::of(&[
        ("a.wat", &version(1)),
        ("a.plugin.toml", &manifest("1.0.0", "")),
        ("b.wat", &version(2)),
        ("b.plugin.toml", "guest = \"b.wat\"\n[requires]\na = \"^1\""),
    ]);
    let open = folder.open();
    folder.write("a.plugin.toml", manifest("2.0.0", ""));
    open.refresh().unwrap();
    let told = entry(&open, "b").state.to_string();
    assert_eq!((told.as_str(), open.get("b").is_none()), ("it requires `a` ^1, and there is 2.0.0", true));
    // A circle leaves both versions before it.
    folder.write("a.plugin.toml", manifest("1.0.1", ""));
    open.refresh().unwrap();
    folder.write("a.plugin.toml", manifest("1.0.2", "[requires]\nb = \"*\""));
    open.refresh().unwrap();
    let told = entry(&open, "a").state.to_string();
    assert_eq!(told, "plugins require each other in a circle: a > b > a");
    assert_eq!((running(&open, "a").as_deref(), asked(&open.get("b").unwrap())), (Some("1.0.1"), 2));
}

#[test]
fn a_folder_is_watched_until_the_watch_is_dropped() {
    let folder = Folder::of(&[("a.wat", &version(1))]);
    let open = folder.open();
    let (told, heard) = mpsc::channel();
    let watch = open.watch(move |_, refreshed| told.send(refreshed.is_ok()).unwrap()).unwrap();
    let next = || heard.recv_timeout(Duration::from_secs(20));
    folder.write("b.wat", version(2));
    assert_eq!(next(), Ok(true));
    assert_eq!(asked(&open.get("b").unwrap()), 2);
    folder.write("a.plugin.toml", "guest = \"deep/a.wat\"");
    folder.write("deep/a.wat", version(3));
    assert_eq!(next(), Ok(true));
    assert_eq!(asked(&open.get("a").unwrap()), 3);
    folder.write("deep/a.wat", format!("{} ", version(4)));
    assert_eq!(next(), Ok(true));
    assert_eq!(asked(&open.get("a").unwrap()), 4);
    folder.builder().switch("a", Switch::Off).unwrap();
    assert_eq!(next(), Ok(true));
    assert!(open.get("a").is_none());
    folder.write("plugins.approved.toml", "[");
    assert_eq!(next(), Ok(false));
    drop(watch);
    assert!(heard.recv_timeout(Duration::from_millis(600)).is_err());
}

#[test]
fn a_folder_that_is_refreshed_for_long_grows_in_nothing() {
    let held = || (fs::read_dir("/proc/self/fd").unwrap().count(), fs::read_dir("/proc/self/task").unwrap().count());
    let folder = Folder::of(&[("a.wat", &version(0)), ("a.plugin.toml", &manifest("1.0.0", "")), ("b.wat", "(module")]);
    let open = folder.open();
    let round = |number: i32| {
        folder.write("a.wat", version(number));
        folder.write("a.plugin.toml", manifest("1.0.0", if number % 3 == 0 { "[limits]\nwall = \"1s\"" } else { "" }));
        if number % 2 == 0 {
            open.disable("b").unwrap()
        } else {
            open.enable("b").unwrap()
        }
        assert_eq!(asked(&open.get("a").unwrap()), number);
    };
    (0..20).for_each(round);
    let before = held();
    thread::scope(|scope| {
        let calls = scope.spawn(|| (0..2_000).map(|_| asked(&open.get("a").unwrap())).max());
        (0..300).for_each(round);
        calls.join().unwrap();
    });
    let after = held();
    assert!(after.0 <= before.0 + 4 && after.1 <= before.1 + 4, "{before:?} {after:?}");
}
