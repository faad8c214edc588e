//! What WASI 0.1, 0.2 and 0.3 say and programs rely on, checked by guests: each case runs with the real program, in a folder
//! of its own, with sockets of this machine and a server that answers as the case wants it.
//!
//! The cases are in `guests/conformance/`; `conformance/cases.toml` and `conformance/requests.toml` say what is around them.
//! `conformance/known.toml` lists those that fail, each with its reason. It may only shrink: a listed case that passes is an
//! error too.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that fails panics")]

#[path = "support/app.rs"]
mod app;
#[path = "conformance/cases.rs"]
mod cases;
#[path = "conformance/known.rs"]
mod known;
#[path = "conformance/mirror.rs"]
mod mirror;
#[path = "conformance/requests.rs"]
mod requests;
#[path = "support/wire.rs"]
mod wire;

#[test]
fn commands_of_wasi_0_1() {
    cases::check("wasi01");
}

#[test]
fn commands_of_wasi_0_2() {
    cases::check("wasi02");
}

#[test]
fn commands_of_wasi_0_3() {
    cases::check("wasi03");
}

#[test]
fn services_of_wasi_0_2() {
    requests::check("service02");
}

#[test]
fn services_of_wasi_0_3() {
    requests::check("service03");
}
