//! Compiles a guest in a child process under a memory and a time limit: a small file can take a compiler minutes and gigabytes.
//! The child can only compute (`confine/compiler.rs`): what a guest's file might make of a compiler has nowhere to go.
//!
//! The child is this program again, told by its first argument to be the compiler. It reads a job as one line of JSON and the
//! guest's bytes from stdin, and writes one byte (0: an artifact follows, 1: a message) and the rest to stdout.

use crate::{
    dialect::extism,
    error::CompileError,
    renewal::{Moves, append},
    tuning::{Allocation, Tuning},
};
use rustix::process::{Resource, Rlimit, nice, setrlimit};
use serde::{Deserialize, Serialize};
use std::{
    env,
    io::{self, BufRead, Read, Write},
    path::PathBuf,
    process::{Child, Command, ExitCode, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

/// The first argument that makes the program a compiler.
pub const COMPILER_ARGUMENT: &str = "__compile";

/// By how much the child is nicer than who serves calls meanwhile: it still gets a third of a busy core, so that its time
/// limit is one of work.
const NICER: i32 = 5;

/// Who compiles.
#[derive(Clone, Debug)]
pub enum Compiler {
    /// This process, without limits: for tests and tools that trust their guests.
    InProcess,
    /// A child process of this program.
    Child {
        /// The program, which calls [`compiler_main`] when its first argument is [`COMPILER_ARGUMENT`].
        program: PathBuf,
        /// The most address space that it may use, in bytes.
        memory_bytes: u64,
        /// The most time that it may take.
        time: Duration,
    },
}

#[derive(Serialize, Deserialize)]
struct Job {
    tuning: Tuning,
    component: bool,
    memory_bytes: u64,
}

impl Compiler {
    /// A child process of the running program, with 4 GiB and a minute (`SANDBAR_COMPILE_SECONDS` changes that).
    pub fn child() -> io::Result<Compiler> {
        let seconds = env::var("SANDBAR_COMPILE_SECONDS").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(60);
        let time = Duration::from_secs(seconds);
        Ok(Compiler::Child { program: env::current_exe()?, memory_bytes: 4 << 30, time })
    }

    /// Compiles a guest's binary.
    pub(crate) fn compile(&self, tuning: Tuning, component: bool, guest: &[u8]) -> Result<Vec<u8>, CompileError> {
        match self {
            Compiler::InProcess => compile(tuning, component, guest).map_err(CompileError::Invalid),
            Compiler::Child { program, memory_bytes, time } => {
                let job = Job { tuning, component, memory_bytes: *memory_bytes };
                let child = Command::new(program)
                    .arg(COMPILER_ARGUMENT)
                    .stdin(Stdio::piped())
                    .stdout(Stdio::piped())
                    .stderr(Stdio::null())
                    .spawn()
                    .map_err(CompileError::Process)?;
                converse(child, &job, guest, *time)
            }
        }
    }
}

fn converse(mut child: Child, job: &Job, guest: &[u8], time: Duration) -> Result<Vec<u8>, CompileError> {
    let (Some(mut stdin), Some(mut stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(CompileError::Process(io::Error::other("no pipes")));
    };
    let (answered, answer) = mpsc::channel();
    let reader = thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = stdout.read_to_end(&mut bytes).map(|_| bytes);
        let _ = answered.send(read);
    });
    // The child reads all of its input before it writes; one that ends early shows as a broken pipe and in its answer.
    let job = serde_json::to_vec(job).map_err(|error| CompileError::Process(error.into()))?;
    let answer = thread::scope(|scope| {
        // Beside the wait, since a child that does not read must not hold the deadline up.
        scope.spawn(move || {
            let _ = stdin.write_all(&job).and_then(|()| stdin.write_all(b"\n")).and_then(|()| stdin.write_all(guest));
        });
        let answer = answer.recv_timeout(time);
        if answer.is_err() {
            let _ = child.kill();
        }
        answer
    });
    let status = child.wait().map_err(CompileError::Process)?;
    let _ = reader.join();
    let mut answer = answer.map_err(|_| CompileError::Time(time))?.map_err(CompileError::Process)?;
    match (answer.first(), status.success()) {
        (Some(0), true) => {
            answer.remove(0);
            Ok(answer)
        }
        (Some(1), _) => {
            Err(CompileError::Invalid(String::from_utf8_lossy(answer.get(1..).unwrap_or_default()).into_owned()))
        }
        _ => Err(CompileError::Died(format!(
            "{status}, which means that the guest takes more memory than compiling may"
        ))),
    }
}

/// Is the compiler: call this first thing in `main` when the first argument is [`COMPILER_ARGUMENT`].
pub fn compiler_main() -> ExitCode {
    let answer = read_job().map_err(|error| error.to_string()).and_then(|(job, guest)| {
        let most = Rlimit { current: Some(job.memory_bytes), maximum: Some(job.memory_bytes) };
        setrlimit(Resource::As, most).map_err(|error| error.to_string())?;
        let _ = nice(NICER);
        #[cfg(target_os = "linux")]
        crate::confine::confine_compiler().map_err(|error| format!("can't confine the compiler: {error}"))?;
        compile(job.tuning, job.component, &guest)
    });
    let (status, bytes) = match answer {
        Ok(artifact) => (0, artifact),
        Err(message) => (1, message.into_bytes()),
    };
    let mut stdout = io::stdout().lock();
    match stdout.write_all(&[status]).and_then(|()| stdout.write_all(&bytes)).and_then(|()| stdout.flush()) {
        Ok(()) => ExitCode::from(status),
        Err(_) => ExitCode::FAILURE,
    }
}

fn read_job() -> io::Result<(Job, Vec<u8>)> {
    let mut stdin = io::stdin().lock();
    let mut line = String::new();
    stdin.read_line(&mut line)?;
    let mut guest = Vec::new();
    stdin.read_to_end(&mut guest)?;
    Ok((serde_json::from_str(&line)?, guest))
}

pub(crate) fn compile(tuning: Tuning, component: bool, guest: &[u8]) -> Result<Vec<u8>, String> {
    let engine = tuning.engine(Allocation::OnDemand).map_err(|error| format!("{error:#}"))?;
    let compile =
        |bytes: &[u8]| if component { engine.precompile_component(bytes) } else { engine.precompile_module(bytes) };
    // A guest that is not valid is refused as its author wrote it.
    let adapted = if component { None } else { extism::adapt(guest) };
    let appended = || tuning.renews().then(|| append(component, guest)).flatten();
    let compiled = adapted.or_else(appended).and_then(|(appended, moves)| Some((compile(&appended).ok()?, moves)));
    let compiled = match compiled {
        Some(compiled) => Ok(compiled),
        None => compile(guest).map(|artifact| (artifact, Moves::default())),
    };
    let (mut artifact, moves) = compiled.map_err(|error| format!("{error:#}"))?;
    artifact.extend(moves.encode());
    Ok(artifact)
}
