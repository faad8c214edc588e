//! The text of a route: which requests it takes.
//!
//! ```text
//! [METHOD[,METHOD]|ANY|*] [HOST]/path/{capture}/{*rest}
//!
//! POST /double                  GET /hello/{name}        GET,PUT /things/{id}
//! GET example.com/x             * /api/{*path}           *.example.com/status
//! ```
//!
//! Paths are split at `/` first and percent-decoded after, so `%2F` never splits a segment, in a pattern or in a request.
//! A capture takes one segment that is not empty; `{*rest}` comes last and takes what is left, also nothing: `/api/{*path}`
//! takes `/api`, `/api/` and `/api/a/b`. A trailing slash means something: `/a` and `/a/` are two paths, and a route for
//! one does not take the other. (Redirecting between them, as some servers do, loses the body of a `POST`.)

use http::Method;
use std::{borrow::Cow, fmt, str::FromStr, sync::Arc};

/// Which requests a route takes. Made by parsing its text.
#[derive(Clone, Debug)]
pub struct Pattern {
    pub(crate) text: Arc<str>,
    /// Empty: any method.
    pub(crate) methods: Vec<Method>,
    pub(crate) host: Host,
    pub(crate) segments: Vec<Segment>,
}

/// Which hosts a route takes, in lower case and without a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    Any,
    /// `*.example.com`, kept as `.example.com`: one or more labels before it.
    Suffix(Box<str>),
    Exact(Box<str>),
}

/// What stands between two slashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Segment {
    /// Percent-decoded.
    Literal(Box<str>),
    Capture(Arc<str>),
    Rest(Arc<str>),
}

/// A text that is not a route's pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternError {
    /// The text.
    pub pattern: String,
    /// What is wrong with it.
    pub problem: PatternProblem,
}

/// What is wrong with a route's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PatternProblem {
    /// No path, or one that does not start with `/`.
    NoPath,
    /// Not a method's name.
    Method(String),
    /// Not a host's name.
    Host(String),
    /// A segment that is neither text nor one whole capture.
    Segment(String),
    /// `{*rest}` before the last segment.
    RestNotLast(String),
    /// Two captures of one name.
    CaptureTwice(String),
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not a route: ", self.pattern)?;
        match &self.problem {
            PatternProblem::NoPath => f.write_str("expected a path that starts with `/`\nhint: `GET /hello/{name}`"),
            PatternProblem::Method(found) => {
                write!(f, "expected methods, found `{found}`\nhint: `GET /path`, `GET,PUT /path` or `ANY /path`")
            }
            PatternProblem::Host(found) => {
                write!(f, "expected a host, found `{found}`\nhint: `example.com/path` or `*.example.com/path`")
            }
            PatternProblem::Segment(found) => {
                write!(
                    f,
                    "expected text or a capture of a whole segment, found `{found}`\nhint: `{{name}}` or `{{*rest}}`"
                )
            }
            PatternProblem::RestNotLast(found) => {
                write!(f, "`{found}` takes the rest of the path, so it comes last\nhint: `{{name}}` takes one segment")
            }
            PatternProblem::CaptureTwice(name) => {
                write!(f, "two captures are named `{name}`\nhint: give each its own name")
            }
        }
    }
}

impl std::error::Error for PatternError {}

impl Pattern {
    /// The text it was parsed from.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it ends in `{*rest}`.
    pub(crate) fn takes_rest(&self) -> bool {
        matches!(self.segments.last(), Some(Segment::Rest(_)))
    }

    /// How many bytes of a path that it takes come before what `{*rest}` takes, without the slash between: CGI's
    /// `SCRIPT_NAME`. The whole path where there is no `{*rest}`.
    pub(crate) fn prefix_len(&self, path: &str) -> usize {
        if !self.takes_rest() {
            return path.len();
        }
        let before = self.segments.len().saturating_sub(1);
        path.match_indices('/').nth(before).map_or(path.len(), |(at, _)| at)
    }

    /// The captured parts of a path that it takes, percent-decoded; bytes that are not UTF-8 are replaced.
    pub(crate) fn captures(&self, path: &str) -> Vec<(Arc<str>, String)> {
        let mut left = Some(path.strip_prefix('/').unwrap_or(path));
        let mut captures = Vec::new();
        for segment in &self.segments {
            let here = left.unwrap_or_default();
            let (one, after) = split(here);
            match segment {
                Segment::Literal(_) => {}
                Segment::Capture(name) => captures.push((name.clone(), lossy(one))),
                Segment::Rest(name) => captures.push((name.clone(), lossy(here))),
            }
            left = after;
        }
        captures
    }
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Pattern, PatternError> {
        let text = text.trim();
        parse(text).map_err(|problem| PatternError { pattern: text.to_owned(), problem })
    }
}

fn parse(text: &str) -> Result<Pattern, PatternProblem> {
    let (methods, address) = match text.split_once(char::is_whitespace) {
        Some((methods, address)) => (parse_methods(methods)?, address.trim_start()),
        None => (Vec::new(), text),
    };
    let slash = address.find('/').ok_or(PatternProblem::NoPath)?;
    let (host, path) = address.split_at(slash);
    if path.contains(char::is_whitespace) {
        return Err(PatternProblem::Segment(path.to_owned()));
    }
    Ok(Pattern { text: text.into(), methods, host: parse_host(host)?, segments: parse_path(path)? })
}

fn parse_methods(text: &str) -> Result<Vec<Method>, PatternProblem> {
    if text == "*" || text.eq_ignore_ascii_case("any") {
        return Ok(Vec::new());
    }
    let bad = |name: &str| PatternProblem::Method(name.to_owned());
    let mut methods = Vec::new();
    for name in text.split(',') {
        let method = Method::from_bytes(name.to_ascii_uppercase().as_bytes()).map_err(|_| bad(name))?;
        if method == Method::CONNECT {
            return Err(bad(name));
        }
        if !methods.contains(&method) {
            methods.push(method);
        }
    }
    Ok(methods)
}

fn parse_host(text: &str) -> Result<Host, PatternProblem> {
    let bad = || PatternProblem::Host(text.to_owned());
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'[' | b']' | b':');
    let name = text.strip_prefix('*').unwrap_or(text).to_ascii_lowercase();
    let has_port = !name.starts_with('[') && name.contains(':');
    if !name.bytes().all(allowed) || has_port {
        return Err(bad());
    }
    match (text.starts_with('*'), name.is_empty()) {
        (false, true) => Ok(Host::Any),
        (false, false) if name.starts_with('.') => Err(bad()),
        (false, false) => Ok(Host::Exact(name.into())),
        (true, _) if name.len() > 1 && name.starts_with('.') => Ok(Host::Suffix(name.into())),
        (true, _) => Err(bad()),
    }
}

fn parse_path(path: &str) -> Result<Vec<Segment>, PatternProblem> {
    let texts: Vec<&str> = path.split('/').skip(1).collect();
    let mut names: Vec<Arc<str>> = Vec::new();
    let mut segments = Vec::with_capacity(texts.len());
    for (at, text) in texts.iter().enumerate() {
        let segment = parse_segment(text)?;
        match &segment {
            Segment::Literal(_) => {}
            Segment::Rest(_) if at + 1 != texts.len() => return Err(PatternProblem::RestNotLast((*text).to_owned())),
            Segment::Capture(name) | Segment::Rest(name) => {
                if names.contains(name) {
                    return Err(PatternProblem::CaptureTwice(name.to_string()));
                }
                names.push(name.clone());
            }
        }
        segments.push(segment);
    }
    Ok(segments)
}

fn parse_segment(text: &str) -> Result<Segment, PatternProblem> {
    let bad = || PatternProblem::Segment(text.to_owned());
    if let Some(inner) = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
        let (name, rest) = match inner.strip_prefix('*') {
            Some(name) => (name, true),
            None => (inner, false),
        };
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if name.is_empty() || !name.bytes().all(allowed) {
            return Err(bad());
        }
        return Ok(if rest { Segment::Rest(name.into()) } else { Segment::Capture(name.into()) });
    }
    if text.contains(['{', '}', '?', '#', '*']) {
        return Err(bad());
    }
    let decoded = decode(text).and_then(|bytes| String::from_utf8(bytes.into_owned()).ok()).ok_or_else(bad)?;
    if decoded == "." || decoded == ".." { Err(bad()) } else { Ok(Segment::Literal(decoded.into())) }
}

/// Cuts a path at its first slash: a segment, and what follows the slash if there is one.
pub(crate) fn split(path: &str) -> (&str, Option<&str>) {
    match path.split_once('/') {
        Some((segment, after)) => (segment, Some(after)),
        None => (path, None),
    }
}

/// Percent-decodes one segment (RFC 3986, section 2.1), without an allocation where there is nothing to decode. `None`
/// where a `%` is not followed by two hexadecimal digits.
pub(crate) fn decode(text: &str) -> Option<Cow<'_, [u8]>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text.as_bytes()));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut parts = text.split('%');
    bytes.extend_from_slice(parts.next()?.as_bytes());
    for part in parts {
        let pair = part.get(..2).filter(|pair| pair.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        bytes.push(u8::from_str_radix(pair, 16).ok()?);
        bytes.extend_from_slice(part.get(2..)?.as_bytes());
    }
    Some(Cow::Owned(bytes))
}

fn lossy(text: &str) -> String {
    decode(text).map_or_else(|| text.to_owned(), |bytes| String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_parse_or_say_what_is_wrong() {
        use PatternProblem as P;
        let cases: &[(&str, Option<PatternProblem>)] = &[
            ("POST /double", None),
            ("GET,put /x", None),
            ("* /api/{*path}", None),
            ("ANY *.example.com/", None),
            ("Example.COM/x", None),
            ("GET [::1]/x", None),
            ("/a%20b", None),
            ("GET", Some(P::NoPath)),
            ("", Some(P::NoPath)),
            ("G@T /x", Some(P::Method("G@T".into()))),
            ("CONNECT /x", Some(P::Method("CONNECT".into()))),
            ("GET, /x", Some(P::Method(String::new()))),
            ("*example.com/x", Some(P::Host("*example.com".into()))),
            ("example.com:80/x", Some(P::Host("example.com:80".into()))),
            ("/a/{*rest}/b", Some(P::RestNotLast("{*rest}".into()))),
            ("/{a}/{a}", Some(P::CaptureTwice("a".into()))),
            ("/x{a}", Some(P::Segment("x{a}".into()))),
            ("/{}", Some(P::Segment("{}".into()))),
            ("/a/../b", Some(P::Segment("..".into()))),
            ("/%2e%2e", Some(P::Segment("%2e%2e".into()))),
            ("/%zz", Some(P::Segment("%zz".into()))),
            ("/a?b", Some(P::Segment("a?b".into()))),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<Pattern>().err().map(|error| error.problem), *expected, "{text}");
        }
    }

    #[test]
    fn captures_are_decoded_and_the_prefix_is_counted_in_raw_bytes() {
        type Case<'a> = (&'a str, &'a str, usize, &'a [(&'a str, &'a str)]);
        let cases: &[Case<'_>] = &[
            ("/hello/{name}", "/hello/a%2Fb", 12, &[("name", "a/b")]),
            ("/cgi/{*path}", "/cgi/x/y", 4, &[("path", "x/y")]),
            ("/cgi/{*path}", "/cgi", 4, &[("path", "")]),
            ("/cgi/{*path}", "/cgi/", 4, &[("path", "")]),
            ("/{*path}", "/x", 0, &[("path", "x")]),
            ("/{a}/b/{*c}", "/%61a/b/c", 7, &[("a", "aa"), ("c", "c")]),
        ];
        for (pattern, path, prefix, captures) in cases {
            let pattern: Pattern = pattern.parse().unwrap();
            assert_eq!(pattern.prefix_len(path), *prefix, "{path}");
            let found = pattern.captures(path);
            let found: Vec<(&str, &str)> = found.iter().map(|(name, text)| (&**name, text.as_str())).collect();
            assert_eq!(found, *captures, "{path}");
        }
    }
}
