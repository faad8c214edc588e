//! `sandbar call`: calls one export.

use crate::{
    console::{CallLog, Console, printed},
    failure::{Failure, Kind},
    host, outcome,
    terms::Terms,
};
use clap::Args;
use http_body_util::BodyExt;
use sandbar_call::{
    Arguments, Body, Call, CallId, Event, Notation, Origin, Outcome, Receipt, Reply, Run, Settle, Shape,
};
use sandbar_engine::{Allocation, Binding, Engine, Entry, EntryChoice, Guest};
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    low_level::pipe,
};
use std::{
    fs::File,
    io::{self, IsTerminal, Read, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
};

/// Calls an export, with arguments in WAVE or JSON, and prints what it returns.
///
/// A function over stdin and stdout gets this process's stdin. A list or a string for a core export goes into its memory.
#[derive(Debug, Args)]
#[command(name = "call")]
pub(crate) struct CallCommand {
    /// The guest (`.wasm`, `.wat`).
    guest: PathBuf,
    /// The export: `add`, or `interface#function` for one inside an interface.
    export: String,
    /// Its arguments, one text each.
    #[arg(allow_negative_numbers = true)]
    args: Vec<String>,
    /// Writes the receipt to a file, or to stdout as `-`.
    #[arg(long, value_name = "FILE|-")]
    receipt: Option<PathBuf>,
    #[command(flatten)]
    terms: Terms,
}

pub(crate) fn run(call: CallCommand, console: &Console) -> Result<ExitCode, Failure> {
    let engine = host::engine(Allocation::OnDemand, console)?;
    let guest = host::guest(&call.guest, console)?;
    let choice = EntryChoice { export: Some(call.export.clone()), ..EntryChoice::default() };
    let entry = bind(&engine, &guest, &call.terms, choice, console)?;
    let arguments = match entry.shape() {
        Shape::Function if call.args.is_empty() => Arguments::Stdin(read_stdin()?),
        Shape::Command | Shape::Function | Shape::Typed | Shape::Http => {
            Arguments::Texts { texts: call.args, result: if console.json { Notation::Json } else { Notation::Wave } }
        }
    };
    let event = Event::Export { arguments, context: None };
    let Delivered { reply, receipt, outcome } = deliver(&entry, "call", event, console)?;
    let mut stdout = io::stdout().lock();
    let written = match reply {
        Reply::Value(value) if value.is_empty() => Ok(()),
        Reply::Value(value) => writeln!(stdout, "{value}"),
        Reply::Output(Body::Whole(bytes)) => stdout.write_all(&bytes),
        _ => Ok(()),
    };
    let written = written.and_then(|()| stdout.flush());
    drop(stdout);
    write_receipt(call.receipt.as_deref(), receipt.as_ref())?;
    printed(written)?;
    Ok(ExitCode::from(outcome::exit_code(&outcome)))
}

/// Binds a guest to what the command line grants.
pub(crate) fn bind(
    engine: &Engine,
    guest: &Guest,
    terms: &Terms,
    choice: EntryChoice,
    console: &Console,
) -> Result<Entry, Failure> {
    let log = Arc::new(CallLog(console.clone()));
    let binding = Binding { grants: terms.grants.admit()?, ..Binding::new(terms.limits.for_one_call(), log) };
    let program = engine.bind(guest, binding);
    program.and_then(|program| program.entry(guest, choice)).map_err(|error| Failure::load(guest.name(), &error))
}

/// A call that has ended.
pub(crate) struct Delivered {
    pub(crate) reply: Reply,
    pub(crate) receipt: Option<Receipt>,
    pub(crate) outcome: Outcome,
}

/// Runs one call to its end, or until a signal cancels it, and says how it ended where that was not well.
pub(crate) fn deliver(entry: &Entry, source: &str, event: Event, console: &Console) -> Result<Delivered, Failure> {
    let unavailable = |error: io::Error| Failure::new(Kind::Unavailable, format!("can't start: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(unavailable)?;
    let settled = Arc::new(Mutex::new(None));
    let keep = settled.clone();
    let receipts: Arc<dyn Settle> =
        Arc::new(move |receipt: Receipt| *keep.lock().unwrap_or_else(PoisonError::into_inner) = Some(receipt));
    let id = CallId(random().map_err(unavailable)?);
    let origin = Origin { trigger: "cli".into(), source: source.into(), event: id.to_string().into() };
    let cancelled = cancelled().map_err(unavailable)?;
    let reply = runtime.block_on(async {
        let cancelled = tokio::net::UnixStream::from_std(cancelled)?;
        let reply = tokio::select! {
            // Dropping the call cancels it, and its receipt says so.
            _ = cancelled.readable() => Reply::Ended(Outcome::Cancelled),
            reply = entry.run(Call { id, origin, event, receipts }) => match reply {
                Reply::Output(body @ Body::Stream(_)) => match body.collect().await {
                    Ok(whole) => Reply::Output(whole.to_bytes().into()),
                    Err(_) => Reply::Output(Body::Empty),
                },
                reply => reply,
            },
        };
        Ok(reply)
    });
    let reply = reply.map_err(unavailable)?;
    // Work that blocks a thread, such as a read of this terminal, must not hold the end up.
    runtime.shutdown_background();
    let settled = settled.lock().unwrap_or_else(PoisonError::into_inner).take();
    let outcome = settled.as_ref().map_or(Outcome::Cancelled, |receipt| receipt.outcome.clone());
    if let Some((message, hint)) = outcome::explain(&outcome) {
        console.error(&message, hint.as_deref());
    }
    if let Some(receipt) = &settled {
        for denial in receipt.denials.iter().filter(|_| !matches!(outcome, Outcome::Refused { .. } | Outcome::Done)) {
            let hint = (!denial.allow.is_empty()).then(|| format!("grant it with `{}`", outcome::flag(denial)));
            console.error(&format!("{} was not granted", denial.asked), hint.as_deref());
        }
    }
    console.flush();
    Ok(Delivered { reply, receipt: settled, outcome })
}

/// Can be read from the first SIGINT or SIGTERM on.
fn cancelled() -> io::Result<UnixStream> {
    let (cancelled, cancel) = UnixStream::pair()?;
    cancelled.set_nonblocking(true)?;
    pipe::register(SIGINT, cancel.try_clone()?)?;
    pipe::register(SIGTERM, cancel)?;
    Ok(cancelled)
}

/// Writes a receipt to a file, or to stdout as `-`.
pub(crate) fn write_receipt(path: Option<&Path>, receipt: Option<&Receipt>) -> Result<(), Failure> {
    let (Some(path), Some(receipt)) = (path, receipt) else { return Ok(()) };
    let written = serde_json::to_string(receipt).map_err(io::Error::from).and_then(|text| {
        if path == Path::new("-") {
            writeln!(io::stdout(), "{text}")
        } else {
            File::create(path).and_then(|mut file| writeln!(file, "{text}"))
        }
    });
    written.map_err(|error| {
        Failure::new(Kind::Unavailable, format!("can't write the receipt to `{}`: {error}", path.display()))
    })
}

fn read_stdin() -> Result<Body, Failure> {
    let mut stdin = io::stdin();
    if stdin.is_terminal() {
        return Ok(Body::Empty);
    }
    let mut input = Vec::new();
    let read = stdin.read_to_end(&mut input);
    read.map_err(|error| Failure::new(Kind::NoInput, format!("can't read stdin: {error}")))?;
    Ok(input.into())
}

fn random() -> io::Result<u128> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(u128::from_ne_bytes(bytes))
}
