//! Many guests in one process, of which few are called: what each takes of memory, of the time to start, and until it answers.
//!
//! The guests have digests of their own and share nothing, as those of different authors would.

use std::{net::SocketAddr, thread, time::Duration};

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use serde_json::json;

use super::{
    Bound, Figure, Options, Section,
    ask::{self, Question, Started},
    deployed::App,
    median,
    peers::Peers,
    plot,
    plot::Bar,
    quantile,
    usage::{self, Rss},
};
use crate::{table::Table, workspace::Workspace};

/// A core function with one import, a memory and what it writes in it, section by section:
///
/// ```wat
/// (module
///   (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
///   (memory (export "memory") 1)
///   (func (export "handle_request") (result i32)
///     (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))
///   (data (i32.const 0) "\08\00\00\00\06\00\00\00hello\n"))
/// ```
const GUEST: &[u8] = b"\0asm\x01\0\0\0\
    \x01\x0d\x02\x60\x04\x7f\x7f\x7f\x7f\x01\x7f\x60\0\x01\x7f\
    \x02\x23\x01\x16wasi_snapshot_preview1\x08fd_write\0\0\
    \x03\x02\x01\x01\
    \x05\x03\x01\0\x01\
    \x07\x1b\x02\x06memory\x02\0\x0ehandle_request\0\x01\
    \x0a\x0e\x01\x0c\0\x41\x01\x41\0\x41\x01\x41\x10\x10\0\x0b\
    \x0b\x14\x01\0\x41\0\x0b\x0e\x08\0\0\0\x06\0\0\0hello\n";
const ANSWER: &str = "hello\n";

/// What the many are compared with: what a process has for itself is in both.
const FEW: usize = 10;

/// How many guests are asked for the first time in a round, and the seed that chooses them.
const ASKED: usize = 200;
const SEED: u64 = 0x5eed;

/// How long a process is left alone before its memory is looked at.
const IDLE: Duration = Duration::from_secs(1);

/// What is promised.
const IDLE_KIB: f64 = 64.0;
const START_S: f64 = 10.0;
const FIRST_CALL_MS: f64 = 10.0;

/// One start with all guests.
#[derive(Clone, Serialize)]
struct Round {
    start_s: f64,
    /// Processor time until the first answer.
    start_cpu_s: f64,
    idle: Rss,
    first_calls_ms: Vec<f64>,
}

pub(super) fn run(workspace: &Workspace, options: &Options) -> Result<Section> {
    ensure!(options.guests > FEW, "expected more than {FEW} guests");
    let peers = Peers::find(workspace, options)?;
    let few = deploy(&peers, FEW)?;
    let many = deploy(&peers, options.guests)?;
    many.compile(|| peers.sandbar())?;

    // The first start brings the artifacts to the page cache.
    start(&peers, &many)?;
    let (mut base, mut rounds) = (Vec::new(), Vec::new());
    for number in 1..=options.rounds {
        base.push(idle(&start(&peers, &few)?)?);
        let round = measure(&peers, &many, options.guests, SEED + number as u64)
            .with_context(|| format!("round {number} with {} guests failed", options.guests))?;
        eprintln!("density round {number}: started in {:.2} s, of CPU {:.2} s", round.start_s, round.start_cpu_s);
        rounds.push(round);
    }
    Ok(section(options.guests, &base, &rounds))
}

fn deploy(peers: &Peers, guests: usize) -> Result<App> {
    let mut app = App::new(peers.home.join(format!("density-{guests}")), "")?;
    for number in 0..guests {
        app.deploy(&name(number), GUEST)?;
    }
    app.write()?;
    Ok(app)
}

fn name(guest: usize) -> String {
    format!("g{guest}")
}

fn start(peers: &Peers, app: &App) -> Result<Started> {
    let command = |address: SocketAddr| {
        let mut command = peers.sandbar();
        command.arg("up").arg(app.folder()).args(["--listen", &address.to_string()]);
        command
    };
    ask::start(command, &question(&format!("/{}", name(0))))
}

fn question(path: &str) -> Question<'_> {
    Question { path, expected: ANSWER }
}

fn idle(started: &Started) -> Result<Rss> {
    thread::sleep(IDLE);
    Rss::of(started.server.id())
}

fn measure(peers: &Peers, app: &App, guests: usize, seed: u64) -> Result<Round> {
    let mut started = start(peers, app)?;
    let start_cpu_s = usage::cpu_ns(started.server.id())? as f64 / 1e9;
    let idle = idle(&started)?;
    let mut first_calls_ms = Vec::with_capacity(ASKED);
    // The first has answered already.
    for guest in chosen(guests - 1, ASKED, seed) {
        let took = started.client.ask(&question(&format!("/{}", name(guest + 1))))?;
        first_calls_ms.push(took.as_secs_f64() * 1e3);
    }
    Ok(Round { start_s: started.took.as_secs_f64(), start_cpu_s, idle, first_calls_ms })
}

/// Chooses some of the numbers below `count`, none of them twice.
fn chosen(count: usize, most: usize, seed: u64) -> Vec<usize> {
    let mut numbers: Vec<usize> = (0..count).collect();
    let mut state = seed.max(1);
    for place in 0..most.min(count) {
        // A xorshift generator is random enough to spread questions.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let left = (count - place) as u64;
        numbers.swap(place, place + (state % left) as usize);
    }
    numbers.truncate(most);
    numbers
}

fn section(guests: usize, base: &[Rss], rounds: &[Round]) -> Section {
    let each = |of: fn(&Rss) -> f64| {
        let grown = rounds.iter().zip(base).map(|(round, base)| of(&round.idle) - of(base));
        median(grown) / (guests - FEW) as f64 / 1024.0
    };
    let (anon, file) = (each(|rss| rss.anon_bytes), each(|rss| rss.file_bytes));
    let all = each(|rss| rss.all_bytes());
    let start = median(rounds.iter().map(|round| round.start_s));
    let start_cpu = median(rounds.iter().map(|round| round.start_cpu_s));
    let call = |share| median(rounds.iter().map(|round| quantile(&round.first_calls_ms, share)));
    let (p50, p99, slowest) = (call(0.5), call(0.99), call(1.0));

    let cells = vec![
        format!("{guests} guests"),
        format!("{start:.2} s"),
        format!("{start_cpu:.2} s"),
        format!("{anon:.1} KiB"),
        format!("{file:.1} KiB"),
        format!("{p50:.2} ms"),
        format!("{p99:.2} ms"),
        format!("{slowest:.2} ms"),
    ];
    let head = ["", "start", "CPU", "own memory each", "mapped each", "first call p50", "p99", "slowest"];
    let tables = vec![Table::new(format!("{} rounds", rounds.len()), &head, vec![cells])];
    let results = json!({
        "guests": guests,
        "base": base,
        "rounds": rounds,
        "median": { "start_s": start, "start_cpu_s": start_cpu, "anon_kib": anon, "file_kib": file, "first_call_p99_ms": p99 },
    });
    let figures = vec![
        Figure::new(format!("{guests} guests: resident each, idle"), all, " KiB", Bound::AtMost(IDLE_KIB)),
        Figure::new(format!("{guests} guests: start to first answer"), start, " s", Bound::AtMost(START_S)),
        Figure::new(format!("{guests} guests: first call, p99"), p99, " ms", Bound::AtMost(FIRST_CALL_MS)),
        Figure::new(format!("{guests} guests: first call, slowest"), slowest, " ms", Bound::AtMost(FIRST_CALL_MS)),
    ];
    let bar = |name: &str, value: f64| Bar { name: name.to_owned(), values: vec![value] };
    let bars = [bar("own memory", anon), bar("mapped files", file), bar("promised at most", IDLE_KIB)];
    let title = format!("{guests} guests, idle: what each has resident");
    let plots = vec![("density", plot::bars(&title, &["KiB"], bars))];
    Section { name: "density", results, tables, plots, figures }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chosen_are_different_and_the_same_for_a_seed() {
        let found = chosen(1_000, 200, SEED);
        let mut sorted = found.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!((sorted.len(), found.len()), (200, 200));
        assert!(sorted.iter().all(|number| *number < 1_000) && sorted.last() > Some(&800));
        assert_eq!(found, chosen(1_000, 200, SEED));
        assert_ne!(found, chosen(1_000, 200, SEED + 1));
        assert_eq!(chosen(3, 200, SEED).len(), 3);
    }

    #[test]
    fn memory_is_what_was_added_for_each_guest() {
        let rss = |kib: f64| Rss { anon_bytes: kib * 1024.0, file_bytes: 2.0 * kib * 1024.0 };
        let round = Round { start_s: 1.0, start_cpu_s: 1.0, idle: rss(1_100.0), first_calls_ms: vec![1.0, 11.0] };
        let figures = section(FEW + 100, &[rss(100.0)], &[round]).figures;
        assert_eq!(figures[0].value, 30.0);
        assert!(figures[0].holds && figures[1].holds && !figures[3].holds, "{figures:?}");
    }
}
