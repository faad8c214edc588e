//! What this process may ask of the kernel, from some point on: less than the user that it runs as.
//!
//! Landlock holds files, ports and other processes, seccomp the kernel's calls, each as far as the kernel has it.

mod compiler;
mod server;

use landlock::ABI;
use libc::c_long;
use seccompiler::{BackendError, SeccompAction, SeccompFilter, SeccompRule, TargetArch, apply_filter};
use std::{collections::BTreeMap, io};

pub(crate) use compiler::confine_compiler;
pub use server::{Reach, confine_server};

/// The newest rules that are asked for; a kernel with fewer enforces those.
const RULES: ABI = ABI::V6;

fn filter(
    calls: BTreeMap<c_long, Vec<SeccompRule>>,
    other: SeccompAction,
    these: SeccompAction,
    arch: TargetArch,
) -> io::Result<seccompiler::BpfProgram> {
    let program = SeccompFilter::new(calls, other, these, arch).and_then(TryInto::try_into);
    program.map_err(|error: BackendError| io::Error::other(error))
}

fn apply(program: &seccompiler::BpfProgram) -> io::Result<()> {
    match apply_filter(program) {
        // The kernel was built without it.
        Err(seccompiler::Error::Seccomp(error))
            if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOSYS)) =>
        {
            Ok(())
        }
        applied => applied.map_err(io::Error::other),
    }
}
