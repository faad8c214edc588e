//! A command: one entry that runs to its end. Bound to a route it speaks CGI/1.1, `cgi.rs`.

mod cgi;

use super::{Target, function::core_function};
use crate::{
    entry::{AsyncCall, Ended, Inner, Work},
    outcome::exited,
    program::{Program, Streams},
    sandbox::Sandbox,
    stdio::Read,
};
use bytes::Bytes;
use sandbar_call::{Body, Outcome, Reply, Stdio};
use std::sync::Arc;
use wasmtime::{Result, bail};

pub(crate) use cgi::answer_http;

/// Runs a command to its end.
pub(crate) async fn run(entry: Arc<Inner>, mut work: Work, args: Vec<String>, stdio: Stdio) -> Reply {
    let granted = &entry.program.binding().grants.args;
    let mut argv: Vec<String> = args.first().cloned().into_iter().collect();
    argv.extend(granted.iter().cloned().chain(args.into_iter().skip(1)));
    let streams = Streams { host: matches!(stdio, Stdio::Host), args: &argv, env: &[] };
    let sandbox = match work.sandbox(streams).await {
        Ok(sandbox) => sandbox,
        Err(outcome) => return work.end(outcome),
    };
    let input = match stdio {
        Stdio::Host => Body::Empty,
        Stdio::Piped(input) => input,
    };
    let guest = work.drive(sandbox, CommandCall { entry, input, whole_output: true });
    let Ended { outcome, answer } = work.ended(guest.await);
    let output = answer.unwrap_or_default();
    match outcome {
        Outcome::Done => {
            work.settle(Outcome::Done);
            Reply::Exit { code: 0, output }
        }
        Outcome::Failed { code: Some(code), .. } => {
            work.settle(outcome);
            Reply::Exit { code, output }
        }
        outcome => work.end(outcome),
    }
}

/// Runs a command's entry. Its answer is what it wrote to a piped stdout that nobody reads meanwhile.
struct CommandCall {
    entry: Arc<Inner>,
    input: Body,
    whole_output: bool,
}

impl AsyncCall<Bytes> for CommandCall {
    const REUSABLE: bool = false;

    async fn call(self, _: &Program, sandbox: &mut Sandbox) -> Result<Ended<Bytes>> {
        let state = sandbox.store.data();
        state.stdin.turn(self.input);
        state.stdout.turn(if self.whole_output { Read::AtTheEnd } else { Read::Meanwhile });
        let ended = run_entry(&self.entry.target, sandbox).await;
        let outcome = match ended {
            Ok(Ok(())) => Outcome::Done,
            Ok(Err(())) => exited(1),
            Err(error) => sandbox.outcome_of(&error),
        };
        let answer = self.whole_output.then(|| sandbox.store.data().stdout.take_all());
        Ok(Ended { outcome, answer })
    }
}

async fn run_entry(target: &Target, sandbox: &mut Sandbox) -> Result<std::result::Result<(), ()>> {
    match target {
        Target::CoreFunction { .. } => {
            let start = core_function(target, sandbox)?.typed::<(), ()>(&sandbox.store)?;
            start.call_async(&mut sandbox.store, ()).await.map(Ok)
        }
        Target::Command02(indices) => {
            let instance = sandbox.component()?;
            let command = indices.load(&mut sandbox.store, &instance)?;
            command.wasi_cli_run().call_run(&mut sandbox.store).await
        }
        Target::Command03(indices) => {
            let instance = sandbox.component()?;
            let command = indices.load(&mut sandbox.store, &instance)?;
            sandbox.store.run_concurrent(async |accessor| command.wasi_cli_run().call_run(accessor).await).await?
        }
        Target::ComponentFunction { .. } | Target::ResourceDrop | Target::Http02(_) | Target::Http03(_) => {
            bail!("expected a command")
        }
    }
}
