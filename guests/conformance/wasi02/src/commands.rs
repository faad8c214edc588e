//! What a command is given, and how it ends. `cases.toml` has the codes, and what the odd ones are given.

use crate::{Case, cases};
use wasip2::cli::{environment, exit};

pub(crate) const CASES: &[Case] = cases![
    arguments,
    arguments_odd,
    environment_empty,
    environment_odd,
    no_current_folder,
    returns,
    exits_well,
    exits_badly,
    traps,
];

fn arguments() {
    let arguments = environment::get_arguments();
    assert!(arguments[0].ends_with("wasi02.wasm"), "{arguments:?}");
    assert_eq!(arguments[1..], ["commands/arguments"]);
}

fn arguments_odd() {
    let arguments = environment::get_arguments();
    assert_eq!(arguments[2..7], ["first", "the \"second\" arg", "", "--flag=ü", "-"]);
    assert_eq!((arguments[7].len(), arguments.len()), (100_000, 8));
}

fn environment_empty() {
    assert_eq!(environment::get_environment(), []);
}

fn environment_odd() {
    let mut variables = environment::get_environment();
    variables.sort();
    let long = "x".repeat(100_000);
    let expected =
        [("a", "text"), ("b", "escap \" ing"), ("c", "new\nline"), ("d", ""), ("e", "1=2"), ("f", &long), ("g", "ü")];
    assert!(variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).eq(expected), "{variables:?}");
}

fn no_current_folder() {
    assert_eq!(environment::initial_cwd(), None);
}

fn returns() {}

fn exits_well() {
    exit::exit(Ok(()));
}

fn exits_badly() {
    exit::exit(Err(()));
}

fn traps() {
    std::process::abort();
}
