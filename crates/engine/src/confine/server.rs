//! What a server of guests may ask of the kernel: the files and ports that its app names, and none of the calls that only
//! administrators and debuggers make.
//!
//! Everything that a guest may touch is held by its grants already. This is for the day on which something holds less than it
//! should: whoever gets hold of the process then is still where the app was.

use super::{RULES, apply, filter};
use landlock::{
    Access, AccessFs, AccessNet, BitFlags, NetPort, Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr,
    RulesetStatus, Scope, path_beneath_rules,
};
use libc::{EPERM, c_long};
use seccompiler::{SeccompAction, TargetArch};
use std::{collections::BTreeMap, io, path::PathBuf};

/// What a server needs of the host, beside its own program and the system's libraries.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    /// Files and folders that are read.
    pub read: Vec<PathBuf>,
    /// Folders whose files are read, written, made and removed.
    pub write: Vec<PathBuf>,
    /// The ports that it listens on; none where it may be any.
    pub listen: Option<Vec<u16>>,
    /// Whether it connects to others, by TCP.
    pub connect: bool,
}

/// What every program of the system reads: libraries, names of hosts, certificates, the time zone, and what the kernel tells
/// of this process and of how many processors there are.
const SYSTEM: [&str; 8] =
    ["/etc", "/lib", "/lib64", "/proc/self", "/sys/devices/system/cpu", "/sys/fs/cgroup", "/usr/lib", "/usr/share"];
/// Of the devices, those that are no devices.
const DEVICES: [&str; 4] = ["/dev/null", "/dev/zero", "/dev/random", "/dev/urandom"];

/// The kernel's calls that no server makes: of administrators, of debuggers, and of those who leave a container.
const NEVER: &[c_long] = &[
    libc::SYS_acct,
    libc::SYS_add_key,
    libc::SYS_adjtimex,
    libc::SYS_bpf,
    libc::SYS_chroot,
    libc::SYS_clock_adjtime,
    libc::SYS_clock_settime,
    libc::SYS_delete_module,
    libc::SYS_fanotify_init,
    libc::SYS_finit_module,
    libc::SYS_fsopen,
    libc::SYS_init_module,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_io_uring_setup,
    libc::SYS_kcmp,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_mount,
    libc::SYS_move_mount,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_open_tree,
    libc::SYS_perf_event_open,
    libc::SYS_personality,
    libc::SYS_pidfd_getfd,
    libc::SYS_pivot_root,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_ptrace,
    libc::SYS_quotactl,
    libc::SYS_reboot,
    libc::SYS_request_key,
    libc::SYS_setdomainname,
    libc::SYS_sethostname,
    libc::SYS_setns,
    libc::SYS_settimeofday,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_syslog,
    libc::SYS_umount2,
    libc::SYS_unshare,
    libc::SYS_userfaultfd,
    libc::SYS_vhangup,
];

/// Confines this thread and those that it starts from now on, for good. Tells whether files and ports are held too, which
/// takes a kernel with Landlock.
///
/// # Errors
/// The kernel has what it takes and refuses.
pub fn confine_server(reach: &Reach) -> io::Result<bool> {
    let held = rules(reach).and_then(RulesetCreated::restrict_self).map_err(io::Error::other)?;
    if let Ok(arch) = TargetArch::try_from(std::env::consts::ARCH) {
        let never: BTreeMap<_, _> = NEVER.iter().map(|&call| (call, Vec::new())).collect();
        apply(&filter(never, SeccompAction::Allow, SeccompAction::Errno(EPERM as u32), arch)?)?;
    }
    Ok(held.ruleset != RulesetStatus::NotEnforced)
}

fn rules(reach: &Reach) -> Result<RulesetCreated, landlock::RulesetError> {
    let read = AccessFs::from_read(RULES) & !BitFlags::from(AccessFs::Execute);
    let write = AccessFs::from_all(RULES) & !AccessFs::Execute & !AccessFs::MakeChar & !AccessFs::MakeBlock;
    let mut rules = Ruleset::default().handle_access(AccessFs::from_all(RULES))?;
    if reach.listen.is_some() {
        rules = rules.handle_access(AccessNet::BindTcp)?;
    }
    if !reach.connect {
        rules = rules.handle_access(AccessNet::ConnectTcp)?;
    }
    // The compiler is this program again.
    let programs = std::env::current_exe().ok().into_iter().chain(["/lib", "/lib64", "/usr/lib"].map(PathBuf::from));
    let ports = reach.listen.iter().flatten().map(|&port| Ok(NetPort::new(port, AccessNet::BindTcp)));
    rules
        .scope(Scope::from_all(RULES))?
        .create()?
        .add_rules(path_beneath_rules(SYSTEM, read))?
        .add_rules(path_beneath_rules(DEVICES, read | AccessFs::WriteFile))?
        .add_rules(path_beneath_rules(programs, AccessFs::ReadFile | AccessFs::Execute))?
        .add_rules(path_beneath_rules(&reach.read, read))?
        .add_rules(path_beneath_rules(&reach.write, write))?
        .add_rules(ports.collect::<Vec<Result<_, landlock::RulesetError>>>())
}
