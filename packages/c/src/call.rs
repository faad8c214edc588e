//! What a function of the host may do with the call of a plugin that called it.

use crate::{
    buffer::{self, Buffer},
    callback::{Callback, UserData},
    log,
    pointer::{self, null},
    status::Status,
    value::Value,
};
use sandbar_embed::{
    Denial, GrantKind, HostCall, HostError,
    dynamic::{self, Given, Gives},
};
use std::{
    ffi::{c_char, c_void},
    panic::{AssertUnwindSafe, catch_unwind},
    ptr::null_mut,
};

/// A call of a plugin that called a function of the host. It is there until that function returns, for its thread only.
pub struct Call<'a, 'b> {
    host: &'a mut HostCall<'b>,
    gives: Gives,
    /// What went wrong last.
    problem: Option<HostError>,
    /// Whether it ends the call whatever the function returns.
    failed: bool,
}

/// A function of the host. It may be called on any thread, at one time on several. What it gives its guest it gives by
/// `sandbar_call_give_…`. Where it returns anything but zero, or called `sandbar_call_fail` or `sandbar_call_deny`, the plugin's call
/// ends. It must come back by returning: neither `longjmp` nor an exception of C++ may leave it.
pub type Function = Option<
    extern "C" fn(
        call: *mut Call<'_, '_>,
        arguments: *const Value,
        arguments_count: usize,
        user_data: *mut c_void,
    ) -> i32,
>;

/// The same where there is one.
pub(crate) type Body = extern "C" fn(*mut Call<'_, '_>, *const Value, usize, *mut c_void) -> i32;

/// Lets a function of the host answer its guest.
pub(crate) fn answer(
    callback: &Callback<Body>,
    host: &mut HostCall<'_>,
    given: &Given<'_>,
) -> Result<Gives, HostError> {
    let arguments: Vec<Value> = match given {
        Given::Values(values) => values.iter().map(Value::of).collect(),
        Given::Json(json) => vec![Value::json(json)],
    };
    let mut call = Call { host, gives: Gives::Nothing, problem: None, failed: false };
    let returned = (callback.function)(&raw mut call, arguments.as_ptr(), arguments.len(), callback.user_data());
    let Call { gives, problem, failed, .. } = call;
    match problem {
        _ if returned == Status::Done as i32 && !failed => Ok(gives),
        Some(problem) => Err(problem),
        None => Err(HostError::Failed(format!("it returned {returned} and did not say why"))),
    }
}

impl Call<'_, '_> {
    fn gives(&mut self, gives: Result<Gives, HostError>) -> Result<(), HostError> {
        self.gives = gives?;
        Ok(())
    }
}

/// Does something in a call, and notes what went wrong.
fn within(call: Option<&mut Call<'_, '_>>, body: impl FnOnce(&mut Call<'_, '_>) -> Result<(), HostError>) -> Status {
    let Some(call) = call else { return Status::Argument };
    let done = catch_unwind(AssertUnwindSafe(|| body(&mut *call)));
    match done.unwrap_or_else(|_| Err("the library panicked".into())) {
        Ok(()) => Status::Done,
        Err(problem) => {
            let status = match &problem {
                HostError::Failed(_) => Status::Fault,
                HostError::Denied(_) => Status::Refused,
                HostError::Stopped(_) => Status::Stopped,
            };
            call.problem = Some(problem);
            status
        }
    }
}

/// Reads an argument of C's.
fn given<T>(argument: Result<T, crate::error::Error>) -> Result<T, HostError> {
    argument.map_err(|error| HostError::Failed(error.text().to_owned()))
}

/// Gives the guest true or false.
#[unsafe(no_mangle)]
pub extern "C" fn sandbar_call_give_bool_v1(call: Option<&mut Call<'_, '_>>, value: bool) -> Status {
    within(call, |call| call.gives(Ok(Gives::Value(dynamic::Value::Bool(value)))))
}

/// Gives the guest an integer. One that its type has no room for ends the call.
#[unsafe(no_mangle)]
pub extern "C" fn sandbar_call_give_int_v1(call: Option<&mut Call<'_, '_>>, value: i64) -> Status {
    within(call, |call| call.gives(Ok(Gives::Value(dynamic::Value::Int(value)))))
}

/// Gives the guest an integer without a sign.
#[unsafe(no_mangle)]
pub extern "C" fn sandbar_call_give_uint_v1(call: Option<&mut Call<'_, '_>>, value: u64) -> Status {
    within(call, |call| call.gives(Ok(Gives::Value(dynamic::Value::Uint(value)))))
}

/// Gives the guest a float.
#[unsafe(no_mangle)]
pub extern "C" fn sandbar_call_give_float_v1(call: Option<&mut Call<'_, '_>>, value: f64) -> Status {
    within(call, |call| call.gives(Ok(Gives::Value(dynamic::Value::Float(value)))))
}

/// Gives a plugin of Extism a block of bytes, which are copied.
#[unsafe(no_mangle)]
pub extern "C" fn sandbar_call_give_bytes_v1(
    call: Option<&mut Call<'_, '_>>,
    data: *const c_void,
    length: usize,
) -> Status {
    within(call, |call| {
        let bytes = given(pointer::bytes(data, length, "data"))?;
        call.gives(Ok(Gives::Value(dynamic::Value::Bytes(bytes.to_vec()))))
    })
}

/// Gives a component a value as JSON, which is copied.
#[unsafe(no_mangle)]
pub extern "C" fn sandbar_call_give_json_v1(call: Option<&mut Call<'_, '_>>, json: *const c_char) -> Status {
    within(call, |call| {
        let json = given(pointer::text(json, "json"))?;
        call.gives(Ok(Gives::Json(json.to_owned())))
    })
}

/// Fails: the plugin's call ends as `SANDBAR_FAULT`, and the message is in its error and the log. Gives `SANDBAR_FAULT`, so that a
/// function can return it.
#[unsafe(no_mangle)]
pub extern "C" fn sandbar_call_fail_v1(call: Option<&mut Call<'_, '_>>, message: *const c_char) -> Status {
    within(call, |call| {
        call.failed = true;
        Err(HostError::Failed(given(pointer::text(message, "message"))?.to_owned()))
    })
}

/// Refuses what the guest asked for: the plugin's call ends as `SANDBAR_REFUSED`, and its receipt names what was asked for. Gives
/// `SANDBAR_REFUSED`.
#[unsafe(no_mangle)]
pub extern "C" fn sandbar_call_deny_v1(call: Option<&mut Call<'_, '_>>, asked: *const c_char) -> Status {
    within(call, |call| {
        call.failed = true;
        let asked = given(pointer::text(asked, "asked"))?;
        Err(HostError::Denied(Denial::new(GrantKind::Functions, asked, "")))
    })
}

/// Gives the pointer that the host gave to this call in `sandbar_call_options`, or null.
#[unsafe(no_mangle)]
pub extern "C" fn sandbar_call_context_v1(call: Option<&Call<'_, '_>>) -> *mut c_void {
    call.and_then(|call| call.host.context_as::<UserData>()).map_or(null_mut(), UserData::pointer)
}

/// Writes the name of the call, 32 hexadecimal digits as in its receipt.
#[unsafe(no_mangle)]
pub extern "C" fn sandbar_call_id_v1(call: Option<&mut Call<'_, '_>>, id: *mut Buffer) -> Status {
    within(call, |call| given(buffer::fill(id, call.host.id().to_string().as_bytes())))
}

/// Gives the time at which the call has to have ended, in nanoseconds of `CLOCK_MONOTONIC`; all ones where there is none.
#[unsafe(no_mangle)]
pub extern "C" fn sandbar_call_deadline_ns_v1(call: Option<&Call<'_, '_>>) -> u64 {
    call.map_or(u64::MAX, |call| call.host.deadline_ns())
}

/// Copies bytes out of a core module's memory; they are charged to the call. Fails where they lie outside of it, or a limit is used up.
#[unsafe(no_mangle)]
pub extern "C" fn sandbar_call_read_v1(
    call: Option<&mut Call<'_, '_>>,
    guest_pointer: u32,
    to: *mut c_void,
    length: u32,
) -> Status {
    within(call, |call| {
        let to = given(pointer::bytes_mut(to, length as usize, "to"))?;
        to.copy_from_slice(call.host.read(guest_pointer, length)?);
        Ok(())
    })
}

/// Copies bytes into a core module's memory; they are charged to the call. Fails where they would lie outside of it, or a limit is
/// used up.
#[unsafe(no_mangle)]
pub extern "C" fn sandbar_call_write_v1(
    call: Option<&mut Call<'_, '_>>,
    guest_pointer: u32,
    from: *const c_void,
    length: u32,
) -> Status {
    within(call, |call| {
        let from = given(pointer::bytes(from, length as usize, "from"))?;
        call.host.write(guest_pointer, from)
    })
}

/// Shows all of a core module's memory, to be read and written until the function returns; nothing is charged. The guest can
/// change what it holds, but not at the same time. Fails where the guest exports no memory named `memory`, and for components.
#[unsafe(no_mangle)]
pub extern "C" fn sandbar_call_memory_v1(
    call: Option<&mut Call<'_, '_>>,
    data: *mut *mut u8,
    length: *mut usize,
) -> Status {
    within(call, |call| {
        if data.is_null() || length.is_null() {
            return Err(HostError::Failed(null(if data.is_null() { "data" } else { "length" }).text().to_owned()));
        }
        let memory = call.host.memory()?;
        pointer::set(length, memory.len());
        pointer::set(data, memory.as_mut_ptr());
        Ok(())
    })
}

/// Logs a line for the guest, within its limit of log bytes, at one of `SANDBAR_LOG_…`. Fails where the limit is used up.
#[unsafe(no_mangle)]
pub extern "C" fn sandbar_call_log_v1(
    call: Option<&mut Call<'_, '_>>,
    level: i32,
    message: *const c_char,
    length: usize,
) -> Status {
    within(call, |call| {
        let bytes = given(pointer::bytes(message.cast(), length, "message"))?;
        call.host.log(log::level(level), &String::from_utf8_lossy(bytes))
    })
}
