//! Functions that a host program gives to the guests that it embeds: a grant of its own kind.
//!
//! A guest finds one by the names under which it imports it. To a core module a function is numbers; to a component it is
//! values, which travel as the JSON of `docs/values.md`, so that a host program in any language needs no types of ours. Each
//! call of one is counted in the receipt and charged to the call's meter, and a function that fails or panics ends the call as
//! a fault and nothing else.

mod number;

use crate::{
    cancel::Cancel,
    dialect::extism,
    nesting,
    outcome::Denied,
    state::{State, tick},
    stdio::LogLevel,
};
use futures::future::BoxFuture;
use sandbar_call::{CallId, Context, Denial, GrantKind, GuestName, Meter, Resource, Stop};
use std::{
    any::Any,
    collections::BTreeMap,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};
use wasmtime::{AsContextMut, Caller, Extern, Memory, StoreContextMut};

pub use number::{Number, NumberType, Signature};

/// Functions by module and name, or by interface and name.
#[derive(Clone, Default)]
pub struct Functions(BTreeMap<Box<str>, BTreeMap<Box<str>, Function>>);

/// A function of the host program. What it lacks a form for, a guest of that form can't import.
#[derive(Clone, Default)]
pub struct Function {
    pub(crate) numbers: Option<Numbers>,
    pub(crate) values: Option<Values>,
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

/// One call of a function by a guest: what it may do with that guest's sandbox and call.
pub struct HostCall<'a> {
    store: StoreContextMut<'a, State>,
    /// The memory of a core module.
    memory: Option<Memory>,
}

impl<'a> HostCall<'a> {
    /// Enters from a core module.
    pub(crate) fn of_module<'b>(caller: &'a mut Caller<'b, State>) -> HostCall<'a> {
        // Before its start code has run the sandbox does not know its memory yet.
        let memory = caller.data().memory.or_else(|| caller.get_export("memory").and_then(Extern::into_memory));
        HostCall::enter(caller.as_context_mut(), memory)
    }

    /// Enters from a component.
    pub(crate) fn of_component(store: StoreContextMut<'a, State>) -> HostCall<'a> {
        HostCall::enter(store, None)
    }

    fn enter(mut store: StoreContextMut<'a, State>, memory: Option<Memory>) -> HostCall<'a> {
        let state = store.data_mut();
        state.serves();
        state.tap.meter().called(GrantKind::Functions);
        HostCall { store, memory }
    }

    fn state(&self) -> &State {
        self.store.data()
    }

    /// The call that the guest serves.
    pub fn id(&self) -> CallId {
        self.state().call
    }

    /// The guest's name.
    pub fn guest(&self) -> &GuestName {
        self.state().stderr.guest()
    }

    /// What the host program gave to this call.
    pub fn context(&self) -> Option<&Context> {
        self.state().context.as_ref()
    }

    /// What the host program gave to this call, where it is of this type.
    pub fn context_as<T: Any>(&self) -> Option<&T> {
        self.context().and_then(|context| (**context).downcast_ref())
    }

    /// The call's meter.
    pub fn meter(&self) -> Arc<Meter> {
        self.state().tap.meter()
    }

    /// When the call has to have ended, in nanoseconds of [`crate::clock::monotonic_ns`].
    pub fn deadline_ns(&self) -> u64 {
        nesting::deadline_ns()
    }

    /// What ends the call from outside, where it was given something.
    pub fn cancel(&self) -> Option<&Cancel> {
        self.state().cancel.as_ref()
    }

    /// Logs a line for the guest, within its limit of log bytes.
    ///
    /// # Errors
    /// The limit is used up.
    pub fn log(&self, level: LogLevel, message: &str) -> Result<(), HostError> {
        Ok(self.state().stderr.say(level, message)?)
    }

    /// All of the core module's memory.
    ///
    /// # Errors
    /// It exports none named `memory`, or the guest is a component.
    pub fn memory(&mut self) -> Result<&mut [u8], HostError> {
        let memory = self.memory.ok_or("the guest exports no memory named `memory`")?;
        Ok(memory.data_mut(&mut self.store))
    }

    /// Bytes of the core module's memory, charged as bytes that left the guest.
    ///
    /// # Errors
    /// They lie outside of the memory, or a limit is used up.
    pub fn read(&self, pointer: u32, length: u32) -> Result<&[u8], HostError> {
        self.meter().charge(Resource::BytesOut, u64::from(length))?;
        let memory = self.memory.ok_or("the guest exports no memory named `memory`")?.data(&self.store);
        let range = range(pointer, length);
        memory.get(range.clone()).ok_or_else(|| outside(&range, memory.len()))
    }

    /// A text in the core module's memory, charged as bytes that left the guest.
    ///
    /// # Errors
    /// It lies outside of the memory or is no UTF-8, or a limit is used up.
    pub fn read_text(&self, pointer: u32, length: u32) -> Result<&str, HostError> {
        let bytes = self.read(pointer, length)?;
        std::str::from_utf8(bytes).map_err(|error| HostError::Failed(format!("the guest's text is no UTF-8: {error}")))
    }

    /// Writes bytes into the core module's memory, charged as bytes that went into the guest.
    ///
    /// # Errors
    /// They would lie outside of the memory, or a limit is used up.
    pub fn write(&mut self, pointer: u32, bytes: &[u8]) -> Result<(), HostError> {
        self.meter().charge(Resource::BytesIn, bytes.len() as u64)?;
        let memory = self.memory()?;
        let (range, len) = (range(pointer, u32::try_from(bytes.len()).unwrap_or(u32::MAX)), memory.len());
        memory.get_mut(range.clone()).ok_or_else(|| outside(&range, len))?.copy_from_slice(bytes);
        Ok(())
    }

    /// The bytes of a block of a plugin of Extism, charged as bytes that left the guest.
    ///
    /// # Errors
    /// There is none at this offset, the guest is no such plugin, or a limit is used up.
    pub fn block(&self, offset: i64) -> Result<&[u8], HostError> {
        extism::block(&self.store, offset).map_err(of_block)
    }

    /// Makes a block of a plugin of Extism and gives its offset, charged as bytes that went into the guest.
    ///
    /// # Errors
    /// The guest is no such plugin, or a limit is used up.
    pub fn new_block(&mut self, bytes: &[u8]) -> Result<i64, HostError> {
        extism::put(&mut self.store, bytes).map_err(of_block)
    }

    /// Calls a function of the host for its guest, which gets nothing of a panic but the end of its call.
    pub(crate) fn calls<T>(
        mut self,
        name: &str,
        body: impl FnOnce(&mut HostCall<'_>) -> Result<T, HostError>,
    ) -> wasmtime::Result<T> {
        let called = catch_unwind(AssertUnwindSafe(|| body(&mut self)));
        if nesting::inner_ended() {
            // Ticks went to the inner call, and the outer one has limits too.
            tick(self.store.as_context_mut())?;
        }
        settled(self.store.data(), name, called.unwrap_or_else(|panic| Err(panicked(&*panic))))
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

fn of_block(error: wasmtime::Error) -> HostError {
    match error.downcast::<Stop>() {
        Ok(stop) => HostError::Stopped(stop),
        Err(error) => HostError::Failed(error.to_string()),
    }
}

fn range(pointer: u32, length: u32) -> std::ops::Range<usize> {
    let from = pointer as usize;
    from..from.saturating_add(length as usize)
}

fn outside(range: &std::ops::Range<usize>, memory_bytes: usize) -> HostError {
    let std::ops::Range { start, end } = range;
    HostError::Failed(format!("the guest names bytes {start} to {end} of its memory of {memory_bytes} bytes"))
}
