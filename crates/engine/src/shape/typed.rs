//! Typed calls: an export with arguments, as JSON or WAVE in and out.

use super::{Target, function::core_function};
use crate::{
    Answer, Held, HeldCall,
    entry::{AsyncCall, Ended, Inner, Work},
    program::{Program, Streams},
    sandbox::Sandbox,
    values::{
        ArgumentSpace, ComponentSignature, CoreArgument, CoreSignature, Given, PlaceError, ValueError, ValueErrorKind,
    },
};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Limited};
use sandbar_call::{Body, Notation, Outcome, Refusal, Reply, Resource};
use std::sync::Arc;
use wasmtime::{Result, Val, bail, component, format_err};

/// The largest request body that holds arguments, in bytes.
const ARGUMENTS_BYTES_MAX: usize = 16 << 20;
/// The longest result as text where the output is not limited, in bytes.
const RESULT_BYTES_MAX: u64 = 64 << 20;

/// Answers a request: a JSON array of arguments as its body, and 200 with the result as JSON.
pub(crate) async fn answer_http(entry: Arc<Inner>, work: Work, request: Request<Body>) -> Reply {
    let body = Limited::new(request.into_body(), ARGUMENTS_BYTES_MAX);
    let arguments = match work.in_time(body.collect()).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) => return work.refuse(format!("the arguments can't be read: {error}")),
        Err(outcome) => return work.end(outcome),
    };
    match call(&entry, work, Texts::Json(arguments)).await {
        Ok(result) => {
            let mut response = Response::new(Body::from(result));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            Reply::Http(response)
        }
        Err(reply) => reply,
    }
}

/// Answers with the result as JSON.
pub(crate) async fn answer_json(entry: Arc<Inner>, work: Work, arguments: Bytes) -> Reply {
    call(&entry, work, Texts::Json(arguments)).await.map_or_else(|reply| reply, Reply::Value)
}

/// Answers with the result in the notation that is asked for.
pub(crate) async fn answer_texts(entry: Arc<Inner>, work: Work, texts: Vec<String>, result: Notation) -> Reply {
    call(&entry, work, Texts::Each(texts, result)).await.map_or_else(|reply| reply, Reply::Value)
}

/// Answers in a sandbox that is held.
pub(super) async fn held(
    held: &mut Held,
    entry: &Arc<Inner>,
    arguments: Bytes,
    call: HeldCall,
) -> std::result::Result<Answer, Outcome> {
    let result = held.drive(TypedCall { entry: entry.clone(), arguments: Texts::Json(arguments) }, call).await?;
    match held.meter().charge(Resource::Output, result.len() as u64) {
        Ok(()) => Ok(Answer::Value(result)),
        Err(stop) => Err(Outcome::Stopped { limit: stop.0 }),
    }
}

async fn call(entry: &Arc<Inner>, mut work: Work, arguments: Texts) -> std::result::Result<String, Reply> {
    let sandbox = match work.sandbox(Streams::PIPED).await {
        Ok(sandbox) => sandbox,
        Err(outcome) => return Err(work.end(outcome)),
    };
    let guest = work.drive(sandbox, TypedCall { entry: entry.clone(), arguments });
    let Ended { outcome, answer } = work.ended(guest.await);
    match (outcome, answer) {
        (Outcome::Done, Some(result)) => {
            let written = work.meter().charge(Resource::Output, result.len() as u64);
            if let Err(stop) = written {
                return Err(work.end(Outcome::Stopped { limit: stop.0 }));
            }
            work.settle(Outcome::Done);
            Ok(result)
        }
        (outcome, _) => Err(work.end(outcome)),
    }
}

enum Texts {
    Json(Bytes),
    Each(Vec<String>, Notation),
}

impl Texts {
    fn given(&self) -> Given<'_> {
        match self {
            Texts::Json(json) => Given::Json(json),
            Texts::Each(texts, _) => Given::Wave(texts),
        }
    }

    fn notation(&self) -> Notation {
        match self {
            Texts::Json(_) => Notation::Json,
            Texts::Each(_, notation) => *notation,
        }
    }
}

struct TypedCall {
    entry: Arc<Inner>,
    arguments: Texts,
}

impl AsyncCall<String> for TypedCall {
    async fn call(self, _: &Program, sandbox: &mut Sandbox) -> Result<Ended<String>> {
        match &self.entry.target {
            Target::CoreFunction { name, .. } => call_core(&self.entry, name, &self.arguments, sandbox).await,
            Target::ComponentFunction { name, export } => {
                let instance = sandbox.component()?;
                let function = instance.get_func(&mut sandbox.store, export);
                let function = function.ok_or_else(|| format_err!("the guest has no function `{name}`"))?;
                call_component(name, function, &self.arguments, sandbox).await
            }
            Target::ResourceDrop => drop_resource(&self.arguments, sandbox).await,
            Target::Command02(_) | Target::Command03(_) | Target::Http02(_) | Target::Http03(_) => {
                bail!("expected an export with arguments")
            }
        }
    }
}

async fn call_core(entry: &Inner, name: &str, given: &Texts, sandbox: &mut Sandbox) -> Result<Ended<String>> {
    let function = core_function(&entry.target, sandbox)?;
    let signature = CoreSignature::of(name, &function.ty(&sandbox.store));
    let arguments = match signature.arguments(given.given()) {
        Ok(arguments) => arguments,
        Err(error) => return Ok(unfit(&error)),
    };
    let instance = sandbox.core()?;
    if let Some(space) = &mut sandbox.space {
        space.clear();
    }
    let mut params = Vec::with_capacity(arguments.len() + 1);
    for argument in arguments {
        match argument {
            CoreArgument::Value(value) => params.push(value),
            CoreArgument::Bytes { bytes, align, elements } => {
                sandbox.store.data().tap.meter().charge(Resource::BytesIn, bytes.len() as u64)?;
                let pointer = match place(sandbox, instance, &bytes, align).await {
                    Ok(pointer) => pointer,
                    Err(PlaceError::Allocator { error, .. } | PlaceError::Grow(error)) => return Err(error),
                    Err(error) => return Ok(Ended::with(Outcome::Failed { code: None, message: error.to_string() })),
                };
                params.push(Val::I32(pointer.cast_signed()));
                params.push(Val::I32(elements.cast_signed()));
            }
        }
    }
    let mut results = vec![Val::I32(0); signature.results_len()];
    function.call_async(&mut sandbox.store, &params, &mut results).await?;
    if let Some(it) = entry.program.binding().results.get(name) {
        let bytes_max = result_bytes_max(sandbox);
        let memory = sandbox.store.data().memory.map(|memory| memory.data(&sandbox.store)).unwrap_or_default();
        return Ok(written(it.text(name, &results, memory, bytes_max)));
    }
    Ok(written(signature.result_text(&results, given.notation(), result_bytes_max(sandbox))))
}

/// Copies an argument into the guest's memory, at the place that the sandbox keeps for them.
async fn place(
    sandbox: &mut Sandbox,
    instance: wasmtime::Instance,
    bytes: &[u8],
    align: usize,
) -> std::result::Result<u32, PlaceError> {
    let Sandbox { store, space, .. } = sandbox;
    let space = match space {
        Some(space) => space,
        None => space.insert(ArgumentSpace::of(&mut *store, &instance)?),
    };
    space.place(store, bytes, align).await
}

async fn call_component(
    name: &str,
    function: component::Func,
    given: &Texts,
    sandbox: &mut Sandbox,
) -> Result<Ended<String>> {
    let signature = ComponentSignature::of(name, &function.ty(&sandbox.store));
    let arguments = match signature.arguments(given.given(), sandbox.handles.as_mut()) {
        Ok(arguments) => arguments,
        Err(error) => return Ok(unfit(&error)),
    };
    let mut results = vec![component::Val::Bool(false); signature.results_len()];
    function.call_async(&mut sandbox.store, &arguments, &mut results).await?;
    let bytes_max = result_bytes_max(sandbox);
    Ok(written(signature.result_text(&results, given.notation(), bytes_max, &mut sandbox.handles)))
}

/// Ends a resource that the host has a handle of, given as `[{"handle": 1}]`.
async fn drop_resource(given: &Texts, sandbox: &mut Sandbox) -> Result<Ended<String>> {
    #[derive(serde::Deserialize)]
    struct Given {
        handle: u32,
    }
    let Texts::Json(json) = given else { bail!("expected a handle in JSON") };
    let handle = serde_json::from_slice::<[Given; 1]>(json).ok().map(|[Given { handle }]| handle);
    let resource = handle.zip(sandbox.handles.as_mut()).and_then(|(handle, handles)| handles.take(handle));
    let Some(resource) = resource else {
        let message = r#"expected a handle that is there, such as `[{"handle": 1}]`"#.into();
        return Ok(Ended::with(Outcome::Refused { why: Refusal::Event { message } }));
    };
    resource.resource_drop_async(&mut sandbox.store).await?;
    Ok(Ended::done("null".into()))
}

/// The arguments don't fit the export: whoever sent the event is told, and none of the export's code has run.
fn unfit(error: &ValueError) -> Ended<String> {
    let hint = error.hint.as_ref().map(|hint| format!("; hint: {hint}")).unwrap_or_default();
    Ended::with(Outcome::Refused { why: Refusal::Event { message: format!("{error}{hint}") } })
}

fn written(result: std::result::Result<String, ValueError>) -> Ended<String> {
    match result {
        Ok(text) => Ended::done(text),
        Err(error) if error.kind == ValueErrorKind::TooLarge => {
            Ended::with(Outcome::Stopped { limit: Resource::Output })
        }
        Err(error) => Ended::with(Outcome::Failed { code: None, message: error.to_string() }),
    }
}

fn result_bytes_max(sandbox: &Sandbox) -> usize {
    let most = sandbox.store.data().tap.meter().left(Resource::Output).min(RESULT_BYTES_MAX);
    usize::try_from(most).unwrap_or(usize::MAX)
}
