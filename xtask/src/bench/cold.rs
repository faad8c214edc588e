//! Firsts: the first answer of a process, the first answer of a guest, and what others feel of a guest's first compilation.

use std::{
    fs,
    net::SocketAddr,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use sandbar_testkit::process::{Server, Signal};
use serde::Serialize;
use serde_json::json;

use super::{
    Bound, Figure, Options, Section,
    ask::{self, Question, Started},
    deployed::{self, App},
    http::Load,
    median,
    peers::Peers,
    plot,
    plot::Bar,
    quantile,
};
use crate::{step, table::Table, workspace::Workspace};

const HELLO: &str = "examples/quickstart/hello.wasm";

/// A guest that takes a compiler some time.
const LARGE: &str = "guests/target/sandbar/echo-http.wasm";

/// Starts of each server, at least.
const STARTS_MIN: usize = 20;

/// Guests that are asked for the first time in a process.
const FIRSTS: usize = 20;

/// What others ask while a guest is compiled: so little that a server is mostly idle.
const RATE: usize = 500;
const CONNECTIONS: usize = 8;

/// What is promised.
const START_MS: f64 = 50.0;
const FIRST_CALL_MS: f64 = 5.0;
const DISTURBED: f64 = 2.0;

pub(super) fn run(workspace: &Workspace, options: &Options) -> Result<Section> {
    let peers = Peers::find(workspace, options)?;
    let starts = starts(workspace, &peers, options)?;
    let firsts = firsts(workspace, &peers, options)?;
    let compiling = beside_a_compiler(workspace, &peers, options)?;
    let results = json!({ "starts": starts.results, "firsts": firsts.results, "compiling": compiling.results });
    let figures = [starts.figures, firsts.figures, compiling.figures].concat();
    let tables = vec![starts.table, firsts.table, compiling.table];
    let plots = vec![("cold-start", starts.plot), ("cold-first", firsts.plot), ("cold-compiling", compiling.plot)];
    Ok(Section { name: "cold", results, tables, plots, figures })
}

/// What one of the three found.
struct Found {
    results: serde_json::Value,
    table: Table,
    plot: String,
    figures: Vec<Figure>,
}

/// From the start of a process to the first byte of its first answer, its guests compiled before.
fn starts(workspace: &Workspace, peers: &Peers, options: &Options) -> Result<Found> {
    let app = workspace.path("examples/quickstart");
    let compiled = peers.home.join("hello.cwasm");
    step::run(Command::new(&peers.wasmtime).arg("compile").arg(workspace.path(HELLO)).arg("-o").arg(&compiled))?;
    let sandbar = |address: SocketAddr| {
        let mut command = peers.sandbar();
        command.arg("up").arg(&app).args(["--listen", &address.to_string()]);
        command
    };
    let wasmtime = |address: SocketAddr| {
        let mut command = Command::new(&peers.wasmtime);
        command.args(["serve", "-Scli", "--allow-precompiled", "--addr", &address.to_string()]).arg(&compiled);
        command
    };
    let question = Question { path: "/hello/world", expected: "Hello, world!\n" };

    // The first start fills the cache, and the page cache.
    ask::start(sandbar, &question)?;
    ask::start(wasmtime, &question)?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..STARTS_MIN.max(options.rounds * 4) {
        ours.push(ms(ask::start(sandbar, &question)?.took));
        theirs.push(ms(ask::start(wasmtime, &question)?.took));
    }

    let contestants = [("sandbar up, 4 guests", &ours), ("wasmtime serve, 1 guest", &theirs)];
    let rows = contestants.map(|(name, found)| times(name, found));
    let title = format!("From the start of the process to the first answer, {} starts each", ours.len());
    let results = contestants.map(|(name, found)| json!({ "name": name, "median_ms": middle(found), "ms": found }));
    let figures = vec![Figure::new("start to first answer", middle(&ours), " ms", Bound::AtMost(START_MS))];
    let plot = plot_times("From the start of the process to the first answer", &contestants);
    Ok(Found { results: json!(results), table: Table::new(title, TIMES, rows.into()), plot, figures })
}

/// The first answer of guests that have not run in this process, one after the other, over an open connection.
fn firsts(workspace: &Workspace, peers: &Peers, options: &Options) -> Result<Found> {
    let wasm = deployed::read(workspace, HELLO)?;
    let names: Vec<String> = (0..=FIRSTS).map(|number| format!("first{number}")).collect();
    let mut app = App::new(peers.home.join("cold-firsts"), "")?;
    for name in &names {
        app.deploy(name, &wasm)?;
    }
    app.write()?;
    app.compile(|| peers.sandbar())?;

    let mut rounds = Vec::new();
    for _ in 0..options.rounds {
        let command = |address: SocketAddr| {
            let mut command = peers.sandbar();
            command.arg("up").arg(app.folder()).args(["--listen", &address.to_string()]);
            command
        };
        let question = |path| Question { path, expected: "Hello, world!\n" };
        let paths: Vec<String> = names.iter().map(|name| format!("/{name}")).collect();
        // Another guest takes what is the process's first and not the guest's.
        let (other, paths) = paths.split_first().context("there are guests")?;
        let Started { server, mut client, .. } = ask::start(command, &question(other))?;
        let asked = paths.iter().map(|path| Ok(ms(client.ask(&question(path))?)));
        let asked: Result<Vec<f64>> = asked.collect();
        rounds.push(asked.with_context(|| format!("the server said:\n{}", server.stderr()))?);
    }

    let all = rounds.concat();
    let slowest = median(rounds.iter().map(|round| quantile(round, 1.0)));
    let title = "The first call of a guest whose artifact is cached";
    let table = Table::new(title, TIMES, vec![times("sandbar", &all)]);
    let plot = plot_times(title, &[("sandbar", &all), ("promised at most", &vec![FIRST_CALL_MS])]);
    let figures = vec![
        Figure::new("first call of a guest: median", middle(&all), " ms", Bound::AtMost(FIRST_CALL_MS)),
        Figure::new(
            format!("first call of a guest: slowest of {FIRSTS}"),
            slowest,
            " ms",
            Bound::AtMost(FIRST_CALL_MS),
        ),
    ];
    let results = json!({ "median_ms": middle(&all), "slowest_ms": slowest, "rounds_ms": rounds });
    Ok(Found { results, table, plot, figures })
}

/// One round: others' latencies without and with a guest being compiled.
#[derive(Clone, Copy, Serialize)]
struct Beside {
    quiet: Latency,
    compiling: Latency,
    /// How much of the time with a compiler it worked.
    compiling_share: f64,
}

#[derive(Clone, Copy, Serialize)]
struct Latency {
    p50_us: f64,
    p99_us: f64,
    p999_us: f64,
    errors: u64,
}

/// Others are asked at a steady rate, and then again while a reload adds guests that were never compiled.
fn beside_a_compiler(workspace: &Workspace, peers: &Peers, options: &Options) -> Result<Found> {
    let (hello, large) = (deployed::read(workspace, HELLO)?, deployed::read(workspace, LARGE)?);
    let home = peers.home.join("cold-compiling");
    // What was ever compiled is forgotten.
    drop(fs::remove_dir_all(&home));
    let sandbar = || {
        let mut command = peers.sandbar();
        command.env("XDG_CACHE_HOME", home.join("cache"));
        command
    };

    let mut probe = App::new(home.join("probe"), "")?;
    probe.deploy("probe", &large)?;
    let start = Instant::now();
    probe.compile(sandbar)?;
    // As many as keep a compiler busy all the time, on a day when it is fast.
    let guests = (2.0 * options.seconds / start.elapsed().as_secs_f64()).ceil().max(1.0) as usize + 1;

    let mut rounds = Vec::new();
    for number in 1..=options.rounds {
        let mut app = App::new(home.join(format!("round{number}")), "")?;
        app.deploy("other", &hello)?;
        app.write()?;
        let mut command = sandbar();
        command.arg("up").arg(app.folder()).args(["--listen", "127.0.0.1:0"]);
        let server = Server::start(command)?;
        ask_others(peers, &server, options.seconds.min(1.0))?;
        let quiet = ask_others(peers, &server, options.seconds)?;
        for guest in 0..guests {
            app.deploy(&format!("added{number}-{guest}"), &large)?;
        }
        app.write()?;
        let (compiling, compiling_share) = ask_beside_reload(peers, &server, options.seconds)?;
        let round = Beside { quiet, compiling, compiling_share };
        eprintln!(
            "compiling round {number}: p99 {:.0} µs, quiet {:.0} µs ({:.0} % of the time compiling)",
            round.compiling.p99_us,
            round.quiet.p99_us,
            100.0 * round.compiling_share,
        );
        rounds.push(round);
    }

    let of = |pick: fn(&Beside) -> Latency| rounds.iter().map(pick).collect::<Vec<_>>();
    let found = [("quiet", of(|round| round.quiet)), ("compiling", of(|round| round.compiling))];
    let rows = found.iter().map(|(name, rounds)| latencies(name, rounds)).collect();
    let bars = found.iter().map(|(name, rounds)| {
        let column = |column: fn(&Latency) -> f64| median(rounds.iter().map(column));
        let values = vec![column(|round| round.p50_us), column(|round| round.p99_us), column(|round| round.p999_us)];
        Bar { name: (*name).to_owned(), values }
    });
    let series = ["p50, µs", "p99, µs", "p99.9, µs"];
    let plot = plot::bars("Another guest's requests, while guests are compiled and not", &series, bars);
    let title = format!("Another guest at {RATE} requests a second, while {guests} guests are compiled");
    let table = Table::new(title, &["", "p50", "p99", "p99.9", "errors"], rows);
    let ratio = median(rounds.iter().map(|round| round.compiling.p99_us / round.quiet.p99_us));
    let figures = vec![Figure::new("p99 beside a compiler / without", ratio, "", Bound::AtMost(DISTURBED))];
    let results = json!({ "rate": RATE, "connections": CONNECTIONS, "ratio": ratio, "rounds": rounds });
    Ok(Found { results, table, plot, figures })
}

/// Has the server read its app again, and asks meanwhile. Gives the latencies, and how much of the time the reload took.
fn ask_beside_reload(peers: &Peers, server: &Server, seconds: f64) -> Result<(Latency, f64)> {
    const RELOADED: &str = "the new version serves";
    const RELOAD_MAX: Duration = Duration::from_secs(120);
    server.signal(Signal::HUP)?;
    let start = Instant::now();
    std::thread::scope(|scope| {
        let reload = scope.spawn(|| server.wait_for(RELOADED, RELOAD_MAX).map(|()| start.elapsed()));
        let latency = ask_others(peers, server, seconds)?;
        let reload = reload.join().ok().context("waiting for the reload panicked")??;
        Ok((latency, (reload.as_secs_f64() / seconds).min(1.0)))
    })
}

fn ask_others(peers: &Peers, server: &Server, seconds: f64) -> Result<Latency> {
    let mut command = Command::new(&peers.load);
    command.args(["--json", "--url", &server.url("/other"), "--expect", "Hello, world!\n"]);
    command.args(["--rate", &RATE.to_string(), "--connections", &CONNECTIONS.to_string()]);
    command.args(["--seconds", &seconds.to_string()]);
    let said = step::output(&mut command).with_context(|| format!("the server said:\n{}", server.stderr()))?;
    let load: Load = serde_json::from_str(&said)?;
    ensure!(load.requests > 0, "no answer in {seconds} s");
    let us = |ns: f64| ns / 1_000.0;
    Ok(Latency { p50_us: us(load.p50_ns), p99_us: us(load.p99_ns), p999_us: us(load.p999_ns), errors: load.errors })
}

const TIMES: &[&str] = &["", "median", "p90", "slowest"];

fn times(name: &str, found: &[f64]) -> Vec<String> {
    let shown = |share| format!("{:.2} ms", quantile(found, share));
    vec![name.to_owned(), format!("{:.2} ms", middle(found)), shown(0.9), shown(1.0)]
}

fn plot_times(title: &str, contestants: &[(&str, &Vec<f64>)]) -> String {
    let bars = contestants.iter().map(|(name, found)| {
        let values = vec![middle(found), quantile(found, 0.9), quantile(found, 1.0)];
        Bar { name: (*name).to_owned(), values }
    });
    plot::bars(title, &["median, ms", "p90", "slowest"], bars)
}

fn latencies(name: &str, rounds: &[Latency]) -> Vec<String> {
    let shown = |column: fn(&Latency) -> f64| format!("{:.0} µs", median(rounds.iter().map(column)));
    let errors: u64 = rounds.iter().map(|round| round.errors).sum();
    vec![
        name.to_owned(),
        shown(|round| round.p50_us),
        shown(|round| round.p99_us),
        shown(|round| round.p999_us),
        errors.to_string(),
    ]
}

fn middle(found: &[f64]) -> f64 {
    median(found.iter().copied())
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
