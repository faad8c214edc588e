//! A client: asks one thing after the other, on a connection that it keeps or on a new one, and notes what it saw.

use crate::{
    app::App,
    ask::{Ask, Body, Then},
    wire::{Answer, Client},
};
use sandbar_testkit::random::Random;
use std::{
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    thread,
    time::Duration,
};

/// The longest pause between two requests: this is a mixed load and no bench.
const PAUSE_MS_MAX: u64 = 40;

/// A request, and what its client saw.
pub(crate) struct Asked {
    pub(crate) id: String,
    pub(crate) ask: &'static Ask,
    /// 0 where it left, or got no answer.
    pub(crate) status: u16,
    /// What was wrong with its answer.
    pub(crate) wrong: Option<String>,
}

impl Asked {
    /// Whether it may end so, after what its client saw.
    pub(crate) fn may_end(&self, how: &str) -> bool {
        self.ask.ends.contains(&(self.status, how))
    }
}

/// Asks on and on. `always` is what is asked each time; without it, anything. Ids begin with `name`.
pub(crate) fn ask_on(
    app: &App,
    name: &str,
    always: Option<&'static Ask>,
    mut random: Random,
    ends: &AtomicBool,
) -> Vec<Asked> {
    let mut asked = Vec::new();
    let mut kept = None;
    while !ends.load(SeqCst) {
        let ask = always.unwrap_or_else(|| Ask::any(&mut random));
        let id = format!("{name}-{}", asked.len());
        asked.push(if ask.keeps() && random.chance(70) {
            let (done, client) = on(kept.take().unwrap_or_else(|| app.connect()), ask, id, "keep-alive");
            kept = Some(client);
            done
        } else {
            on(app.connect(), ask, id, "close").0
        });
        thread::sleep(Duration::from_millis(random.between(0..=PAUSE_MS_MAX - 1)));
    }
    asked
}

fn on(mut client: Client, ask: &'static Ask, id: String, connection: &str) -> (Asked, Client) {
    client.send(&request(ask, &id, connection));
    let (status, wrong) = match ask.then {
        Then::Leaves("") => (0, None),
        Then::Leaves(after) => {
            client.until(after);
            (0, None)
        }
        Then::Reads(says) => {
            let answer = if connection == "close" { client.answer() } else { client.next_answer() };
            (answer.status, wrong(ask, &answer, says, &id))
        }
    };
    (Asked { id, ask, status, wrong }, client)
}

/// The bytes of a request.
fn request(ask: &Ask, id: &str, connection: &str) -> Vec<u8> {
    let mut bytes = format!("{} HTTP/1.1\r\nx-request-id: {id}\r\nconnection: {connection}\r\n", ask.line);
    ask.head.iter().for_each(|line| bytes += &format!("{line}\r\n"));
    match ask.body {
        Body::Text("") if ask.line.starts_with("GET") => bytes += "\r\n",
        Body::Text(text) => bytes += &format!("content-length: {}\r\n\r\n{text}", text.len()),
        Body::Large(length) => bytes += &format!("content-length: {length}\r\n\r\n{}", large(length)),
        Body::Chunks(chunks) => bytes += &format!("transfer-encoding: chunked\r\n\r\n{chunks}"),
        Body::Begun(length) => bytes += &format!("content-length: {length}\r\n\r\nhalf"),
        Body::NoHead => {}
    }
    bytes.into_bytes()
}

fn large(length: usize) -> String {
    "0123456789".repeat(length / 10)
}

fn wrong(ask: &Ask, answer: &Answer, says: &str, id: &str) -> Option<String> {
    let text = answer.text() + &answer.trailers.iter().map(|(_, value)| value.as_str()).collect::<String>();
    let good = match ask.body {
        _ if answer.status != 200 => true,
        Body::Large(length) => text == large(length),
        _ => text.contains(says),
    };
    let named = answer.header("x-request-id") == Some(id);
    let short: String = text.chars().take(200).collect();
    (!good || !answer.whole || !named)
        .then(|| format!("{id} `{}` was answered {} (whole: {}): {short}", ask.line, answer.status, answer.whole))
}
