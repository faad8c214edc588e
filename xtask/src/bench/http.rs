//! Requests over HTTP: how many, how fast, and what each costs the server.
//!
//! One server lives at a time: it is started, warmed up, measured and ended, then the next one, then the next round.

use std::{fs, path::Path, process::Command, time::Duration};

use anyhow::{Context, Result, ensure};
use sandbar_testkit::process::Server;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Bound, Figure, Options, Section, median, median_ratio, peers::Peers, plot, plot::Bar, usage};
use crate::{step, table::Table, workspace::Workspace};

const CONNECTIONS: usize = 32;

/// How long a server is asked before it is measured.
const WARM_UP: Duration = Duration::from_millis(700);

/// One request, who answers it, and what is promised.
struct Race {
    name: &'static str,
    path: &'static str,
    body: Option<&'static str>,
    expected: &'static str,
    contestants: &'static [Contestant],
    promises: &'static [Promise],
}

/// What one contestant's figure is to be of another's.
struct Promise {
    of: (&'static str, &'static str),
    figure: &'static str,
    column: fn(&Round) -> f64,
    bound: Bound,
}

/// So many times another's requests a second.
const fn rate(ours: &'static str, theirs: &'static str, at_least: f64) -> Promise {
    Promise {
        of: (ours, theirs),
        figure: "requests/s",
        column: |round| round.requests_per_second,
        bound: Bound::AtLeast(at_least),
    }
}

/// The time that 99 of 100 requests take, at most twice as long as natively.
const P99: Promise =
    Promise { of: ("sandbar", "native hyper"), figure: "p99", column: |round| round.p99_us, bound: Bound::AtMost(2.0) };

struct Contestant {
    name: &'static str,
    command: fn(&Workspace, &Peers) -> Command,
}

const SANDBAR: Contestant = Contestant { name: "sandbar", command: |_, peers| up(peers, "fresh") };
const REUSED: Contestant = Contestant { name: "sandbar reused", command: |_, peers| up(peers, "reused") };
const FUEL: Contestant = Contestant { name: "sandbar with fuel", command: |_, peers| up(peers, "fuel") };
const WASMTIME: Contestant = Contestant { name: "wasmtime serve", command: wasmtime_serve };
const NATIVE: Contestant = Contestant { name: "native hyper", command: native };

const RACES: &[Race] = &[
    Race {
        name: "hello",
        path: "/hello/world",
        body: None,
        expected: "Hello, world!\n",
        contestants: &[SANDBAR, REUSED, FUEL, WASMTIME, NATIVE],
        promises: &[
            rate("sandbar", "wasmtime serve", 8.0),
            rate("sandbar", "native hyper", 0.65),
            rate("sandbar", "sandbar reused", 0.85),
            P99,
        ],
    },
    Race {
        name: "double",
        path: "/double",
        body: Some(r#"{"name": "Ada", "value": 21}"#),
        expected: r#"{"message":"Hello, Ada. Your value was doubled!","processed_value":42}"#,
        contestants: &[SANDBAR, REUSED, FUEL, NATIVE],
        promises: &[rate("sandbar", "native hyper", 0.75), rate("sandbar", "sandbar reused", 0.85), P99],
    },
];

/// Apps with the two guests, and what each guest of theirs is bound to.
const APPS: &[(&str, &str)] = &[
    ("fresh", ""),
    ("reused", "sandbox = { reuse = 1000000000, idle = \"60s\" }"),
    ("fuel", "limits = { fuel = 1000000000 }"),
];

/// Writes the apps' manifests.
fn write_apps(workspace: &Workspace, peers: &Peers) -> Result<()> {
    for (app, bound) in APPS {
        let guest = |name: &str| {
            let file = workspace.path("examples/quickstart").join(name).with_extension("wasm");
            format!("[guests.{name}]\npath = {:?}\n{bound}\n\n", file.display().to_string())
        };
        let routes = "[[http]]\nroute = \"POST /double\"\nguest = \"double\"\n\n\
                      [[http]]\nroute = \"/hello/{*rest}\"\nguest = \"hello\"\n";
        let manifest = format!("version = 1\nname = \"bench\"\n\n{}{}{routes}", guest("double"), guest("hello"));
        let folder = peers.home.join("apps").join(app);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("sandbar.toml"), manifest)?;
    }
    Ok(())
}

fn up(peers: &Peers, app: &str) -> Command {
    let mut command = peers.sandbar();
    command.arg("up").arg(peers.home.join("apps").join(app)).args(["--listen", "127.0.0.1:0"]);
    command
}

/// As a careful user calls it: its defaults, and `-Scli` because a guest from rustc imports stdio and the environment.
fn wasmtime_serve(workspace: &Workspace, peers: &Peers) -> Command {
    let mut command = Command::new(&peers.wasmtime);
    command.args(["serve", "-Scli", "--addr", "127.0.0.1:0"]).arg(workspace.path("examples/quickstart/hello.wasm"));
    command
}

fn native(_: &Workspace, peers: &Peers) -> Command {
    Command::new(&peers.native)
}

/// What the load generator says.
#[derive(Default, Deserialize)]
pub(super) struct Load {
    pub(super) requests: u64,
    pub(super) errors: u64,
    pub(super) first_error: Option<String>,
    pub(super) requests_per_second: f64,
    pub(super) p50_ns: f64,
    pub(super) p99_ns: f64,
    pub(super) p999_ns: f64,
    pub(super) client_cpu_ns: f64,
}

/// One contestant in one round.
#[derive(Clone, Debug, Serialize)]
struct Round {
    requests_per_second: f64,
    p50_us: f64,
    p99_us: f64,
    p999_us: f64,
    cpu_us_per_request: f64,
    client_cpu_us_per_request: f64,
    peak_rss_bytes: f64,
    errors: u64,
}

pub(super) fn run(workspace: &Workspace, options: &Options) -> Result<Section> {
    let peers = Peers::find(workspace, options)?;
    write_apps(workspace, &peers)?;
    let (mut results, mut figures, mut tables, mut plots) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for race in RACES {
        let rounds = run_race(workspace, &peers, race, options)?;
        tables.push(table(race, &rounds));
        plots.push((race.name, plot(race, &rounds)));
        figures.extend(promises(race, &rounds));
        results.push(report(race, &rounds));
    }
    Ok(Section { name: "http", results: results.into(), tables, plots, figures })
}

/// Gives the rounds of each contestant, in their order.
fn run_race(workspace: &Workspace, peers: &Peers, race: &Race, options: &Options) -> Result<Vec<Vec<Round>>> {
    let mut rounds = vec![Vec::new(); race.contestants.len()];
    for number in 1..=options.rounds {
        for (contestant, rounds) in race.contestants.iter().zip(&mut rounds) {
            let command = (contestant.command)(workspace, peers);
            let round = measure(&peers.load, command, race, options.seconds)
                .with_context(|| format!("`{}` did not finish its round", contestant.name))?;
            eprintln!(
                "{} round {number}: {:<15} {:>7.0}/s, p99 {:.0} µs",
                race.name, contestant.name, round.requests_per_second, round.p99_us
            );
            rounds.push(round);
        }
    }
    Ok(rounds)
}

fn measure(load: &Path, command: Command, race: &Race, seconds: f64) -> Result<Round> {
    let server = Server::start(command)?;
    ask(load, &server, race, WARM_UP.as_secs_f64())?;
    let before = usage::cpu_ns(server.id())?;
    let load = ask(load, &server, race, seconds)?;
    let cpu_ns = usage::cpu_ns(server.id())?.saturating_sub(before);
    ensure!(load.requests > 0, "no answer in {seconds} s");
    if let Some(error) = &load.first_error {
        eprintln!("note: {} errors, the first: {error}", load.errors);
    }
    let per_request = |ns: f64| ns / 1_000.0 / load.requests as f64;
    Ok(Round {
        requests_per_second: load.requests_per_second,
        p50_us: load.p50_ns / 1_000.0,
        p99_us: load.p99_ns / 1_000.0,
        p999_us: load.p999_ns / 1_000.0,
        cpu_us_per_request: per_request(cpu_ns as f64),
        client_cpu_us_per_request: per_request(load.client_cpu_ns),
        peak_rss_bytes: usage::peak_rss_bytes(server.id()) as f64,
        errors: load.errors,
    })
}

fn ask(load: &Path, server: &Server, race: &Race, seconds: f64) -> Result<Load> {
    let mut command = Command::new(load);
    command.args(["--json", "--url", &server.url(race.path), "--expect", race.expected]);
    command.arg("--connections").arg(CONNECTIONS.to_string()).arg("--seconds").arg(seconds.to_string());
    command.args(race.body.iter().flat_map(|body| ["--body", body]));
    let said = step::output(&mut command).with_context(|| format!("the server said:\n{}", server.stderr()))?;
    Ok(serde_json::from_str(&said)?)
}

fn promises(race: &Race, rounds: &[Vec<Round>]) -> Vec<Figure> {
    let of = |name: &str| race.contestants.iter().position(|contestant| contestant.name == name);
    let found = |name: &str| of(name).and_then(|index| rounds.get(index)).map_or(&[][..], Vec::as_slice);
    let promise = |promise: &Promise| {
        let (ours, theirs) = promise.of;
        let ratio = median_ratio(found(ours), found(theirs), promise.column);
        Figure::new(format!("{}: {}, {ours} / {theirs}", race.name, promise.figure), ratio, "", promise.bound)
    };
    race.promises.iter().map(promise).collect()
}

/// The median of each column, by itself.
fn medians(rounds: &[Round]) -> Round {
    let of = |column: fn(&Round) -> f64| median(rounds.iter().map(column));
    Round {
        requests_per_second: of(|round| round.requests_per_second),
        p50_us: of(|round| round.p50_us),
        p99_us: of(|round| round.p99_us),
        p999_us: of(|round| round.p999_us),
        cpu_us_per_request: of(|round| round.cpu_us_per_request),
        client_cpu_us_per_request: of(|round| round.client_cpu_us_per_request),
        peak_rss_bytes: of(|round| round.peak_rss_bytes),
        errors: rounds.iter().map(|round| round.errors).sum(),
    }
}

fn report(race: &Race, rounds: &[Vec<Round>]) -> serde_json::Value {
    let contestants = race.contestants.iter().zip(rounds);
    let contestants: Vec<_> = contestants
        .map(|(contestant, rounds)| json!({ "name": contestant.name, "median": medians(rounds), "rounds": rounds }))
        .collect();
    json!({ "name": race.name, "path": race.path, "connections": CONNECTIONS, "contestants": contestants })
}

fn plot(race: &Race, rounds: &[Vec<Round>]) -> String {
    let bars = race.contestants.iter().zip(rounds).map(|(contestant, rounds)| {
        let round = medians(rounds);
        Bar { name: contestant.name.to_owned(), values: vec![round.cpu_us_per_request, round.p99_us / 100.0] }
    });
    let title = format!("{}: what a request costs the server, and its tail", race.name);
    plot::bars(&title, &["CPU, µs", "p99, 100 µs"], bars)
}

fn table(race: &Race, rounds: &[Vec<Round>]) -> Table {
    let rows = race.contestants.iter().zip(rounds).map(|(contestant, rounds)| {
        let round = medians(rounds);
        vec![
            contestant.name.to_owned(),
            format!("{:.0}", round.requests_per_second),
            format!("{:.0} µs", round.p50_us),
            format!("{:.0} µs", round.p99_us),
            format!("{:.0} µs", round.p999_us),
            format!("{:.1} µs", round.cpu_us_per_request),
            format!("{:.1} µs", round.client_cpu_us_per_request),
            format!("{:.1} MiB", round.peak_rss_bytes / 1_048_576.0),
            round.errors.to_string(),
        ]
    });
    let head = ["", "requests/s", "p50", "p99", "p99.9", "CPU", "client CPU", "peak RSS", "errors"];
    let title = format!("`{}`, {} rounds, {CONNECTIONS} connections", race.path, rounds.first().map_or(0, Vec::len));
    Table::new(title, &head, rows.collect())
}
