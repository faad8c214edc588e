//! Metrics, as the sum of receipts: what Prometheus scrapes is counted from the same records that are billed.
//!
//! The ledger's writer adds them up, so that a call pays nothing. Series are bounded by guests: their names come from the
//! manifest, and past [`GUESTS_MAX`] they share one. [`Exposition`] writes the text format, also for what others count.

use crate::ledger::LedgerCounts;
use sandbar_call::{GrantKind, GuestName, Outcome, OutcomeKind, Receipt, Refusal, Resource};
use std::{
    collections::BTreeMap,
    fmt::{Display, Write},
    sync::{Arc, Mutex, PoisonError},
};

/// How many guests have series of their own; the rest is summed up as `other`.
pub const GUESTS_MAX: usize = 1000;

/// The content type of [`Metrics::render`].
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Latency: microseconds up to a minute, shown in seconds.
const SECONDS: Scale = Scale {
    unit: 1e9,
    bounds: &[
        50_000,
        100_000,
        250_000,
        500_000,
        1_000_000,
        2_500_000,
        5_000_000,
        10_000_000,
        25_000_000,
        50_000_000,
        100_000_000,
        250_000_000,
        500_000_000,
        1_000_000_000,
        2_500_000_000,
        5_000_000_000,
        10_000_000_000,
        30_000_000_000,
        60_000_000_000,
    ],
};

/// Peak memory: one page up to 4 GiB, in bytes.
const MEMORY_BYTES: Scale =
    Scale { unit: 1.0, bounds: &[1 << 16, 1 << 18, 1 << 20, 1 << 22, 1 << 24, 1 << 26, 1 << 28, 1 << 30, 1 << 32] };

/// Sums of receipts, by guest.
#[derive(Debug, Default)]
pub struct Metrics {
    guests: Mutex<BTreeMap<GuestName, Guest>>,
}

#[derive(Debug)]
struct Guest {
    calls: [u64; OutcomeKind::ALL.len()],
    stopped: [u64; Resource::COUNT],
    seconds: Histogram,
    memory_bytes: Histogram,
    cpu_ns: u64,
    fuel: u64,
    in_bytes: u64,
    out_bytes: u64,
    log_bytes: u64,
    grants: [u64; GrantKind::COUNT],
    denials: [u64; GrantKind::COUNT],
    denials_dropped: u64,
}

#[derive(Debug)]
struct Histogram {
    scale: Scale,
    /// One more than there are bounds.
    counts: Vec<u64>,
    sum: u128,
}

/// The buckets of a histogram.
#[derive(Clone, Copy, Debug)]
struct Scale {
    /// How much of what is observed makes one of what is shown.
    unit: f64,
    /// Upper bounds, as observed.
    bounds: &'static [u64],
}

impl Metrics {
    /// Adds receipts up.
    pub fn record(&self, receipts: &[Arc<Receipt>]) {
        let mut guests = self.guests.lock().unwrap_or_else(PoisonError::into_inner);
        for receipt in receipts {
            if let Some(guest) = guests.get_mut(&receipt.guest) {
                guest.add(receipt);
            } else {
                let name = if guests.len() < GUESTS_MAX { receipt.guest.clone() } else { "other".into() };
                guests.entry(name).or_default().add(receipt);
            }
        }
    }

    /// Writes everything in Prometheus's text format, version 0.0.4.
    pub fn render(&self, ledger: &LedgerCounts) -> String {
        let mut text = Exposition::default();
        self.render_guests(&mut text);
        render_ledger(&mut text, ledger);
        text.finish()
    }

    fn render_guests(&self, text: &mut Exposition) {
        let guests = self.guests.lock().unwrap_or_else(PoisonError::into_inner);
        text.family("sandbar_calls_total", Kind::Counter, "Calls that ended, by guest and outcome.");
        for (name, guest) in guests.iter() {
            for (kind, count) in OutcomeKind::ALL.iter().zip(guest.calls) {
                text.sample("sandbar_calls_total", &[("guest", name), ("outcome", kind.key())], count);
            }
        }
        text.family("sandbar_stopped_total", Kind::Counter, "Calls that used up a limit.");
        by_key(text, &guests, "sandbar_stopped_total", "limit", |guest| {
            pairs(Resource::ALL.iter().map(|resource| resource.key()), &guest.stopped)
        });
        histograms(text, &guests, "sandbar_call_seconds", "Wall time of calls.", |guest| &guest.seconds);
        histograms(text, &guests, "sandbar_memory_peak_bytes", "Peak of linear memory, by call.", |g| &g.memory_bytes);
        let ns = |ns: u64| ns as f64 / 1e9;
        counters(text, &guests, "sandbar_cpu_seconds_total", "Processor time.", |guest| ns(guest.cpu_ns));
        counters(text, &guests, "sandbar_fuel_total", "Fuel, where it is metered.", |guest| guest.fuel as f64);
        counters(text, &guests, "sandbar_in_bytes_total", "Bytes into guests.", |guest| guest.in_bytes as f64);
        counters(text, &guests, "sandbar_out_bytes_total", "Bytes out of guests.", |guest| guest.out_bytes as f64);
        counters(text, &guests, "sandbar_log_bytes_total", "Bytes logged by guests.", |guest| guest.log_bytes as f64);
        text.family("sandbar_grant_uses_total", Kind::Counter, "Uses of grants.");
        by_key(text, &guests, "sandbar_grant_uses_total", "grant", |guest| {
            pairs(GrantKind::ALL.iter().map(|grant| grant.key()), &guest.grants)
        });
        text.family("sandbar_denials_total", Kind::Counter, "Things asked for and refused.");
        by_key(text, &guests, "sandbar_denials_total", "grant", |guest| {
            let mut denials = pairs(GrantKind::ALL.iter().map(|grant| grant.key()), &guest.denials);
            denials.extend((guest.denials_dropped > 0).then_some(("unknown", guest.denials_dropped)));
            denials
        });
    }
}

fn render_ledger(text: &mut Exposition, ledger: &LedgerCounts) {
    let dropped = "sandbar_receipts_dropped_total";
    text.family(dropped, Kind::Counter, "Receipts that are not in the ledger's file, and why.");
    text.sample(dropped, &[("reason", "queue")], ledger.dropped_queue);
    text.sample(dropped, &[("reason", "disk")], ledger.dropped_disk);
    text.family("sandbar_receipts_total", Kind::Counter, "Receipts that the ledger took.");
    text.sample("sandbar_receipts_total", &[], ledger.taken);
    text.family("sandbar_receipts_rotations_total", Kind::Counter, "Rotations of the ledger's file.");
    text.sample("sandbar_receipts_rotations_total", &[], ledger.rotations);
}

type Guests = BTreeMap<GuestName, Guest>;

fn counters(text: &mut Exposition, guests: &Guests, name: &str, help: &str, value: impl Fn(&Guest) -> f64) {
    text.family(name, Kind::Counter, help);
    for (guest_name, guest) in guests {
        text.sample(name, &[("guest", guest_name)], value(guest));
    }
}

fn by_key(
    text: &mut Exposition,
    guests: &Guests,
    name: &str,
    label: &str,
    values: impl Fn(&Guest) -> Vec<(&'static str, u64)>,
) {
    for (guest_name, guest) in guests {
        for (key, count) in values(guest) {
            text.sample(name, &[("guest", guest_name), (label, key)], count);
        }
    }
}

fn histograms(text: &mut Exposition, guests: &Guests, name: &str, help: &str, of: impl Fn(&Guest) -> &Histogram) {
    text.family(name, Kind::Histogram, help);
    for (guest_name, guest) in guests {
        let Histogram { scale, counts, sum } = of(guest);
        let mut total = 0;
        for (at, count) in counts.iter().enumerate() {
            total += count;
            let bound = scale.bounds.get(at).map_or_else(|| "+Inf".to_string(), |bound| scale.shown(*bound as f64));
            text.sample(&format!("{name}_bucket"), &[("guest", guest_name), ("le", &bound)], total);
        }
        text.sample(&format!("{name}_sum"), &[("guest", guest_name)], scale.shown(*sum as f64));
        text.sample(&format!("{name}_count"), &[("guest", guest_name)], total);
    }
}

/// Keys with their counts, without zeroes: most guests use few grants.
fn pairs(keys: impl Iterator<Item = &'static str>, counts: &[u64]) -> Vec<(&'static str, u64)> {
    keys.zip(counts.iter().copied()).filter(|(_, count)| *count > 0).collect()
}

impl Guest {
    fn add(&mut self, receipt: &Receipt) {
        let used = |resource| receipt.used.get(resource).unwrap_or(0);
        let kind = receipt.outcome.kind();
        bump(&mut self.calls, OutcomeKind::ALL.iter().position(|other| *other == kind), 1);
        if let Outcome::Stopped { limit } = &receipt.outcome {
            bump(&mut self.stopped, Some(limit.index()), 1);
        }
        self.seconds.observe(used(Resource::Wall));
        self.memory_bytes.observe(used(Resource::Memory));
        self.cpu_ns += used(Resource::Cpu);
        self.fuel += used(Resource::Fuel);
        self.in_bytes += used(Resource::BytesIn);
        self.out_bytes += used(Resource::BytesOut);
        self.log_bytes += used(Resource::Log);
        for grant in GrantKind::ALL {
            bump(&mut self.grants, Some(grant.index()), receipt.grants.get(*grant).into());
        }
        let refused = match &receipt.outcome {
            Outcome::Refused { why: Refusal::Grant { denial } } if !receipt.denials.contains(denial) => Some(denial),
            _ => None,
        };
        for denial in receipt.denials.iter().chain(refused) {
            bump(&mut self.denials, Some(denial.grant.index()), 1);
        }
        self.denials_dropped += receipt.denials_dropped;
    }
}

fn bump(counts: &mut [u64], at: Option<usize>, by: u64) {
    if let Some(count) = at.and_then(|at| counts.get_mut(at)) {
        *count += by;
    }
}

impl Default for Guest {
    fn default() -> Guest {
        Guest {
            calls: [0; OutcomeKind::ALL.len()],
            stopped: [0; Resource::COUNT],
            seconds: Histogram::new(SECONDS),
            memory_bytes: Histogram::new(MEMORY_BYTES),
            cpu_ns: 0,
            fuel: 0,
            in_bytes: 0,
            out_bytes: 0,
            log_bytes: 0,
            grants: [0; GrantKind::COUNT],
            denials: [0; GrantKind::COUNT],
            denials_dropped: 0,
        }
    }
}

impl Histogram {
    fn new(scale: Scale) -> Histogram {
        Histogram { scale, counts: vec![0; scale.bounds.len() + 1], sum: 0 }
    }

    fn observe(&mut self, amount: u64) {
        let at = self.scale.bounds.partition_point(|bound| *bound < amount);
        bump(&mut self.counts, Some(at), 1);
        self.sum += u128::from(amount);
    }
}

impl Scale {
    fn shown(self, amount: f64) -> String {
        (amount / self.unit).to_string()
    }
}

/// What a family of samples is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Rises and falls.
    Gauge,
    /// Buckets, a sum and a count.
    Histogram,
}

/// Writes Prometheus's text format: a family first, then its samples.
#[derive(Debug, Default)]
pub struct Exposition {
    text: String,
}

impl Exposition {
    /// Begins a family.
    pub fn family(&mut self, name: &str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// Writes one sample of the family that was begun last.
    pub fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.text.push_str(name);
        for (at, (label, value)) in labels.iter().enumerate() {
            let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.text, "{}{label}=\"{value}\"", if at == 0 { '{' } else { ',' });
        }
        let _ = writeln!(self.text, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }

    /// The text.
    pub fn finish(self) -> String {
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_values_are_escaped() {
        let mut text = Exposition::default();
        text.family("x", Kind::Gauge, "Two\nlines \\.");
        text.sample("x", &[("a", "q\"b\\s\nn"), ("b", "")], 1.5);
        text.sample("x", &[], 2);
        let expected = "# HELP x Two\\nlines \\\\.\n# TYPE x gauge\nx{a=\"q\\\"b\\\\s\\nn\",b=\"\"} 1.5\nx 2\n";
        assert_eq!(text.finish(), expected);
    }

    #[test]
    fn a_value_on_a_bound_falls_into_its_bucket() {
        let mut histogram = Histogram::new(Scale { unit: 10.0, bounds: &[10, 20] });
        [5, 10, 15, 20, 30].into_iter().for_each(|amount| histogram.observe(amount));
        assert_eq!((histogram.counts, histogram.sum), (vec![2, 2, 1], 80));
        assert_eq!(histogram.scale.shown(25.0), "2.5");
    }
}
