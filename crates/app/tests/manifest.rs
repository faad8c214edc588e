//! Every message that a manifest can get, as a golden file: `tests/manifest/NAME.toml` gives `NAME.stderr`. Set
//! `UPDATE_GOLDEN=1` to write them anew.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

#[path = "support/golden.rs"]
mod golden;
#[path = "support/schema.rs"]
mod rules;

use golden::{check, check_json, folder};
use sandbar_app::manifest::{Answer, Colour, Manifest, Sandbox, reference::reference, schema::schema};
use sandbar_call::{Limits, Resource};
use std::{fs, path::Path, time::Duration};

/// A manifest that says a bit of everything.
const EVERYTHING: &str = r#"
        [server]
        listen = "127.0.0.1:0"
        tls_certificate = "cert.pem"
        tls_key = "key.pem"
        [limits]
        wall = "5s"
        memory = "1MiB"
        [pool]
        wait = "3s"
        [guests.a]
        path = "a.wasm"
        sandbox = { reuse = 7 }
        [guests.a.grants]
        env = ["LANG=en"]
        clock = "fine"
        random = true
        [guests.a.limits]
        memory = "none"
        fuel = 1_000
        [[http]]
        route = "/"
        guest = "a"
        export = "f"
        [[http]]
        route = "/files/{*path}"
        files = "public"
    "#;

#[test]
fn every_problem_is_shown_at_its_place_with_the_line_to_type() {
    let folder = folder("tests/manifest");
    let mut names: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    names.sort();
    assert!(names.len() > 20);
    for path in names {
        let text = fs::read_to_string(&path).unwrap();
        let shown = match Manifest::parse(&text, Path::new(path.file_name().unwrap())) {
            Ok(manifest) => manifest.warnings.render(Colour::Off),
            Err(errors) => errors.0.render(Colour::Off),
        };
        check(&path.with_extension("stderr"), &shown);
    }
}

#[test]
fn a_torn_manifest_is_an_error_and_never_a_panic() {
    for entry in fs::read_dir(folder("tests/manifest")).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        for end in (0..text.len()).step_by(23).filter(|&end| text.is_char_boundary(end)) {
            for torn in [&text[..end], &text[end..]] {
                match Manifest::parse(torn, Path::new("torn.toml")) {
                    Ok(manifest) => drop(manifest.warnings.render(Colour::On)),
                    Err(errors) => assert!(!errors.to_string().is_empty()),
                }
            }
        }
    }
}

#[test]
fn the_schema_is_current() {
    check_json(&folder("../../docs/manifest.schema.json"), &schema());
}

#[test]
fn what_the_parser_takes_fits_the_schema() {
    let quickstart = fs::read_to_string(folder("../../examples/quickstart/sandbar.toml")).unwrap();
    for text in [quickstart.as_str(), EVERYTHING] {
        Manifest::parse(text, Path::new("sandbar.toml")).unwrap();
        rules::check(&schema(), &toml::from_str(text).unwrap()).unwrap();
    }
    for name in ["unknown-key", "switch", "version-newer", "route-answers", "guest-without-path", "sandbox", "count"] {
        let text = fs::read_to_string(folder("tests/manifest").join(name).with_extension("toml")).unwrap();
        assert!(rules::check(&schema(), &toml::from_str(&text).unwrap()).is_err(), "{name}");
    }
}

#[test]
fn the_reference_names_every_key() {
    let reference = reference();
    for key in ["`listen`", "`bytes-in`", "`[[http]]`", "`lookup`", "`off`, `x-forwarded` or `rfc7239`"] {
        assert!(reference.contains(key), "{key}\n{reference}");
    }
}

#[test]
fn colours_are_the_callers_choice() {
    let errors = Manifest::parse("nam = \"x\"\n", Path::new("sandbar.toml")).unwrap_err();
    assert!(!errors.0.render(Colour::Off).contains('\x1b'));
    assert!(errors.0.render(Colour::On).contains("\x1b["));
}

#[test]
fn the_quickstart_is_read() {
    let manifest = Manifest::read(&folder("../../examples/quickstart")).unwrap();
    assert_eq!(manifest.name, "quickstart");
    assert_eq!((manifest.guests.len(), manifest.routes.len()), (4, 5));
    assert!(manifest.warnings.is_empty());
    assert!(manifest.guest("double").unwrap().path.ends_with("examples/quickstart/double.wasm"));
}

#[test]
fn what_is_said_overlays_the_defaults() {
    let text = EVERYTHING;
    let manifest = Manifest::parse(text, Path::new("/apps/one/sandbar.toml")).unwrap();
    let guest = manifest.guest("a").unwrap();
    assert_eq!(manifest.server.tls_key.as_deref(), Some(Path::new("/apps/one/key.pem")));
    assert_eq!(manifest.server.body_bytes_max, 64 << 20);
    assert_eq!(guest.path, Path::new("/apps/one/a.wasm"));
    assert_eq!(guest.limits.get(Resource::Wall), Some(5_000_000_000));
    assert_eq!(guest.limits.get(Resource::Cpu), Some(10_000_000_000));
    assert_eq!(guest.limits.get(Resource::Memory), None);
    assert!(guest.fuel_metered);
    assert_eq!(guest.wait, Duration::from_secs(3));
    assert_eq!(guest.sandbox, Sandbox::Reused { calls: 7, idle: Duration::from_secs(10) });
    assert_eq!(manifest.routes[1].answer, Answer::Files("/apps/one/public".into()));
    let Answer::Guest { export: Some(export), .. } = &manifest.routes[0].answer else { panic!() };
    assert_eq!(&text[export.at.clone()], "\"f\"");
    assert_eq!(&text[export.part(&manifest.source, 0..1)], "f");
}

#[test]
fn one_guest_is_an_app() {
    let manifest = Manifest::for_guest(Path::new("out/my guest.wasm"), Default::default(), Limits::NONE);
    assert_eq!(&*manifest.guests[0].name, "my-guest");
    let routes: Vec<&str> = manifest.routes.iter().map(|route| route.route.value.as_str()).collect();
    assert_eq!(routes, ["/", "/{*path}"]);
}

#[test]
fn a_missing_manifest_says_what_to_type() {
    let error = Manifest::read(Path::new("no/such/sandbar.toml")).unwrap_err().to_string();
    assert!(error.contains("can't read the manifest `no/such/sandbar.toml`"), "{error}");
    assert!(error.contains("hint: sandbar up FOLDER"), "{error}");
}
