//! Guests as data: what each does, step by step, and what comes out as text for the engine.

#[path = "guest/files.rs"]
mod files;
#[path = "guest/text.rs"]
mod text;

pub(crate) use {
    files::{FileStep, PATHS, What as FileWhat},
    text::{HEAD_BYTES, RECORD_BYTES},
};

use sandbar_testkit::random::Random;

/// A guest of a run.
#[derive(Clone, Debug)]
pub(crate) enum Guest {
    /// A module made of steps.
    Steps(Steps),
    /// A built component, which does what each event asks for.
    Built(Built),
}

impl Guest {
    /// Whether a host may hold its sandbox: it is typed and calls nobody, since such a call has no fiber to wait on.
    pub(crate) fn is_held(&self) -> bool {
        let calls = |step: &Step| matches!(step, Step::Stdout(_));
        matches!(self, Guest::Steps(Steps { form: Form::Typed, steps, .. }) if !steps.iter().any(calls))
    }
}

/// The components that `cargo xtask guests` builds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Built {
    /// `echo-http`: an HTTP handler of WASI 0.2.
    Echo,
    /// `echo-http-p3`: one of WASI 0.3.
    Echo03,
    /// `cli-p2`: a command of WASI 0.2.
    Cli,
}

impl Built {
    pub(crate) const fn file(self) -> &'static str {
        match self {
            Built::Echo => "echo-http.wasm",
            Built::Echo03 => "echo-http-p3.wasm",
            Built::Cli => "cli-p2.wasm",
        }
    }
}

/// A module that takes its steps in each call, and tells how each went.
#[derive(Clone, Debug)]
pub(crate) struct Steps {
    pub(crate) form: Form,
    /// Pages of memory at the beginning, and the most where the module says one.
    pub(crate) pages: u32,
    pub(crate) pages_max: Option<u32>,
    /// Whether it leaves marks in a table too, and has start code: neither can be renewed.
    pub(crate) has_table: bool,
    pub(crate) has_start: bool,
    pub(crate) has_initialize: bool,
    pub(crate) steps: Vec<Step>,
    pub(crate) end: End,
}

/// How a module of steps is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// `_start`; its answer begins with the head that CGI wants, so that it does for both.
    Command,
    /// `handle`, over stdin and stdout.
    Function,
    /// `run`, with its canary as two numbers; its result is how many foreign canaries it found.
    Typed,
}

/// One thing that a guest does.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Leaves the call's canary in every page of memory, in globals, and in the table if there is one.
    Mark,
    /// Looks for canaries of other calls in all of the memory, the globals and the table.
    Look,
    /// A loop of so many rounds.
    Compute(u32),
    /// Calls itself so deep.
    Recurse(u32),
    /// Grows the memory by pages.
    Grow(u32),
    /// Grows the table by elements.
    GrowTable(u32),
    /// Fills so many bytes of memory.
    Fill(u32),
    /// Writes so many bytes.
    Stdout(u32),
    Stderr(u32),
    /// Reads stdin once more.
    Stdin,
    Args,
    Env,
    Clock,
    Random,
    /// Waits for so many milliseconds.
    Sleep(u32),
    /// Waits for the first of many timers.
    Poll(u32),
    /// Calls the host again and again.
    Storm(u32),
    /// Passes an address that is none.
    BadPointer,
    /// Does something with a file or folder.
    File(FileStep),
}

/// What a guest does last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Return,
    /// With a code: of the process, or the result of the function.
    Exit(i32),
    Unreachable,
    DivideByZero,
    OutOfBounds,
    NullCall,
    WrongCall,
    NotANumber,
    Recursion,
    Spin,
    /// Calls the host for ever.
    SpinInHost,
    WaitForEver,
    Overflow,
}

impl End {
    const TRAPS: &[End] = &[
        End::Unreachable,
        End::DivideByZero,
        End::OutOfBounds,
        End::NullCall,
        End::WrongCall,
        End::NotANumber,
        End::Recursion,
        End::Overflow,
    ];
}

impl Steps {
    /// Makes one up. `folders` is how many its tenant may have been granted, and one more.
    pub(crate) fn random(random: &mut Random, form: Form, endless: bool) -> Steps {
        let pages = random.small(1..=6);
        let has_table = random.chance(25);
        let count = random.between(1..=12);
        let mut steps: Vec<Step> = (0..count).map(|_| step(random, form, has_table)).collect();
        if random.chance(70) {
            steps.insert(0, Step::Look);
            steps.insert(1, Step::Mark);
        }
        Steps {
            form,
            pages,
            pages_max: random.maybe(30, |random| pages + random.small(0..=4)),
            has_table,
            has_start: random.chance(10),
            has_initialize: form != Form::Command && random.chance(15),
            steps,
            end: end(random, form, endless),
        }
    }

    /// The module as text.
    pub(crate) fn text(&self) -> String {
        text::module(self)
    }
}

fn step(random: &mut Random, form: Form, has_table: bool) -> Step {
    let pure = form == Form::Typed;
    match random.between(0..=if pure { 8 } else { 31 }) {
        0 => Step::Mark,
        1 => Step::Look,
        2 => Step::Compute(random.skewed(1..=3_000_000) as u32),
        3 => Step::Recurse(random.small(1..=2_000)),
        4 => Step::Grow(random.skewed(0..=64) as u32),
        5 if has_table => Step::GrowTable(random.small(0..=2_000)),
        5 | 6 => Step::Fill(random.skewed(0..=400_000) as u32),
        7 => Step::Stdout(random.skewed(0..=400_000) as u32),
        8 => Step::Look,
        9 => Step::Stdout(random.skewed(1..=100_000) as u32),
        10 => Step::Stderr(random.skewed(0..=40_000) as u32),
        11 => Step::Stdin,
        12 => Step::Args,
        13 => Step::Env,
        14 => Step::Clock,
        15 => Step::Random,
        16 => Step::Sleep(random.small(0..=25)),
        17 => Step::Poll(random.small(1..=50)),
        18 => Step::Storm(random.skewed(1..=20_000) as u32),
        19 => Step::BadPointer,
        _ => Step::File(FileStep::random(random)),
    }
}

fn end(random: &mut Random, form: Form, endless: bool) -> End {
    match random.between(0..=9) {
        0..=4 => End::Return,
        5 if form != Form::Typed => End::Exit(random.small(0..=3) as i32),
        6 if endless => *random.pick(if form == Form::Typed {
            &[End::Spin]
        } else {
            &[End::Spin, End::SpinInHost, End::WaitForEver]
        }),
        5..=7 => *random.pick(End::TRAPS),
        _ => End::Return,
    }
}
