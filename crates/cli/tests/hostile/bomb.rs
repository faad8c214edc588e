//! Bodies that are compressed, and far larger if somebody were to unpack them.
//!
//! Sandbar unpacks nothing: a body is bytes, counted and bounded as they come, and what its guest makes of them takes the
//! guest's memory. So there is no ratio to configure.

use crate::{
    app::{App, Asked, ended, guest, route, used},
    network::{Target, fetch},
    output::peak_bytes,
};

const PACKED_BYTES: usize = 256 << 10;

/// A gzip file up to its first match: a zero, and a code in which a match that copies 258 times the byte before is two bits,
/// both of them 0.
const HEAD: [u8; 24] =
    [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff, 0xed, 0xc0, 0x81, 0, 0, 0, 0, 0x80, 0xa0, 0xfd, 0xa9, 0x17, 0xa9, 0];

/// The end of the code, checksum and length: 270,500,101 zeros.
const TAIL: [u8; 9] = [0x60, 0x96, 0xb0, 0x38, 0x99, 0x05, 0x81, 0x1f, 0x10];

/// Makes 256 KiB of gzip (`gzip -t` takes it) that unpack to 258 MiB.
fn bomb() -> Vec<u8> {
    let mut bomb = HEAD.to_vec();
    bomb.resize(PACKED_BYTES - TAIL.len(), 0);
    bomb.extend(TAIL);
    bomb
}

/// Guests that give back what they get, and have no room for what the bomb holds; each under a host of its own.
const ECHOES: [(&str, &str); 2] = [("p2", "echo-http.wasm"), ("p3", "echo-http-p3.wasm")];

/// What the program may gain beside what it took for bodies of this size that are just what they are.
const SLACK_BYTES: u64 = 8 << 20;

fn serve(name: &str, guests: &[(&str, &str)], more: &str) -> App {
    let more = format!("{more}\nlimits = {{ memory = \"8MiB\", bytes-in = \"1MiB\", output = \"1MiB\" }}");
    let guests =
        guests.iter().map(|(name, file)| guest(name, file, &more) + &route(&format!("{name}.test/{{*path}}"), name));
    App::serve(name, &guests.collect::<String>())
}

/// Asks twice and compares the peaks of the process: at first with a body that nobody could unpack, then with the bomb.
fn goes_through(app: &App, guest: &str, ask: impl Fn(&[u8]) -> Asked) {
    let mut peaks = Vec::new();
    for body in [vec![b'x'; PACKED_BYTES], bomb()] {
        let asked = ask(&body);
        assert!(asked.answer.status == 200 && asked.answer.body == body, "{guest}: {}", asked.answer.body.len());
        let receipt = app.receipt(&asked.id);
        let found = (ended(&receipt), used(&receipt, "in_bytes"), used(&receipt, "out_bytes"));
        assert_eq!(found, ("done".into(), PACKED_BYTES as u64, PACKED_BYTES as u64), "{guest}: {receipt}");
        peaks.push(peak_bytes(app.server.id()));
    }
    assert!(peaks[1] - peaks[0] < SLACK_BYTES, "{guest}: {peaks:?}");
}

#[test]
fn a_packed_request_goes_to_its_guest_as_it_came() {
    let app = serve("packed-requests", &[ECHOES[0], ECHOES[1], ("cgi", "cgi.wasm")], "");
    let ask = |guest: &str, body: &[u8]| {
        let headers = [&format!("host: {guest}.test"), "content-encoding: gzip", "content-type: text/plain"];
        app.ask("POST /echo", &headers, body)
    };
    for (guest, _) in ECHOES {
        goes_through(&app, guest, |body| ask(guest, body));
    }
    // By CGI a guest tells what it was told, and then what it got.
    let answer = ask("cgi", &bomb()).answer;
    assert!(answer.text().contains("\nHTTP_CONTENT_ENCODING=gzip\n") && answer.body.ends_with(&bomb()));
    app.is_healthy();
}

#[test]
fn a_packed_answer_of_a_server_goes_to_its_guest_as_it_came() {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {PACKED_BYTES}\r\nconnection: close\r\n\r\n"
    );
    let answers = |body: &[u8]| Target::answering("127.0.0.1:0", [head.as_bytes(), body].concat());
    let (plain, packed) = (answers(&[b'x'; PACKED_BYTES]), answers(&bomb()));
    let urls = [&plain, &packed].map(|target| format!("http://{}", target.address));
    let app = serve("packed-answers", &ECHOES, &format!("grants = {{ http = {urls:?} }}"));
    for (guest, _) in ECHOES {
        goes_through(&app, guest, |body| fetch(&app, guest, &urls[usize::from(body == bomb())]));
    }
    assert_eq!(packed.reached(), 2);
    app.is_healthy();
}
