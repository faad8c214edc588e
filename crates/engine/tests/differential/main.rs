//! Modules at random give what another engine says that they give, in the first fresh sandbox and in every later one.
//!
//! Each module comes from a seed. A few hundred run with the other tests; `cargo xtask fuzz differential` runs as many as fit
//! its time. A failure tells its seed, and how to run that alone: `SANDBAR_SEEDS` is the range of seeds, `FROM..TO`, and
//! `SANDBAR_SECONDS` ends it earlier.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test ends loudly")]

mod code;
mod component;
mod elsewhere;
mod ending;
mod here;
mod module;
mod number;
mod operators;
mod plan;
mod random;

use elsewhere::Elsewhere;
use ending::{Ending, TRAPS, Trap};
use here::Here;
use module::{Export, Generated};
use number::Number;
use plan::Starts;
use random::Random;
use sandbar_engine::Fuel;
use std::{
    collections::BTreeMap,
    env, fs,
    io::Write,
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

const SEEDS: Range<u64> = 0..300;
/// Calls of each module. The first two make ready what renews a sandbox.
const CALLS: usize = 8;

/// What was compared.
#[derive(Default)]
struct Tally {
    modules: u64,
    values: u64,
    traps: BTreeMap<Trap, u64>,
    renewed: u64,
}

#[test]
fn generated_modules_give_what_another_engine_gives() {
    let (seeds, until) = (seeds(), Instant::now() + seconds());
    let (here, next) = (Here::new(), AtomicU64::new(seeds.start));
    let (all, failed) = (Mutex::new(Tally::default()), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while Instant::now() < until {
                    let seed = next.fetch_add(1, Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    match run(seed, &here) {
                        Ok(ran) => all.lock().unwrap().add(ran),
                        Err(told) => {
                            failed.lock().unwrap().push(told);
                            next.store(seeds.end, Relaxed);
                        }
                    }
                }
            });
        }
    });
    let failed: Vec<String> = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    let Tally { modules, values, traps, renewed } = all.into_inner().unwrap();
    // Not by a macro, so that it is seen also when the test passes.
    let shown: Vec<_> = traps.iter().map(|(trap, count)| format!("{count} {}", trap.0)).collect();
    writeln!(
        std::io::stderr(),
        "differential: {modules} modules from seed {}; {values} values, {renewed} sandboxes renewed; traps: {}",
        seeds.start,
        shown.join(", ")
    )
    .unwrap();
    if seeds == SEEDS {
        assert_eq!(traps.len(), TRAPS.len(), "every trap was met");
        assert!(values > modules * 3 && renewed > modules, "most calls end well, and many sandboxes are renewed");
    }
}

impl Tally {
    fn add(&mut self, ran: Tally) {
        self.modules += ran.modules;
        self.values += ran.values;
        self.renewed += ran.renewed;
        for (trap, count) in ran.traps {
            *self.traps.entry(trap).or_default() += count;
        }
    }
}

/// Runs one seed; where it fails, keeps its guest and tells how to run it again.
fn run(seed: u64, here: &Here) -> Result<Tally, String> {
    let generated = Generated::new(&mut Random::new(seed));
    // Of each three seeds one is a component.
    let is_component = seed % 3 == 2;
    let guest = if is_component { component::component(&generated) } else { generated.module.clone().finish() };
    let compared = catch_unwind(AssertUnwindSafe(|| compare(seed, &generated, guest.clone(), is_component, here)));
    compared.map_err(|cause| {
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("differential-{seed}.wasm"));
        fs::write(&kept, &guest).unwrap();
        let cause = cause.downcast_ref::<String>().map_or("it panicked", String::as_str);
        format!(
            "seed {seed} differs: {cause}\nits guest is {}; to run it again:\n\
             SANDBAR_SEEDS={seed}..{} cargo test -p sandbar-engine --test differential",
            kept.display(),
            seed + 1
        )
    })
}

fn compare(seed: u64, generated: &Generated, guest: Vec<u8>, is_component: bool, here: &Here) -> Tally {
    let elsewhere = Elsewhere::new(generated);
    let bound = here.bind(guest, if seed.is_multiple_of(2) { Fuel::WhereLimited } else { Fuel::Always });
    // A component has no reactor's function.
    let starts =
        if is_component && generated.starts == Starts::Initialize { Starts::Nothing } else { generated.starts };
    let entries: Vec<_> = generated.exports.iter().map(|export| bound.entry(export)).collect();
    let mut random = Random::new(!seed);
    let mut tally = Tally { modules: 1, ..Tally::default() };
    for call in 0..CALLS {
        let at = random.below(entries.len());
        let export: &Export = &generated.exports[at];
        let arguments: Vec<_> = export.params.iter().map(|ty| Number::random(*ty, &mut random)).collect();
        let expected = elsewhere.call(export, &arguments, starts);
        let ending = here::call(&entries[at], export, &arguments);
        let called = || {
            let texts: Vec<_> = arguments.iter().map(|number| number.text()).collect();
            format!("call {call}, `{}({})`", export.name, texts.join(", "))
        };
        assert_eq!(ending, expected, "{}, here and elsewhere", called());
        match ending {
            Ending::Value(_) => tally.values += 1,
            Ending::Trap(trap) => *tally.traps.entry(trap).or_default() += 1,
            Ending::Other(what) => panic!("{}: {what}", called()),
        }
    }
    tally.renewed = bound.renewed();
    tally
}

fn seeds() -> Range<u64> {
    let Ok(range) = env::var("SANDBAR_SEEDS") else { return SEEDS };
    let (from, to) = range.split_once("..").expect("SANDBAR_SEEDS is `FROM..TO`");
    from.parse().unwrap()..if to.is_empty() { u64::MAX } else { to.parse().unwrap() }
}

fn seconds() -> Duration {
    Duration::from_secs(env::var("SANDBAR_SECONDS").map_or(1 << 20, |seconds| seconds.parse().unwrap()))
}
