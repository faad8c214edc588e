//! The outcome table of HTTP, and the pages for requests that get no guest's answer.
//!
//! A page says what is wrong in words of this server and gives the request's id; nothing that a guest said or a host path
//! is in it. What happened in full is in the receipt and the log, under that id. It is JSON
//! (`{"error":"…","request_id":"…"}`) unless the client asks for text and not for JSON.

use crate::http::watch::Verdict;
use http::{HeaderValue, Response, StatusCode, header};
use sandbar_call::{Body, Outcome, Refusal, Resource};

/// The outcome table: the status of a call that ended without an answer, and after how many seconds to try again.
///
/// `None` for a cancelled call, whose connection just ends. A call that is done has the guest's own status; one that ended
/// so without an answer broke its contract and is a 500.
pub fn status_of(outcome: &Outcome) -> Option<(StatusCode, Option<u32>)> {
    Some(match outcome {
        Outcome::Done | Outcome::Failed { .. } | Outcome::Trapped { .. } | Outcome::Fault { .. } => {
            (StatusCode::INTERNAL_SERVER_ERROR, None)
        }
        Outcome::Stopped { limit: Resource::Wall | Resource::Cpu } => (StatusCode::GATEWAY_TIMEOUT, None),
        Outcome::Stopped { .. } => (StatusCode::SERVICE_UNAVAILABLE, None),
        Outcome::Refused { why: Refusal::Grant { .. } } => (StatusCode::FORBIDDEN, None),
        Outcome::Refused { why: Refusal::Busy { retry_after_s } } => {
            (StatusCode::SERVICE_UNAVAILABLE, Some(*retry_after_s))
        }
        Outcome::Refused { why: Refusal::Event { .. } } => (StatusCode::BAD_REQUEST, None),
        Outcome::Refused { why: Refusal::Draining } => (StatusCode::SERVICE_UNAVAILABLE, Some(1)),
        Outcome::Cancelled => return None,
    })
}

/// Why a request gets no guest's answer.
#[derive(Debug)]
pub(crate) enum Refusing {
    BadRequest(&'static str),
    NotFound,
    /// With the `Allow` header.
    MethodNotAllowed(String),
    NotImplemented,
    /// The target is of another scheme than this listener's.
    Misdirected,
    TooLarge,
    BodyTimeout,
    /// `OPTIONS *`, which is not refused but answered without a guest.
    ServerOptions,
    /// The guest's answer is not a valid one.
    BadAnswer(&'static str),
    /// The call ended without an answer.
    Ended(Outcome),
}

impl From<Verdict> for Refusing {
    fn from(verdict: Verdict) -> Refusing {
        match verdict {
            Verdict::TooLarge => Refusing::TooLarge,
            Verdict::Late => Refusing::BodyTimeout,
            Verdict::Broken => Refusing::BadRequest("the request's body ended early or is not well formed"),
        }
    }
}

impl Refusing {
    /// Writes the page, or `None` where the connection just ends. `accept` is the request's header of that name.
    pub(crate) fn page(self, request: &HeaderValue, accept: Option<&HeaderValue>) -> Option<Response<Body>> {
        let mut retry = None;
        let mut allow = None;
        let (status, message) = match self {
            Refusing::BadRequest(why) => (StatusCode::BAD_REQUEST, why),
            Refusing::NotFound => (StatusCode::NOT_FOUND, "no route takes this path"),
            Refusing::MethodNotAllowed(methods) => {
                allow = HeaderValue::try_from(methods).ok();
                (StatusCode::METHOD_NOT_ALLOWED, "no route takes this method here")
            }
            Refusing::NotImplemented => (StatusCode::NOT_IMPLEMENTED, "this method is not implemented"),
            Refusing::Misdirected => (StatusCode::MISDIRECTED_REQUEST, "this scheme is not answered here"),
            Refusing::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "the request's body is larger than allowed"),
            Refusing::BodyTimeout => (StatusCode::REQUEST_TIMEOUT, "the request's body did not come in time"),
            Refusing::ServerOptions => return Some(no_content()),
            Refusing::BadAnswer(_) => (StatusCode::INTERNAL_SERVER_ERROR, "the function's answer is not valid"),
            Refusing::Ended(outcome) => {
                let (status, after) = status_of(&outcome)?;
                retry = after;
                (status, message_of(&outcome))
            }
        };
        let mut page = write(status, message, request, accept);
        if let Some(allow) = allow {
            page.headers_mut().insert(header::ALLOW, allow);
        }
        if let Some(after) = retry {
            page.headers_mut().insert(header::RETRY_AFTER, after.into());
        }
        if matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::PAYLOAD_TOO_LARGE) {
            // The rest of the body is not read, so there is no next request on this connection.
            page.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        Some(page)
    }
}

fn message_of(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Done => "the function gave no answer",
        Outcome::Failed { .. } | Outcome::Trapped { .. } => "the function failed",
        Outcome::Stopped { limit: Resource::Wall | Resource::Cpu } => "the function took too long",
        Outcome::Stopped { .. } => "the function used up a limit",
        Outcome::Refused { why: Refusal::Grant { .. } } => "the function lacks a grant",
        Outcome::Refused { why: Refusal::Busy { .. } } => "too many calls at this time",
        Outcome::Refused { why: Refusal::Event { .. } } => "the request does not fit the function",
        Outcome::Refused { why: Refusal::Draining } => "the server is ending",
        Outcome::Cancelled => "cancelled",
        Outcome::Fault { .. } => "the server failed",
    }
}

fn write(status: StatusCode, message: &str, request: &HeaderValue, accept: Option<&HeaderValue>) -> Response<Body> {
    let request = request.to_str().unwrap_or_default();
    let (kind, text) = if wants_text(accept) {
        ("text/plain; charset=utf-8", format!("{message}\nrequest id: {request}\n"))
    } else {
        ("application/json", serde_json::json!({ "error": message, "request_id": request }).to_string() + "\n")
    };
    let mut page = Response::new(Body::from(text));
    *page.status_mut() = status;
    page.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    page
}

fn wants_text(accept: Option<&HeaderValue>) -> bool {
    accept.and_then(|accept| accept.to_str().ok()).is_some_and(|accept| {
        let accept = accept.to_ascii_lowercase();
        accept.contains("text/") && !accept.contains("json")
    })
}

fn no_content() -> Response<Body> {
    let mut answer = Response::new(Body::Empty);
    *answer.status_mut() = StatusCode::NO_CONTENT;
    answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use sandbar_call::{Denial, GrantKind};

    #[test]
    fn the_outcome_table() {
        let denial = Denial::new(GrantKind::Env, "HOME", "");
        let refused = |why| Outcome::Refused { why };
        let table = [
            (Outcome::Failed { code: Some(1), message: "secret".into() }, Some((500, None))),
            (Outcome::Trapped { message: "secret".into() }, Some((500, None))),
            (Outcome::Fault { id: "7".into() }, Some((500, None))),
            (Outcome::Done, Some((500, None))),
            (Outcome::Stopped { limit: Resource::Memory }, Some((503, None))),
            (Outcome::Stopped { limit: Resource::Fuel }, Some((503, None))),
            (Outcome::Stopped { limit: Resource::Wall }, Some((504, None))),
            (Outcome::Stopped { limit: Resource::Cpu }, Some((504, None))),
            (refused(Refusal::Grant { denial }), Some((403, None))),
            (refused(Refusal::Busy { retry_after_s: 3 }), Some((503, Some(3)))),
            (refused(Refusal::Event { message: "secret".into() }), Some((400, None))),
            (refused(Refusal::Draining), Some((503, Some(1)))),
            (Outcome::Cancelled, None),
        ];
        let id = HeaderValue::from_static("id-1");
        for (outcome, expected) in table {
            let found = status_of(&outcome).map(|(status, after)| (status.as_u16(), after));
            assert_eq!(found, expected, "{outcome:?}");
            let page = Refusing::Ended(outcome).page(&id, None);
            assert_eq!(page.as_ref().map(|page| page.status().as_u16()), expected.map(|(status, _)| status));
            if let Some(Body::Whole(text)) = page.map(Response::into_body) {
                let text = String::from_utf8(text.to_vec()).unwrap();
                assert!(text.contains(r#""request_id":"id-1""#) && !text.contains("secret"), "{text}");
            }
        }
    }

    #[test]
    fn a_page_is_text_for_those_who_ask_for_it() {
        for (accept, text) in [
            (None, false),
            (Some("*/*"), false),
            (Some("text/html,*/*"), true),
            (Some("text/plain"), true),
            (Some("application/json, text/plain"), false),
        ] {
            let accept = accept.map(HeaderValue::from_static);
            let page = Refusing::NotFound.page(&HeaderValue::from_static("1"), accept.as_ref()).unwrap();
            assert_eq!(page.headers()[header::CONTENT_TYPE] == "text/plain; charset=utf-8", text, "{accept:?}");
        }
    }
}
