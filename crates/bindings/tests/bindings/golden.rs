//! What is written, as it was reviewed.

use crate::{everything, keywords, module};
use sandbar_bindings::{Language, World, wit};
use sandbar_testkit::golden;
use std::path::Path;

fn check(name: &str, world: &World) {
    for (language, end) in [(Language::TypeScript, "d.ts"), (Language::Python, "pyi"), (Language::Rust, "rs.txt")] {
        let mut text = world.write(language).unwrap();
        // What every file in Rust ends with is a file of its own.
        if let Some(at) = text.find("\n/// How values are JSON") {
            text.truncate(at);
        }
        golden::check(format!("tests/golden/{name}.{end}"), &text);
    }
}

#[test]
fn wit_is_written_as_it_was_reviewed() {
    check("everything", &everything());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wit");
    check("empty", &wit(folder, Some("empty")).unwrap());
}

#[test]
fn a_module_is_written_as_it_was_reviewed() {
    check("module", &module());
}

#[test]
fn words_of_a_language_are_no_names_in_it() {
    check("keywords", &keywords());
}
