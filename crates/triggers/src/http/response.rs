//! From a call's reply to the answer on the wire.
//!
//! A guest's answer is never trusted to frame itself: hop-by-hop fields are removed, a `Content-Length` must be one number
//! and is held to (an answer that would be longer or ends shorter is cut, so that a client never takes the wrong bytes for
//! the next answer), and statuses below 200 are refused.
//!
//! `HEAD`, 204 and 304 have no body on the wire. What the guest writes is read and thrown away up to 1 MiB and one second,
//! so that a call that ends well is done and not cancelled; over that it is dropped. The same holds for what comes after the
//! last byte that a `Content-Length` promised, and after trailers. Trailers go to HTTP/2 clients, and to HTTP/1 clients that
//! sent `TE: trailers` where the guest named them in `Trailer`.

use crate::{
    Notice,
    http::{outcome::Refusing, request::drop_hop_by_hop, watch::Phase, worker::Peer},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt as _;
use sandbar_call::{Body, BodyError, Outcome, Reply};
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

/// The most bytes of a body that nobody gets that are read before it is dropped.
const UNSEEN_BYTES_MAX: u64 = 1024 * 1024;
/// The longest time for them.
const UNSEEN_TIMEOUT: Duration = Duration::from_secs(1);
/// The largest function output that is looked at to find whether it is JSON.
const LOOK_BYTES_MAX: usize = 1024 * 1024;

/// Makes a reply an answer. `content_type` is that of a function's output, where the app says so.
///
/// # Errors
/// An answer that is not valid, or none.
pub(crate) fn from_reply(reply: Reply, content_type: Option<&HeaderValue>) -> Result<Response<Body>, Refusing> {
    let output = |body: Body| {
        let kind = content_type.cloned().unwrap_or_else(|| look(&body));
        typed(body, kind)
    };
    match reply {
        Reply::Http(mut answer) => {
            check(&mut answer)?;
            Ok(answer)
        }
        Reply::Output(body) => Ok(output(body)),
        Reply::Value(text) => Ok(typed(Body::from(text), HeaderValue::from_static("application/json"))),
        Reply::Exit { code: 0, output: bytes } => Ok(output(Body::from(bytes))),
        Reply::Exit { code, .. } => Err(Refusing::Ended(Outcome::Failed { code: Some(code), message: String::new() })),
        Reply::Ended(outcome) => Err(Refusing::Ended(outcome)),
    }
}

fn typed(body: Body, kind: HeaderValue) -> Response<Body> {
    let mut answer = Response::new(body);
    answer.headers_mut().insert(header::CONTENT_TYPE, kind);
    answer
}

/// The content type of a function's output: JSON where it parses as such, else text or bytes. A stream can't be looked at.
fn look(body: &Body) -> HeaderValue {
    HeaderValue::from_static(match body {
        Body::Whole(bytes) if bytes.len() <= LOOK_BYTES_MAX && is_json(bytes) => "application/json",
        Body::Whole(bytes) if std::str::from_utf8(bytes).is_err() => "application/octet-stream",
        Body::Empty | Body::Whole(_) => "text/plain; charset=utf-8",
        Body::Stream(_) => "application/octet-stream",
    })
}

fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok()
}

fn check(answer: &mut Response<Body>) -> Result<(), Refusing> {
    if answer.status().is_informational() {
        return Err(Refusing::BadAnswer("a status below 200 is not an answer"));
    }
    let (mut hop_by_hop, mut length) = (false, false);
    for (name, _) in answer.headers() {
        match name.as_str() {
            "connection" | "keep-alive" | "proxy-connection" | "te" | "transfer-encoding" | "upgrade" => {
                hop_by_hop = true;
            }
            "content-length" => length = true,
            _ => {}
        }
    }
    if hop_by_hop {
        drop_hop_by_hop(answer.headers_mut());
        answer.headers_mut().remove(header::TE);
    }
    if length { check_length(answer) } else { Ok(()) }
}

fn check_length(answer: &Response<Body>) -> Result<(), Refusing> {
    let length = length_of(answer.headers()).ok_or(Refusing::BadAnswer("`Content-Length` is not one number"))?;
    let known = answer.body().size_hint().exact();
    // With no body at all the length is that of an answer to `GET`, as for `HEAD`.
    let fits = known.is_none_or(|known| known == length || known == 0);
    if fits { Ok(()) } else { Err(Refusing::BadAnswer("`Content-Length` is not the length of the body")) }
}

/// The one `Content-Length` (RFC 9110, section 8.6).
fn length_of(headers: &HeaderMap) -> Option<u64> {
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter();
    match (lengths.next(), lengths.next()) {
        (Some(length), None) => {
            let text = length.to_str().ok()?;
            text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
        }
        _ => None,
    }
}

/// Readies an answer for the wire: without its body where the request or the status has none, and held to its length.
pub(crate) async fn seal(
    mut answer: Response<Body>,
    method: &Method,
    request: &HeaderValue,
    peer: Arc<Peer>,
) -> Result<Response<AnswerBody>, Refusing> {
    let bodiless = matches!(answer.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if *method == Method::HEAD || bodiless {
        answer = Box::pin(without_body(answer)).await;
    } else if answer.body().is_end_stream() && length_of(answer.headers()).is_some_and(|length| length > 0) {
        return Err(Refusing::BadAnswer("`Content-Length` is not the length of the body"));
    }
    let left = match answer.body() {
        Body::Stream(_) => length_of(answer.headers()),
        Body::Empty | Body::Whole(_) => None,
    };
    peer.watch.enter(Phase::Answer);
    let (head, body) = answer.into_parts();
    Ok(Response::from_parts(head, AnswerBody { body, left, after: After::Unknown, request: request.clone(), peer }))
}

async fn without_body(answer: Response<Body>) -> Response<Body> {
    let (mut head, body) = answer.into_parts();
    if head.status == StatusCode::NO_CONTENT {
        head.headers.remove(header::CONTENT_LENGTH);
    } else if let Body::Whole(bytes) = &body
        && !head.headers.contains_key(header::CONTENT_LENGTH)
    {
        head.headers.insert(header::CONTENT_LENGTH, bytes.len().into());
    }
    if let Body::Stream(body) = body {
        read_unseen(body).await;
    }
    Response::from_parts(head, Body::Empty)
}

/// Reads a body that nobody gets to its end, within its bounds.
async fn read_unseen(mut body: Streamed) {
    let mut left = UNSEEN_BYTES_MAX;
    let read = async {
        while let Some(Ok(frame)) = body.frame().await {
            left = left.saturating_sub(frame.data_ref().map_or(0, |data| data.len() as u64));
            if left == 0 {
                break;
            }
        }
    };
    // Over its time it is dropped like over its size.
    let _ = tokio::time::timeout(UNSEEN_TIMEOUT, read).await;
}

/// What a [`Body::Stream`] holds.
type Streamed = Pin<Box<dyn http_body::Body<Data = Bytes, Error = BodyError> + Send>>;

/// An answer's body on its way to the client. The call lasts until it has ended or is dropped.
pub(crate) struct AnswerBody {
    body: Body,
    /// Bytes that its `Content-Length` still promises; none after trailers.
    left: Option<u64>,
    /// What came after the last promised byte.
    after: After,
    request: HeaderValue,
    peer: Arc<Peer>,
}

/// What a body gives after its last promised byte.
enum After {
    /// Not asked yet.
    Unknown,
    /// More than was promised, an error, or trailers: given next.
    Next(Result<Frame<Bytes>, BodyError>),
    /// Its end.
    End,
}

type Polled = Poll<Option<Result<Frame<Bytes>, BodyError>>>;

impl AnswerBody {
    fn poll(&mut self, cx: &mut Context<'_>) -> Polled {
        match std::mem::replace(&mut self.after, After::Unknown) {
            After::Unknown => {}
            After::Next(frame) => return Poll::Ready(Some(frame)),
            After::End => {
                self.after = After::End;
                return Poll::Ready(None);
            }
        }
        let polled = self.poll_held(cx);
        if self.left == Some(0) && matches!(polled, Poll::Ready(Some(Ok(_)))) {
            // hyper drops an HTTP/1 body at the last promised byte, and any body at its trailers, and never sees its end. So
            // look for it here, since it is what ends a call well.
            self.after = match self.poll_held(cx) {
                Poll::Pending => After::Unknown,
                Poll::Ready(Some(frame)) => After::Next(frame.map_err(|why| self.cut(why))),
                Poll::Ready(None) => After::End,
            };
        }
        polled.map(|frame| frame.map(|frame| frame.map_err(|why| self.cut(why))))
    }

    /// Polls the guest's body and holds it to the promised length.
    fn poll_held(&mut self, cx: &mut Context<'_>) -> Polled {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        match (&polled, self.left) {
            (Poll::Ready(Some(Ok(frame))), Some(left)) => {
                let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
                match left.checked_sub(bytes) {
                    Some(left) => self.left = Some(left),
                    None => return Poll::Ready(Some(Err("longer than its `Content-Length`".into()))),
                }
            }
            (Poll::Ready(Some(Ok(frame))), None) if frame.is_trailers() => self.left = Some(0),
            (Poll::Ready(None), Some(1..)) => {
                return Poll::Ready(Some(Err("shorter than its `Content-Length`".into())));
            }
            (Poll::Ready(None), _) => self.after = After::End,
            (Poll::Pending | Poll::Ready(Some(_)), _) => {}
        }
        polled
    }

    fn cut(&self, why: BodyError) -> BodyError {
        let request = self.request.to_str().unwrap_or_default().into();
        self.peer.worker.cut(Notice::AnswerCut { request, why: why.to_string() });
        why
    }
}

impl http_body::Body for AnswerBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled {
        let polled = self.poll(cx);
        if self.peer.is_stream() {
            // Given a frame, it is the client's turn: by flow control it may never take the next.
            self.peer.watch.unread(matches!(polled, Poll::Ready(Some(_))));
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        match self.after {
            After::Next(_) => false,
            After::End => true,
            After::Unknown => self.body.is_end_stream() && self.left.is_none_or(|left| left == 0),
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for AnswerBody {
    fn drop(&mut self) {
        if self.peer.is_stream() {
            self.peer.watch.unread(false);
        } else {
            self.peer.watch.enter(Phase::Idle);
        }
        // All bytes are on their way and the guest has not said that it ends: it gets the time to.
        if let (Some(0), After::Unknown, Body::Stream(body)) = (self.left, &self.after, std::mem::take(&mut self.body))
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(read_unseen(body));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_get_a_content_type() {
        let cases: &[(&[u8], &str)] = &[
            (b"{\"a\":1}\n", "application/json"),
            (b"42", "application/json"),
            (b"hello", "text/plain; charset=utf-8"),
            (b"", "text/plain; charset=utf-8"),
            (b"\xff\xfe", "application/octet-stream"),
        ];
        for (output, expected) in cases {
            let answer = from_reply(Reply::Output(Body::from(output.to_vec())), None).unwrap();
            assert_eq!(answer.headers()[header::CONTENT_TYPE], *expected);
        }
        let kind = HeaderValue::from_static("image/png");
        let answer = from_reply(Reply::Output(Body::from("{}")), Some(&kind)).unwrap();
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "image/png");
    }

    #[test]
    fn an_answer_that_would_smuggle_is_refused() {
        let check = |headers: &[(&str, &str)], body: &'static str| {
            let mut answer = Response::builder();
            for (name, value) in headers {
                answer = answer.header(*name, *value);
            }
            from_reply(Reply::Http(answer.body(Body::from(body)).unwrap()), None)
        };
        for headers in [
            &[("content-length", "2")][..],
            &[("content-length", "+4")],
            &[("content-length", "4, 4")],
            &[("content-length", "4"), ("content-length", "4")],
            &[("content-length", "99999999999999999999999")],
        ] {
            assert!(matches!(check(headers, "body"), Err(Refusing::BadAnswer(_))), "{headers:?}");
        }
        let fine = check(&[("content-length", "4"), ("transfer-encoding", "chunked"), ("connection", "x")], "body");
        assert_eq!(fine.unwrap().headers().len(), 1);
        let early = Response::builder().status(103).body(Body::Empty).unwrap();
        assert!(matches!(from_reply(Reply::Http(early), None), Err(Refusing::BadAnswer(_))));
    }
}
