//! What WASI 0.2 says and programs rely on, as cases: `wasi02 list` names them, `wasi02 SUBJECT/CASE` checks one.
//!
//! A case that doesn't hold panics. Each wants a folder of its own at `/`, with `a.txt` and `b.txt` in it, secure random
//! numbers, and the network of this machine; those of `http` a server, as `http.rs` says.

mod addresses;
mod clocks;
mod commands;
mod dirs;
mod fields;
mod files;
mod folder;
mod http;
mod links;
mod lookup;
mod messages;
mod random;
mod requests;
mod stats;
mod stdio;
mod streams;
mod tcp;
mod tcp_properties;
mod udp;

use std::process::ExitCode;

/// A case: its name, and what checks it.
type Case = (&'static str, fn());

/// Names cases after their functions.
macro_rules! cases {
    ($($case:ident),+ $(,)?) => { &[$((stringify!($case), $case as fn())),+] };
}
use cases;

const SUBJECTS: &[(&str, &[Case])] = &[
    ("clocks", clocks::CASES),
    ("commands", commands::CASES),
    ("dirs", dirs::CASES),
    ("fields", fields::CASES),
    ("files", files::CASES),
    ("http", http::CASES),
    ("links", links::CASES),
    ("lookup", lookup::CASES),
    ("messages", messages::CASES),
    ("random", random::CASES),
    ("stats", stats::CASES),
    ("stdio", stdio::CASES),
    ("streams", streams::CASES),
    ("tcp", tcp::CASES),
    ("tcp_properties", tcp_properties::CASES),
    ("udp", udp::CASES),
];

fn main() -> ExitCode {
    let wanted = std::env::args().nth(1).unwrap_or_default();
    for (subject, cases) in SUBJECTS {
        for (case, check) in *cases {
            let name = format!("{subject}/{case}");
            if wanted == "list" {
                println!("{name}");
            } else if wanted == name {
                check();
                return ExitCode::SUCCESS;
            }
        }
    }
    if wanted != "list" {
        eprintln!("there is no case `{wanted}`; `wasi02 list` names them");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
