//! The app, in one version after the other: other limits, another file of a guest, a route that comes and goes.

use crate::app::{guest, route};
use sandbar_testkit::random::Random;
use std::{
    fs,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

/// What every version has, and no reload changes. Few sandboxes, so that a few that are lost are missed; small files of
/// receipts, so that they rotate.
const HEAD: &str = r#"version = 1

[server]
workers = 2

[admin]
listen = "127.0.0.1:0"

[receipts]
path = "receipts.jsonl"
rotate_bytes = "1MiB"

[pool]
sandboxes_max = 40
wait = "30s"

"#;

/// What differs between two versions.
pub(crate) struct Version {
    /// The file of the guest that is replaced by another.
    hello: &'static str,
    /// Whether the route is there that comes and goes.
    route: bool,
    /// How long what never ends may run.
    stopped_ms: u64,
    memory_mib: u64,
    reuse: u64,
    busy_max: u64,
    /// The file of the guest that is compiled anew.
    number: &'static str,
}

/// A guest that was compiled before, and one that may never have been.
const OLD_NUMBER: &str = "number.wat";
const NEW_NUMBER: &str = "new-number.wat";

/// Files of guests that take long to compile.
pub(crate) const FILES: &[&str] = &[
    "double.wasm",
    "users.wasm",
    "kernels.wasm",
    "hello.wasm",
    "hello-p3.wasm",
    "echo-http.wasm",
    "echo-http-p3.wasm",
];

/// What no version may say, beside all that it says.
pub(crate) const BROKEN: &[&str] = &[
    "[[http]\n",
    "[srever]\n",
    "[guests.missing]\npath = \"missing.wasm\"\n",
    "[[http]]\nroute = \"POST /trap\"\nguest = \"trap\"\n",
    "[[http]]\nroute = \"/x\"\nguest = \"nobody\"\n",
    "[guests.more]\npath = \"number.wat\"\nlimits = { wall = \"soon\" }\n",
];

impl Version {
    /// The one that is served at the end of each cycle, so that what is held can be compared.
    pub(crate) fn standard() -> Version {
        Version {
            hello: "hello.wasm",
            route: true,
            stopped_ms: 50,
            memory_mib: 2,
            reuse: 20,
            busy_max: 1,
            number: OLD_NUMBER,
        }
    }

    pub(crate) fn any(random: &mut Random) -> Version {
        Version {
            hello: random.pick::<&str>(&["hello.wasm", "hello-p3.wasm"]),
            route: random.chance(50),
            stopped_ms: random.between(20..=99),
            memory_mib: random.between(1..=4),
            reuse: random.between(1..=30),
            busy_max: random.between(1..=2),
            number: OLD_NUMBER,
        }
    }

    /// With a guest that nobody has compiled yet.
    pub(crate) fn with_new_guest(folder: &Path) -> Version {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        fs::write(folder.join(NEW_NUMBER), number(since.as_nanos() as u64)).unwrap();
        Version { number: NEW_NUMBER, ..Version::standard() }
    }

    /// Writes it to the folder's manifest, and `more` after it.
    pub(crate) fn write(&self, folder: &Path, more: &str) {
        fs::write(folder.join("sandbar.toml"), format!("{HEAD}{}{more}", self.tables())).unwrap();
    }

    fn tables(&self) -> String {
        let both = |name: &str, file: &str, more: &str, pattern: &str| guest(name, file, more) + &route(pattern, name);
        let bad = |name: &str, file: &str, limits: &str| {
            both(name, &format!("hostile/{file}"), &format!("limits = {{ {limits} }}"), &format!("POST /{name}"))
        };
        let Version { hello, stopped_ms, memory_mib, reuse, busy_max, number, .. } = self;
        let mut tables = [
            both("healthy", "double.wasm", "", "POST /healthy"),
            both("reused", "hello.wasm", &format!("sandbox = {{ reuse = {reuse}, idle = \"1s\" }}"), "GET /reused"),
            both("held", "users.wasm", "sandbox = \"held\"", "POST /users"),
            both("slow", "kernels.wasm", "export = \"sha256\"", "POST /slow"),
            both("p2", "echo-http.wasm", "", "p2.test/{*path}"),
            both("p3", "echo-http-p3.wasm", "", "p3.test/{*path}"),
            both(
                "busy",
                "echo-http.wasm",
                &format!("sandboxes_max = {busy_max}\nwait = \"20ms\""),
                "busy.test/{*path}",
            ),
            both("fails", "fails.wat", "", "POST /fails"),
            bad("trap", "unreachable.wat", ""),
            bad("recurse", "recurse.wat", ""),
            bad("memory", "grow-bomb.wat", &format!("memory = \"{memory_mib}MiB\"")),
            bad("handles", "components/lots-of-handles.wat", "handles = 50"),
            bad("log", "log-flood.wat", "log = \"1KiB\""),
            bad("fuel", "spin.wat", "fuel = 100_000"),
            bad("wall", "spin.wat", &format!("wall = \"{stopped_ms}ms\"")),
            bad("cpu", "spin.wat", &format!("cpu = \"{stopped_ms}ms\"")),
            guest("hello", hello, ""),
            format!("[guests.number]\npath = \"{number}\"\n\n"),
        ]
        .concat();
        if self.route {
            tables += &(route("GET /hello/{name}", "hello") + &route("POST /number", "number"));
        }
        tables
    }
}

/// Writes the guest with a number that was compiled before.
pub(crate) fn write_number(folder: &Path) {
    fs::write(folder.join(OLD_NUMBER), number(1)).unwrap();
}

/// A guest that answers with a number of its own, and has enough code that compiling it takes a while.
fn number(seed: u64) -> String {
    let step = format!(
        "(local.set 0 (i64.xor (i64.mul (local.get 0) (i64.const {seed})) (i64.shr_u (local.get 0) (i64.const 7))))\n"
    );
    let body = step.repeat(50);
    let functions: String =
        (0..50).map(|n| format!("(func $f{n} (param i64) (result i64) {body} local.get 0)\n")).collect();
    format!("(module {functions} (func (export \"number\") (result i64) (call $f0 (i64.const {seed}))))")
}
