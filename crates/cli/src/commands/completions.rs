//! `sandbar completions`: prints a shell's completions.

use crate::{arguments::Arguments, console::print, failure::Failure};
use clap::{Args, CommandFactory};
use clap_complete::Shell;
use std::process::ExitCode;

/// Prints completions for a shell.
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// Which shell.
    shell: Shell,
}

pub(crate) fn run(command: &Completions) -> Result<ExitCode, Failure> {
    let mut completions = Vec::new();
    clap_complete::generate(command.shell, &mut Arguments::command(), "sandbar", &mut completions);
    print(String::from_utf8_lossy(&completions))?;
    Ok(ExitCode::SUCCESS)
}
