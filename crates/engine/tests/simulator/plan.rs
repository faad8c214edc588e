//! A run as data: everything that a seed decides, before anything happens.
//!
//! A seed decides what there is and when it is meant to happen. How threads interleave is the machine's: a fault that needs
//! an unlucky moment may take its seed a few times.

use crate::{
    guest::{Built, Form, Guest, Steps},
    peer::{Host, Manner},
};
use sandbar_call::Resource;
use sandbar_engine::{Fuel, Policy, PoolLimits};
use sandbar_testkit::random::Random;
use std::{fmt, time::Duration};

/// What happens in a run.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    /// Slots of the pool; none allocates on demand.
    pub(crate) slots: Option<u32>,
    pub(crate) threads: Threads,
    pub(crate) tenants: Vec<Tenant>,
    pub(crate) arrivals: Vec<Arrival>,
    pub(crate) weather: Vec<Weather>,
}

/// What polls calls.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Threads {
    /// So many threads with a runtime each, as a server has them.
    OwnRuntimes(usize),
    /// One runtime that moves tasks between so many threads, as a host program may have it.
    Stealing(usize),
}

/// Somebody with a guest, who must not notice that there are others.
#[derive(Clone, Debug)]
pub(crate) struct Tenant {
    pub(crate) policy: Policy,
    pub(crate) fuel: Fuel,
    pub(crate) limits: Vec<(Resource, u64)>,
    pub(crate) pool: PoolLimits,
    pub(crate) grants: Granted,
    /// Its guest, and those that take its place.
    pub(crate) versions: Vec<Guest>,
}

/// What a tenant is granted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Granted {
    pub(crate) folders: Vec<FolderGrant>,
    pub(crate) args: u32,
    pub(crate) env: bool,
    pub(crate) random: bool,
    pub(crate) fine_clock: bool,
    pub(crate) http: Vec<(Host, Manner)>,
    pub(crate) tcp: Vec<Manner>,
    pub(crate) lookup: Vec<Host>,
}

/// A folder that a tenant is granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FolderGrant {
    /// Its own, to read and write, with a quota in bytes.
    Own(Option<u64>),
    /// One that everybody may read.
    Shared,
}

/// One event.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    pub(crate) at: Duration,
    pub(crate) tenant: usize,
    pub(crate) ask: Ask,
    pub(crate) input: Input,
    pub(crate) patience: Patience,
}

/// What an event asks of a guest.
#[derive(Clone, Debug)]
pub(crate) enum Ask {
    /// To take its steps, called as its form is.
    Steps,
    /// To take its steps as the answer to a request.
    StepsByHttp,
    /// To take its steps so many times in a sandbox that whoever calls holds.
    Hold(u32),
    /// A request.
    Http(HttpAsk),
    /// A command line.
    Cli(CliAsk),
    /// What the guest is not made for.
    Misfit,
}

/// A request to `echo-http` or `echo-http-p3`. What is echoed is the canary and so many bytes more.
#[derive(Clone, Debug)]
pub(crate) enum HttpAsk {
    Echo(u32),
    Headers,
    Env,
    Status(u16),
    Stream { chunks: u32, ms: u32 },
    Big(u64),
    Sleep(u32),
    Fetch(Host, Manner),
    Spin,
    Panic,
    Nothing,
    Twice,
}

/// A command line for `cli`, which is told paths below `/data`, and others.
#[derive(Clone, Debug)]
pub(crate) enum CliAsk {
    Echo,
    Cat,
    Env,
    Ls(&'static str),
    Read(&'static str),
    Write(&'static str),
    Append(&'static str, u32),
    Truncate(&'static str, u32),
    Mkdir(&'static str),
    Rm(&'static str),
    Rename(&'static str, &'static str),
    Symlink(&'static str, &'static str),
    OpenMany(&'static str, u32),
    Tcp(Manner),
    Lookup(Host),
    Exit(u32),
    Panic,
    Spin,
    Sleep(u32),
    Grow(u64),
    Random(u32),
    Stdout(u32),
    Stderr(u32),
}

/// What an event brings on stdin or as its body: the call's canary, one way or another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    Whole,
    /// In pieces, with pauses of so many milliseconds.
    InPieces(u32),
    /// Broken off after half.
    Breaks,
    /// Never.
    Never,
}

/// How long whoever sent an event stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// To the end.
    Stays,
    /// To the end, with a pause before each frame of an answer.
    Slow(Duration),
    /// Goes before the call was polled.
    Unpolled,
    /// Goes after a while.
    Leaves(Duration),
    /// Takes so many frames of an answer, and goes.
    TakesFrames(u32),
}

/// What happens to the world meanwhile.
#[derive(Clone, Debug)]
pub(crate) struct Weather {
    pub(crate) at: Duration,
    pub(crate) what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// A tenant's next version takes over.
    Replace(usize),
    /// A tenant's folder is gone, and comes back empty after a while.
    FolderGone(usize, Duration),
    /// A tenant's folder is emptied while it is used.
    FolderEmptied(usize),
    /// Somebody else fills a tenant's folder to its quota.
    FolderFilled(usize),
    /// The engine is ended while calls run.
    EngineEnds,
}

impl Plan {
    pub(crate) fn of_seed(seed: u64) -> Plan {
        let mut random = Random::new(seed);
        let slots = random.maybe(80, |random| random.small(1..=12));
        let threads = match random.between(0..=3) {
            0 => Threads::Stealing(2),
            count => Threads::OwnRuntimes(count as usize),
        };
        let count = random.between(1..=5);
        let tenants: Vec<Tenant> = (0..count).map(|_| Tenant::random(&mut random.fork())).collect();
        let span_ms = *random.pick(&[5, 50, 150]);
        let count = random.between(4..=60);
        let arrivals = (0..count).map(|_| Arrival::random(&mut random.fork(), &tenants, span_ms)).collect();
        let count = random.between(0..=3);
        let weather = (0..count).map(|_| Weather::random(&mut random.fork(), tenants.len(), span_ms)).collect();
        Plan { seed, slots, threads, tenants, arrivals, weather }
    }

    /// Whether the world, and not the guests, is to blame for what a tenant's folder holds or lacks.
    pub(crate) fn folder_suffers(&self, tenant: usize) -> bool {
        self.weather.iter().any(|weather| match weather.what {
            What::FolderGone(of, _) | What::FolderEmptied(of) | What::FolderFilled(of) => of == tenant,
            What::Replace(_) | What::EngineEnds => false,
        })
    }

    /// Whether a tenant's folder is missing for a while.
    pub(crate) fn folder_goes(&self, tenant: usize) -> bool {
        self.weather.iter().any(|weather| matches!(weather.what, What::FolderGone(of, _) if of == tenant))
    }

    pub(crate) fn engine_ends(&self) -> bool {
        self.weather.iter().any(|weather| weather.what == What::EngineEnds)
    }
}

impl fmt::Display for Plan {
    /// A line for each event, each change of the weather, and each tenant that has an event.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:?}, slots {:?}", self.threads, self.slots)?;
        let tenants = self.tenants.iter().enumerate();
        let mut called = tenants.filter(|(at, _)| self.arrivals.iter().any(|arrival| arrival.tenant == *at));
        called.try_for_each(|(at, tenant)| writeln!(f, "tenant {at}: {tenant:?}"))?;
        self.arrivals.iter().try_for_each(|arrival| writeln!(f, "{arrival:?}"))?;
        self.weather.iter().try_for_each(|weather| writeln!(f, "{weather:?}"))
    }
}

impl Tenant {
    fn random(random: &mut Random) -> Tenant {
        let hurried = random.chance(60);
        let versions: Vec<Guest> = match random.between(0..=9) {
            0 | 1 => vec![Guest::Built(Built::Echo)],
            2 => vec![Guest::Built(Built::Echo03)],
            3 => vec![Guest::Built(Built::Cli)],
            _ => {
                let form = *random.pick(&[Form::Command, Form::Function, Form::Function, Form::Typed]);
                let count = random.between(1..=2);
                (0..count).map(|_| Guest::Steps(Steps::random(random, form, hurried))).collect()
            }
        };
        let policy = match random.between(0..=3) {
            0 | 1 => Policy::Fresh,
            2 => Policy::Reused { calls: random.between(1..=5), idle: Duration::from_millis(random.between(1..=200)) },
            _ => Policy::Held,
        };
        Tenant {
            policy,
            fuel: if random.chance(20) { Fuel::Always } else { Fuel::WhereLimited },
            limits: limits(random, &versions, hurried),
            pool: PoolLimits {
                sandboxes_max: random.small(1..=8),
                waiting_max: random.small(0..=8),
                wait: Duration::from_millis(random.between(1..=100)),
            },
            grants: Granted::random(random, &versions),
            versions,
        }
    }

    pub(crate) fn limit(&self, resource: Resource) -> Option<u64> {
        self.limits.iter().find(|(of, _)| *of == resource).map(|(_, most)| *most)
    }

    /// Whether only a limit that is soon reached ends what would go on.
    pub(crate) fn is_hurried(&self) -> bool {
        self.limit(Resource::Wall).is_some_and(|most| most < UNHURRIED_NS)
    }
}

/// A deadline that nothing reaches which ends by itself.
pub(crate) const UNHURRIED_NS: u64 = 40_000 * MS;
const MS: u64 = 1_000_000;

fn limits(random: &mut Random, versions: &[Guest], hurried: bool) -> Vec<(Resource, u64)> {
    let built = matches!(versions, [Guest::Built(_), ..]);
    let wall_ns = if hurried { random.between(10..=120) * MS } else { UNHURRIED_NS };
    let mut limits = vec![(Resource::Wall, wall_ns)];
    let mut some = |percent: u64, resource: Resource, amounts: &[u64], random: &mut Random| {
        if random.chance(percent) {
            limits.push((resource, *random.pick(amounts)));
        }
    };
    some(20, Resource::Cpu, &[2 * MS, 10 * MS, 30 * MS, UNHURRIED_NS], random);
    some(20, Resource::Fuel, &[1, 100, 20_000, 3_000_000, 1 << 50], random);
    let memories: &[u64] = if built { &[4 << 20, 64 << 20] } else { &[6 * 65_536, 8 * 65_536, 64 * 65_536] };
    some(40, Resource::Memory, memories, random);
    some(20, Resource::Tables, if built { &[10_000] } else { &[6, 100, 3_000] }, random);
    some(15, Resource::Instances, if built { &[30] } else { &[1, 2] }, random);
    some(20, Resource::Handles, if built { &[12, 40, 1_000] } else { &[4, 10, 60, 1_000] }, random);
    some(20, Resource::Output, &[0, 100, 5_000, 100_000], random);
    some(15, Resource::Log, &[0, 10, 5_000], random);
    some(10, Resource::BytesIn, &[0, 16, 4_000], random);
    some(15, Resource::BytesOut, &[0, 200, 50_000], random);
    some(20, Resource::Connections, &[0, 1], random);
    limits
}

impl Granted {
    fn random(random: &mut Random, versions: &[Guest]) -> Granted {
        let own = |random: &mut Random| {
            FolderGrant::Own(random.maybe(70, |random| *random.pick(&[0, 3_000, 100_000, 1 << 20])))
        };
        let folders = match random.between(0..=5) {
            0 => vec![],
            1 => vec![FolderGrant::Shared],
            2 => vec![FolderGrant::Shared, own(random)],
            3 => vec![own(random), FolderGrant::Shared],
            _ => vec![own(random)],
        };
        let some_of = |percent, random: &mut Random| -> Vec<(Host, Manner)> {
            let all = Host::ALL.iter().flat_map(|host| Manner::ALL.iter().map(move |manner| (*host, *manner)));
            all.filter(|(_, manner)| *manner != Manner::Forbidden).filter(|_| random.chance(percent)).collect()
        };
        let http = some_of(50, random);
        let tcp = some_of(30, random).into_iter().filter(|(host, _)| *host == Host::Address).map(|(_, manner)| manner);
        Granted {
            folders,
            // Those of `cli` say what to do, and come from the event.
            args: if matches!(versions, [Guest::Built(Built::Cli)]) { 0 } else { random.small(0..=2) },
            env: random.chance(50),
            random: random.chance(70),
            fine_clock: random.chance(30),
            tcp: tcp.collect(),
            http,
            lookup: Host::ALL.iter().copied().filter(|host| *host != Host::Address && random.chance(50)).collect(),
        }
    }
}

impl Arrival {
    fn random(random: &mut Random, tenants: &[Tenant], span_ms: u64) -> Arrival {
        let tenant = usize::try_from(random.between(0..=tenants.len() as u64 - 1)).unwrap();
        let of = &tenants[tenant];
        let ask = match &of.versions[0] {
            _ if random.chance(3) => Ask::Misfit,
            Guest::Steps(_) if of.versions.iter().all(Guest::is_held) && random.chance(20) => {
                Ask::Hold(random.small(0..=5))
            }
            Guest::Steps(Steps { form: Form::Typed, .. }) => Ask::Steps,
            Guest::Steps(_) if random.chance(40) => Ask::StepsByHttp,
            Guest::Steps(_) => Ask::Steps,
            Guest::Built(Built::Echo) => Ask::Http(HttpAsk::random(random, of.is_hurried(), true)),
            Guest::Built(Built::Echo03) => Ask::Http(HttpAsk::random(random, of.is_hurried(), false)),
            Guest::Built(Built::Cli) => Ask::Cli(CliAsk::random(random, of.is_hurried())),
        };
        let input = match random.between(0..=19) {
            0 if of.is_hurried() => Input::Never,
            1 => Input::Breaks,
            2 | 3 => Input::InPieces(random.small(0..=10)),
            _ => Input::Whole,
        };
        let patience = match random.between(0..=19) {
            0 => Patience::Unpolled,
            1..=3 => Patience::Leaves(Duration::from_micros(random.skewed(0..=60_000))),
            4 => Patience::TakesFrames(random.small(0..=3)),
            5 => Patience::Slow(Duration::from_millis(random.between(1..=10))),
            _ => Patience::Stays,
        };
        Arrival { at: Duration::from_micros(random.between(0..=span_ms * 1_000)), tenant, ask, input, patience }
    }
}

impl HttpAsk {
    fn random(random: &mut Random, endless: bool, is_02: bool) -> HttpAsk {
        let fetch = |random: &mut Random| {
            let manners: Vec<Manner> = Manner::ALL.iter().copied().filter(|manner| endless || manner.ends()).collect();
            let hosts: Vec<Host> = Host::ALL.iter().copied().filter(|host| endless || host.ends()).collect();
            HttpAsk::Fetch(*random.pick(&hosts), *random.pick(&manners))
        };
        match random.between(0..=if is_02 { 16 } else { 8 }) {
            0 | 1 => HttpAsk::Echo(random.skewed(0..=600_000) as u32),
            2 => HttpAsk::Status(*random.pick(&[200, 204, 404, 500])),
            3..=6 => fetch(random),
            7 if endless => HttpAsk::Spin,
            7 | 8 => HttpAsk::Panic,
            9 => HttpAsk::Headers,
            10 => HttpAsk::Env,
            11 => HttpAsk::Stream { chunks: random.small(1..=6), ms: random.small(0..=8) },
            12 | 13 => HttpAsk::Big(random.skewed(0..=2_000_000)),
            14 => HttpAsk::Sleep(random.small(0..=20)),
            15 => HttpAsk::Nothing,
            _ => HttpAsk::Twice,
        }
    }
}

impl CliAsk {
    fn random(random: &mut Random, endless: bool) -> CliAsk {
        const PATHS: &[&str] = &[
            "/data/a",
            "/data/b",
            "/data/d",
            "/data/d/a",
            "/data/link",
            "/data/link/secret",
            "/shared/kept",
            "/data/../outside/secret",
            "/etc/passwd",
            "/data",
            "a",
        ];
        let path = |random: &mut Random| *random.pick(PATHS);
        match random.between(0..=27) {
            0 => CliAsk::Echo,
            1 => CliAsk::Cat,
            2 => CliAsk::Env,
            3 => CliAsk::Ls(path(random)),
            4 | 5 => CliAsk::Read(path(random)),
            6 | 7 => CliAsk::Write(path(random)),
            8 => CliAsk::Append(path(random), random.skewed(0..=200_000) as u32),
            9 => CliAsk::Truncate(path(random), random.skewed(0..=200_000) as u32),
            10 => CliAsk::Mkdir(path(random)),
            11 => CliAsk::Rm(path(random)),
            12 => CliAsk::Rename(path(random), path(random)),
            13 => CliAsk::Symlink(random.pick::<&str>(&["a", "..", "/etc", "../../outside"]), path(random)),
            14 => CliAsk::OpenMany(path(random), random.skewed(1..=100) as u32),
            15 | 16 => {
                let manners: Vec<_> = Manner::ALL.iter().copied().filter(|manner| endless || manner.ends()).collect();
                CliAsk::Tcp(*random.pick(&manners))
            }
            17 | 18 => {
                let hosts: Vec<_> = Host::ALL.iter().copied().filter(|host| endless || host.ends()).collect();
                CliAsk::Lookup(*random.pick(&hosts))
            }
            19 => CliAsk::Exit(random.small(0..=3)),
            20 => CliAsk::Panic,
            21 if endless => CliAsk::Spin,
            21 | 22 => CliAsk::Sleep(random.small(0..=20)),
            23 => CliAsk::Grow(random.skewed(0..=20 << 20)),
            24 => CliAsk::Random(random.small(0..=64)),
            25 | 26 => CliAsk::Stdout(random.skewed(0..=600_000) as u32),
            _ => CliAsk::Stderr(random.skewed(0..=60_000) as u32),
        }
    }
}

impl Weather {
    fn random(random: &mut Random, tenants: usize, span_ms: u64) -> Weather {
        let tenant = usize::try_from(random.between(0..=tenants as u64 - 1)).unwrap();
        let what = match random.between(0..=9) {
            0..=3 => What::Replace(tenant),
            4 | 5 => What::FolderGone(tenant, Duration::from_millis(random.between(1..=40))),
            6 => What::FolderEmptied(tenant),
            7 => What::FolderFilled(tenant),
            _ => What::EngineEnds,
        };
        Weather { at: Duration::from_millis(random.between(0..=span_ms + 50)), what }
    }
}
