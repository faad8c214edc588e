//! Standard input, output and error. Each is a pipe; what comes on stdin, and is expected on stdout, is in `cases.toml`.

use crate::{Case, cases, folder::to_the_end};
use wasip2::{
    cli::{stderr, stdin, stdout, terminal_stderr, terminal_stdin, terminal_stdout},
    clocks::monotonic_clock::subscribe_duration,
    io::{poll::poll, streams::StreamError},
};

pub(crate) const CASES: &[Case] = cases![output, errors, input, input_at_its_end, input_that_never_comes, no_terminal];

fn output() {
    let out = stdout::get_stdout();
    assert!(out.check_write().unwrap() >= 5);
    out.write(b"hello").unwrap();
    out.blocking_flush().unwrap();
    // Two handles write to one stream, in order.
    stdout::get_stdout().blocking_write_and_flush(b", world").unwrap();
}

fn errors() {
    stderr::get_stderr().blocking_write_and_flush(b"hello").unwrap();
}

fn input() {
    let input = stdin::get_stdin();
    input.subscribe().block();
    assert_eq!(to_the_end(&input), b"some input\n");
}

fn input_at_its_end() {
    let input = stdin::get_stdin();
    input.subscribe().block();
    for _ in 0..3 {
        assert!(matches!(input.blocking_read(1), Err(StreamError::Closed)));
    }
}

fn input_that_never_comes() {
    let input = stdin::get_stdin();
    assert_eq!(input.read(10).unwrap(), b"", "to read is not to wait");
    let timer = subscribe_duration(50_000_000);
    assert_eq!(poll(&[&input.subscribe(), &timer]), [1]);
}

fn no_terminal() {
    assert!(terminal_stdin::get_terminal_stdin().is_none());
    assert!(terminal_stdout::get_terminal_stdout().is_none());
    assert!(terminal_stderr::get_terminal_stderr().is_none());
}
