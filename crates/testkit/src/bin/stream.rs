//! `stream --url http://127.0.0.1:3000/echo --bytes N`: sends a long body, reads it back, and prints how fast that was.

#![forbid(unsafe_code)]

use std::{
    io::{self, Write},
    process::ExitCode,
};

use anyhow::{Context, Result};
use lexopt::prelude::*;
use sandbar_testkit::{
    stream::{self, Framing, Plan, Summary},
    url::Url,
};

const HELP: &str = "\
Usage: stream --url http://HOST:PORT/PATH [--bytes 1073741824] [--chunked] [--json]

Sends a body to a server that echoes it, reads it back at the same time, and compares every byte.

      --url URL     where to send it
      --bytes N     how long the body is (1 GiB)
      --chunked     sends it in chunks, without saying its length in advance
      --json        one JSON object instead of a line
";

struct Arguments {
    url: String,
    bytes: u64,
    framing: Framing,
    print: fn(&Summary) -> Result<String>,
}

fn main() -> ExitCode {
    match run() {
        Ok(text) => match io::stdout().write_all(text.as_bytes()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        },
        Err(error) => {
            eprintln!("stream: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<String> {
    let Some(arguments) = parse(lexopt::Parser::from_env())? else { return Ok(HELP.to_owned()) };
    let Arguments { url, bytes, framing, print } = arguments;
    print(&stream::run(&Plan { url: Url::read(&url)?, bytes, framing })?)
}

fn parse(mut parser: lexopt::Parser) -> Result<Option<Arguments>> {
    let mut url = None;
    let mut arguments = Arguments { url: String::new(), bytes: 1 << 30, framing: Framing::Length, print: text };
    while let Some(argument) = parser.next()? {
        match argument {
            Long("url") => url = Some(parser.value()?.string()?),
            Long("bytes") => arguments.bytes = parser.value()?.parse()?,
            Long("chunked") => arguments.framing = Framing::Chunked,
            Long("json") => arguments.print = json,
            Short('h') | Long("help") => return Ok(None),
            other => return Err(other.unexpected().into()),
        }
    }
    arguments.url = url.context("expected `--url http://HOST:PORT/PATH`")?;
    Ok(Some(arguments))
}

fn json(summary: &Summary) -> Result<String> {
    Ok(serde_json::to_string(summary)? + "\n")
}

fn text(summary: &Summary) -> Result<String> {
    Ok(format!(
        "{:.0} MiB/s ({} bytes in {:.2} s, the first after {:.2} ms)\n",
        summary.bytes_per_second / f64::from(1 << 20),
        summary.bytes,
        summary.wall_ns as f64 / 1e9,
        summary.first_byte_ns as f64 / 1e6,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments() {
        let parsed = |words: &str| parse(lexopt::Parser::from_args(words.split_whitespace()));
        let arguments = parsed("--url http://127.0.0.1:80 --bytes 5 --chunked").unwrap().unwrap();
        assert_eq!((arguments.url.as_str(), arguments.bytes), ("http://127.0.0.1:80", 5));
        assert_eq!(arguments.framing, Framing::Chunked);
        assert_eq!(parsed("--bytes 5").err().unwrap().to_string(), "expected `--url http://HOST:PORT/PATH`");
        assert!(parsed("--url").is_err() && parsed("--help").unwrap().is_none());
    }
}
