//! Closures with typed arguments as functions of the host.

use crate::dynamic::unlike;
use sandbar_call::GrantKind;
use sandbar_engine::{Function, Functions, HostCall, HostError, LogLevel, Number, NumberType, Signature};
use serde::{Serialize, de::DeserializeOwned};
use std::future::Future;

/// A closure that a core module can import: `Fn(&mut HostCall<'_>, (A, B)) -> R`.
pub trait HostFunction<A, R>: Send + Sync + 'static {
    /// Calls it.
    fn call(&self, call: &mut HostCall<'_>, arguments: A) -> R;
}

impl<A, R, F> HostFunction<A, R> for F
where
    F: Fn(&mut HostCall<'_>, A) -> R + Send + Sync + 'static,
{
    fn call(&self, call: &mut HostCall<'_>, arguments: A) -> R {
        self(call, arguments)
    }
}

/// A closure that a core module can import and that waits: `Fn(&mut HostCall<'_>, (A, B)) -> impl Future<Output = R>`.
pub trait AsyncHostFunction<A, R>: Send + Sync + 'static {
    /// Calls it.
    fn call(&self, call: &mut HostCall<'_>, arguments: A) -> impl Future<Output = R> + Send + 'static;
}

impl<A, R, F, Later> AsyncHostFunction<A, R> for F
where
    F: Fn(&mut HostCall<'_>, A) -> Later + Send + Sync + 'static,
    Later: Future<Output = R> + Send + 'static,
{
    fn call(&self, call: &mut HostCall<'_>, arguments: A) -> impl Future<Output = R> + Send + 'static {
        self(call, arguments)
    }
}

/// An argument of a host function as a core module gives it: a number, or a pointer and a length.
pub trait CoreArgument: Sized {
    /// The numbers that it takes.
    const TYPES: &'static [NumberType];

    /// Reads it from so many numbers.
    ///
    /// # Errors
    /// It is not in the guest's memory, or no UTF-8 where it is a text.
    fn read(call: &HostCall<'_>, numbers: &[Number]) -> Result<Self, HostError>;
}

macro_rules! number {
    ($($ty:ty: $kind:ident as $($from:ident)?;)+) => {$(
        impl CoreArgument for $ty {
            const TYPES: &'static [NumberType] = &[NumberType::$kind];

            fn read(_: &HostCall<'_>, numbers: &[Number]) -> Result<Self, HostError> {
                match numbers {
                    [Number::$kind(number)] => Ok((*number)$(.$from())?),
                    _ => Err(unlike()),
                }
            }
        }
    )+};
}

number! {
    i32: I32 as;
    u32: I32 as cast_unsigned;
    i64: I64 as;
    u64: I64 as cast_unsigned;
    f32: F32 as;
    f64: F64 as;
}

impl CoreArgument for bool {
    const TYPES: &'static [NumberType] = &[NumberType::I32];

    fn read(call: &HostCall<'_>, numbers: &[Number]) -> Result<Self, HostError> {
        i32::read(call, numbers).map(|number| number != 0)
    }
}

impl CoreArgument for Vec<u8> {
    const TYPES: &'static [NumberType] = &[NumberType::I32, NumberType::I32];

    fn read(call: &HostCall<'_>, numbers: &[Number]) -> Result<Self, HostError> {
        let [Number::I32(pointer), Number::I32(length)] = numbers else { return Err(unlike()) };
        Ok(call.read(pointer.cast_unsigned(), length.cast_unsigned())?.to_vec())
    }
}

impl CoreArgument for String {
    const TYPES: &'static [NumberType] = &[NumberType::I32, NumberType::I32];

    fn read(call: &HostCall<'_>, numbers: &[Number]) -> Result<Self, HostError> {
        let [Number::I32(pointer), Number::I32(length)] = numbers else { return Err(unlike()) };
        Ok(call.read_text(pointer.cast_unsigned(), length.cast_unsigned())?.to_owned())
    }
}

/// The arguments of a host function: a tuple of [`CoreArgument`]s.
pub trait CoreArguments: Sized {
    /// The numbers that they take together.
    fn types() -> Vec<NumberType>;

    /// Reads them.
    ///
    /// # Errors
    /// As [`CoreArgument::read`].
    fn read(call: &HostCall<'_>, numbers: &[Number]) -> Result<Self, HostError>;
}

macro_rules! arguments {
    ($($($name:ident)*;)+) => {$(
        impl<$($name: CoreArgument),*> CoreArguments for ($($name,)*) {
            fn types() -> Vec<NumberType> {
                let types: &[&[NumberType]] = &[$($name::TYPES),*];
                types.concat()
            }

            #[allow(unused_variables, unused_assignments, unused_mut, non_snake_case, reason = "of no arguments too")]
            fn read(call: &HostCall<'_>, mut numbers: &[Number]) -> Result<Self, HostError> {
                $(
                    let (those, rest) = numbers.split_at_checked($name::TYPES.len()).ok_or_else(unlike)?;
                    let $name = $name::read(call, those)?;
                    numbers = rest;
                )*
                Ok(($($name,)*))
            }
        }
    )+};
}

arguments! {
    ;
    A;
    A B;
    A B C;
    A B C D;
    A B C D E;
    A B C D E F;
    A B C D E F G;
    A B C D E F G H;
}

/// What a host function gives a core module: nothing, a number, or a `Result` of one.
pub trait CoreResult {
    /// The numbers that it is.
    const TYPES: &'static [NumberType];

    /// Hands it over.
    ///
    /// # Errors
    /// The function failed.
    fn write(self, results: &mut [Number]) -> Result<(), HostError>;
}

impl CoreResult for () {
    const TYPES: &'static [NumberType] = &[];

    fn write(self, _: &mut [Number]) -> Result<(), HostError> {
        Ok(())
    }
}

macro_rules! result {
    ($($ty:ty: $kind:ident as $($into:ident)?;)+) => {$(
        impl CoreResult for $ty {
            const TYPES: &'static [NumberType] = &[NumberType::$kind];

            fn write(self, results: &mut [Number]) -> Result<(), HostError> {
                let [result] = results else { return Err(unlike()) };
                *result = Number::$kind(self$(.$into())?);
                Ok(())
            }
        }
    )+};
}

result! {
    i32: I32 as;
    u32: I32 as cast_signed;
    i64: I64 as;
    u64: I64 as cast_signed;
    f32: F32 as;
    f64: F64 as;
    bool: I32 as into;
}

impl<R: CoreResult, E: Into<HostError>> CoreResult for Result<R, E> {
    const TYPES: &'static [NumberType] = R::TYPES;

    fn write(self, results: &mut [Number]) -> Result<(), HostError> {
        self.map_err(Into::into)?.write(results)
    }
}

fn signature<A: CoreArguments, R: CoreResult>() -> Signature {
    Signature { params: A::types(), results: R::TYPES.to_vec() }
}

pub(crate) fn core<A: CoreArguments, R: CoreResult>(function: impl HostFunction<A, R>) -> Function {
    Function::default().numbers(Some(signature::<A, R>()), move |call, params, results| {
        let arguments = A::read(call, params)?;
        function.call(call, arguments).write(results)
    })
}

pub(crate) fn core_async<A: CoreArguments, R: CoreResult + Send + 'static>(
    function: impl AsyncHostFunction<A, R>,
) -> Function {
    Function::default().numbers_later(Some(signature::<A, R>()), move |call, params| {
        let later = A::read(call, params).map(|arguments| function.call(call, arguments));
        Box::pin(async move {
            let mut results: Vec<Number> = R::TYPES.iter().map(|ty| Number::zero(*ty)).collect();
            later?.await.write(&mut results)?;
            Ok(results)
        })
    })
}

pub(crate) fn values<A: DeserializeOwned, R: Serialize, E: Into<HostError>>(
    function: impl Fn(&mut HostCall<'_>, A) -> Result<R, E> + Send + Sync + 'static,
) -> Function {
    Function::default().values(move |call, arguments| {
        let given = function(call, read(arguments)?).map_err(Into::into)?;
        written(&given)
    })
}

pub(crate) fn values_async<A, R, E, F>(function: impl Fn(&mut HostCall<'_>, A) -> F + Send + Sync + 'static) -> Function
where
    A: DeserializeOwned,
    R: Serialize,
    E: Into<HostError>,
    F: Future<Output = Result<R, E>> + Send + 'static,
{
    Function::default().values_later(move |call, arguments| {
        let later = read(arguments).map(|arguments| function(call, arguments));
        Box::pin(async move { written(&later?.await.map_err(Into::into)?) })
    })
}

fn read<A: DeserializeOwned>(arguments: &str) -> Result<A, HostError> {
    // A tuple of nothing is `null` to serde.
    let arguments = if arguments == "[]" && serde_json::from_str::<A>("[]").is_err() { "null" } else { arguments };
    serde_json::from_str(arguments)
        .map_err(|error| HostError::Failed(format!("the guest's arguments are not what it takes: {error}")))
}

fn written(given: &impl Serialize) -> Result<String, HostError> {
    serde_json::to_string(given).map_err(|error| HostError::Failed(format!("its result can't be written: {error}")))
}

/// What every plugin is given: a line in the host's log, as `host_log(level, text)` of the module `env`, where 0 is to trace and 4
/// an error, or as `wit/plugin.wit` says. A function of the host of the same name takes its place.
pub(crate) fn built_in() -> Functions {
    const LEVELS: [LogLevel; 5] = [LogLevel::Trace, LogLevel::Debug, LogLevel::Info, LogLevel::Warn, LogLevel::Error];
    let mut functions = Functions::new();
    let to_module = core(|call: &mut HostCall<'_>, (level, message): (u32, String)| {
        call.log(LEVELS.get(level as usize).copied().unwrap_or(LogLevel::Error), &message)
    });
    functions.add("env", "host_log", to_module.of_grant(GrantKind::Stdio));
    let to_component = values(|call: &mut HostCall<'_>, (level, message): (String, String)| {
        let names = ["trace", "debug", "info", "warn", "error"].into_iter().zip(LEVELS);
        let level = names.into_iter().find(|(name, _)| *name == level).map_or(LogLevel::Error, |(_, level)| level);
        call.log(level, &message)
    });
    functions.add("sandbar:plugin/log", "log", to_component.of_grant(GrantKind::Stdio));
    functions
}
