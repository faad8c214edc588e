//! Clocks, and waiting for them.

use crate::{Case, cases};
use wasip2::{
    clocks::{
        monotonic_clock::{now, resolution, subscribe_duration, subscribe_instant},
        wall_clock,
    },
    io::poll::poll,
};

pub(crate) const CASES: &[Case] = cases![
    resolutions,
    wall_is_after_2025,
    monotonic_never_goes_back,
    waits_a_while,
    waits_until,
    never_before_its_time,
    is_ready_when_past,
    is_not_ready_before,
    stays_ready,
    the_sooner_of_two,
    one_waited_for_twice,
];

const MILLISECOND: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MILLISECOND;

fn resolutions() {
    assert!((1..=SECOND).contains(&resolution()));
    let wall = wall_clock::resolution();
    assert!(wall.nanoseconds < 1_000_000_000 && (wall.seconds, wall.nanoseconds) != (0, 0), "{wall:?}");
}

fn wall_is_after_2025() {
    let now = wall_clock::now();
    assert!(now.seconds > 1_735_689_600 && now.nanoseconds < 1_000_000_000, "{now:?}");
}

fn monotonic_never_goes_back() {
    let mut last = now();
    for _ in 0..10_000 {
        let next = now();
        assert!(next >= last);
        last = next;
    }
}

fn waits_a_while() {
    let start = now();
    subscribe_duration(20 * MILLISECOND).block();
    assert!(now() >= start + 20 * MILLISECOND);
}

fn waits_until() {
    let then = now() + 20 * MILLISECOND;
    assert_eq!(poll(&[&subscribe_instant(then)]), [0]);
    assert!(now() >= then);
}

/// A time between two readings of a coarse clock counts as it is.
fn never_before_its_time() {
    for odd in [1, 333_333, 500_001, 999_999] {
        let then = now() + 3 * MILLISECOND + odd;
        subscribe_instant(then).block();
        assert!(now() >= then, "{odd}: {} is before {then}", now());
    }
}

fn is_ready_when_past() {
    for timer in [
        subscribe_instant(0),
        subscribe_instant(now()),
        subscribe_instant(now().saturating_sub(1)),
        subscribe_duration(0),
    ] {
        let far = subscribe_duration(60 * SECOND);
        assert_eq!(poll(&[&timer, &far]), [0]);
        timer.block();
    }
}

fn is_not_ready_before() {
    assert!(!subscribe_duration(60 * SECOND).ready());
    assert!(!subscribe_instant(u64::MAX).ready());
    assert!(!subscribe_duration(u64::MAX).ready());
}

fn stays_ready() {
    let timer = subscribe_duration(MILLISECOND);
    for _ in 0..3 {
        timer.block();
        assert!(timer.ready());
    }
}

fn the_sooner_of_two() {
    let (late, soon) = (subscribe_duration(60 * SECOND), subscribe_duration(MILLISECOND));
    assert_eq!(poll(&[&late, &soon]), [1]);
    assert_eq!(poll(&[&soon, &late]), [0]);
}

fn one_waited_for_twice() {
    let timer = subscribe_duration(MILLISECOND);
    assert_eq!(poll(&[&timer, &timer]), [0, 1]);
}
