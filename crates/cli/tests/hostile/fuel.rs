//! Instructions and calls of the host that take long for the fuel that they cost.
//!
//! Each runs in a loop until its fuel is used up, and the receipt says what processor time that bought. Compared are the best
//! of a few runs: another program on the machine makes one slower, and none makes one faster.

use crate::app::{empty_folder, finish};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    thread,
};

/// What each may use. It takes some milliseconds, beside which a start counts little.
const FUEL: u64 = 20_000_000;
const RUNS: usize = 4;
/// How often what seems to take too long is run again, since the machine may have been busy.
const AGAIN: usize = 20;
/// How much more time a unit may buy of one than of another.
const RATIO_MAX: f64 = 10.0;

/// How an instruction is asked for again and again, so that each waits for the one before and none can be left out: `TYPE`
/// stands for its type, `OP` for its name and `ADD` for the type's addition.
const UNARY: &str = "local.get $TYPE OP local.get $TYPE-next ADD local.set $TYPE";
const BINARY: &str = "local.get $TYPE local.get $TYPE-next OP local.get $TYPE-large ADD local.set $TYPE";
const COMPARISON: &str = "local.get $TYPE local.get $TYPE-large OP CONVERT local.get $TYPE-next ADD local.set $TYPE";
const DIVISION: &str = "local.get $TYPE-large local.get $TYPE TYPE.const 1 TYPE.or OP local.set $TYPE";
const QUOTIENT: &str = "local.get $TYPE-large local.get $TYPE OP local.set $TYPE";

/// Instructions by how they are asked for.
const OPERATORS: &[(&str, &str, &str)] = &[
    ("i32", UNARY, "clz ctz popcnt eqz extend8_s extend16_s"),
    ("i32", BINARY, "add sub mul and or xor shl shr_s shr_u rotl rotr"),
    ("i32", COMPARISON, "eq ne lt_s gt_u le_s ge_u"),
    ("i32", DIVISION, "div_s div_u rem_s rem_u"),
    ("i64", UNARY, "clz ctz popcnt extend8_s extend16_s extend32_s"),
    ("i64", BINARY, "add sub mul and or xor shl shr_s shr_u rotl rotr"),
    ("i64", COMPARISON, "eq ne lt_s gt_u le_s ge_u"),
    ("i64", DIVISION, "div_s div_u rem_s rem_u"),
    ("f32", UNARY, "abs ceil floor trunc nearest sqrt"),
    ("f32", BINARY, "add sub mul min max copysign"),
    ("f32", QUOTIENT, "div"),
    ("f64", UNARY, "abs ceil floor trunc nearest sqrt"),
    ("f64", BINARY, "add sub mul min max copysign"),
    ("f64", QUOTIENT, "div"),
    ("v128", UNARY, "i8x16.popcnt i8x16.abs f32x4.nearest f32x4.sqrt f64x2.sqrt i32x4.trunc_sat_f32x4_u"),
    (
        "v128",
        BINARY,
        "v128.xor i8x16.add i8x16.swizzle i16x8.mul i32x4.mul i64x2.mul i32x4.dot_i16x8_s i8x16.avgr_u f64x2.mul f64x2.max",
    ),
    ("v128", QUOTIENT, "f32x4.div f64x2.div"),
];

/// What fits no pattern. Locals and constants are not here: they become no code. `AT` stands for another number in each
/// repetition: of two stores to one place a compiler leaves the first one out.
const OTHERS: &[(&str, &str)] = &[
    ("nothing", ""),
    ("select", "local.get $i32 local.get $i32-next local.get $i32 select local.get $i32-large i32.add local.set $i32"),
    ("br_if", "block local.get $i32 br_if 0 i32.const AT local.set $i32-next end"),
    ("if", "local.get $zero if local.get $i32 local.set $i32-next end"),
    ("br_table", "block block block local.get $zero br_table 0 1 2 end end end"),
    ("global", "global.get $global i32.const 3 i32.mul local.get $i32 i32.add global.set $global"),
    ("call", "call $empty"),
    (
        "call-eight",
        "local.get $i32 local.get $i32 local.get $i32 local.get $i32 local.get $i32 local.get $i32 local.get $i32 local.get $i32 call $eight local.set $i32",
    ),
    ("return_call", "call $passes-on"),
    ("call_indirect", "local.get $zero call_indirect"),
    ("ref.func", "ref.func $empty drop"),
    ("table.get", "local.get $zero table.get 0 ref.is_null local.set $i32"),
    ("table.set", "i32.const AT ref.null func table.set 1"),
    ("table.grow", "ref.null func i32.const 0 table.grow 1 drop"),
    ("table.fill-0", "i32.const 0 ref.null func local.get $zero table.fill 1"),
    ("table.fill-1000", "i32.const 0 ref.null func i32.const 1000 table.fill 1"),
    ("table.copy-0", "i32.const 0 i32.const 0 local.get $zero table.copy 1 1"),
    ("table.copy-1000", "i32.const 0 i32.const 1000 i32.const 1000 table.copy 1 1"),
    ("table.init-100", "i32.const 0 i32.const 0 i32.const 100 table.init 1 $many"),
    ("load", "local.get $zero i32.load local.set $zero"),
    ("load-i64", "local.get $zero i64.load offset=AT local.get $i64 i64.add local.set $i64"),
    ("store", "local.get $zero local.get $i32 i32.store offset=10AT"),
    ("store-v128", "local.get $zero local.get $v128 v128.store offset=10AT"),
    ("memory.size", "memory.size local.get $i32 i32.add local.set $i32"),
    ("memory.grow", "i32.const 0 memory.grow drop"),
    ("memory.fill-0", "i32.const 64 i32.const 1 local.get $zero memory.fill"),
    ("memory.fill-100", "i32.const 64 i32.const 1 local.get $zero i32.const 100 i32.add memory.fill"),
    ("memory.fill-million", "i32.const 64 i32.const 1 i32.const 1000000 memory.fill"),
    ("memory.copy-0", "i32.const 64 i32.const 1024 local.get $zero memory.copy"),
    ("memory.copy-100", "i32.const 64 i32.const 1024 local.get $zero i32.const 100 i32.add memory.copy"),
    ("memory.copy-million", "i32.const 64 i32.const 1000100 i32.const 1000000 memory.copy"),
    ("memory.init-100", "i32.const 1024 i32.const 0 local.get $zero i32.const 100 i32.add memory.init $bytes"),
    ("trunc_f32", "local.get $f32 i32.trunc_f32_s f32.convert_i32_s local.set $f32"),
    ("trunc_f64", "local.get $f64 i64.trunc_f64_u f64.convert_i64_u local.set $f64"),
    ("trunc_sat_f32", "local.get $f32 i64.trunc_sat_f32_u f32.convert_i64_u local.set $f32"),
    ("trunc_sat_f64", "local.get $f64 i32.trunc_sat_f64_s f64.convert_i32_s local.set $f64"),
    ("demote", "local.get $f64 f32.demote_f64 f64.promote_f32 local.set $f64"),
    ("host-sched_yield", "call $sched_yield drop"),
    ("host-clock_time_get", "i32.const 1 i64.const 1 i32.const 64 call $clock_time_get drop"),
    ("host-environ_sizes_get", "i32.const 64 i32.const 68 call $environ_sizes_get drop"),
    ("host-fd_fdstat_get", "i32.const 1 i32.const 64 call $fd_fdstat_get drop"),
    ("host-fd_write", "i32.const 1 i32.const 16 i32.const 1 i32.const 64 call $fd_write drop"),
    ("host-fd_write-none", "i32.const 1 i32.const 16 i32.const 0 i32.const 64 call $fd_write drop"),
    ("host-random_get-8", "i32.const 64 i32.const 8 call $random_get drop"),
    ("host-random_get-60000", "i32.const 64 i32.const 60000 call $random_get drop"),
    (
        "host-path_filestat_get",
        "i32.const 3 i32.const 0 i32.const 32 i32.const 1 i32.const 64 call $path_filestat_get drop",
    ),
    (
        "host-path_open-nothing",
        "i32.const 3 i32.const 0 i32.const 33 i32.const 1 i32.const 0 i64.const 0 i64.const 0 i32.const 0 i32.const 64 call $path_open drop",
    ),
];

/// How often each stands in its loop.
const UNROLLED: usize = 16;

const HEAD: &str = r#"
    (import "wasi_snapshot_preview1" "sched_yield" (func $sched_yield (result i32)))
    (import "wasi_snapshot_preview1" "clock_time_get" (func $clock_time_get (param i32 i64 i32) (result i32)))
    (import "wasi_snapshot_preview1" "environ_sizes_get" (func $environ_sizes_get (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_fdstat_get" (func $fd_fdstat_get (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "random_get" (func $random_get (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "path_filestat_get"
        (func $path_filestat_get (param i32 i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "path_open"
        (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
    (memory (export "memory") 32 33)
    ;; A list of one buffer of one byte, and the names of a file that is there and of one that is not.
    (data (i32.const 16) "\20\00\00\00\01\00\00\00")
    (data (i32.const 32) "fn")
    (data $bytes "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789")
    (table 1 funcref)
    (table 2000 funcref)
    (elem (i32.const 0) $empty)
    (global $global (mut i32) (i32.const 0))
    (func $empty)
    (func $passes-on return_call $empty)
    (func $eight (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32) local.get 7)
"#;

const LOCALS: &str = r"(param $zero i32) (result i32)
    (local $i32 i32) (local $i32-next i32) (local $i32-large i32) (local $i64 i64) (local $i64-next i64) (local $i64-large i64)
    (local $f32 f32) (local $f32-next f32) (local $f32-large f32) (local $f64 f64) (local $f64-next f64) (local $f64-large f64)
    (local $v128 v128) (local $v128-next v128) (local $v128-large v128)
    ;; The first touch of a page is in no count of instructions.
    (i32.store offset=64 (local.get $zero) (i32.const 1))
    (local.set $i32 (i32.add (local.get $zero) (i32.const 3)))
    (local.set $i32-next (i32.add (local.get $zero) (i32.const 7)))
    (local.set $i32-large (i32.add (local.get $zero) (i32.const 2000000011)))
    (local.set $i64 (i64.extend_i32_u (local.get $i32)))
    (local.set $i64-next (i64.extend_i32_u (local.get $i32-next)))
    (local.set $i64-large (i64.mul (i64.extend_i32_u (local.get $i32-large)) (i64.const 4294967311)))
    (local.set $f32 (f32.add (f32.convert_i32_u (local.get $zero)) (f32.const 3.5)))
    (local.set $f32-next (f32.add (f32.convert_i32_u (local.get $zero)) (f32.const 1.25)))
    (local.set $f32-large (f32.add (f32.convert_i32_u (local.get $zero)) (f32.const 12345.678)))
    (local.set $f64 (f64.promote_f32 (local.get $f32)))
    (local.set $f64-next (f64.promote_f32 (local.get $f32-next)))
    (local.set $f64-large (f64.promote_f32 (local.get $f32-large)))
    (local.set $v128 (f32x4.splat (local.get $f32)))
    (local.set $v128-next (f64x2.splat (local.get $f64-next)))
    (local.set $v128-large (f64x2.splat (local.get $f64-large)))";

/// Each instruction by the name of the export that runs it, and how it is asked for once.
fn cases() -> Vec<(String, String)> {
    let mut cases = Vec::new();
    for (ty, asked, names) in OPERATORS {
        for name in names.split(' ') {
            let operator = if name.contains('.') { name.to_owned() } else { format!("{ty}.{name}") };
            let add = if *ty == "v128" { "i32x4.add" } else { "TYPE.add" };
            let convert = if *ty == "i64" { "i64.extend_i32_u" } else { "" };
            let body =
                asked.replace("ADD", add).replace("TYPE", ty).replace("OP", &operator).replace("CONVERT", convert);
            cases.push((operator, body));
        }
    }
    cases.extend(OTHERS.iter().map(|(name, body)| ((*name).to_owned(), (*body).to_owned())));
    cases
}

/// One guest with an export for each of them that never ends.
fn guest(folder: &Path, cases: &[(String, String)]) -> PathBuf {
    let mut text = format!("(module {HEAD} (elem $many func {})\n", "$empty ".repeat(100));
    for (name, body) in cases {
        let bodies =
            (0..if body.is_empty() { 0 } else { UNROLLED }).map(|at| body.replace("AT", &(8 * at).to_string()));
        let body = bodies.collect::<Vec<_>>().join("\n");
        text += &format!("(func (export \"{name}\") {LOCALS} loop $again {body} br $again end unreachable)\n");
    }
    let path = folder.join("costs.wat");
    fs::write(&path, text + ")").unwrap();
    path
}

/// What time a unit of fuel buys, in nanoseconds.
fn unit_ns(folder: &Path, guest: &Path, export: &str, run: usize) -> f64 {
    let (receipt, fuel) = (folder.join(format!("{export}-{run}")), FUEL.to_string());
    let granted = format!("{}::/data", folder.display());
    let (guest, told) = (guest.display().to_string(), receipt.display().to_string());
    let flags = ["--random", "--dir", &granted, "--fuel", &fuel, "--receipt", &told];
    let finished = finish([&["call", &guest, export, "0"], &flags[..]].concat(), b"");
    let receipt = fs::read_to_string(&receipt);
    let receipt = receipt.unwrap_or_else(|error| panic!("{export}: {error}: {}", finished.stderr_text()));
    let receipt: Value = serde_json::from_str(&receipt).unwrap();
    assert_eq!(crate::app::ended(&receipt), "stopped fuel", "{export}: {receipt}");
    assert_eq!(crate::app::used(&receipt, "fuel"), FUEL, "{export}: {receipt}");
    crate::app::used(&receipt, "cpu_ns") as f64 / FUEL as f64
}

/// The time that a unit of fuel buys stays within a factor over all instructions and calls of the host.
#[test]
fn fuel_buys_like_time_for_everything() {
    let (folder, cases) = (empty_folder("fuel"), cases());
    fs::write(folder.join("f"), "x").unwrap();
    let guest = guest(&folder, &cases);
    let next = AtomicUsize::new(0);
    let measured = || {
        let mut measured = Vec::new();
        while let Some((name, _)) = cases.get(next.fetch_add(1, Relaxed)) {
            let runs = (0..RUNS).map(|run| unit_ns(&folder, &guest, name, run));
            measured.push((runs.fold(f64::INFINITY, f64::min), name.as_str()));
        }
        measured
    };
    // The first compiles the guest for all.
    unit_ns(&folder, &guest, "nothing", RUNS);
    let mut units: Vec<(f64, &str)> = thread::scope(|scope| {
        let threads: Vec<_> = (0..2).map(|_| scope.spawn(measured)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let sort = |units: &mut Vec<(f64, &str)>| units.sort_by(|one, other| one.0.total_cmp(&other.0));
    sort(&mut units);
    let least = units[0].0;
    for (ns, name) in &mut units {
        for run in 0..AGAIN {
            if *ns > least * RATIO_MAX {
                *ns = ns.min(unit_ns(&folder, &guest, name, RUNS + run));
            }
        }
    }
    sort(&mut units);
    let most = units[units.len() - 1].0;
    let listed: Vec<String> = units.iter().map(|(ns, name)| format!("{ns:.3} ns {name}")).collect();
    if std::env::var_os("SANDBAR_FUEL_COSTS").is_some() {
        eprintln!("{}", listed.join("\n"));
    }
    let ratio = most / least;
    assert!(ratio <= RATIO_MAX, "a unit buys {ratio:.1} times as much of one as of another:\n{}", listed.join("\n"));
}
