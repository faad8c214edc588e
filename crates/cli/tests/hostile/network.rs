//! Addresses behind an allow-list: what a guest writes, and where that would lead.

use crate::app::{App, Asked, guest, route};
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

/// A server of the host's own network, which counts who reaches it.
struct Target {
    address: SocketAddr,
    reached: Arc<AtomicUsize>,
}

impl Target {
    /// Answers each connection with this, until the test program ends.
    fn answering(listen: &str, answer: impl Into<String>) -> Target {
        let listener = TcpListener::bind(listen).unwrap();
        let (address, reached) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
        let (count, answer) = (reached.clone(), answer.into());
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                count.fetch_add(1, SeqCst);
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        Target { address, reached }
    }

    fn reached(&self) -> usize {
        self.reached.load(SeqCst)
    }
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 8\r\nconnection: close\r\n\r\nreached\n";

fn fetch(app: &App, host: &str, url: &str) -> Asked {
    let url: String = url.bytes().map(|byte| format!("%{byte:02x}")).collect();
    app.ask(&format!("GET /fetch?url={url}"), &[&format!("host: {host}.test")], b"")
}

fn guests(grants: &[(&str, &str, &str)]) -> String {
    let guest = |(name, file, entry): &(&str, &str, &str)| {
        guest(name, file, &format!("grants = {{ http = [{entry:?}] }}"))
            + &route(&format!("{name}.test/{{*path}}"), name)
    };
    grants.iter().map(guest).collect()
}

#[test]
fn a_private_address_is_reached_by_no_way_of_writing_it() {
    let target = Target::answering("127.0.0.1:0", OK);
    let port = target.address.port();
    let named = format!("http://api.example.com:{port}");
    let exactly = format!("http://127.0.0.1:{port}");
    let app = App::serve(
        "addresses",
        &guests(&[
            ("any", "echo-http.wasm", "*://*:*"),
            ("any3", "echo-http-p3.wasm", "*://*:*"),
            ("named", "echo-http.wasm", &named),
            ("exact", "echo-http.wasm", &exactly),
            ("exact3", "echo-http-p3.wasm", &exactly),
            ("none", "echo-http.wasm", "https://example.com"),
        ]),
    );
    for host in [
        "127.0.0.1",
        "127.1",
        "0",
        "0.0.0.0",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "017700000001",
        "0x7f.0.0.1",
        "localhost",
        "LOCALHOST.",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "user@127.0.0.1",
        "user:password@127.0.0.1",
        "api.example.com@127.0.0.1",
        "127.0.0.1#@api.example.com",
        "127.0.0.1?@api.example.com",
        "127.0.0.1%2f.example.com",
        "169.254.169.254",
        "[::ffff:169.254.169.254]",
        "[fd00:ec2::254]",
        "10.0.0.1",
        "192.168.0.1",
    ] {
        for guest in ["any", "any3", "named", "none"] {
            let asked = fetch(&app, guest, &format!("http://{host}:{port}/"));
            let answer = asked.answer.text();
            assert!(
                asked.answer.status == 502 && !answer.contains("reached"),
                "{guest} {host}: {} {answer}",
                asked.answer.status
            );
        }
    }
    assert_eq!(target.reached(), 0);

    // Every refusal says in the receipt what was asked for and what to type.
    let asked = fetch(&app, "any", &exactly);
    let receipt = app.receipt(&asked.id);
    assert_eq!(receipt["denials"][0]["asked"], format!("GET {exactly}"));
    assert_eq!(receipt["denials"][0]["allow"], format!("http = [{exactly:?}]"));

    // Who names the address reaches it, and nothing else.
    for guest in ["exact", "exact3"] {
        let asked = fetch(&app, guest, &exactly);
        assert_eq!((asked.answer.status, asked.answer.text().as_str()), (200, "reached\n"), "{guest}");
        let receipt = app.receipt(&asked.id);
        assert_eq!((&receipt["grants"]["http"], &receipt["used"]["connections"]), (&1.into(), &1.into()), "{receipt}");
        for url in
            [format!("http://127.0.0.2:{port}/"), format!("http://localhost:{port}/"), format!("http://[::1]:{port}/")]
        {
            assert_eq!(fetch(&app, guest, &url).answer.status, 502, "{guest} {url}");
        }
    }
    assert_eq!(target.reached(), 2);
}

/// The host follows no redirect; a guest that does so itself is checked again.
#[test]
fn a_redirect_leads_to_no_other_server() {
    let target = Target::answering("127.0.0.1:0", OK);
    let location = format!(
        "HTTP/1.1 302 Found\r\nlocation: http://{}/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        target.address
    );
    let redirects = Target::answering("127.0.0.1:0", location);
    let granted = format!("http://{}", redirects.address);
    let app = App::serve(
        "redirects",
        &guests(&[("follows", "echo-http.wasm", &granted), ("follows3", "echo-http-p3.wasm", &granted)]),
    );
    for guest in ["follows", "follows3"] {
        assert_eq!(fetch(&app, guest, &granted).answer.status, 302, "{guest}");
        assert_eq!(fetch(&app, guest, &format!("http://{}/", target.address)).answer.status, 502, "{guest}");
    }
    assert_eq!((redirects.reached(), target.reached()), (2, 0));
}

/// A server that says nothing holds a guest no longer than the guest's own deadline.
#[test]
fn a_silent_server_is_waited_for_within_the_deadline() {
    // The kernel accepts; nobody answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let more = format!("grants = {{ http = [{url:?}] }}\nlimits = {{ wall = \"500ms\" }}\n");
    let tables = guest("waits", "echo-http.wasm", &more)
        + &route("waits.test/{*path}", "waits")
        + &guest("waits3", "echo-http-p3.wasm", &more)
        + &route("waits3.test/{*path}", "waits3");
    let app = App::serve("silent", &tables);
    for guest in ["waits", "waits3"] {
        let asked = fetch(&app, guest, &url);
        assert_eq!(asked.answer.status, 504, "{guest}: {}", asked.answer.text());
        assert_eq!(crate::app::ended(&app.receipt(&asked.id)), "stopped wall", "{guest}");
    }
}

/// Connections are counted, and one more than the limit is not made.
#[test]
fn connections_are_bounded_by_their_limit() {
    let target = Target::answering("127.0.0.1:0", OK);
    let url = format!("http://{}", target.address);
    let more = format!("grants = {{ http = [{url:?}] }}\nlimits = {{ connections = 0 }}\n");
    let app =
        App::serve("connections", &(guest("none", "echo-http.wasm", &more) + &route("none.test/{*path}", "none")));
    let asked = fetch(&app, "none", &url);
    assert!((500..=504).contains(&asked.answer.status), "{}", asked.answer.status);
    assert_eq!(target.reached(), 0);
}
