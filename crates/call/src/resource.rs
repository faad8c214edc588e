//! The one list of what a call consumes. It indexes limits and usage alike, so a resource that is added here is limited,
//! metered, documented and printed everywhere.

use serde::{Deserialize, Serialize};

/// How an amount of a resource behaves over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// Only grows during a call: bytes, nanoseconds, fuel. A limit bounds the sum.
    Sum,
    /// Rises and falls: memory, handles. A limit bounds the level, a receipt shows the peak.
    Level,
}

/// The unit of a resource's amounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A plain number.
    Count,
    /// Bytes.
    Bytes,
    /// Nanoseconds.
    Nanoseconds,
}

impl Unit {
    /// Reads an amount: of nanoseconds `500ms`, `2s`, `1m`, `1h`, `100us` or `100ns`; of bytes `64KiB`, `64MiB`, `1GiB`, `64KB` or
    /// `4096`; otherwise a whole number. `_` may part digits.
    pub fn read(self, text: &str) -> Option<u64> {
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(text.len());
        let (digits, suffix) = text.split_at_checked(end)?;
        let (_, factor) = self.suffixes().iter().find(|(name, _)| *name == suffix)?;
        let number = digits.starts_with(|c: char| c.is_ascii_digit()).then(|| digits.replace('_', ""))?;
        number.parse::<u64>().ok()?.checked_mul(*factor).filter(|&amount| amount < u64::MAX)
    }

    /// Reads a bound: an amount, of time more than none, or `none`, which is `u64::MAX` and bounds nothing.
    pub fn read_bound(self, text: &str) -> Option<u64> {
        match self {
            _ if text == "none" => Some(u64::MAX),
            Unit::Nanoseconds => self.read(text).filter(|&ns| ns > 0),
            Unit::Bytes | Unit::Count => self.read(text),
        }
    }

    const fn suffixes(self) -> &'static [(&'static str, u64)] {
        match self {
            Unit::Count => &[("", 1)],
            Unit::Bytes => &[
                ("", 1),
                ("B", 1),
                ("KB", 1_000),
                ("MB", 1_000_000),
                ("GB", 1_000_000_000),
                ("KiB", 1 << 10),
                ("MiB", 1 << 20),
                ("GiB", 1 << 30),
            ],
            Unit::Nanoseconds => &[
                ("ns", 1),
                ("us", 1_000),
                ("ms", 1_000_000),
                ("s", 1_000_000_000),
                ("m", 60_000_000_000),
                ("h", 3_600_000_000_000),
            ],
        }
    }
}

macro_rules! resources {
    ($($(#[doc = $doc:literal])+ $variant:ident = $key:literal, $field:literal, $span:ident, $unit:ident;)+) => {
        /// One thing that a call uses up, and that a limit may bound.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        #[repr(u8)]
        pub enum Resource {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Resource {
            /// Every resource, in the order of the list.
            pub const ALL: &'static [Resource] = &[$(Resource::$variant,)+];

            /// The key of its limit in a manifest, and its name in an outcome: `wall`, `memory`, …
            pub const fn key(self) -> &'static str {
                match self { $(Resource::$variant => $key,)+ }
            }

            /// The name of its usage in a receipt, unit last: `wall_ns`, `memory_bytes`, …
            pub const fn field(self) -> &'static str {
                match self { $(Resource::$variant => $field,)+ }
            }

            /// Whether its amount only grows or is a level.
            pub const fn span(self) -> Span {
                match self { $(Resource::$variant => Span::$span,)+ }
            }

            /// The unit of its amounts.
            pub const fn unit(self) -> Unit {
                match self { $(Resource::$variant => Unit::$unit,)+ }
            }

            /// What it counts, one sentence for help and reference.
            pub const fn doc(self) -> &'static str {
                match self { $(Resource::$variant => concat!($($doc),+),)+ }
            }
        }
    };
}

resources! {
    /// Wall time from the start of the call to its end, waiting included.
    Wall = "wall", "wall_ns", Sum, Nanoseconds;
    /// Processor time that guest code and the host's work for it took.
    Cpu = "cpu", "cpu_ns", Sum, Nanoseconds;
    /// Fuel: one unit for most instructions, counted exactly where a limit or the app asks for it.
    Fuel = "fuel", "fuel", Sum, Count;
    /// Linear memory, summed over the memories of the sandbox.
    Memory = "memory", "memory_bytes", Level, Bytes;
    /// Table elements, summed over the tables of the sandbox.
    Tables = "tables", "table_elements", Level, Count;
    /// Core instances, tables and memories that a sandbox may hold.
    Instances = "instances", "instances", Level, Count;
    /// Handles to host resources that are open at one time: files, sockets, streams, fields.
    Handles = "handles", "handles", Level, Count;
    /// Bytes that the guest gave as its answer: stdout, response body, result value.
    Output = "output", "output_bytes", Sum, Bytes;
    /// Bytes that the guest logged: stderr and log calls.
    Log = "log", "log_bytes", Sum, Bytes;
    /// Bytes that crossed from the host into the guest: request, stdin, files, sockets.
    BytesIn = "bytes-in", "in_bytes", Sum, Bytes;
    /// Bytes that crossed from the guest to the host: answer, log, files, sockets.
    BytesOut = "bytes-out", "out_bytes", Sum, Bytes;
    /// Outgoing connections that a call opened.
    Connections = "connections", "connections", Sum, Count;
}

impl Resource {
    /// How many resources there are.
    pub const COUNT: usize = Self::ALL.len();

    /// Its place in arrays of amounts.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Finds a resource by the key of its limit.
    pub fn from_key(key: &str) -> Option<Resource> {
        Self::ALL.iter().copied().find(|resource| resource.key() == key)
    }
}
