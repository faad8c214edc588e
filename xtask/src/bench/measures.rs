//! What examples of the product measure inside one process: a line of JSON for each, and what is promised of some.

use std::process::Command;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::{Bound, Figure, Options, Section};
use crate::{guests, step, table::Table, workspace::Workspace};

/// One line of an example: a median, in nanoseconds unless it says otherwise.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Measure {
    pub(super) name: String,
    #[serde(alias = "median_ns")]
    pub(super) median: f64,
    #[serde(default = "nanoseconds")]
    unit: String,
}

/// What one measure is promised to be at most, above another where one is named; or to be at least as a share of another.
pub(super) struct Promise {
    pub(super) measure: &'static str,
    pub(super) than: Than,
}

pub(super) enum Than {
    AtMost(f64),
    AtMostAbove(&'static str, f64),
    /// So many times faster than another.
    TimesFaster(&'static str, f64),
}

fn nanoseconds() -> String {
    "ns".into()
}

/// Runs an example of a package with these arguments, and gives what it said.
pub(super) fn example(
    workspace: &Workspace,
    options: &Options,
    (package, name): (&str, &str),
    arguments: &[&str],
) -> Result<String> {
    let mut command: Command = match &options.programs {
        Some(folder) => workspace.tool(folder.join(name)),
        None => {
            guests::install_targets(workspace)?;
            guests::build(workspace)?;
            let mut command = workspace.cargo("run");
            command.args(["--release", "--package", package, "--example", name, "--"]);
            command
        }
    };
    step::output(command.args(arguments))
}

/// The section of a page for what an example said.
pub(super) fn section(name: &'static str, said: &str, promises: &[Promise]) -> Result<Section> {
    let measures = measures(said)?;
    let rows = measures.iter().map(|Measure { name, median, unit }| vec![name.clone(), format!("{median:.1} {unit}")]);
    let tables = vec![Table::new("", &["in process", "median"], rows.collect())];
    let figures = promises.iter().map(|promise| figure(promise, &measures)).collect();
    Ok(Section { name, results: serde_json::to_value(&measures)?, tables, plots: Vec::new(), figures })
}

fn measures(said: &str) -> Result<Vec<Measure>> {
    let lines = said.lines().filter(|line| line.starts_with('{'));
    lines.map(|line| serde_json::from_str(line).with_context(|| format!("`{line}` is no measure"))).collect()
}

/// A measure that is missing gives a figure that does not hold.
fn figure(promise: &Promise, measures: &[Measure]) -> Figure {
    let found = |name: &str| measures.iter().find(|measure| measure.name == name);
    let value = |name: &str| found(name).map_or(f64::NAN, |found| found.median);
    let measure = promise.measure;
    let unit = match found(measure).map(|found| found.unit.as_str()) {
        Some("B") => " B",
        _ => " ns",
    };
    match promise.than {
        Than::AtMost(most) => Figure::new(measure, value(measure), unit, Bound::AtMost(most)),
        Than::AtMostAbove(base, most) => {
            Figure::new(format!("{measure} - {base}"), value(measure) - value(base), unit, Bound::AtMost(most))
        }
        Than::TimesFaster(base, times) => {
            Figure::new(format!("{base} / {measure}"), value(base) / value(measure), "x", Bound::AtLeast(times))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measure_above_another_a_faster_one_and_a_missing_one() {
        let said = "noise\n{\"name\":\"call\",\"median_ns\":150,\"iterations\":9}\n\
                    {\"name\":\"plain\",\"median\":60.5,\"unit\":\"ns\"}\n{\"name\":\"bytes\",\"median\":9,\"unit\":\"B\"}\n";
        let promises = [
            Promise { measure: "call", than: Than::AtMostAbove("plain", 100.0) },
            Promise { measure: "plain", than: Than::TimesFaster("call", 2.0) },
            Promise { measure: "bytes", than: Than::AtMost(9.0) },
            Promise { measure: "missing", than: Than::AtMost(9.0) },
        ];
        let figures = section("plugin", said, &promises).unwrap().figures;
        let told: Vec<_> = figures.iter().map(|figure| (figure.value, figure.unit, figure.holds)).collect();
        assert_eq!(told[..3], [(89.5, " ns", true), (150.0 / 60.5, "x", true), (9.0, " B", true)]);
        assert!(!told[3].2, "{figures:?}");
    }
}
