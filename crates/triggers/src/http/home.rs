//! What `GET /` says where no route takes it: the app's name and its routes, each with a line to copy.
//!
//! A page for browsers, without anything from elsewhere, and JSON for the rest (`curl` among them).

use crate::http::{Route, Routes, Target, pattern::Host};
use http::{HeaderMap, HeaderValue, Response, header};
use sandbar_call::Body;
use serde::Serialize;

/// Writes the page. The client's own `Host` is in the lines to copy; it was checked to hold no quote-breaking byte but is
/// escaped all the same.
pub(crate) fn page(routes: &Routes, headers: &HeaderMap, tls: bool) -> Response<Body> {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let base = format!("{}://{host}", if tls { "https" } else { "http" });
    let lines: Vec<Line> = routes.routes().iter().map(|route| Line::of(route, &base)).collect();
    let wants_html = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"));
    let (kind, text) = match wants_html {
        true => ("text/html; charset=utf-8", html(routes.name(), &lines)),
        false => ("application/json", json(routes.name(), &lines)),
    };
    let mut answer = Response::new(Body::from(text));
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::VARY, HeaderValue::from_static("accept"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'"),
    );
    answer
}

/// One route and how to call it.
#[derive(Serialize)]
struct Line {
    route: String,
    serves: &'static str,
    curl: String,
}

impl Line {
    fn of(route: &Route, base: &str) -> Line {
        let serves = match route.target {
            Target::Guest(_) => "function",
            Target::Files(_) => "files",
        };
        Line { route: route.pattern.as_str().to_owned(), serves, curl: route.curl(base) }
    }
}

impl Route {
    /// The `curl` line that calls it at `base`, such as `http://127.0.0.1:3000`.
    pub fn curl(&self, base: &str) -> String {
        curl(self, base)
    }
}

fn curl(route: &Route, base: &str) -> String {
    let text = route.pattern.as_str();
    let address = text.split_whitespace().last().unwrap_or(text);
    let path = address.get(address.find('/').unwrap_or_default()..).unwrap_or_default();
    let method = match route.pattern.methods.first() {
        None => String::new(),
        Some(method) if *method == http::Method::GET => String::new(),
        Some(method) => format!("-X {method} "),
    };
    let host = match &route.pattern.host {
        Host::Any => String::new(),
        Host::Exact(host) => format!("-H {} ", quoted(&format!("Host: {host}"))),
        Host::Suffix(suffix) => format!("-H {} ", quoted(&format!("Host: www{suffix}"))),
    };
    let example = route.example.as_ref().map(|example| format!(" {example}")).unwrap_or_default();
    // Braces mean something to curl, so captures are shown as words.
    let path = path.replace(['{', '}', '*'], "");
    format!("curl {method}{host}{}{example}", quoted(&format!("{base}{path}")))
}

/// Quotes a word for a shell where it needs it.
fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/%[]@".contains(&byte);
    if word.bytes().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

fn json(name: &str, lines: &[Line]) -> String {
    serde_json::json!({ "app": name, "routes": lines }).to_string() + "\n"
}

fn html(name: &str, lines: &[Line]) -> String {
    let name = escaped(name);
    let rows: String = lines
        .iter()
        .map(|line| {
            let (route, curl) = (escaped(&line.route), escaped(&line.curl));
            format!("<li><h2>{route}</h2><p>{}</p><pre>{curl}</pre></li>\n", line.serves)
        })
        .collect();
    let rows = if rows.is_empty() { "<li><p>nothing yet</p></li>".to_owned() } else { rows };
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{name}</title>\n\
         <style>{STYLE}</style>\n<main>\n<h1>{name}</h1>\n<ul>\n{rows}</ul>\n</main>\n</html>\n"
    )
}

const STYLE: &str = ":root{color-scheme:light dark;--line:#d8d3c8;--soft:#f6f3ec;--text:#2a2722;--quiet:#736c60}\
@media(prefers-color-scheme:dark){:root{--line:#3a372f;--soft:#24221d;--text:#ece7db;--quiet:#a39b8b}}\
body{margin:0;font:16px/1.5 system-ui,sans-serif;color:var(--text);background:Canvas}\
main{max-width:46rem;margin:0 auto;padding:3rem 1rem}h1{font-size:1.6rem;margin:0 0 1.5rem}\
ul{list-style:none;margin:0;padding:0}li{border-top:1px solid var(--line);padding:1rem 0}\
h2{font:600 1rem ui-monospace,monospace;margin:0}p{margin:0;color:var(--quiet);font-size:.875rem}\
pre{background:var(--soft);padding:.6rem .8rem;border-radius:6px;overflow:auto;margin:.5rem 0 0;font-size:.875rem}";

/// Escapes text for HTML.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Binding, Home};
    use sandbar_call::{Call, Receipt, Reply, Run, Running};
    use std::sync::Arc;

    struct Nobody;

    impl Run for Nobody {
        fn run(&self, _: Call) -> Running<'_> {
            Box::pin(async { Reply::Output(Body::Empty) })
        }
    }

    fn text(accept: &'static str) -> String {
        let binding = Binding {
            run: Arc::new(Nobody),
            receipts: Arc::new(|_: Receipt| {}),
            wants_match: false,
            content_type: None,
            body_bytes_max: None,
        };
        let route = |pattern: &str, example: Option<&str>| Route {
            pattern: pattern.parse().unwrap(),
            target: Target::Guest(binding.clone()),
            example: example.map(str::to_owned),
        };
        let routes = vec![
            route("POST /double", Some("-d '{\"value\":21}'")),
            route("GET /hello/{name}", None),
            route("GET a.b/x", None),
        ];
        let routes = Routes::build("<app>", Home::Listed, routes).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, "127.0.0.1:3000".parse().unwrap());
        headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
        match page(&routes, &headers, false).into_body() {
            Body::Whole(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
            body => panic!("{body:?}"),
        }
    }

    #[test]
    fn it_lists_routes_with_a_line_to_copy() {
        let json: serde_json::Value = serde_json::from_str(&text("*/*")).unwrap();
        let curls: Vec<_> =
            json["routes"].as_array().unwrap().iter().map(|line| line["curl"].as_str().unwrap()).collect();
        assert_eq!(
            curls,
            [
                "curl -X POST http://127.0.0.1:3000/double -d '{\"value\":21}'",
                "curl http://127.0.0.1:3000/hello/name",
                "curl -H 'Host: a.b' http://127.0.0.1:3000/x",
            ]
        );
    }

    #[test]
    fn a_page_escapes_what_it_shows() {
        let html = text("text/html");
        assert!(html.contains("<h1>&lt;app&gt;</h1>") && !html.contains("<app>"), "{html}");
        assert!(html.contains("{&quot;value&quot;:21}"), "{html}");
    }
}
