//! A server that answers with the request as it came, byte by byte; for some paths it makes something else of it.

use crate::app::TIME;
use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
    time::Duration,
};

/// Where nobody listens: a port that no program has used for decades.
pub(crate) const NOBODY: &str = "127.0.0.1:1";

/// Serves until the test program ends.
pub(crate) fn serve() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A client that goes away is one of the cases.
            thread::spawn(move || answer(stream));
        }
    });
    address
}

fn answer(stream: TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(TIME))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let Some(request) = read(&mut reader)? else { return Ok(()) };
    let line = String::from_utf8_lossy(&request).lines().next().unwrap_or_default().to_owned();
    let (method, path) = line.split_once(' ').unwrap_or_default();
    let path = path.split(' ').next().unwrap_or_default();

    let write = |bytes: &[u8]| (&stream).write_all(bytes);
    let say = |head: &str, body: &[u8]| {
        let head = format!("{head}connection: close\n\n").replace('\n', "\r\n");
        write(&[head.as_bytes(), body].concat())
    };
    match path {
        "/chunked" => {
            let body = b"3\r\none\r\n3\r\ntwo\r\n5\r\nthree\r\n0\r\n\r\n";
            say("HTTP/1.1 200 OK\ntransfer-encoding: chunked\n", body)
        }
        "/trailers" => {
            let body = b"3\r\npay\r\n4\r\nload\r\n0\r\nx-checksum: abc123\r\nx-parts: 1\r\n\r\n";
            say("HTTP/1.1 200 OK\ntransfer-encoding: chunked\ntrailer: x-checksum, x-parts\n", body)
        }
        "/headers" => {
            write(b"HTTP/1.1 200 OK\r\nx-bytes: caf\xE9\r\nx-multi: first\r\nx-multi: second\r\nx-empty:\r\n")?;
            write(b"content-length: 0\r\nconnection: close\r\n\r\n")
        }
        "/early" => {
            write(b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n")?;
            thread::sleep(Duration::from_millis(20));
            say("HTTP/1.1 200 OK\ncontent-length: 4\n", b"late")
        }
        "/cut" => say("HTTP/1.1 200 OK\ncontent-length: 10\n", b"abc"),
        "/silent" => wait_for_end(reader),
        "/stalls" => {
            say("HTTP/1.1 200 OK\ncontent-length: 10\n", b"abc")?;
            wait_for_end(reader)
        }
        _ => match path.strip_prefix("/status/") {
            Some(status @ ("204" | "304")) => say(&format!("HTTP/1.1 {status} X\n"), b""),
            Some(status) => say(&format!("HTTP/1.1 {status} X\ncontent-length: 0\n"), b""),
            None => {
                let head = format!("HTTP/1.1 200 OK\ncontent-type: message/http\ncontent-length: {}\n", request.len());
                say(&head, if method == "HEAD" { b"" } else { &request })
            }
        },
    }
}

/// Reads a request to its end. There is none where the client speaks something else.
fn read(reader: &mut BufReader<TcpStream>) -> io::Result<Option<Vec<u8>>> {
    let mut request = Vec::new();
    if !reader.fill_buf()?.first().is_some_and(u8::is_ascii_alphabetic) {
        return Ok(None);
    }
    let (mut length, mut chunked) = (0, false);
    loop {
        let line = read_line(reader, &mut request)?;
        match line.split_once(": ").map(|(name, value)| (name.to_ascii_lowercase(), value)) {
            Some((name, value)) if name == "content-length" => length = value.parse().unwrap_or_default(),
            Some((name, "chunked")) if name == "transfer-encoding" => chunked = true,
            _ if line.is_empty() => break,
            _ => {}
        }
    }
    if !chunked {
        io::copy(&mut reader.take(length), &mut request)?;
        return Ok(Some(request));
    }
    // Chunks are kept as they are framed, up to the empty line after the trailers.
    loop {
        let size = u64::from_str_radix(&read_line(reader, &mut request)?, 16).map_err(io::Error::other)?;
        if size == 0 {
            while !read_line(reader, &mut request)?.is_empty() {}
            return Ok(Some(request));
        }
        io::copy(&mut reader.take(size + 2), &mut request)?;
    }
}

fn read_line(reader: &mut BufReader<TcpStream>, request: &mut Vec<u8>) -> io::Result<String> {
    let mut line = Vec::new();
    if reader.read_until(b'\n', &mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    request.extend_from_slice(&line);
    Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
}

fn wait_for_end(mut reader: BufReader<TcpStream>) -> io::Result<()> {
    reader.read(&mut [0]).map(drop)
}
