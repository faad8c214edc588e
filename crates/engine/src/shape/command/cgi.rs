//! CGI/1.1, RFC 3875: a command bound to a route gets the request in its environment and on stdin, and answers on stdout with
//! a few header lines, an empty line and the body, which streams.

mod environment;
mod head;

use super::CommandCall;
use crate::{
    entry::{AsyncCall, Ended, Inner, Work},
    program::{Program, Streams},
    sandbox::Sandbox,
    shape::exchange::{Charged, Exchange, Frames},
    stdio::Pipe,
};
use bytes::Bytes;
use environment::environment;
use head::Head;
use http::{Request, Response};
use http_body::{Body as HttpBody, Frame};
use sandbar_call::{Body, BodyError, Outcome, Reply};
use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    task::{Context, Poll},
};
use wasmtime::Result;

/// Answers a request.
pub(crate) async fn answer_http(entry: Arc<Inner>, mut work: Work, request: Request<Body>) -> Reply {
    let (parts, input) = request.into_parts();
    let env = environment(&parts, &input);
    let args: Vec<String> = std::iter::once(entry.program.name.to_string())
        .chain(entry.program.binding().grants.args.iter().cloned())
        .collect();
    let sandbox = match work.sandbox(Streams { host: false, args: &args, env: &env }).await {
        Ok(sandbox) => sandbox,
        Err(outcome) => return work.end(outcome),
    };
    let stdout = sandbox.store.data().stdout.clone();
    let ended = Arc::new(AtomicBool::new(false));
    let call = CgiCall {
        command: CommandCall { entry, input, whole_output: false },
        ended: ended.clone(),
        stdout: stdout.clone(),
    };
    let guest = work.drive(sandbox, call);
    let mut seen = Head::default();
    let head = Box::new(move |cx: &mut Context<'_>| read_head(&stdout, &ended, &mut seen, cx));
    Exchange::new(work, guest, head, Charged::WhenWritten).answer(&parts.method).await
}

/// Runs the command, and says when it has ended.
struct CgiCall {
    command: CommandCall,
    ended: Arc<AtomicBool>,
    stdout: Pipe,
}

impl AsyncCall<()> for CgiCall {
    const REUSABLE: bool = false;

    async fn call(self, program: &Program, sandbox: &mut Sandbox) -> Result<Ended<()>> {
        let ended = self.command.call(program, sandbox).await;
        self.ended.store(true, SeqCst);
        self.stdout.wake();
        let Ended { outcome, .. } = ended?;
        // Its exit code says nothing that the answer did not say.
        let outcome = match outcome {
            Outcome::Failed { code: Some(code), .. } => {
                Outcome::Failed { code: Some(code), message: format!("the command ended with code {code}") }
            }
            outcome => outcome,
        };
        Ok(Ended { outcome, answer: Some(()) })
    }
}

/// Reads the head of the answer once it is there, RFC 3875 section 6.2.
fn read_head(
    stdout: &Pipe,
    ended: &Arc<AtomicBool>,
    seen: &mut Head,
    cx: &mut Context<'_>,
) -> Option<std::result::Result<Response<Frames>, String>> {
    loop {
        let has_ended = ended.load(SeqCst);
        match stdout.poll_next(cx) {
            Poll::Ready(chunk) => {
                let Some(read) = seen.push(&chunk) else { continue };
                return Some(read.map(|(head, rest)| {
                    let frames: Frames = Box::pin(CgiBody { rest, stdout: stdout.clone(), ended: ended.clone() });
                    head.map(|()| frames)
                }));
            }
            Poll::Pending if has_ended && seen.is_empty() => return Some(Err("the command answered nothing".into())),
            Poll::Pending if has_ended => {
                return Some(Err("expected CGI header lines and an empty line on stdout".into()));
            }
            Poll::Pending => return None,
        }
    }
}

/// The rest of stdout.
struct CgiBody {
    rest: Bytes,
    stdout: Pipe,
    ended: Arc<AtomicBool>,
}

impl HttpBody for CgiBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, BodyError>>> {
        if !self.rest.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.rest)))));
        }
        let has_ended = self.ended.load(SeqCst);
        match self.stdout.poll_next(cx) {
            Poll::Ready(chunk) => Poll::Ready(Some(Ok(Frame::data(chunk)))),
            Poll::Pending if has_ended => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    }
}
