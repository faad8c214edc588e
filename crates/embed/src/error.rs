//! Why a plugin can't be loaded, and how a call of it ended that did not end well.

use sandbar_call::{Outcome, Receipt, Refusal};
use sandbar_engine::LoadError;
use sandbar_grants::GrantError;
use std::{fmt, path::PathBuf, sync::Arc};

/// Why a host can't be set up, or a plugin not be loaded. What a plugin does when it is called is a [`CallError`].
#[derive(Debug)]
pub enum Error {
    /// The guest can't be read, compiled or bound.
    Load(LoadError),
    /// A grant is not in the form of its kind, or can't be given.
    Grant(GrantError),
    /// The plugin is to be held, and its start code did not end well.
    Start(Outcome),
    /// Its self-test says this against it.
    SelfTest(String),
    /// A manifest can't be read, or asks for what is not there.
    Manifest {
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// An option is not known, or its value is not what it takes.
    Option(String),
    /// The host can't be set up here.
    Setup(std::io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Load(error) => write!(f, "{error}"),
            Error::Grant(error) => write!(f, "{error}"),
            Error::Start(Outcome::Refused { why: Refusal::Busy { .. } }) => f.write_str(
                "every sandbox that the host may have is in use; let it have more, or end other plugins first",
            ),
            Error::Start(outcome) => write!(f, "the plugin's start code did not end well: {}", Told(outcome)),
            Error::SelfTest(message) => write!(f, "the plugin did not pass its self-test: {message}"),
            Error::Manifest { path, problem } => write!(f, "`{}`: {problem}", path.display()),
            Error::Option(message) => f.write_str(message),
            Error::Setup(error) => write!(f, "the host can't be set up: {error}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<LoadError> for Error {
    fn from(error: LoadError) -> Error {
        Error::Load(error)
    }
}

impl From<GrantError> for Error {
    fn from(error: GrantError) -> Error {
        Error::Grant(error)
    }
}

/// How a call ended that gave no answer.
#[derive(Clone, Debug)]
pub struct CallError {
    /// How the call ended. It is [`Outcome::Done`] where only its answer is of another type than asked for.
    pub outcome: Outcome,
    /// What was wrong on this side: the arguments can't be written, the answer can't be read, a function of the host failed.
    pub cause: Option<Arc<str>>,
    /// What the call did and used; none where there was no call.
    pub receipt: Option<Box<Receipt>>,
}

impl CallError {
    pub(crate) fn new(outcome: Outcome) -> CallError {
        CallError { outcome, cause: None, receipt: None }
    }

    /// Whether the guest itself said that it failed, and can be called again as it is.
    pub fn is_failed(&self) -> bool {
        matches!(self.outcome, Outcome::Failed { .. })
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.outcome, &self.cause) {
            (Outcome::Done, Some(cause)) => f.write_str(cause),
            (outcome, Some(cause)) => write!(f, "{}: {cause}", Told(outcome)),
            (outcome, None) => write!(f, "{}", Told(outcome)),
        }
    }
}

impl std::error::Error for CallError {}

/// An outcome in a sentence.
struct Told<'a>(&'a Outcome);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Outcome::Done => f.write_str("the call ended well"),
            Outcome::Failed { message, .. } => write!(f, "the plugin failed: {message}"),
            Outcome::Stopped { limit } => {
                write!(f, "the plugin was stopped: its limit of `{}` is used up", limit.key())
            }
            Outcome::Trapped { message } => {
                // Behind the backtrace.
                let cause = message.rsplit_once("Caused by:").map_or(message.as_str(), |(_, cause)| cause);
                write!(f, "the plugin trapped: {}", cause.trim_start().lines().next().unwrap_or_default())
            }
            Outcome::Refused { why } => write!(f, "refused: {why}"),
            Outcome::Cancelled => f.write_str("the call was cancelled"),
            Outcome::Fault { id } => write!(f, "the host failed, see its log for `{id}`"),
        }
    }
}
