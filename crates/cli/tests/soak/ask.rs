//! What is asked, as data: a request, how its client behaves, and every way in which it may end.

use sandbar_testkit::random::Random;

/// A kind of request.
pub(crate) struct Ask {
    /// How often it is asked, beside the others.
    weight: u64,
    pub(crate) guest: &'static str,
    pub(crate) line: &'static str,
    /// Lines of its head. What tells the body's length is not among them.
    pub(crate) head: &'static [&'static str],
    pub(crate) body: Body,
    pub(crate) then: Then,
    /// The status that its client sees, 0 for none, and how the one receipt says that its call ended, or [`NONE`].
    pub(crate) ends: &'static [(u16, &'static str)],
}

/// That there is no receipt.
pub(crate) const NONE: &str = "no receipt";

/// What is sent after the head.
pub(crate) enum Body {
    Text(&'static str),
    /// So many bytes, which come back.
    Large(usize),
    /// Chunks as they are sent, with trailers or without an end.
    Chunks(&'static str),
    /// Less than was told.
    Begun(usize),
    /// Not even the end of the head.
    NoHead,
}

/// What the client does then.
pub(crate) enum Then {
    /// It reads its answer. A good one, with its trailers, holds this text.
    Reads(&'static str),
    /// It goes once this text has come: in the middle of an answer, or, without a text, at once.
    Leaves(&'static str),
}

use Body::{Begun, Chunks, Large, NoHead, Text};
use Then::{Leaves, Reads};

const DONE: &[(u16, &str)] = &[(200, "done")];
/// On a route that comes and goes.
const DONE_OR_GONE: &[(u16, &str)] = &[(200, "done"), (404, NONE)];
const DONE_OR_BUSY: &[(u16, &str)] = &[(200, "done"), (503, "refused busy")];
const TRAPPED: &[(u16, &str)] = &[(500, "trapped")];
const CANCELLED: &[(u16, &str)] = &[(0, "cancelled")];
/// The server may have read the head, or not, and the call may have ended before it knows that its client went.
const GONE: &[(u16, &str)] = &[(0, NONE), (0, "cancelled"), (0, "done"), (0, "refused busy")];
const NO_CALL: &[(u16, &str)] = &[(0, NONE)];

const P2: &[&str] = &["host: p2.test"];
const P3: &[&str] = &["host: p3.test"];
const P2_TRAILERS: &[&str] = &["host: p2.test", "te: trailers", "trailer: x-sum"];
const P3_TRAILERS: &[&str] = &["host: p3.test", "te: trailers", "trailer: x-sum"];
const BUSY: &[&str] = &["host: busy.test"];

const TRAILERS: Body = Chunks("4\r\nbody\r\n0\r\nx-sum: 42\r\n\r\n");
const HALF: Body = Chunks("6\r\nhello\n\r\n");
const USERS: Body = Text(r#"{"users":[{"name":"Ada","age":36},{"name":"Tim","age":19}]}"#);

const fn ask(guest: &'static str, line: &'static str, ends: &'static [(u16, &'static str)]) -> Ask {
    Ask { weight: 2, guest, line, head: &["host: soak.test"], body: Text(""), then: Reads(""), ends }
}

/// The guest that answers whatever else happens.
pub(crate) const HEALTHY: Ask = Ask {
    weight: 20,
    body: Text(r#"{"name":"Ada","value":21}"#),
    then: Reads(r#""processed_value":42"#),
    ..ask("healthy", "POST /healthy", DONE)
};

const ANSWERED: &[Ask] = &[
    HEALTHY,
    Ask { weight: 10, then: Reads("Hello, soak!\n"), ..ask("hello", "GET /hello/soak", DONE_OR_GONE) },
    Ask { weight: 10, then: Reads("Hello, world!\n"), ..ask("reused", "GET /reused", DONE) },
    Ask { weight: 10, body: USERS, then: Reads(r#"[{"name":"Ada","age":36}]"#), ..ask("held", "POST /users", DONE) },
    Ask { weight: 4, body: Text("[]"), ..ask("number", "POST /number", DONE_OR_GONE) },
    Ask { weight: 6, body: Text("[500]"), ..ask("slow", "POST /slow", DONE) },
    Ask { body: Text("[true]"), ..ask("slow", "POST /slow", &[(400, "refused event")]) },
    Ask { weight: 10, head: BUSY, then: Reads("slept\n"), ..ask("busy", "GET /sleep?ms=40", DONE_OR_BUSY) },
    ask("nobody", "GET /nowhere", &[(404, NONE)]),
];

const STREAMED: &[Ask] = &[
    Ask { weight: 6, head: P2, then: Reads("chunk 4\n"), ..ask("p2", "GET /stream?n=5&ms=5", DONE) },
    Ask { weight: 4, head: P2, body: Large(100_000), ..ask("p2", "POST /echo", DONE) },
    Ask { weight: 4, head: P3, body: Large(100_000), ..ask("p3", "POST /echo", DONE) },
    Ask { weight: 4, head: P3, body: Large(100_000), ..ask("p3", "POST /through", DONE) },
    Ask { head: P2_TRAILERS, body: TRAILERS, then: Reads("body42"), ..ask("p2", "POST /echo", DONE) },
    Ask { head: P3_TRAILERS, body: TRAILERS, then: Reads("body42"), ..ask("p3", "POST /echo", DONE) },
    Ask { head: P3_TRAILERS, body: TRAILERS, then: Reads("body42"), ..ask("p3", "POST /through", DONE) },
];

const BROKEN: &[Ask] = &[
    Ask { head: P2, ..ask("p2", "GET /fetch?url=http://127.0.0.1/", &[(502, "done")]) },
    Ask { head: P2, ..ask("p2", "GET /nothing", &[(500, "failed")]) },
    Ask { head: P2, ..ask("p2", "GET /panic", TRAPPED) },
    Ask { head: P3, ..ask("p3", "GET /panic", TRAPPED) },
    ask("trap", "POST /trap", TRAPPED),
    ask("recurse", "POST /recurse", TRAPPED),
    ask("memory", "POST /memory", &[(500, "failed")]),
    ask("fails", "POST /fails", &[(500, "failed 3")]),
    ask("handles", "POST /handles", &[(503, "stopped handles")]),
    ask("fuel", "POST /fuel", &[(503, "stopped fuel")]),
    Ask { weight: 1, ..ask("log", "POST /log", &[(503, "stopped log")]) },
    Ask { weight: 1, ..ask("wall", "POST /wall", &[(504, "stopped wall")]) },
    Ask { weight: 1, ..ask("cpu", "POST /cpu", &[(504, "stopped cpu")]) },
];

const LEFT: &[Ask] = &[
    Ask { head: P2, then: Leaves("chunk"), ..ask("p2", "GET /stream?n=1000&ms=20", CANCELLED) },
    Ask { head: P2, body: HALF, then: Leaves("hello"), ..ask("p2", "POST /echo", CANCELLED) },
    Ask { head: P3, body: HALF, then: Leaves("hello"), ..ask("p3", "POST /echo", CANCELLED) },
    Ask { head: P3, body: HALF, then: Leaves("hello"), ..ask("p3", "POST /through", CANCELLED) },
    // A large body is streamed to its call, which is there or not when its client has gone. A small one is awaited before.
    Ask { body: Begun(1_000_000), then: Leaves(""), ..ask("healthy", "POST /healthy", GONE) },
    Ask { body: Begun(100), then: Leaves(""), ..ask("healthy", "POST /healthy", NO_CALL) },
    Ask { body: NoHead, then: Leaves(""), ..ask("healthy", "POST /healthy", NO_CALL) },
    Ask { head: P2, then: Leaves(""), ..ask("p2", "GET /sleep?ms=30", GONE) },
    Ask { head: BUSY, then: Leaves(""), ..ask("busy", "GET /sleep?ms=40", GONE) },
    Ask { body: Text("[500]"), then: Leaves(""), ..ask("slow", "POST /slow", GONE) },
];

impl Ask {
    /// Takes one at random.
    pub(crate) fn any(random: &mut Random) -> &'static Ask {
        let all = || [ANSWERED, STREAMED, BROKEN, LEFT].into_iter().flatten();
        let mut at = random.between(0..=all().map(|ask| ask.weight).sum::<u64>() - 1);
        for ask in all() {
            match at.checked_sub(ask.weight) {
                Some(rest) => at = rest,
                None => return ask,
            }
        }
        unreachable!("it is below the sum of all weights")
    }

    /// Whether its connection may serve another request.
    pub(crate) fn keeps(&self) -> bool {
        matches!((&self.then, &self.body), (Reads(_), Text(_) | Large(_)))
    }
}
