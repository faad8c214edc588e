//! One way into a program: a shape, and the export that it calls. Runs calls from their event to their receipt.

use crate::{
    clock,
    drive::{Drive, Driven, Halt},
    error::LoadError,
    inspect::{self, Candidate},
    lane::Lane,
    pool::Busy,
    program::{Program, Streams},
    sandbox::Sandbox,
    shape::{self, Target},
    stdio::{LogLevel, LogRecord},
};
use http::HeaderValue;
use sandbar_call::{
    Call, CallId, Context, Draft, Event, Heading, Meter, Outcome, Refusal, Reply, Resource, Run, Running, Settle, Shape,
};
use std::{future::Future, sync::Arc, time::Duration};

/// How many exports an error lists.
const NAMED_MAX: usize = 20;

/// A program with the export that its events go to. Clones share everything.
#[derive(Clone)]
pub struct Entry(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) program: Arc<Program>,
    pub(crate) shape: Shape,
    pub(crate) target: Target,
    /// What a function's stdout is, where the manifest says it.
    pub(crate) content_type: Option<HeaderValue>,
}

/// Which entry is wanted; what is left out is found from the exports.
#[derive(Clone, Debug, Default)]
pub struct EntryChoice {
    /// The shape.
    pub shape: Option<Shape>,
    /// The export.
    pub export: Option<String>,
    /// The content type of what a function answers.
    pub content_type: Option<HeaderValue>,
}

impl Program {
    /// Finds the way into a program.
    ///
    /// # Errors
    /// There is none, or there are several and the choice does not say which.
    pub fn entry(self: &Arc<Self>, guest: &crate::Guest, choice: EntryChoice) -> Result<Entry, LoadError> {
        let candidates = &guest.summary().candidates;
        let Candidate { shape, export, .. } = inspect::choose(candidates, choice.shape, choice.export.as_deref())?;
        if shape == Shape::Typed && export.is_none() {
            let typed = candidates.iter().filter(|candidate| candidate.shape == Shape::Typed);
            return Err(LoadError::Unnamed(
                typed.filter_map(|candidate| candidate.export.clone()).take(NAMED_MAX).collect(),
            ));
        }
        let target = Target::find(self, shape, export.as_deref())?;
        Ok(Entry(Arc::new(Inner { program: self.clone(), shape, target, content_type: choice.content_type })))
    }
}

impl Program {
    /// Finds a function of a resource of a component's, such as `acme:shop/cart@1.0.0#[method]basket.add`, or
    /// `[resource-drop]`: for who holds a sandbox, and so has handles.
    ///
    /// # Errors
    /// There is none.
    pub fn member(self: &Arc<Self>, name: &str) -> Result<Entry, LoadError> {
        let target = Target::find(self, Shape::Typed, Some(name))?;
        Ok(Entry(Arc::new(Inner { program: self.clone(), shape: Shape::Typed, target, content_type: None })))
    }
}

impl Entry {
    /// The shape that was found.
    pub fn shape(&self) -> Shape {
        self.0.shape
    }

    pub(crate) fn inner(&self) -> &Arc<Inner> {
        &self.0
    }

    /// The program.
    pub fn program(&self) -> &Arc<Program> {
        &self.0.program
    }
}

impl Run for Entry {
    fn run(&self, call: Call) -> Running<'_> {
        let entry = self.0.clone();
        let Call { id, origin, event, receipts } = call;
        // Before the first poll: a call that is dropped unpolled has a receipt too.
        let mut work = Work::open(&entry, id, origin, receipts);
        Box::pin(async move {
            match event {
                Event::Http(request) => shape::http(entry, work, request).await,
                Event::Export { arguments, context } => {
                    work.context = context;
                    shape::export(entry, work, arguments).await
                }
                Event::Command { args, stdio } => shape::command(entry, work, args, stdio).await,
            }
        })
    }
}

/// A call on its way: its receipt, and what ends it. Dropped unfinished, it was cancelled.
pub(crate) struct Work {
    pub(crate) call: CallId,
    pub(crate) draft: Draft,
    /// What a host program gave it, for its own functions.
    context: Option<Context>,
    /// The event's id, which whoever sent it knows.
    event: Arc<str>,
    entry: Arc<Inner>,
}

/// What a call's guest came to, and its sandbox for the next one where it is fit for it.
pub(crate) struct Ended<T> {
    pub(crate) outcome: Outcome,
    pub(crate) answer: Option<T>,
}

impl<T> Ended<T> {
    pub(crate) fn done(answer: T) -> Ended<T> {
        Ended { outcome: Outcome::Done, answer: Some(answer) }
    }

    pub(crate) fn with(outcome: Outcome) -> Ended<T> {
        Ended { outcome, answer: None }
    }
}

/// A guest at work; its result is how it ended.
pub(crate) type Guest<T> = Drive<Ended<T>>;

impl Work {
    fn open(entry: &Arc<Inner>, call: CallId, origin: sandbar_call::Origin, receipts: Arc<dyn Settle>) -> Work {
        let program = &entry.program;
        let event = origin.event.clone();
        let heading = Heading {
            call,
            at_ms: clock::wall_ms(),
            guest: program.name.clone(),
            digest: program.digest,
            shape: entry.shape,
            origin,
        };
        let draft = Draft::open(heading, program.binding().limits.clone(), clock::monotonic_ns, receipts);
        Work { call, draft, context: None, event, entry: entry.clone() }
    }

    pub(crate) fn meter(&self) -> &Arc<Meter> {
        self.draft.meter()
    }

    /// Takes a sandbox, turned to this call but not started: none of the guest's code has run for it.
    pub(crate) async fn sandbox(&mut self, streams: Streams<'_>) -> Result<Box<Sandbox>, Outcome> {
        let program = self.entry.program.clone();
        let (slot, idle) = program.pool().take().await.map_err(|Busy| program.pool().busy())?;
        let made = match idle {
            Some(sandbox) => Ok(sandbox),
            None => program.sandbox(self.call, self.meter(), streams),
        };
        let mut sandbox = made.map_err(|error| self.fault(&format!("{error:?}")))?;
        sandbox.slot = Some(slot);
        sandbox.begin(self.call, &mut self.draft, &program);
        sandbox.store.data_mut().context = self.context.take();
        Ok(sandbox)
    }

    /// Lets the guest run: `call` has the sandbox, and gives it back by what it returns.
    pub(crate) fn drive<T: Send + 'static>(&self, sandbox: Box<Sandbox>, call: impl AsyncCall<T>) -> Guest<T> {
        let program = self.entry.program.clone();
        let meter = self.meter().clone();
        let ticking = program.host().ticking();
        let (start, polls) = (program.start(), sandbox.polls());
        let guest = run_guest(program, sandbox, call);
        Drive::start(Driven::new(guest, meter, self.deadline_ns(), ticking, polls), start)
    }

    /// The slow lane, if there is one.
    pub(crate) fn lane(&self) -> Option<Arc<Lane>> {
        self.entry.program.host().lane()
    }

    fn deadline_ns(&self) -> u64 {
        self.draft.started_ns().saturating_add(self.meter().limits().most(Resource::Wall))
    }

    /// Waits for something that the guest needs before it can start, as long as the call may take.
    pub(crate) async fn in_time<T>(&self, wanted: impl Future<Output = T>) -> Result<T, Outcome> {
        let left = self.deadline_ns().saturating_sub(clock::monotonic_ns());
        let waited = tokio::time::timeout(Duration::from_nanos(left), wanted).await;
        waited.map_err(|_| Outcome::Stopped { limit: self.meter().stop(Resource::Wall).0 })
    }

    /// Reads what a driven guest came to.
    pub(crate) fn ended<T>(&self, driven: Result<Ended<T>, Halt>) -> Ended<T> {
        match driven {
            Ok(Ended { outcome: Outcome::Fault { .. }, .. }) => {
                Ended::with(Outcome::Fault { id: self.event.to_string() })
            }
            Ok(ended) => ended,
            Err(Halt::Stopped(stop)) => Ended::with(Outcome::Stopped { limit: stop.0 }),
            Err(Halt::Panicked) => Ended::with(self.fault("the host panicked")),
            Err(Halt::Ended | Halt::Cancelled) => Ended::with(Outcome::Cancelled),
        }
    }

    /// Ends the call: one receipt, and one log record where it did not end well.
    pub(crate) fn settle(mut self, outcome: Outcome) {
        let outcome = outcome.bounded();
        if let Outcome::Refused { why: Refusal::Busy { .. } } = &outcome {
            self.draft.not_served();
        }
        let message = match &outcome {
            Outcome::Done | Outcome::Cancelled => None,
            Outcome::Failed { message, .. } => Some(format!("failed: {message}")),
            Outcome::Stopped { limit } => Some(format!("stopped: the limit of `{}` is used up", limit.key())),
            Outcome::Trapped { message } => Some(format!("trapped: {message}")),
            Outcome::Refused { why } => Some(format!("refused: {why}")),
            Outcome::Fault { .. } => None,
        };
        if let Some(message) = message {
            self.log(LogLevel::Warn, &message);
        }
        self.entry.program.ran(self.meter().longest_run_ns());
        self.draft.settle(outcome);
    }

    /// A reply for a call that ended without an answer.
    pub(crate) fn end(self, outcome: Outcome) -> Reply {
        self.settle(outcome.clone());
        Reply::Ended(outcome)
    }

    /// Refuses an event that does not fit the guest.
    pub(crate) fn refuse(self, message: impl Into<String>) -> Reply {
        self.end(Outcome::Refused { why: Refusal::Event { message: message.into() } })
    }

    /// Logs one line about the call.
    pub(crate) fn log(&self, level: LogLevel, message: &str) {
        let message = crate::stdio::escape(message);
        let guest = self.entry.program.name.clone();
        self.entry.program.binding().log.log(LogRecord { level, guest, call: self.call, message });
    }

    fn fault(&self, cause: &str) -> Outcome {
        self.log(LogLevel::Error, &format!("fault: {cause}"));
        Outcome::Fault { id: self.event.to_string() }
    }
}

/// What a shape does with a sandbox that has started.
pub(crate) trait AsyncCall<T>: Send + 'static {
    fn call<'a>(
        self,
        program: &'a Program,
        sandbox: &'a mut Sandbox,
    ) -> impl Future<Output = wasmtime::Result<Ended<T>>> + Send + 'a;

    /// Whether the sandbox may serve another call after one that ended well.
    const REUSABLE: bool = true;
}

async fn run_guest<T: Send + 'static>(
    program: Arc<Program>,
    mut sandbox: Box<Sandbox>,
    call: impl AsyncCall<T>,
) -> Ended<T> {
    let reusable = reusable(&call);
    let started = sandbox.start(&program).await;
    let ended = match started {
        Ok(()) => call.call(&program, &mut sandbox).await,
        Err(error) => Err(error),
    };
    let ended = match ended {
        Ok(ended) => ended,
        Err(error) => Ended::with(sandbox.outcome_of(&error)),
    };
    sandbox.end_call();
    let healthy = matches!(ended.outcome, Outcome::Done | Outcome::Failed { .. });
    if healthy && reusable {
        program.give_back(sandbox).await;
    } else {
        drop(sandbox);
    }
    ended
}

fn reusable<T, C: AsyncCall<T>>(_: &C) -> bool {
    C::REUSABLE
}
