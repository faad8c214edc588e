//! What a command fails with: a kind, which decides the exit code, a message, and what to type.

use sandbar_app::AppError;
use sandbar_call::Shape;
use sandbar_engine::{
    CompileError, LoadError,
    inspect::{Candidate, ShapeError},
};
use std::{error::Error, fmt::Display};

/// How many ways to call a guest a hint shows.
const COMMANDS_SHOWN: usize = 3;

/// The kind of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The command line asks for something that does not fit together.
    Usage,
    /// A file holds something wrong: a manifest, a guest, a receipt.
    Input,
    /// A file is missing or can't be read.
    NoInput,
    /// An address, a folder or another resource can't be had.
    Unavailable,
}

impl Kind {
    /// The exit code, after `sysexits.h`, and clap's own for usage.
    pub(crate) const fn exit_code(self) -> u8 {
        match self {
            Kind::Usage => 2,
            Kind::Input => 65,
            Kind::NoInput => 66,
            Kind::Unavailable => 69,
        }
    }

    /// Its name in JSON.
    pub(crate) const fn key(self) -> &'static str {
        match self {
            Kind::Usage => "usage",
            Kind::Input => "input",
            Kind::NoInput => "no-input",
            Kind::Unavailable => "unavailable",
        }
    }
}

/// A command that failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) kind: Kind,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    /// The message is laid out already, with its own places and hints.
    pub(crate) manifest: Option<sandbar_app::manifest::ManifestErrors>,
}

impl Failure {
    pub(crate) fn new(kind: Kind, message: impl Display) -> Failure {
        Failure { kind, message: message.to_string(), hint: None, manifest: None }
    }

    /// An error with its cause.
    pub(crate) fn caused(kind: Kind, error: &dyn Error) -> Failure {
        let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
        Failure::new(kind, format!("{error}{cause}"))
    }

    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Failure {
        self.hint = Some(hint.into());
        self
    }

    /// A guest that can't be loaded; `what` names it.
    pub(crate) fn load(what: &str, error: &LoadError) -> Failure {
        let kind = match error {
            LoadError::Read { .. } => Kind::NoInput,
            LoadError::Setup(_) | LoadError::Cache { .. } | LoadError::Compile(CompileError::Process(_)) => {
                Kind::Unavailable
            }
            LoadError::Malformed(_)
            | LoadError::Digest { .. }
            | LoadError::Shape(_)
            | LoadError::Export(_)
            | LoadError::Unnamed(_)
            | LoadError::Compile(_)
            | LoadError::Import { .. }
            | LoadError::TooLarge { .. }
            | LoadError::Grant(_) => Kind::Input,
        };
        let message =
            if matches!(error, LoadError::Read { .. }) { error.to_string() } else { format!("`{what}`: {error}") };
        let hint = match error {
            LoadError::TooLarge { limit, needs, .. } => Some(format!("let it in with `--{limit} {needs}`")),
            LoadError::Shape(ShapeError::Missing { candidates, .. } | ShapeError::Ambiguous { candidates }) => {
                commands(candidates)
            }
            error => error.hint(),
        };
        Failure { hint, ..Failure::new(kind, message) }
    }
}

/// The commands that call a guest in one of these ways.
fn commands(candidates: &[Candidate]) -> Option<String> {
    let commands = candidates.iter().take(COMMANDS_SHOWN).map(|candidate| match (candidate.shape, &candidate.export) {
        (Shape::Command, _) => "`sandbar run GUEST`".to_owned(),
        (Shape::Function | Shape::Typed, Some(export)) => format!("`sandbar call GUEST {export}`"),
        (Shape::Function | Shape::Typed | Shape::Http, _) => "`sandbar up GUEST`".to_owned(),
    });
    let commands: Vec<_> = commands.collect();
    (!commands.is_empty()).then(|| commands.join(" or "))
}

impl From<AppError> for Failure {
    fn from(error: AppError) -> Failure {
        match error {
            AppError::Manifest(errors) => {
                Failure { manifest: Some(errors.clone()), ..Failure::new(Kind::Input, errors) }
            }
            AppError::Engine(error) => Failure::load("engine", &error),
            AppError::Tls(error) => Failure::new(Kind::NoInput, error),
            AppError::Listen(error) => Failure::new(Kind::Unavailable, error),
            AppError::Ledger(error) => Failure::caused(Kind::Unavailable, &error),
            AppError::System(error) => Failure::new(Kind::Unavailable, format!("can't start: {error}")),
        }
    }
}

impl From<sandbar_app::manifest::ManifestErrors> for Failure {
    fn from(errors: sandbar_app::manifest::ManifestErrors) -> Failure {
        AppError::Manifest(errors).into()
    }
}
