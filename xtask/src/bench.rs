//! The figures that Sandbar promises, measured against peers in the same run on the same machine.
//!
//! A number of requests a second says more about a machine than about a program, so what is promised is ratios. Contestants
//! alternate round by round, each round gives one ratio, and the median of the ratios counts: a machine that slows down
//! for a while slows all of them.

mod ask;
mod burner;
mod cli;
mod cold;
mod density;
mod deployed;
mod extism;
mod http;
mod inproc;
mod instructions;
mod kernels;
mod measures;
mod mixed;
mod page;
mod peers;
mod plot;
mod plugin;
mod stream;
mod usage;

use std::{fs, io::Write, path::PathBuf};

use anyhow::{Context, Result, bail, ensure};
use lexopt::{Arg, ValueExt};
use serde::Serialize;
use serde_json::json;

use crate::{table::Table, workspace::Workspace};

pub(crate) const HELP: &str = "\
Usage: cargo xtask bench [http|inproc|plugin|kernels|cli|cold|mixed|stream|density|instructions]... [--rounds 5]
                         [--seconds 3] [--guests 10000] [--json FILE|-] [--page] [--programs FOLDER] [--strict]

Measures what is named, or everything:
  http     requests over 32 connections: sandbar, wasmtime serve, and a native hyper server
  inproc   instantiation and calls inside one process
  plugin   calls of plugins in a host program, beside plain Wasmtime
  kernels  twelve compute-bound guests: natively, on plain Wasmtime, with deadlines, and with fuel
  instructions
           of one call, counted by callgrind, against xtask/instructions.toml
  cli      `sandbar run` and `wasmtime run` of an empty command
  cold     firsts: the first answer of a process, the first of a guest, and others' latency while a guest is compiled
  mixed    sixteen guests with short and long calls at fixed rates: alone, together, and beside one that burns
           processor time; at least 100 answers of each, so a round takes minutes
  stream   1 GiB through a guest that sends it back: sandbar and wasmtime serve
  density  many guests in one process: memory, start, first calls; its first run compiles every guest, for minutes

      --rounds N           how many alternating rounds (5); `cli` runs each program 20 times a round, at least 50 in all
      --seconds S          how long each contestant is asked in a round (3)
      --guests N           how many guests `density` deploys (10000)
      --json FILE|-        write the report as JSON to a file or to stdout
      --page               write the tables and plots into docs/performance.md
      --programs FOLDER    build nothing, measure the programs of a folder: sandbar, wasmtime, native, load, stream,
                           bench_inproc, bench_plugin
      --strict             fail where a promise is missed
";

/// What was asked for.
struct Options {
    rounds: usize,
    seconds: f64,
    guests: usize,
    json: Option<PathBuf>,
    page: bool,
    /// Where the programs lie that are measured; without it they are built.
    programs: Option<PathBuf>,
    strict: bool,
    parts: Vec<Part>,
}

/// One part of the benches.
#[derive(Clone, Copy)]
struct Part {
    name: &'static str,
    run: fn(&Workspace, &Options) -> Result<Section>,
}

const PARTS: &[Part] = &[
    Part { name: "inproc", run: inproc::run },
    Part { name: "plugin", run: plugin::run },
    Part { name: "kernels", run: kernels::run },
    Part { name: "http", run: http::run },
    Part { name: "cli", run: cli::run },
    Part { name: "cold", run: cold::run },
    Part { name: "mixed", run: mixed::run },
    Part { name: "stream", run: stream::run },
    Part { name: "density", run: density::run },
    Part { name: "instructions", run: instructions::run },
];

/// What a part found.
#[derive(Serialize)]
struct Section {
    name: &'static str,
    results: serde_json::Value,
    #[serde(skip)]
    tables: Vec<Table>,
    /// Each with its name, as SVG.
    #[serde(skip)]
    plots: Vec<(&'static str, String)>,
    figures: Vec<Figure>,
}

/// One promise and how it was kept.
#[derive(Clone, Debug, Serialize)]
struct Figure {
    name: String,
    value: f64,
    unit: &'static str,
    bound: Bound,
    holds: bool,
}

/// What a figure promises.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Figure {
    fn new(name: impl Into<String>, value: f64, unit: &'static str, bound: Bound) -> Figure {
        let holds = match bound {
            Bound::AtLeast(bound) => value >= bound,
            Bound::AtMost(bound) => value <= bound,
        };
        Figure { name: name.into(), value, unit, bound, holds }
    }

    fn row(&self) -> Vec<String> {
        let (word, bound) = match self.bound {
            Bound::AtLeast(bound) => ("at least", bound),
            Bound::AtMost(bound) => ("at most", bound),
        };
        let verdict = if self.holds { "holds" } else { "MISSED" };
        vec![
            self.name.clone(),
            format!("{:.2}{}", self.value, self.unit),
            format!("{word} {bound}{}", self.unit),
            verdict.to_owned(),
        ]
    }
}

pub(crate) fn run(workspace: &Workspace, arguments: lexopt::Parser) -> Result<()> {
    let options = parse(arguments)?;
    let mut sections = Vec::new();
    for part in &options.parts {
        eprintln!("==> {}", part.name);
        let section = (part.run)(workspace, &options).with_context(|| format!("the bench `{}` failed", part.name))?;
        for table in &section.tables {
            eprint!("\n{}", table.text());
        }
        sections.push(section);
    }

    eprint!("\n{}", figures(&sections).text());
    if options.page {
        page::write(workspace, &sections)?;
    }
    if let Some(path) = &options.json {
        write_json(path, &json!({ "version": 1, "machine": usage::machine(), "sections": sections }))?;
    }
    let missed = sections.iter().flat_map(|section| &section.figures).any(|figure| !figure.holds);
    ensure!(!(options.strict && missed), "a promise was missed");
    Ok(())
}

fn figures<'a>(sections: impl IntoIterator<Item = &'a Section>) -> Table {
    let rows = sections.into_iter().flat_map(|section| &section.figures).map(Figure::row).collect();
    Table::new("", &["figure", "found", "promised", ""], rows)
}

fn parse(mut arguments: lexopt::Parser) -> Result<Options> {
    let mut options = Options {
        rounds: 5,
        seconds: 3.0,
        guests: 10_000,
        json: None,
        page: false,
        programs: None,
        strict: false,
        parts: Vec::new(),
    };
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Long("rounds") => options.rounds = arguments.value()?.parse()?,
            Arg::Long("seconds") => options.seconds = arguments.value()?.parse()?,
            Arg::Long("guests") => options.guests = arguments.value()?.parse()?,
            Arg::Long("json") => options.json = Some(arguments.value()?.into()),
            Arg::Long("page") => options.page = true,
            Arg::Long("programs") => options.programs = Some(std::path::absolute(arguments.value()?)?),
            Arg::Long("strict") => options.strict = true,
            Arg::Value(name) => match PARTS.iter().find(|part| name == part.name) {
                Some(part) => options.parts.push(*part),
                None => bail!("there is no bench `{}`; there are {}", name.to_string_lossy(), names()),
            },
            other => return Err(other.unexpected().into()),
        }
    }
    if options.rounds == 0 {
        bail!("expected at least one round");
    }
    if options.parts.is_empty() {
        options.parts = PARTS.to_vec();
    }
    Ok(options)
}

fn names() -> String {
    PARTS.iter().map(|part| part.name).collect::<Vec<_>>().join(", ")
}

fn write_json(path: &PathBuf, report: &serde_json::Value) -> Result<()> {
    let text = serde_json::to_string_pretty(report)? + "\n";
    if path.as_os_str() == "-" {
        return Ok(std::io::stdout().write_all(text.as_bytes())?);
    }
    fs::write(path, text).with_context(|| format!("cannot write `{}`", path.display()))
}

/// The middle one; of an even number, the mean of the two in the middle.
fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let values = sorted(values);
    let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
    match values.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => at(count / 2),
        count => f64::midpoint(at(count / 2 - 1), at(count / 2)),
    }
}

/// The value that a share of all do not exceed, such as 0.99 of them; for a share of 1, the highest.
fn quantile(values: &[f64], share: f64) -> f64 {
    let values = sorted(values.iter().copied());
    let rank = (share * values.len() as f64).ceil() as usize;
    values.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

/// From the lowest to the highest. What is no number comes last, whatever its sign.
fn sorted(values: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(|a, b| a.is_nan().cmp(&b.is_nan()).then(a.total_cmp(b)));
    values
}

/// The median of the rounds' ratios.
fn median_ratio<T>(ours: &[T], theirs: &[T], of: impl Fn(&T) -> f64) -> f64 {
    median(ours.iter().zip(theirs).map(|(ours, theirs)| of(ours) / of(theirs)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median([]).is_nan());
        assert_eq!(median_ratio(&[2.0, 6.0, 9.0], &[1.0, 2.0, 9.0], |value| *value), 2.0);
    }

    #[test]
    fn quantiles() {
        let values: Vec<f64> = (1..=200).rev().map(f64::from).collect();
        assert_eq!([0.0, 0.5, 0.99, 1.0].map(|share| quantile(&values, share)), [1.0, 100.0, 198.0, 200.0]);
        assert_eq!(quantile(&[7.0], 0.99), 7.0);
        assert!(quantile(&[], 0.5).is_nan());
        assert!(quantile(&[-f64::NAN, 1.0], 1.0).is_nan(), "what was not measured is not passed over");
    }

    #[test]
    fn arguments() {
        let parsed = |words: &str| parse(lexopt::Parser::from_args(words.split_whitespace()));
        let options = parsed("cli http --programs /there --rounds 2 --guests 300").unwrap();
        assert_eq!(options.parts.iter().map(|part| part.name).collect::<Vec<_>>(), ["cli", "http"]);
        assert_eq!((options.programs, options.rounds, options.guests), (Some("/there".into()), 2, 300));
        assert_eq!(parsed("").unwrap().parts.len(), PARTS.len());
        let error = parsed("clip").err().unwrap().to_string();
        assert!(error.starts_with("there is no bench `clip`; there are inproc, "), "{error}");
    }

    #[test]
    fn the_help_names_every_part() {
        for part in PARTS {
            assert!(HELP.contains(&format!("\n  {}", part.name)), "`{}`", part.name);
        }
    }

    #[test]
    fn a_bound_is_kept_or_missed() {
        assert!(Figure::new("a", 4.0, "", Bound::AtLeast(4.0)).holds);
        assert!(!Figure::new("a", f64::NAN, "", Bound::AtMost(1.0)).holds, "what was not measured was not kept");
    }
}
