//! The reference of the manifest in `docs/manifest.md` is generated from the registry. `UPDATE_GOLDEN=1` writes it anew.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that fails panics")]

#[path = "support/golden.rs"]
mod golden;

use golden::{check, folder};
use sandbar_app::manifest::reference::reference;
use std::fs;

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
