use super::*;
use futures::FutureExt as _;
use http_body_util::BodyExt as _;
use sandbar_call::{CallId, Digest, Draft, Heading, Limits, Origin, Outcome, Settle, Shape};
use std::{
    io::{Read as _, Write as _},
    sync::Mutex,
};

struct Fake {
    ready: bool,
    asked: Mutex<Vec<ReceiptFilter>>,
}

impl Admin for Fake {
    fn is_ready(&self) -> bool {
        self.ready
    }

    fn metrics(&self, out: &mut String) {
        out.push_str("sandbar_up 1\n");
    }

    fn receipts(&self, filter: &ReceiptFilter) -> Vec<Receipt> {
        self.asked.lock().unwrap().push(filter.clone());
        vec![receipt()]
    }
}

fn receipt() -> Receipt {
    let settled = Arc::new(Mutex::new(None));
    let to = settled.clone();
    let receipts: Arc<dyn Settle> = Arc::new(move |receipt| *to.lock().unwrap() = Some(receipt));
    let heading = Heading {
        call: CallId::new(1, 2),
        at_ms: 3,
        guest: "double".into(),
        digest: Digest([0; 32]),
        shape: Shape::Function,
        origin: Origin { trigger: "http".into(), source: "POST /double".into(), event: "7".into() },
    };
    Draft::open(heading, Limits::NONE, || 0, receipts).settle(Outcome::Done);
    settled.lock().unwrap().take().unwrap()
}

fn page(ready: bool) -> (Page, Arc<Fake>) {
    let fake = Arc::new(Fake { ready, asked: Mutex::default() });
    (Page { admin: fake.clone(), local: true }, fake)
}

fn get(page: &Page, path: &str) -> (u16, String) {
    let request = Request::get(path).header("host", "localhost:1").body(()).unwrap();
    let answer = page.answer(&request);
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().now_or_never().unwrap().unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[test]
fn each_page_says_its_thing() {
    let (page, fake) = page(true);
    assert_eq!(get(&page, "/health"), (200, "ok\n".into()));
    assert_eq!(get(&page, "/ready"), (200, "ready\n".into()));
    assert_eq!(get(&page, "/metrics"), (200, "sandbar_up 1\n".into()));
    let (status, json) = get(&page, "/receipts?n=5&guest=a%20b&outcome=done");
    assert_eq!(status, 200);
    assert_eq!(serde_json::from_str::<Vec<Receipt>>(&json).unwrap(), [receipt()]);
    let expected = ReceiptFilter { latest: 5, guest: Some("a b".into()), outcome: Some(OutcomeKind::Done) };
    assert_eq!(fake.asked.lock().unwrap().as_slice(), [expected]);
    assert!(get(&page, "/").1.contains("/receipts?n=100&amp;guest=&amp;outcome="));
    assert_eq!(get(&page, "/none").0, 404);
    let (draining, _) = self::page(false);
    assert_eq!(get(&draining, "/ready"), (503, "not ready\n".into()));
    assert_eq!(get(&draining, "/health").0, 200);
}

#[test]
fn a_bad_query_says_what_is_expected() {
    let (page, _) = page(true);
    for (query, expected) in [
        ("n=0", "expected `n` from 1 to 1000, found `0`\n"),
        ("n=x", "expected `n` from 1 to 1000, found `x`\n"),
        (
            "outcome=bad",
            "expected an outcome (done, failed, stopped, trapped, refused, cancelled, fault), found `bad`\n",
        ),
        ("x=1", "expected `n`, `guest` or `outcome`, found `x`\n"),
        ("guest=%zz", "`%zz` is not percent-encoded text\n"),
    ] {
        assert_eq!(get(&page, &format!("/receipts?{query}")), (400, expected.to_owned()));
    }
    assert_eq!(get(&page, "/receipts?n=100&guest=&outcome=").0, 200);
}

#[test]
fn a_name_that_points_at_loopback_gets_nothing() {
    let (page, _) = page(true);
    for (host, status) in
        [("127.0.0.1:9", 200), ("[::1]:9", 200), ("LOCALHOST", 200), ("evil.example", 421), ("127.0.0.1.evil", 421)]
    {
        let request = Request::get("/health").header("host", host).body(()).unwrap();
        assert_eq!(page.answer(&request).status().as_u16(), status, "{host}");
    }
}

#[test]
fn it_listens_until_its_handle_is_dropped() {
    let (page, _) = page(true);
    let handle = serve("127.0.0.1:0".parse().unwrap(), page.admin.clone(), Arc::new(|_| {})).unwrap();
    let mut stream = std::net::TcpStream::connect(handle.address()).unwrap();
    stream.write_all(b"GET /ready HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("ready\n"), "{answer}");
    let address = handle.address();
    drop(handle);
    while std::net::TcpStream::connect(address).is_ok() {
        thread::yield_now();
    }
}
