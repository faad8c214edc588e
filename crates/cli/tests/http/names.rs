//! What a request is called on its way: its id, its trace, and who sent it.

use crate::app::{App, app_folder, guest, route, sandbar};

fn echo() -> String {
    guest("echo", "echo-http.wasm", "") + &route("/{*path}", "echo")
}

/// Sends these header lines as they are; gives those that the guest sees, and the answer's request id.
fn seen(app: &App, headers: &[&str]) -> (String, String) {
    let mut client = app.connect();
    let lines: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    client.send(format!("GET /headers HTTP/1.1\r\nhost: a.test\r\nconnection: close\r\n{lines}\r\n").as_bytes());
    let answer = client.answer();
    assert_eq!(answer.status, 200);
    (answer.text(), answer.header("x-request-id").unwrap().to_owned())
}

fn value<'a>(headers: &'a str, name: &str) -> Option<&'a str> {
    headers.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

#[test]
fn a_request_has_one_id_everywhere() {
    let app = App::serve("request-id", &echo());
    for (sent, kept) in [
        (None, false),
        (Some("abc-123".to_owned()), true),
        (Some("x".repeat(128)), true),
        (Some("x".repeat(129)), false),
        (Some("two words".to_owned()), false),
        (Some("\u{e9}".to_owned()), false),
    ] {
        let header = sent.as_ref().map(|sent| format!("x-request-id: {sent}"));
        let (headers, id) = seen(&app, &header.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(value(&headers, "x-request-id"), Some(id.as_str()), "the guest and the client are told the same");
        assert_eq!(Some(&id) == sent.as_ref(), kept, "{sent:?} {id}");
        let receipt = app.receipt(&id);
        if !kept {
            assert_eq!(receipt["call"], id.as_str(), "one of ours is the call's own");
        }
    }
    // A page without a call has one too.
    assert!(app.get("/%zz").answer.header("x-request-id").is_some());
}

#[test]
fn a_trace_goes_on_and_a_broken_one_starts_anew() {
    let app = App::serve("trace", &echo());
    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let (headers, _) = seen(&app, &[&format!("traceparent: {PARENT}"), "tracestate: vendor=1", "tracestate: other=2"]);
    assert_eq!(value(&headers, "traceparent"), Some(PARENT));
    assert!(headers.contains("vendor=1") && headers.contains("other=2"), "{headers}");

    for broken in
        ["", "garbage", &PARENT.replace("00-0af", "ff-0af"), &PARENT.replace("b7ad6b7169203331", "0000000000000000")]
    {
        let (headers, id) = seen(&app, &[&format!("traceparent: {broken}"), "tracestate: vendor=1"]);
        let parent = value(&headers, "traceparent").unwrap();
        assert_eq!(parent.split('-').nth(1), Some(id.as_str()), "the trace is named as the call");
        assert_eq!(value(&headers, "tracestate"), None, "a state without its parent means nothing");
    }
}

/// Fields about the connection end at the server, and those that anybody can write are not believed.
#[test]
fn what_a_client_says_of_itself_is_not_believed() {
    const LIES: &[&str] = &[
        "x-forwarded-for: 1.2.3.4",
        "x-forwarded-proto: https",
        "x-forwarded-host: bank.test",
        "forwarded: for=1.2.3.4",
        "x-real-ip: 1.2.3.4",
        "keep-alive: 5",
        "te: trailers",
        "upgrade: websocket",
        "x-kept: yes",
    ];
    let app = App::serve("forwarded", &echo());
    let (headers, _) = seen(&app, LIES);
    assert!(!headers.contains("1.2.3.4") && !headers.contains("bank") && !headers.contains("websocket"), "{headers}");
    assert_eq!(value(&headers, "x-kept"), Some("yes"));

    // Behind a proxy that sets them they are passed on.
    let folder = app_folder("forwarded-kept", &("[server]\nforwarded = \"x-forwarded\"\n\n".to_owned() + &echo()));
    let app = App::start(sandbar(), folder, &[]);
    let (headers, _) = seen(&app, LIES);
    assert_eq!(value(&headers, "x-forwarded-for"), Some("1.2.3.4"), "{headers}");
}
