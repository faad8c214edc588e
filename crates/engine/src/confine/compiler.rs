//! What a compiler may ask of the kernel: memory, threads, time, and the pipes that it already has.
//!
//! A guest's file is data from a stranger, and a compiler is a large program. Should one take over the other, it finds a
//! process that opens no file, no socket and no program, and that reaches no other process. Landlock and seccomp each see to
//! that, as far as the kernel has them: one is enough, and none is an error only where it is there and fails.

use super::{RULES, apply, filter};
use landlock::{Access, AccessFs, AccessNet, Ruleset, RulesetAttr, Scope};
use libc::{CLONE_THREAD, ENOSYS, EPERM, c_long};
use seccompiler::{SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompRule, TargetArch};
use std::{collections::BTreeMap, io};

/// The kernel's calls that a compiler makes. Any other fails with `EPERM`.
const CALLS: &[c_long] = &[
    libc::SYS_brk,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_clone3, // As the other filter has it.
    libc::SYS_close,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_fstat,
    libc::SYS_futex,
    libc::SYS_getpid,
    libc::SYS_getrandom,
    libc::SYS_gettid,
    libc::SYS_lseek,
    libc::SYS_madvise,
    libc::SYS_mmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_nanosleep,
    libc::SYS_newfstatat,
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_restart_syscall,
    libc::SYS_rseq,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_set_robust_list,
    libc::SYS_sigaltstack,
    libc::SYS_write,
    libc::SYS_writev,
];

/// Confines this thread and those that it starts from now on.
pub(crate) fn confine_compiler() -> io::Result<()> {
    let all = Ruleset::default()
        .handle_access(AccessFs::from_all(RULES))
        .and_then(|rules| rules.handle_access(AccessNet::from_all(RULES)))
        .and_then(|rules| rules.scope(Scope::from_all(RULES)))
        .and_then(Ruleset::create);
    // No rule allows anything.
    all.and_then(landlock::RulesetCreated::restrict_self).map_err(io::Error::other)?;

    let Ok(arch) = TargetArch::try_from(std::env::consts::ARCH) else { return Ok(()) };
    // Its flags lie in memory, where no filter sees them. Told that there is no such call, libc makes threads by `clone`.
    let clone = [(libc::SYS_clone3, Vec::new())].into();
    apply(&filter(clone, SeccompAction::Allow, SeccompAction::Errno(ENOSYS as u32), arch)?)?;
    apply(&filter(compiler_calls()?, SeccompAction::Errno(EPERM as u32), SeccompAction::Allow, arch)?)
}

fn compiler_calls() -> io::Result<BTreeMap<c_long, Vec<SeccompRule>>> {
    let mut calls: BTreeMap<c_long, Vec<SeccompRule>> = CALLS.iter().map(|&call| (call, Vec::new())).collect();
    let thread = CLONE_THREAD as u64;
    calls.insert(libc::SYS_clone, vec![rule(SeccompCmpArgLen::Qword, SeccompCmpOp::MaskedEq(thread), thread)?]);
    // How `abort` ends this process, and no other.
    calls.insert(
        libc::SYS_tgkill,
        vec![rule(SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, u64::from(std::process::id()))?],
    );
    Ok(calls)
}

/// A condition on the first argument.
fn rule(length: SeccompCmpArgLen, operator: SeccompCmpOp, value: u64) -> io::Result<SeccompRule> {
    SeccompCondition::new(0, length, operator, value)
        .and_then(|condition| SeccompRule::new(vec![condition]))
        .map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::confine_compiler;
    use crate::tuning::Tuning;
    use rustix::process::{getppid, test_kill_process};
    use std::{
        env,
        fs::{self, File},
        io::{self, ErrorKind::PermissionDenied},
        net::{TcpListener, TcpStream, UdpSocket},
        os::unix::net::UnixStream,
        process::Command,
        thread,
    };

    /// In a process of its own, since there is no way back.
    #[test]
    fn a_confined_compiler_compiles_and_does_nothing_else() {
        let mut alone = Command::new(env::current_exe().unwrap());
        let said = alone.args(["--exact", "confine::compiler::tests::confined", "--ignored"]).output().unwrap();
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stdout));
        assert!(String::from_utf8_lossy(&said.stdout).contains("1 passed"));
    }

    #[test]
    #[ignore = "confines its process: the test above runs it"]
    fn confined() {
        let written = env::temp_dir().join(format!("sandbar-confined-{}", std::process::id()));
        confine_compiler().unwrap();

        let denied = |what: &str, tried: io::Result<()>| {
            assert_eq!(tried.map_err(|error| error.kind()), Err(PermissionDenied), "{what}");
        };
        denied("reading", File::open("/etc/passwd").map(drop));
        denied("its own memory", File::open("/proc/self/mem").map(drop));
        denied("listing", fs::read_dir("/").map(drop));
        denied("writing", File::create(&written).map(drop));
        denied("TCP", TcpStream::connect("127.0.0.1:1").map(drop));
        denied("a listener", TcpListener::bind("127.0.0.1:0").map(drop));
        denied("UDP", UdpSocket::bind("127.0.0.1:0").map(drop));
        denied("a Unix socket", UnixStream::connect("/run/x").map(drop));
        denied("a program", Command::new("/bin/true").spawn().map(drop));
        denied("its parent", test_kill_process(getppid().unwrap()).map_err(io::Error::from));

        assert_eq!(thread::spawn(|| 20 + 22).join().unwrap(), 42);
        let guest = wat::parse_str("(module (func (export \"f\")) (func) (func))").unwrap();
        assert!(crate::compile::compile(Tuning::default(), false, &guest).is_ok());
    }
}
