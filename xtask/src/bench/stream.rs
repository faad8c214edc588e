//! A long body through a guest that sends it back: how fast, and how much of it the server holds at one time.

use std::{path::PathBuf, process::Command};

use anyhow::{Context, Result};
use sandbar_testkit::process::Server;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    Bound, Figure, Options, Section,
    deployed::{self, App},
    median, median_ratio,
    peers::Peers,
    plot,
    plot::Bar,
    usage::{self, Rss},
};
use crate::{step, table::Table, workspace::Workspace};

const GUEST: &str = "guests/target/sandbar/echo-http.wasm";

/// After this much, a server has what it keeps for later.
const WARM_UP_BYTES: u64 = 1 << 20;
const BODY_BYTES: u64 = 1 << 30;

/// The bounds that Sandbar has on a body by default, lifted: this one is over them.
const SETTINGS: &str = "\
[server]
body_bytes_max = \"2GiB\"

[limits]
wall = \"none\"
cpu = \"none\"
output = \"none\"
bytes-in = \"none\"
bytes-out = \"none\"

";

/// What is promised.
const FASTER: f64 = 2.0;
const GROWN_MIB: f64 = 16.0;

/// What the streaming client says.
#[derive(Deserialize)]
struct Streamed {
    bytes_per_second: f64,
    first_byte_ns: f64,
}

/// One contestant in one round.
#[derive(Clone, Debug, Serialize)]
struct Round {
    mib_per_second: f64,
    first_byte_us: f64,
    /// Processor time of the server.
    cpu_s: f64,
    /// Its most memory while the body went through, above what it had after the warm-up.
    grown_mib: f64,
}

pub(super) fn run(workspace: &Workspace, options: &Options) -> Result<Section> {
    let peers = Peers::find(workspace, options)?;
    let guest = workspace.path(GUEST);
    let mut app = App::new(peers.home.join("stream"), SETTINGS)?;
    app.deploy("echo", &deployed::read(workspace, GUEST)?)?;
    app.write()?;
    let contestants: [(&str, &dyn Fn() -> Command); 3] = [
        ("sandbar", &|| {
            let mut command = peers.sandbar();
            command.arg("up").arg(app.folder()).args(["--listen", "127.0.0.1:0"]);
            command
        }),
        ("wasmtime serve", &|| {
            let mut command = Command::new(&peers.wasmtime);
            command.args(["serve", "-Scli", "--addr", "127.0.0.1:0"]).arg(&guest);
            command
        }),
        ("native hyper", &|| Command::new(&peers.native)),
    ];

    let mut rounds = [const { Vec::new() }; 3];
    for number in 1..=options.rounds {
        for ((name, command), rounds) in contestants.iter().zip(&mut rounds) {
            let round =
                measure(&peers.stream, command()).with_context(|| format!("`{name}` did not finish its round"))?;
            eprintln!("stream round {number}: {name:<15} {:>6.0} MiB/s", round.mib_per_second);
            rounds.push(round);
        }
    }

    let named = contestants.iter().map(|(name, _)| *name).zip(&rounds);
    let rows = named.clone().map(|(name, rounds)| row(name, rounds)).collect();
    let head = ["", "MiB/s", "first byte", "CPU", "memory grown by"];
    let tables = vec![Table::new(format!("1 GiB there and back, {} rounds", options.rounds), &head, rows)];
    let results: Vec<_> =
        named.map(|(name, rounds)| json!({ "name": name, "median": medians(rounds), "rounds": rounds })).collect();
    let [ours, theirs, _] = &rounds;
    let figures = vec![
        Figure::new(
            "1 GiB: speed, sandbar / wasmtime serve",
            median_ratio(ours, theirs, |round| round.mib_per_second),
            "",
            Bound::AtLeast(FASTER),
        ),
        Figure::new("1 GiB: memory grown by", medians(ours).grown_mib, " MiB", Bound::AtMost(GROWN_MIB)),
    ];
    let bars = contestants.iter().zip(&rounds).map(|((name, _), rounds)| {
        let Round { mib_per_second, cpu_s, .. } = medians(rounds);
        Bar { name: (*name).to_owned(), values: vec![mib_per_second, 1024.0 / cpu_s] }
    });
    let series = ["MiB a second", "MiB a second of the server's CPU"];
    let plots = vec![("stream", plot::bars("1 GiB there and back: more is better", &series, bars))];
    Ok(Section { name: "stream", results: results.into(), tables, plots, figures })
}

fn measure(stream: &PathBuf, command: Command) -> Result<Round> {
    let server = Server::start(command)?;
    send(stream, &server, WARM_UP_BYTES)?;
    let (before, cpu) = (Rss::of(server.id())?, usage::cpu_ns(server.id())?);
    usage::reset_peak_rss(server.id())?;
    let streamed = send(stream, &server, BODY_BYTES)?;
    let grown = usage::peak_rss_bytes(server.id()) as f64 - before.all_bytes();
    Ok(Round {
        mib_per_second: streamed.bytes_per_second / 1_048_576.0,
        first_byte_us: streamed.first_byte_ns / 1_000.0,
        cpu_s: usage::cpu_ns(server.id())?.saturating_sub(cpu) as f64 / 1e9,
        grown_mib: grown / 1_048_576.0,
    })
}

fn send(stream: &PathBuf, server: &Server, bytes: u64) -> Result<Streamed> {
    let mut command = Command::new(stream);
    command.args(["--json", "--url", &server.url("/echo"), "--bytes", &bytes.to_string()]);
    let said = step::output(&mut command).with_context(|| format!("the server said:\n{}", server.stderr()))?;
    Ok(serde_json::from_str(&said)?)
}

/// The median of each column, by itself.
fn medians(rounds: &[Round]) -> Round {
    let of = |column: fn(&Round) -> f64| median(rounds.iter().map(column));
    Round {
        mib_per_second: of(|round| round.mib_per_second),
        first_byte_us: of(|round| round.first_byte_us),
        cpu_s: of(|round| round.cpu_s),
        grown_mib: of(|round| round.grown_mib),
    }
}

fn row(name: &str, rounds: &[Round]) -> Vec<String> {
    let round = medians(rounds);
    vec![
        name.to_owned(),
        format!("{:.0}", round.mib_per_second),
        format!("{:.0} µs", round.first_byte_us),
        format!("{:.2} s", round.cpu_s),
        format!("{:.1} MiB", round.grown_mib),
    ]
}
