//! Compute-bound guests: what sandboxing, deadlines and fuel cost where nothing but the guest's own code runs.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::{Bound, Figure, Options, Section, inproc, plot, plot::Bar};
use crate::{table::Table, workspace::Workspace};

/// One line of the example.
#[derive(Deserialize, Serialize)]
struct Kernel {
    kernel: String,
    native_ns: f64,
    wasmtime_ns: f64,
    sandbar_ns: f64,
    sandbar_fuel_ns: f64,
}

impl Kernel {
    /// How fast it is as a guest of Sandbar; plain Wasmtime is 1.
    fn of_wasmtime(&self) -> f64 {
        self.wasmtime_ns / self.sandbar_ns
    }

    /// How many times as long as natively each takes: on plain Wasmtime, with deadlines, with fuel.
    fn of_native(&self) -> [f64; 3] {
        [self.wasmtime_ns, self.sandbar_ns, self.sandbar_fuel_ns].map(|ns| ns / self.native_ns)
    }
}

/// Of the speed of plain Wasmtime.
const AT_LEAST: f64 = 0.97;

pub(super) fn run(workspace: &Workspace, options: &Options) -> Result<Section> {
    let said = inproc::example(workspace, options, &["kernels"])?;
    let lines = said.lines().filter(|line| line.starts_with('{'));
    let kernels: Result<Vec<Kernel>> =
        lines.map(|line| serde_json::from_str(line).with_context(|| format!("`{line}` is no kernel"))).collect();
    let kernels = kernels?;

    let times = |ratio: f64| format!("{ratio:.2}");
    let mut rows: Vec<Vec<String>> = kernels
        .iter()
        .map(|kernel| {
            let mut row = vec![kernel.kernel.clone(), format!("{:.1} ms", kernel.native_ns / 1e6)];
            row.extend(kernel.of_native().map(times));
            row.push(times(kernel.of_wasmtime()));
            row
        })
        .collect();
    let mean = |ratio: &dyn Fn(&Kernel) -> f64| geometric_mean(kernels.iter().map(ratio));
    let means = [0, 1, 2].map(|at| mean(&|kernel| kernel.of_native().get(at).copied().unwrap_or(f64::NAN)));
    let of_wasmtime = mean(&Kernel::of_wasmtime);
    rows.push(
        [vec!["geometric mean".into(), String::new()], means.map(times).to_vec(), vec![times(of_wasmtime)]].concat(),
    );
    let head =
        ["kernel", "native", "Wasmtime / native", "sandbar / native", "with fuel / native", "speed of Wasmtime's"];

    let bars = kernels.iter().map(|kernel| Bar { name: kernel.kernel.clone(), values: kernel.of_native().to_vec() });
    let plot = plot::bars("times as long as natively", &["plain Wasmtime", "sandbar", "sandbar with fuel"], bars);
    let slowest = kernels.iter().map(Kernel::of_wasmtime).fold(f64::INFINITY, f64::min);
    Ok(Section {
        name: "kernels",
        results: serde_json::to_value(&kernels)?,
        tables: vec![Table::new("", &head, rows)],
        plots: vec![("kernels", plot)],
        figures: vec![
            Figure::new(
                "kernels: of the speed of plain Wasmtime, geometric mean",
                of_wasmtime,
                "",
                Bound::AtLeast(AT_LEAST),
            ),
            Figure::new("kernels: of the speed of plain Wasmtime, the slowest", slowest, "", Bound::AtLeast(AT_LEAST)),
        ],
    })
}

fn geometric_mean(ratios: impl Iterator<Item = f64>) -> f64 {
    let (count, sum) = ratios.fold((0.0, 0.0), |(count, sum), ratio| (count + 1.0, sum + f64::ln(ratio)));
    f64::exp(sum / count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twice_and_half_as_fast_are_as_fast() {
        assert!((geometric_mean([2.0, 0.5].into_iter()) - 1.0).abs() < 1e-9);
    }
}
