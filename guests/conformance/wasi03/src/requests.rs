//! Requests as the cases send them, and answers as they read them.

use wasip3::{
    cli::environment,
    http::{
        client,
        types::{ErrorCode, Fields, Method, Request, RequestOptions, Response, Scheme},
    },
    wit_bindgen::rt::async_support::FutureReader,
    wit_future, wit_stream,
};

/// An answer that was read to its end.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Option<Fields>,
}

impl Answer {
    /// The first line of the request, as the server read it.
    pub(crate) fn line(&self) -> String {
        String::from_utf8_lossy(&self.body).lines().next().unwrap_or_default().into()
    }

    /// The headers that the server read, names in lower case.
    pub(crate) fn fields(&self) -> Vec<(String, String)> {
        let head = String::from_utf8_lossy(&self.body[..self.head_length()]).into_owned();
        let fields = head.lines().skip(1).filter_map(|line| line.split_once(':'));
        fields.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect()
    }

    /// The body that the server read, as it was framed.
    pub(crate) fn mirrored_body(&self) -> &[u8] {
        &self.body[self.head_length() + 4..]
    }

    fn head_length(&self) -> usize {
        self.body.windows(4).position(|window| window == b"\r\n\r\n").unwrap()
    }
}

pub(crate) type Sent = FutureReader<Result<(), ErrorCode>>;

pub(crate) fn variable(name: &str) -> String {
    environment::get_environment().into_iter().find(|(found, _)| found == name).unwrap().1
}

pub(crate) fn request(headers: Fields, authority: &str, path: Option<&str>) -> (Request, Sent) {
    let (_, no_trailers) = wit_future::new(|| Ok(None));
    let (request, sent) = Request::new(headers, None, no_trailers, None);
    address(&request, authority, path);
    (request, sent)
}

pub(crate) fn to_server(headers: Fields, path: &str) -> (Request, Sent) {
    request(headers, &variable("HTTP_SERVER"), Some(path))
}

pub(crate) fn with_options(path: &str, options: RequestOptions) -> Request {
    let (_, no_trailers) = wit_future::new(|| Ok(None));
    let (request, _) = Request::new(Fields::new(), None, no_trailers, Some(options));
    address(&request, &variable("HTTP_SERVER"), Some(path));
    request
}

pub(crate) fn address(request: &Request, authority: &str, path: Option<&str>) {
    request.set_scheme(Some(&Scheme::Http)).unwrap();
    request.set_authority(Some(authority)).unwrap();
    request.set_path_with_query(path).unwrap();
}

/// A request with a body, which is written while the answer is waited for.
pub(crate) fn post(headers: Fields, body: &[u8], trailers: Result<Option<Fields>, ErrorCode>) -> (Request, Sent) {
    let (mut sender, contents) = wit_stream::new();
    let (ended, trailers_later) = wit_future::new(|| Ok(None));
    let (request, sent) = Request::new(headers, Some(contents), trailers_later, None);
    request.set_method(&Method::Post).unwrap();
    address(&request, &variable("HTTP_SERVER"), Some("/"));
    let body = body.to_vec();
    wasip3::spawn_local(async move {
        sender.write_all(body).await;
        drop(sender);
        // Nobody may be there to read it any more.
        let _ = ended.write(trailers).await;
    });
    (request, sent)
}

pub(crate) async fn send(request: Request) -> Result<Response, ErrorCode> {
    client::send(request).await
}

pub(crate) async fn fetch(method: &Method, path: Option<&str>) -> Answer {
    let (request, _sent) = request(Fields::new(), &variable("HTTP_SERVER"), path);
    request.set_method(method).unwrap();
    answered(send(request).await).await
}

pub(crate) async fn answered(response: Result<Response, ErrorCode>) -> Answer {
    let response = response.unwrap();
    let status = response.get_status_code();
    let (_, consumed) = wit_future::new(|| Ok(()));
    let (body, trailers) = Response::consume_body(response, consumed);
    let body = body.collect().await;
    Answer { status, body, trailers: trailers.await.unwrap() }
}

pub(crate) fn values(fields: &[(String, String)], name: &str) -> Vec<String> {
    fields.iter().filter(|(found, _)| found == name).map(|(_, value)| value.clone()).collect()
}
