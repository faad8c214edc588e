//! The manual: the reference of the manifest in `docs/manifest.md` is generated from the registry (`UPDATE_GOLDEN=1` writes it
//! anew), and what pages show of manifests, receipts and JSON is read. Commands are run by the tests of the command line.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that fails panics")]

#[path = "support/golden.rs"]
mod golden;

use golden::{check, folder};
use sandbar_app::manifest::{Colour, Manifest, reference::reference};
use sandbar_call::Receipt;
use std::{collections::BTreeSet, fs, path::Path};

const START: &str = "<!-- generated: manifest reference -->\n";
const END: &str = "<!-- end -->";

#[test]
fn the_reference_in_the_manual_is_current() {
    let path = folder("../../docs/manifest.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(START).expect("the manual says where the reference starts");
    let (_, after) = rest.split_once(END).expect("the manual says where the reference ends");
    check(&path, &format!("{before}{START}\n{}\n{END}{after}", reference().trim()));
}

/// The blocks of one language in the README and the manual, each with its page.
fn blocks(language: &str) -> Vec<(String, String)> {
    let docs = fs::read_dir(folder("../../docs")).unwrap().map(|entry| entry.unwrap().path());
    let pages = docs.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    let fence = format!("```{language}\n");
    pages
        .chain([folder("../../README.md")])
        .flat_map(|path| {
            let (page, text) = (path.file_name().unwrap().display().to_string(), fs::read_to_string(&path).unwrap());
            let blocks = text.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned());
            blocks.map(|block| (page.clone(), block)).collect::<Vec<_>>()
        })
        .collect()
}

/// With the guests that they speak of, the parts that pages show are manifests, but for those of single plugins.
#[test]
fn manifests_in_the_manual_are_read() {
    let blocks = blocks("toml");
    assert!(blocks.len() > 5);
    for (page, block) in blocks.into_iter().filter(|(page, _)| page != "plugin-folders.md") {
        let of_tables = block.lines().filter_map(|line| line.strip_prefix("[guests.")?.split(['.', ']']).next());
        let of_routes = block.lines().filter_map(|line| line.strip_prefix("guest = \"")?.split('"').next());
        let named: BTreeSet<&str> = of_tables.chain(of_routes).collect();
        let missing = named.iter().filter(|name| !block.contains(&format!("[guests.{name}]")));
        let guests: String = missing.map(|name| format!("[guests.{name}]\npath = \"{name}.wasm\"\n")).collect();
        if let Err(errors) = Manifest::parse(&format!("{block}\n{guests}"), Path::new(&page)) {
            panic!("{page}:\n{}", errors.0.render(Colour::Off));
        }
    }
}

/// A block is one JSON text, or one a line, or members of an object; one with a `version` is a receipt.
#[test]
fn json_in_the_manual_is_read() {
    let blocks = blocks("json");
    assert!(blocks.len() > 3);
    for (page, block) in blocks {
        let read = |text: &str| serde_json::from_str::<serde_json::Value>(text);
        let lines = || block.lines().all(|line| read(line).is_ok());
        assert!(read(&block).is_ok() || lines() || read(&format!("{{{block}}}")).is_ok(), "{page}:\n{block}");
        if block.contains("\"version\"") {
            let receipt: Result<Receipt, _> = serde_json::from_str(&block);
            assert!(receipt.is_ok(), "{page}: {receipt:?}");
        }
    }
}
