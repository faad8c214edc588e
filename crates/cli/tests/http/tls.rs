//! TLS by certificate files: both protocols by ALPN, clients that don't speak it, and a certificate that is replaced.

use crate::{
    app::{App, SOON, TIME, app_folder, guest, route, sandbar, until},
    curl::curl,
};
use sandbar_testkit::process::{self, Signal};
use std::{fs, path::Path, process::Command};

/// Writes a certificate for 127.0.0.1 and its key, and gives the certificate's path.
fn certificate(folder: &Path, name: &str) -> String {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    fs::write(folder.join(format!("{name}.key.pem")), made.signing_key.serialize_pem()).unwrap();
    let path = folder.join(format!("{name}.pem"));
    fs::write(&path, made.cert.pem()).unwrap();
    path.to_str().unwrap().to_owned()
}

fn tables() -> String {
    let server = "[server]\ntls_certificate = \"cert.pem\"\ntls_key = \"key.pem\"\nheader_timeout = \"500ms\"\n\n";
    server.to_owned() + &guest("hello", "hello.wasm", "") + &route("GET /hello/{name}", "hello")
}

/// Puts a certificate where the manifest expects it.
fn install(folder: &Path, name: &str) {
    fs::copy(folder.join(format!("{name}.pem")), folder.join("cert.pem")).unwrap();
    fs::copy(folder.join(format!("{name}.key.pem")), folder.join("key.pem")).unwrap();
}

fn trusts(app: &App, certificate: &str) -> bool {
    let url = format!("https://{}/hello/tls", app.address());
    let mut curl = Command::new("curl");
    let finished = process::run(curl.args(["-sS", "--cacert", certificate, &url]), b"", TIME).unwrap();
    finished.code() == Some(0)
}

#[test]
fn a_certificate_makes_it_https() {
    let folder = app_folder("tls", &tables());
    let (first, second) = (certificate(&folder, "first"), certificate(&folder, "second"));
    install(&folder, "first");
    let app = App::start(sandbar(), folder, &[]);
    assert!(app.server.stderr().starts_with(&format!("tls serves on https://{}\n", app.address())));
    let url = format!("https://{}/hello/tls", app.address());
    for (flag, version) in [("--http1.1", "1.1"), ("--http2", "2")] {
        let said = curl(&["--cacert", &first, flag, "-w", "%{http_version}", &url]);
        assert_eq!(said, format!("Hello, tls!\n{version}"), "{flag}");
    }
    assert!(!trusts(&app, &second), "another certificate is not this one");

    // Clients that don't speak TLS, or say nothing, are let go; nobody else notices.
    let mut plain = app.connect();
    plain.send(b"GET /hello/plain HTTP/1.1\r\nhost: a\r\n\r\n");
    assert!(!String::from_utf8_lossy(&plain.rest()).contains("Hello"));
    assert_eq!(app.connect().rest(), b"", "a silent client is let go");
    app.server.wait_for("TLS handshake with 127.0.0.1", SOON).unwrap();
    until("a timeout", || (app.metric("sandbar_http_timeouts_total{bound=\"handshake\"}") >= 1.0).then_some(()));
    assert!(trusts(&app, &first));

    // A new certificate is shown from the next connection on; a bad one is refused and the old one stays.
    fs::write(app.folder.join("cert.pem"), "no certificate").unwrap();
    app.server.signal(Signal::HUP).unwrap();
    app.server.wait_for("the old one goes on", SOON).unwrap();
    assert!(trusts(&app, &first));
    install(&app.folder, "second");
    app.server.signal(Signal::HUP).unwrap();
    app.server.wait_for("the new version serves", SOON).unwrap();
    assert!(trusts(&app, &second) && !trusts(&app, &first));
}

#[test]
fn a_certificate_that_can_t_be_used_is_an_error() {
    let folder = app_folder("tls-errors", &tables());
    let (_, _) = (certificate(&folder, "first"), certificate(&folder, "second"));
    install(&folder, "first");
    for (what, file, content) in [
        ("missing", "cert.pem", None),
        ("no certificate", "cert.pem", Some("garbage".to_owned())),
        ("no key", "key.pem", Some(String::new())),
        ("another's key", "key.pem", Some(fs::read_to_string(folder.join("second.key.pem")).unwrap())),
    ] {
        install(&folder, "first");
        match content {
            Some(content) => fs::write(folder.join(file), content).unwrap(),
            None => fs::remove_file(folder.join(file)).unwrap(),
        }
        let mut up = sandbar();
        let finished = process::run(up.arg("up").arg(&folder).arg("--listen=127.0.0.1:0"), b"", TIME).unwrap();
        let stderr = finished.stderr_text();
        assert!(finished.code().is_some_and(|code| (65..=66).contains(&code)), "{what}: {finished:?}");
        assert!(
            stderr.starts_with("error: ") && stderr.contains(".pem") && !stderr.contains("PRIVATE"),
            "{what}: {stderr}"
        );
    }
}
