//! What did not go well, as JSON for the classes of errors that JavaScript has.

use sandbar_embed::{CallError, Error, Outcome, Receipt};
use serde_json::{Value, json};

/// Why nothing came of something, in JSON: `message`, and where there are any `outcome`, `cause` and `receipt` of a call, or
/// `load`, the kind of what was wrong where a plugin was loaded.
#[derive(Clone, Debug)]
pub(crate) struct Failure(pub(crate) String);

impl Failure {
    /// The host failed, and no call has an id for it.
    pub(crate) fn of_host(message: &str) -> Failure {
        let outcome = Outcome::Fault { id: String::new() };
        Failure(json!({"message": message, "outcome": outcome, "cause": message}).to_string())
    }

    /// A plugin can't be loaded with what was said.
    pub(crate) fn of_options(message: &str) -> Failure {
        Failure(json!({"message": message, "load": "option"}).to_string())
    }

    /// A plugin can't be loaded, because something of the host can't.
    pub(crate) fn of_setup(message: &str) -> Failure {
        Failure(json!({"message": message, "load": "setup"}).to_string())
    }
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Failure {
        let (kind, outcome) = match error {
            Error::Load(_) => ("load", Value::Null),
            Error::Grant(_) => ("grant", Value::Null),
            Error::Start(outcome) => ("start", written(outcome)),
            Error::SelfTest(_) => ("self-test", Value::Null),
            Error::Manifest { .. } => ("manifest", Value::Null),
            Error::Option(_) => ("option", Value::Null),
            Error::Setup(_) => ("setup", Value::Null),
        };
        Failure(json!({"message": error.to_string(), "load": kind, "outcome": outcome}).to_string())
    }
}

impl From<&CallError> for Failure {
    fn from(error: &CallError) -> Failure {
        let CallError { outcome, cause, receipt } = error;
        let receipt = receipt.as_deref().map_or(Value::Null, written);
        let failure = json!({
            "message": error.to_string(), "outcome": written(outcome), "cause": cause.as_deref(), "receipt": receipt,
        });
        Failure(failure.to_string())
    }
}

/// Writes a receipt.
pub(crate) fn receipt(receipt: &Receipt) -> String {
    written(receipt).to_string()
}

fn written(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).unwrap_or(Value::Null)
}
