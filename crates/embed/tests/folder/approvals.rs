//! The file of approvals: what is written, what somebody may write, and what holds.

use crate::world::{Folder, approve, asked, entry, host, key, state, version};
use sandbar_embed::folder::{FolderError, Scope, VersionReq, sign};
use std::{fs, os::unix::fs::PermissionsExt};

const ASKS: &str = "guest = \"g.wat\"\nversion = \"1.2.0\"\nsandboxes_max = 20\n[grants]\nhttp = [\"https://a.com\", \
    \"https://*.b.com\"]\nrandom = true\n[limits]\nwall = \"1500ms\"\nmemory = \"1GiB\"\n";

fn folder() -> Folder {
    let folder = Folder::of(&[("a.plugin.toml", ASKS), ("b.plugin.toml", ASKS)]);
    folder.write("g.wat", version(1));
    folder
}

#[test]
fn a_person_can_read_what_was_approved() {
    let folder = folder();
    let open = folder.open();
    assert!(!folder.path("plugins.approved.toml").exists(), "looking writes nothing");
    approve(&open, "a");
    assert_eq!((state(&open, "a"), state(&open, "b")), ("ready", "not-approved"));
    let digest = entry(&open, "a").digest.unwrap();
    let expected = format!(
        r#"[a]
digest = "{digest}"
# sandboxes at one time
sandboxes_max = 20

[a.grants]
# allows HTTP requests to a host; `*.` stands for its subdomains, `private+` adds private addresses
http = ["https://a.com", "https://*.b.com"]
# gives secure random numbers
random = true

[a.limits]
# Linear memory, summed over the memories of the sandbox.
memory = "1GiB"
"#
    );
    let text = folder.read("plugins.approved.toml");
    let (head, tables) = text.split_once("\n\n").unwrap();
    assert_eq!(tables, expected);
    assert!(head.lines().all(|line| line.starts_with('#')), "{head}");
}

#[test]
fn what_somebody_wrote_beside_it_stays() {
    let folder = folder();
    let open = folder.open();
    let digest = entry(&open, "a").digest.unwrap();
    let text = format!(
        "# mine\n\n# about a\n[a] # here\nenabled = true\ndigest = \"{digest}\"\n# inside\n\n[a.grants]\nrandom = true\n\n\
         # about b\n[b]\nenabled = false # for now\n\n# the end\n"
    );
    folder.write("plugins.approved.toml", &text);
    open.refresh().unwrap();
    assert_eq!((state(&open, "a"), state(&open, "b")), ("not-approved", "disabled"));
    open.disable("a").unwrap();
    let text = folder.read("plugins.approved.toml");
    let expected = format!(
        "# mine\n\n# about a\n[a]\nenabled = false\ndigest = \"{digest}\"\n\n[a.grants]\n# gives secure random numbers\n\
         random = true\n\n# about b\n[b]\nenabled = false # for now\n\n# the end\n"
    );
    assert_eq!(text, expected);
    open.enable("b").unwrap();
    assert!(folder.read("plugins.approved.toml").ends_with("# about b\n[b]\n\n# the end\n"));
    // Written in another way, in which no lines are a plugin's own.
    folder.write("plugins.approved.toml", "a.enabled = false\nb = { enabled = false }\n");
    open.enable("a").unwrap();
    assert_eq!((state(&open, "a"), state(&open, "b")), ("not-approved", "disabled"));
    open.withdraw("a").unwrap();
    assert_eq!(state(&open, "a"), "not-approved");
}

#[test]
fn an_approval_holds_for_what_it_was_given_for() {
    let folder = folder();
    let open = folder.builder().keys([key(1).public()]).open(host()).unwrap();
    approve(&open, "a");
    assert_eq!(asked(&open.get("a").unwrap()), 1);
    let fresh = || folder.builder().keys([key(1).public()]).open(host()).unwrap();

    // Pinned: another guest is another plugin.
    folder.write("g.wat", version(2));
    let told = entry(&fresh(), "a").state.to_string();
    assert!(told.contains("(the approval is for another version, `sha256:"), "{told}");

    // By a key: any version in the range that it signed.
    let id = key(1).public().id();
    let versions = VersionReq::parse(">=1.2.0").unwrap();
    open.approve(&entry(&open, "a"), Scope::Key { key: id, versions }).unwrap();
    let told = entry(&fresh(), "a").state.to_string();
    assert!(told.ends_with(&format!("(the approval is for what the key `{id}` signed)")), "{told}");
    sign(folder.path("a.plugin.toml"), &key(1), sandbar_embed::folder::Keep::Beside).unwrap();
    assert_eq!(asked(&fresh().get("a").unwrap()), 2);
    folder.write("g.wat", version(3));
    assert_eq!(state(&fresh(), "a"), "bad-signature");
    for (number, said, expected) in [(4, "1.3.0", "ready"), (5, "1.1.0", "not-approved")] {
        folder.write("g.wat", version(number));
        folder.write("a.plugin.toml", ASKS.replace("1.2.0", said));
        sign(folder.path("a.plugin.toml"), &key(1), sandbar_embed::folder::Keep::Beside).unwrap();
        let open = fresh();
        assert_eq!(state(&open, "a"), expected, "{}", entry(&open, "a").state);
    }

    // More than was approved is named, and nothing else.
    folder.write("a.plugin.toml", format!("{ASKS}cpu = \"5s\"\ntables = 200000\n"));
    folder.write("g.wat", version(1));
    sign(folder.path("a.plugin.toml"), &key(1), sandbar_embed::folder::Keep::Beside).unwrap();
    assert_eq!(entry(&fresh(), "a").state.to_string(), "not approved: `limits.tables = 200000`");
}

#[test]
fn only_what_was_seen_is_approved() {
    let folder = folder();
    let open = folder.open();
    let seen = entry(&open, "a");
    folder.write("a.plugin.toml", format!("{ASKS}tables = 200000\n"));
    open.approve(&seen, Scope::Digest(seen.digest.unwrap())).unwrap();
    assert_eq!(state(&open, "a"), "not-approved");
    assert!(open.get("a").is_none());
}

#[test]
fn a_file_that_is_wrong_changes_nothing() {
    let folder = folder();
    let open = folder.open();
    approve(&open, "a");
    let good = folder.read("plugins.approved.toml");
    let digest = entry(&open, "a").digest.unwrap();
    for (text, message) in [
        ("a = 1", "`a`: expected the table of a plugin, found `1`".to_owned()),
        ("[a]\nenable = false", "`a`: unknown key `enable`; did you mean `enabled`?".into()),
        ("[a.grants]\nrandom = true", "`a`: expected `digest` or `key`, which say what this is approved for".into()),
        ("[a]\nkey = \"12\"", "`a`: `key`: the id of a key is 16 hexadecimal digits".into()),
        ("[a]\nversions = \"*\"", "`a`: `versions` goes with `key`".into()),
        (
            &*format!("[a]\ndigest = \"{digest}\"\nkey = \"0011223344556677\""),
            "`a`: expected `digest` or `key`, found both".into(),
        ),
        ("[\"a b\"]", "`a b` is no name of a plugin".into()),
        ("[a", "line 1: unclosed table, expected `]`".into()),
    ] {
        folder.write("plugins.approved.toml", text);
        let error = folder.plain(open.refresh().unwrap_err());
        assert_eq!(error, format!("`FOLDER/plugins.approved.toml`: {message}"));
        assert_eq!(asked(&open.get("a").unwrap()), 1);
        assert!(open.disable("a").is_err());
        assert_eq!(folder.read("plugins.approved.toml"), text);
    }
    folder.write("plugins.approved.toml", good);
    let path = folder.path("plugins.approved.toml");
    fs::set_permissions(&path, PermissionsExt::from_mode(0o666)).unwrap();
    assert!(matches!(open.refresh(), Err(FolderError::Open { .. })));
    assert!(matches!(folder.builder().open(host()), Err(FolderError::Open { .. })));
    fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
    open.disable("a").unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640, "it stays whose it is");
}

#[test]
fn the_file_may_lie_elsewhere() {
    let folder = folder();
    let elsewhere = folder.around().join("approved.toml");
    let open = folder.builder().approvals(&elsewhere).open(host()).unwrap();
    approve(&open, "a");
    assert!(elsewhere.exists() && !folder.path("plugins.approved.toml").exists());
    assert_eq!(state(&folder.open(), "a"), "not-approved");
    assert!(matches!(open.enable("aa"), Err(FolderError::Unknown { near: Some(near), .. }) if near == "a"));
}
