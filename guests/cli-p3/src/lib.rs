//! A command for WASI 0.3: prints its arguments, joined by spaces, and then what comes on stdin.

use wasip3::cli::{environment, stdin, stdout};
use wasip3::exports::cli::run::Guest;
use wasip3::wit_bindgen::rt::async_support::StreamResult;
use wasip3::wit_stream;

const CHUNK_BYTES: usize = 64 * 1024;

struct Command;

wasip3::cli::command::export!(Command);

impl Guest for Command {
    async fn run() -> Result<(), ()> {
        let (mut out, contents) = wit_stream::new();
        let printed = stdout::write_via_stream(contents);

        let args: Vec<String> = environment::get_arguments().into_iter().skip(1).collect();
        out.write_all(format!("{}\n", args.join(" ")).into_bytes()).await;

        let (mut input, read) = stdin::read_via_stream();
        let mut buffer = Vec::with_capacity(CHUNK_BYTES);
        loop {
            let (result, chunk) = input.read(buffer).await;
            buffer = out.write_all(chunk).await;
            if !buffer.is_empty() || result == StreamResult::Dropped {
                break;
            }
        }

        drop((input, out));
        read.await.map_err(drop)?;
        printed.await.map_err(drop)
    }
}
