//! A command guest that speaks CGI/1.1 (RFC 3875), as programs behind a web server have since 1993.
//!
//! It answers with what it was told: its meta-variables, an empty line, and the request body.

use std::env;
use std::io::{self, Write};

const VARIABLES: [&str; 9] = [
    "CONTENT_LENGTH",
    "CONTENT_TYPE",
    "GATEWAY_INTERFACE",
    "PATH_INFO",
    "QUERY_STRING",
    "REMOTE_ADDR",
    "REQUEST_METHOD",
    "SCRIPT_NAME",
    "SERVER_PROTOCOL",
];

fn main() -> io::Result<()> {
    let path = env::var("PATH_INFO").unwrap_or_default();
    let mut out = io::stdout().lock();
    match path.as_str() {
        "/bad" => writeln!(out, "this is no header, and no empty line follows"),
        "/redirect" => write!(out, "Location: /elsewhere\n\n"),
        "/teapot" => answer(&mut out, "418 I'm a teapot"),
        _ => answer(&mut out, "200 OK"),
    }
}

fn answer(out: &mut impl Write, status: &str) -> io::Result<()> {
    write!(out, "Status: {status}\nContent-Type: text/plain\nX-Cgi: yes\n\n")?;

    let mut variables: Vec<_> =
        env::vars().filter(|(name, _)| VARIABLES.contains(&name.as_str()) || name.starts_with("HTTP_")).collect();
    variables.sort();
    for (name, value) in variables {
        writeln!(out, "{name}={value}")?;
    }

    writeln!(out)?;
    io::copy(&mut io::stdin(), out)?;
    out.flush()
}
