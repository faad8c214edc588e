//! A made-up guest, a server around it, and a client that writes bytes.

use http::Request;
use sandbar_call::{
    Body, Call, CallId, Digest, Draft, Event, Heading, Limits, Outcome, Receipt, Reply, Run, Running, Shape,
};
use sandbar_triggers::{
    Notice,
    http::{Binding, Handle, Home, Route, Routes, Server, ServerConfig, Target},
};
use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    num::NonZeroUsize,
    pin::Pin,
    sync::{Arc, Condvar, Mutex},
    task::{Context, Poll},
    time::Duration,
};

/// Answers a request; its call's receipt settles as cancelled when the future or the body it gave is dropped.
pub(crate) type Answering = Pin<Box<dyn Future<Output = Reply> + Send>>;

pub(crate) struct Guest {
    answer: Box<dyn Fn(Request<Body>) -> Answering + Send + Sync>,
}

impl Guest {
    pub(crate) fn new<F: Future<Output = Reply> + Send + 'static>(
        answer: impl Fn(Request<Body>) -> F + Send + Sync + 'static,
    ) -> Guest {
        Guest { answer: Box::new(move |request| Box::pin(answer(request))) }
    }
}

impl Run for Guest {
    fn run(&self, call: Call) -> Running<'_> {
        let Event::Http(request) = call.event else { panic!("expected a request") };
        let heading = Heading {
            call: call.id,
            at_ms: 0,
            guest: "guest".into(),
            digest: Digest([0; 32]),
            shape: Shape::Http,
            origin: call.origin,
        };
        let draft = Draft::open(heading, Limits::NONE, || 0, call.receipts);
        Box::pin(async move {
            match (self.answer)(request).await {
                Reply::Http(answer) => Reply::Http(answer.map(|body| match body {
                    Body::Stream(body) => Body::stream(Settling { body, draft: Some(draft) }),
                    whole => {
                        draft.settle(Outcome::Done);
                        whole
                    }
                })),
                Reply::Ended(outcome) => {
                    draft.settle(outcome.clone());
                    Reply::Ended(outcome)
                }
                reply => {
                    draft.settle(Outcome::Done);
                    reply
                }
            }
        })
    }
}

/// A streamed body that settles its call when it has ended.
struct Settling {
    body: Pin<Box<dyn http_body::Body<Data = bytes::Bytes, Error = sandbar_call::BodyError> + Send>>,
    draft: Option<Draft>,
}

impl http_body::Body for Settling {
    type Data = bytes::Bytes;
    type Error = sandbar_call::BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<bytes::Bytes>, Self::Error>>> {
        let polled = self.body.as_mut().poll_frame(cx);
        if let Poll::Ready(None) = polled
            && let Some(draft) = self.draft.take()
        {
            draft.settle(Outcome::Done);
        }
        polled
    }
}

/// Things that happened, which a test waits for.
pub(crate) struct Log<T>(Mutex<Vec<T>>, Condvar);

impl<T> Log<T> {
    fn new() -> Arc<Log<T>> {
        Arc::new(Log(Mutex::new(Vec::new()), Condvar::new()))
    }

    fn push(&self, item: T) {
        self.0.lock().unwrap().push(item);
        self.1.notify_all();
    }

    /// Waits until one fits. A test that waits too long hangs; its bound is only there to say so.
    pub(crate) fn wait(&self, fits: impl Fn(&T) -> bool) {
        self.wait_count(1, fits);
    }

    pub(crate) fn wait_count(&self, count: usize, fits: impl Fn(&T) -> bool) {
        let mut items = self.0.lock().unwrap();
        while items.iter().filter(|item| fits(item)).count() < count {
            let (waited, timeout) = self.1.wait_timeout(items, Duration::from_secs(60)).unwrap();
            assert!(!timeout.timed_out(), "waited for something that did not happen");
            items = waited;
        }
    }

    pub(crate) fn count(&self, fits: impl Fn(&T) -> bool) -> usize {
        self.0.lock().unwrap().iter().filter(|item| fits(item)).count()
    }
}

/// A server with guests, which ends with its test.
pub(crate) struct Fixture {
    pub(crate) handle: Handle,
    pub(crate) receipts: Arc<Log<Receipt>>,
    pub(crate) notices: Arc<Log<String>>,
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.handle.drain(Duration::ZERO);
    }
}

pub(crate) fn config() -> ServerConfig {
    let mut config = ServerConfig::new("127.0.0.1:0".parse().unwrap(), 0xabc);
    config.workers = NonZeroUsize::new(2);
    config
}

pub(crate) fn route(pattern: &str, guest: Guest, receipts: Arc<Log<Receipt>>) -> Route {
    let binding = Binding {
        run: Arc::new(guest),
        receipts: Arc::new(move |receipt| receipts.push(receipt)),
        wants_match: true,
        content_type: None,
        body_bytes_max: None,
    };
    Route { pattern: pattern.parse().unwrap(), target: Target::Guest(binding), example: None }
}

impl Fixture {
    pub(crate) fn new(config: ServerConfig, routes: Vec<(&str, Guest)>) -> Fixture {
        let receipts = Log::new();
        let routes = routes.into_iter().map(|(pattern, guest)| route(pattern, guest, receipts.clone())).collect();
        Fixture::of(config, routes, receipts)
    }

    pub(crate) fn of(mut config: ServerConfig, routes: Vec<Route>, receipts: Arc<Log<Receipt>>) -> Fixture {
        let notices = Log::new();
        let log = notices.clone();
        config.notices = Arc::new(move |notice: Notice| log.push(notice.to_string()));
        let routes = Arc::new(Routes::build("test", Home::Listed, routes).unwrap());
        let handle = Server::bind(config).unwrap().start(routes).unwrap();
        Fixture { handle, receipts, notices }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.handle.address()
    }

    pub(crate) fn connect(&self) -> Client {
        let stream = TcpStream::connect(self.address()).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        Client { stream, read: Vec::new() }
    }

    /// Sends bytes on a connection of their own and reads to its end.
    pub(crate) fn say(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut client = self.connect();
        client.send(bytes);
        client.rest()
    }

    /// Sends a request that ends its connection and gives status and body.
    pub(crate) fn ask(&self, request: &str) -> (u16, String) {
        split(&self.say(request.replace("\r\n\r\n", "\r\nhost: test\r\nconnection: close\r\n\r\n")))
    }

    pub(crate) fn metric(&self, line: &str) -> bool {
        let mut text = String::new();
        self.handle.metrics(&mut text);
        text.lines().any(|found| found == line)
    }
}

/// Status and body of an answer.
pub(crate) fn split(answer: &str) -> (u16, String) {
    let status = answer.get(9..12).and_then(|status| status.parse().ok()).unwrap_or_default();
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default();
    (status, body)
}

/// A client that writes bytes.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    read: Vec<u8>,
}

impl Client {
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        // A server that has closed already says so by its answer.
        let _ = self.stream.write_all(bytes.as_ref());
    }

    /// Reads to the end of the connection; one that was reset ends there too.
    pub(crate) fn rest(&mut self) -> String {
        let mut bytes = std::mem::take(&mut self.read);
        let _ = self.stream.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Reads until what was read ends in this text.
    pub(crate) fn until(&mut self, end: &str) -> String {
        let mut byte = [0];
        while !self.read.ends_with(end.as_bytes()) {
            match self.stream.read(&mut byte) {
                Ok(1) => self.read.push(byte[0]),
                other => panic!("{other:?} after {:?}", String::from_utf8_lossy(&self.read)),
            }
        }
        String::from_utf8(std::mem::take(&mut self.read)).unwrap()
    }
}

/// A reply with a body known whole.
pub(crate) fn whole(text: impl Into<String>) -> Reply {
    Reply::Http(http::Response::new(Body::from(text.into())))
}

/// A guest that says what it was asked, header by header.
pub(crate) fn mirror() -> Guest {
    Guest::new(|request: Request<Body>| async move {
        use http_body_util::BodyExt as _;
        let (head, body) = request.into_parts();
        let kind = format!("{body:?}");
        let Ok(collected) = body.collect().await else { return whole("body failed") };
        let trailers = collected.trailers().cloned();
        let body = String::from_utf8(collected.to_bytes().to_vec()).unwrap();
        let mut text = format!("{} {}\n", head.method, head.uri);
        for (name, value) in head.headers.iter().chain(trailers.iter().flatten()) {
            text += &format!("{name}: {}\n", value.to_str().unwrap());
        }
        whole(format!("{text}\n{kind} {body}"))
    })
}

/// A guest that never answers.
pub(crate) fn silent() -> Guest {
    Guest::new(|_| std::future::pending())
}

pub(crate) fn cancelled(receipt: &Receipt) -> bool {
    receipt.outcome == Outcome::Cancelled
}

pub(crate) fn done(receipt: &Receipt) -> bool {
    receipt.outcome == Outcome::Done
}

pub(crate) fn id_of(receipt: &Receipt) -> CallId {
    receipt.call
}
