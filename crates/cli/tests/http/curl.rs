//! The clients that people use.

use crate::app::TIME;
use sandbar_testkit::process;
use std::process::Command;

/// Runs curl; gives what came on stdout.
pub(crate) fn curl(arguments: &[&str]) -> String {
    said("curl", &[&["-sS", "--max-time", "60"], arguments].concat())
}

/// Runs curl; gives the status alone.
pub(crate) fn status(arguments: &[&str]) -> u16 {
    curl(&[&["-o", "/dev/null", "-w", "%{http_code}"], arguments].concat()).parse().unwrap()
}

/// Runs nghttp; gives what came on stdout.
pub(crate) fn nghttp(arguments: &[&str]) -> String {
    said("nghttp", arguments)
}

fn said(program: &str, arguments: &[&str]) -> String {
    let finished = process::run(Command::new(program).args(arguments), b"", TIME).unwrap();
    assert!(finished.status.success(), "{program} {arguments:?}: {finished:?}");
    finished.stdout_text()
}
