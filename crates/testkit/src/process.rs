//! Programs under test: a server that is ended with the test, and a command with a deadline.

use std::{
    env,
    ffi::OsString,
    io::{BufRead, BufReader, Read, Write},
    mem,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, ChildStderr, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, Receiver, Sender},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail};
pub use rustix::process::Signal;
use rustix::process::{Pid, kill_process};

/// How long a server may take until it says where it listens; compiling its guests is part of it.
pub const START_TIMEOUT: Duration = Duration::from_secs(60);

/// How long what a server said may take to be read after it ended. What it started may hold its stderr open for longer.
const DRAIN_MAX: Duration = Duration::from_secs(1);

/// How often a process is asked whether it ended.
const POLL: Duration = Duration::from_millis(2);

/// Finds the `sandbar` program that belongs to the running tests.
pub fn sandbar() -> Result<Command> {
    program("sandbar").map(Command::new)
}

/// Finds a program of the workspace: where cargo says it is, or else in the folder that holds the test program's folder.
pub fn program(name: &str) -> Result<PathBuf> {
    if let Some(path) = env::var_os(format!("CARGO_BIN_EXE_{name}")) {
        return Ok(path.into());
    }
    let me = env::current_exe().context("cannot find the running program")?;
    let found = me.ancestors().skip(1).take(2).map(|folder| folder.join(name)).find(|path| path.is_file());
    found.with_context(|| {
        let folder = me.ancestors().nth(2).unwrap_or(Path::new("target"));
        format!("there is no `{name}` in `{}`\nhint: cargo build -p {name}", folder.display())
    })
}

/// A server: it runs until this is dropped.
pub struct Server {
    child: Child,
    address: SocketAddr,
    stderr: Arc<Mutex<String>>,
    /// Ends when its stderr does.
    reader: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts a server and waits for the first line on its stderr that holds `http://HOST:PORT`.
    pub fn start(mut command: Command) -> Result<Server> {
        // Nobody can ask where it listens before it is known.
        let (mut server, address) = launch(&mut command, (Ipv4Addr::UNSPECIFIED, 0).into())?;
        match wait_for_address(&address) {
            Ok(address) => {
                server.address = address;
                Ok(server)
            }
            Err(error) => {
                // It may have ended by itself; then there is nothing to end.
                let _ = server.child.kill();
                let status = server.child.wait()?;
                let said = server.last_words();
                Err(error.context(format!("`{}` did not start ({status}); it said:\n{said}", shown(&command))))
            }
        }
    }

    /// Starts a server that is told to listen on this address, and waits for nothing.
    pub fn spawn(mut command: Command, address: SocketAddr) -> Result<Server> {
        Ok(launch(&mut command, address)?.0)
    }

    /// Fails with what it said, where it has ended.
    pub fn ensure_runs(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("the server ended ({status}); it said:\n{}", self.last_words()),
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address of a path on it: `http://127.0.0.1:3000/hello/world`.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has said on stderr until now.
    pub fn stderr(&self) -> String {
        self.stderr.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What it has said on stderr since this was last asked for. It is forgotten here: for a server that runs for long.
    pub fn take_stderr(&self) -> String {
        mem::take(&mut *self.stderr.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What it had said when it ended: the last of it may still be on the way.
    fn last_words(&self) -> String {
        let start = Instant::now();
        while self.reader.as_ref().is_some_and(|reader| !reader.is_finished()) && start.elapsed() < DRAIN_MAX {
            thread::sleep(POLL);
        }
        self.stderr()
    }

    /// Waits until a text appears on its stderr.
    pub fn wait_for(&self, text: &str, timeout: Duration) -> Result<()> {
        let start = Instant::now();
        while !self.stderr().contains(text) {
            if start.elapsed() > timeout {
                bail!("the server did not say `{text}` within {timeout:?}; it said:\n{}", self.stderr());
            }
            thread::sleep(POLL);
        }
        Ok(())
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        self::signal(self.child.id(), signal).context("cannot signal the server")
    }

    /// Waits for it to end by itself.
    pub fn wait(&mut self, timeout: Duration) -> Result<ExitStatus> {
        wait(&mut self.child, timeout)?.with_context(|| format!("the server still runs after {timeout:?}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to a process.
pub fn signal(id: u32, signal: Signal) -> Result<()> {
    let id = i32::try_from(id).ok().and_then(Pid::from_raw).context("a process id is positive")?;
    Ok(kill_process(id, signal)?)
}

/// A command that ended.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to stdout.
    pub stdout: Vec<u8>,
    /// What it wrote to stderr.
    pub stderr: Vec<u8>,
    /// How long it ran.
    pub wall: Duration,
}

impl Finished {
    /// Its exit code, or `None` when a signal ended it.
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Its stdout as text; a byte that is no text becomes U+FFFD.
    pub fn stdout_text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Its stderr as text; a byte that is no text becomes U+FFFD.
    pub fn stderr_text(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }
}

/// Runs a command with this stdin to its end; one that takes longer than `timeout` is killed and is an error.
pub fn run(command: &mut Command, stdin: &[u8], timeout: Duration) -> Result<Finished> {
    let start = Instant::now();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{}`", shown(command)))?;
    let writer = child.stdin.take().map(|mut pipe| {
        let bytes = stdin.to_vec();
        // A command that ends without reading its stdin is no failure of the test.
        thread::spawn(move || drop(pipe.write_all(&bytes)))
    });
    let stdout = child.stdout.take().map(read_all);
    let stderr = child.stderr.take().map(read_all);

    let status = wait(&mut child, timeout)?;
    let wall = start.elapsed();
    if status.is_none() {
        child.kill()?;
        child.wait()?;
    }
    let (stdout, stderr) = (joined(stdout), joined(stderr));
    drop(writer.map(JoinHandle::join));

    let status = status.with_context(|| {
        let said = String::from_utf8_lossy(&stderr);
        format!("`{}` still ran after {timeout:?} and was killed; it said:\n{said}", shown(command))
    })?;
    Ok(Finished { status, stdout, stderr, wall })
}

/// Finds an address that nobody listens on now. Somebody may before it is used, which is rare.
pub fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("cannot find a free port")?;
    Ok(listener.local_addr()?)
}

/// Starts a program whose stderr is kept, and searched for an address.
fn launch(command: &mut Command, address: SocketAddr) -> Result<(Server, Receiver<SocketAddr>)> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{}`", shown(command)))?;
    let (found, said) = mpsc::channel();
    let stderr = Arc::<Mutex<String>>::default();
    let lines = Arc::clone(&stderr);
    // Ends when the server closes its stderr, at the latest when it ends.
    let reader = child.stderr.take().map(|pipe| thread::spawn(move || follow(pipe, &lines, found)));
    Ok((Server { child, address, stderr, reader }, said))
}

fn follow(pipe: ChildStderr, lines: &Mutex<String>, found: Sender<SocketAddr>) {
    let mut found = Some(found);
    for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line);
        {
            let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
            lines.push_str(&line);
            lines.push('\n');
        }
        if let Some(address) = address_in(&line)
            && let Some(found) = found.take()
        {
            // Nobody waits any more after the timeout.
            let _ = found.send(address);
        }
    }
}

fn wait_for_address(address: &Receiver<SocketAddr>) -> Result<SocketAddr> {
    address.recv_timeout(START_TIMEOUT).map_err(|error| match error {
        mpsc::RecvTimeoutError::Timeout => anyhow!("no address after {START_TIMEOUT:?}"),
        mpsc::RecvTimeoutError::Disconnected => anyhow!("it ended before it said an address"),
    })
}

/// Finds `http://HOST:PORT` in a line.
fn address_in(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once("http://")?;
    let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || ".:[]".contains(c))).unwrap_or(rest.len());
    rest.get(..end)?.trim_end_matches(['.', ':']).parse().ok()
}

fn wait(child: &mut Child, timeout: Duration) -> Result<Option<ExitStatus>> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if start.elapsed() > timeout {
            return Ok(None);
        }
        thread::sleep(POLL);
    }
}

fn read_all(mut pipe: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What came before an error is what there is to compare.
        let _ = pipe.read_to_end(&mut bytes);
        bytes
    })
}

fn joined(reader: Option<JoinHandle<Vec<u8>>>) -> Vec<u8> {
    reader.and_then(|reader| reader.join().ok()).unwrap_or_default()
}

fn shown(command: &Command) -> String {
    let mut words = OsString::from(command.get_program());
    for argument in command.get_args() {
        words.push(" ");
        words.push(argument);
    }
    words.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn addresses() {
        let port = |line| address_in(line).map(|address| address.port());
        assert_eq!(port("sandbar serves http://127.0.0.1:3000/ now"), Some(3000));
        assert_eq!(port("listening on http://[::1]:80."), Some(80));
        assert_eq!(port("https://127.0.0.1:3000"), None);
        assert_eq!(port("http://nowhere"), None);
    }

    #[test]
    fn a_command_gives_what_it_wrote() {
        let finished = run(&mut shell("cat; echo no >&2; exit 3"), b"yes", Duration::from_secs(10)).unwrap();
        assert_eq!(finished.code(), Some(3));
        assert_eq!((finished.stdout_text(), finished.stderr_text()), ("yes".into(), "no\n".into()));
    }

    #[test]
    fn a_command_past_its_time_is_killed() {
        let error = run(&mut shell("echo slow >&2; exec sleep 60"), b"", Duration::from_millis(200)).unwrap_err();
        assert!(error.to_string().contains("slow"), "{error}");
    }

    #[test]
    fn a_server_is_found_signalled_and_ended() {
        let script = "trap 'exit 7' TERM; echo up at http://127.0.0.1:1/ >&2; while :; do sleep 0.01; done";
        let mut server = Server::start(shell(script)).unwrap();
        assert_eq!(server.url("/x"), "http://127.0.0.1:1/x");
        assert_eq!(server.take_stderr(), "up at http://127.0.0.1:1/\n");
        assert_eq!(server.stderr(), "");
        server.signal(Signal::TERM).unwrap();
        assert_eq!(server.wait(Duration::from_secs(10)).unwrap().code(), Some(7));
    }

    #[test]
    fn a_server_that_ends_at_once_tells_why() {
        let error = Server::start(shell("echo port in use >&2; exit 1")).err().unwrap();
        assert!(format!("{error:#}").contains("port in use"), "{error:#}");
    }

    #[test]
    fn a_server_that_is_not_waited_for_tells_why_it_ended() {
        let mut server = Server::spawn(shell("echo no >&2; read line"), free_address().unwrap()).unwrap();
        server.wait_for("no", Duration::from_secs(10)).unwrap();
        while server.ensure_runs().is_ok() {
            thread::sleep(POLL);
        }
        assert!(server.ensure_runs().unwrap_err().to_string().ends_with("it said:\nno\n"));
    }
}
