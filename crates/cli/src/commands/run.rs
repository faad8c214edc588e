//! `sandbar run`: runs a command.

use super::call::{Delivered, deliver, write_receipt};
use crate::{console::Console, failure::Failure, host, terms::Terms};
use clap::Args;
use sandbar_call::{Event, Reply, Shape, Stdio};
use sandbar_engine::{Allocation, EntryChoice};
use std::{path::PathBuf, process::ExitCode};

/// Runs a command in a sandbox of its own, with this terminal's stdin, stdout and stderr.
///
/// Ends with the command's exit code; 124 where a limit stopped it, 126 where it was refused, 134 where it trapped.
#[derive(Debug, Args)]
#[command(name = "run", trailing_var_arg = true)]
pub(crate) struct RunCommand {
    /// The guest (`.wasm`, `.wat`).
    guest: PathBuf,
    /// What is passed to it.
    #[arg(allow_hyphen_values = true)]
    args: Vec<String>,
    /// Writes the receipt to a file, or to stdout as `-`.
    #[arg(long, value_name = "FILE|-")]
    receipt: Option<PathBuf>,
    #[command(flatten)]
    terms: Terms,
}

pub(crate) fn run(run: RunCommand, console: &Console) -> Result<ExitCode, Failure> {
    let engine = host::engine(Allocation::OnDemand, console)?;
    let guest = host::guest(&run.guest, console)?;
    let choice = EntryChoice { shape: Some(Shape::Command), ..EntryChoice::default() };
    let entry = super::call::bind(&engine, &guest, &run.terms, choice, console)?;
    let name = run.guest.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let args = std::iter::once(name).chain(run.args).collect();
    let event = Event::Command { args, stdio: Stdio::Host };
    let Delivered { reply, receipt, outcome } = deliver(&entry, "run", event, console)?;
    write_receipt(run.receipt.as_deref(), receipt.as_ref())?;
    match reply {
        Reply::Exit { code, .. } => Ok(ExitCode::from(u8::try_from(code).unwrap_or(1))),
        _ => Ok(ExitCode::from(crate::outcome::exit_code(&outcome))),
    }
}
