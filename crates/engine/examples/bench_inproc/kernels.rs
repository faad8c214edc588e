//! Compute-bound guests: twelve kernels natively, on plain Wasmtime, and as guests with deadlines and with fuel.

use crate::{bind, median};
use sandbar_call::Limits;
use sandbar_engine::{Engine, Fuel, Guest, Held, Policy};
use std::{path::Path, time::Instant};

/// Calls a kernel with a size.
type Run<'a> = Box<dyn FnMut(&str, u32) -> u64 + 'a>;

/// Runs every kernel everywhere, round by round, and prints one line for each.
pub(crate) fn measure(runtime: &tokio::runtime::Runtime, engine: &Engine, rounds: usize) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../guests/target/sandbar/kernels.wasm");
    let guest = Guest::from_file("kernels", &file).unwrap();
    let held = |fuel| {
        let program = bind(engine, &guest, Limits::NONE, Policy::Held, fuel);
        runtime.block_on(program.hold()).unwrap()
    };
    let (metered, fueled) = (held(Fuel::WhereLimited), held(Fuel::Always));
    let native = |name: &str, size: u32| {
        let (_, kernel, _) = kernels::KERNELS.iter().find(|(found, ..)| *found == name).unwrap();
        kernel(std::hint::black_box(size))
    };
    let mut contestants: [(&str, Run<'_>); 4] = [
        ("native_ns", Box::new(native)),
        ("wasmtime_ns", plain(&file)),
        ("sandbar_ns", sandbar(metered)),
        ("sandbar_fuel_ns", sandbar(fueled)),
    ];
    for (name, _, size) in kernels::KERNELS {
        let mut taken = contestants.each_ref().map(|_| Vec::new());
        let mut sums = Vec::new();
        for _ in 0..rounds {
            for ((_, run), taken) in contestants.iter_mut().zip(&mut taken) {
                let start = Instant::now();
                sums.push(run(name, *size));
                taken.push(start.elapsed().as_nanos() as f64);
            }
        }
        sums.dedup();
        assert_eq!(sums.len(), 1, "`{name}` gives the same everywhere");
        let medians = contestants.iter().zip(taken).map(|((key, _), taken)| format!("\"{key}\":{:.0}", median(taken)));
        println!("{{\"kernel\":\"{name}\",{}}}", medians.collect::<Vec<_>>().join(","));
    }
}

fn plain(file: &Path) -> Run<'static> {
    let engine = wasmtime::Engine::default();
    let module = wasmtime::Module::from_file(&engine, file).unwrap();
    let mut store = wasmtime::Store::new(&engine, ());
    let instance = wasmtime::Instance::new(&mut store, &module, &[]).unwrap();
    Box::new(move |name, size| {
        let call = instance.get_typed_func::<u32, u64>(&mut store, name).unwrap();
        call.call(&mut store, size).unwrap()
    })
}

fn sandbar(mut held: Held) -> Run<'static> {
    Box::new(move |name, size| {
        let call = held.typed::<u32, u64>(name).unwrap();
        held.call(&call, size).unwrap()
    })
}
