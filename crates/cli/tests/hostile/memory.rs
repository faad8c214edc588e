//! Guests that take memory, stack and handles.

use crate::{
    app::{app_folder, finish, guest, guest_file, route, used},
    cases::{Case, check},
};
use std::fs;

#[test]
fn what_takes_too_much_ends_at_its_limit() {
    let case = |name, file, more, status, ends| Case { name, file, more, body: "", status, ends };
    let receipts = check(
        "too-much",
        "",
        &[
            // Growing fails as the guest sees it, and this one goes on well with what it got. It says nothing, though.
            case("grow", "hostile/grow-bomb.wat", r#"limits = { memory = "64MiB" }"#, 500, "failed"),
            case(
                "table",
                "hostile/table-bomb.wat",
                r#"limits = { tables = 100000, wall = "300ms" }"#,
                504,
                "stopped wall",
            ),
            case("recurse", "hostile/recurse.wat", "", 500, "trapped"),
            case("handles", "hostile/components/lots-of-handles.wat", "", 503, "stopped handles"),
            case("trap", "hostile/unreachable.wat", "", 500, "trapped"),
        ],
    );
    assert_eq!(used(&receipts[0], "memory_bytes"), 64 << 20, "{}", receipts[0]);
    assert_eq!(used(&receipts[1], "table_elements"), 100_000, "{}", receipts[1]);
    assert!(used(&receipts[3], "handles") <= 1000, "{}", receipts[3]);
}

/// A terabyte of random bytes is not there, and the host does not try to have it.
#[test]
fn a_terabyte_of_random_bytes_is_not_made() {
    let random = guest_file("hostile/components/random-terabyte.wat");
    let finished = finish(["run", "--random", random.to_str().unwrap()], b"");
    assert!(matches!(finished.code(), Some(124 | 134)), "{finished:?}");
    assert!(!finished.stderr_text().contains("panicked"), "{}", finished.stderr_text());
}

/// What a guest starts with is known before it runs: an app that holds such a guest is not served.
#[test]
fn what_starts_too_large_is_refused_at_load() {
    let folder = app_folder("too-large-text", "");
    let written = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let table64 = written("table64.wat", "(module (table i64 0xffffffffffffff funcref) (func (export \"_start\")))");
    let memory64 = written("memory64.wat", "(module (memory i64 0x1000000000000) (func (export \"_start\")))");
    let sum = written("sum.wat", "(module (memory 1024) (memory 1024) (memory 1024) (func (export \"_start\")))");
    for (file, says) in [
        ("hostile/big-initial.wat", "starts with 4294967296 of `memory`, its limit is 134217728"),
        ("hostile/big-table.wat", "starts with 10000000 of `tables`, its limit is 100000"),
        (&table64, "`tables`"),
        (&memory64, "`memory`"),
        (&sum, "starts with 201326592 of `memory`, its limit is 134217728"),
        // A hundred instances with a memory each.
        ("hostile/components/many-memories.wat", "100"),
    ] {
        let tables = guest("large", file, "") + &route("/", "large");
        let folder = app_folder("too-large", &tables);
        let finished = finish(["up".as_ref(), folder.as_os_str(), "--listen=127.0.0.1:0".as_ref()], b"");
        assert_eq!(finished.code(), Some(65), "{file}: {}", finished.stderr_text());
        assert!(finished.stderr_text().contains(says), "{file}: {}", finished.stderr_text());
    }
}
