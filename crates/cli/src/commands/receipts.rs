//! `sandbar receipts`: prints receipts.

use crate::{
    console::Console,
    failure::{Failure, Kind},
};
use clap::Args;
use sandbar_app::{
    ledger::read::{Filter, Mode, RecordError, Records},
    manifest::{MANIFEST_FILE, Manifest, value},
};
use sandbar_call::{Outcome, OutcomeKind, Receipt, Refusal, Resource};
use sandbar_engine::escape;
use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// How often a followed file is looked at.
const LOOK: Duration = Duration::from_millis(200);

/// Prints the receipts of an app, the oldest first.
#[derive(Debug, Args)]
pub(crate) struct Receipts {
    /// The file of receipts, or the app that keeps them: a folder or a manifest.
    #[arg(default_value = ".")]
    path: PathBuf,
    /// Only those of this guest.
    #[arg(long)]
    guest: Option<String>,
    /// Only those with this outcome; may be given more than once.
    #[arg(long, value_parser = OutcomeKind::ALL.iter().map(|kind| kind.key()).collect::<Vec<_>>())]
    outcome: Vec<String>,
    /// Only those of this trigger, such as `http`.
    #[arg(long)]
    trigger: Option<String>,
    /// Only those of the last such time, such as `10m`.
    #[arg(long, value_name = "DURATION", value_parser = |text: &str| value::duration(text).map_err(|error| error.to_string()))]
    since: Option<Duration>,
    /// Goes on with new ones as they come.
    #[arg(long, short)]
    follow: bool,
}

pub(crate) fn run(command: &Receipts, console: &Console) -> Result<ExitCode, Failure> {
    let path = file(&command.path)?;
    let mode = if command.follow { Mode::Follow } else { Mode::ToTheEnd };
    let mut records = Records::open(&path, mode).map_err(|error| Failure::caused(Kind::NoInput, &error))?;
    if command.follow && !path.exists() {
        console.say(format_args!("`{}` is not there yet; waiting for it", path.display()));
    }
    let filter = command.filter();
    let mut stdout = io::stdout().lock();
    let mut torn = false;
    loop {
        for record in records.by_ref() {
            match record {
                Ok(receipt) if !filter.wants(&receipt) => {}
                Ok(receipt) => {
                    let line = if console.json {
                        serde_json::to_string(&receipt).unwrap_or_default()
                    } else {
                        escape(&line(&receipt))
                    };
                    if writeln!(stdout, "{line}").is_err() {
                        return Ok(ExitCode::SUCCESS);
                    }
                }
                Err(error @ RecordError::File { .. }) => return Err(Failure::caused(Kind::NoInput, &error)),
                Err(error) => {
                    torn = true;
                    console.error(&error.to_string(), None);
                }
            }
        }
        if !command.follow {
            break;
        }
        let _ = stdout.flush();
        thread::sleep(LOOK);
    }
    console.flush();
    Ok(if torn { ExitCode::from(Kind::Input.exit_code()) } else { ExitCode::SUCCESS })
}

impl Receipts {
    fn filter(&self) -> Filter {
        let named = |name: &String| OutcomeKind::ALL.iter().copied().find(|kind| kind.key() == name);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let since = self.since.map(|since| now.saturating_sub(since));
        Filter {
            guest: self.guest.clone(),
            outcomes: self.outcome.iter().filter_map(named).collect(),
            trigger: self.trigger.clone(),
            since_ms: since.map(|since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX)),
        }
    }
}

/// The file of receipts that a path means.
fn file(path: &Path) -> Result<PathBuf, Failure> {
    let is_manifest = path.is_dir() || path.extension().is_some_and(|ending| ending == "toml");
    if !is_manifest {
        return Ok(path.to_owned());
    }
    let manifest = Manifest::read(path)?;
    let none = || {
        let at = if path.is_dir() { path.join(MANIFEST_FILE) } else { path.to_owned() };
        Failure::new(Kind::Input, format!("the app of `{}` keeps no receipts in a file", at.display()))
            .hint("write `[receipts]` and `path = \"receipts.jsonl\"` into it")
    };
    manifest.receipts.path.ok_or_else(none)
}

/// A receipt on one line, for people.
fn line(receipt: &Receipt) -> String {
    let why = match &receipt.outcome {
        Outcome::Done | Outcome::Cancelled => String::new(),
        Outcome::Failed { message, .. } | Outcome::Trapped { message } => {
            message.lines().next().unwrap_or_default().to_owned()
        }
        Outcome::Stopped { limit } => limit.key().to_owned(),
        Outcome::Refused { why: Refusal::Grant { denial } } => denial.asked.clone(),
        Outcome::Refused { why: Refusal::Event { message } } => message.clone(),
        Outcome::Refused { why: Refusal::Busy { .. } } => "busy".to_owned(),
        Outcome::Refused { why: Refusal::Draining } => "draining".to_owned(),
        Outcome::Fault { id } => id.clone(),
    };
    let milliseconds = |resource| receipt.used.get(resource).unwrap_or(0) as f64 / 1e6;
    format!(
        "{} {:<9} {:<16} {:<24} {:>9.3} ms {:>9.3} ms cpu {:>7} KiB {why}",
        receipt.call,
        receipt.outcome.kind().key(),
        receipt.guest,
        receipt.origin.source,
        milliseconds(Resource::Wall),
        milliseconds(Resource::Cpu),
        receipt.used.get(Resource::Memory).unwrap_or(0) / 1024,
    )
    .trim_end()
    .to_owned()
}
