//! Any text as a manifest: it is read, or it is refused with problems that can be shown.

#![no_main]
#![allow(dead_code, reason = "the app's own module, of which this uses a part")]

use app::manifest::{Colour, Manifest};
use libfuzzer_sys::fuzz_target;
use std::path::Path;

#[path = "../../crates/app/src"]
mod app {
    pub mod manifest;
}

fuzz_target!(|text: &str| {
    match Manifest::parse(text, Path::new("folder/sandbar.toml")) {
        Ok(manifest) => {
            assert_eq!(manifest.folder, Path::new("folder"));
            assert!(!manifest.name.is_empty());
            for guest in &manifest.guests {
                assert!(manifest.guest(&guest.name).is_some());
                assert!(text.get(guest.at.clone()).is_some(), "a guest's place lies in the text");
            }
            for route in &manifest.routes {
                assert!(text.get(route.route.at.clone()).is_some(), "a route's place lies in the text");
            }
            drop(manifest.warnings.render(Colour::Off));
        }
        Err(errors) => {
            assert!(!errors.to_string().trim().is_empty());
            let plain = errors.0.render(Colour::Off);
            assert!(!plain.contains('\u{1b}'), "what a manifest holds can't drive a terminal: {plain:?}");
            drop(errors.0.render(Colour::On));
        }
    }
});
