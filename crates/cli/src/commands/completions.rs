//! `sandbar completions`: prints a shell's completions.

use crate::{arguments::Arguments, failure::Failure};
use clap::{Args, CommandFactory};
use clap_complete::Shell;
use std::{io, process::ExitCode};

/// Prints completions for a shell.
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// Which shell.
    shell: Shell,
}

pub(crate) fn run(command: &Completions) -> Result<ExitCode, Failure> {
    clap_complete::generate(command.shell, &mut Arguments::command(), "sandbar", &mut io::stdout());
    Ok(ExitCode::SUCCESS)
}
