//! Which binding answers a request: by method, host and path, the most specific route first.
//!
//! A route is more specific by its host (a name, then the longest `*.suffix`, then any), then by its path, segment by
//! segment (text, then a capture, then `{*rest}`), then by its method (named, then any; `HEAD` falls to `GET`). The most
//! specific route *that takes the method* answers, so `GET /a` and `POST /{x}` share `/a`; only where no route takes it is
//! the answer 405. Two routes that would tie are refused when the table is built.
//!
//! A path with a segment that decodes to `.`, `..` or holds a NUL, or with a broken percent-escape, is refused (400) before
//! any route is asked: a guest that resolves `/public/../admin` would otherwise answer for a route that was not matched.

use crate::http::{
    Files,
    pattern::{Host, Pattern, Segment, decode, split},
};
use http::{HeaderValue, Method};
use sandbar_call::{Run, Settle};
use std::{collections::HashMap, fmt, sync::Arc};

/// One line of the table: a pattern and what it is bound to.
#[derive(Clone)]
pub struct Route {
    /// Which requests it takes.
    pub pattern: Pattern,
    /// What answers them.
    pub target: Target,
    /// More arguments for the `curl` line that shows how to call it, such as `-d '{"value":21}'`.
    pub example: Option<String>,
}

/// What answers a route's requests.
#[derive(Clone)]
pub enum Target {
    /// A guest.
    Guest(Binding),
    /// The files of a folder.
    Files(Files),
}

/// A guest bound to a route.
#[derive(Clone)]
pub struct Binding {
    /// Runs its calls.
    pub run: Arc<dyn Run>,
    /// Where their receipts go.
    pub receipts: Arc<dyn Settle>,
    /// Whether requests carry a [`sandbar_call::RouteMatch`] in their extensions. It costs a few allocations a request.
    pub wants_match: bool,
    /// The content type of what a function writes to stdout; `None` tells JSON, text and bytes apart by looking.
    pub content_type: Option<HeaderValue>,
    /// The most bytes a request's body may have here, instead of [`crate::http::Guards::body_bytes_max`].
    pub body_bytes_max: Option<u64>,
}

/// A table of routes, ready to be asked.
pub struct Routes {
    name: String,
    home: Home,
    routes: Vec<Route>,
    exact: HashMap<Box<str>, Node>,
    /// The longest suffix first.
    suffixes: Vec<(Box<str>, Node)>,
    any: Node,
}

/// Whether `GET /` says what is served where no route takes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Home {
    /// It lists the routes.
    #[default]
    Listed,
    /// It is not found, as any other path.
    Hidden,
}

/// What a table says to a request.
pub(crate) enum Lookup {
    /// The place of the route in the table.
    Matched(usize),
    NotFound,
    /// The methods that some route takes there, as an `Allow` header lists them.
    MethodNotAllowed(String),
    /// A path that no route is asked for: `..`, a broken escape.
    BadPath,
}

/// A table that can't be built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoutesError {
    /// Two routes would take the same request and none is more specific.
    Ambiguous {
        /// The one that came first.
        first: String,
        /// The other.
        second: String,
    },
    /// Files are bound to a route without `{*rest}`, which says what file is asked for.
    FilesWithoutRest {
        /// The route.
        route: String,
    },
}

impl fmt::Display for RoutesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RoutesError::Ambiguous { first, second } => write!(
                f,
                "routes `{first}` and `{second}` take the same requests\nhint: give one another method, host or path"
            ),
            RoutesError::FilesWithoutRest { route } => write!(
                f,
                "route `{route}` serves files but does not say which part of the path names one\nhint: end it with `{{*path}}`"
            ),
        }
    }
}

impl std::error::Error for RoutesError {}

impl Routes {
    /// Builds a table. `name` is the app's, for its page at `/`.
    ///
    /// # Errors
    /// The first two routes that tie, or a files route that can't name a file.
    pub fn build(name: impl Into<String>, home: Home, routes: Vec<Route>) -> Result<Routes, RoutesError> {
        let mut table = Routes {
            name: name.into(),
            home,
            routes: Vec::new(),
            exact: HashMap::new(),
            suffixes: Vec::new(),
            any: Node::default(),
        };
        for route in routes {
            table.add(route)?;
        }
        table.suffixes.sort_by_key(|(suffix, _)| std::cmp::Reverse(suffix.len()));
        Ok(table)
    }

    /// The routes in the order they were given.
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// The app's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether `GET /` lists the routes where none takes it.
    pub fn home(&self) -> Home {
        self.home
    }

    /// Finds the route for a request. `host` is the authority without its port, in any case.
    pub(crate) fn lookup(&self, method: &Method, host: Option<&str>, path: &str) -> Lookup {
        let Some(inner) = path.strip_prefix('/').filter(|_| is_plain(path) || is_safe(path)) else {
            return Lookup::BadPath;
        };
        let mut search = Search { method, allowed: Vec::new() };
        match self.roots(host).find_map(|root| root.find(Some(inner), &mut search)) {
            Some(route) => Lookup::Matched(route),
            None if search.allowed.is_empty() => Lookup::NotFound,
            None => Lookup::MethodNotAllowed(allow(search.allowed)),
        }
    }

    /// The trees to search, the most specific host first. Costs nothing where no route names a host.
    fn roots(&self, host: Option<&str>) -> impl Iterator<Item = &Node> {
        let named = !self.exact.is_empty() || !self.suffixes.is_empty();
        let host = host.filter(|_| named).map(str::to_ascii_lowercase);
        let exact = host.as_deref().and_then(|host| self.exact.get(host));
        let suffixes = self.suffixes.iter().filter_map(move |(suffix, node)| {
            let host = host.as_deref()?;
            (host.len() > suffix.len() && host.ends_with(&**suffix)).then_some(node)
        });
        exact.into_iter().chain(suffixes).chain(std::iter::once(&self.any))
    }

    fn add(&mut self, route: Route) -> Result<(), RoutesError> {
        let pattern = &route.pattern;
        if matches!(route.target, Target::Files(_)) && !pattern.takes_rest() {
            return Err(RoutesError::FilesWithoutRest { route: pattern.as_str().to_owned() });
        }
        let root = match &pattern.host {
            Host::Any => &mut self.any,
            Host::Exact(host) => self.exact.entry(host.clone()).or_default(),
            Host::Suffix(suffix) => suffix_root(&mut self.suffixes, suffix),
        };
        if let Err(first) = root.leaf(&pattern.segments).insert(&pattern.methods, self.routes.len()) {
            let first = self.routes.get(first).map(|route| route.pattern.as_str().to_owned()).unwrap_or_default();
            return Err(RoutesError::Ambiguous { first, second: pattern.as_str().to_owned() });
        }
        self.routes.push(route);
        Ok(())
    }
}

fn suffix_root<'a>(suffixes: &'a mut Vec<(Box<str>, Node)>, suffix: &str) -> &'a mut Node {
    let at = match suffixes.iter().position(|(known, _)| **known == *suffix) {
        Some(at) => at,
        None => {
            suffixes.push((suffix.into(), Node::default()));
            suffixes.len() - 1
        }
    };
    #[expect(clippy::indexing_slicing, reason = "`at` was found or pushed just above")]
    &mut suffixes[at].1
}

/// One place in the tree of paths.
#[derive(Default)]
struct Node {
    /// Sorted by text.
    literals: Vec<(Box<str>, Node)>,
    capture: Option<Box<Node>>,
    /// Routes that take everything from here on.
    rest: Leaf,
    /// Routes whose path ends here.
    here: Leaf,
}

/// The routes of one path.
#[derive(Default)]
struct Leaf {
    named: Vec<(Method, usize)>,
    any: Option<usize>,
}

struct Search<'a> {
    method: &'a Method,
    /// What the passed leaves take.
    allowed: Vec<Method>,
}

impl Node {
    /// The leaf of a pattern, made where it is missing. The depth is that of the pattern.
    fn leaf(&mut self, segments: &[Segment]) -> &mut Leaf {
        match segments.split_first() {
            None => &mut self.here,
            Some((Segment::Rest(_), _)) => &mut self.rest,
            Some((Segment::Capture(_), after)) => self.capture.get_or_insert_default().leaf(after),
            Some((Segment::Literal(text), after)) => {
                let at = match self.literals.binary_search_by(|(known, _)| known.cmp(text)) {
                    Ok(at) => at,
                    Err(at) => {
                        self.literals.insert(at, (text.clone(), Node::default()));
                        at
                    }
                };
                #[expect(clippy::indexing_slicing, reason = "`at` was found or inserted just above")]
                self.literals[at].1.leaf(after)
            }
        }
    }

    /// Finds the most specific route below here that takes the method. `path` is what is left, `None` past its end. Each
    /// node is visited at most once, and only as deep as patterns go.
    fn find(&self, path: Option<&str>, search: &mut Search<'_>) -> Option<usize> {
        let Some(path) = path else {
            return search.ask(&self.here).or_else(|| search.ask(&self.rest));
        };
        let (segment, after) = split(path);
        if let Some(node) = self.literal(segment)
            && let Some(route) = node.find(after, search)
        {
            return Some(route);
        }
        if let Some(node) = self.capture.as_ref().filter(|_| !segment.is_empty())
            && let Some(route) = node.find(after, search)
        {
            return Some(route);
        }
        search.ask(&self.rest)
    }

    fn literal(&self, segment: &str) -> Option<&Node> {
        if self.literals.is_empty() {
            return None;
        }
        let decoded = decode(segment)?;
        let at = self.literals.binary_search_by(|(known, _)| known.as_bytes().cmp(&decoded)).ok()?;
        self.literals.get(at).map(|(_, node)| node)
    }
}

impl Leaf {
    /// Adds a route for these methods, none meaning any. Fails with the route that has one of them already.
    fn insert(&mut self, methods: &[Method], route: usize) -> Result<(), usize> {
        if methods.is_empty() {
            return self.any.replace(route).map_or(Ok(()), Err);
        }
        match self.named.iter().find(|(method, _)| methods.contains(method)) {
            Some((_, first)) => Err(*first),
            None => {
                self.named.extend(methods.iter().map(|method| (method.clone(), route)));
                Ok(())
            }
        }
    }

    fn named(&self, method: &Method) -> Option<usize> {
        self.named.iter().find(|(named, _)| named == method).map(|(_, route)| *route)
    }
}

impl Search<'_> {
    fn ask(&mut self, leaf: &Leaf) -> Option<usize> {
        let head = || if self.method == Method::HEAD { leaf.named(&Method::GET) } else { None };
        let found = leaf.named(self.method).or_else(head).or(leaf.any);
        if found.is_none() {
            self.allowed.extend(leaf.named.iter().map(|(method, _)| method.clone()));
        }
        found
    }
}

/// Writes an `Allow` header: sorted, each once, `HEAD` with `GET`.
fn allow(mut methods: Vec<Method>) -> String {
    if methods.contains(&Method::GET) {
        methods.push(Method::HEAD);
    }
    let mut names: Vec<&str> = methods.iter().map(Method::as_str).collect();
    names.sort_unstable();
    names.dedup();
    names.join(", ")
}

/// Whether a path has nothing to decode and no segment that starts with a dot.
fn is_plain(path: &str) -> bool {
    !path.bytes().zip(path.bytes().skip(1)).any(|(one, two)| two == b'%' || (one == b'/' && two == b'.'))
}

fn is_safe(path: &str) -> bool {
    path.split('/')
        .all(|segment| decode(segment).is_some_and(|bytes| !matches!(&*bytes, b"." | b"..") && !bytes.contains(&0)))
}

#[cfg(test)]
mod tests;
