//! What WASI 0.3 says and programs rely on, as cases: `wasi03 list` names them, `wasi03 SUBJECT/CASE` checks one.
//!
//! A case that doesn't hold panics. Each wants a folder of its own at `/`, with `a.txt` and `b.txt` in it, secure random
//! numbers, and the network of this machine; those of `http` a server, as `http.rs` says.

mod addresses;
mod both;
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
mod tcp;
mod tcp_properties;
mod udp;

use std::pin::Pin;
use wasip3::{cli::environment, exports::cli::run::Guest};

/// A case: its name, and what checks it.
type Case = (&'static str, fn() -> Pin<Box<dyn Future<Output = ()>>>);

/// Names cases after their functions.
macro_rules! cases {
    ($($case:ident),+ $(,)?) => { &[$((stringify!($case), || Box::pin($case()))),+] };
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
    ("tcp", tcp::CASES),
    ("tcp_properties", tcp_properties::CASES),
    ("udp", udp::CASES),
];

struct Command;

wasip3::cli::command::export!(Command);

impl Guest for Command {
    async fn run() -> Result<(), ()> {
        let wanted = environment::get_arguments().into_iter().nth(1).unwrap_or_default();
        if wanted == commands::FAILS {
            return Err(());
        }
        for (subject, cases) in SUBJECTS {
            for (case, check) in *cases {
                let name = format!("{subject}/{case}");
                if wanted == "list" {
                    println!("{name}");
                } else if wanted == name {
                    check().await;
                    return Ok(());
                }
            }
        }
        if wanted != "list" {
            eprintln!("there is no case `{wanted}`; `wasi03 list` names them");
            return Err(());
        }
        Ok(())
    }
}

/// Checks that a call is refused with one of these errors, by their names.
#[track_caller]
fn refused<T, E: std::fmt::Debug>(answer: Result<T, E>, expected: &[&str]) {
    match answer {
        Ok(_) => panic!("expected {expected:?}, and it was done"),
        Err(error) => {
            let found = format!("{error:?}");
            let name = found.rsplit("::").next().unwrap_or(&found);
            let name = name.split(['(', ' ']).next().unwrap_or(name);
            assert!(expected.contains(&name), "expected {expected:?}, found {found}");
        }
    }
}
