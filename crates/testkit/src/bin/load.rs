//! `load --url http://127.0.0.1:3000/path`: asks a server as fast as it answers and prints how fast that was.

#![forbid(unsafe_code)]

use std::{
    fs,
    io::{self, Write},
    net::ToSocketAddrs,
    path::Path,
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, Result};
use lexopt::prelude::*;
use sandbar_testkit::load::{self, Plan, Summary};

const HELP: &str = "\
Usage: load --url http://HOST:PORT/PATH [--connections 32] [--seconds 3] [--body FILE|TEXT] [--expect TEXT] [--json]

Asks over keep-alive HTTP/1.1 connections, one request at a time on each, from one thread.

      --url URL          where to ask
      --connections N    how many connections ask at one time (32)
      --seconds S        how long (3)
      --body FILE|TEXT   the body of a POST: a file's content, or the text itself; without it, GET
      --expect TEXT      what the first answer must be
      --json             one JSON object instead of lines
";

struct Arguments {
    url: String,
    connections: usize,
    seconds: f64,
    body: Option<Vec<u8>>,
    expected: Option<Vec<u8>>,
    print: fn(&Summary) -> Result<String>,
}

fn main() -> ExitCode {
    match run() {
        Ok(text) => match io::stdout().write_all(text.as_bytes()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        },
        Err(error) => {
            eprintln!("load: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<String> {
    let Some(arguments) = parse()? else { return Ok(HELP.to_owned()) };
    let summary = load::run(&plan(&arguments)?)?;
    (arguments.print)(&summary)
}

fn parse() -> Result<Option<Arguments>> {
    let mut url = None;
    let mut arguments =
        Arguments { url: String::new(), connections: 32, seconds: 3.0, body: None, expected: None, print: text };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("url") => url = Some(parser.value()?.string()?),
            Long("connections") => arguments.connections = parser.value()?.parse()?,
            Long("seconds") => arguments.seconds = parser.value()?.parse()?,
            Long("body") => arguments.body = Some(body(&parser.value()?.string()?)?),
            Long("expect") => arguments.expected = Some(parser.value()?.string()?.into_bytes()),
            Long("json") => arguments.print = json,
            Short('h') | Long("help") => return Ok(None),
            other => return Err(other.unexpected().into()),
        }
    }
    arguments.url = url.context("expected `--url http://HOST:PORT/PATH`")?;
    Ok(Some(arguments))
}

fn body(text: &str) -> Result<Vec<u8>> {
    if Path::new(text).is_file() {
        return fs::read(text).with_context(|| format!("cannot read `{text}`"));
    }
    Ok(text.as_bytes().to_vec())
}

fn plan(arguments: &Arguments) -> Result<Plan> {
    let url = &arguments.url;
    let rest = url.strip_prefix("http://").with_context(|| format!("expected `http://…`, found `{url}`"))?;
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let path = if path.is_empty() { "/" } else { path };
    let mut addresses = host.to_socket_addrs().with_context(|| format!("`{host}` is no HOST:PORT"))?;
    Ok(Plan {
        address: addresses.next().with_context(|| format!("`{host}` has no address"))?,
        request: load::request(host, path, arguments.body.as_deref()),
        connections: arguments.connections,
        duration: Duration::try_from_secs_f64(arguments.seconds).context("`--seconds` is out of range")?,
        expected: arguments.expected.clone(),
    })
}

fn json(summary: &Summary) -> Result<String> {
    Ok(format!("{}\n", serde_json::to_string(summary)?))
}

fn text(summary: &Summary) -> Result<String> {
    let microseconds = |ns: u64| format!("{}.{} µs", ns / 1_000, ns % 1_000 / 100);
    let mut lines = vec![
        format!(
            "{:.0} requests/s ({} requests, {} errors)",
            summary.requests_per_second, summary.requests, summary.errors
        ),
        format!(
            "p50 {}, p99 {}, p99.9 {}, slowest {}",
            microseconds(summary.p50_ns),
            microseconds(summary.p99_ns),
            microseconds(summary.p999_ns),
            microseconds(summary.max_ns),
        ),
        format!("load generator: {} of CPU a request", microseconds(summary.client_cpu_ns / summary.requests.max(1))),
    ];
    lines.extend(summary.first_error.as_ref().map(|error| format!("first error: {error}")));
    Ok(lines.join("\n") + "\n")
}
