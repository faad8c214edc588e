//! A command bound to a route speaks CGI/1.1.

use crate::app::{App, ended, guest, route};

fn serve(name: &str) -> App {
    App::serve(name, &(guest("cgi", "cgi.wasm", "") + &route("/cgi/{*path}", "cgi") + &route("/exact", "cgi")))
}

#[test]
fn a_command_is_told_about_its_request() {
    let app = serve("cgi-variables");
    let headers =
        ["content-type: text/x-test", "x-two: a", "x-two: b", "proxy: evil", "authorization: Basic secret", "x_two: c"];
    let asked = app.ask("POST /cgi/a%20b/c?x=1&y=%20", &headers, b"the body");
    let answer = &asked.answer;
    assert_eq!(
        (answer.status, answer.header("x-cgi"), answer.header("content-type")),
        (200, Some("yes"), Some("text/plain"))
    );
    let text = answer.text();
    for line in [
        "CONTENT_LENGTH=8",
        "CONTENT_TYPE=text/x-test",
        "GATEWAY_INTERFACE=CGI/1.1",
        "QUERY_STRING=x=1&y=%20",
        "REMOTE_ADDR=127.0.0.1",
        "REQUEST_METHOD=POST",
        "SCRIPT_NAME=/cgi",
        "SERVER_PROTOCOL=HTTP/1.1",
        "HTTP_X_TWO=a, b",
    ] {
        assert!(text.lines().any(|found| found == line), "`{line}` is not in:\n{text}");
    }
    // RFC 3875 has the path decoded.
    assert!(text.contains("PATH_INFO=/a b/c\n"), "{text}");
    assert!(!text.contains("secret") && !text.contains("evil"), "{text}");
    assert!(text.ends_with("\n\nthe body"), "{text}");
    let receipt = app.receipt(&asked.id);
    assert_eq!((ended(&receipt), &receipt["shape"]), ("done".into(), &"command".into()));

    let text = app.get("/exact").answer.text();
    assert!(text.contains("SCRIPT_NAME=/exact\n") && text.contains("PATH_INFO=\n"), "{text}");
}

#[test]
fn a_command_answers_with_headers_and_a_body() {
    let app = serve("cgi-answers");
    let teapot = app.get("/cgi/teapot").answer;
    assert_eq!((teapot.status, teapot.header("status"), teapot.header("x-cgi")), (418, None, Some("yes")));
    let redirect = app.get("/cgi/redirect").answer;
    assert_eq!((redirect.status, redirect.header("location")), (302, Some("/elsewhere")));
    let bad = app.get("/cgi/bad");
    assert_eq!((bad.answer.status, ended(&app.receipt(&bad.id))), (500, "failed".into()));
    assert!(!bad.answer.text().contains("header"), "{}", bad.answer.text());
    let head = app.ask("HEAD /cgi/x", &[], b"").answer;
    assert_eq!((head.status, head.header("x-cgi"), head.body.len()), (200, Some("yes"), 0));
    // More than any pipe holds, both ways.
    let body = vec![b'x'; 3 << 20];
    let large = app.ask("POST /cgi/large", &[], &body).answer;
    assert!(large.whole && large.body.ends_with(&body), "{} bytes", large.body.len());
}
