//! Commands for people who work on Sandbar: `cargo xtask COMMAND`.
//!
//! This program owns no word of the sentence. It must not depend on the product: it builds the product, so it compiles
//! in seconds and works when the product doesn't.

#![forbid(unsafe_code)]

mod bench;
mod deny;
mod folders;
mod fuzz;
mod guests;
mod hostile;
mod install;
mod release;
mod simulate;
mod soak;
mod step;
mod suite;
mod table;
mod test;
mod tidy;
mod workspace;

use std::{env, io::Write, process::ExitCode};

use anyhow::{Result, bail};
use lexopt::Arg;
use workspace::Workspace;

/// One command: its name, its line of help, its own help, and what it does.
struct Command {
    name: &'static str,
    about: &'static str,
    help: &'static str,
    run: fn(&Workspace, lexopt::Parser) -> Result<()>,
}

const COMMANDS: &[Command] = &[
    Command { name: "guests", about: "build the sample guests", help: guests::HELP, run: guests::run },
    Command {
        name: "suite",
        about: "fetch the component-model suite that tests run",
        help: suite::HELP,
        run: suite::run,
    },
    Command {
        name: "test",
        about: "install and fetch what tests need, build guests, run every test",
        help: test::HELP,
        run: test::run,
    },
    Command {
        name: "tidy",
        about: "check layers, file lengths, names and unsafe code",
        help: tidy::HELP,
        run: tidy::run,
    },
    Command {
        name: "deny",
        about: "check licences, versions, sources and advisories of dependencies",
        help: deny::HELP,
        run: deny::run,
    },
    Command { name: "bench", about: "measure against native and Wasmtime peers", help: bench::HELP, run: bench::run },
    Command {
        name: "hostile",
        about: "run hostile guests and clients, print what was survived",
        help: hostile::HELP,
        run: hostile::run,
    },
    Command {
        name: "fuzz",
        about: "build the fuzz targets and run each for a while",
        help: fuzz::HELP,
        run: fuzz::run,
    },
    Command {
        name: "simulate",
        about: "run seeds of the simulator against the engine",
        help: simulate::HELP,
        run: simulate::run,
    },
    Command {
        name: "soak",
        about: "serve for long under load, reloads and kills, and find what grows or is lost",
        help: soak::HELP,
        run: soak::run,
    },
    Command {
        name: "release",
        about: "build the archive, bill of materials and checksums of a release",
        help: release::HELP,
        run: release::run,
    },
];

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let mut arguments = lexopt::Parser::from_env();
    let name = match arguments.next()? {
        Some(Arg::Value(name)) => name.to_string_lossy().into_owned(),
        None | Some(Arg::Long("help") | Arg::Short('h')) => return print(&help()),
        Some(other) => return Err(other.unexpected().into()),
    };
    let Some(command) = COMMANDS.iter().find(|command| command.name == name) else {
        bail!("there is no command `{name}`\n{}", help());
    };
    if env::args().take_while(|word| word != "--").any(|word| word == "--help" || word == "-h") {
        return print(command.help);
    }
    (command.run)(&Workspace::find()?, arguments)
}

fn help() -> String {
    let lines = COMMANDS.iter().map(|command| format!("  {:<8} {}\n", command.name, command.about));
    format!("Usage: cargo xtask COMMAND [--help]\n\n{}", lines.collect::<String>())
}

fn print(text: &str) -> Result<()> {
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}
