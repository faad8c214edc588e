//! What is printed, and how: text for people, with colours only on a terminal, or JSON for programs.
//!
//! Log lines go through a bounded queue to a thread of their own, so that a call never waits for a terminal or a full disk;
//! what does not fit is counted and said.

use crate::failure::{Failure, Kind};
use sandbar_app::{AppError, Notice, manifest::Colour};
use sandbar_engine::{Log, LogLevel, LogRecord, Progress, escape};
use serde_json::json;
use std::{
    env,
    fmt::Display,
    io::{self, IsTerminal, Write},
    process::ExitCode,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc::{SyncSender, sync_channel},
    },
    thread,
};

/// Log lines that wait to be written.
const QUEUE: usize = 4096;

/// Where a command prints.
#[derive(Clone)]
pub(crate) struct Console {
    pub(crate) json: bool,
    colour: bool,
    terminal: bool,
    lines: Arc<Lines>,
}

/// A queue, and the thread that writes what comes out of it, from the first line on.
struct Lines {
    queue: OnceLock<SyncSender<Line>>,
    dropped: AtomicU64,
}

enum Line {
    Text(String),
    /// Answers once everything before it is written.
    Flush(SyncSender<()>),
}

impl Console {
    pub(crate) fn new(json: bool) -> Console {
        let terminal = io::stderr().is_terminal();
        let plain = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let lines = Arc::new(Lines { queue: OnceLock::new(), dropped: AtomicU64::new(0) });
        Console { json, colour: terminal && !plain, terminal, lines }
    }

    /// Prints a line for people on stderr. Never blocks.
    pub(crate) fn say(&self, line: impl Display) {
        if self.lines.queue().try_send(Line::Text(line.to_string())).is_err() {
            self.lines.dropped.fetch_add(1, Relaxed);
        }
    }

    /// Waits until everything said is written.
    pub(crate) fn flush(&self) {
        let Some(queue) = self.lines.queue.get() else { return };
        let (done, written) = sync_channel(1);
        if queue.send(Line::Flush(done)).is_ok() {
            let _ = written.recv();
        }
    }

    /// Prints a failure, and gives its exit code.
    pub(crate) fn fail(&self, failure: &Failure) -> ExitCode {
        if self.json {
            let error = json!({ "kind": failure.kind.key(), "message": failure.message, "hint": failure.hint });
            self.say(json!({ "error": error }));
        } else if let Some(errors) = &failure.manifest {
            self.say(errors.0.render(if self.colour { Colour::On } else { Colour::Off }).trim_end());
        } else {
            self.error(&failure.message, failure.hint.as_deref());
        }
        self.flush();
        ExitCode::from(failure.kind.exit_code())
    }

    /// Prints an error with what to type. What a guest had a hand in can't drive the terminal.
    pub(crate) fn error(&self, message: &str, hint: Option<&str>) {
        if self.json {
            return self.say(json!({ "error": { "kind": "call", "message": message, "hint": hint } }));
        }
        let message = clean(message);
        let hint = hint.map(|hint| format!("\n{} {hint}", self.paint("hint:", "1;36"))).unwrap_or_default();
        self.say(format!("{} {message}{hint}", self.paint("error:", "1;31")));
    }

    /// Colours a word, on a terminal.
    pub(crate) fn paint(&self, text: &str, code: &str) -> String {
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// Prints what an app tells.
    pub(crate) fn notice(&self, notice: Notice) {
        match notice {
            Notice::Log(record) => self.log(record),
            Notice::Trigger(notice) => self.line("warn", &notice.to_string()),
            Notice::Ledger(message) => self.line("warn", &message),
            Notice::Warning(problems) if self.json => self.line("warn", &problems.to_string()),
            Notice::Warning(problems) => {
                self.say(problems.render(if self.colour { Colour::On } else { Colour::Off }).trim_end());
            }
            Notice::Compiling(guest) => self.compiling(&guest),
            Notice::Compiled(guest) => self.compiled(&guest),
            Notice::Reloaded => self.line("info", "the new version serves"),
            Notice::Kept(AppError::Manifest(errors)) if !self.json => {
                self.line("error", "the new version was refused, the old one goes on");
                self.say(errors.0.render(if self.colour { Colour::On } else { Colour::Off }).trim_end());
            }
            Notice::Kept(error) => {
                self.line("error", &format!("the new version was refused, the old one goes on: {error}"))
            }
            Notice::NeedsRestart(table) => self.line("warn", &format!("`{table}` changed, which needs a restart")),
            Notice::Admin(address) => self.line("info", &format!("admin on http://{address}")),
        }
    }

    /// Prints a line of a level: `warn`, `info`, ….
    pub(crate) fn line(&self, level: &str, message: &str) {
        if self.json {
            self.say(json!({ "level": level, "message": message }));
        } else {
            self.say(format!("{} {message}", self.level(level)));
        }
    }

    fn level(&self, level: &str) -> String {
        self.paint(
            level,
            match level {
                "error" => "1;31",
                "warn" => "1;33",
                _ => "2",
            },
        )
    }
}

impl Lines {
    fn queue(self: &Arc<Lines>) -> &SyncSender<Line> {
        self.queue.get_or_init(|| {
            let (queue, lines) = sync_channel(QUEUE);
            let shared = Arc::downgrade(self);
            // Without a thread lines are dropped, which is said to nobody: there is nothing to say it with.
            let _ = thread::Builder::new().name("sandbar-console".into()).spawn(move || {
                for line in lines {
                    match line {
                        Line::Text(text) => drop(writeln!(io::stderr().lock(), "{text}")),
                        Line::Flush(done) => drop(done.send(())),
                    }
                    let lost = shared.upgrade().map_or(0, |lines| lines.dropped.swap(0, Relaxed));
                    if lost > 0 {
                        let _ = writeln!(io::stderr().lock(), "warning: {lost} log lines were dropped");
                    }
                }
            });
            queue
        })
    }
}

/// Prints on stdout.
pub(crate) fn print(text: impl Display) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    printed(write!(stdout, "{text}").and_then(|()| stdout.flush()))
}

/// That a reader went away is its choice; any other trouble with stdout, such as a full disk, is a failure.
pub(crate) fn printed(written: io::Result<()>) -> Result<(), Failure> {
    written
        .or_else(|error| if error.kind() == io::ErrorKind::BrokenPipe { Ok(()) } else { Err(error) })
        .map_err(|error| Failure::new(Kind::Unavailable, format!("can't write to stdout: {error}")))
}

/// Text without control characters, line by line.
pub(crate) fn clean(text: &str) -> String {
    text.lines().map(escape).collect::<Vec<_>>().join("\n")
}

/// The log of a call that a person makes: what the guest says. How the call ended is said at its end.
pub(crate) struct CallLog(pub(crate) Console);

impl Log for CallLog {
    fn log(&self, record: LogRecord) {
        match record.level {
            LogLevel::Trace | LogLevel::Debug | LogLevel::Info if self.0.json => self.0.log(record),
            LogLevel::Trace | LogLevel::Debug | LogLevel::Info => self.0.say(record.message),
            LogLevel::Warn => {}
            LogLevel::Error => self.0.log(record),
        }
    }
}

impl Log for Console {
    fn log(&self, record: LogRecord) {
        let level = match record.level {
            LogLevel::Trace => "trace",
            LogLevel::Debug => "debug",
            LogLevel::Info => "info",
            LogLevel::Warn => "warn",
            LogLevel::Error => "error",
        };
        if self.json {
            let (guest, call) = (&*record.guest, record.call.to_string());
            self.say(json!({ "level": level, "guest": guest, "call": call, "message": record.message }));
        } else {
            self.say(format!("{} {} {}: {}", self.level(level), record.guest, record.call, record.message));
        }
    }
}

impl Progress for Console {
    fn compiling(&self, guest: &str) {
        if self.terminal && !self.json {
            let _ = write!(io::stderr().lock(), "\r\u{1b}[2Kcompiling {guest} …");
        }
    }

    fn compiled(&self, _: &str) {
        if self.terminal && !self.json {
            let _ = write!(io::stderr().lock(), "\r\u{1b}[2K");
        }
    }
}
