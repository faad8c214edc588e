//! Sending a request: check, charge, resolve, connect to exactly that address, exchange.
//!
//! Each request has a connection of its own. A pool would be faster for a guest that asks one server again and again, but it
//! must never hand a connection that one guest's grants opened to another guest; so it comes with the measurements that earn
//! it. Proxy variables of the host's environment are not followed: a proxy would resolve the name a second time, beyond the
//! check of its address.

use super::{
    Exchange, HttpError, HttpGrant, Scheme, Target, Tls,
    body::{Incoming, Outgoing},
    error::with_causes,
    exchange,
};
use crate::{LookupError, Resolver, SystemResolver, host::Host, lookup};
use ::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri, Version, header};
use ::http_body::Body as _;
use sandbar_call::{Body, Meter, Resource};
use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tokio::{net::TcpStream, time::timeout};

/// How long the parts of an exchange may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For a connection: name, connect and TLS together.
    pub connect: Duration,
    /// From the connection until the response begins.
    pub first_byte: Duration,
    /// Between two parts of the response's body.
    pub between_bytes: Duration,
}

impl Default for Timeouts {
    /// 10 seconds to connect, 60 for the first byte and between bytes.
    fn default() -> Self {
        let minute = Duration::from_secs(60);
        Timeouts { connect: Duration::from_secs(10), first_byte: minute, between_bytes: minute }
    }
}

/// What sends requests: a resolver and whom TLS trusts. Cheap to clone.
#[derive(Clone)]
pub struct HttpClient {
    resolver: Arc<dyn Resolver>,
    /// `None` for the system's, which is read when it is first needed.
    tls: Option<Tls>,
}

impl HttpClient {
    /// Resolves names and trusts authorities as given.
    pub fn new(resolver: Arc<dyn Resolver>, tls: Tls) -> HttpClient {
        HttpClient { resolver, tls: Some(tls) }
    }

    /// Resolves names and trusts authorities as the host does; see [`Tls::system`].
    pub fn system() -> HttpClient {
        HttpClient::resolving(Arc::new(SystemResolver::default()))
    }

    /// Resolves names as given, and trusts authorities as the host does.
    pub fn resolving(resolver: Arc<dyn Resolver>) -> HttpClient {
        HttpClient { resolver, tls: None }
    }

    /// Sends a request that `grant` allows and returns the response as soon as its head is there, with the future that moves
    /// the bytes: it has to be polled beside the bodies, also for the request's body to go on.
    ///
    /// Charges one connection and the bytes of both bodies to the meter. The `Host` header is always the host that was
    /// checked, and headers that are about the connection are left out. Redirects are not followed.
    ///
    /// # Errors
    /// The request was refused, could not be sent, or was not answered. The response's body fails with an [`HttpError`] too.
    pub async fn send(
        &self,
        grant: &HttpGrant,
        meter: Arc<Meter>,
        request: Request<Body>,
        timeouts: Timeouts,
    ) -> Result<(Response<Body>, Exchange), HttpError> {
        let target = grant.check(request.method(), request.uri(), &meter)?;
        let mut request = prepare(request, &target)?.map(|body| Outgoing::new(body, meter.clone()));
        meter.charge(Resource::Connections, 1).map_err(HttpError::ConnectionLimit)?;
        let connect = timeout(timeouts.connect, self.connect(&target, &meter));
        let stream = connect.await.map_err(|_| HttpError::ConnectionTimeout)??;
        let (mut response, exchange) = match stream {
            Connection::Tls(stream) if stream.get_ref().1.alpn_protocol() == Some(b"h2") => {
                *request.version_mut() = Version::HTTP_2;
                request.headers_mut().remove(header::HOST);
                exchange::http2(stream, request, timeouts.first_byte).await?
            }
            Connection::Tls(stream) => exchange::http1(stream, in_origin_form(request), timeouts.first_byte).await?,
            Connection::Plain(stream) => exchange::http1(stream, in_origin_form(request), timeouts.first_byte).await?,
        };
        strip(response.headers_mut());
        let response = response.map(|body| match body.is_end_stream() {
            true => Body::Empty,
            false => Body::stream(Incoming::new(body, meter, timeouts.between_bytes)),
        });
        Ok((response, exchange))
    }

    async fn connect(&self, target: &Target, meter: &Meter) -> Result<Connection, HttpError> {
        let addresses = target.filter(self.resolve(&target.server.host).await?, meter)?;
        let stream = connect_any(&addresses, target.server.port).await?;
        // A request is written in few pieces, and the guest waits for its answer.
        let _ = stream.set_nodelay(true);
        match target.server.scheme {
            Scheme::Http => Ok(Connection::Plain(stream)),
            Scheme::Https => {
                let tls = self.tls.as_ref().unwrap_or_else(|| Tls::system());
                Ok(Connection::Tls(Box::new(tls.connect(&target.server.host, stream).await?)))
            }
        }
    }

    async fn resolve(&self, host: &Host) -> Result<Vec<IpAddr>, HttpError> {
        match host {
            Host::Address(address) => Ok(vec![*address]),
            Host::Name(name) => lookup::resolve(&*self.resolver, name).await.map_err(|error| match error {
                LookupError::NotFound => HttpError::DestinationNotFound,
                LookupError::Denied | LookupError::Invalid(_) | LookupError::Failed(_) => {
                    HttpError::Dns(with_causes(&error))
                }
            }),
        }
    }
}

impl std::fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpClient").finish_non_exhaustive()
    }
}

enum Connection {
    Plain(TcpStream),
    Tls(Box<tokio_rustls::client::TlsStream<TcpStream>>),
}

/// How many addresses of a host are tried.
const TRIES_MAX: usize = 4;

/// How long one address may take while another is left.
const TRY_TIMEOUT: Duration = Duration::from_secs(2);

/// Connects to the first address that answers.
async fn connect_any(addresses: &[IpAddr], port: u16) -> Result<TcpStream, HttpError> {
    let mut failed = HttpError::DestinationNotFound;
    let count = addresses.len().min(TRIES_MAX);
    for (at, address) in addresses.iter().take(count).enumerate() {
        let connect = TcpStream::connect(SocketAddr::new(*address, port));
        let connected = match at + 1 == count {
            true => connect.await,
            false => match timeout(TRY_TIMEOUT, connect).await {
                Ok(connected) => connected,
                Err(_) => Err(io::ErrorKind::TimedOut.into()),
            },
        };
        failed = match connected {
            Ok(stream) => return Ok(stream),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => HttpError::ConnectionRefused,
            Err(error) if error.kind() == io::ErrorKind::TimedOut => HttpError::ConnectionTimeout,
            Err(error) => HttpError::ConnectionFailed(with_causes(&error)),
        };
    }
    Err(failed)
}

/// Headers that are about one connection (RFC 9110, section 7.6.1), or that a guest may not say to a proxy.
const CONNECTION_HEADERS: &[&str] = &[
    "connection",
    "transfer-encoding",
    "upgrade",
    "proxy-authorization",
    "expect",
    "keep-alive",
    "proxy-connection",
    "http2-settings",
];

/// Makes a request fit to be sent to the target and nowhere else.
fn prepare(request: Request<Body>, target: &Target) -> Result<Request<Body>, HttpError> {
    let (mut head, body) = request.into_parts();
    if head.method == Method::CONNECT {
        return Err(HttpError::RequestInvalid("a tunnel can't be opened with `CONNECT`".into()));
    }
    strip(&mut head.headers);
    check_length(&mut head.headers, &body)?;
    let authority = target.server.authority();
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let invalid = |error: &dyn std::fmt::Display| HttpError::RequestInvalid(error.to_string());
    let host = HeaderValue::from_str(&authority).map_err(|error| invalid(&error))?;
    head.headers.insert(header::HOST, host);
    head.uri = Uri::builder()
        .scheme(target.server.scheme.as_str())
        .authority(authority)
        .path_and_query(path)
        .build()
        .map_err(|error| invalid(&error))?;
    head.version = Version::HTTP_11;
    head.extensions.clear();
    Ok(Request::from_parts(head, body))
}

/// Removes the headers of the connection, and those that `Connection` names.
fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in CONNECTION_HEADERS {
        headers.remove(*name);
    }
    for name in named {
        headers.remove(name);
    }
    if headers.get(header::TE).is_some_and(|te| te != "trailers") {
        headers.remove(header::TE);
    }
}

/// Checks that `Content-Length` is said once and matches a body whose size is known. Of a body that streams, the connection
/// sends no more than was said, and fails when it ends early.
fn check_length(headers: &mut HeaderMap, body: &Body) -> Result<(), HttpError> {
    let said: Vec<Option<u64>> =
        headers.get_all(header::CONTENT_LENGTH).iter().map(|value| value.to_str().ok()?.parse().ok()).collect();
    match (said.as_slice(), body.size_hint().exact()) {
        ([], _) | ([Some(_)], None) => Ok(()),
        ([Some(said)], Some(size)) if *said == size => Ok(()),
        ([Some(said)], Some(size)) => {
            Err(HttpError::RequestInvalid(format!("`content-length` says {said}, the body has {size} bytes")))
        }
        _ => Err(HttpError::RequestInvalid("`content-length` is said twice or is not a number".into())),
    }
}

/// Leaves only the path in the URI, as HTTP/1.1 writes it to a server.
fn in_origin_form(mut request: Request<Outgoing>) -> Request<Outgoing> {
    let path = request.uri().path_and_query().cloned();
    *request.uri_mut() = path.map(Uri::from).unwrap_or_default();
    request
}

mod whole;

#[cfg(test)]
mod tests;
