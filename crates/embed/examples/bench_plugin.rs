//! Measures what calls of plugins cost a host, beside what the same guests cost on plain Wasmtime: `cargo xtask bench plugin` runs
//! it. An argument names the only figure to take. Prints one JSON object a line: the name of a figure, its median and unit.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a bench ends loudly")]

use sandbar_embed::{Cache, Host, Plugin, Policy};
use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

const ROUNDS: usize = 15;
/// Plugins that are held at one time.
const HELD: usize = 1_000;
const ADD: &str =
    r#"(module (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))"#;

fn main() {
    let cache = std::env::temp_dir().join(format!("sandbar-bench-plugin-{}", std::process::id()));
    let host = Host::builder().cache(Some(Cache { folder: cache.clone(), bytes_max: 1 << 30 })).sandboxes_max(1_100);
    let host = host.build().unwrap();
    typed(&host);
    json(&host);
    loads(&host);
    threads(&host);
    held(&host);
    drop(host);
    let _ = fs::remove_dir_all(cache);
}

/// A small typed call.
fn typed(host: &Host) {
    let plugin = host.plugin(ADD.as_bytes().to_vec()).load().unwrap();
    let add = plugin.typed::<(i32, i32), i32>("add").unwrap();
    let engine = wasmtime::Engine::default();
    let module = wasmtime::Module::new(&engine, ADD).unwrap();
    let mut store = wasmtime::Store::new(&engine, ());
    let instance = wasmtime::Instance::new(&mut store, &module, &[]).unwrap();
    let plain = instance.get_typed_func::<(i32, i32), i32>(&mut store, "add").unwrap();
    figure("typed-held", 1_000_000, |count| {
        (0..count).for_each(|at| assert_eq!(add.call((at as i32, 1)).unwrap(), at as i32 + 1))
    });
    figure("typed-wasmtime", 1_000_000, |count| {
        (0..count).for_each(|at| assert_eq!(plain.call(&mut store, (at as i32, 1)).unwrap(), at as i32 + 1));
    });
    figure("json-numbers-held", 200_000, |count| {
        (0..count).for_each(|at| assert_eq!(plugin.call::<i32>("add", &(at as i32, 0)).unwrap(), at as i32));
    });
}

/// 200 bytes of JSON in over stdin, and some out over stdout.
fn json(host: &Host) {
    let guest = fs::read(quickstart().join("users.wasm")).unwrap();
    let users = input();
    let call = |plugin: &Plugin, count| {
        (0..count).for_each(|_| drop(plugin.call_bytes("transform_data", users).unwrap()));
    };
    let policies = [
        ("json-held", Policy::Held),
        ("json-reused", Policy::Reused { sandboxes_max: 1, calls: u64::MAX, idle: Duration::from_secs(60) }),
        ("json-fresh", Policy::Fresh { sandboxes_max: 1 }),
    ];
    for (name, policy) in policies {
        let plugin = host.plugin(guest.clone()).policy(policy).load().unwrap();
        figure(name, 20_000, |count| call(&plugin, count));
    }
    let mut plain = Plain::new(&guest);
    figure("json-guest", 20_000, |count| (0..count).for_each(|_| plain.call(users)));
}

/// A plugin of a guest that was compiled before.
fn loads(host: &Host) {
    let guest = fs::read(quickstart().join("users.wasm")).unwrap();
    let load = || host.plugin(guest.clone()).policy(Policy::Fresh { sandboxes_max: 1 }).load().unwrap();
    figure("load-cached", 500, |count| (0..count).for_each(|_| drop(load())));
    let hold = || host.plugin(guest.clone()).load().unwrap();
    figure("load-cached-held", 500, |count| (0..count).for_each(|_| drop(hold())));
}

/// One plugin with a pool, called by one thread and by eight.
fn threads(host: &Host) {
    let guest = fs::read(quickstart().join("users.wasm")).unwrap();
    let policy = Policy::Reused { sandboxes_max: 8, calls: u64::MAX, idle: Duration::from_secs(60) };
    let plugin = host.plugin(guest).policy(policy).load().unwrap();
    let users = input();
    for (name, threads) in [("pooled-1-thread", 1), ("pooled-8-threads", 8)] {
        figure(name, 40_000, |count| {
            thread::scope(|scope| {
                for _ in 0..threads {
                    let call = || drop(plugin.call_bytes("transform_data", users).unwrap());
                    scope.spawn(move || (0..count / threads).for_each(|_| call()));
                }
            });
        });
    }
}

/// What a plugin that is held takes, beside its guest's own memory.
fn held(host: &Host) {
    if only().is_some_and(|only| only != "held-bytes") {
        return;
    }
    let guest = fs::read(quickstart().join("sensor.wasm")).unwrap();
    let hold = || {
        let plugin = host.plugin(guest.clone()).load().unwrap();
        assert_eq!(plugin.call::<i32>("validate_sensor_reading", &(42,)).unwrap(), 42);
        plugin
    };
    drop(hold());
    let before = resident();
    let plugins: Vec<Plugin> = (0..HELD).map(|_| hold()).collect();
    let each = (resident() - before) / HELD as u64;
    println!("{{\"name\":\"held-bytes\",\"median\":{each},\"unit\":\"B\"}}");
    drop(plugins);
}

fn input() -> &'static [u8] {
    let users = br#"{"users":[{"name":"Ada Lovelace","age":36},{"name":"Tim Berners-Lee","age":19},{"name":"Grace Hopper","age":85},{"name":"Alan Turing","age":41},{"name":"Barbara Liskov","age":17}],"request":"0000001"}"#;
    assert!((190..=210).contains(&users.len()), "{}", users.len());
    users
}

fn quickstart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/quickstart")
}

fn resident() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

fn only() -> Option<String> {
    std::env::args().nth(1).filter(|argument| !argument.starts_with('-'))
}

fn figure(name: &str, count: usize, mut run: impl FnMut(usize)) {
    if only().is_some_and(|only| only != name) {
        return;
    }
    run(count / 10);
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            run(count);
            start.elapsed().as_nanos() as f64 / count as f64
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    println!("{{\"name\":\"{name}\",\"median\":{:.1},\"unit\":\"ns\"}}", rounds[ROUNDS / 2]);
}

/// A guest on plain Wasmtime, with no more of a host than its stdin and stdout: what it takes itself.
struct Plain {
    store: wasmtime::Store<Streams>,
    function: wasmtime::TypedFunc<(), i32>,
}

#[derive(Default)]
struct Streams {
    memory: Option<wasmtime::Memory>,
    input: &'static [u8],
    output: Vec<u8>,
}

impl Plain {
    fn new(guest: &[u8]) -> Plain {
        let engine = wasmtime::Engine::default();
        let module = wasmtime::Module::new(&engine, guest).unwrap();
        let mut linker = wasmtime::Linker::<Streams>::new(&engine);
        let wasi = "wasi_snapshot_preview1";
        type Caller<'a> = wasmtime::Caller<'a, Streams>;
        let read = |mut caller: Caller<'_>, _: i32, iovs: i32, _: i32, done: i32| {
            let memory = caller.data().memory.unwrap();
            let (memory, streams) = memory.data_and_store_mut(&mut caller);
            let (at, len) = (number(memory, iovs), number(memory, iovs + 4));
            let (now, later) = streams.input.split_at(len.min(streams.input.len()));
            memory[at..at + now.len()].copy_from_slice(now);
            streams.input = later;
            memory[done as usize..done as usize + 4].copy_from_slice(&(now.len() as u32).to_le_bytes());
            0
        };
        let write = |mut caller: Caller<'_>, _: i32, iovs: i32, _: i32, done: i32| {
            let memory = caller.data().memory.unwrap();
            let (memory, streams) = memory.data_and_store_mut(&mut caller);
            let (at, len) = (number(memory, iovs), number(memory, iovs + 4));
            streams.output.extend_from_slice(&memory[at..at + len]);
            memory[done as usize..done as usize + 4].copy_from_slice(&(len as u32).to_le_bytes());
            0
        };
        linker.func_wrap(wasi, "fd_read", read).unwrap();
        linker.func_wrap(wasi, "fd_write", write).unwrap();
        linker.define_unknown_imports_as_traps(&module).unwrap();
        let mut store = wasmtime::Store::new(&engine, Streams::default());
        let instance = linker.instantiate(&mut store, &module).unwrap();
        store.data_mut().memory = instance.get_memory(&mut store, "memory");
        if let Ok(initialize) = instance.get_typed_func::<(), ()>(&mut store, "_initialize") {
            initialize.call(&mut store, ()).unwrap();
        }
        let function = instance.get_typed_func::<(), i32>(&mut store, "transform_data").unwrap();
        Plain { store, function }
    }

    fn call(&mut self, input: &'static [u8]) {
        self.store.data_mut().input = input;
        self.store.data_mut().output.clear();
        assert_eq!(self.function.call(&mut self.store, ()).unwrap(), 0);
        assert!(!self.store.data().output.is_empty());
    }
}

fn number(memory: &[u8], at: i32) -> usize {
    let bytes = &memory[at as usize..at as usize + 4];
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize
}
