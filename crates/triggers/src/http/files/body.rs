//! A part of a file as a body: read in chunks on a blocking thread, one at a time and only when the last one was taken.

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use sandbar_call::BodyError;
use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    ops::Range,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::task::{JoinHandle, spawn_blocking};

/// The most bytes that are read at one time.
const CHUNK_BYTES: u64 = 64 * 1024;

pub(super) struct FileBody {
    state: State,
    left: u64,
}

enum State {
    /// At this place in the file.
    Rests(File, u64),
    Reads(JoinHandle<io::Result<(File, Bytes)>>, u64),
    Ended,
}

impl FileBody {
    pub(super) fn new(file: File, range: Range<u64>) -> FileBody {
        FileBody { state: State::Rests(file, range.start), left: range.end - range.start }
    }
}

impl http_body::Body for FileBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        loop {
            match std::mem::replace(&mut self.state, State::Ended) {
                State::Ended => return Poll::Ready(None),
                State::Rests(_, _) if self.left == 0 => return Poll::Ready(None),
                State::Rests(file, at) => {
                    let want = self.left.min(CHUNK_BYTES);
                    self.state = State::Reads(spawn_blocking(move || read(file, at, want)), at);
                }
                State::Reads(mut reading, at) => {
                    let polled = Pin::new(&mut reading).poll(cx);
                    if polled.is_pending() {
                        self.state = State::Reads(reading, at);
                    }
                    let (file, bytes) = ready!(polled)??;
                    if bytes.is_empty() {
                        return Poll::Ready(Some(Err("the file was cut short while it was read".into())));
                    }
                    let read = bytes.len() as u64;
                    self.left = self.left.saturating_sub(read);
                    self.state = State::Rests(file, at + read);
                    return Poll::Ready(Some(Ok(Frame::data(bytes))));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

fn read(mut file: File, at: u64, want: u64) -> io::Result<(File, Bytes)> {
    file.seek(SeekFrom::Start(at))?;
    let mut bytes = Vec::with_capacity(usize::try_from(want).unwrap_or_default());
    file.by_ref().take(want).read_to_end(&mut bytes)?;
    Ok((file, Bytes::from(bytes)))
}
