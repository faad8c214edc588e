//! Measures what a fresh sandbox and a typed call cost, in process and on one thread: `cargo xtask bench inproc` runs it.
//! An argument names the only figure to take; `kernels` measures those instead. Prints one JSON object a line: the name of a
//! figure, its median in nanoseconds and how many rounds it is of.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a bench ends loudly")]

mod kernels;

use sandbar_call::{Arguments, Body, Call, CallId, Event, Limits, Origin, Outcome, Receipt, Reply, Resource, Run};
use sandbar_engine::{
    Allocation, Binding, Engine, EngineConfig, Entry, EntryChoice, Fuel, Guest, Log, LogRecord, Policy, Program,
};
use std::{
    future::Future,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

const ROUNDS: usize = 15;

struct Silent;

impl Log for Silent {
    fn log(&self, _: LogRecord) {}
}

/// On a thread of its own, whose stack is there from the start: under valgrind that of the first thread can't grow.
fn main() {
    #[cfg(target_os = "linux")]
    if std::env::args().nth(1).is_some_and(|mode| mode == "callgrind") {
        count_instructions();
    }
    std::thread::Builder::new().stack_size(8 << 20).spawn(measure).unwrap().join().unwrap();
}

/// What only makes calls, for valgrind to count their instructions: `count NAME CALLS`.
fn counted() -> Option<(String, usize)> {
    let mut arguments = std::env::args().skip(1);
    let (_, name) = (arguments.next().filter(|first| first == "count")?, arguments.next()?);
    Some((name, arguments.next()?.parse().ok()?))
}

/// Becomes valgrind, which runs this program: `callgrind FILE NAME CALLS`.
///
/// The kernel refuses what is asked of the auxiliary vector then: its own is not the one that valgrind gives to programs, and
/// names a vDSO that is not there. Who asks looks into a file next, which valgrind sees to.
#[cfg(target_os = "linux")]
fn count_instructions() {
    use seccompiler::{SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule};
    use std::os::unix::process::CommandExt;
    const PR_GET_AUXV: u64 = 0x4155_5856;
    let asked = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, PR_GET_AUXV).unwrap();
    let rules = [(libc::SYS_prctl, vec![SeccompRule::new(vec![asked]).unwrap()])].into();
    let refuse = SeccompAction::Errno(libc::EINVAL as u32);
    let arch = std::env::consts::ARCH.try_into().unwrap();
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refuse, arch).unwrap();
    let program: seccompiler::BpfProgram = filter.try_into().unwrap();
    seccompiler::apply_filter(&program).unwrap();

    let arguments: Vec<String> = std::env::args().skip(2).collect();
    let mut valgrind = std::process::Command::new("valgrind");
    valgrind.arg("--tool=callgrind").arg(format!("--callgrind-out-file={}", arguments[0]));
    valgrind.arg(std::env::current_exe().unwrap()).arg("count").args(&arguments[1..]);
    panic!("cannot start valgrind: {}", valgrind.exec());
}

fn measure() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let engine =
        Engine::new(EngineConfig { allocation: Allocation::Pooled { slots: 2 }, ..EngineConfig::default() }).unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/quickstart");
    if std::env::args().nth(1).is_some_and(|only| only == "kernels") {
        kernels::measure(&runtime, &engine, ROUNDS);
        return;
    }
    let limits = Limits::NONE.with(Resource::Wall, 10_000_000_000).with(Resource::Instances, 100);
    let entry = |file: &str, export: Option<&str>, policy: Policy| {
        let guest = Guest::from_file(file, &folder.join(file)).unwrap();
        let program = bind(&engine, &guest, limits.clone(), policy, Fuel::WhereLimited);
        program.entry(&guest, EntryChoice { export: export.map(Into::into), ..EntryChoice::default() }).unwrap()
    };

    let reused = Policy::Reused { calls: u64::MAX, idle: Duration::from_secs(60) };
    if let Some((name, count)) = counted() {
        let policy = if name.ends_with("-reused") { reused } else { Policy::Fresh };
        let (file, event) = if name.contains("double") {
            ("double.wasm", double_event as Make)
        } else {
            ("hello.wasm", hello_event as Make)
        };
        let entry = entry(file, None, policy);
        // Callgrind does not follow a handler that has its thread go on elsewhere, and how often one is called is the machine's.
        sandbar_engine::block_ticks();
        calls(&runtime, &entry, count, event);
        return;
    }

    let double = entry("double.wasm", None, Policy::Fresh);
    let hello = entry("hello.wasm", None, Policy::Fresh);
    for (name, entry) in [("double", &double), ("hello", &hello)] {
        figure(&format!("fresh-{name}"), 2_000, |count| {
            runtime.block_on(async {
                for _ in 0..count {
                    entry.program().start_and_drop().await.unwrap();
                }
            });
        });
    }
    figure("call-double", 2_000, |count| calls(&runtime, &double, count, double_event));
    figure("call-hello", 2_000, |count| calls(&runtime, &hello, count, hello_event));
    let double = entry("double.wasm", None, reused);
    let hello = entry("hello.wasm", None, reused);
    figure("call-double-reused", 2_000, |count| calls(&runtime, &double, count, double_event));
    figure("call-hello-reused", 2_000, |count| calls(&runtime, &hello, count, hello_event));

    let sensor = entry("sensor.wasm", Some("validate_sensor_reading"), Policy::Held);
    let mut held = runtime.block_on(sensor.program().hold()).unwrap();
    let call = held.typed::<i32, i32>("validate_sensor_reading").unwrap();
    figure("typed-call", 1_000_000, |count| {
        for at in 0..count {
            let value = i32::try_from(at % 100).unwrap();
            assert_eq!(held.call(&call, value).unwrap(), value);
        }
    });
    let wasmtime = wasmtime::Engine::default();
    let module = wasmtime::Module::from_file(&wasmtime, folder.join("sensor.wasm")).unwrap();
    let mut store = wasmtime::Store::new(&wasmtime, ());
    let instance = wasmtime::Instance::new(&mut store, &module, &[]).unwrap();
    let plain = instance.get_typed_func::<i32, i32>(&mut store, "validate_sensor_reading").unwrap();
    figure("typed-call-wasmtime", 1_000_000, |count| {
        for at in 0..count {
            let value = i32::try_from(at % 100).unwrap();
            assert_eq!(plain.call(&mut store, value).unwrap(), value);
        }
    });
}

fn bind(engine: &Engine, guest: &Guest, limits: Limits, policy: Policy, fuel: Fuel) -> Arc<Program> {
    let binding = Binding { fuel, policy, ..Binding::new(limits, Arc::new(Silent)) };
    engine.bind(guest, binding).unwrap()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn figure(name: &str, count: usize, mut run: impl FnMut(usize)) {
    if std::env::args().nth(1).is_some_and(|only| !only.starts_with('-') && only != name) {
        return;
    }
    run(count / 10);
    let rounds = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            run(count);
            start.elapsed().as_nanos() as f64 / count as f64
        })
        .collect();
    println!("{{\"name\":\"{name}\",\"median_ns\":{:.1},\"iterations\":{}}}", median(rounds), ROUNDS * count);
}

/// Makes an event.
type Make = fn() -> Event;

fn calls(runtime: &tokio::runtime::Runtime, entry: &Entry, count: usize, event: Make) {
    let origin = Origin { trigger: "bench".into(), source: "inproc".into(), event: "1".into() };
    let receipts: Arc<dyn sandbar_call::Settle> =
        Arc::new(|receipt: Receipt| assert_eq!(receipt.outcome, Outcome::Done, "{receipt:?}"));
    runtime.block_on(async {
        for at in 0..count {
            let id = CallId::new(0, at as u64);
            let call = Call { id, origin: origin.clone(), event: event(), receipts: receipts.clone() };
            read(entry.run(call)).await;
        }
    });
}

async fn read(running: impl Future<Output = Reply>) {
    match running.await {
        Reply::Http(response) => {
            use http_body_util::BodyExt;
            response.into_body().collect().await.unwrap();
        }
        Reply::Output(_) => {}
        other => panic!("{other:?}"),
    }
}

fn double_event() -> Event {
    let input = Body::from(&br#"{"name":"Ada","value":21}"#[..]);
    Event::Export { arguments: Arguments::Stdin(input), context: None }
}

fn hello_event() -> Event {
    let request = http::Request::get("/hello/world").header("host", "localhost").body(Body::Empty).unwrap();
    Event::Http(request)
}
