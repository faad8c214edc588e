//! What a command is given, and how it ends. `cases.toml` has the codes, and what the odd ones are given.

use crate::{Case, cases};
use wasip3::cli::{environment, exit};

pub(crate) const CASES: &[Case] = cases![
    arguments,
    arguments_odd,
    environment_empty,
    environment_odd,
    no_current_folder,
    returns,
    fails,
    exits_well,
    exits_badly,
    traps,
];

/// The case that ends as `lib.rs` has it: the command returns an error.
pub(crate) const FAILS: &str = "commands/fails";

async fn arguments() {
    let arguments = environment::get_arguments();
    assert_eq!(arguments, ["wasi03.wasm", "commands/arguments"]);
}

async fn arguments_odd() {
    let arguments = environment::get_arguments();
    assert_eq!(arguments[2..7], ["first", "the \"second\" arg", "", "--flag=ü", "-"]);
    assert_eq!((arguments[7].len(), arguments.len()), (100_000, 8));
}

async fn environment_empty() {
    assert_eq!(environment::get_environment(), []);
}

/// In the order in which it was given.
async fn environment_odd() {
    let variables = environment::get_environment();
    let long = "x".repeat(100_000);
    let expected =
        [("a", "text"), ("b", "escap \" ing"), ("c", "new\nline"), ("d", ""), ("e", "1=2"), ("f", &long), ("g", "ü")];
    assert!(variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).eq(expected), "{variables:?}");
}

async fn no_current_folder() {
    assert_eq!(environment::get_initial_cwd(), None);
}

async fn returns() {}

async fn fails() {}

async fn exits_well() {
    exit::exit(Ok(()));
}

async fn exits_badly() {
    exit::exit(Err(()));
}

async fn traps() {
    std::process::abort();
}
