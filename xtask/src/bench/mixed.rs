//! Sixteen guests with short and long calls in one process: what each feels of the others, and of one that only burns
//! processor time.
//!
//! Each is asked at a fixed rate at which all take the same part of the processor, so that none is the noisy one and
//! nothing but their calls' length tells them apart. Equal rates were refused: the longest calls would be nearly all of the
//! load.

use std::{process::Command, time::Instant};

use anyhow::{Context, Result, ensure};
use sandbar_testkit::process::Server;
use serde::Serialize;
use serde_json::json;

use super::{
    Bound, Figure, Options, Section, burner,
    deployed::{self, App, Keys},
    http::Load,
    median,
    peers::Peers,
    plot,
    plot::Bar,
    quantile, usage,
};
use crate::{step, table::Table, workspace::Workspace};

/// A guest and what it is asked.
struct Guest {
    name: &'static str,
    file: &'static str,
    export: Option<&'static str>,
    body: Option<&'static str>,
}

const fn kernel(name: &'static str, size: &'static str) -> Guest {
    Guest { name, file: "guests/target/sandbar/kernels.wasm", export: Some(name), body: Some(size) }
}

/// From the shortest call to the longest: 10 µs to 20 ms of the guest's own.
const GUESTS: &[Guest] = &[
    Guest { name: "hello", file: "examples/quickstart/hello.wasm", export: None, body: None },
    Guest {
        name: "double",
        file: "examples/quickstart/double.wasm",
        export: None,
        body: Some(r#"{"name": "Ada", "value": 21}"#),
    },
    Guest {
        name: "users",
        file: "examples/quickstart/users.wasm",
        export: Some("transform_data"),
        body: Some(r#"{"users": [{"name": "Ada", "age": 36}, {"name": "Tim", "age": 19}]}"#),
    },
    Guest { name: "echo", file: "guests/target/sandbar/echo-http.wasm", export: None, body: Some("back it comes") },
    kernel("nbody", "[100]"),
    kernel("sieve", "[10000]"),
    kernel("sha256", "[20]"),
    kernel("sort", "[4000]"),
    kernel("mandelbrot", "[10]"),
    kernel("xxh64", "[100]"),
    kernel("json", "[4]"),
    kernel("blur", "[1]"),
    kernel("matmul", "[2]"),
    kernel("lz4", "[8]"),
    kernel("regex", "[4500]"),
    kernel("words", "[400000]"),
];

/// What all guests together ask for, as a part of all cores: their own processor time and the load generator's.
const LOAD: f64 = 0.6;

const CONNECTIONS: usize = 16;

/// So many answers at least, for 99 of 100 to mean something.
const ANSWERS_MIN: f64 = 100.0;

/// How long a guest is asked before it is measured, and how long until it is known what a request takes.
const WARM_UP_S: f64 = 0.2;
const COST_S: f64 = 1.0;

/// What is promised.
const P99_OF_ALONE: f64 = 3.0;
const FAIR_SHARE: f64 = 0.8;

/// A guest at its rate.
struct Asked {
    guest: &'static Guest,
    /// Processor time of one request.
    cost_s: f64,
    rate: f64,
}

impl Asked {
    /// How long to ask it.
    fn seconds(&self, options: &Options) -> f64 {
        options.seconds.max(ANSWERS_MIN / self.rate)
    }
}

/// One round, with what each guest's clients found in their order.
#[derive(Serialize)]
struct Round {
    alone: Vec<Found>,
    together: Vec<Found>,
    beside_burner: Vec<Found>,
    /// How much of all cores was used, by server and clients.
    together_busy: f64,
    beside_burner_busy: f64,
}

/// What a guest's clients found.
#[derive(Clone, Copy, Debug, Serialize)]
struct Found {
    p99_us: f64,
    requests_per_second: f64,
    errors: u64,
}

impl Found {
    /// A request that fails counts as one that never ends.
    fn of(load: &Load) -> Found {
        if let Some(error) = &load.first_error {
            eprintln!("note: {} errors, the first: {error}", load.errors);
        }
        let failed = load.errors as f64 / (load.requests + load.errors) as f64;
        let p99_us = if failed > 0.01 { f64::INFINITY } else { load.p99_ns / 1_000.0 };
        Found { p99_us, requests_per_second: load.requests_per_second, errors: load.errors }
    }
}

pub(super) fn run(workspace: &Workspace, options: &Options) -> Result<Section> {
    let peers = Peers::find(workspace, options)?;
    let app = deploy(workspace, &peers)?;
    app.compile(|| peers.sandbar())?;
    let asked = rates(&peers, &app)?;
    let mut rounds = Vec::new();
    for number in 1..=options.rounds {
        let round = measure(&peers, &app, &asked, options).with_context(|| format!("round {number} failed"))?;
        eprintln!(
            "mixed round {number}: cores busy {:.0} % together, {:.0} % beside the burner",
            100.0 * round.together_busy,
            100.0 * round.beside_burner_busy,
        );
        rounds.push(round);
    }
    Ok(section(&asked, &rounds))
}

fn deploy(workspace: &Workspace, peers: &Peers) -> Result<App> {
    let mut app = App::new(peers.home.join("mixed"), "")?;
    for Guest { name, file, export, .. } in GUESTS {
        let route = export.map(|export| format!("export = \"{export}\"")).unwrap_or_default();
        app.deploy_with(name, &deployed::read(workspace, file)?, Keys { guest: "", route: &route })?;
    }
    burner::deploy(&mut app)?;
    app.write()?;
    Ok(app)
}

fn start(peers: &Peers, app: &App) -> Result<Server> {
    let mut command = peers.sandbar();
    command.arg("up").arg(app.folder()).args(["--listen", "127.0.0.1:0"]);
    let server = Server::start(command)?;
    for guest in GUESTS {
        ask_one(peers, &server, guest, WARM_UP_S)?;
    }
    Ok(server)
}

/// Gives each guest the rate at which it takes its part of the load.
fn rates(peers: &Peers, app: &App) -> Result<Vec<Asked>> {
    let server = start(peers, app)?;
    let part_s = LOAD * usage::cores() as f64 / GUESTS.len() as f64;
    let rate = |guest| {
        let cpu = usage::cpu_ns(server.id())?;
        let load = ask_one(peers, &server, guest, COST_S)?;
        let cpu = usage::cpu_ns(server.id())?.saturating_sub(cpu) as f64 + load.client_cpu_ns;
        let cost_s = cpu / 1e9 / load.requests as f64;
        Ok(Asked { guest, cost_s, rate: part_s / cost_s })
    };
    GUESTS.iter().map(rate).collect()
}

fn measure(peers: &Peers, app: &App, asked: &[Asked], options: &Options) -> Result<Round> {
    let server = start(peers, app)?;
    let mut alone = Vec::new();
    for asked in asked {
        let load = ask(peers, &server, std::slice::from_ref(asked), asked.seconds(options))?;
        alone.extend(load.iter().map(Found::of));
    }
    let seconds = asked.iter().map(|asked| asked.seconds(options)).fold(0.0, f64::max);
    let all = || ask_busy(peers, &server, asked, seconds);
    let (together, together_busy) = all()?;
    let (beside_burner, beside_burner_busy) = burner::beside(&server, all)?;
    Ok(Round { alone, together, beside_burner, together_busy, beside_burner_busy })
}

/// Asks all of them, and tells how much of all cores that took.
fn ask_busy(peers: &Peers, server: &Server, asked: &[Asked], seconds: f64) -> Result<(Vec<Found>, f64)> {
    let (start, cpu) = (Instant::now(), usage::cpu_ns(server.id())?);
    let loads = ask(peers, server, asked, seconds)?;
    let cpu = usage::cpu_ns(server.id())?.saturating_sub(cpu) as f64;
    // The load generator tells its own time with each of them.
    let client = loads.first().map_or(0.0, |load| load.client_cpu_ns);
    let busy = (cpu + client) / 1e9 / start.elapsed().as_secs_f64() / usage::cores() as f64;
    Ok((loads.iter().map(Found::of).collect(), busy))
}

/// Asks one guest over one connection, as fast as it answers.
fn ask_one(peers: &Peers, server: &Server, guest: &Guest, seconds: f64) -> Result<Load> {
    let mut command = Command::new(&peers.load);
    command.args(["--json", "--seconds", &seconds.to_string(), "--connections", "1"]).args(words(server, guest));
    let load: Load = serde_json::from_str(&said(&mut command, server)?)?;
    ensure!(load.requests > 0, "`{}` did not answer in {seconds} s", guest.name);
    Ok(load)
}

/// Asks guests at one time, each at its rate.
fn ask(peers: &Peers, server: &Server, asked: &[Asked], seconds: f64) -> Result<Vec<Load>> {
    let mut command = Command::new(&peers.load);
    command.args(["--json", "--seconds", &seconds.to_string(), "--connections", &CONNECTIONS.to_string()]);
    for Asked { guest, rate, .. } in asked {
        command.args(words(server, guest)).args(["--rate", &rate.to_string()]);
    }
    let said = said(&mut command, server)?;
    Ok(match asked {
        [_] => vec![serde_json::from_str(&said)?],
        _ => serde_json::from_str(&said)?,
    })
}

/// What the load generator is told of a guest.
fn words(server: &Server, guest: &Guest) -> Vec<String> {
    let mut words = vec!["--url".to_owned(), server.url(&format!("/{}", guest.name))];
    words.extend(guest.body.iter().flat_map(|body| ["--body", body]).map(str::to_owned));
    words
}

fn said(command: &mut Command, server: &Server) -> Result<String> {
    step::output(command).with_context(|| format!("the server said:\n{}", server.stderr()))
}

/// A guest's medians over the rounds.
#[derive(Serialize)]
struct Summary {
    name: &'static str,
    cost_us: f64,
    rate: f64,
    p99_alone_us: f64,
    p99_together_us: f64,
    p99_together_of_alone: f64,
    p99_beside_burner_us: f64,
    of_fair_share: f64,
    errors: u64,
}

fn summary(index: usize, asked: &Asked, rounds: &[Round]) -> Summary {
    // There is one of each for each guest.
    let of = |column: fn(&Round) -> &Vec<Found>| {
        rounds.iter().filter_map(|round| column(round).get(index).copied()).collect::<Vec<Found>>()
    };
    let (alone, together, beside) =
        (of(|round| &round.alone), of(|round| &round.together), of(|round| &round.beside_burner));
    let p99 = |found: &[Found]| median(found.iter().map(|found| found.p99_us));
    Summary {
        name: asked.guest.name,
        cost_us: asked.cost_s * 1e6,
        rate: asked.rate,
        p99_alone_us: p99(&alone),
        p99_together_us: p99(&together),
        p99_together_of_alone: median(together.iter().zip(&alone).map(|(together, alone)| ratio(together, alone))),
        p99_beside_burner_us: p99(&beside),
        of_fair_share: median(beside.iter().map(|found| found.requests_per_second)) / asked.rate,
        errors: [alone, together, beside].iter().flatten().map(|found| found.errors).sum(),
    }
}

/// A guest that does not answer among others is no better for not answering alone.
fn ratio(together: &Found, alone: &Found) -> f64 {
    if alone.p99_us.is_finite() { together.p99_us / alone.p99_us } else { f64::INFINITY }
}

fn section(asked: &[Asked], rounds: &[Round]) -> Section {
    let guests: Vec<Summary> = asked.iter().enumerate().map(|(index, asked)| summary(index, asked, rounds)).collect();
    let ratios: Vec<f64> = guests.iter().map(|guest| guest.p99_together_of_alone).collect();
    let shares: Vec<f64> = guests.iter().map(|guest| guest.of_fair_share).collect();
    let figures = vec![
        Figure::new(
            "16 guests: highest p99, together / alone",
            quantile(&ratios, 1.0),
            "",
            Bound::AtMost(P99_OF_ALONE),
        ),
        Figure::new(
            "beside a burner: lowest part of a fair share",
            quantile(&shares, 0.0),
            "",
            Bound::AtLeast(FAIR_SHARE),
        ),
    ];

    let busy = |column: fn(&Round) -> f64| 100.0 * median(rounds.iter().map(column));
    let title = format!(
        "Each at {:.2} % of the cores, {} rounds; the cores were busy for {:.0} % together, {:.0} % beside the burner",
        100.0 * LOAD / GUESTS.len() as f64,
        rounds.len(),
        busy(|round| round.together_busy),
        busy(|round| round.beside_burner_busy),
    );
    let head = [
        "",
        "CPU",
        "requests/s",
        "p99 alone",
        "together",
        "together / alone",
        "beside a burner",
        "of its fair share",
        "errors",
    ];
    let table = Table::new(title, &head, guests.iter().map(row).collect());

    let bars = |value: fn(&Summary) -> f64| {
        guests.iter().map(move |guest| Bar { name: guest.name.to_owned(), values: vec![value(guest)] })
    };
    let plots = vec![
        ("mixed", plot::bars("p99 together / alone", &["times"], bars(|guest| guest.p99_together_of_alone))),
        (
            "mixed-burner",
            plot::bars("Answers a second beside a burner", &["of its fair share"], bars(|guest| guest.of_fair_share)),
        ),
    ];
    let results = json!({ "load": LOAD, "connections": CONNECTIONS, "guests": guests, "rounds": rounds });
    Section { name: "mixed", results, tables: vec![table], plots, figures }
}

fn row(guest: &Summary) -> Vec<String> {
    vec![
        guest.name.to_owned(),
        time(guest.cost_us),
        format!("{:.1}", guest.rate),
        time(guest.p99_alone_us),
        time(guest.p99_together_us),
        format!("{:.2}", guest.p99_together_of_alone),
        time(guest.p99_beside_burner_us),
        format!("{:.2}", guest.of_fair_share),
        guest.errors.to_string(),
    ]
}

/// In the unit that suits it.
fn time(us: f64) -> String {
    match us {
        _ if us.is_infinite() => "never".to_owned(),
        _ if us < 10_000.0 => format!("{us:.0} µs"),
        _ => format!("{:.1} ms", us / 1_000.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(p99_us: f64, requests_per_second: f64) -> Vec<Found> {
        vec![Found { p99_us, requests_per_second, errors: 0 }]
    }

    #[test]
    fn a_guest_asks_for_less_than_an_equal_part_beside_the_burner() {
        // So its fair share is all that it asks for.
        assert_eq!(GUESTS.len(), 16);
        assert!(LOAD / GUESTS.len() as f64 <= 1.0 / (GUESTS.len() + 1) as f64);
    }

    #[test]
    fn the_worst_round_is_not_what_counts_and_the_worst_guest_is() {
        let asked: Vec<Asked> = GUESTS.iter().take(1).map(|guest| Asked { guest, cost_s: 1e-4, rate: 100.0 }).collect();
        let round = |together, beside| Round {
            alone: found(100.0, 100.0),
            together: found(together, 100.0),
            beside_burner: found(500.0, beside),
            together_busy: 0.6,
            beside_burner_busy: 1.0,
        };
        let section = section(&asked, &[round(200.0, 90.0), round(900.0, 70.0), round(250.0, 95.0)]);
        let values: Vec<f64> = section.figures.iter().map(|figure| figure.value).collect();
        assert_eq!(values, [2.5, 0.9]);
        assert!(section.figures.iter().all(|figure| figure.holds));
    }

    #[test]
    fn failures_are_not_fast() {
        let load = |errors| Load { requests: 100, errors, p99_ns: 5_000.0, ..Load::default() };
        assert_eq!(Found::of(&load(1)).p99_us, 5.0);
        let never = Found::of(&load(2));
        assert_eq!(time(never.p99_us), "never");
        assert!(ratio(&never, &never).is_infinite());
    }
}
