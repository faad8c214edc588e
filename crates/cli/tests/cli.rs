//! The command line as a user meets it: every help page, message and report as a golden file, and what exit codes say.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that fails panics")]

#[path = "cli/help.rs"]
mod help;
#[path = "cli/messages.rs"]
mod messages;
#[path = "cli/outcomes.rs"]
mod outcomes;
#[path = "cli/reports.rs"]
mod reports;
#[path = "support/shell.rs"]
mod shell;
#[path = "cli/values.rs"]
mod values;
