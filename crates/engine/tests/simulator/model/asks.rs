//! What may become of a call to a built component, by what its event asks for.

use super::{Ending, is_whole};
use crate::{
    canary::CANARY_BYTES,
    peer::{Host, Manner},
    plan::{CliAsk, FolderGrant, HttpAsk, Input, Tenant},
};
use sandbar_call::Resource;

/// What a guest answers at least and at most where its call ends well.
type Bytes = (u64, u64);

/// Bytes that a short message has at most.
const MESSAGE_BYTES: u64 = 400;
/// What the guest says to a TCP peer.
const PING_BYTES: u64 = 5;

pub(super) fn http(tenant: &Tenant, ask: &HttpAsk, input: Input) -> Vec<Ending> {
    let mut may = May::of(tenant);
    let exactly = |bytes: u64| (bytes, bytes);
    match *ask {
        HttpAsk::Echo(_) if input == Input::Never => {}
        HttpAsk::Echo(more) => {
            let whole = CANARY_BYTES as u64 + u64::from(more);
            if is_whole(input) {
                may.take(whole, whole);
                may.answer(exactly(whole));
            } else {
                may.end(Ending::Failed(None));
                may.take(0, whole);
                may.answer((0, whole));
            }
        }
        HttpAsk::Headers => may.answer((CANARY_BYTES as u64, MESSAGE_BYTES)),
        HttpAsk::Env => may.answer((0, MESSAGE_BYTES)),
        HttpAsk::Status(_) => may.answer(exactly(0)),
        HttpAsk::Stream { chunks, .. } => may.answer(exactly(8 * u64::from(chunks))),
        HttpAsk::Big(bytes) => may.answer(exactly(bytes)),
        HttpAsk::Sleep(_) => may.answer(exactly(6)),
        HttpAsk::Fetch(host, manner) => fetches(&mut may, tenant, host, manner),
        HttpAsk::Spin => {}
        HttpAsk::Panic => {
            may.log();
            may.end(Ending::Trapped);
        }
        HttpAsk::Nothing => may.end(Ending::Failed(None)),
        HttpAsk::Twice => {
            may.end(Ending::Failed(None));
            may.answer((0, 9));
        }
    }
    may.endings
}

fn fetches(may: &mut May, tenant: &Tenant, host: Host, manner: Manner) {
    let refused = (1, MESSAGE_BYTES);
    if !tenant.grants.http.contains(&(host, manner)) {
        return may.answer(refused);
    }
    if tenant.limit(Resource::Connections) == Some(0) {
        return may.end(Ending::Stopped(Resource::Connections));
    }
    if !host.leads_there() {
        if host.ends() {
            may.answer(refused);
        }
        return;
    }
    match (manner, manner.body_bytes()) {
        (Manner::Silent, _) => {}
        (_, Some(bytes)) => {
            may.take(bytes, bytes);
            may.answer((bytes, bytes));
        }
        (Manner::CutsOff, _) => {
            may.take(0, 100);
            for resource in [Resource::Output, Resource::BytesOut] {
                if tenant.limit(resource).is_some_and(|most| most < 100) {
                    may.end(Ending::Stopped(resource));
                }
            }
            may.end(Ending::Failed(None));
        }
        (_, None) => may.answer(refused),
    }
}

pub(super) fn cli(tenant: &Tenant, ask: &CliAsk, input: Input) -> Vec<Ending> {
    let mut may = May::of(tenant);
    // What a file holds, and so what is read of it.
    const ANY: Bytes = (0, u64::MAX);
    match *ask {
        CliAsk::Echo => may.answer((17, 17)),
        CliAsk::Cat if input == Input::Never => {}
        CliAsk::Cat => {
            may.take(0, CANARY_BYTES as u64);
            if is_whole(input) {
                may.answer((16, 16));
            } else {
                may.answer((0, 16));
                may.fail();
            }
        }
        CliAsk::Env => may.answer((0, MESSAGE_BYTES)),
        CliAsk::Ls(path) => may.touch(tenant, &[(path, false)], ANY),
        CliAsk::Read(path) => may.touch(tenant, &[(path, false)], ANY),
        CliAsk::OpenMany(path, _) => may.touch(tenant, &[(path, false)], ANY),
        CliAsk::Write(path)
        | CliAsk::Append(path, _)
        | CliAsk::Truncate(path, _)
        | CliAsk::Mkdir(path)
        | CliAsk::Rm(path)
        | CliAsk::Symlink(_, path) => may.touch(tenant, &[(path, true)], (0, 0)),
        CliAsk::Rename(from, to) => may.touch(tenant, &[(from, true), (to, true)], (0, 0)),
        CliAsk::Tcp(manner) => {
            if !tenant.grants.tcp.contains(&manner) {
                return may.failing();
            }
            if tenant.limit(Resource::Connections) == Some(0) {
                may.end(Ending::Stopped(Resource::Connections));
                return may.failing();
            }
            // The guest says something first, also to a peer that never answers.
            if tenant.limit(Resource::BytesOut).is_some_and(|most| most < PING_BYTES) {
                may.end(Ending::Stopped(Resource::BytesOut));
            }
            if manner.ends() {
                may.take(0, 8_192);
                may.answer((0, MESSAGE_BYTES));
                may.fail();
            }
        }
        CliAsk::Lookup(host) => {
            let granted = host == Host::Address || tenant.grants.lookup.contains(&host);
            if granted && matches!(host, Host::Address | Host::Name | Host::SlowName | Host::Rebinds) {
                may.answer((1, MESSAGE_BYTES));
            } else if !granted || host.ends() {
                may.fail();
            }
        }
        CliAsk::Exit(0) => may.answer((0, 0)),
        CliAsk::Exit(_) => may.end(Ending::Failed(Some(1))),
        CliAsk::Panic => {
            may.log();
            may.end(Ending::Trapped);
        }
        CliAsk::Spin => {}
        CliAsk::Sleep(_) => may.answer((0, 0)),
        CliAsk::Grow(_) => {
            may.answer((1, 20));
            if tenant.limit(Resource::Memory).is_some() {
                may.fail();
                may.end(Ending::Stopped(Resource::Memory));
            }
        }
        CliAsk::Random(1..) if !tenant.grants.random => may.end(Ending::RandomRefused),
        CliAsk::Random(bytes) => may.answer((2 * u64::from(bytes) + 1, 2 * u64::from(bytes) + 1)),
        CliAsk::Stdout(bytes) => may.answer((bytes.into(), bytes.into())),
        CliAsk::Stderr(bytes) => {
            may.log_bytes(bytes.into());
            may.answer((0, 0));
        }
    }
    may.endings
}

/// What a call may come to.
struct May<'a> {
    tenant: &'a Tenant,
    endings: Vec<Ending>,
    bytes_in: Bytes,
    log: Bytes,
}

impl<'a> May<'a> {
    fn of(tenant: &'a Tenant) -> May<'a> {
        // A program made by a compiler takes memory and handles as it likes.
        const FAR_MEMORY_BYTES: u64 = 16 << 20;
        const FAR_HANDLES: u64 = 300;
        let below = |resource, far| tenant.limit(resource).is_some_and(|most| most < far);
        let mut endings = Vec::new();
        endings.extend(below(Resource::Memory, FAR_MEMORY_BYTES).then_some(Ending::Stopped(Resource::Memory)));
        endings.extend(below(Resource::Handles, FAR_HANDLES).then_some(Ending::Stopped(Resource::Handles)));
        May { tenant, endings, bytes_in: (0, 0), log: (0, 0) }
    }

    fn end(&mut self, ending: Ending) {
        self.endings.push(ending);
    }

    /// Takes bytes in; beyond its limit it is stopped.
    fn take(&mut self, least: u64, most: u64) {
        self.bytes_in = (least, most);
        if self.tenant.limit(Resource::BytesIn).is_some_and(|limit| most > limit) {
            self.end(Ending::Stopped(Resource::BytesIn));
        }
    }

    /// Answers with so many bytes, unless it is stopped for one of them.
    fn answer(&mut self, (least, most): Bytes) {
        let mut surely = self.tenant.limit(Resource::BytesIn).is_some_and(|limit| self.bytes_in.0 > limit);
        for (resource, least, most) in
            [(Resource::Output, least, most), (Resource::BytesOut, least + self.log.0, most.saturating_add(self.log.1))]
        {
            let limit = self.tenant.limit(resource).unwrap_or(u64::MAX);
            if most > limit {
                self.end(Ending::Stopped(resource));
            }
            surely |= least > limit;
        }
        if !surely {
            self.end(Ending::Done);
        }
    }

    /// Logs a message.
    fn log(&mut self) {
        for resource in [Resource::Log, Resource::BytesOut] {
            if self.tenant.limit(resource).is_some_and(|limit| limit < 2 * MESSAGE_BYTES) {
                self.end(Ending::Stopped(resource));
            }
        }
    }

    /// Logs so many bytes.
    fn log_bytes(&mut self, bytes: u64) {
        self.log = (bytes, bytes);
        if self.tenant.limit(Resource::Log).is_some_and(|limit| bytes > limit) {
            self.end(Ending::Stopped(Resource::Log));
        }
    }

    /// Says why it failed.
    fn fail(&mut self) {
        self.log();
        self.end(Ending::Failed(Some(1)));
    }

    fn failing(mut self) -> Vec<Ending> {
        self.fail();
        self.endings
    }

    /// Does something with paths, each to be changed or not: it may always fail, and must where a path is not granted.
    fn touch(&mut self, tenant: &Tenant, paths: &[(&str, bool)], answer: Bytes) {
        self.fail();
        // Also what is refused in the end may have been written in part.
        for resource in [Resource::BytesIn, Resource::BytesOut] {
            if tenant.limit(resource).is_some() {
                self.end(Ending::Stopped(resource));
            }
        }
        if paths.iter().all(|(path, changes)| is_granted(tenant, path, *changes)) {
            self.answer(answer);
        }
    }
}

/// Whether a path may lie in a folder that is granted.
pub(crate) fn is_granted(tenant: &Tenant, path: &str, changes: bool) -> bool {
    let has = |folder: fn(&FolderGrant) -> bool| tenant.grants.folders.iter().any(folder);
    if path.contains("..") {
        return false;
    }
    (path.starts_with("/data") && has(|folder| matches!(folder, FolderGrant::Own(_))))
        || (path.starts_with("/shared") && !changes && has(|folder| *folder == FolderGrant::Shared))
}
