//! Addresses behind an allow-list: what a guest writes, and where that would lead.

use crate::app::{App, Asked, empty_folder, ended, finish, guest, guest_file, route, used};
use serde_json::Value;
use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

/// A server of the host's own network, which counts who reaches it.
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    reached: Arc<AtomicUsize>,
}

impl Target {
    /// Answers each connection with this, until the test program ends.
    pub(crate) fn answering(listen: &str, answer: impl Into<Vec<u8>>) -> Target {
        let listener = TcpListener::bind(listen).unwrap();
        let (address, reached) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
        let (count, answer) = (reached.clone(), answer.into());
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                count.fetch_add(1, SeqCst);
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(&answer);
            }
        });
        Target { address, reached }
    }

    pub(crate) fn reached(&self) -> usize {
        self.reached.load(SeqCst)
    }
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 8\r\nconnection: close\r\n\r\nreached\n";

pub(crate) fn fetch(app: &App, host: &str, url: &str) -> Asked {
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
        assert_eq!(ended(&app.receipt(&asked.id)), "stopped wall", "{guest}");
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

/// Ways to try with a UDP socket, and what comes of each step with WASI 0.2 and 0.3. Datagrams that are sent at once are
/// one call of 0.2, which tells how many went out, and several of 0.3 that are under way together.
const WAYS: &[(&str, &str, &str)] = &[
    ("send GRANTED", "sent", "sent"),
    ("send OTHER", "access-denied", "access-denied"),
    // A refusal holds, and breaks nothing.
    (
        "send OTHER, send OTHER, send GRANTED, send OTHER",
        "access-denied, access-denied, sent, access-denied",
        "access-denied, access-denied, sent, access-denied",
    ),
    ("connect GRANTED, send, send GRANTED", "connected, sent, sent", "connected, sent, sent"),
    // Who is connected writes to that peer only.
    ("connect GRANTED, send OTHER, send", "connected, invalid-argument, sent", "connected, invalid-argument, sent"),
    (
        "connect OTHER, send, send OTHER, send GRANTED",
        "access-denied, invalid-argument, access-denied, sent",
        "access-denied, invalid-argument, access-denied, sent",
    ),
    ("connect OTHER, connect GRANTED, send", "access-denied, connected, sent", "access-denied, connected, sent"),
    // The connection before one that is refused is over in 0.2, and stays in 0.3.
    (
        "connect GRANTED, connect OTHER, send, send OTHER",
        "connected, access-denied, invalid-argument, access-denied",
        "connected, access-denied, sent, invalid-argument",
    ),
    (
        "connect GRANTED, disconnect, send, send OTHER, send GRANTED",
        "connected, disconnected, invalid-argument, access-denied, sent",
        "connected, disconnected, invalid-argument, access-denied, sent",
    ),
    // Several at once.
    ("send GRANTED OTHER", "sent not", "sent access-denied"),
    ("send OTHER GRANTED", "access-denied", "access-denied sent"),
    ("send GRANTED OTHER GRANTED, send OTHER", "sent not not, access-denied", "sent access-denied sent, access-denied"),
    ("connect GRANTED, send GRANTED OTHER", "connected, sent not", "connected, sent invalid-argument"),
    // What Linux takes for an address of this machine, and WASI for none.
    ("send MAPPED, connect MAPPED", "invalid-argument, invalid-argument", "invalid-argument, invalid-argument"),
    ("send ANY, connect ANY", "invalid-argument, invalid-argument", "invalid-argument, invalid-argument"),
];

/// UDP connects and sends by functions of their own; whichever a guest takes, and in whatever order, its datagrams reach
/// whom it was granted and nobody else.
#[test]
fn datagrams_reach_only_whom_they_may() {
    let (granted, other) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
    let (granted_at, other_at) = (granted.local_addr().unwrap(), other.local_addr().unwrap());
    let written = |text: &str| {
        text.replace("GRANTED", &granted_at.to_string())
            .replace("OTHER", &other_at.to_string())
            .replace("MAPPED", &format!("[::ffff:127.0.0.1]:{}", other_at.port()))
            .replace("ANY", &format!("0.0.0.0:{}", other_at.port()))
    };
    let ways: Vec<String> = WAYS.iter().map(|(way, ..)| written(way)).collect();
    for (guest, answers) in [
        ("datagrams.wasm", WAYS.iter().map(|way| way.1).collect::<Vec<_>>()),
        ("datagrams-p3.wasm", WAYS.iter().map(|way| way.2).collect()),
    ] {
        let (said, receipt) = send(guest, &["--allow-udp", &granted_at.to_string()], &ways);
        let expected: Vec<String> = ways.iter().zip(&answers).map(|(way, answer)| format!("{way}: {answer}")).collect();
        assert_eq!(said, expected, "{guest}");
        // A datagram carries the way that it was sent by.
        let sent =
            ways.iter().zip(&answers).flat_map(|(way, answer)| vec![way.as_str(); answer.matches("sent").count()]);
        assert_eq!(received(&granted), sent.collect::<Vec<_>>(), "{guest}");
        assert_eq!(received(&other), [""; 0], "{guest}");
        let denial = serde_json::json!([{
            "grant": "udp",
            "asked": other_at.to_string(),
            "allow": format!("udp = [\"{other_at}\"]"),
        }]);
        let found = (ended(&receipt), &receipt["denials"], used(&receipt, "connections"));
        assert_eq!(found, ("done".into(), &denial, 1), "{guest}: {receipt}");
    }
}

/// A peer costs a connection when it is first written to. One more than the limit is not, and the guest ends when it next waits.
#[test]
fn peers_of_datagrams_are_bounded_by_the_limit_of_connections() {
    const MOST: usize = 3;
    let peers: Vec<UdpSocket> = (0..5).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
    let addresses = peers.iter().map(|peer| peer.local_addr().unwrap());
    let ways: Vec<String> = addresses.map(|peer| format!("send {peer}, connect {peer}, send")).collect();
    for guest in ["datagrams.wasm", "datagrams-p3.wasm"] {
        let (said, receipt) = send(guest, &["--connections=3", "--allow-udp=private+*:*"], &ways);
        let within: Vec<String> = ways[..MOST].iter().map(|way| format!("{way}: sent, connected, sent")).collect();
        assert_eq!(said[..MOST], within, "{guest}");
        assert!(said[MOST..].iter().all(|line| !line.contains("sent")), "{guest}: {said:?}");
        let came: Vec<usize> = peers.iter().map(|peer| received(peer).len()).collect();
        assert_eq!(came, [2, 2, 2, 0, 0], "{guest}");
        let found = (ended(&receipt), used(&receipt, "connections"), receipt.get("denials"));
        assert_eq!(found, ("stopped connections".into(), MOST as u64, None), "{guest}: {receipt}");
    }
}

/// Has a command try these ways. Gives the lines that it prints, and its receipt.
fn send(guest: &str, flags: &[&str], ways: &[String]) -> (Vec<String>, Value) {
    let file = empty_folder(&format!("{guest}-{}", ways.len())).join("receipt.json");
    let (receipt, guest) = (format!("--receipt={}", file.display()), guest_file(guest).display().to_string());
    let fixed = [&["run", &receipt], flags, &[&guest]].concat();
    let finished = finish(fixed.into_iter().chain(ways.iter().map(String::as_str)), b"");
    let said = finished.stdout_text().lines().map(str::to_owned).collect();
    let receipt = fs::read_to_string(file).unwrap_or_else(|error| panic!("{error}: {}", finished.stderr_text()));
    (said, serde_json::from_str(&receipt).unwrap())
}

/// The datagrams that came until now: who sent them has ended, and the loopback holds none up.
fn received(socket: &UdpSocket) -> Vec<String> {
    socket.set_nonblocking(true).unwrap();
    let mut buffer = [0; 2048];
    let next = || socket.recv(&mut buffer).ok().map(|length| String::from_utf8_lossy(&buffer[..length]).into_owned());
    std::iter::from_fn(next).collect()
}
