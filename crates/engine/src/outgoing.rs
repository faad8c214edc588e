//! Binds `wasi:http`'s outgoing requests to the HTTP grant.

use crate::tap::Tap;
use futures::TryFutureExt;
use http::HeaderName;
use http_body_util::BodyExt;
use sandbar_call::{Body, BodyError, Meter};
use sandbar_grants::{Admitted, HttpClient, HttpError, Timeouts};
use std::{
    future::Future,
    sync::{Arc, LazyLock},
};
use wasmtime_wasi_http::{
    DEFAULT_FORBIDDEN_HEADERS, Error, ForbiddenHeaderFilter, RequestOptions, WasiBody, WasiHttpHooks,
};

/// How `wasi:http` reaches outside.
pub(crate) struct Outgoing {
    client: HttpClient,
    grants: Arc<Admitted>,
    tap: Tap,
}

type Answered = (http::Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>);

impl Outgoing {
    pub(crate) fn new(client: HttpClient, grants: Arc<Admitted>, tap: Tap) -> Outgoing {
        Outgoing { client, grants, tap }
    }

    /// What a request takes.
    pub(crate) fn parts(&self) -> (HttpClient, Arc<Admitted>, Arc<Meter>) {
        (self.client.clone(), self.grants.clone(), self.tap.meter())
    }
}

impl WasiHttpHooks for Outgoing {
    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        static FILTER: LazyLock<ForbiddenHeaderFilter> =
            LazyLock::new(|| Arc::new(|name: &HeaderName| DEFAULT_FORBIDDEN_HEADERS.contains(name)));
        FILTER.clone()
    }

    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _sent: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Result<Answered, Error>> + Send> {
        let (client, grants, meter) = (self.client.clone(), self.grants.clone(), self.tap.meter());
        let request = request.map(|body| Body::stream(body.map_err(BodyError::from)));
        let timeouts = timeouts(options);
        Box::new(async move {
            let (response, exchange) = client.send(&grants.http, meter, request, timeouts).await.map_err(error_code)?;
            let response = response.map(|body| body.map_err(body_error).boxed_unsync());
            let io: Box<dyn Future<Output = Result<(), Error>> + Send> = Box::new(exchange.map_err(error_code));
            Ok((response, io))
        })
    }
}

fn timeouts(options: Option<RequestOptions>) -> Timeouts {
    let most = Timeouts::default();
    let RequestOptions { connect_timeout, first_byte_timeout, between_bytes_timeout } = options.unwrap_or_default();
    Timeouts {
        connect: connect_timeout.unwrap_or(most.connect),
        first_byte: first_byte_timeout.unwrap_or(most.first_byte),
        between_bytes: between_bytes_timeout.unwrap_or(most.between_bytes),
    }
}

fn body_error(error: BodyError) -> Error {
    match error.downcast::<HttpError>() {
        Ok(error) => error_code(*error),
        Err(error) => Error::InternalError(Some(error.to_string())),
    }
}

/// The `wasi:http` error code of a failure, <https://github.com/WebAssembly/wasi-http>, `types.wit`.
fn error_code(error: HttpError) -> Error {
    match error {
        HttpError::Denied(_) => Error::HttpRequestDenied,
        HttpError::RequestInvalid(_) => Error::HttpRequestUriInvalid,
        HttpError::RequestBody(message) => Error::InternalError(Some(message)),
        HttpError::Dns(_) => Error::DnsError { rcode: None, info_code: None },
        HttpError::DestinationNotFound => Error::DestinationNotFound,
        HttpError::ConnectionRefused => Error::ConnectionRefused,
        HttpError::ConnectionFailed(_) => Error::DestinationUnavailable,
        HttpError::ConnectionTimeout => Error::ConnectionTimeout,
        HttpError::ConnectionTerminated => Error::ConnectionTerminated,
        HttpError::ConnectionLimit(_) => Error::ConnectionLimitReached,
        HttpError::TlsCertificate(_) => Error::TlsCertificateError,
        HttpError::TlsProtocol(_) => Error::TlsProtocolError,
        HttpError::ResponseTimeout => Error::HttpResponseTimeout,
        HttpError::BodyTimeout => Error::ConnectionReadTimeout,
        HttpError::BodyLimit(_) | HttpError::BodyTooLarge(_) => Error::HttpResponseBodySize(None),
        HttpError::ResponseHeadTooLarge => Error::HttpResponseHeaderSectionSize(None),
        HttpError::Protocol(_) => Error::HttpProtocolError,
    }
}
