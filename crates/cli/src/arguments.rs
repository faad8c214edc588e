//! What may be typed. `docs/cli.md` is generated from this.

use crate::commands::{call, compile, completions, inspect, plugins, receipts, run, schema, types, up};
use clap::{Parser, Subcommand};

/// Runs WebAssembly beyond the browser: one sandbox, one list of grants, one receipt.
#[derive(Debug, Parser)]
#[command(name = "sandbar", version, max_term_width = 100, disable_help_subcommand = true)]
pub(crate) struct Arguments {
    /// Prints JSON for programs instead of text for people.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Up(up::Up),
    Run(run::RunCommand),
    Call(call::CallCommand),
    Inspect(inspect::Inspect),
    Types(types::Types),
    Compile(compile::Compile),
    Plugins(plugins::Plugins),
    Receipts(receipts::Receipts),
    Schema(schema::Schema),
    Completions(completions::Completions),
}
