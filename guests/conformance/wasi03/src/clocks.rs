//! Clocks, and waiting for them.

use crate::{
    Case,
    both::{at_once, both},
    cases,
};
use wasip3::clocks::{
    monotonic_clock::{get_resolution, now, wait_for, wait_until},
    system_clock,
};

pub(crate) const CASES: &[Case] = cases![
    resolutions,
    wall_is_after_2025,
    monotonic_never_goes_back,
    waits_a_while,
    waits_until,
    never_before_its_time,
    at_once_when_past,
    not_before,
    many_in_their_order,
    two_at_one_time,
    given_up,
];

const MILLISECOND: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MILLISECOND;

async fn resolutions() {
    assert!((1..=SECOND).contains(&get_resolution()));
    assert!((1..=SECOND).contains(&system_clock::get_resolution()));
}

async fn wall_is_after_2025() {
    let now = system_clock::now();
    assert!(now.seconds > 1_735_689_600 && now.nanoseconds < 1_000_000_000, "{now:?}");
}

async fn monotonic_never_goes_back() {
    let mut last = now();
    for _ in 0..10_000 {
        let next = now();
        assert!(next >= last);
        last = next;
    }
}

async fn waits_a_while() {
    for time in [MILLISECOND, 10 * MILLISECOND] {
        let start = now();
        wait_for(time).await;
        assert!(now() >= start + time);
    }
}

async fn waits_until() {
    for time in [MILLISECOND, 10 * MILLISECOND] {
        let then = now() + time;
        wait_until(then).await;
        assert!(now() >= then);
    }
}

/// A time between two readings of a coarse clock counts as it is.
async fn never_before_its_time() {
    for odd in [1, 333_333, 500_001, 999_999] {
        let then = now() + 3 * MILLISECOND + odd;
        wait_until(then).await;
        assert!(now() >= then, "{odd}: {} is before {then}", now());
    }
}

async fn at_once_when_past() {
    assert_eq!(at_once(wait_until(now())), Some(()));
    assert_eq!(at_once(wait_until(now().saturating_sub(1))), Some(()));
    assert_eq!(at_once(wait_until(0)), Some(()));
    assert_eq!(at_once(wait_for(0)), Some(()));
}

async fn not_before() {
    assert_eq!(at_once(wait_for(60 * SECOND)), None);
    assert_eq!(at_once(wait_for(u64::MAX)), None);
    assert_eq!(at_once(wait_until(u64::MAX)), None);
}

/// Of many waits each is over when a later one is.
async fn many_in_their_order() {
    const OFFSETS: [i64; 12] = [
        6_628_081, 851_815, -1_206_606, 8_926_559, 2_828_840, 4_561_077, 5_375_188, -3_972_826, 2_403_137, -561_642,
        9_966_678, 2_012_267,
    ];
    let start = now();
    let times = OFFSETS.map(|offset| start.saturating_add_signed(offset));
    let mut waits: Vec<_> = times.iter().map(|&time| Some(Box::pin(wait_until(time)))).collect();
    for at in 0..times.len() {
        let Some(wait) = waits[at].take() else { continue };
        wait.await;
        assert!(now() >= times[at], "{at}");
        for (later, wait) in waits.iter_mut().enumerate() {
            if times[later] <= times[at]
                && let Some(wait) = wait.take()
            {
                assert_eq!(at_once(wait), Some(()), "{later} is over before {at}");
            }
        }
    }
}

async fn two_at_one_time() {
    let start = now();
    both(wait_for(50 * MILLISECOND), wait_for(50 * MILLISECOND)).await;
    assert!(now() >= start + 50 * MILLISECOND);
}

/// A wait that nobody is interested in any more ends there.
async fn given_up() {
    for _ in 0..100 {
        assert_eq!(at_once(wait_for(60 * SECOND)), None);
    }
    wait_for(MILLISECOND).await;
}
