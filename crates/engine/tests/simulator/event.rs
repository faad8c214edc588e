//! Turns an arrival into the event that the engine is given.

use crate::{
    canary::Canary,
    guest::{Form, Guest, Steps},
    peer::Ports,
    plan::{Arrival, Ask, CliAsk, HttpAsk, Input, Tenant},
};
use bytes::Bytes;
use futures::stream;
use http_body::Frame;
use http_body_util::StreamBody;
use sandbar_call::{Arguments, Body, BodyError, Event, Notation, Stdio};
use std::{future::pending, time::Duration};

pub(crate) fn of(arrival: &Arrival, tenant: &Tenant, canary: Canary, ports: &Ports) -> Event {
    let more = if let Ask::Http(HttpAsk::Echo(more)) = arrival.ask { more as usize } else { 0 };
    let input = || input(arrival.input, canary, more);
    let is_typed = matches!(tenant.versions[0], Guest::Steps(Steps { form: Form::Typed, .. }));
    match &arrival.ask {
        Ask::Steps if is_typed => typed(canary),
        Ask::Misfit if !is_typed => typed(canary),
        Ask::Steps if matches!(tenant.versions[0], Guest::Steps(Steps { form: Form::Function, .. })) => {
            Event::Export { arguments: Arguments::Stdin(input()), context: None }
        }
        Ask::Steps | Ask::Misfit | Ask::Hold(_) => command(vec!["guest".into()], input()),
        Ask::StepsByHttp => request("/", canary, input()),
        Ask::Http(HttpAsk::Echo(_)) => request("/", canary, input()),
        Ask::Http(ask) => request(&target(ask, canary, ports), canary, Body::Empty),
        Ask::Cli(ask) => command(words(ask, canary, ports), input()),
    }
}

fn typed(canary: Canary) -> Event {
    let texts = canary.numbers().map(|number| number.to_string()).to_vec();
    Event::Export { arguments: Arguments::Texts { texts, result: Notation::Wave }, context: None }
}

fn command(args: Vec<String>, input: Body) -> Event {
    Event::Command { args, stdio: Stdio::Piped(input) }
}

fn request(target: &str, canary: Canary, body: Body) -> Event {
    let request = http::Request::post(target).header("host", "localhost").header("x-canary", canary.to_string());
    Event::Http(request.body(body).unwrap())
}

/// The canary and so many bytes more.
fn input(input: Input, canary: Canary, more: usize) -> Body {
    let text = format!("{canary}{}", ".".repeat(more));
    let piece = |range: std::ops::Range<usize>| Ok(Frame::data(Bytes::copy_from_slice(&text.as_bytes()[range])));
    match input {
        Input::Whole => text.into(),
        Input::InPieces(pause_ms) => {
            let pieces = [piece(0..1), piece(1..7), piece(7..16 + more)];
            Body::stream(StreamBody::new(Box::pin(stream::unfold(pieces.into_iter(), move |mut pieces| async move {
                tokio::time::sleep(Duration::from_millis(pause_ms.into())).await;
                Some((pieces.next()?, pieces))
            }))))
        }
        Input::Breaks => {
            let broken: Result<Frame<Bytes>, BodyError> = Err("the client went away".into());
            Body::stream(StreamBody::new(stream::iter([piece(0..8), broken])))
        }
        Input::Never => Body::stream(StreamBody::new(Box::pin(stream::once(pending())))),
    }
}

/// Path and query of a request.
fn target(ask: &HttpAsk, canary: Canary, ports: &Ports) -> String {
    match ask {
        HttpAsk::Echo(_) => "/".into(),
        HttpAsk::Headers => "/headers".into(),
        HttpAsk::Env => "/env".into(),
        HttpAsk::Status(code) => format!("/status/{code}"),
        HttpAsk::Stream { chunks, ms } => format!("/stream?n={chunks}&ms={ms}"),
        HttpAsk::Big(bytes) => format!("/big?bytes={bytes}"),
        HttpAsk::Sleep(ms) => format!("/sleep?ms={ms}"),
        HttpAsk::Fetch(host, manner) => format!("/fetch?url=http://{}:{}/{canary}", host.text(), ports[manner]),
        HttpAsk::Spin => "/spin".into(),
        HttpAsk::Panic => "/panic".into(),
        HttpAsk::Nothing => "/nothing".into(),
        HttpAsk::Twice => "/twice".into(),
    }
}

/// A command line.
fn words(ask: &CliAsk, canary: Canary, ports: &Ports) -> Vec<String> {
    let kept = Canary::of_tenant(canary.tenant).to_string();
    let words = match ask {
        CliAsk::Echo => vec!["echo".into(), canary.to_string()],
        CliAsk::Cat => vec!["cat".into()],
        CliAsk::Env => vec!["env".into()],
        CliAsk::Ls(path) => vec!["ls".into(), path.to_string()],
        CliAsk::Read(path) => vec!["read".into(), path.to_string()],
        CliAsk::Write(path) => vec!["write".into(), path.to_string(), kept],
        CliAsk::Append(path, bytes) => vec!["append".into(), path.to_string(), bytes.to_string()],
        CliAsk::Truncate(path, bytes) => vec!["truncate".into(), path.to_string(), bytes.to_string()],
        CliAsk::Mkdir(path) => vec!["mkdir".into(), path.to_string()],
        CliAsk::Rm(path) => vec!["rm".into(), path.to_string()],
        CliAsk::Rename(from, to) => vec!["rename".into(), from.to_string(), to.to_string()],
        CliAsk::Symlink(target, path) => vec!["symlink".into(), target.to_string(), path.to_string()],
        CliAsk::OpenMany(path, count) => vec!["open-many".into(), path.to_string(), count.to_string()],
        CliAsk::Tcp(manner) => vec!["tcp".into(), format!("127.0.0.1:{}", ports[manner])],
        CliAsk::Lookup(host) => vec!["lookup".into(), host.text().into()],
        CliAsk::Exit(code) => vec!["exit".into(), code.to_string()],
        CliAsk::Panic => vec!["panic".into(), canary.to_string()],
        CliAsk::Spin => vec!["spin".into()],
        CliAsk::Sleep(ms) => vec!["sleep".into(), ms.to_string()],
        CliAsk::Grow(bytes) => vec!["grow".into(), bytes.to_string()],
        CliAsk::Random(bytes) => vec!["random".into(), bytes.to_string()],
        CliAsk::Stdout(bytes) => vec!["stdout".into(), bytes.to_string()],
        CliAsk::Stderr(bytes) => vec!["stderr".into(), bytes.to_string()],
    };
    [vec!["guest".into()], words].concat()
}
