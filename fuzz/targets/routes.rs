//! Any text as a table of routes and requests to it: routes until an empty line, then `METHOD HOST PATH` a line.

#![no_main]
#![allow(dead_code, reason = "the triggers' own modules, of which this uses a part")]

use ::http::Method;
use http::{
    pattern::Pattern,
    route::{Binding, Home, Lookup, Route, Routes, Target},
};
use libfuzzer_sys::fuzz_target;
use sandbar_call::{Call, Receipt, Reply, Run, Running};
use std::sync::Arc;

#[path = "../../crates/triggers/src/http"]
mod http {
    pub(crate) mod pattern;
    pub(crate) mod route;

    /// Stands in for the trigger's own, which opens folders.
    #[derive(Clone)]
    pub(crate) struct Files;
}

struct Nobody;

impl Run for Nobody {
    fn run(&self, _: Call) -> Running<'_> {
        Box::pin(async { Reply::Exit { code: 0, output: bytes::Bytes::new() } })
    }
}

fuzz_target!(|text: &str| {
    let (patterns, requests) = text.split_once("\n\n").unwrap_or((text, "GET - /"));
    let binding = Binding {
        run: Arc::new(Nobody),
        receipts: Arc::new(|_: Receipt| {}),
        wants_match: true,
        content_type: None,
        body_bytes_max: None,
    };
    let mut routes = Vec::new();
    for line in patterns.lines().take(20) {
        match line.parse::<Pattern>() {
            Ok(pattern) => {
                assert_eq!(pattern.as_str(), line.trim());
                routes.push(Route { pattern, target: Target::Guest(binding.clone()), example: None });
            }
            Err(error) => assert!(error.to_string().contains("hint: "), "{error}"),
        }
    }
    let table = match Routes::build("app", Home::Listed, routes) {
        Ok(table) => table,
        Err(error) => return assert!(error.to_string().contains("hint: "), "{error}"),
    };
    requests.lines().take(20).for_each(|line| ask(&table, line));
});

fn ask(table: &Routes, line: &str) {
    let mut words = line.splitn(3, ' ');
    let (Some(method), Some(host), Some(path)) = (words.next(), words.next(), words.next()) else { return };
    let Ok(method) = Method::from_bytes(method.as_bytes()) else { return };
    let host = Some(host).filter(|host| *host != "-");
    match table.lookup(&method, host, path) {
        Lookup::Matched(at) => {
            let pattern = &table.routes()[at].pattern;
            assert!(path.is_char_boundary(pattern.prefix_len(path)), "{pattern:?} {path}");
            let climbs = |text: &str| text.split('/').any(|part| matches!(part, "." | ".."));
            assert!(!climbs(path), "`{path}` is refused before a route is asked");
            for (name, _) in pattern.captures(path) {
                assert!(pattern.as_str().contains(&*name));
            }
            assert!(table.lookup(&method, host, path).is_matched(at), "the answer is the same each time");
        }
        Lookup::MethodNotAllowed(allowed) => {
            assert!(!allowed.split(", ").any(|name| name == method.as_str()), "{method} is in `{allowed}`");
        }
        Lookup::NotFound | Lookup::BadPath => {}
    }
}

trait IsMatched {
    fn is_matched(&self, at: usize) -> bool;
}

impl IsMatched for Lookup {
    fn is_matched(&self, at: usize) -> bool {
        matches!(self, Lookup::Matched(found) if *found == at)
    }
}
