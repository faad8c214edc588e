//! `load --url http://127.0.0.1:3000/path`: asks servers as fast as they answer, or at a fixed rate, and prints how they did.

#![forbid(unsafe_code)]

use std::{
    fs,
    io::{self, Write},
    path::Path,
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use lexopt::prelude::*;
use sandbar_testkit::{
    load::{self, Plan, Summary, Target},
    url::Url,
};

const HELP: &str = "\
Usage: load --url http://HOST:PORT/PATH [--connections 32] [--rate R] [--body FILE|TEXT] [--expect TEXT]
            [--url …]… [--seconds 3] [--json]

Asks over keep-alive HTTP/1.1 connections, one request at a time on each, from one thread. Several URLs are asked at one
time, each over connections of its own: what stands before the first URL is for all of them, what follows one for that.

      --url URL          where to ask
      --connections N    how many connections ask at one time (32)
      --rate R           requests a second over all of them; a latency counts from the moment when its request was due,
                         sent or not. Without it, each connection asks again as soon as it was answered
      --body FILE|TEXT   the body of a POST: a file's content, or the text itself; without it, GET
      --expect TEXT      what the first answer must be
      --seconds S        how long (3)
      --json             a JSON object instead of lines, or an array with one for each URL where there are several
";

struct Arguments {
    asked: Vec<Asked>,
    seconds: f64,
    print: fn(&[(String, Summary)]) -> Result<String>,
}

/// What is asked of one URL.
#[derive(Clone)]
struct Asked {
    url: String,
    connections: usize,
    rate: Option<f64>,
    body: Option<Vec<u8>>,
    expected: Option<Vec<u8>>,
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
    let Some(arguments) = parse(lexopt::Parser::from_env())? else { return Ok(HELP.to_owned()) };
    let targets = arguments.asked.iter().map(target).collect::<Result<_>>()?;
    let duration = Duration::try_from_secs_f64(arguments.seconds).context("`--seconds` is out of range")?;
    let summaries = load::run(&Plan { targets, duration })?;
    let urls = arguments.asked.into_iter().map(|asked| asked.url);
    (arguments.print)(&urls.zip(summaries).collect::<Vec<_>>())
}

fn parse(mut parser: lexopt::Parser) -> Result<Option<Arguments>> {
    let mut arguments = Arguments { asked: Vec::new(), seconds: 3.0, print: text };
    let mut for_all = Asked { url: String::new(), connections: 32, rate: None, body: None, expected: None };
    while let Some(argument) = parser.next()? {
        let asked = arguments.asked.last_mut().unwrap_or(&mut for_all);
        match argument {
            Long("url") => {
                let url = parser.value()?.string()?;
                arguments.asked.push(Asked { url, ..for_all.clone() });
            }
            Long("connections") => asked.connections = parser.value()?.parse()?,
            Long("rate") => asked.rate = Some(rate(&parser.value()?.string()?)?),
            Long("body") => asked.body = Some(body(&parser.value()?.string()?)?),
            Long("expect") => asked.expected = Some(parser.value()?.string()?.into_bytes()),
            Long("seconds") => arguments.seconds = parser.value()?.parse()?,
            Long("json") => arguments.print = json,
            Short('h') | Long("help") => return Ok(None),
            other => return Err(other.unexpected().into()),
        }
    }
    ensure!(!arguments.asked.is_empty(), "expected `--url http://HOST:PORT/PATH`");
    Ok(Some(arguments))
}

fn rate(text: &str) -> Result<f64> {
    let rate: f64 = text.parse().with_context(|| format!("expected requests a second, found `{text}`"))?;
    ensure!(rate.is_finite() && rate > 0.0, "expected a rate above 0, found `{text}`");
    Ok(rate)
}

fn body(text: &str) -> Result<Vec<u8>> {
    if Path::new(text).is_file() {
        return fs::read(text).with_context(|| format!("cannot read `{text}`"));
    }
    Ok(text.as_bytes().to_vec())
}

fn target(asked: &Asked) -> Result<Target> {
    let Url { address, host, path } = Url::read(&asked.url)?;
    Ok(Target {
        address,
        request: load::request(&host, &path, asked.body.as_deref()),
        connections: asked.connections,
        rate: asked.rate,
        expected: asked.expected.clone(),
    })
}

fn json(found: &[(String, Summary)]) -> Result<String> {
    let text = match found {
        [(_, summary)] => serde_json::to_string(summary),
        _ => serde_json::to_string(&found.iter().map(|(_, summary)| summary).collect::<Vec<_>>()),
    };
    Ok(text? + "\n")
}

fn text(found: &[(String, Summary)]) -> Result<String> {
    let lines = |(url, summary): &(String, Summary)| match found {
        [_] => lines(summary),
        _ => format!("{url}\n{}", lines(summary)),
    };
    Ok(found.iter().map(lines).collect())
}

fn lines(summary: &Summary) -> String {
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
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &str) -> Result<Option<Arguments>> {
        parse(lexopt::Parser::from_args(words.split_whitespace()))
    }

    #[test]
    fn what_follows_a_url_is_for_that_one() {
        let words =
            "--connections 4 --url http://a:1/x --rate 50 --url http://b:1/y --connections 2 --body z --seconds 1.5";
        let arguments = parsed(words).unwrap().unwrap();
        let found: Vec<_> = arguments
            .asked
            .iter()
            .map(|asked| (asked.url.as_str(), asked.connections, asked.rate, asked.body.as_deref()))
            .collect();
        assert_eq!(found, [("http://a:1/x", 4, Some(50.0), None), ("http://b:1/y", 2, None, Some(&b"z"[..]))]);
        assert_eq!(arguments.seconds, 1.5);
    }

    #[test]
    fn what_is_wrong_is_told() {
        let error = |words| parsed(words).err().unwrap().to_string();
        assert_eq!(error("--json"), "expected `--url http://HOST:PORT/PATH`");
        assert_eq!(error("--url http://a:1/ --rate 0"), "expected a rate above 0, found `0`");
        assert_eq!(error("--url http://a:1/ --rate fast"), "expected requests a second, found `fast`");
    }

    #[test]
    fn several_summaries_are_an_array() {
        let summary = Summary {
            requests: 1,
            errors: 0,
            first_error: None,
            reconnects: 0,
            wall_ns: 1,
            requests_per_second: 1.0,
            p50_ns: 1,
            p99_ns: 1,
            p999_ns: 1,
            max_ns: 1,
            client_cpu_ns: 1,
        };
        let found = ["http://a:1/", "http://b:1/"].map(|url| (url.to_owned(), summary.clone()));
        assert!(json(found.get(..1).unwrap()).unwrap().starts_with("{\"requests\":1,"));
        assert!(json(&found).unwrap().starts_with("[{\"requests\":1,"));
        assert!(text(&found).unwrap().contains("http://b:1/\n1 requests/s"));
    }
}
