//! Asks services, as clients that write bytes as they are.

use crate::{
    app::{SOON, guest_file, sandbar},
    known::{Failed, compare},
    wire::Client,
};
use sandbar_testkit::process::{Server, Signal};
use serde::Deserialize;
use std::collections::BTreeMap;

/// A request, and what is told of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    line: String,
    headers: Option<Vec<String>>,
    #[serde(default)]
    body: String,
    status: Option<Vec<u16>>,
    #[serde(default)]
    told: Vec<String>,
    #[serde(default)]
    untold: Vec<String>,
    answer: Option<String>,
    #[serde(default)]
    answered: Vec<String>,
    #[serde(default)]
    trailers: Vec<String>,
}

/// Sends every request to a service, compares which are not answered as they should be, and ends it as a terminal would.
pub(crate) fn check(guest: &str) {
    let requests: BTreeMap<String, Request> = toml::from_str(include_str!("requests.toml")).unwrap();
    let mut command = sandbar();
    command.arg("up").arg(guest_file(&format!("{guest}.wasm"))).args(["--listen", "127.0.0.1:0", "--wall", "20s"]);
    let mut server = Server::start(command).unwrap();
    let said = server.stderr();
    assert!(said.lines().next().unwrap_or_default().contains("http://"), "the first line says where it serves: {said}");

    let failed: Failed =
        requests.iter().filter_map(|(name, request)| Some((name.clone(), request.holds(&server).err()?))).collect();
    let names: Vec<String> = requests.into_keys().collect();
    server.signal(Signal::INT).unwrap();
    assert_eq!(server.wait(SOON).unwrap().code(), Some(0), "{}", server.stderr());
    compare(guest, &names, &failed);
}

impl Request {
    fn holds(&self, server: &Server) -> Result<(), String> {
        let address = server.address().to_string();
        let filled = |text: &str| text.replace("{server}", &address).replace("LONG", &"x".repeat(8000));
        let mut head = format!("{} HTTP/1.1\r\n", filled(&self.line));
        let headers = self.headers.clone().unwrap_or_else(|| vec!["host: {server}".into()]);
        headers.iter().for_each(|header| head += &format!("{}\r\n", filled(header)));
        if !headers.iter().any(|header| header.starts_with("connection:")) {
            head += "connection: close\r\n";
        }
        let mut client = Client::connect(server.address());
        client.send(format!("{head}\r\n{}", self.body).as_bytes());
        let answer = client.answer();

        let text = answer.text();
        let is_expected = self.status.as_ref().map_or(answer.status == 200, |all| all.contains(&answer.status));
        expect(is_expected, || format!("the status {}: {text}", answer.status))?;
        let told: Vec<&str> = text.split('\n').collect();
        for line in self.told.iter().map(|line| filled(line)).filter(|_| answer.status == 200) {
            expect(told.contains(&line.as_str()), || format!("`{line}` in:\n{text}"))?;
        }
        for start in &self.untold {
            expect(!told.iter().any(|line| line.starts_with(start)), || format!("no `{start}` in:\n{text}"))?;
        }
        if let Some(expected) = &self.answer {
            expect(text == *expected, || format!("{expected:?}, found {text:?}"))?;
        }
        for (lines, fields) in [(&self.answered, &answer.head), (&self.trailers, &answer.trailers)] {
            for line in lines {
                let is_there = fields.iter().any(|(name, value)| format!("{name}: {value}") == *line);
                expect(is_there, || format!("`{line}` in {fields:?}"))?;
            }
        }
        Ok(())
    }
}

fn expect(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(format!("expected {}", what())) }
}
