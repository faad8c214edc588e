//! What WASI 0.1 says and programs rely on, as cases: `wasi01 list` names them, `wasi01 SUBJECT/CASE` checks one.
//!
//! A case that doesn't hold panics. Each wants a folder of its own at `/`, with `a.txt` and `b.txt` in it, and secure
//! random numbers. The calls are made as they are, without the C library, which would hide what a host answers.

mod args_env;
mod clocks;
mod descriptors;
mod dirs;
mod exits;
mod files;
mod host;
mod links;
mod paths;
mod polls;
mod random;
mod readdir;
mod sockets;
mod stats;
mod stdio;

use std::process::ExitCode;

/// A case: its name, and what checks it.
type Case = (&'static str, fn());

/// Names cases after their functions.
macro_rules! cases {
    ($($case:ident),+ $(,)?) => { &[$((stringify!($case), $case as fn())),+] };
}
use cases;

const SUBJECTS: &[(&str, &[Case])] = &[
    ("args_env", args_env::CASES),
    ("clocks", clocks::CASES),
    ("descriptors", descriptors::CASES),
    ("dirs", dirs::CASES),
    ("exits", exits::CASES),
    ("files", files::CASES),
    ("links", links::CASES),
    ("paths", paths::CASES),
    ("polls", polls::CASES),
    ("random", random::CASES),
    ("readdir", readdir::CASES),
    ("sockets", sockets::CASES),
    ("stats", stats::CASES),
    ("stdio", stdio::CASES),
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
        eprintln!("there is no case `{wanted}`; `wasi01 list` names them");
        return ExitCode::from(2);
    }
    ExitCode::SUCCESS
}
