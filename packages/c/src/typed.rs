//! Functions of core modules that take and give numbers, without JSON.
//!
//! Each type of a function is compiled by itself, so there is a bound to how many there are: any two numbers, or three or four of one
//! type. The alternative, calls by numbers whose types are looked at in each, is ten times as slow.

use crate::{
    error::Error,
    plugin::Plugin,
    pointer::{self, handle, null},
    status::{Status, always, ends},
};
use sandbar_embed::CallError;
use std::ffi::c_char;

/// A number, of the type that the function's form says.
#[repr(C)]
#[derive(Clone, Copy)]
pub union Number {
    /// Of an `i32` or `u32`.
    pub i32: i32,
    /// Of an `i64` or `u64`.
    pub i64: i64,
    /// Of an `f32`.
    pub f32: f32,
    /// Of an `f64`.
    pub f64: f64,
}

/// A function of a plugin that takes and gives numbers, found once. Any thread can use it. It keeps its plugin, and finds itself again
/// where that was replaced.
pub struct Typed {
    function: Calls,
    /// How many numbers it takes.
    params: usize,
}

/// Calls it; `None` where there are not as many numbers as it takes.
type Calls = Box<dyn Fn(&[Number]) -> Option<Result<Number, CallError>> + Send + Sync>;

/// A type of numbers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    I32,
    I64,
    F32,
    F64,
}

/// A number of Rust's.
trait Scalar: Copy {
    fn of(number: Number) -> Self;
    fn number(self) -> Number;
}

macro_rules! scalars {
    ($($ty:ident)+) => {$(
        impl Scalar for $ty {
            fn of(number: Number) -> $ty {
                // SAFETY: by the header all of it was written, or the part that the form says, and any bits are a number.
                unsafe { number.$ty }
            }

            fn number(self) -> Number {
                Number { $ty: self }
            }
        }
    )+};
}

scalars!(i32 i64 f32 f64);

/// What a function takes.
trait Arguments: Sized {
    fn read(numbers: &[Number]) -> Option<Self>;
}

macro_rules! arguments {
    ($($($name:ident)*;)+) => {$(
        impl<$($name: Scalar),*> Arguments for ($($name,)*) {
            #[allow(non_snake_case, reason = "a variable for each type")]
            fn read(numbers: &[Number]) -> Option<Self> {
                let [$($name),*] = numbers else { return None };
                Some(($($name::of(*$name),)*))
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
}

/// Runs a piece of code for a type that is known now.
macro_rules! by_kind {
    ($kind:expr, $ty:ident => $body:expr) => {
        match $kind {
            Kind::I32 => {
                type $ty = i32;
                $body
            }
            Kind::I64 => {
                type $ty = i64;
                $body
            }
            Kind::F32 => {
                type $ty = f32;
                $body
            }
            Kind::F64 => {
                type $ty = f64;
                $body
            }
        }
    };
}

/// Finds a function of one type.
macro_rules! typed {
    ($plugin:expr, $name:expr, $result:expr, ($($param:ident)*)) => {
        match $result {
            None => {
                let function = $plugin.typed::<($($param,)*), ()>($name)?;
                Box::new(move |numbers: &[Number]| Some(function.call(Arguments::read(numbers)?).map(|()| Number { i64: 0 })))
                    as Calls
            }
            Some(kind) => by_kind!(kind, R => {
                let function = $plugin.typed::<($($param,)*), R>($name)?;
                Box::new(move |numbers: &[Number]| Some(function.call(Arguments::read(numbers)?).map(Scalar::number))) as Calls
            }),
        }
    };
}

fn find(plugin: &sandbar_embed::Plugin, name: &str, params: &[Kind], result: Option<Kind>) -> Result<Calls, Error> {
    Ok(match params {
        [] => typed!(plugin, name, result, ()),
        [a] => by_kind!(*a, A => typed!(plugin, name, result, (A))),
        [a, b] => by_kind!(*a, A => by_kind!(*b, B => typed!(plugin, name, result, (A B)))),
        [a, b, c] if a == b && b == c => by_kind!(*a, A => typed!(plugin, name, result, (A A A))),
        [a, b, c, d] if a == b && b == c && c == d => by_kind!(*a, A => typed!(plugin, name, result, (A A A A))),
        _ => {
            let most = "`form`: expected up to two numbers, or three or four of one type; hint: call it by \
                        `sandbar_plugin_call_json`";
            return Err(Error::argument(most));
        }
    })
}

/// Reads a form such as `(i32, i64) -> f64`.
fn read(form: &str) -> Result<(Box<[Kind]>, Option<Kind>), Error> {
    let wrong = || {
        let found = form.escape_debug();
        Error::argument(&format!("`form`: expected numbers such as `(i32, f64) -> i64`, found `{found}`"))
    };
    let kind = |name: &str| match name.trim() {
        "i32" => Ok(Kind::I32),
        "i64" => Ok(Kind::I64),
        "f32" => Ok(Kind::F32),
        "f64" => Ok(Kind::F64),
        _ => Err(wrong()),
    };
    let (params, result) = form.trim().strip_prefix('(').and_then(|rest| rest.split_once(')')).ok_or_else(wrong)?;
    let params = match params.trim() {
        "" => Box::default(),
        params => params.split(',').map(kind).collect::<Result<_, _>>()?,
    };
    let result = match result.trim() {
        "" => None,
        result => Some(kind(result.strip_prefix("->").ok_or_else(wrong)?)?),
    };
    Ok((params, result))
}

/// Finds a function of a core module by its name and form, such as `(i32, i64) -> f64`, or `(i32)` where it gives nothing. It may take
/// up to two numbers of any types, or three or four of one type. The plugin has to be held. It is freed by `sandbar_typed_free`.
#[unsafe(no_mangle)]
pub extern "C" fn sandbar_plugin_typed_v1(
    plugin: Option<&Plugin>,
    export_name: *const c_char,
    form: *const c_char,
    typed: *mut *mut Typed,
    error: *mut *mut Error,
) -> Status {
    ends(error, || {
        pointer::give(typed, None);
        let (plugin, name) = (handle(plugin, "plugin")?, pointer::text(export_name, "export_name")?);
        let (params, result) = read(pointer::text(form, "form")?)?;
        if typed.is_null() {
            return Err(null("typed"));
        }
        let function = find(&plugin.0, name, &params, result)?;
        pointer::give(typed, Some(Typed { function, params: params.len() }));
        Ok(())
    })
}

/// Calls a function on this thread, with as many numbers as it takes. What it gives is written to `result`, which may be null.
#[unsafe(no_mangle)]
pub extern "C" fn sandbar_typed_call_v1(
    typed: Option<&Typed>,
    arguments: *const Number,
    arguments_count: usize,
    result: *mut Number,
    error: *mut *mut Error,
) -> Status {
    ends(error, || {
        let typed = handle(typed, "typed")?;
        let count = typed.params;
        if arguments_count != count {
            let message = format!("`arguments_count`: expected {count}, found {arguments_count}");
            return Err(Error::argument(&message));
        }
        let called = (typed.function)(pointer::array(arguments, arguments_count, "arguments")?);
        pointer::set(result, called.ok_or_else(|| Error::bug("numbers were lost"))??);
        Ok(())
    })
}

/// Frees a function that was found; null is none.
#[unsafe(no_mangle)]
pub extern "C" fn sandbar_typed_free_v1(typed: Option<Box<Typed>>) {
    always(|| drop(typed));
}
