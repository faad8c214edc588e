//! How a guest is called: one file for each shape. Each turns an event into the guest's own terms and its answer back.

mod command;
mod exchange;
mod function;
mod http;
mod typed;

pub(crate) use function::Function;

use crate::{
    Answer, Entry, Held, HeldCall,
    entry::{Inner, Work},
    error::LoadError,
    held::refused,
    program::{Linked, Program},
};
use sandbar_call::{Arguments, Body, Outcome, Reply, Shape, Stdio};
use std::sync::Arc;
use wasmtime::{ModuleExport, component::ComponentExportIndex};
use wasmtime_wasi::{p2, p3};
use wasmtime_wasi_http::{p2 as http2, p3 as http3};

/// The export that a shape calls, looked up once.
pub(crate) enum Target {
    /// `_start`, or a function over stdin and stdout.
    CoreFunction {
        name: Arc<str>,
        export: ModuleExport,
    },
    /// A function of a component.
    ComponentFunction {
        name: Arc<str>,
        export: ComponentExportIndex,
    },
    /// The end of a resource of a component that its host has a handle of.
    ResourceDrop,
    Command02(p2::bindings::CommandIndices),
    Command03(p3::bindings::CommandIndices),
    Http02(http2::bindings::ProxyIndices),
    Http03(http3::bindings::ServiceIndices),
}

/// The name under which the host of a component drops a resource, by its handle.
pub(crate) const RESOURCE_DROP: &str = "[resource-drop]";

impl Target {
    /// Looks the export of a shape up.
    pub(crate) fn find(program: &Program, shape: Shape, export: Option<&str>) -> Result<Target, LoadError> {
        let missing = |name: &str| LoadError::Export(name.to_owned());
        match (program.linked(), shape) {
            (Linked::Core(pre), Shape::Command | Shape::Function | Shape::Typed) => {
                let name = export.unwrap_or("_start");
                let export = pre.module().get_export_index(name).ok_or_else(|| missing(name))?;
                Ok(Target::CoreFunction { name: name.into(), export })
            }
            (Linked::Component(_), Shape::Typed) if export == Some(RESOURCE_DROP) => Ok(Target::ResourceDrop),
            (Linked::Component(pre), Shape::Typed) => {
                let name = export.unwrap_or_default();
                let component = pre.component();
                let export = match name.rsplit_once('#') {
                    Some((interface, function)) => component
                        .get_export_index(None, interface)
                        .and_then(|interface| component.get_export_index(Some(&interface), function)),
                    None => component.get_export_index(None, name),
                };
                Ok(Target::ComponentFunction { name: name.into(), export: export.ok_or_else(|| missing(name))? })
            }
            (Linked::Component(pre), Shape::Command) => match p2::bindings::CommandIndices::new(pre) {
                Ok(indices) => Ok(Target::Command02(indices)),
                Err(_) => {
                    p3::bindings::CommandIndices::new(pre).map(Target::Command03).map_err(|_| missing("wasi:cli/run"))
                }
            },
            (Linked::Component(pre), Shape::Http) => match http2::bindings::ProxyIndices::new(pre) {
                Ok(indices) => Ok(Target::Http02(indices)),
                Err(_) => http3::bindings::ServiceIndices::new(pre)
                    .map(Target::Http03)
                    .map_err(|_| missing("wasi:http/handler")),
            },
            (Linked::Core(_), Shape::Http) => Err(missing("wasi:http/incoming-handler")),
            (Linked::Component(_), Shape::Function) => Err(missing("a function over stdin and stdout")),
        }
    }
}

/// Answers a request, whatever the guest's shape.
pub(crate) async fn http(entry: Arc<Inner>, work: Work, request: ::http::Request<Body>) -> Reply {
    match entry.shape {
        Shape::Http => http::answer(entry, work, request).await,
        Shape::Function => function::answer_http(entry, work, request).await,
        // In boxes: what moves with a request is as large as the largest of these.
        Shape::Typed => Box::pin(typed::answer_http(entry, work, request)).await,
        Shape::Command => Box::pin(command::answer_http(entry, work, request)).await,
    }
}

/// Calls an export.
pub(crate) async fn export(entry: Arc<Inner>, work: Work, arguments: Arguments) -> Reply {
    match (entry.shape, arguments) {
        (Shape::Function, Arguments::Stdin(input)) => function::answer(entry, work, input).await,
        (Shape::Typed, Arguments::Json(json)) => typed::answer_json(entry, work, json).await,
        (Shape::Typed, Arguments::Texts { texts, result }) => typed::answer_texts(entry, work, texts, result).await,
        (Shape::Typed, Arguments::Stdin(_)) => work.refuse("the export takes typed arguments, not stdin"),
        (Shape::Function, _) => work.refuse("the export takes stdin, not arguments"),
        (Shape::Command | Shape::Http, _) => {
            work.refuse(format!("expected an export, found a `{}`", entry.shape.key()))
        }
    }
}

/// Calls an export in a sandbox that is held.
pub(crate) async fn held(
    held: &mut Held,
    entry: &Entry,
    arguments: Arguments,
    call: HeldCall,
) -> Result<Answer, Outcome> {
    let entry = entry.inner();
    match (entry.shape, arguments) {
        (Shape::Function, Arguments::Stdin(input)) => function::held(held, entry, input, call).await,
        (Shape::Typed, Arguments::Json(json)) => typed::held(held, entry, json, call).await,
        (Shape::Function, _) => Err(refused("the export takes stdin, not arguments".into())),
        (Shape::Typed, _) => Err(refused("the export takes a JSON array of arguments".into())),
        (Shape::Command | Shape::Http, _) => {
            Err(refused(format!("expected an export, found a `{}`", entry.shape.key())))
        }
    }
}

/// Runs a command.
pub(crate) async fn command(entry: Arc<Inner>, work: Work, args: Vec<String>, stdio: Stdio) -> Reply {
    match entry.shape {
        Shape::Command => command::run(entry, work, args, stdio).await,
        Shape::Function | Shape::Typed | Shape::Http => {
            work.refuse(format!("expected a command, found a guest of shape `{}`", entry.shape.key()))
        }
    }
}
