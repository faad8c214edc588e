use super::*;
use sandbar_call::{Body, Call, Receipt, Reply, Running};

struct Nobody;

impl Run for Nobody {
    fn run(&self, _: Call) -> Running<'_> {
        Box::pin(async { Reply::Output(Body::Empty) })
    }
}

fn build(patterns: &[&str]) -> Result<Routes, RoutesError> {
    let receipts: Arc<dyn Settle> = Arc::new(|_: Receipt| {});
    let binding =
        Binding { run: Arc::new(Nobody), receipts, wants_match: false, content_type: None, body_bytes_max: None };
    let route =
        |text: &&str| Route { pattern: text.parse().unwrap(), target: Target::Guest(binding.clone()), example: None };
    Routes::build("test", Home::Listed, patterns.iter().map(route).collect())
}

fn ask(routes: &Routes, request: &str) -> String {
    let mut words = request.split(' ');
    let method: Method = words.next().unwrap().parse().unwrap();
    let address = words.next().unwrap();
    let (host, path) = address.split_at(address.find('/').unwrap());
    match routes.lookup(&method, Some(host).filter(|host| !host.is_empty()), path) {
        Lookup::Matched(at) => routes.routes()[at].pattern.as_str().to_owned(),
        Lookup::NotFound => "404".into(),
        Lookup::MethodNotAllowed(allow) => format!("405 {allow}"),
        Lookup::BadPath => "400".into(),
    }
}

#[test]
fn the_most_specific_route_that_takes_the_method_answers() {
    let routes = build(&[
        "GET /",
        "POST /double",
        "GET /hello/{name}",
        "GET /hello/world",
        "DELETE /hello/{name}",
        "* /api/{*path}",
        "GET /api/{version}/users",
        "POST /{any}",
        "GET /a/",
        "GET /a%20b",
        "HEAD /both",
        "GET /both",
        "PUT,PATCH /things/{id}/{part}",
        "PURGE /cache",
        "GET example.com/x",
        "GET *.example.com/x",
        "GET *.deep.example.com/x",
        "GET /x",
        "ANY example.com/only",
    ])
    .unwrap();
    let cases = [
        ("GET /", "GET /"),
        ("HEAD /", "GET /"),
        ("POST /", "405 GET, HEAD"),
        ("POST /double", "POST /double"),
        ("GET /double", "405 POST"),
        ("POST /double/", "404"),
        ("GET /hello/world", "GET /hello/world"),
        ("GET /hello/%77orld", "GET /hello/world"),
        ("GET /hello/ada", "GET /hello/{name}"),
        ("DELETE /hello/world", "DELETE /hello/{name}"),
        ("PUT /hello/world", "405 DELETE, GET, HEAD"),
        ("GET /hello/", "404"),
        ("GET /hello/a/b", "404"),
        ("GET /hello/a%2Fb", "GET /hello/{name}"),
        ("GET /api", "* /api/{*path}"),
        ("GET /api/", "* /api/{*path}"),
        ("GET /api/v1/users", "GET /api/{version}/users"),
        ("POST /api/v1/users", "* /api/{*path}"),
        ("GET /api/v1/users/", "* /api/{*path}"),
        ("GET /api//x", "* /api/{*path}"),
        ("GET /a/", "GET /a/"),
        ("GET /a", "405 POST"),
        ("POST /a", "POST /{any}"),
        ("GET /a%20b", "GET /a%20b"),
        ("HEAD /both", "HEAD /both"),
        ("PATCH /things/1/name", "PUT,PATCH /things/{id}/{part}"),
        ("PURGE /cache", "PURGE /cache"),
        ("GET EXAMPLE.com/x", "GET example.com/x"),
        ("GET a.example.com/x", "GET *.example.com/x"),
        ("GET a.deep.example.com/x", "GET *.deep.example.com/x"),
        ("GET notexample.com/x", "GET /x"),
        ("GET .example.com/x", "GET /x"),
        ("PUT example.com/only", "ANY example.com/only"),
        ("GET other.org/only", "405 POST"),
        ("GET /../x", "400"),
        ("GET /api/%2e%2E/x", "400"),
        ("GET /api/.", "400"),
        ("GET /api/%00", "400"),
        ("GET /api/%", "400"),
        ("GET /api/.hidden", "* /api/{*path}"),
        ("GET /api/a..b", "* /api/{*path}"),
    ];
    for (request, expected) in cases {
        assert_eq!(ask(&routes, request), expected, "{request}");
    }
}

#[test]
fn routes_that_tie_are_refused_with_both_named() {
    let cases: &[(&[&str], bool)] = &[
        (&["GET /a", "GET /a"], false),
        (&["GET,POST /a", "POST /a"], false),
        (&["ANY /a", "/a"], false),
        (&["GET /{x}", "GET /{y}"], false),
        (&["GET /{*x}", "GET /{*y}"], false),
        (&["GET /a%62", "GET /ab"], false),
        (&["GET A.com/", "GET a.com/"], false),
        (&["GET *.a.com/", "GET *.a.com/"], false),
        (&["GET /a", "ANY /a"], true),
        (&["GET /a", "HEAD /a"], true),
        (&["GET /{x}/b", "GET /a/{y}"], true),
        (&["GET /{x}", "GET /{*x}"], true),
        (&["GET /a", "GET /a/"], true),
        (&["GET a.com/", "GET *.com/", "GET /"], true),
    ];
    for (patterns, fine) in cases {
        match build(patterns) {
            Ok(_) => assert!(fine, "{patterns:?}"),
            Err(error) => {
                assert!(!fine, "{patterns:?}: {error}");
                let expected = RoutesError::Ambiguous { first: patterns[0].into(), second: patterns[1].into() };
                assert_eq!(error, expected);
            }
        }
    }
}

#[test]
fn text_wins_over_captures_segment_by_segment() {
    let routes = build(&["GET /{x}/b", "GET /a/{y}", "GET /{*z}"]).unwrap();
    for (request, expected) in [
        ("GET /a/b", "GET /a/{y}"),
        ("GET /c/b", "GET /{x}/b"),
        ("GET /c/d", "GET /{*z}"),
        ("GET /a/b/c", "GET /{*z}"),
        ("GET /", "GET /{*z}"),
        ("GET /a/", "GET /{*z}"),
    ] {
        assert_eq!(ask(&routes, request), expected, "{request}");
    }
}
