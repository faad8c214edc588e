//! `sandbar inspect`: says what a guest is.

use crate::{
    console::{Console, print},
    failure::{Failure, Kind},
};
use clap::Args;
use sandbar_engine::{
    LoadError,
    inspect::{self, Inspection, Kind as GuestKind},
};
use std::{borrow::Cow, fs::File, io::Read, path::PathBuf, process::ExitCode};

/// Says what a guest is: how it is called, what it needs, imports and exports, sizes and digest.
#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// The guest (`.wasm`, `.wat`).
    guest: PathBuf,
    /// Prints a component's WIT and nothing else.
    #[arg(long)]
    wit: bool,
}

pub(crate) fn run(command: &Inspect, console: &Console) -> Result<ExitCode, Failure> {
    let name = command.guest.display().to_string();
    let mut bytes = Vec::new();
    File::open(&command.guest)
        // One byte more than a guest may have, for its error.
        .and_then(|file| file.take(inspect::GUEST_BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(|error| Failure::new(Kind::NoInput, format!("can't read `{name}`: {error}")))?;
    let inspection = inspect::binary(Cow::Owned(bytes)).and_then(|binary| inspect::inspect(&binary));
    let inspection = inspection.map_err(|error| Failure::load(&name, &LoadError::Malformed(error)))?;
    if console.json {
        let text = serde_json::to_string_pretty(&inspection).map_err(|error| Failure::new(Kind::Input, error))?;
        print(text + "\n")?;
    } else if command.wit {
        let wit = inspection.wit.as_deref();
        let no_wit =
            || Failure::new(Kind::Input, format!("`{name}` is a core module and has no WIT")).hint("leave `--wit` out");
        print(wit.ok_or_else(no_wit)?)?;
    } else {
        print(describe(&inspection))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The report for people.
fn describe(inspection: &Inspection) -> String {
    let summary = &inspection.summary;
    let kind = match summary.kind {
        GuestKind::Core => "core module",
        GuestKind::Component => "component",
    };
    let mut lines = vec![
        format!("{kind}, {}, {} bytes", summary.dialect.key(), summary.bytes),
        format!("digest  {}", summary.digest),
        format!("memory  {} bytes at start", summary.memory_min_bytes),
    ];
    section(
        &mut lines,
        "called as",
        summary.candidates.iter().map(|candidate| {
            let export = candidate.export.as_deref().unwrap_or_default();
            format!("{:<10} {export:<32} {}", candidate.shape.key(), candidate.why)
        }),
    );
    section(&mut lines, "imports", inspection.imports.iter().map(import));
    section(&mut lines, "exports", inspection.exports.iter().map(|export| format!("{}: {}", export.name, export.ty)));
    section(
        &mut lines,
        "sections",
        inspection.sections.iter().map(|section| format!("{:>10}  {}", section.bytes, section.name)),
    );
    section(
        &mut lines,
        "made by",
        inspection
            .producers
            .iter()
            .map(|producer| format!("{} {} {}", producer.field, producer.name, producer.version)),
    );
    lines.push(String::new());
    lines.join("\n")
}

/// An import: what it is, what it needs, and what the guest has without that.
fn import(import: &inspect::Import) -> String {
    let module = import.module.as_ref().map(|module| format!("{module}.")).unwrap_or_default();
    let grants: Vec<_> = import.grants.iter().map(|grant| grant.key()).collect();
    let grants = if grants.is_empty() { "-".to_owned() } else { grants.join(", ") };
    format!("{:<48} {grants:<8} {}", format!("{module}{}", import.name), import.note)
}

fn section(lines: &mut Vec<String>, title: &str, entries: impl Iterator<Item = String>) {
    let mut entries = entries.peekable();
    if entries.peek().is_some() {
        lines.push(format!("\n{title}"));
        lines.extend(entries.map(|entry| format!("  {entry}")));
    }
}
