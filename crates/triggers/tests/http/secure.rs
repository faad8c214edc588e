//! TLS by certificate files, with ALPN.

use crate::guest::{Fixture, config, mirror};
use sandbar_triggers::http::{ServerConfig, Tls};
use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, ServerName},
};

struct Files(PathBuf);

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A certificate for `localhost` in files of its own.
fn certificate(name: &str) -> (Files, CertificateDer<'static>) {
    let folder = std::env::temp_dir().join(format!("sandbar-tls-{}-{name}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    fs::write(folder.join("cert.pem"), made.cert.pem()).unwrap();
    fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    (Files(folder), made.cert.der().clone())
}

fn load(files: &Files) -> Tls {
    Tls::load(&files.0.join("cert.pem"), &files.0.join("key.pem")).unwrap()
}

fn secured(files: &Files) -> ServerConfig {
    let mut config = config();
    config.tls = Some(load(files));
    config
}

fn connect(server: &Fixture, root: &CertificateDer<'static>, alpn: &[u8]) -> StreamOwned<ClientConnection, TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.to_vec()];
    let name = ServerName::try_from("localhost").unwrap();
    let client = ClientConnection::new(Arc::new(config), name).unwrap();
    StreamOwned::new(client, TcpStream::connect(server.address()).unwrap())
}

#[test]
fn http1_is_spoken_over_tls() {
    let (files, root) = certificate("http1");
    let server = Fixture::new(secured(&files), vec![("/", mirror())]);
    let mut stream = connect(&server, &root, b"http/1.1");
    stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
}

#[test]
fn http2_is_chosen_by_alpn() {
    let (files, root) = certificate("http2");
    let server = Fixture::new(secured(&files), vec![("/", mirror())]);
    let mut stream = connect(&server, &root, b"h2");
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap();
    let mut frame = [0; 9];
    stream.read_exact(&mut frame).unwrap();
    assert_eq!(frame[3], 4, "expected the server's SETTINGS, found {frame:?}");
    assert_eq!(stream.conn.alpn_protocol(), Some(&b"h2"[..]));
}

#[test]
fn clients_that_shake_no_hands_end() {
    let (files, _) = certificate("silent");
    let mut config = secured(&files);
    config.guards.handshake_timeout = Duration::from_millis(100);
    let server = Fixture::new(config, vec![("/", mirror())]);
    assert_eq!(server.connect().rest(), "");
    assert!(server.metric("sandbar_http_timeouts_total{bound=\"handshake\"} 1"));
    server.say("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    server.notices.wait(|notice| notice.starts_with("TLS handshake with 127.0.0.1:"));
}

#[test]
fn a_certificate_is_replaced_while_running() {
    let (old, _) = certificate("old");
    let (new, root) = certificate("new");
    let server = Fixture::new(secured(&old), vec![("/", mirror())]);
    assert!(server.handle.swap_tls(load(&new)));
    let mut stream = connect(&server, &root, b"http/1.1");
    stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
}

#[test]
fn unusable_files_are_named() {
    let (files, _) = certificate("bad");
    let (other, _) = certificate("other");
    let (cert, key, none) = (files.0.join("cert.pem"), files.0.join("key.pem"), files.0.join("none.pem"));
    for (cert, key, file) in [
        (&none, &key, &none),
        (&key, &key, &key),
        (&cert, &none, &none),
        (&cert, &other.0.join("key.pem"), &other.0.join("key.pem")),
    ] {
        assert_eq!(&Tls::load(cert, key).unwrap_err().file, file);
    }
}
