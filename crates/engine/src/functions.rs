//! Functions that a host program gives to the guests that it embeds: a grant of its own kind.
//!
//! A guest finds one by the names under which it imports it. To a core module a function is numbers; to a component it is
//! values, which travel as the JSON of `docs/values.md`, so that a host program in any language needs no types of ours. Each
//! call of one is counted in the receipt and charged to the call's meter, and a function that fails or panics ends the call as
//! a fault and nothing else.

mod host_call;
mod number;

use crate::{outcome::Denied, state::State, stdio::LogLevel};
use futures::future::BoxFuture;
use sandbar_call::{Denial, GrantKind, Stop};
use std::{any::Any, collections::BTreeMap, fmt, sync::Arc};

pub use {
    host_call::HostCall,
    number::{Number, NumberType, Signature},
};

/// Functions by module and name, or by interface and name.
#[derive(Clone, Default)]
pub struct Functions(BTreeMap<Box<str>, BTreeMap<Box<str>, Function>>);

/// A function of the host program. What it lacks a form for, a guest of that form can't import.
#[derive(Clone)]
pub struct Function {
    pub(crate) grant: GrantKind,
    pub(crate) numbers: Option<Numbers>,
    pub(crate) values: Option<Values>,
}

impl Default for Function {
    fn default() -> Function {
        Function { grant: GrantKind::Functions, numbers: None, values: None }
    }
}

/// A function as a core module sees it.
#[derive(Clone)]
pub(crate) struct Numbers {
    /// What it takes and gives, or `None` where it goes by what the guest's import says.
    pub(crate) signature: Option<Signature>,
    pub(crate) body: NumbersBody,
}

#[derive(Clone)]
pub(crate) enum NumbersBody {
    Now(Arc<NumbersFn>),
    Later(Arc<NumbersLaterFn>),
}

/// A function as a component sees it.
#[derive(Clone)]
pub(crate) enum Values {
    Now(Arc<ValuesFn>),
    Later(Arc<ValuesLaterFn>),
}

type NumbersFn = dyn Fn(&mut HostCall<'_>, &[Number], &mut [Number]) -> Result<(), HostError> + Send + Sync;
type NumbersLaterFn =
    dyn Fn(&mut HostCall<'_>, &[Number]) -> BoxFuture<'static, Result<Vec<Number>, HostError>> + Send + Sync;
type ValuesFn = dyn Fn(&mut HostCall<'_>, &str) -> Result<String, HostError> + Send + Sync;
type ValuesLaterFn = dyn Fn(&mut HostCall<'_>, &str) -> BoxFuture<'static, Result<String, HostError>> + Send + Sync;

/// Why a function of the host did not give what the guest asked for. The call ends.
#[derive(Debug)]
pub enum HostError {
    /// It failed: the call ends as a fault, and the text is logged.
    Failed(String),
    /// It refuses what was asked for: the call ends as refused, with this in its receipt.
    Denied(Denial),
    /// A limit of the call is used up.
    Stopped(Stop),
}

impl From<Stop> for HostError {
    fn from(stop: Stop) -> HostError {
        HostError::Stopped(stop)
    }
}

impl From<String> for HostError {
    fn from(message: String) -> HostError {
        HostError::Failed(message)
    }
}

impl From<&str> for HostError {
    fn from(message: &str) -> HostError {
        HostError::Failed(message.to_owned())
    }
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HostError::Failed(message) => f.write_str(message),
            HostError::Denied(denial) => write!(f, "`{}` is not granted", denial.asked),
            HostError::Stopped(stop) => write!(f, "{stop}"),
        }
    }
}

impl std::error::Error for HostError {}

/// A function of the host failed, which is not the guest's doing.
#[derive(Debug)]
pub(crate) struct HostFailed;

impl fmt::Display for HostFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a function of the host failed")
    }
}

impl std::error::Error for HostFailed {}

impl Functions {
    /// Gives none.
    pub fn new() -> Functions {
        Functions::default()
    }

    /// Gives a function under a name; one of the same name before is replaced. `module` is the module of a core import, such
    /// as `env`, or the interface of a component's, such as `acme:log/sink@1.0.0`, where the version may be left out; it is
    /// empty for a function that a component imports by itself.
    pub fn add(&mut self, module: &str, name: &str, function: Function) {
        self.0.entry(module.into()).or_default().insert(name.into(), function);
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one is there that a core module does not wait for.
    pub(crate) fn answers_at_once(&self, module: &str, name: &str) -> bool {
        let numbers = self.get(module, name).and_then(|function| function.numbers.as_ref());
        numbers.is_some_and(|numbers| matches!(numbers.body, NumbersBody::Now(_)))
    }

    /// Finds what a guest imports.
    pub(crate) fn get(&self, module: &str, name: &str) -> Option<&Function> {
        let of = |module: &str| self.0.get(module).and_then(|names| names.get(name));
        of(module).or_else(|| of(module.rsplit_once('@')?.0))
    }
}

impl fmt::Debug for Functions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.iter().map(|(module, names)| (module, names.keys()))).finish()
    }
}

impl Function {
    /// Counts in receipts as this grant, and not as one of `functions`.
    #[must_use]
    pub fn of_grant(mut self, grant: GrantKind) -> Function {
        self.grant = grant;
        self
    }

    /// Gives core modules a function over numbers. Without a signature it goes by what the guest's import says.
    #[must_use]
    pub fn numbers(
        mut self,
        signature: Option<Signature>,
        body: impl Fn(&mut HostCall<'_>, &[Number], &mut [Number]) -> Result<(), HostError> + Send + Sync + 'static,
    ) -> Function {
        self.numbers = Some(Numbers { signature, body: NumbersBody::Now(Arc::new(body)) });
        self
    }

    /// As [`Function::numbers`], for one that waits: what needs the guest's memory is done before the future is made.
    #[must_use]
    pub fn numbers_later(
        mut self,
        signature: Option<Signature>,
        body: impl Fn(&mut HostCall<'_>, &[Number]) -> BoxFuture<'static, Result<Vec<Number>, HostError>>
        + Send
        + Sync
        + 'static,
    ) -> Function {
        self.numbers = Some(Numbers { signature, body: NumbersBody::Later(Arc::new(body)) });
        self
    }

    /// Gives components a function over values: a JSON array of arguments in, and the result as JSON out, `null` for none.
    #[must_use]
    pub fn values(
        mut self,
        body: impl Fn(&mut HostCall<'_>, &str) -> Result<String, HostError> + Send + Sync + 'static,
    ) -> Function {
        self.values = Some(Values::Now(Arc::new(body)));
        self
    }

    /// As [`Function::values`], for one that waits.
    #[must_use]
    pub fn values_later(
        mut self,
        body: impl Fn(&mut HostCall<'_>, &str) -> BoxFuture<'static, Result<String, HostError>> + Send + Sync + 'static,
    ) -> Function {
        self.values = Some(Values::Later(Arc::new(body)));
        self
    }
}

/// What a function came to, as it ends the guest's call or lets it go on.
pub(crate) fn settled<T>(state: &State, name: &str, came_to: Result<T, HostError>) -> wasmtime::Result<T> {
    came_to.map_err(|error| match error {
        HostError::Failed(message) => {
            let message = format!("fault: the host's function `{name}` failed: {message}");
            state.stderr.report(LogLevel::Error, &message);
            HostFailed.into()
        }
        HostError::Denied(denial) => {
            state.tap.meter().denied(denial.clone());
            Denied(denial).into()
        }
        HostError::Stopped(stop) => stop.into(),
    })
}

/// What a panic said.
pub(crate) fn panicked(panic: &(dyn Any + Send)) -> HostError {
    let said = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    HostError::Failed(format!("it panicked: {}", said.unwrap_or("with something that is no text")))
}
