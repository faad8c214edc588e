//! A command guest that does one thing a word, so that a test can ask for exactly that thing.
//!
//! The same source is a WASI 0.1 module and a WASI 0.2 component. Where a WASI lacks something
//! (0.1 has no sockets to connect) the standard library says so, and the command fails.
//! With WASI 0.2 `exit N` is 1 for every N but 0.

use std::env;
use std::error::Error;
use std::ffi::{CString, c_char, c_int, c_void};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs, UdpSocket};
use std::process::{self, ExitCode};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

const USAGE: &str = "usage: cli COMMAND
  echo WORD…            print the words
  cat                   copy stdin to stdout
  env [NAME]            print the environment, or one variable
  ls DIR                list a folder, sorted
  read FILE             copy a file to stdout
  write FILE TEXT       create a file, or replace what it holds
  append FILE BYTES     add that many bytes to a file
  truncate FILE [BYTES] cut a file to that length, 0 by default
  mkdir DIR | rm FILE | rename FROM TO | symlink TARGET LINK
  open-many FILE N      hold a file open N times
  tcp ADDR | udp ADDR   send a ping, print the answer
  lookup NAME           print the addresses of a name
  exit N | panic TEXT | spin | sleep MILLISECONDS
  grow BYTES            allocate and touch that much memory
  random BYTES          print random bytes in hex
  clock                 print how fine the clocks are
  stdout BYTES | stderr BYTES";

type Outcome = Result<(), Box<dyn Error>>;

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match run(&args, &mut io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[&str], out: &mut impl Write) -> Outcome {
    match args {
        ["echo", words @ ..] => writeln!(out, "{}", words.join(" "))?,
        ["cat"] => copy(io::stdin().lock(), out)?,
        ["env"] => env::vars().try_for_each(|(name, value)| writeln!(out, "{name}={value}"))?,
        ["env", name] => writeln!(out, "{}", env::var(name)?)?,

        ["ls", dir] => list(dir, out)?,
        ["read", file] => copy(File::open(file)?, out)?,
        ["write", file, text] => fs::write(file, text)?,
        ["append", file, bytes] => {
            let mut file = File::options().create(true).append(true).open(file)?;
            write_bytes(&mut file, bytes.parse()?)?;
        }
        ["truncate", file] => File::options().write(true).open(file)?.set_len(0)?,
        ["truncate", file, bytes] => {
            File::options().write(true).open(file)?.set_len(bytes.parse()?)?;
        }
        ["mkdir", dir] => fs::create_dir(dir)?,
        ["rm", file] => fs::remove_file(file)?,
        ["rename", from, to] => fs::rename(from, to)?,
        ["symlink", target, link] => symlink(target, link)?,
        ["open-many", file, count] => open_many(file, count.parse()?, out)?,

        ["tcp", addr] => ping_tcp(addr.parse()?, out)?,
        ["udp", addr] => ping_udp(addr.parse()?, out)?,
        ["lookup", name] => {
            for addr in (*name, 0).to_socket_addrs()? {
                writeln!(out, "{}", addr.ip())?;
            }
        }

        ["exit", code] => process::exit(code.parse()?),
        ["panic", text] => panic!("{text}"),
        ["spin"] => loop {
            std::hint::spin_loop();
        },
        ["sleep", ms] => thread::sleep(Duration::from_millis(ms.parse()?)),
        ["grow", bytes] => grow(bytes.parse()?, out)?,
        ["random", bytes] => {
            for byte in random(bytes.parse()?)? {
                write!(out, "{byte:02x}")?;
            }
            writeln!(out)?;
        }
        ["clock"] => clock(out)?,

        ["stdout", bytes] => write_bytes(out, bytes.parse()?)?,
        ["stderr", bytes] => write_bytes(&mut io::stderr(), bytes.parse()?)?,
        _ => return Err(USAGE.into()),
    }
    Ok(out.flush()?)
}

fn copy(mut from: impl io::Read, out: &mut impl Write) -> Outcome {
    io::copy(&mut from, out)?;
    Ok(())
}

fn list(dir: &str, out: &mut impl Write) -> Outcome {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let slash = if entry.file_type()?.is_dir() { "/" } else { "" };
        names.push(format!("{}{slash}", entry.file_name().display()));
    }
    names.sort();
    for name in names {
        writeln!(out, "{name}")?;
    }
    Ok(())
}

fn write_bytes(out: &mut impl Write, mut bytes: usize) -> Outcome {
    let chunk = [b'x'; 64 * 1024];
    while bytes > 0 {
        let len = bytes.min(chunk.len());
        out.write_all(&chunk[..len])?;
        bytes -= len;
    }
    Ok(())
}

fn open_many(file: &str, count: usize, out: &mut impl Write) -> Outcome {
    let mut files = Vec::new();
    for opened in 0..count {
        files.push(File::open(file).map_err(|error| format!("after {opened} files: {error}"))?);
    }
    writeln!(out, "{}", files.len())?;
    Ok(())
}

fn ping_tcp(addr: SocketAddr, out: &mut impl Write) -> Outcome {
    let mut stream = TcpStream::connect(addr)?;
    stream.write_all(b"ping\n")?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer)?;
    writeln!(out, "{}", answer.trim_end())?;
    Ok(())
}

fn ping_udp(addr: SocketAddr, out: &mut impl Write) -> Outcome {
    let socket = UdpSocket::bind(if addr.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" })?;
    socket.send_to(b"ping\n", addr)?;
    let mut answer = [0; 1500];
    let (len, _) = socket.recv_from(&mut answer)?;
    writeln!(out, "{}", String::from_utf8_lossy(&answer[..len]).trim_end())?;
    Ok(())
}

fn grow(bytes: usize, out: &mut impl Write) -> Outcome {
    let mut memory = Vec::new();
    memory.try_reserve_exact(bytes)?;
    memory.resize(bytes, 1u8);
    writeln!(out, "{}", std::hint::black_box(memory).len())?;
    Ok(())
}

/// Prints the step between two readings that differ, and whether the wall clock shows whole
/// milliseconds only.
fn clock(out: &mut impl Write) -> Outcome {
    const READINGS_MAX: usize = 10_000_000;
    let first = Instant::now();
    let step = (0..READINGS_MAX).map(|_| first.elapsed()).find(|step| !step.is_zero());
    let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    writeln!(out, "monotonic_step_ns={}", step.unwrap_or_default().as_nanos())?;
    writeln!(out, "wall_whole_ms={}", wall.subsec_nanos() % 1_000_000 == 0)?;
    Ok(())
}

// The standard library has no stable symlinks or random bytes for WASI; its libc has.
unsafe extern "C" {
    #[link_name = "symlink"]
    fn c_symlink(target: *const c_char, link: *const c_char) -> c_int;
    fn getentropy(buffer: *mut c_void, len: usize) -> c_int;
}

fn symlink(target: &str, link: &str) -> Outcome {
    let (target, link) = (CString::new(target)?, CString::new(link)?);
    // SAFETY: both are NUL-terminated and outlive the call.
    match unsafe { c_symlink(target.as_ptr(), link.as_ptr()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error().into()),
    }
}

fn random(len: usize) -> Result<Vec<u8>, Box<dyn Error>> {
    const ENTROPY_BYTES_MAX: usize = 256;
    let mut bytes = vec![0; len];
    for chunk in bytes.chunks_mut(ENTROPY_BYTES_MAX) {
        // SAFETY: the pointer and length are those of one slice.
        if unsafe { getentropy(chunk.as_mut_ptr().cast(), chunk.len()) } != 0 {
            return Err(io::Error::last_os_error().into());
        }
    }
    Ok(bytes)
}
