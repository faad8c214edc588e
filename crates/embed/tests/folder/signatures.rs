//! Signatures: made, checked, and made wrong in every way.

use crate::world::{Folder, entry, host, key, quickstart, state, version};
use sandbar_embed::{
    PluginFolder,
    folder::{Keep, SignError, sign, verify},
    signing::{KeyError, PublicKey, SECTION, SecretKey, SignatureError, embed, split},
};
use std::{fs, os::unix::fs::PermissionsExt};

/// Opens a folder that takes only what the first key signed.
fn strict(folder: &Folder) -> PluginFolder {
    folder.builder().keys([key(1).public()]).require_signatures().open(host()).unwrap()
}

#[test]
fn a_plugin_is_signed_beside_it_or_in_it() {
    for keep in [Keep::Beside, Keep::Inside] {
        for (name, guest) in [("users", quickstart("users.wasm")), ("double", quickstart("double.wasm"))] {
            let folder = Folder::of(&[("a.plugin.toml", "version = \"1.0.0\"")]);
            folder.write("a.wasm", &guest);
            folder.write("bare.wasm", &guest);
            assert_eq!((state(&strict(&folder), "a"), state(&strict(&folder), "bare")), ("unsigned", "unsigned"));
            for path in ["a.wasm", "bare.wasm"] {
                let signed = sign(folder.path(path), &key(1), keep).unwrap();
                assert_eq!(signed.statement.manifest.is_some(), path == "a.wasm");
                assert_eq!(
                    verify(folder.path(path), &[key(2).public(), key(1).public()]).unwrap().signers,
                    [key(1).public().id()]
                );
                assert!(matches!(
                    verify(folder.path(path), &[key(2).public()]),
                    Err(SignError::Signature(SignatureError::Unknown(_)))
                ));
            }
            let open = strict(&folder);
            assert_eq!((state(&open, "a"), state(&open, "bare")), ("ready", "ready"), "{name} {keep:?}");
            // What runs is what was signed, without the signature.
            assert_eq!(open.get("a").unwrap().guest().bytes(), &guest);
            assert_eq!(entry(&open, "a").signers, [key(1).public().id()]);
            assert_eq!(fs::read(folder.path("a.wasm")).unwrap() == guest, keep == Keep::Beside);
        }
    }
}

#[test]
fn a_signature_holds_for_one_name_guest_and_manifest() {
    for keep in [Keep::Beside, Keep::Inside] {
        let signed = || {
            let folder = Folder::of(&[("a.plugin.toml", "version = \"1.0.0\"")]);
            folder.write("a.wasm", quickstart("sensor.wasm"));
            sign(folder.path("a.wasm"), &key(1), keep).unwrap();
            assert_eq!(state(&strict(&folder), "a"), "ready");
            folder
        };
        let is_wrong = |folder: &Folder, name: &str| {
            let open = strict(folder);
            let told = entry(&open, name).state.to_string();
            let wrong = format!(
                "its signature by `{}` is wrong: the guest, the manifest or the name is another than was signed",
                key(1).public().id()
            );
            assert_eq!(told, wrong);
            assert!(open.get(name).is_none());
            // A wrong signature by a known key is wrong where none is needed, too.
            let lax = folder.builder().keys([key(1).public()]).open(host()).unwrap();
            assert_eq!(state(&lax, name), "bad-signature");
        };
        let folder = signed();
        folder.write("a.plugin.toml", "version = \"1.0.1\"");
        is_wrong(&folder, "a");
        let folder = signed();
        fs::remove_file(folder.path("a.plugin.toml")).unwrap();
        is_wrong(&folder, "a");
        let folder = signed();
        for (from, to) in [("a.plugin.toml", "b.plugin.toml"), ("a.wasm", "b.wasm"), ("a.wasm.sig", "b.wasm.sig")] {
            let _ = fs::rename(folder.path(from), folder.path(to));
        }
        is_wrong(&folder, "b");
        let folder = signed();
        let mut bytes = fs::read(folder.path("a.wasm")).unwrap();
        let at = if keep == Keep::Inside { split(&bytes).unwrap().guest.len() - 1 } else { bytes.len() - 1 };
        bytes[at] ^= 1;
        folder.write("a.wasm", bytes);
        is_wrong(&folder, "a");
    }
}

#[test]
fn a_signature_by_a_stranger_is_worth_as_much_as_none() {
    let folder = Folder::of(&[("a.wat", &version(1))]);
    sign(folder.path("a.wat"), &key(2), Keep::Beside).unwrap();
    let stranger = key(2).public().id();
    let told = entry(&strict(&folder), "a").state.to_string();
    assert_eq!(told, format!("it is signed by `{stranger}`, which is no key that is known here"));
    assert_eq!(state(&folder.open(), "a"), "ready");
    // A second signature, by a known key, is enough; the order does not matter.
    sign(folder.path("a.wat"), &key(1), Keep::Beside).unwrap();
    assert_eq!(state(&strict(&folder), "a"), "ready");
    assert_eq!(folder.read("a.wat.sig").lines().count(), 2);
    sign(folder.path("a.wat"), &key(1), Keep::Beside).unwrap();
    assert_eq!(folder.read("a.wat.sig").lines().count(), 2, "signing again replaces its own");
    let both = verify(folder.path("a.wat"), &[key(1).public(), key(2).public()]).unwrap();
    assert_eq!(both.signers.len(), 2);
    assert!(matches!(sign(folder.path("a.wat"), &key(1), Keep::Inside), Err(SignError::NotBinary)));
}

#[test]
fn lines_that_are_no_signatures_are_told() {
    let folder = Folder::of(&[("a.wat", &version(1))]);
    sign(folder.path("a.wat"), &key(1), Keep::Beside).unwrap();
    let good = folder.read("a.wat.sig");
    let line = good.trim_end().to_owned();
    let many = (0..17_u8).map(|number| line.replace(&key(1).public().id().to_string(), &format!("{number:016x}")));
    let many: String = many.map(|line| line + "\n").collect();
    for (text, told) in [
        (String::new(), "there is none"),
        ("\n".into(), "expected `sandbar-signature-1 KEY SIGNATURE`"),
        (line.to_uppercase(), "expected `sandbar-signature-1 KEY SIGNATURE`"),
        (line.replace("-1 ", "-2 "), "expected `sandbar-signature-1 KEY SIGNATURE`"),
        (line[..line.len() - 1].into(), "expected `sandbar-signature-1 KEY SIGNATURE`"),
        (format!("{line} "), "expected `sandbar-signature-1 KEY SIGNATURE`"),
        (format!("{good}{good}"), "there are two by the key"),
        (many, "there are more than 16"),
        ("x".repeat(9_000), "has more than the 8192 bytes that it may have"),
    ] {
        folder.write("a.wat.sig", &text);
        for open in [strict(&folder), folder.open()] {
            let found = entry(&open, "a").state.to_string();
            assert!(found.contains(told), "expected {told}, found {found}");
            assert!(open.get("a").is_none());
        }
    }
    folder.write("a.wat.sig", line);
    assert_eq!(state(&strict(&folder), "a"), "ready", "the last line need not end");
}

#[test]
fn sections_that_lie_are_told() {
    let guest = quickstart("sensor.wasm");
    let folder = Folder::new();
    folder.write("a.wasm", &guest);
    sign(folder.path("a.wasm"), &key(1), Keep::Inside).unwrap();
    let signed = fs::read(folder.path("a.wasm")).unwrap();
    let section = signed[guest.len()..].to_vec();
    let custom = |name: &str, text: &[u8]| {
        let mut bytes = vec![0, (1 + name.len() + text.len()) as u8, name.len() as u8];
        bytes.extend(name.as_bytes());
        bytes.extend(text);
        bytes
    };
    let with = |more: &[&[u8]]| [&[&guest[..]], more].concat().concat();
    for (bytes, state, told) in [
        (with(&[&section, &custom("x", b"more")]), "bad-signature", "something comes after its signatures"),
        (with(&[&section, &section]), "bad-signature", "it has more than one section of signatures"),
        (with(&[&section, &custom("x", b""), &section]), "bad-signature", "it has more than one section of signatures"),
        (with(&[&custom(SECTION, b"")]), "bad-signature", "its signatures can't be read: there is none"),
        (with(&[&custom(SECTION, b"\xff\xfe")]), "bad-signature", "its signatures can't be read: they are no text"),
        (with(&[&section[..section.len() - 1]]), "broken", "the guest is cut off in the section that begins at byte"),
        (with(&[&section, &[0]]), "broken", "the guest is cut off"),
        (with(&[&[0, 0xff, 0xff, 0xff, 0xff, 0x0f]]), "broken", "the guest is cut off"),
        (with(&[&[0, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f]]), "broken", "the guest is cut off"),
        // A name that claims to go on beyond its section is no section of ours.
        (with(&[&[0, 2, 100, 0]]), "unsigned", "it is not signed"),
        (with(&[&custom("sandbar-signatur", b"x")]), "unsigned", "it is not signed"),
        (with(&[&custom("x", b"more"), &section]), "bad-signature", "is wrong"),
    ] {
        folder.write("a.wasm", &bytes);
        let open = strict(&folder);
        let found = entry(&open, "a").state;
        assert_eq!(found.key(), state, "{found}");
        assert!(found.to_string().contains(told), "expected {told}, found {found}");
    }
    // An old signature in another guest is replaced, and the guest is what it was.
    let other = embed(&quickstart("users.wasm"), &split(&signed).unwrap().signatures.unwrap()).unwrap();
    folder.write("a.wasm", other);
    assert_eq!(state(&strict(&folder), "a"), "bad-signature");
    sign(folder.path("a.wasm"), &key(1), Keep::Inside).unwrap();
    assert_eq!(strict(&folder).get("a").unwrap().guest().bytes(), &quickstart("users.wasm"));
}

#[test]
fn no_part_of_a_guest_makes_the_reader_panic() {
    let mut guest = quickstart("double.wasm");
    guest.truncate(2_000);
    for length in 0..guest.len() {
        let _ = split(&guest[..length]);
    }
    for at in 8..guest.len() {
        for byte in [0, 1, 0x7f, 0x80, 0xff] {
            let before = std::mem::replace(&mut guest[at], byte);
            let _ = split(&guest);
            guest[at] = before;
        }
    }
}

#[test]
fn a_statement_is_signed_as_it_is_specified() {
    let folder = Folder::of(&[("a.wat", &version(1))]);
    let signed = sign(folder.path("a.wat"), &key(1), Keep::Beside).unwrap();
    let digest = sandbar_embed::signing::digest(version(1).as_bytes());
    assert_eq!(signed.statement.message(), format!("sandbar-plugin-1\nname a\nguest {digest}\nmanifest none\n"));
    // The first test vector of RFC 8032: the seed gives this public key.
    let seed = [
        0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4, 0x44, 0x49,
        0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
    ];
    let public = SecretKey::from_seed(seed).unwrap().public().to_string();
    assert_eq!(public, "sandbar-public-key-1\nd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a\n");
}

#[test]
fn files_of_keys_are_for_their_owner() {
    let folder = Folder::new();
    let path = folder.path("key");
    let secret = SecretKey::generate().unwrap();
    secret.write(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(matches!(secret.write(&path), Err(KeyError::Write { .. })), "a key is never overwritten");
    assert_eq!(SecretKey::read(&path).unwrap().public(), secret.public());
    folder.write("key.pub", format!("# whose it is\n{}", secret.public()));
    assert_eq!(PublicKey::read(folder.path("key.pub")).unwrap(), secret.public());
    assert!(!format!("{secret:?}").contains(&folder.read("key")[21..85]));
    fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
    assert!(matches!(SecretKey::read(&path), Err(KeyError::Open { .. })));
    fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    let swapped = folder.read("key").lines().take(2).map(|line| format!("{line}\n")).collect::<String>();
    for text in
        ["", "sandbar-secret-key-1", &swapped, &format!("{swapped}{}", "0".repeat(64)), "sandbar-public-key-1\n00"]
    {
        folder.write("key", text);
        assert!(matches!(SecretKey::read(&path), Err(KeyError::Form { .. })), "{text}");
        assert!(matches!(PublicKey::read(&path), Err(KeyError::Form { .. })), "{text}");
    }
    assert!(matches!(PublicKey::read(folder.path("gone")), Err(KeyError::Read(_))));
}
