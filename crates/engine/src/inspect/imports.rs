//! Maps what a guest imports to the grants that it needs.
//!
//! One table for each dialect. What isn't in a table is unknown: the guest fails to bind unless its host provides it.
//! An interface of WASI 0.2 and 0.3 is one import here, whatever it holds, since a grant covers all of it.

use super::{Kind, LISTED_MAX, scan::Scan, shown, types};
use sandbar_call::{Dialect, GrantKind};
use serde::Serialize;
use wasmparser::types::TypesRef;

/// One thing that a guest imports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Import {
    /// The module that a core module imports it from; none in a component.
    pub module: Option<String>,
    /// Its name; of an interface with its version, `wasi:io/poll@0.2.6`.
    pub name: String,
    /// Its type: `(i32) -> i32` in a module, WIT or what kind of thing it is in a component.
    #[serde(rename = "type")]
    pub ty: String,
    /// Whether Sandbar provides it.
    pub known: bool,
    /// The grants without which it does nothing, or does less.
    pub grants: &'static [GrantKind],
    /// What the guest has without them, and otherwise why it is there or not.
    pub note: &'static str,
}

/// The names under which modules import WASI 0.1.
const WASI_MODULES: [&str; 2] = ["wasi_snapshot_preview1", "wasi_unstable"];

/// Whether a module imports WASI 0.1 under this name. A part that was linked into a guest has a number at its end.
pub(crate) fn is_wasi01(module: &str) -> bool {
    let own = module.rsplit_once('/').filter(|(_, part)| part.parse::<u8>().is_ok()).map_or(module, |(own, _)| own);
    WASI_MODULES.contains(&own)
}

/// The name under which plugins of Extism import what their kit needs.
pub(crate) const EXTISM_MODULE: &str = "extism:host/env";

const ALWAYS: &str = "always there";
const REFUSED: &str = "refused without its grant";
const EMPTY: &str = "empty without its grant";
const COARSE: &str = "coarse without its grant";
const EMPTY_CONFIG: &str = "what its host configured";
const EVENT: &str = "the event's own";
const UNKNOWN: &str = "unknown";
const NO_VERSION: &str = "unknown version";

/// What is provided under a name: the grants that it needs, and what it is without.
type Provided = (&'static [GrantKind], &'static str);

/// The functions of WASI 0.1, by name or by the start of it; the first match counts.
const WASI_01: &[(&str, Provided)] = &[
    ("args_", (&[GrantKind::Args], EMPTY)),
    ("environ_", (&[GrantKind::Env], EMPTY)),
    ("clock_", (&[GrantKind::Clock], COARSE)),
    ("random_get", (&[GrantKind::Random], REFUSED)),
    ("sock_", (&[GrantKind::Tcp], REFUSED)),
    ("path_", (&[GrantKind::Dir], REFUSED)),
    ("fd_read", (&[GrantKind::Stdio], EVENT)),
    ("fd_readdir", (&[GrantKind::Dir], REFUSED)),
    ("fd_write", (&[GrantKind::Stdio], EVENT)),
    ("fd_close", (&[], ALWAYS)),
    ("fd_fdstat_", (&[], ALWAYS)),
    ("fd_renumber", (&[], ALWAYS)),
    ("fd_seek", (&[], ALWAYS)),
    ("fd_tell", (&[], ALWAYS)),
    ("fd_prestat_", (&[GrantKind::Dir], EMPTY)),
    ("fd_", (&[GrantKind::Dir], REFUSED)),
    ("poll_oneoff", (&[], ALWAYS)),
    ("proc_", (&[], ALWAYS)),
    ("sched_yield", (&[], ALWAYS)),
];

/// The functions that WASI 0.1 has. A name that only starts like one of them is unknown.
const WASI_01_NAMES: &[&str] = &[
    "args_get",
    "args_sizes_get",
    "clock_res_get",
    "clock_time_get",
    "environ_get",
    "environ_sizes_get",
    "fd_advise",
    "fd_allocate",
    "fd_close",
    "fd_datasync",
    "fd_fdstat_get",
    "fd_fdstat_set_flags",
    "fd_fdstat_set_rights",
    "fd_filestat_get",
    "fd_filestat_set_size",
    "fd_filestat_set_times",
    "fd_pread",
    "fd_prestat_dir_name",
    "fd_prestat_get",
    "fd_pwrite",
    "fd_read",
    "fd_readdir",
    "fd_renumber",
    "fd_seek",
    "fd_sync",
    "fd_tell",
    "fd_write",
    "path_create_directory",
    "path_filestat_get",
    "path_filestat_set_times",
    "path_link",
    "path_open",
    "path_readlink",
    "path_remove_directory",
    "path_rename",
    "path_symlink",
    "path_unlink_file",
    "poll_oneoff",
    "proc_exit",
    "proc_raise",
    "random_get",
    "sched_yield",
    "sock_accept",
    "sock_recv",
    "sock_send",
    "sock_shutdown",
];

/// The functions that plugins of Extism import.
const EXTISM: &[(&str, Provided)] = &[
    ("alloc", (&[], ALWAYS)),
    ("config_get", (&[], EMPTY_CONFIG)),
    ("error_get", (&[], ALWAYS)),
    ("error_set", (&[GrantKind::Stdio], EVENT)),
    ("free", (&[], ALWAYS)),
    ("get_log_level", (&[], ALWAYS)),
    ("http_headers", (&[], ALWAYS)),
    ("http_request", (&[GrantKind::Http], REFUSED)),
    ("http_status_code", (&[], ALWAYS)),
    ("input_length", (&[GrantKind::Stdio], EVENT)),
    ("input_load_u64", (&[GrantKind::Stdio], EVENT)),
    ("input_load_u8", (&[GrantKind::Stdio], EVENT)),
    ("input_offset", (&[GrantKind::Stdio], EVENT)),
    ("input_set", (&[], ALWAYS)),
    ("length", (&[], ALWAYS)),
    ("length_unsafe", (&[], ALWAYS)),
    ("load_u64", (&[], ALWAYS)),
    ("load_u8", (&[], ALWAYS)),
    ("log_debug", (&[GrantKind::Stdio], EVENT)),
    ("log_error", (&[GrantKind::Stdio], EVENT)),
    ("log_info", (&[GrantKind::Stdio], EVENT)),
    ("log_trace", (&[GrantKind::Stdio], EVENT)),
    ("log_warn", (&[GrantKind::Stdio], EVENT)),
    ("memory_bytes", (&[], ALWAYS)),
    ("output_length", (&[GrantKind::Stdio], EVENT)),
    ("output_offset", (&[GrantKind::Stdio], EVENT)),
    ("output_set", (&[GrantKind::Stdio], EVENT)),
    ("reset", (&[], ALWAYS)),
    ("store_u64", (&[], ALWAYS)),
    ("store_u8", (&[], ALWAYS)),
    ("var_get", (&[], ALWAYS)),
    ("var_set", (&[], ALWAYS)),
];

/// The interfaces of WASI 0.2.
const WASI_02: &[(&str, Provided)] = &[
    ("cli/environment", (&[GrantKind::Args, GrantKind::Env], EMPTY)),
    ("cli/exit", (&[], ALWAYS)),
    ("cli/stderr", (&[GrantKind::Stdio], EVENT)),
    ("cli/stdin", (&[GrantKind::Stdio], EVENT)),
    ("cli/stdout", (&[GrantKind::Stdio], EVENT)),
    ("cli/terminal-input", (&[], ALWAYS)),
    ("cli/terminal-output", (&[], ALWAYS)),
    ("cli/terminal-stderr", (&[], ALWAYS)),
    ("cli/terminal-stdin", (&[], ALWAYS)),
    ("cli/terminal-stdout", (&[], ALWAYS)),
    ("clocks/monotonic-clock", (&[GrantKind::Clock], COARSE)),
    ("clocks/wall-clock", (&[GrantKind::Clock], COARSE)),
    ("filesystem/preopens", (&[GrantKind::Dir], EMPTY)),
    ("filesystem/types", (&[GrantKind::Dir], REFUSED)),
    ("http/outgoing-handler", (&[GrantKind::Http], REFUSED)),
    ("http/types", (&[], EVENT)),
    ("io/error", (&[], ALWAYS)),
    ("io/poll", (&[], ALWAYS)),
    ("io/streams", (&[], ALWAYS)),
    ("random/insecure", (&[], ALWAYS)),
    ("random/insecure-seed", (&[], ALWAYS)),
    ("random/random", (&[GrantKind::Random], REFUSED)),
    ("sockets/instance-network", (&[], ALWAYS)),
    ("sockets/ip-name-lookup", (&[GrantKind::Lookup], REFUSED)),
    ("sockets/network", (&[], ALWAYS)),
    ("sockets/tcp", (&[GrantKind::Tcp], REFUSED)),
    ("sockets/tcp-create-socket", (&[GrantKind::Tcp], REFUSED)),
    ("sockets/udp", (&[GrantKind::Udp], REFUSED)),
    ("sockets/udp-create-socket", (&[GrantKind::Udp], REFUSED)),
];

/// The interfaces of WASI 0.3.
const WASI_03: &[(&str, Provided)] = &[
    ("cli/environment", (&[GrantKind::Args, GrantKind::Env], EMPTY)),
    ("cli/exit", (&[], ALWAYS)),
    ("cli/stderr", (&[GrantKind::Stdio], EVENT)),
    ("cli/stdin", (&[GrantKind::Stdio], EVENT)),
    ("cli/stdout", (&[GrantKind::Stdio], EVENT)),
    ("cli/terminal-input", (&[], ALWAYS)),
    ("cli/terminal-output", (&[], ALWAYS)),
    ("cli/terminal-stderr", (&[], ALWAYS)),
    ("cli/terminal-stdin", (&[], ALWAYS)),
    ("cli/terminal-stdout", (&[], ALWAYS)),
    ("cli/types", (&[], ALWAYS)),
    ("clocks/monotonic-clock", (&[GrantKind::Clock], COARSE)),
    ("clocks/system-clock", (&[GrantKind::Clock], COARSE)),
    ("clocks/types", (&[], ALWAYS)),
    ("filesystem/preopens", (&[GrantKind::Dir], EMPTY)),
    ("filesystem/types", (&[GrantKind::Dir], REFUSED)),
    ("http/client", (&[GrantKind::Http], REFUSED)),
    ("http/types", (&[], EVENT)),
    ("random/insecure", (&[], ALWAYS)),
    ("random/insecure-seed", (&[], ALWAYS)),
    ("random/random", (&[GrantKind::Random], REFUSED)),
    ("sockets/ip-name-lookup", (&[GrantKind::Lookup], REFUSED)),
    ("sockets/types", (&[GrantKind::Tcp, GrantKind::Udp], REFUSED)),
];

/// Lists the imports of a guest, and counts them all.
pub(super) fn list(scan: &Scan<'_>, types: &TypesRef<'_>) -> (Vec<Import>, u64) {
    match scan.kind {
        Kind::Core => {
            let all = || types.core_imports().into_iter().flatten();
            let import = |(module, name, ty): (&str, &str, _)| {
                let ty = types::core(*types, ty);
                of(Some(module), name, ty, core_import(module, name))
            };
            (all().take(LISTED_MAX).map(import).collect(), all().count() as u64)
        }
        Kind::Component => {
            let import = |name: &&str| of(None, name, types::import(*types, name), interface(name));
            (scan.imports.iter().take(LISTED_MAX).map(import).collect(), scan.imports.len() as u64)
        }
    }
}

/// What a guest speaks that spoke this so far, where a module at this depth of it imports from a module of this name.
pub(super) fn dialect_by_import(so_far: Dialect, module: &str, depth: usize) -> Dialect {
    match so_far {
        so_far if depth != 1 => so_far,
        _ if module == EXTISM_MODULE => Dialect::Extism,
        Dialect::Core if is_wasi01(module) => Dialect::Wasi01,
        so_far => so_far,
    }
}

/// What a module speaks that spoke this so far and exports this.
pub(super) fn dialect_by_export(so_far: Dialect, name: &str) -> Dialect {
    match (so_far, name) {
        (Dialect::Core, "_start" | "_initialize") => Dialect::Wasi01,
        (so_far, _) => so_far,
    }
}

/// An interface of WASI 0.2 or 0.3.
pub(super) struct Wasi<'a> {
    /// Package and name, such as `io/poll`.
    pub(super) interface: &'a str,
    /// Which of the two.
    pub(super) dialect: Dialect,
}

/// Reads the name of a WASI interface, such as `wasi:io/poll@0.2.6`. None for other names, versions and candidates.
pub(super) fn wasi(name: &str) -> Option<Wasi<'_>> {
    let (interface, version) = name.strip_prefix("wasi:")?.split_once('@')?;
    let patch = |line| version.strip_prefix(line).is_some_and(|patch: &str| patch.parse::<u32>().is_ok());
    let dialect = if patch("0.2.") {
        Dialect::Wasi02
    } else if patch("0.3.") {
        Dialect::Wasi03
    } else {
        return None;
    };
    Some(Wasi { interface, dialect })
}

fn of(module: Option<&str>, name: &str, ty: String, provided: Result<Provided, &'static str>) -> Import {
    let (known, (grants, note)) = match provided {
        Ok(provided) => (true, provided),
        Err(note) => (false, (&[][..], note)),
    };
    Import { module: module.map(shown), name: shown(name), ty, known, grants, note }
}

fn core_import(module: &str, name: &str) -> Result<Provided, &'static str> {
    if module == EXTISM_MODULE {
        let found = EXTISM.iter().find(|(function, _)| *function == name);
        return found.map(|(_, provided)| *provided).ok_or(UNKNOWN);
    }
    if !is_wasi01(module) || !WASI_01_NAMES.contains(&name) {
        return Err(UNKNOWN);
    }
    let found = WASI_01.iter().find(|(start, _)| name == *start || (start.ends_with('_') && name.starts_with(start)));
    found.map(|(_, provided)| *provided).ok_or(UNKNOWN)
}

fn interface(name: &str) -> Result<Provided, &'static str> {
    let Some(wasi) = wasi(name) else {
        return Err(if name.starts_with("wasi:") { NO_VERSION } else { UNKNOWN });
    };
    let table = if wasi.dialect == Dialect::Wasi03 { WASI_03 } else { WASI_02 };
    table.iter().find(|(interface, _)| *interface == wasi.interface).map(|(_, provided)| *provided).ok_or(UNKNOWN)
}
