//! Clients of HTTP/2 that do what costs a server more than them: each connection is ended, and nobody else notices.

use crate::app::{App, guest, route};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// `GET http://localhost/` by the static table (RFC 7541, appendix A).
const GET: &[u8] = &[0x82, 0x86, 0x84, 0x01, 0x09, b'l', b'o', b'c', b'a', b'l', b'h', b'o', b's', b't'];
/// `POST` of the same.
const POST: &[u8] = &[0x83, 0x86, 0x84, 0x01, 0x09, b'l', b'o', b'c', b'a', b'l', b'h', b'o', b's', b't'];

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// A frame (RFC 9113, section 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Each sends more of the same until the server has had enough; that it never has would show as frames without end.
#[test]
fn floods_of_frames_end_their_own_connection() {
    const FRAMES: u32 = 5_000_000;
    // Answers that nobody reads hold the server back, which ends by its write timeout.
    let tables = [
        "[server]\nwrite_timeout = \"300ms\"\n\n".to_owned(),
        guest("echo", "echo-http.wasm", ""),
        route("localhost/{*path}", "echo"),
    ];
    let app = App::serve("http2", &tables.concat());
    let odd = |n: u32| 2 * n + 1;
    type Nth = Box<dyn Fn(u32) -> Vec<u8>>;
    let attacks: Vec<(&str, Vec<u8>, Nth)> = vec![
        (
            "requests that are reset at once",
            Vec::new(),
            Box::new(move |n| {
                let stream = odd(n);
                let asked = frame(HEADERS, END_STREAM | END_HEADERS, stream, GET);
                [asked, frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes())].concat()
            }),
        ),
        (
            "a head without end",
            frame(HEADERS, END_STREAM, 1, GET),
            Box::new(|n| frame(CONTINUATION, 0, 1, format!("\0\x08x-{n:06}\x01v").as_bytes())),
        ),
        (
            "a head without end, in empty frames",
            frame(HEADERS, END_STREAM, 1, GET),
            Box::new(|_| frame(CONTINUATION, 0, 1, &[])),
        ),
        ("empty data", frame(HEADERS, END_HEADERS, 1, POST), Box::new(|_| frame(DATA, 0, 1, &[]))),
        ("settings", Vec::new(), Box::new(|_| frame(SETTINGS, 0, 0, &[]))),
        ("pings", Vec::new(), Box::new(|_| frame(PING, 0, 0, b"12345678"))),
        ("streams beyond what was allowed", Vec::new(), Box::new(move |n| frame(HEADERS, END_HEADERS, odd(n), POST))),
    ];
    for (what, first, nth) in attacks {
        let mut client = app.connect();
        client.send(&[PREFACE, &frame(SETTINGS, 0, 0, &[])].concat());
        client.send(&first);
        let taken = (0..FRAMES).take_while(|n| client.send(&nth(*n))).count();
        assert!(taken < FRAMES as usize, "{what}: the server takes them for ever");
        // It closes.
        client.rest();
        app.is_healthy();
    }
}
