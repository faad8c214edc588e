//! The network of a run: servers on this machine that behave well and badly, and a name server that does too.

use sandbar_grants::{Resolver, host::Name, lookup::Resolving};
use std::{
    collections::BTreeMap,
    future::pending,
    io,
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    time::sleep,
};

/// How a server behaves. There is one for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Manner {
    Answers,
    AnswersLate,
    Trickles,
    Closes,
    CutsOff,
    /// Takes what comes and never answers.
    Silent,
    Garbage,
    Floods,
    /// Sends everybody to the forbidden one.
    Redirects,
    /// Nobody is granted this one.
    Forbidden,
}

impl Manner {
    pub(crate) const ALL: &[Manner] = &[
        Manner::Answers,
        Manner::AnswersLate,
        Manner::Trickles,
        Manner::Closes,
        Manner::CutsOff,
        Manner::Silent,
        Manner::Garbage,
        Manner::Floods,
        Manner::Redirects,
        Manner::Forbidden,
    ];

    /// Whether an exchange with it comes to an end.
    pub(crate) fn ends(self) -> bool {
        self != Manner::Silent
    }

    /// The length of the body that it answers with, where it answers as asked.
    pub(crate) fn body_bytes(self) -> Option<u64> {
        match self {
            Manner::Answers | Manner::AnswersLate => Some(ANSWER.len() as u64),
            Manner::Trickles => Some(TRICKLE_BYTES as u64),
            Manner::Floods => Some(FLOOD_BYTES as u64),
            Manner::Redirects => Some(0),
            Manner::Closes | Manner::CutsOff | Manner::Silent | Manner::Garbage | Manner::Forbidden => None,
        }
    }
}

/// How a server is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Host {
    /// By its address.
    Address,
    Name,
    SlowName,
    /// By a name that is granted for public addresses only, and leads to this machine.
    Rebinds,
    /// There is no such name.
    Unknown,
    /// The name server fails.
    Fails,
    /// It never answers.
    Hangs,
}

impl Host {
    pub(crate) const ALL: &[Host] =
        &[Host::Address, Host::Name, Host::SlowName, Host::Rebinds, Host::Unknown, Host::Fails, Host::Hangs];

    pub(crate) const fn text(self) -> &'static str {
        match self {
            Host::Address => "127.0.0.1",
            Host::Name => "peer.test",
            Host::SlowName => "slow.test",
            Host::Rebinds => "rebinds.test",
            Host::Unknown => "unknown.test",
            Host::Fails => "fails.test",
            Host::Hangs => "hangs.test",
        }
    }

    pub(crate) fn ends(self) -> bool {
        self != Host::Hangs
    }

    /// Whether a connection comes about where the host is granted.
    pub(crate) fn leads_there(self) -> bool {
        matches!(self, Host::Address | Host::Name | Host::SlowName)
    }

    /// The entry that grants a server on this machine, but for a name that must not lead to it.
    pub(crate) fn http_entry(self, port: u16) -> String {
        let private = if matches!(self, Host::Address | Host::Rebinds) { "" } else { "private+" };
        format!("{private}http://{}:{port}", self.text())
    }
}

/// The name server.
#[derive(Debug, Default)]
pub(crate) struct Names(Mutex<Vec<String>>);

impl Names {
    /// The names that were asked for.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl Resolver for Names {
    fn resolve<'a>(&'a self, name: &'a Name) -> Resolving<'a> {
        self.0.lock().unwrap().push(name.as_str().to_owned());
        let host = Host::ALL.iter().find(|host| host.text() == name.as_str());
        Box::pin(async move {
            match host {
                Some(Host::SlowName) => sleep(Duration::from_millis(15)).await,
                Some(Host::Fails) => return Err(io::Error::other("the name server is ill")),
                Some(Host::Hangs) => pending().await,
                Some(Host::Unknown) | None => return Ok(Vec::new()),
                Some(Host::Address | Host::Name | Host::Rebinds) => {}
            }
            Ok(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)])
        })
    }
}

/// What came to a server: the first line that was sent, or nothing but the connection.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) manner: Manner,
    pub(crate) line: String,
}

/// Where each server listens.
pub(crate) type Ports = BTreeMap<Manner, u16>;

/// The servers of a run, on a thread of their own. They end when this is dropped.
pub(crate) struct Peers {
    ports: Ports,
    seen: Arc<Mutex<Vec<Seen>>>,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Peers {
    pub(crate) fn start() -> Peers {
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let (end, ended) = oneshot::channel();
        let listen = |manner: &Manner| {
            let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            listener.set_nonblocking(true).unwrap();
            (*manner, listener)
        };
        let listeners: Vec<_> = Manner::ALL.iter().map(listen).collect();
        let port =
            |(manner, listener): &(Manner, std::net::TcpListener)| (*manner, listener.local_addr().unwrap().port());
        let ports: Ports = listeners.iter().map(port).collect();
        let (keep, forbidden) = (seen.clone(), ports[&Manner::Forbidden]);
        let serve = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                for (manner, listener) in listeners {
                    let listener = TcpListener::from_std(listener).unwrap();
                    tokio::spawn(accept(listener, manner, forbidden, keep.clone()));
                }
                let _ = ended.await;
            });
        };
        let thread = std::thread::Builder::new().name("peers".into()).spawn(serve).unwrap();
        Peers { ports, seen, end: Some(end), thread: Some(thread) }
    }

    pub(crate) fn ports(&self) -> &Ports {
        &self.ports
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn accept(listener: TcpListener, manner: Manner, forbidden: u16, seen: Arc<Mutex<Vec<Seen>>>) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let seen = seen.clone();
        tokio::spawn(async move {
            let line = first_line(&mut stream).await;
            seen.lock().unwrap().push(Seen { manner, line });
            let _ = answer(&mut stream, manner, forbidden).await;
        });
    }
}

/// Reads a request's head, or one line that is no request.
async fn first_line(stream: &mut TcpStream) -> String {
    let (mut read, mut buffer) = (Vec::new(), [0; 1024]);
    loop {
        let whole = read.windows(4).any(|end| end == b"\r\n\r\n") || read.starts_with(b"ping\n");
        match if whole { Ok(0) } else { stream.read(&mut buffer).await } {
            Ok(0) | Err(_) => break,
            Ok(count) => read.extend_from_slice(&buffer[..count]),
        }
    }
    let text = String::from_utf8_lossy(&read);
    text.lines().next().unwrap_or_default().to_owned()
}

const ANSWER: &str = "the peer answers\n";
const TRICKLE_BYTES: usize = 10;
const FLOOD_BYTES: usize = 3_000_000;

async fn answer(stream: &mut TcpStream, manner: Manner, forbidden: u16) -> io::Result<()> {
    let head = |length: usize| format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
    match manner {
        Manner::Answers | Manner::Forbidden => {
            stream.write_all(format!("{}{ANSWER}", head(ANSWER.len())).as_bytes()).await
        }
        Manner::AnswersLate => {
            sleep(Duration::from_millis(25)).await;
            stream.write_all(format!("{}{ANSWER}", head(ANSWER.len())).as_bytes()).await
        }
        Manner::Trickles => {
            stream.write_all(head(TRICKLE_BYTES).as_bytes()).await?;
            for _ in 0..TRICKLE_BYTES {
                sleep(Duration::from_millis(3)).await;
                stream.write_all(b"t").await?;
            }
            Ok(())
        }
        Manner::Closes => Ok(()),
        Manner::CutsOff => stream.write_all(format!("{}cut off", head(100)).as_bytes()).await,
        Manner::Silent => pending().await,
        Manner::Garbage => stream.write_all(b"\x16\x03\x01 no HTTP at all\r\n\r\n").await,
        Manner::Floods => {
            stream.write_all(head(FLOOD_BYTES).as_bytes()).await?;
            stream.write_all(&vec![b'f'; FLOOD_BYTES]).await
        }
        Manner::Redirects => {
            let head =
                format!("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:{forbidden}/\r\ncontent-length: 0\r\n\r\n");
            stream.write_all(head.as_bytes()).await
        }
    }
}
