//! What an outgoing request is sent to, as a guest writes it: the same for each version of `wasi:http`.
//!
//! wasmtime-wasi-http keeps to what the `http` crate reads as a URI. That is less than guests may set (paths that are relative
//! are only wrong when they are sent), and more than RFC 3986 has.

use http::{Method, uri::PathAndQuery};

/// The longest scheme, in bytes: what the `http` crate takes.
const SCHEME_MAX: usize = 64;

/// A path and query as a guest sets it: nothing stands for `/`. None where it has characters that RFC 3986, section 3.3, keeps
/// out of a path. A query is taken as clients write them, with brackets and bars.
pub(crate) fn path(text: &str) -> Option<&str> {
    let path = text.split('?').next().unwrap_or_default();
    let valid = path.chars().all(|c| c.is_ascii_alphanumeric() || "/-._~%!$&'()*+,;=:@".contains(c) || c > '\u{7f}');
    let query = text.get(path.len()..).unwrap_or_default();
    let readable =
        valid && format!("/{query}").parse::<PathAndQuery>().is_ok_and(|read| read.as_str().len() > query.len());
    readable.then_some(if text.is_empty() { "/" } else { text })
}

/// What is written into the request line. None for what names nothing there: a path that is relative, or `*` of anything but
/// `OPTIONS` (RFC 9112, section 3.2).
pub(crate) fn sent(path: Option<&str>, method: &Method) -> Option<PathAndQuery> {
    let path = path.unwrap_or("/");
    match path.as_bytes().first()? {
        b'/' => path.parse().ok(),
        b'?' => format!("/{path}").parse().ok(),
        b'*' if path == "*" && method == Method::OPTIONS => path.parse().ok(),
        _ => None,
    }
}

/// The schemes that have a name of their own, and all others.
pub(crate) enum Scheme {
    Http,
    Https,
    Other,
}

/// What a scheme is, in any case. None for what is none (RFC 3986, section 3.1).
pub(crate) fn scheme(text: &str) -> Option<Scheme> {
    let follows = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
    let (first, rest) = text.as_bytes().split_first()?;
    if !first.is_ascii_alphabetic() || !rest.iter().all(follows) || text.len() > SCHEME_MAX {
        return None;
    }
    Some(match text {
        _ if text.eq_ignore_ascii_case("http") => Scheme::Http,
        _ if text.eq_ignore_ascii_case("https") => Scheme::Https,
        _ => Scheme::Other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_is_kept_and_what_is_sent_names_something() {
        let (get, options) = (Method::GET, Method::OPTIONS);
        for (text, method, set, line) in [
            ("/", &get, Some("/"), Some("/")),
            ("", &get, Some("/"), Some("/")),
            ("/a/../b?c=d", &get, Some("/a/../b?c=d"), Some("/a/../b?c=d")),
            ("?a=1", &get, Some("?a=1"), Some("/?a=1")),
            ("a/b", &get, Some("a/b"), None),
            ("../..", &get, Some("../.."), None),
            ("*", &options, Some("*"), Some("*")),
            ("*", &get, Some("*"), None),
            ("/?a[]={b}|c", &get, Some("/?a[]={b}|c"), Some("/?a[]={b}|c")),
            ("/é", &get, Some("/é"), Some("/é")),
            ("http://other/", &get, Some("http://other/"), None),
            ("/?a b", &get, None, None),
            ("@other/", &get, Some("@other/"), None),
            ("/a b", &get, None, None),
            ("/a\r\nb", &get, None, None),
            ("/\u{7f}", &get, None, None),
            ("/{a}", &get, None, None),
            ("/[a]", &get, None, None),
            ("/a#b", &get, None, None),
            ("/?a#b", &get, None, None),
        ] {
            assert_eq!(path(text), set, "{text}");
            let found = path(text).and_then(|path| sent(Some(path), method));
            assert_eq!(found.as_ref().map(PathAndQuery::as_str), line, "{method} {text}");
        }
        assert_eq!(sent(None, &get), Some(PathAndQuery::from_static("/")));
    }

    #[test]
    fn a_scheme_begins_with_a_letter() {
        for (text, expected) in [
            ("http", Some("http")),
            ("HTTPS", Some("https")),
            ("git+ssh", Some("other")),
            ("a1-.", Some("other")),
            ("", None),
            ("1a", None),
            ("http:", None),
            ("a b", None),
        ] {
            let found = scheme(text).map(|scheme| match scheme {
                Scheme::Http => "http",
                Scheme::Https => "https",
                Scheme::Other => "other",
            });
            assert_eq!(found, expected, "{text}");
        }
    }
}
