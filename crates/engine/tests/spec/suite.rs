//! Suites of scripts (`.wast`): every script runs without and with exact fuel, and the directives that don't hold are
//! on a list that may only shrink.

use sandbar_engine::inspect;
use std::{
    borrow::Cow,
    collections::BTreeMap,
    io::Write,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
};
use wast::{
    QuoteWat, QuoteWatTest, Wast, WastDirective,
    lexer::Lexer,
    parser::{self, ParseBuffer},
};

/// More than the stack that a guest may use, with room for the host.
const STACK_BYTES: usize = 16 << 20;

pub(crate) type Done<T = ()> = Result<T, String>;

/// A file of a suite.
pub(crate) struct Script<'a> {
    pub(crate) name: String,
    pub(crate) text: Cow<'a, str>,
}

/// What a script held.
#[derive(Default)]
pub(crate) struct Ran {
    pub(crate) assertions: usize,
    pub(crate) guests: usize,
    /// Directives about a guest that does not hold itself.
    pub(crate) unreached: usize,
    /// Lines of directives that did not hold, with what was expected and found.
    pub(crate) failed: BTreeMap<usize, String>,
}

impl Ran {
    /// The number that a directive counts in.
    pub(crate) fn kind_of(&mut self, directive: &WastDirective<'_>) -> &mut usize {
        match directive {
            WastDirective::Module(_) | WastDirective::ModuleDefinition(_) => &mut self.guests,
            _ => &mut self.assertions,
        }
    }
}

/// What the scripts of a suite held, by their names.
pub(crate) struct Outcome(BTreeMap<String, Ran>);

/// What is known not to hold, as `FILE:LINE,LINE: REASON`.
pub(crate) struct Known {
    pub(crate) file: &'static str,
    pub(crate) text: &'static str,
}

/// Runs every script without and with exact fuel, on as many threads as there are processors.
pub(crate) fn run_all(scripts: &[Script<'_>], run: impl Fn(&str, bool) -> Done<Ran> + Sync) -> Outcome {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    let work = || {
        while let Some(Script { name, text }) = scripts.get(next.fetch_add(1, Relaxed)) {
            let [mut ran, metered] = [false, true].map(|fuel| caught(|| run(text, fuel)));
            ran.assertions += metered.assertions;
            ran.guests += metered.guests;
            ran.unreached += metered.unreached;
            ran.failed.extend(metered.failed);
            done.lock().unwrap().insert(name.clone(), ran);
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work).unwrap();
        }
    });
    Outcome(done.into_inner().unwrap())
}

/// A panic is a failure of the whole script.
fn caught(run: impl FnOnce() -> Done<Ran>) -> Ran {
    let ran = catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| Err("panicked".into()));
    ran.unwrap_or_else(|error| Ran { failed: [(0, error)].into(), ..Ran::default() })
}

impl Outcome {
    /// Fails where a directive does not hold that is not listed, or one holds that is, or too few were found.
    pub(crate) fn check(&self, suite: &str, known: &Known, assertions_min: usize) {
        let Outcome(done) = self;
        let failed: BTreeMap<String, &String> = done
            .iter()
            .flat_map(|(name, ran)| ran.failed.iter().map(move |(line, error)| (format!("{name}:{line}"), error)))
            .collect();
        let sum = |count: fn(&Ran) -> usize| done.values().map(count).sum::<usize>();
        let (assertions, guests, unreached) =
            (sum(|ran| ran.assertions), sum(|ran| ran.guests), sum(|ran| ran.unreached));
        let (files, broken) = (done.len(), failed.len());
        // Not by a macro, so that it is seen also when the test passes.
        let mut terminal = std::io::stderr();
        writeln!(
            terminal,
            "{suite}: {assertions} assertions and {guests} guests in {files} files, {broken} of them don't hold, \
             {unreached} more are about those"
        )
        .unwrap();

        let list = known.places();
        let surprises: Vec<String> = failed
            .iter()
            .filter(|(place, _)| !list.contains_key(*place))
            .map(|(place, error)| format!("{place}: {error}"))
            .collect();
        assert!(
            surprises.is_empty(),
            "{} directives of the {suite} don't hold:\n{}",
            surprises.len(),
            surprises.join("\n")
        );
        let stale: Vec<_> = list.keys().filter(|place| !failed.contains_key(*place)).collect();
        assert!(stale.is_empty(), "{} lists what holds or is gone; remove these lines: {stale:?}", known.file);
        assert!(assertions > assertions_min, "only {assertions} assertions ran");
    }
}

impl Known {
    /// Directives that don't hold, with the reason.
    fn places(&self) -> BTreeMap<String, &'static str> {
        let lines = self.text.lines().map(str::trim);
        let mut known = BTreeMap::new();
        for entry in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (places, reason) = entry.split_once(": ").expect("an entry is `FILE:LINE,LINE: REASON`");
            let (file, numbers) = places.split_once(':').expect("an entry names lines");
            for number in numbers.split(',') {
                let earlier = known.insert(format!("{file}:{number}"), reason);
                assert_eq!(earlier, None, "{file}:{number} is listed once");
            }
        }
        known
    }
}

/// Reads a script.
pub(crate) fn with_directives<T>(text: &str, run: impl FnOnce(Vec<WastDirective<'_>>) -> Done<T>) -> Done<T> {
    let mut lexer = Lexer::new(text);
    lexer.allow_confusing_unicode(true);
    let buffer = ParseBuffer::new_with_lexer(lexer).map_err(|error| error.to_string())?;
    let wast = parser::parse::<Wast<'_>>(&buffer).map_err(|error| error.to_string())?;
    run(wast.directives)
}

/// Where a directive is.
pub(crate) fn line(directive: &WastDirective<'_>, text: &str) -> usize {
    directive.span().linecol_in(text).0 + 1
}

/// The binary of a guest. What is quoted as text goes the way of a guest that is text.
pub(crate) fn binary(guest: &mut QuoteWat<'_>) -> Done<Vec<u8>> {
    match guest.to_test().map_err(|error| error.to_string())? {
        QuoteWatTest::Binary(bytes) => Ok(bytes),
        QuoteWatTest::Text(text) => {
            let binary = inspect::binary(Cow::Owned(text)).map_err(|error| error.to_string())?;
            Ok(binary.into_owned())
        }
    }
}
