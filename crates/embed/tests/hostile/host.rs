//! The host's own functions, which are none of the guest's doing.

use sandbar_embed::{Host, HostCall, Outcome, Plugin, Policy, Resource};
use std::{
    fs,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

const BLOCKS: &str = r#"(module (import "env" "block" (func $block)) (func (export "run") (call $block)))"#;
const ANSWERS: &str = r#"(module (func (export "run") (param i32) (result i32) local.get 0))"#;

/// Pass: each call of a function that blocks past its deadline is stopped when the function comes back; meanwhile the other
/// plugins' p99 stays within twice its quiet value; nothing is left behind after 1,000 of them.
#[test]
fn a_function_that_blocks_ends_its_call_and_holds_nobody_else_up() {
    let host = Host::builder().cache(None).sandboxes_max(16).build().unwrap();
    let policies = [
        Policy::Held,
        Policy::Reused { sandboxes_max: 4, calls: 100, idle: Duration::from_secs(1) },
        Policy::Fresh { sandboxes_max: 4 },
    ];
    let block = |policy| {
        let plugin = host.plugin(BLOCKS.as_bytes().to_vec()).policy(policy).within(Duration::from_millis(10));
        plugin.function("env", "block", |_: &mut HostCall<'_>, (): ()| thread::sleep(Duration::from_millis(12)))
    };
    let blocking: Vec<Plugin> = policies.into_iter().map(|policy| block(policy).load().unwrap()).collect();
    let other = host.plugin(ANSWERS.as_bytes().to_vec()).policy(policies[2]).load().unwrap();
    let stopped = |plugin: &Plugin| {
        let error = plugin.call::<()>("run", &()).unwrap_err();
        assert_eq!(error.outcome, Outcome::Stopped { limit: Resource::Wall });
    };
    blocking.iter().for_each(stopped);
    let quiet = p99(&other, 3_000);

    let before = held();
    let over = AtomicBool::new(false);
    let beside = thread::scope(|scope| {
        let blocks: Vec<_> =
            blocking.iter().map(|plugin| scope.spawn(|| (0..340).for_each(|_| stopped(plugin)))).collect();
        let asks = scope.spawn(|| {
            let mut all = Vec::new();
            while !over.load(Relaxed) {
                all.push(p99(&other, 1_000));
            }
            all.sort_unstable();
            all[all.len() / 2]
        });
        blocks.into_iter().for_each(|blocks| blocks.join().unwrap());
        over.store(true, Relaxed);
        asks.join().unwrap()
    });
    assert!(beside <= 2 * quiet.max(Duration::from_micros(100)), "p99 {beside:?}, and {quiet:?} when it is quiet");
    let after = held();
    // The few threads for long calls start when they are first needed; what 1,000 calls left behind would be more.
    assert!(
        after.0 < before.0 + 10 && after.1 < before.1 + 6,
        "descriptors, threads: {before:?} before, {after:?} after"
    );
    assert!(after.2 <= before.2 + (4 << 20), "resident: {} before, {} after", before.2, after.2);
}

fn p99(plugin: &Plugin, calls: usize) -> Duration {
    let call = |_| {
        let began = Instant::now();
        assert_eq!(plugin.call::<i32>("run", &(5,)).unwrap(), 5);
        began.elapsed()
    };
    let mut took: Vec<_> = (0..calls).map(call).collect();
    took.sort_unstable();
    took[calls * 99 / 100]
}

/// Descriptors, threads and resident bytes of this process.
fn held() -> (usize, usize, u64) {
    let count = |folder| fs::read_dir(folder).unwrap().count();
    let statm = fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = statm.split(' ').nth(1).unwrap().parse().unwrap();
    (count("/proc/self/fd"), count("/proc/self/task"), pages * 4096)
}
