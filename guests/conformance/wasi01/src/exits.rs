//! How a command ends. `cases.toml` has the code that is expected of each.

use crate::{Case, cases};

pub(crate) const CASES: &[Case] = cases![returns, zero, one, thirty_three, the_largest, traps, yields];

fn returns() {}

fn zero() {
    std::process::exit(0);
}

fn one() {
    std::process::exit(1);
}

fn thirty_three() {
    std::process::exit(33);
}

/// The largest code that WASI 0.1 programs may rely on.
fn the_largest() {
    std::process::exit(125);
}

fn traps() {
    std::process::abort();
}

/// Gives way to others, of whom there are none.
fn yields() {
    for _ in 0..100 {
        // SAFETY: it has no arguments.
        assert_eq!(unsafe { wasi::sched_yield() }, Ok(()));
    }
}
