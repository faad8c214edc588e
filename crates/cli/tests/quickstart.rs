//! The first thing that anyone tries: `sandbar up examples/quickstart`, and a real client on each route.

#![allow(clippy::unwrap_used, reason = "tests end loudly")]

use sandbar_testkit::process::{Server, run, sandbar};
use std::{path::Path, process::Command, time::Duration};

const TIME: Duration = Duration::from_secs(60);

fn workspace() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// Serves the quickstart with the guests of a folder.
fn serve(folder: &Path) -> Server {
    Server::start({
        let mut up = sandbar().unwrap();
        up.arg("up").arg(folder).args(["--listen", "127.0.0.1:0"]);
        up
    })
    .unwrap()
}

fn curl(server: &Server, arguments: &[&str], path: &str) -> String {
    let mut curl = Command::new("curl");
    curl.args(["-sS", "-w", " %{http_code} %{content_type}"]).args(arguments).arg(server.url(path));
    let finished = run(&mut curl, b"", TIME).unwrap();
    assert!(finished.status.success(), "{finished:?}");
    String::from_utf8_lossy(&finished.stdout).into_owned()
}

/// What each route of the quickstart answers.
fn check_routes(server: &Server) {
    for (arguments, path, expected) in [
        (
            &["-d", r#"{"name":"Ada","value":21}"#][..],
            "/double",
            r#"{"message":"Hello, Ada. Your value was doubled!","processed_value":42} 200 application/json"#,
        ),
        (
            &["-d", r#"{"users":[{"name":"Ada","age":36},{"name":"Bob","age":28}]}"#],
            "/users",
            r#"{"filtered_users":[{"name":"Ada","age":36}],"processed_count":2} 200 application/json"#,
        ),
        (&["-d", "[42]"], "/sensor/validate", "42 200 application/json"),
        (&["-d", "[101]"], "/sensor/validate", "-1 200 application/json"),
        (&["-d", "[[20,22,27]]"], "/sensor/average", "23 200 application/json"),
        (&["-d", "[[]]"], "/sensor/average", "0 200 application/json"),
        (&[], "/hello/world", "Hello, world!\n 200 text/plain; charset=utf-8"),
        (&["--http2-prior-knowledge"], "/hello/h2", "Hello, h2!\n 200 text/plain; charset=utf-8"),
        (&["-d", "not json"], "/double", "500"),
        (&["-d", "[\"x\"]"], "/sensor/validate", "400"),
    ] {
        let answer = curl(server, arguments, path);
        let right = if expected.len() == 3 { answer.contains(&format!(" {expected} ")) } else { answer == expected };
        assert!(right, "{path} {arguments:?}: expected {expected}, found {answer}");
    }
}

#[test]
fn the_quickstart_answers_on_every_route() {
    let server = serve(&workspace().join("examples/quickstart"));
    check_routes(&server);
}

/// The prebuilt guests are what their sources build: both answer alike.
#[test]
fn the_sources_rebuild_to_guests_that_answer_alike() {
    let built = workspace().join("guests/target/sandbar");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("rebuilt-quickstart");
    std::fs::create_dir_all(&folder).unwrap();
    let manifest = workspace().join("examples/quickstart/sandbar.toml");
    std::fs::copy(manifest, folder.join("sandbar.toml")).unwrap();
    for guest in ["double.wasm", "users.wasm", "sensor.wasm", "hello.wasm"] {
        let copied = std::fs::copy(built.join(guest), folder.join(guest));
        copied.unwrap_or_else(|error| panic!("`{guest}` is not built ({error}); run `cargo xtask guests`"));
    }
    check_routes(&serve(&folder));
}
