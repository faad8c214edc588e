//! Programs of C that use the library as installed, those of the manual too: as they are, with the sanitizers of gcc, and under valgrind.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends loudly")]

#[path = "programs/prefix.rs"]
mod prefix;

use prefix::{Mode, Prefix, package, quickstart, succeeds};
use std::{collections::BTreeSet, fs, process::Command};

const ADULTS: &str = "{\"filtered_users\":[{\"name\":\"Ada\",\"age\":36}],\"processed_count\":2}\n";

/// Runs one of the test's programs in each way.
fn check(name: &str) {
    let prefix = Prefix::new(name);
    let source = package().join(format!("tests/programs/{name}.c"));
    for mode in [Mode::Plain, Mode::Sanitized, Mode::Valgrind] {
        let program = prefix.compile(&source, mode);
        prefix.run(&program, &[&quickstart(), mode.name()], mode);
    }
}

#[test]
fn the_example_transforms_users() {
    let prefix = Prefix::new("example");
    let plugin = format!("{}/users.wasm", quickstart());
    for mode in [Mode::Plain, Mode::Sanitized, Mode::Valgrind] {
        let program = prefix.compile(&package().join("examples/users.c"), mode);
        assert_eq!(prefix.run(&program, &[&plugin], mode), ADULTS);
    }
}

#[test]
fn calls_give_what_they_should_and_say_what_is_wrong() {
    check("calls");
}

#[test]
fn functions_of_the_host_are_called_and_freed() {
    check("functions");
}

#[test]
fn hostile_plugins_end_their_own_calls_only() {
    check("hostile");
}

#[test]
fn plugins_are_replaced_while_they_are_called() {
    check("replacement");
}

/// Every program of `docs/c.md` compiles without a warning and ends well in the quickstart's folder, as it is and with the sanitizers.
#[test]
fn programs_of_the_manual_run() {
    let prefix = Prefix::new("manual");
    let manual = fs::read_to_string(package().join("../../docs/c.md")).unwrap();
    let programs = manual.split("```c\n").skip(1).map(|rest| rest.split_once("\n```").unwrap().0);
    let mut count = 0;
    for (at, text) in programs.enumerate() {
        let source = prefix.path(&format!("program-{at}.c"));
        fs::write(&source, format!("{text}\n")).unwrap();
        for mode in [Mode::Plain, Mode::Sanitized] {
            prefix.run(&prefix.compile(&source, mode), &[], mode);
        }
        count += 1;
    }
    assert!(count >= 5, "{count} programs");
}

/// A program that has all of the library in it.
#[test]
fn the_static_library_is_whole() {
    let prefix = Prefix::new("static");
    let program = prefix.path("bin/users");
    let mut cc = Command::new("cc");
    cc.arg(package().join("examples/users.c")).args(prefix.pkg_config(&["--cflags"])).arg("-o").arg(&program);
    let libraries = prefix.pkg_config(&["--static", "--libs"]);
    cc.args(libraries.iter().map(|word| if word == "-lsandbar" { "-l:libsandbar.a" } else { word.as_str() }));
    succeeds(&mut cc);
    let plugin = format!("{}/users.wasm", quickstart());
    let printed = succeeds(Command::new(&program).arg(&plugin).env_remove("LD_LIBRARY_PATH")).stdout;
    assert_eq!(String::from_utf8(printed).unwrap(), ADULTS);
}

/// C++ takes the header as it is.
#[test]
fn the_header_is_c_plus_plus_too() {
    let prefix = Prefix::new("c-plus-plus");
    let mut cc = Command::new("cc");
    cc.args(["-x", "c++", "-std=c++17", "-Wall", "-Wextra", "-Werror", "-fsyntax-only"]);
    succeeds(cc.arg(prefix.path("include/sandbar.h")));
}

/// What the library gives away is what the header says: no function without a version, nothing of what it is made of.
#[test]
fn the_library_exports_what_the_header_declares() {
    let prefix = Prefix::new("symbols");
    let printed =
        succeeds(Command::new("nm").args(["-D", "--defined-only"]).arg(prefix.path("lib/libsandbar.so"))).stdout;
    let printed = String::from_utf8(printed).unwrap();
    let exported: BTreeSet<&str> = printed.lines().filter_map(|line| line.split_whitespace().last()).collect();
    let header = fs::read_to_string(prefix.path("include/sandbar.h")).unwrap();
    let words = header.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    let declared: BTreeSet<&str> = words.filter(|word| word.starts_with("sandbar_") && word.ends_with("_v1")).collect();
    assert_eq!(exported, declared);
    let dynamic = succeeds(Command::new("readelf").arg("-d").arg(prefix.path("lib/libsandbar.so"))).stdout;
    assert!(String::from_utf8(dynamic).unwrap().contains("soname: [libsandbar.so.1]"));
}
