//! A function: an export without parameters that reads stdin and writes stdout. Zero, or nothing, returned means done.

use super::Target;
use crate::{
    Answer, Held, HeldCall,
    dialect::extism,
    entry::{AsyncCall, Ended, Inner, Work},
    program::{Program, Streams},
    sandbox::Sandbox,
    stdio::{LogLevel, Read},
};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Limited};
use sandbar_call::{Body, Outcome, Reply};
use std::sync::Arc;
use wasmtime::{AsContextMut, Error, Func, Result, TypedFunc, bail, format_err};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const BYTES: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// The most bytes that come as the input of a plugin of Extism from a stream.
const INPUT_BYTES_MAX: usize = 256 << 20;

/// Answers a request: its body on stdin, and 200 with what came on stdout.
pub(crate) async fn answer_http(entry: Arc<Inner>, work: Work, request: Request<Body>) -> Reply {
    match call(&entry, work, request.into_body()).await {
        Ok(output) => {
            let content_type = entry.content_type.clone().unwrap_or_else(|| content_type(&output));
            let mut response = Response::new(Body::from(output));
            response.headers_mut().insert(CONTENT_TYPE, content_type);
            Reply::Http(response)
        }
        Err(reply) => reply,
    }
}

/// Answers with what came on stdout.
pub(crate) async fn answer(entry: Arc<Inner>, work: Work, input: Body) -> Reply {
    call(&entry, work, input).await.map_or_else(|reply| reply, |output| Reply::Output(output.into()))
}

/// Answers in a sandbox that is held.
pub(super) async fn held(
    held: &mut Held,
    entry: &Arc<Inner>,
    input: Body,
    call: HeldCall,
) -> std::result::Result<Answer, Outcome> {
    held.drive(FunctionCall { entry: entry.clone(), input }, call).await.map(Answer::Output)
}

async fn call(entry: &Arc<Inner>, mut work: Work, input: Body) -> std::result::Result<Bytes, Reply> {
    let sandbox = match work.sandbox(Streams::PIPED).await {
        Ok(sandbox) => sandbox,
        Err(outcome) => return Err(work.end(outcome)),
    };
    let guest = work.drive(sandbox, FunctionCall { entry: entry.clone(), input });
    let Ended { outcome, answer } = work.ended(guest.await);
    match (outcome, answer) {
        (Outcome::Done, Some(output)) => {
            if output.is_empty() {
                work.log(LogLevel::Info, "the function ended well and wrote nothing to stdout; hint: a reactor never exits, so end with `std::io::stdout().flush()`");
            }
            work.settle(Outcome::Done);
            Ok(output)
        }
        (outcome, _) => Err(work.end(outcome)),
    }
}

struct FunctionCall {
    entry: Arc<Inner>,
    input: Body,
}

impl AsyncCall<Bytes> for FunctionCall {
    async fn call(self, _: &Program, sandbox: &mut Sandbox) -> Result<Ended<Bytes>> {
        if sandbox.store.data().extism.is_some() {
            return self.call_extism(sandbox).await;
        }
        let state = sandbox.store.data();
        state.stdin.turn(self.input);
        state.stdout.turn(Read::AtTheEnd);
        let code = code_of(&self.entry.target, sandbox).await?;
        Ok(match code {
            0 => Ended::done(sandbox.store.data().stdout.take_all()),
            code => Ended::with(Outcome::Failed { code: Some(code), message: format!("returned {code}") }),
        })
    }
}

impl FunctionCall {
    /// Calls a function of a plugin of Extism: input, output and error are blocks of its memory.
    async fn call_extism(self, sandbox: &mut Sandbox) -> Result<Ended<Bytes>> {
        let input = match self.input {
            Body::Whole(bytes) => bytes,
            body => {
                Box::pin(Limited::new(body, INPUT_BYTES_MAX).collect()).await.map_err(Error::from_boxed)?.to_bytes()
            }
        };
        extism::begin(&mut sandbox.store.as_context_mut(), &input)?;
        let code = code_of(&self.entry.target, sandbox).await?;
        let store = sandbox.store.as_context_mut();
        match (code, extism::error(&store)?) {
            (0, None) => Ok(Ended::done(extism::output(&store)?.into())),
            (code, Some(message)) => Ok(Ended::with(Outcome::Failed { code: Some(code), message })),
            (code, None) => Ok(Ended::with(Outcome::Failed { code: Some(code), message: format!("returned {code}") })),
        }
    }
}

/// A function that was looked up in a sandbox, where it stays for the next call of it.
pub(crate) struct Function {
    /// The name of the target that it is, the very same string.
    name: Arc<str>,
    ty: Type,
}

enum Type {
    Code(TypedFunc<(), i32>),
    Nothing(TypedFunc<(), ()>),
}

impl Function {
    fn find(target: &Target, sandbox: &mut Sandbox) -> Result<Function> {
        let Target::CoreFunction { name, .. } = target else { bail!("expected an export of a core module") };
        let function = core_function(target, sandbox)?;
        let ty = match function.typed(&sandbox.store) {
            Ok(function) => Type::Code(function),
            Err(_) => Type::Nothing(function.typed(&sandbox.store)?),
        };
        Ok(Function { name: name.clone(), ty })
    }

    fn is(&self, target: &Target) -> bool {
        matches!(target, Target::CoreFunction { name, .. } if Arc::ptr_eq(name, &self.name))
    }
}

/// Calls the function that a target names, and gives what it returned: zero where that is nothing.
async fn code_of(target: &Target, sandbox: &mut Sandbox) -> Result<i32> {
    let function = match sandbox.function.take().filter(|function| function.is(target)) {
        Some(function) => function,
        None => Function::find(target, sandbox)?,
    };
    match &sandbox.function.insert(function).ty {
        Type::Code(function) => function.call_async(&mut sandbox.store, ()).await,
        Type::Nothing(function) => function.call_async(&mut sandbox.store, ()).await.map(|()| 0),
    }
}

/// The core function that a target names, in a sandbox.
pub(super) fn core_function(target: &Target, sandbox: &mut Sandbox) -> Result<Func> {
    let Target::CoreFunction { name, export } = target else { bail!("expected an export of a core module") };
    let instance = sandbox.core()?;
    let export = instance.get_module_export(&mut sandbox.store, export).and_then(wasmtime::Extern::into_func);
    export.ok_or_else(|| format_err!("the guest has no function `{name}`"))
}

/// JSON when it parses as JSON, text when it is UTF-8, bytes otherwise.
fn content_type(output: &[u8]) -> HeaderValue {
    if serde_json::from_slice::<serde::de::IgnoredAny>(output).is_ok() {
        JSON
    } else if std::str::from_utf8(output).is_ok() {
        TEXT
    } else {
        BYTES
    }
}
