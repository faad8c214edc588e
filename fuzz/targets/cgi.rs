//! Any bytes as the answer of a command that speaks CGI, and as a request to it.

#![no_main]
#![allow(dead_code, reason = "the engine's own modules, of which this uses a part")]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/engine/src/shape/command/cgi"]
mod cgi {
    mod environment;
    mod head;

    use environment::environment;
    use head::{HEAD_BYTES_MAX, Head, Read};
    use http::{HeaderName, HeaderValue, Method, Request, Uri, Version, header, request::Parts};
    use sandbar_call::{Body, RouteMatch};
    use std::collections::HashSet;

    pub(crate) fn check_answer(bytes: &[u8]) {
        let at_once = read(bytes, bytes.len().max(1));
        assert_eq!(shown(read(bytes, 1)), shown(at_once.clone()), "a head is the same however it comes");
        if let Some(Ok((head, body))) = at_once {
            assert!(head.status().as_u16() >= 200);
            assert!(!head.headers().contains_key(header::TRANSFER_ENCODING));
            assert!(bytes.ends_with(&body) && bytes.len() - body.len() <= HEAD_BYTES_MAX + 4);
        }
    }

    /// Reads an answer that comes in pieces; the body is what comes after the head.
    fn read(bytes: &[u8], piece: usize) -> Option<Read> {
        let mut head = Head::default();
        let mut pieces = bytes.chunks(piece);
        let read = pieces.by_ref().find_map(|piece| head.push(piece));
        read.map(|read| {
            read.map(|(head, body)| (head, [body.to_vec(), pieces.flatten().copied().collect()].concat().into()))
        })
    }

    fn shown(read: Option<Read>) -> String {
        format!("{read:?}")
    }

    /// The first byte tells how much of the path the route has taken, the first line is a URI, the others are headers.
    pub(crate) fn check_request(bytes: &[u8]) {
        let Some((prefix_len, rest)) = bytes.split_first() else { return };
        let Some(parts) = request(usize::from(*prefix_len), rest) else { return };
        let environment = environment(&parts, &Body::Empty);
        let names: HashSet<&str> = environment.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names.len(), environment.len(), "each variable has one value");
        for name in names {
            assert!(!name.contains(['=', '\0', '-']) && !name.bytes().any(|byte| byte.is_ascii_lowercase()), "{name}");
            assert!(!matches!(name, "HTTP_PROXY" | "HTTP_AUTHORIZATION" | "HTTP_PROXY_AUTHORIZATION"));
        }
    }

    fn request(prefix_len: usize, text: &[u8]) -> Option<Parts> {
        let mut lines = text.split(|byte| *byte == b'\n');
        let uri = Uri::try_from(lines.next()?).ok()?;
        let (mut parts, ()) = Request::new(()).into_parts();
        (parts.method, parts.uri, parts.version) = (Method::POST, uri, Version::HTTP_11);
        for line in lines {
            let colon = line.iter().position(|byte| *byte == b':')?;
            let (name, value) =
                (HeaderName::from_bytes(&line[..colon]).ok()?, HeaderValue::from_bytes(&line[colon + 1..]).ok()?);
            parts.headers.append(name, value);
        }
        let (pattern, captures) = ("POST /{rest...}".into(), Vec::new());
        parts.extensions.insert(RouteMatch { pattern, prefix_len, captures, peer: None, tls: false });
        Some(parts)
    }
}

fuzz_target!(|bytes: &[u8]| {
    cgi::check_answer(bytes);
    cgi::check_request(bytes);
});
