//! Requests against servers on this machine, with a name server of the test's own.

use super::*;
use crate::{host::Name, lookup::Resolving};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::{body::Frame, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use sandbar_call::{GrantKind, Limits, Stop};
use std::{
    convert::Infallible,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// A name server that gives the listed answers in turn, the last one for ever.
struct Answers {
    answers: Vec<&'static [&'static str]>,
    asked: AtomicUsize,
}

impl Resolver for Answers {
    fn resolve<'a>(&'a self, _: &'a Name) -> Resolving<'a> {
        let at = self.asked.fetch_add(1, Relaxed).min(self.answers.len() - 1);
        let answer = self.answers[at].iter().map(|text| text.parse().unwrap()).collect();
        Box::pin(async move { Ok(answer) })
    }
}

fn answers(answers: &[&'static [&'static str]]) -> Arc<Answers> {
    Arc::new(Answers { answers: answers.to_vec(), asked: AtomicUsize::new(0) })
}

fn grant(entries: &[String]) -> HttpGrant {
    let mut grant = HttpGrant::default();
    for entry in entries {
        grant.add(entry).unwrap();
    }
    grant
}

fn get(uri: &str) -> Request<Body> {
    Request::get(uri).body(Body::Empty).unwrap()
}

const SOON: Duration = Duration::from_millis(50);
const NEVER: Duration = Duration::from_secs(3600);
const PATIENT: Timeouts = Timeouts { connect: NEVER, first_byte: NEVER, between_bytes: NEVER };

/// Sends and reads all of the answer; the exchange ends by itself.
async fn fetch(
    client: &HttpClient,
    entry: &str,
    request: Request<Body>,
    meter: &Arc<Meter>,
    timeouts: Timeouts,
) -> Result<(http::response::Parts, Bytes), HttpError> {
    let (response, exchange) = client.send(&grant(&[entry.into()]), meter.clone(), request, timeouts).await?;
    let exchange = tokio::spawn(exchange);
    let (head, body) = response.into_parts();
    let body = body.collect().await.map_err(|error| *error.downcast::<HttpError>().unwrap());
    if body.is_ok() {
        exchange.await.unwrap()?;
    }
    Ok((head, body?.to_bytes()))
}

fn meter() -> Arc<Meter> {
    Arc::new(Meter::new(Limits::NONE))
}

fn client(resolver: Arc<Answers>) -> HttpClient {
    HttpClient::new(resolver, Tls::trusting(&[]))
}

/// Answers every request with what it asked: method, target, host, and its body; `/redirect` sends elsewhere.
async fn echo(
    request: Request<hyper::body::Incoming>,
    hits: Arc<AtomicUsize>,
) -> Result<Response<BoxBody<Bytes, Infallible>>, Infallible> {
    hits.fetch_add(1, Relaxed);
    let (head, body) = request.into_parts();
    if head.uri.path() == "/redirect" {
        let to = Response::builder().status(302).header("location", "http://169.254.169.254/");
        return Ok(to.body(Full::default().boxed()).unwrap());
    }
    let body = body.collect().await.unwrap();
    let host = head.headers.get("host").map(|host| host.to_str().unwrap().to_owned());
    let host = host.or_else(|| head.uri.authority().map(ToString::to_string)).unwrap();
    let others: Vec<_> = head.headers.keys().map(HeaderName::as_str).filter(|name| *name != "host").collect();
    let text = format!(
        "{:?} {} {} {host} {} {}",
        head.version,
        head.method,
        head.uri.path_and_query().unwrap(),
        others.join(","),
        String::from_utf8_lossy(&body.to_bytes())
    );
    Ok(Response::new(Full::from(text).boxed()))
}

/// Serves HTTP/1.1 in cleartext; gives its port and its count of requests.
async fn server() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let hits = Arc::new(AtomicUsize::new(0));
    let counted = hits.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let hits = counted.clone();
            let service = service_fn(move |request| echo(request, hits.clone()));
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    (port, hits)
}

/// Serves bytes as they are, then keeps the connection open.
async fn raw_server(answer: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut asked = [0; 4096];
                let _ = stream.read(&mut asked).await;
                let _ = stream.write_all(answer).await;
                let _ = stream.read(&mut asked).await;
            });
        }
    });
    port
}

/// Serves HTTP over TLS with a certificate for `secure.test`, by the protocols offered; gives its port and certificate.
async fn tls_server(protocols: &[&str]) -> (u16, String) {
    let certified = rcgen::generate_simple_self_signed(["secure.test".to_string()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .unwrap();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(stream) = acceptor.accept(stream).await else { continue };
            let service = service_fn(|request| echo(request, Arc::default()));
            let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            let io = TokioIo::new(stream);
            match h2 {
                true => tokio::spawn(async move {
                    let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                        .serve_connection(io, service)
                        .await;
                }),
                false => tokio::spawn(async move {
                    let _ = hyper::server::conn::http1::Builder::new().serve_connection(io, service).await;
                }),
            };
        }
    });
    (port, certified.cert.pem())
}

#[tokio::test]
async fn a_granted_request_is_answered_and_charged() {
    let (port, _) = server().await;
    let meter = meter();
    let request = Request::post(format!("http://127.0.0.1:{port}/a?b=c"))
        .header("host", "fronted.example")
        .header("connection", "x-hop")
        .header("x-hop", "1")
        .header("x-end", "2")
        .body(Body::from("hello"))
        .unwrap();
    let entry = format!("http://127.0.0.1:{port}");
    let (head, body) = fetch(&client(answers(&[&[]])), &entry, request, &meter, PATIENT).await.unwrap();
    assert_eq!(head.status, 200);
    assert_eq!(body, format!("HTTP/1.1 POST /a?b=c 127.0.0.1:{port} x-end,content-length hello"));
    assert_eq!(meter.used(Resource::BytesOut), 5);
    assert_eq!(meter.used(Resource::BytesIn), body.len() as u64);
    assert_eq!((meter.used(Resource::Connections), meter.calls(GrantKind::Http)), (1, 1));
    assert!(meter.denials().0.is_empty());
}

#[tokio::test]
async fn a_wildcard_does_not_reach_this_machine() {
    let (port, hits) = server().await;
    for (entry, uri, answer, allow) in [
        ("http://*:*", "http://127.0.0.1:PORT/", &[][..], "http://127.0.0.1:PORT"),
        ("http://*:*", "http://[::ffff:127.0.0.1]:PORT/", &[], "http://127.0.0.1:PORT"),
        ("http://*:*", "http://localhost:PORT/", &["127.0.0.1"], "private+http://localhost:PORT"),
        ("http://*.test:*", "http://evil.test:PORT/", &["127.0.0.1"], "private+http://evil.test:PORT"),
        ("http://evil.test:*", "http://evil.test:PORT/", &["::1", "10.0.0.1"], "private+http://evil.test:PORT"),
        ("http://evil.test:*", "http://evil.test:PORT/", &["::ffff:127.0.0.1"], "private+http://evil.test:PORT"),
    ] {
        let (meter, client) = (meter(), client(answers(&[answer])));
        let filled = |text: &str| text.replace("PORT", &port.to_string());
        let error = fetch(&client, entry, get(&filled(uri)), &meter, PATIENT).await.unwrap_err();
        assert!(matches!(error, HttpError::Denied(_)), "{uri}: {error}");
        assert_eq!(meter.denials().0[0].allow, format!("http = [\"{}\"]", filled(allow)));
    }
    assert_eq!(hits.load(Relaxed), 0);
}

#[tokio::test]
async fn a_name_is_resolved_once_and_the_connection_goes_to_what_was_checked() {
    let (port, hits) = server().await;
    let uri = format!("http://rebind.test:{port}/");
    // The second answer would be let through, or lead elsewhere; it is never asked for.
    let inside = answers(&[&["127.0.0.1"], &["10.255.255.1"]]);
    let entry = format!("private+http://rebind.test:{port}");
    let (_, body) = fetch(&client(inside.clone()), &entry, get(&uri), &meter(), PATIENT).await.unwrap();
    assert!(String::from_utf8_lossy(&body).contains(&format!("rebind.test:{port}")));
    assert_eq!((inside.asked.load(Relaxed), hits.load(Relaxed)), (1, 1));
    let outside = answers(&[&["10.0.0.1"], &["127.0.0.1"]]);
    let entry = format!("http://rebind.test:{port}");
    let error = fetch(&client(outside.clone()), &entry, get(&uri), &meter(), PATIENT).await.unwrap_err();
    assert!(matches!(error, HttpError::Denied(_)));
    assert_eq!((outside.asked.load(Relaxed), hits.load(Relaxed)), (1, 1));
}

#[tokio::test]
async fn a_redirect_is_the_guests_to_follow_and_checked_again() {
    let (port, hits) = server().await;
    let (meter, entry) = (meter(), format!("http://127.0.0.1:{port}"));
    let client = client(answers(&[&[]]));
    let uri = format!("http://127.0.0.1:{port}/redirect");
    let (head, _) = fetch(&client, &entry, get(&uri), &meter, PATIENT).await.unwrap();
    assert_eq!((head.status.as_u16(), hits.load(Relaxed)), (302, 1));
    let location = head.headers["location"].to_str().unwrap();
    let error = fetch(&client, &entry, get(location), &meter, PATIENT).await.unwrap_err();
    assert_eq!(error.to_string(), "`GET http://169.254.169.254:80` is not granted");
}

#[tokio::test]
async fn connections_are_charged_until_their_limit() {
    let (port, hits) = server().await;
    let meter = Arc::new(Meter::new(Limits::NONE.with(Resource::Connections, 2)));
    let (client, entry) = (client(answers(&[&[]])), format!("http://127.0.0.1:{port}"));
    let uri = format!("http://127.0.0.1:{port}/");
    for _ in 0..2 {
        fetch(&client, &entry, get(&uri), &meter, PATIENT).await.unwrap();
    }
    let error = fetch(&client, &entry, get(&uri), &meter, PATIENT).await.unwrap_err();
    assert!(matches!(error, HttpError::ConnectionLimit(Stop(Resource::Connections))));
    assert_eq!(hits.load(Relaxed), 2);
}

#[tokio::test]
async fn a_body_ends_at_the_limit_of_bytes() {
    let (port, _) = server().await;
    let (client, entry) = (client(answers(&[&[]])), format!("http://127.0.0.1:{port}"));
    for resource in [Resource::BytesIn, Resource::BytesOut] {
        let meter = Arc::new(Meter::new(Limits::NONE.with(resource, 10)));
        let request = Request::post(format!("http://127.0.0.1:{port}/")).body(Body::from("more than ten")).unwrap();
        let error = fetch(&client, &entry, request, &meter, PATIENT).await.unwrap_err();
        assert!(matches!(error, HttpError::BodyLimit(Stop(over)) if over == resource), "{error}");
    }
}

#[tokio::test]
async fn a_slow_server_is_given_up_on() {
    let silent = raw_server(b"").await;
    let stuck = raw_server(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await;
    let client = client(answers(&[&[]]));
    for (port, scheme, timeouts, expected) in [
        (silent, "http", Timeouts { first_byte: SOON, ..PATIENT }, "the response did not begin in time"),
        (stuck, "http", Timeouts { between_bytes: SOON, ..PATIENT }, "the response's body paused for too long"),
        (silent, "https", Timeouts { connect: SOON, ..PATIENT }, "there was no connection in time"),
    ] {
        let uri = format!("{scheme}://127.0.0.1:{port}");
        let error = fetch(&client, &uri, get(&uri), &meter(), timeouts).await.unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}

#[tokio::test]
async fn dropping_the_exchange_ends_the_body() {
    let port = raw_server(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await;
    let (client, uri) = (client(answers(&[&[]])), format!("http://127.0.0.1:{port}"));
    let (response, exchange) =
        client.send(&grant(std::slice::from_ref(&uri)), meter(), get(&uri), PATIENT).await.unwrap();
    drop(exchange);
    let error = response.into_body().collect().await.unwrap_err().downcast::<HttpError>().unwrap();
    assert!(matches!(*error, HttpError::ConnectionTerminated), "{error}");
}

#[tokio::test]
async fn a_broken_server_is_an_error_that_says_so() {
    let gone = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap().port()
    };
    static LARGE: [u8; 100 << 10] = {
        let mut large = [b'a'; 100 << 10];
        let head = *b"HTTP/1.1 200 OK\r\nx: ";
        let mut at = 0;
        while at < head.len() {
            large[at] = head[at];
            at += 1;
        }
        large
    };
    let client = client(answers(&[&[]]));
    for (port, expected) in [
        (gone, "the server refused the connection"),
        (raw_server(b"SSH-2.0-OpenSSH\r\n\r\n").await, "the server broke HTTP: invalid HTTP version parsed"),
        (raw_server(&LARGE).await, "the response's head is too large"),
    ] {
        let uri = format!("http://127.0.0.1:{port}");
        let error = fetch(&client, &uri, get(&uri), &meter(), PATIENT).await.unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    let named = HttpClient::new(answers(&[&[]]), Tls::trusting(&[]));
    let error = fetch(&named, "http://none.test", get("http://none.test/"), &meter(), PATIENT).await.unwrap_err();
    assert!(matches!(error, HttpError::DestinationNotFound));
}

#[tokio::test]
async fn a_request_that_could_be_read_two_ways_is_refused() {
    let (port, hits) = server().await;
    let (client, uri) = (client(answers(&[&[]])), format!("http://127.0.0.1:{port}/"));
    let post = || Request::post(&uri);
    for request in [
        Request::builder().method("CONNECT").uri(&uri).body(Body::Empty),
        post().header("content-length", "3").body(Body::from("hello")),
        post().header("content-length", "5").header("content-length", "6").body(Body::from("hello")),
        post().header("content-length", "5, 5").body(Body::from("hello")),
        post().header("content-length", "-1").body(Body::from("hello")),
    ] {
        let entry = format!("http://127.0.0.1:{port}");
        let error = fetch(&client, &entry, request.unwrap(), &meter(), PATIENT).await.unwrap_err();
        assert!(matches!(error, HttpError::RequestInvalid(_)), "{error}");
    }
    assert_eq!(hits.load(Relaxed), 0);
}

#[tokio::test]
async fn https_speaks_what_the_server_chose_and_checks_its_certificate() {
    for (protocols, version) in [(&["h2", "http/1.1"][..], "HTTP/2.0"), (&["http/1.1"], "HTTP/1.1"), (&[], "HTTP/1.1")]
    {
        let (port, pem) = tls_server(protocols).await;
        let here = answers(&[&["127.0.0.1"]]);
        let trusting = HttpClient::new(here.clone(), Tls::trusting(pem.as_bytes()));
        let frames = futures::stream::iter([Ok(Frame::data(Bytes::from("one "))), Ok(Frame::data(Bytes::from("two")))]);
        let uri = format!("https://secure.test:{port}/x");
        let request = Request::post(&uri).body(Body::stream(StreamBody::new(frames))).unwrap();
        let meter = meter();
        let entry = format!("private+https://*.test:{port}");
        let (_, body) = fetch(&trusting, &entry, request, &meter, PATIENT).await.unwrap();
        let text = String::from_utf8_lossy(&body).into_owned();
        assert!(
            text.starts_with(&format!("{version} POST /x secure.test:{port} ")) && text.ends_with("one two"),
            "{text}"
        );
        assert_eq!(meter.used(Resource::BytesOut), 7);

        let other = format!("https://other.test:{port}/x");
        let error = fetch(&trusting, &entry, get(&other), &meter, PATIENT).await.unwrap_err();
        assert!(matches!(error, HttpError::TlsCertificate(_)), "a certificate for another name: {error}");
        let strict = HttpClient::new(here, Tls::trusting(&[]));
        let error = fetch(&strict, &entry, get(&uri), &meter, PATIENT).await.unwrap_err();
        assert!(matches!(error, HttpError::TlsCertificate(_)), "nobody vouches for it: {error}");
    }
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_a_tls_error() {
    let port = raw_server(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let uri = format!("https://127.0.0.1:{port}");
    let error = fetch(&client(answers(&[&[]])), &uri, get(&uri), &meter(), PATIENT).await.unwrap_err();
    assert!(matches!(error, HttpError::TlsProtocol(_)), "{error}");
}
