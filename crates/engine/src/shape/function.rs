//! A function: an export without parameters that reads stdin and writes stdout. Zero, or nothing, returned means done.

use super::Target;
use crate::{
    entry::{AsyncCall, Ended, Inner, Work},
    program::{Program, Streams},
    sandbox::Sandbox,
    stdio::{LogLevel, Read},
};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, header::CONTENT_TYPE};
use sandbar_call::{Body, Outcome, Reply};
use std::sync::Arc;
use wasmtime::{Func, Result, bail, format_err};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const BYTES: HeaderValue = HeaderValue::from_static("application/octet-stream");

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

async fn call(entry: &Arc<Inner>, mut work: Work, input: Body) -> std::result::Result<Bytes, Reply> {
    let (slot, sandbox) = match work.sandbox(Streams::PIPED).await {
        Ok(taken) => taken,
        Err(outcome) => return Err(work.end(outcome)),
    };
    let guest = work.drive(slot, sandbox, FunctionCall { entry: entry.clone(), input });
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
        let state = sandbox.store.data();
        state.stdin.turn(self.input);
        state.stdout.turn(Read::AtTheEnd);
        let function = core_function(&self.entry.target, sandbox)?;
        let code = if let Ok(function) = function.typed::<(), i32>(&sandbox.store) {
            function.call_async(&mut sandbox.store, ()).await?
        } else {
            function.typed::<(), ()>(&sandbox.store)?.call_async(&mut sandbox.store, ()).await?;
            0
        };
        Ok(match code {
            0 => Ended::done(sandbox.store.data().stdout.take_all()),
            code => Ended::with(Outcome::Failed { code: Some(code), message: format!("returned {code}") }),
        })
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
