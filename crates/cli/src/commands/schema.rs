//! `sandbar schema`: prints JSON schemas.

use crate::{
    console::{Console, print},
    failure::Failure,
};
use clap::{Args, ValueEnum};
use sandbar_app::{ledger, manifest};
use std::process::ExitCode;

/// Prints the JSON schema of a format, for editors and programs.
#[derive(Debug, Args)]
pub(crate) struct Schema {
    /// Which format.
    #[arg(default_value = "manifest")]
    format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// `sandbar.toml`.
    Manifest,
    /// A receipt.
    Receipt,
}

pub(crate) fn run(command: &Schema, _: &Console) -> Result<ExitCode, Failure> {
    let schema = match command.format {
        Format::Manifest => manifest::schema::schema(),
        Format::Receipt => ledger::schema::schema(),
    };
    print(format_args!("{schema:#}\n"))?;
    Ok(ExitCode::SUCCESS)
}
