//! Any bytes as a guest that is to be renewed: what comes of a valid guest is valid, and has the guest's own code where it is
//! noted to be.

#![no_main]
#![allow(dead_code, reason = "the engine's own module, of which this uses a part")]

use libfuzzer_sys::fuzz_target;
use renewal::{append, moves::Moves};
use std::ops::Range;
use wasmparser::{Parser, Payload, Validator};

#[path = "../../crates/engine/src/renewal"]
mod renewal {
    pub(crate) mod append;
    pub(crate) mod moves;

    use moves::Moves;
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(guest) = wat::parse_bytes(bytes) else { return };
    let appended = append::append(Parser::is_component(&guest), &guest);
    // Whether a guest is valid is told later than this, and one with reserved names is left as it is.
    let reserved = guest.windows(8).any(|name| name == b"sandbar-");
    if let (Some((appended, moves)), false, Ok(_)) = (appended, reserved, Validator::new().validate_all(&guest)) {
        if let Err(error) = Validator::new().validate_all(&appended) {
            panic!("a valid guest became invalid: {error}");
        }
        check(&guest, &appended, &moves);
    }
});

/// Each function is there, and where it is noted to have been before.
fn check(guest: &[u8], appended: &[u8], moves: &Moves) {
    let (before, now) = (modules(guest), modules(appended));
    assert!(before.len() <= now.len());
    for (before, now) in before.iter().zip(&now) {
        assert!(before.len() <= now.len() && now.len() <= before.len() + 1);
        for (before, now) in before.iter().zip(now) {
            assert_eq!(guest.get(before.clone()), appended.get(now.clone()));
            assert_eq!(moves.before(now.start), before.start);
            assert_eq!(moves.before(now.end - 1), before.end - 1);
        }
    }
}

/// The bodies of each module's functions.
fn modules(guest: &[u8]) -> Vec<Vec<Range<usize>>> {
    let mut modules = Vec::new();
    for payload in Parser::new(0).parse_all(guest).map_while(Result::ok) {
        match payload {
            Payload::Version { .. } => modules.push(Vec::new()),
            Payload::CodeSectionEntry(body) => modules.last_mut().expect("a module has begun").push(body.range()),
            _ => {}
        }
    }
    modules
}
