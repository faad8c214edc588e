//! Who answers which request: guests, files, the app itself, or nobody.

use crate::{
    app::{App, app_folder, guest, route, sandbar},
    curl::{curl, status},
};
use std::{fs, os::unix::fs::symlink};

#[test]
fn the_most_specific_route_answers() {
    let echo = |pattern: &str| route(pattern, "echo");
    let tables = guest("echo", "echo-http.wasm", "")
        + &guest("hello", "hello.wasm", "")
        + &[
            "GET /status/{code}",
            "POST,PUT /status/204",
            "*.test/{*rest}",
            "ANY a.test/status/{code}",
            "/status/{*rest}",
        ]
        .map(echo)
        .concat()
        + &route("GET /hello/{name}", "hello");
    let app = App::serve("specific", &tables);
    for (line, host, source) in [
        ("GET /status/201", "x.org", "GET /status/{code}"),
        ("HEAD /status/201", "x.org", "GET /status/{code}"),
        ("POST /status/204", "x.org", "POST,PUT /status/204"),
        ("PUT /status/204", "x.org", "POST,PUT /status/204"),
        ("GET /status/204", "x.org", "GET /status/{code}"),
        ("DELETE /status/204", "x.org", "/status/{*rest}"),
        ("GET /status/1/2", "x.org", "/status/{*rest}"),
        ("GET /status/201", "b.test", "*.test/{*rest}"),
        ("GET /status/201", "A.test.:80", "ANY a.test/status/{code}"),
        ("GET /hello/Ada", "x.org", "GET /hello/{name}"),
        ("GET /hello/a%2Fb", "x.org", "GET /hello/{name}"),
    ] {
        let asked = app.ask(line, &[&format!("host: {host}")], b"");
        let receipt = app.receipt(&asked.id);
        assert_eq!(receipt["source"], source, "{line} {host}: {}", asked.answer.status);
    }
}

#[test]
fn what_no_route_takes_is_404_or_405() {
    let tables = guest("hello", "hello.wasm", "")
        + &route("GET /hello/{name}", "hello")
        + &route("PUT,DELETE /hello/{name}", "hello");
    let app = App::serve("none", &tables);
    for path in ["/nowhere", "/hello", "/hello/", "/hello/a/b", "//hello/a", "/hello/%00%zz"] {
        let answer = app.get(path).answer;
        assert!(matches!(answer.status, 404 | 400), "{path}: {}", answer.status);
        assert!(answer.text().contains("request_id"), "{path}");
    }
    for path in ["/hello/..", "/a/../healthy", "/hello/%2e%2e/healthy"] {
        assert!(matches!(app.get(path).answer.status, 400 | 404), "{path}");
    }
    let answer = app.ask("POST /hello/a", &[], b"").answer;
    assert_eq!(answer.status, 405);
    let mut allow: Vec<_> = answer.header("allow").unwrap().split(", ").collect();
    allow.sort_unstable();
    assert_eq!(allow, ["DELETE", "GET", "HEAD", "PUT"]);
    assert_eq!(app.ask("GET /healthy", &[], b"").answer.header("allow"), Some("POST"));
    assert_eq!(app.ask("OPTIONS *", &[], b"").answer.status, 204);
    assert_eq!(app.ask("CONNECT a:80", &[], b"").answer.status, 501);
    assert!(app.receipts().is_empty(), "no guest was asked");
}

/// An app without a route for `/` says what it serves, with lines that work when they are copied.
#[test]
fn the_home_page_lists_lines_that_work() {
    let example =
        "[[http]]\nroute = \"POST /double\"\nguest = \"healthy\"\nexample = '{\"name\":\"Ada\",\"value\":21}'\n\n";
    let app = App::serve("home", &(guest("hello", "hello.wasm", "") + &route("GET /hello/{name}", "hello") + example));
    let url = format!("http://{}/", app.address());
    let page: serde_json::Value = serde_json::from_str(&curl(&[&url])).unwrap();
    assert_eq!(page["app"], "home");
    let lines: Vec<&str> =
        page["routes"].as_array().unwrap().iter().map(|route| route["curl"].as_str().unwrap()).collect();
    assert_eq!(lines.len(), 3);
    for line in lines.iter().filter(|line| !line.contains("/healthy")) {
        let finished = std::process::Command::new("sh").args(["-c", &format!("{line} -sSf")]).output().unwrap();
        assert!(
            finished.status.success()
                && finished.stdout.starts_with(if line.contains("hello") { b"Hello, name!" } else { b"{\"messag" }),
            "{line}: {finished:?}"
        );
        assert!(app.server.stderr().contains(line), "the same line is printed at the start: {line}");
    }
    let html = curl(&["-H", "accept: text/html", "-i", &url]);
    assert!(
        html.contains("content-security-policy: default-src 'none'") && html.contains("<h2>GET /hello/{name}</h2>"),
        "{html}"
    );
    assert_eq!(status(&["-I", &url]), 200);
}

#[test]
fn files_are_served_and_nothing_outside() {
    let tables = "[[http]]\nroute = \"/site/{*path}\"\nfiles = \"public\"\n\n[[http]]\nroute = \"/{*path}\"\nfiles = \"public\"\n\n";
    let folder = app_folder("files", tables);
    let public = folder.join("public");
    fs::create_dir_all(public.join("sub")).unwrap();
    for (name, text) in [
        ("index.html", "<h1>home</h1>"),
        ("sub/index.html", "<h1>sub</h1>"),
        ("style.css", "a{}"),
        ("data.json", "{}"),
        ("odd", "no type"),
        (".hidden", "hidden"),
        ("a b+c%.txt", "odd name"),
        ("large.bin", &"0123456789".repeat(100_000)),
    ] {
        fs::write(public.join(name), text).unwrap();
    }
    fs::write(folder.join("secret"), "the secret").unwrap();
    symlink("../secret", public.join("link-out")).unwrap();
    symlink(folder.join("secret"), public.join("link-absolute")).unwrap();
    symlink("style.css", public.join("link-in.css")).unwrap();
    let app = App::start(sandbar(), folder, &[]);

    for base in ["", "/site"] {
        for (path, kind, text) in [
            ("/", "text/html", "<h1>home</h1>"),
            ("/index.html", "text/html", "<h1>home</h1>"),
            ("/sub/", "text/html", "<h1>sub</h1>"),
            ("/style.css", "text/css", "a{}"),
            ("/link-in.css", "text/css", "a{}"),
            ("/data.json", "application/json", "{}"),
            ("/odd", "application/octet-stream", "no type"),
            ("/a%20b+c%25.txt", "text/plain", "odd name"),
        ] {
            let answer = app.get(&format!("{base}{path}")).answer;
            assert_eq!((answer.status, answer.text().as_str()), (200, text), "{base}{path}");
            assert!(answer.header("content-type").unwrap().starts_with(kind), "{base}{path}: {answer:?}");
            let head = app.ask(&format!("HEAD {base}{path}"), &[], b"").answer;
            assert_eq!(
                (head.status, head.header("content-length")),
                (200, Some(text.len().to_string().as_str())),
                "{base}{path}"
            );
        }
        for path in [
            "/none",
            "/.hidden",
            "/link-out",
            "/link-absolute",
            "/../secret",
            "/%2e%2e/secret",
            "/..%2fsecret",
            "/sub/../../secret",
            "//etc/passwd",
            "/style.css/",
            "/sub%2findex.html",
            "/%00",
        ] {
            let answer = app.get(&format!("{base}{path}")).answer;
            assert!(matches!(answer.status, 400 | 404), "{base}{path}: {}", answer.status);
            assert!(!answer.text().contains("the secret") && !answer.text().contains("root:"), "{base}{path}");
        }
        let redirect = app.get(&format!("{base}/sub")).answer;
        assert!(matches!(redirect.status, 301 | 308), "{}", redirect.status);
        assert!(redirect.header("location").unwrap().ends_with("sub/"));
    }
    let answer = app.ask("POST /style.css", &[], b"x").answer;
    assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD")));

    // Unchanged, in part, and no part.
    let tag = app.get("/large.bin").answer.header("etag").unwrap().to_owned();
    let unchanged = app.ask("GET /large.bin", &[&format!("if-none-match: {tag}")], b"").answer;
    assert_eq!((unchanged.status, unchanged.body.len()), (304, 0));
    let part = app.ask("GET /large.bin", &["range: bytes=999990-"], b"").answer;
    assert_eq!(
        (part.status, part.text().as_str(), part.header("content-range")),
        (206, "0123456789", Some("bytes 999990-999999/1000000"))
    );
    assert_eq!(app.ask("GET /large.bin", &["range: bytes=1000000-"], b"").answer.status, 416);
    assert!(app.receipts().is_empty(), "no guest was asked");
}
