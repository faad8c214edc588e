//! A command for WASI 0.3: prints its arguments, joined by spaces, and then what comes on stdin. With `read FILE`,
//! `tcp HOST:PORT` or `udp HOST:PORT` it prints a file, or what a peer answers.

mod outside;

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
        let words: Vec<&str> = args.iter().map(String::as_str).collect();
        let touched = match words[..] {
            ["read", file] => Some(outside::read_file(file).await),
            ["tcp", address] => Some(outside::ping_tcp(address).await),
            ["udp", address] => Some(outside::ping_udp(address).await),
            _ => None,
        };
        if let Some(found) = touched {
            out.write_all(found.ok_or(())?).await;
            drop(out);
            return printed.await.map_err(drop);
        }
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
