//! Any bytes as a guest: they are described within bounds, or refused with an error, and never more.

#![no_main]
#![allow(dead_code, reason = "the engine's own module, of which this uses a part")]

use engine::inspect::{self, Inspection, LISTED_MAX, Malformed, TYPE_BYTES_MAX, WIT_BYTES_MAX};
use libfuzzer_sys::fuzz_target;
use sandbar_call::Shape;
use std::borrow::Cow;

#[path = "../../crates/engine/src"]
mod engine {
    pub mod inspect;
}

/// Stands in for the engine's own, which knows Wasmtime.
mod stdio {
    pub(crate) fn is_unsafe(c: char) -> bool {
        c.is_control()
    }
}

/// Room for a mark that something was cut.
const MARK_BYTES: usize = 200;

const SHAPES: &[Option<Shape>] =
    &[None, Some(Shape::Command), Some(Shape::Function), Some(Shape::Typed), Some(Shape::Http)];

fuzz_target!(|bytes: &[u8]| {
    let binary = match inspect::binary(Cow::Borrowed(bytes)) {
        Ok(binary) => binary,
        Err(error) => return check_error(&error),
    };
    match (inspect::summary(&binary), inspect::inspect(&binary)) {
        (Ok(summary), Ok(inspection)) => {
            assert_eq!(summary.digest, inspection.summary.digest);
            assert_eq!(summary.candidates, inspection.summary.candidates);
            check(&inspection);
        }
        // What every load pays for reads less, so it may take what is refused later.
        (Ok(_), Err(error)) | (Err(error), Err(_)) => check_error(&error),
        (Err(error), Ok(_)) => panic!("inspected, but not loaded: {error}"),
    }
});

fn check(inspection: &Inspection) {
    assert!(inspection.imports.len() <= LISTED_MAX && inspection.exports.len() <= LISTED_MAX);
    assert!(inspection.sections.len() <= LISTED_MAX && inspection.producers.len() <= LISTED_MAX);
    assert!(inspection.exports.iter().all(|export| export.ty.len() <= TYPE_BYTES_MAX + MARK_BYTES));
    assert!(inspection.wit.as_ref().is_none_or(|wit| wit.len() <= WIT_BYTES_MAX + MARK_BYTES));
    assert!(serde_json::to_string(inspection).is_ok());
    let candidates = &inspection.summary.candidates;
    for shape in SHAPES {
        match inspect::choose(candidates, *shape, None) {
            Ok(found) => assert!(shape.is_none_or(|shape| shape == found.shape)),
            Err(error) => drop((error.to_string(), error.hint())),
        }
    }
    for candidate in candidates.iter().take(10) {
        let chosen = inspect::choose(candidates, Some(candidate.shape), candidate.export.as_deref());
        assert!(chosen.is_ok(), "a candidate is found by its shape and name: {chosen:?}");
    }
}

fn check_error(error: &Malformed) {
    let text = error.to_string();
    assert!(!text.contains('\u{1b}'), "what a guest holds can't drive a terminal: {text:?}");
    assert!(text.len() < 64 << 10, "an error is for reading");
}
