//! What a sandbox and a call cost inside one process, measured by an example of the engine, which alone knows Wasmtime.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::{Bound, Figure, Options, Section};
use crate::{guests, step, table::Table, workspace::Workspace};

/// One line of the example.
#[derive(Deserialize, Serialize)]
struct Measure {
    name: String,
    median_ns: f64,
    iterations: u64,
}

/// What one measure is promised to take at most, in nanoseconds, above another where one is named.
struct Promise {
    measure: &'static str,
    above: Option<&'static str>,
    at_most_ns: f64,
}

const PROMISES: &[Promise] = &[
    Promise { measure: "fresh-double", above: None, at_most_ns: 5_000.0 },
    Promise { measure: "fresh-hello", above: None, at_most_ns: 10_000.0 },
    Promise { measure: "typed-call", above: Some("typed-call-wasmtime"), at_most_ns: 100.0 },
];

pub(super) fn run(workspace: &Workspace, options: &Options) -> Result<Section> {
    let measures = measures(&example(workspace, options, &["--json"])?)?;

    let rows = measures.iter().map(|measure| {
        vec![measure.name.clone(), format!("{:.1} ns", measure.median_ns), measure.iterations.to_string()]
    });
    let tables = vec![Table::new("", &["in process", "median", "iterations"], rows.collect())];
    let figures = PROMISES.iter().map(|promise| figure(promise, &measures)).collect();
    Ok(Section { name: "inproc", results: serde_json::to_value(&measures)?, tables, plots: Vec::new(), figures })
}

/// Runs the example, and gives what it said.
pub(super) fn example(workspace: &Workspace, options: &Options, arguments: &[&str]) -> Result<String> {
    let mut command = match &options.programs {
        Some(folder) => workspace.tool(folder.join("bench_inproc")),
        None => {
            guests::install_targets(workspace)?;
            guests::build(workspace)?;
            let mut command = workspace.cargo("run");
            command.args(["--release", "--package", "sandbar-engine", "--example", "bench_inproc", "--"]);
            command
        }
    };
    step::output(command.args(arguments))
}

fn measures(said: &str) -> Result<Vec<Measure>> {
    let lines = said.lines().filter(|line| line.starts_with('{'));
    lines.map(|line| serde_json::from_str(line).with_context(|| format!("`{line}` is no measure"))).collect()
}

/// A measure that is missing gives a figure that does not hold.
fn figure(promise: &Promise, measures: &[Measure]) -> Figure {
    let found =
        |name: &str| measures.iter().find(|measure| measure.name == name).map_or(f64::NAN, |found| found.median_ns);
    let (name, value) = match promise.above {
        None => (promise.measure.to_owned(), found(promise.measure)),
        Some(base) => (format!("{} - {base}", promise.measure), found(promise.measure) - found(base)),
    };
    Figure::new(name, value, " ns", Bound::AtMost(promise.at_most_ns))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measure_above_another_and_a_missing_one() {
        let said = "noise\n{\"name\":\"typed-call\",\"median_ns\":150,\"iterations\":9}\n\
                    {\"name\":\"typed-call-wasmtime\",\"median_ns\":60.5,\"iterations\":9}\n";
        let measures = measures(said).unwrap();
        let figures: Vec<Figure> = PROMISES.iter().map(|promise| figure(promise, &measures)).collect();
        assert!(!figures[0].holds && figures[2].holds, "{figures:?}");
    }
}
