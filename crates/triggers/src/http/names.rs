//! The request id and the W3C trace context: passed on where they are sane, made from the call's id where not.
//!
//! - `x-request-id`: at most 128 visible ASCII characters are taken as they are; else it is the call's id in hexadecimal.
//!   The guest gets it, the client gets it back, and the receipt's `event` is the same text.
//! - `traceparent` (<https://www.w3.org/TR/trace-context/>, section 3.2): a valid one goes to the guest unchanged, and so do
//!   the `tracestate` fields with it. Else a new one is made whose trace id is the call's id, marked as sampled, which
//!   leaves the choice to whoever records; a `tracestate` without its parent is dropped.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use sandbar_call::CallId;

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// The longest request id that is taken from a client, in bytes.
const REQUEST_ID_BYTES_MAX: usize = 128;
/// The most bytes of `tracestate` that are passed on; the standard asks for at least 512.
const TRACESTATE_BYTES_MAX: usize = 1024;

/// Settles both in a request's headers and returns the request id.
pub(crate) fn settle(headers: &mut HeaderMap, call: CallId) -> HeaderValue {
    // `00-` trace id `-` span id `-01`. The request id is a part of the same bytes: one allocation for both.
    let mut made = None;
    let mut make = || made.get_or_insert_with(|| traceparent(call)).clone();
    let request = match headers.get(REQUEST_ID).filter(|id| is_sane(id)) {
        Some(id) => id.clone(),
        None => {
            let id = value(make().slice(3..35));
            headers.insert(REQUEST_ID, id.clone());
            id
        }
    };
    if !has_parent(headers) {
        headers.insert(TRACEPARENT, value(make()));
        headers.remove(TRACESTATE);
    } else if !has_state(headers) {
        headers.remove(TRACESTATE);
    }
    request
}

fn is_sane(id: &HeaderValue) -> bool {
    let id = id.as_bytes();
    (1..=REQUEST_ID_BYTES_MAX).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic)
}

fn has_parent(headers: &HeaderMap) -> bool {
    let mut parents = headers.get_all(TRACEPARENT).iter();
    match (parents.next(), parents.next()) {
        (Some(parent), None) => is_parent(parent.as_bytes()),
        _ => false,
    }
}

/// Whether this is a `traceparent` of version 00, or of a later one that starts alike.
fn is_parent(text: &[u8]) -> bool {
    let Some((known, later)) = text.split_at_checked(55) else { return false };
    let mut fields = known.split(|&byte| byte == b'-');
    let hex = |field: Option<&[u8]>, len: usize| {
        field.is_some_and(|field| {
            field.len() == len && field.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        })
    };
    let some = |field: Option<&[u8]>| field.is_some_and(|field| field.iter().any(|&byte| byte != b'0'));
    let (version, trace, span, flags) = (fields.next(), fields.next(), fields.next(), fields.next());
    let rest = match version {
        Some(b"00") => later.is_empty(),
        _ => matches!(later.first(), None | Some(b'-')),
    };
    let sized = hex(version, 2) && hex(trace, 32) && hex(span, 16) && hex(flags, 2) && fields.next().is_none();
    sized && rest && version != Some(b"ff") && some(trace) && some(span)
}

/// Whether the `tracestate` fields, if there are some, are short and printable. What they hold is their writers' affair.
fn has_state(headers: &HeaderMap) -> bool {
    let mut bytes = 0;
    headers.get_all(TRACESTATE).iter().all(|state| {
        bytes += state.len();
        bytes <= TRACESTATE_BYTES_MAX && state.as_bytes().iter().all(|byte| matches!(byte, b' '..=b'~' | b'\t'))
    })
}

fn traceparent(call: CallId) -> Bytes {
    let high = (call.0 >> 64) as u64;
    // Not zero, which the standard forbids.
    let span = match high ^ call.0 as u64 {
        0 => 1,
        span => span,
    };
    let mut text = *b"00-00000000000000000000000000000000-0000000000000000-01";
    write_hex(text.get_mut(3..35), &call.0.to_be_bytes());
    write_hex(text.get_mut(36..52), &span.to_be_bytes());
    Bytes::copy_from_slice(&text)
}

fn write_hex(into: Option<&mut [u8]>, bytes: &[u8]) {
    let digit = |four_bits: u8| if four_bits < 10 { b'0' + four_bits } else { b'a' + four_bits - 10 };
    for (pair, byte) in into.unwrap_or_default().chunks_exact_mut(2).zip(bytes) {
        if let [high, low] = pair {
            (*high, *low) = (digit(byte >> 4), digit(byte & 15));
        }
    }
}

fn value(text: Bytes) -> HeaderValue {
    HeaderValue::from_maybe_shared(text).unwrap_or_else(|_| HeaderValue::from_static("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: CallId = CallId::new(0xab, 0x1);
    const MADE: &str = "00-00000000000000ab0000000000000001-00000000000000aa-01";

    #[test]
    fn a_sane_request_id_is_kept_and_any_other_is_the_calls() {
        let long = "x".repeat(128);
        let too_long = "x".repeat(129);
        for (sent, expected) in [
            (None, "00000000000000ab0000000000000001"),
            (Some("abc-123"), "abc-123"),
            (Some(long.as_str()), long.as_str()),
            (Some(too_long.as_str()), "00000000000000ab0000000000000001"),
            (Some("a b"), "00000000000000ab0000000000000001"),
            (Some(""), "00000000000000ab0000000000000001"),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(sent) = sent {
                headers.insert(REQUEST_ID, sent.parse().unwrap());
            }
            assert_eq!(settle(&mut headers, CALL), expected);
            assert_eq!(headers[REQUEST_ID], expected);
        }
    }

    #[test]
    fn a_valid_traceparent_is_kept_and_any_other_is_replaced() {
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let cases = [
            (vec![], false),
            (vec![parent.to_owned()], true),
            (vec![parent.to_owned(), parent.to_owned()], false),
            (vec![parent.to_uppercase()], false),
            (vec![format!("{parent}-x")], false),
            (vec![parent.replacen("00", "01", 1)], true),
            (vec![parent.replacen("00", "01", 1) + "-x"], true),
            (vec![parent.replacen("00", "01", 1) + "x"], false),
            (vec![parent.replacen("00", "ff", 1)], false),
            (vec![parent.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32))], false),
            (vec![parent.replace("b7ad6b7169203331", &"0".repeat(16))], false),
            (vec!["00-1-2-3".into()], false),
        ];
        for (sent, kept) in cases {
            let mut headers = HeaderMap::new();
            for parent in &sent {
                headers.append(TRACEPARENT, parent.parse().unwrap());
            }
            headers.insert(TRACESTATE, "a=b".parse().unwrap());
            settle(&mut headers, CALL);
            let expected = if kept { sent[0].as_str() } else { MADE };
            assert_eq!(headers.get_all(TRACEPARENT).iter().collect::<Vec<_>>(), [expected], "{sent:?}");
            assert_eq!(headers.contains_key(TRACESTATE), kept, "{sent:?}");
        }
    }
}
