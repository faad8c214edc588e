//! Standard input, output and error. Each is a pipe; what comes on stdin, and is expected on stdout, is in `cases.toml`.

use crate::{Case, both::both, cases};
use wasip3::{
    cli::{stderr, stdin, stdout, terminal_stderr, terminal_stdin, terminal_stdout},
    clocks::monotonic_clock::wait_for,
    wit_bindgen::rt::async_support::StreamResult,
    wit_stream,
};

pub(crate) const CASES: &[Case] = cases![
    output,
    output_again,
    output_goes_out_at_once,
    errors,
    input,
    input_at_its_end,
    input_that_nobody_reads,
    no_terminal,
];

async fn output() {
    let (mut sender, receiver) = wit_stream::new();
    let written = stdout::write_via_stream(receiver);
    let send = async {
        let (result, left) = sender.write(b"hello".to_vec()).await;
        assert_eq!((result, left.remaining()), (StreamResult::Complete(5), 0));
        drop(sender);
    };
    both(send, written).await.1.unwrap();
}

/// One stream after the other goes to one output.
async fn output_again() {
    for piece in ["hello", ", ", "world"] {
        let (mut sender, receiver) = wit_stream::new();
        let written = stdout::write_via_stream(receiver);
        let send = async {
            assert!(sender.write_all(piece.into()).await.is_empty());
            drop(sender);
        };
        both(send, written).await.1.unwrap();
    }
}

/// Whoever reads has it before the stream ends: it answers, and only then this goes on.
async fn output_goes_out_at_once() {
    let (mut sender, receiver) = wit_stream::new();
    let written = stdout::write_via_stream(receiver);
    let talk = async {
        assert!(sender.write_all(b"ready".to_vec()).await.is_empty());
        let (mut input, ended) = stdin::read_via_stream();
        let (result, answer) = input.read(Vec::with_capacity(1)).await;
        assert_eq!((result, answer.as_slice()), (StreamResult::Complete(1), &b"x"[..]));
        drop(input);
        ended.await.unwrap();
        drop(sender);
    };
    both(talk, written).await.1.unwrap();
}

async fn errors() {
    let (mut sender, receiver) = wit_stream::new();
    let written = stderr::write_via_stream(receiver);
    let send = async {
        assert!(sender.write_all(b"hello".to_vec()).await.is_empty());
        drop(sender);
    };
    both(send, written).await.1.unwrap();
}

async fn input() {
    let (input, ended) = stdin::read_via_stream();
    assert_eq!(input.collect().await, b"some input\n");
    ended.await.unwrap();
}

async fn input_at_its_end() {
    for _ in 0..3 {
        let (input, ended) = stdin::read_via_stream();
        assert_eq!(input.collect().await, b"");
        ended.await.unwrap();
    }
}

/// Input that never comes holds nothing up, and not to read it is no error.
async fn input_that_nobody_reads() {
    let (input, ended) = stdin::read_via_stream();
    drop(input);
    ended.await.unwrap();
    wait_for(1_000_000).await;
}

async fn no_terminal() {
    assert!(terminal_stdin::get_terminal_stdin().is_none());
    assert!(terminal_stdout::get_terminal_stdout().is_none());
    assert!(terminal_stderr::get_terminal_stderr().is_none());
}
