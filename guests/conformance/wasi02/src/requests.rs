//! Requests as the cases send them, and answers as they read them.

use crate::folder::to_the_end;
use wasip2::http::{
    outgoing_handler::handle,
    types::{
        ErrorCode, Fields, IncomingBody, IncomingResponse, Method, OutgoingBody, OutgoingRequest, RequestOptions,
        Scheme,
    },
};

pub(crate) fn server() -> String {
    std::env::var("HTTP_SERVER").unwrap()
}

pub(crate) fn request(headers: Fields, authority: &str, path: Option<&str>) -> OutgoingRequest {
    let request = OutgoingRequest::new(headers);
    request.set_scheme(Some(&Scheme::Http)).unwrap();
    request.set_authority(Some(authority)).unwrap();
    request.set_path_with_query(path).unwrap();
    request
}

pub(crate) fn to_server(headers: Fields, path: &str) -> OutgoingRequest {
    request(headers, &server(), Some(path))
}

pub(crate) fn post(headers: Fields) -> OutgoingRequest {
    let request = to_server(headers, "/");
    request.set_method(&Method::Post).unwrap();
    request
}

pub(crate) fn answer(request: OutgoingRequest, options: Option<RequestOptions>) -> Result<IncomingResponse, ErrorCode> {
    let pending = handle(request, options)?;
    pending.subscribe().block();
    pending.get().unwrap().unwrap()
}

#[track_caller]
pub(crate) fn send(request: OutgoingRequest) -> IncomingResponse {
    answer(request, None).unwrap()
}

/// Sends a request with a body.
#[track_caller]
pub(crate) fn send_with(request: OutgoingRequest, body: &[u8], trailers: Option<Fields>) -> IncomingResponse {
    let out = request.body().unwrap();
    let pending = handle(request, None).unwrap();
    let stream = out.write().unwrap();
    stream.blocking_write_and_flush(body).unwrap();
    drop(stream);
    OutgoingBody::finish(out, trailers).unwrap();
    pending.subscribe().block();
    pending.get().unwrap().unwrap().unwrap()
}

/// The status and the body of an answer.
#[track_caller]
pub(crate) fn fetch(method: &Method, path: Option<&str>) -> (u16, Vec<u8>) {
    let request = request(Fields::new(), &server(), path);
    request.set_method(method).unwrap();
    let response = send(request);
    (response.status(), whole(&response))
}

#[track_caller]
pub(crate) fn whole(response: &IncomingResponse) -> Vec<u8> {
    let body = response.consume().unwrap();
    let bytes = to_the_end(&body.stream().unwrap());
    let trailers = IncomingBody::finish(body);
    trailers.subscribe().block();
    trailers.get().unwrap().unwrap().unwrap();
    bytes
}

/// The first line of the request, as the server read it.
pub(crate) fn line(request: &[u8]) -> String {
    String::from_utf8_lossy(request).lines().next().unwrap_or_default().into()
}

/// The headers that the server read, names in lower case.
#[track_caller]
pub(crate) fn mirrored(response: IncomingResponse) -> Vec<(String, String)> {
    mirrored_whole(response).0
}

#[track_caller]
pub(crate) fn mirrored_whole(response: IncomingResponse) -> (Vec<(String, String)>, Vec<u8>) {
    let request = whole(&response);
    let end = request.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let head = String::from_utf8_lossy(&request[..end]).into_owned();
    let fields = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    let fields = fields.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
    (fields, request[end + 4..].to_vec())
}

pub(crate) fn values(fields: &[(String, String)], name: &str) -> Vec<String> {
    fields.iter().filter(|(found, _)| found == name).map(|(_, value)| value.clone()).collect()
}
