//! What a request asks of a file under its conditions: all, a part, or nothing new (RFC 9110, sections 13.2.2 and 14.2).

use cap_std::fs::Metadata;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header, request::Parts};
use std::{
    ops::Range,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Which state of a file this is.
pub(super) struct Version {
    pub(super) len: u64,
    etag: String,
    /// In whole seconds, as a header tells it.
    modified: Option<SystemTime>,
}

/// What to answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Whole,
    Range(Range<u64>),
    OutOfRange,
    Unchanged,
    Failed,
}

impl Version {
    pub(super) fn of(metadata: &Metadata) -> Version {
        let since = metadata.modified().ok().and_then(|at| at.into_std().duration_since(UNIX_EPOCH).ok());
        Version::new(metadata.len(), since)
    }

    fn new(len: u64, since: Option<Duration>) -> Version {
        let etag = format!("\"{:x}-{len:x}\"", since.map_or(0, |since| since.as_nanos()));
        let modified = since.map(|since| UNIX_EPOCH + Duration::from_secs(since.as_secs()));
        Version { len, etag, modified }
    }

    pub(super) fn write(&self, headers: &mut HeaderMap) {
        if let Ok(etag) = HeaderValue::from_str(&self.etag) {
            headers.insert(header::ETAG, etag);
        }
        let modified = self.modified.map(httpdate::fmt_http_date).and_then(|date| HeaderValue::try_from(date).ok());
        if let Some(modified) = modified {
            headers.insert(header::LAST_MODIFIED, modified);
        }
    }

    pub(super) fn asked(&self, head: &Parts) -> Asked {
        let headers = &head.headers;
        if let Some(tags) = text(headers, header::IF_MATCH) {
            if !self.matches(tags, Comparison::Strong) {
                return Asked::Failed;
            }
        } else if let (Some(since), Some(modified)) = (date(headers, header::IF_UNMODIFIED_SINCE), self.modified)
            && modified > since
        {
            return Asked::Failed;
        }
        if let Some(tags) = text(headers, header::IF_NONE_MATCH) {
            if self.matches(tags, Comparison::Weak) {
                return Asked::Unchanged;
            }
        } else if let (Some(since), Some(modified)) = (date(headers, header::IF_MODIFIED_SINCE), self.modified)
            && modified <= since
        {
            return Asked::Unchanged;
        }
        match text(headers, header::RANGE) {
            Some(range) if head.method == Method::GET && self.range_is_for_this(headers) => self.range(range),
            _ => Asked::Whole,
        }
    }

    fn matches(&self, tags: &str, comparison: Comparison) -> bool {
        tags.split(',').map(str::trim).any(|tag| {
            let tag = match comparison {
                Comparison::Strong => tag,
                Comparison::Weak => tag.strip_prefix("W/").unwrap_or(tag),
            };
            tag == "*" || tag == self.etag
        })
    }

    /// Whether `If-Range`, if there is one, names this version.
    fn range_is_for_this(&self, headers: &HeaderMap) -> bool {
        match text(headers, header::IF_RANGE) {
            None => headers.get(header::IF_RANGE).is_none(),
            Some(tag) if tag.starts_with('"') => tag == self.etag,
            Some(_) => date(headers, header::IF_RANGE).is_some_and(|date| Some(date) == self.modified),
        }
    }

    /// One range of bytes; anything else asks for all, as the standard allows.
    fn range(&self, text: &str) -> Asked {
        let Some((first, last)) = text.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
            return Asked::Whole;
        };
        let number = |text: &str| text.parse::<u64>().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
        let range = match (number(first), number(last)) {
            (Some(first), None) if last.is_empty() => first..self.len,
            (Some(first), Some(last)) if first <= last => first..last.saturating_add(1).min(self.len),
            (None, Some(count)) if first.is_empty() && count > 0 => self.len.saturating_sub(count)..self.len,
            (None, Some(0)) if first.is_empty() => return Asked::OutOfRange,
            _ => return Asked::Whole,
        };
        if range.start < range.end { Asked::Range(range) } else { Asked::OutOfRange }
    }
}

/// How entity tags are compared (RFC 9110, section 8.8.3.2).
#[derive(Clone, Copy)]
enum Comparison {
    Strong,
    Weak,
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

fn date(headers: &HeaderMap, name: HeaderName) -> Option<SystemTime> {
    httpdate::parse_http_date(text(headers, name)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_decide_what_is_sent() {
        // 1994-11-06 08:49:37 UTC
        let version = Version::new(10, Some(Duration::from_secs(784_111_777)));
        let etag = version.etag.clone();
        let (at, before) = ("Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:36 GMT");
        let weak = format!("W/{etag}");
        let list = format!("\"x\", {etag}");
        let cases: &[(&[(&str, &str)], Asked)] = &[
            (&[], Asked::Whole),
            (&[("if-none-match", &etag)], Asked::Unchanged),
            (&[("if-none-match", &weak)], Asked::Unchanged),
            (&[("if-none-match", &list)], Asked::Unchanged),
            (&[("if-none-match", "*")], Asked::Unchanged),
            (&[("if-none-match", "\"x\""), ("if-modified-since", at)], Asked::Whole),
            (&[("if-modified-since", at)], Asked::Unchanged),
            (&[("if-modified-since", before)], Asked::Whole),
            (&[("if-modified-since", "yesterday")], Asked::Whole),
            (&[("if-match", "\"x\"")], Asked::Failed),
            (&[("if-match", &weak)], Asked::Failed),
            (&[("if-unmodified-since", before)], Asked::Failed),
            (&[("range", "bytes=2-4")], Asked::Range(2..5)),
            (&[("range", "bytes=2-")], Asked::Range(2..10)),
            (&[("range", "bytes=2-99")], Asked::Range(2..10)),
            (&[("range", "bytes=-3")], Asked::Range(7..10)),
            (&[("range", "bytes=-99")], Asked::Range(0..10)),
            (&[("range", "bytes=10-")], Asked::OutOfRange),
            (&[("range", "bytes=-0")], Asked::OutOfRange),
            (&[("range", "bytes=4-2")], Asked::Whole),
            (&[("range", "bytes=0-1,3-4")], Asked::Whole),
            (&[("range", "bytes=+1-2")], Asked::Whole),
            (&[("range", "lines=1-2")], Asked::Whole),
            (&[("range", "bytes=2-4"), ("if-range", &etag)], Asked::Range(2..5)),
            (&[("range", "bytes=2-4"), ("if-range", "\"x\"")], Asked::Whole),
            (&[("range", "bytes=2-4"), ("if-range", at)], Asked::Range(2..5)),
            (&[("range", "bytes=2-4"), ("if-range", before)], Asked::Whole),
        ];
        for (headers, expected) in cases {
            let mut request = http::Request::builder();
            for (name, value) in *headers {
                request = request.header(*name, *value);
            }
            let (head, ()) = request.body(()).unwrap().into_parts();
            assert_eq!(version.asked(&head), *expected, "{headers:?}");
        }
    }
}
