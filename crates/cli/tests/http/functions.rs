//! Functions and typed exports behind routes: bodies in, answers out, and nothing of the inside.

use crate::app::{App, SOON, ended, guest, route};

#[test]
fn a_function_answers_with_its_stdout() {
    let html = "[[http]]\nroute = \"POST /html\"\nguest = \"healthy\"\ncontent_type = \"text/html\"\n\n";
    let tables = [
        guest("canary", "hostile/canary.wat", ""),
        route("POST /text", "canary"),
        guest("quiet", "quiet.wat", "shape = \"function\""),
        route("POST /quiet", "quiet"),
        guest("fails", "fails.wat", ""),
        route("POST /fails", "fails"),
        html.to_owned(),
    ]
    .concat();
    let app = App::serve("functions", &tables);
    const BODY: &[u8] = br#"{"name":"Ada","value":21}"#;
    for (path, body, status, kind) in [
        ("/healthy", BODY, 200, "application/json"),
        ("/html", BODY, 200, "text/html"),
        ("/text", b"", 200, "text/plain; charset=utf-8"),
        ("/quiet", b"", 200, "text/plain; charset=utf-8"),
        ("/healthy", b"no json", 500, "application/json"),
        ("/fails", b"", 500, "application/json"),
    ] {
        let asked = app.ask(&format!("POST {path}"), &[], body);
        assert_eq!((asked.answer.status, asked.answer.header("content-type")), (status, Some(kind)), "{path}");
        let receipt = app.receipt(&asked.id);
        assert_eq!(ended(&receipt).split(' ').next(), Some(if status == 200 { "done" } else { "failed" }), "{receipt}");
        assert_eq!(receipt["shape"], "function");
        if status == 500 {
            let page: serde_json::Value = serde_json::from_slice(&asked.answer.body).unwrap();
            assert_eq!(page, serde_json::json!({ "error": "the function failed", "request_id": asked.id }));
        }
    }
    // Who asks for text gets the page as text.
    let text = app.ask("POST /fails", &["accept: text/plain"], b"");
    assert_eq!(text.answer.text(), format!("the function failed\nrequest id: {}\n", text.id));
    // What went to stderr, and the hint for one that forgot to flush, are in the log.
    app.server.wait_for(": secret detail\n", SOON).unwrap();
    app.server.wait_for("wrote nothing to stdout; hint: ", SOON).unwrap();
}

#[test]
fn typed_exports_take_json_and_give_json() {
    let typed = |path: &str, guest: &str, export: &str| {
        format!("[[http]]\nroute = \"POST {path}\"\nguest = \"{guest}\"\nexport = \"{export}\"\n\n")
    };
    let echo = |name: &str| typed(&format!("/{name}"), "types", &format!("sandbar:types/echo@0.1.0#echo-{name}"));
    let echoes = [
        "bool", "u64", "f64", "char", "string", "bytes", "option", "result", "tuple", "record", "variant", "flags",
        "nested",
    ];
    let tables = [
        guest("sensor", "sensor.wasm", ""),
        typed("/average", "sensor", "calculate_average"),
        typed("/validate", "sensor", "validate_sensor_reading"),
        guest("string", "string.wat", ""),
        typed("/vowels", "string", "count_vowels"),
        guest("add", "add.wat", ""),
        typed("/sum64", "add", "sum64"),
        typed("/swap", "add", "swap"),
        guest("types", "types.wasm", ""),
        typed("/greet", "types", "greet"),
        echoes.map(echo).concat(),
    ]
    .concat();
    let app = App::serve("typed", &tables);
    for (path, body, expected) in [
        ("/average", "[[20,22,27]]", "23"),
        ("/average", "[[]]", "0"),
        ("/validate", "[101]", "-1"),
        ("/vowels", r#"["hällo world"]"#, "2"),
        // A number that a JavaScript reader would round is a text.
        ("/sum64", "[9007199254740993, 1]", r#""9007199254740994""#),
        ("/swap", "[1, 2]", "[2,1]"),
        ("/greet", r#"["Ada"]"#, r#""Hello, Ada!""#),
        ("/bool", "[true]", "true"),
        ("/f64", "[0.1]", "0.1"),
        ("/char", r#"["é"]"#, r#""é""#),
        ("/string", r#"["a\"b\n\u0000"]"#, r#""a\"b\n\u0000""#),
        ("/option", "[7]", "7"),
        ("/option", "[null]", "null"),
        ("/record", r#"[{"x":1,"y":-2}]"#, r#"{"x":1,"y":-2}"#),
        ("/tuple", r#"[[1,"a"]]"#, r#"[1,"a"]"#),
        ("/flags", r#"[["read","execute"]]"#, r#"["read","execute"]"#),
    ] {
        let asked = app.ask(&format!("POST {path}"), &[], body.as_bytes());
        assert_eq!((asked.answer.status, asked.answer.text().as_str()), (200, expected), "{path} {body}");
        assert_eq!(asked.answer.header("content-type"), Some("application/json"));
        let receipt = app.receipt(&asked.id);
        assert_eq!((ended(&receipt).as_str(), &receipt["shape"]), ("done", &"typed".into()));
    }
    // What does not fit is the client's error, and the page tells nothing of the guest.
    for (path, body) in [
        ("/validate", "[\"x\"]"),
        ("/validate", "[]"),
        ("/validate", "[1, 2]"),
        ("/validate", "[4294967296]"),
        ("/validate", "[1.5]"),
        ("/validate", "{}"),
        ("/validate", "[1"),
        ("/validate", ""),
        ("/greet", "[\"a\", \"b\"]"),
        ("/u64", "[-1]"),
        ("/char", "[\"ab\"]"),
        ("/record", "[{\"x\":1}]"),
        ("/flags", "[[\"fly\"]]"),
    ] {
        let asked = app.ask(&format!("POST {path}"), &[], body.as_bytes());
        assert_eq!(asked.answer.status, 400, "{path} {body}: {}", asked.answer.text());
        assert_eq!(ended(&app.receipt(&asked.id)), "refused event", "{path} {body}");
    }
    let deep = "[".repeat(100_000);
    assert_eq!(app.ask("POST /nested", &[], deep.as_bytes()).answer.status, 400);
}
