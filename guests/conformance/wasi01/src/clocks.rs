//! Clocks. Waiting for them is in `polls`.

use crate::{
    Case, cases,
    host::{now, refused, resolution},
};
use wasi::{CLOCKID_MONOTONIC, CLOCKID_PROCESS_CPUTIME_ID, CLOCKID_REALTIME, CLOCKID_THREAD_CPUTIME_ID};

pub(crate) const CASES: &[Case] =
    cases![resolutions, wall_is_after_2025, monotonic_never_goes_back, monotonic_goes_on, cpu_clocks_are_optional];

const SECOND: u64 = 1_000_000_000;

fn resolutions() {
    for clock in [CLOCKID_REALTIME, CLOCKID_MONOTONIC] {
        let nanoseconds = resolution(clock).unwrap();
        assert!((1..=SECOND).contains(&nanoseconds), "{clock:?} {nanoseconds}");
    }
}

fn wall_is_after_2025() {
    let seconds = now(CLOCKID_REALTIME).unwrap() / SECOND;
    assert!(seconds > 1_735_689_600, "{seconds}");
}

fn monotonic_never_goes_back() {
    let mut last = 0;
    for _ in 0..10_000 {
        let next = now(CLOCKID_MONOTONIC).unwrap();
        assert!(next >= last, "{next} came after {last}");
        last = next;
    }
}

fn monotonic_goes_on() {
    let first = now(CLOCKID_MONOTONIC).unwrap();
    let wall = now(CLOCKID_REALTIME).unwrap();
    while now(CLOCKID_MONOTONIC).unwrap() < first + SECOND / 20 {}
    assert!(now(CLOCKID_REALTIME).unwrap() > wall, "the wall clock goes on too");
}

/// A host may have no clock for processor time, and then says so.
fn cpu_clocks_are_optional() {
    for clock in [CLOCKID_PROCESS_CPUTIME_ID, CLOCKID_THREAD_CPUTIME_ID] {
        let without = [wasi::ERRNO_BADF, wasi::ERRNO_INVAL, wasi::ERRNO_NOTSUP];
        match now(clock) {
            Ok(first) => assert!(now(clock).unwrap() >= first),
            refusal => refused(refusal, &without),
        }
    }
}
