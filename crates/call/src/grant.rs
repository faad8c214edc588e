//! What may be granted, by name, and what was asked for and refused. What a grant checks and does lives in `grants`.

use alloc::string::String;
use serde::{Deserialize, Serialize};

/// One kind of thing outside itself that a guest may touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum GrantKind {
    /// Command-line arguments.
    Args,
    /// Environment variables.
    Env,
    /// Standard input, output and error.
    Stdio,
    /// Folders of the host.
    Dir,
    /// Clocks.
    Clock,
    /// Random numbers.
    Random,
    /// Outgoing HTTP requests.
    Http,
    /// TCP sockets.
    Tcp,
    /// UDP sockets.
    Udp,
    /// Name look-up.
    Lookup,
    /// Functions of the host program that a guest is embedded in.
    Functions,
    /// What a plugin keeps between its calls.
    State,
    /// Other plugins of the same host.
    Plugins,
}

impl GrantKind {
    /// Every kind, in the order of the list.
    pub const ALL: &'static [GrantKind] = &[
        GrantKind::Args,
        GrantKind::Env,
        GrantKind::Stdio,
        GrantKind::Dir,
        GrantKind::Clock,
        GrantKind::Random,
        GrantKind::Http,
        GrantKind::Tcp,
        GrantKind::Udp,
        GrantKind::Lookup,
        GrantKind::Functions,
        GrantKind::State,
        GrantKind::Plugins,
    ];

    /// How many kinds there are.
    pub const COUNT: usize = Self::ALL.len();

    /// Its place in arrays of counts.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Its key in a manifest and its name in a receipt.
    pub const fn key(self) -> &'static str {
        match self {
            GrantKind::Args => "args",
            GrantKind::Env => "env",
            GrantKind::Stdio => "stdio",
            GrantKind::Dir => "dir",
            GrantKind::Clock => "clock",
            GrantKind::Random => "random",
            GrantKind::Http => "http",
            GrantKind::Tcp => "tcp",
            GrantKind::Udp => "udp",
            GrantKind::Lookup => "lookup",
            GrantKind::Functions => "functions",
            GrantKind::State => "state",
            GrantKind::Plugins => "plugins",
        }
    }
}

/// Something that a guest asked for and was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denial {
    /// The kind of grant that was missing.
    pub grant: GrantKind,
    /// What was asked for, such as `GET https://example.com:443`.
    pub asked: String,
    /// The line for the guest's `[guests.NAME.grants]` table that would allow it; empty where no grant could.
    pub allow: String,
}

impl Denial {
    /// Names a refused thing and the manifest line that would allow it.
    pub fn new(grant: GrantKind, asked: impl Into<String>, allow: impl Into<String>) -> Denial {
        Denial { grant, asked: asked.into(), allow: allow.into() }
    }
}
