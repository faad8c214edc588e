//! Waiting for clocks and descriptors.

use crate::{
    Case, cases,
    host::{READ, ROOT, close, create, now, open_for, poll, refused, rest},
};
use wasi::{
    CLOCKID_MONOTONIC, CLOCKID_REALTIME, Clockid, Event, FD_STDERR, FD_STDIN, FD_STDOUT, Fd, Subscription,
    SubscriptionClock, SubscriptionFdReadwrite, SubscriptionU, SubscriptionUU,
};

/// `stdin_…` want what `cases.toml` gives them.
pub(crate) const CASES: &[Case] = cases![
    nothing,
    a_while,
    until,
    until_what_is_past,
    a_while_of_wall_clock,
    until_a_wall_clock_time,
    the_sooner_of_two,
    stdin_with_input,
    stdin_at_its_end,
    stdin_without_input,
    stdout_and_stderr,
    files,
    closed_descriptors,
];

const MILLISECOND: u64 = 1_000_000;

fn nothing() {
    refused(poll(&[]), &[wasi::ERRNO_INVAL]);
}

fn a_while() {
    for clock_count in [1, 2] {
        let start = now(CLOCKID_MONOTONIC).unwrap();
        let waits: Vec<_> = (0..clock_count).map(|id| clock(id, CLOCKID_MONOTONIC, 20 * MILLISECOND, 0)).collect();
        let events = poll(&waits).unwrap();
        is_clock(&events[0], 0);
        assert!(now(CLOCKID_MONOTONIC).unwrap() >= start + 20 * MILLISECOND);
    }
    is_clock(&poll(&[clock(7, CLOCKID_MONOTONIC, 0, 0)]).unwrap()[0], 7);
}

fn until() {
    let then = now(CLOCKID_MONOTONIC).unwrap() + 20 * MILLISECOND + 7;
    let events = poll(&[clock(1, CLOCKID_MONOTONIC, then, wasi::SUBCLOCKFLAGS_SUBSCRIPTION_CLOCK_ABSTIME)]).unwrap();
    is_clock(&events[0], 1);
    assert!(now(CLOCKID_MONOTONIC).unwrap() >= then, "a wait never ends before the clock says so");
}

fn until_what_is_past() {
    for (id, then) in [(CLOCKID_MONOTONIC, 0), (CLOCKID_REALTIME, 0), (CLOCKID_REALTIME, 1_000_000_000)] {
        let events = poll(&[clock(1, id, then, wasi::SUBCLOCKFLAGS_SUBSCRIPTION_CLOCK_ABSTIME)]).unwrap();
        is_clock(&events[0], 1);
    }
}

fn a_while_of_wall_clock() {
    let start = now(CLOCKID_MONOTONIC).unwrap();
    is_clock(&poll(&[clock(1, CLOCKID_REALTIME, 20 * MILLISECOND, 0)]).unwrap()[0], 1);
    assert!(now(CLOCKID_MONOTONIC).unwrap() >= start + 19 * MILLISECOND);
}

fn until_a_wall_clock_time() {
    let then = now(CLOCKID_REALTIME).unwrap() + 20 * MILLISECOND;
    poll(&[clock(1, CLOCKID_REALTIME, then, wasi::SUBCLOCKFLAGS_SUBSCRIPTION_CLOCK_ABSTIME)]).unwrap();
    assert!(now(CLOCKID_REALTIME).unwrap() + MILLISECOND >= then);
}

fn the_sooner_of_two() {
    let waits = [clock(1, CLOCKID_MONOTONIC, 60_000 * MILLISECOND, 0), clock(2, CLOCKID_MONOTONIC, MILLISECOND, 0)];
    let events = poll(&waits).unwrap();
    assert_eq!(events.len(), 1);
    is_clock(&events[0], 2);
}

fn stdin_with_input() {
    let events = poll(&[readable(1, FD_STDIN), clock(2, CLOCKID_MONOTONIC, 30_000 * MILLISECOND, 0)]).unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!(
        (events[0].userdata, events[0].error, events[0].type_),
        (1, wasi::ERRNO_SUCCESS, wasi::EVENTTYPE_FD_READ)
    );
    assert_eq!(rest(FD_STDIN), b"some input\n");
}

/// An end is something to read.
fn stdin_at_its_end() {
    let events = poll(&[readable(1, FD_STDIN), clock(2, CLOCKID_MONOTONIC, 30_000 * MILLISECOND, 0)]).unwrap();
    assert_eq!((events.len(), events[0].userdata), (1, 1));
}

/// Input that never comes doesn't hold a wait up.
fn stdin_without_input() {
    let events = poll(&[clock(2, CLOCKID_MONOTONIC, 50 * MILLISECOND, 0), readable(1, FD_STDIN)]).unwrap();
    assert!(!events.is_empty());
    for event in events {
        assert_eq!(event.error, wasi::ERRNO_SUCCESS);
        assert!([(1, wasi::EVENTTYPE_FD_READ), (2, wasi::EVENTTYPE_CLOCK)].contains(&(event.userdata, event.type_)));
    }
}

fn stdout_and_stderr() {
    let mut waiting = vec![(1, FD_STDOUT), (2, FD_STDERR)];
    while !waiting.is_empty() {
        let mut waits: Vec<_> = waiting.iter().map(|&(id, fd)| writable(id, fd)).collect();
        waits.push(clock(9, CLOCKID_MONOTONIC, 30_000 * MILLISECOND, 0));
        for event in poll(&waits).unwrap() {
            assert_eq!((event.error, event.type_), (wasi::ERRNO_SUCCESS, wasi::EVENTTYPE_FD_WRITE));
            waiting.retain(|&(id, _)| id != event.userdata);
        }
    }
}

/// Files never keep anyone waiting.
fn files() {
    let (a, file) = (open_for(ROOT, "a.txt", READ), create(ROOT, "file"));
    let waits = [readable(1, a), writable(2, file), clock(3, CLOCKID_MONOTONIC, 30_000 * MILLISECOND, 0)];
    let events = poll(&waits).unwrap();
    assert!(!events.is_empty() && events.iter().all(|event| event.userdata != 3));
}

/// A wait for a descriptor that is none is an error, of the call or of the event.
fn closed_descriptors() {
    let fd = open_for(ROOT, "a.txt", READ);
    close(fd).unwrap();
    match poll(&[readable(1, fd), clock(2, CLOCKID_MONOTONIC, 30_000 * MILLISECOND, 0)]) {
        Ok(events) => assert_eq!((events[0].userdata, events[0].error), (1, wasi::ERRNO_BADF)),
        refusal => refused(refusal, &[wasi::ERRNO_BADF]),
    }
}

#[track_caller]
fn is_clock(event: &Event, userdata: u64) {
    assert_eq!((event.userdata, event.error, event.type_), (userdata, wasi::ERRNO_SUCCESS, wasi::EVENTTYPE_CLOCK));
}

fn clock(userdata: u64, id: Clockid, timeout: u64, flags: u16) -> Subscription {
    let clock = SubscriptionClock { id, timeout, precision: 0, flags };
    Subscription { userdata, u: SubscriptionU { tag: wasi::EVENTTYPE_CLOCK.raw(), u: SubscriptionUU { clock } } }
}

fn readable(userdata: u64, file_descriptor: Fd) -> Subscription {
    let fd_read = SubscriptionFdReadwrite { file_descriptor };
    Subscription { userdata, u: SubscriptionU { tag: wasi::EVENTTYPE_FD_READ.raw(), u: SubscriptionUU { fd_read } } }
}

fn writable(userdata: u64, file_descriptor: Fd) -> Subscription {
    let fd_write = SubscriptionFdReadwrite { file_descriptor };
    Subscription { userdata, u: SubscriptionU { tag: wasi::EVENTTYPE_FD_WRITE.raw(), u: SubscriptionUU { fd_write } } }
}
