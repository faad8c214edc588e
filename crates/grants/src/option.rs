//! The registry: one entry for each option of grants. Manifest parsing, `--help`, the reference and the JSON schema read
//! this table, so that a form is said once.

use sandbar_call::{Denial, GrantKind};
use std::fmt::Write;

/// One option of grants.
#[derive(Clone, Copy, Debug)]
pub struct GrantOption {
    /// What it grants; [`GrantKind::key`] is its key in a manifest.
    pub kind: GrantKind,
    /// What its value looks like in a manifest.
    pub value: Value,
    /// The form of one entry, the same in a manifest and after the flag.
    pub form: &'static str,
    /// One sentence for help and reference.
    pub help: &'static str,
    /// Its flag on the command line.
    pub flag: &'static str,
    /// An entry as a user would write it.
    pub example: &'static str,
}

/// What an option's value looks like in a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// A list of entries; its flag may be given more than once.
    List,
    /// One word out of these.
    Word(&'static [&'static str]),
    /// `true` or `false`; its flag takes no value.
    Switch,
}

/// Every option, in the order of help and reference.
pub const OPTIONS: &[GrantOption] = &[
    GrantOption {
        kind: GrantKind::Args,
        value: Value::List,
        form: "ARGUMENT",
        help: "adds a command-line argument, before those of the call",
        flag: "--arg",
        example: "--verbose",
    },
    GrantOption {
        kind: GrantKind::Env,
        value: Value::List,
        form: "NAME[=VALUE]",
        help: "sets an environment variable; without a value, passes the host's own through",
        flag: "--env",
        example: "LANG=en",
    },
    GrantOption {
        kind: GrantKind::Dir,
        value: Value::List,
        form: "HOST[::GUEST][:ro|:rw][,quota=BYTES]",
        help: "opens a folder of the host, read-only or read-write, with a bound on the bytes stored below it",
        flag: "--dir",
        example: "data::/data:rw,quota=64MiB",
    },
    GrantOption {
        kind: GrantKind::Clock,
        value: Value::Word(&["coarse", "fine"]),
        form: "coarse|fine",
        help: "sets the resolution of clocks: coarse is a millisecond, fine is what the host has",
        flag: "--clock",
        example: "fine",
    },
    GrantOption {
        kind: GrantKind::Random,
        value: Value::Switch,
        form: "true|false",
        help: "gives secure random numbers",
        flag: "--random",
        example: "true",
    },
    GrantOption {
        kind: GrantKind::Http,
        value: Value::List,
        form: "[private+]SCHEME://HOST[:PORT]",
        help: "allows HTTP requests to a host; `*.` stands for its subdomains, `private+` adds private addresses",
        flag: "--allow-http",
        example: "https://api.example.com",
    },
    GrantOption {
        kind: GrantKind::Tcp,
        value: Value::List,
        form: "[private+|listen ]HOST:PORT",
        help: "allows TCP connections to an address, block or name, or with `listen ` to bind and accept there",
        flag: "--allow-tcp",
        example: "db.example.com:5432",
    },
    GrantOption {
        kind: GrantKind::Udp,
        value: Value::List,
        form: "[private+|listen ]HOST:PORT",
        help: "allows UDP datagrams to an address, block or name, or with `listen ` to bind and receive there",
        flag: "--allow-udp",
        example: "192.0.2.7:514",
    },
    GrantOption {
        kind: GrantKind::Lookup,
        value: Value::List,
        form: "NAME",
        help: "allows looking up the addresses of a name; `*.` stands for its subdomains, `*` for any",
        flag: "--allow-lookup",
        example: "*.example.com",
    },
];

/// The option of a kind, if it has one.
pub(crate) fn option(kind: GrantKind) -> Option<&'static GrantOption> {
    OPTIONS.iter().find(|option| option.kind == kind)
}

/// The word that a mistyped one most likely stands for.
pub fn nearest<'a>(word: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let most = (word.chars().count() / 3).max(1);
    let word = word.to_lowercase().replace('-', "_");
    let distance = |other: &str| strsim::osa_distance(&word, &other.to_lowercase().replace('-', "_"));
    let (near, distance) = words.into_iter().map(|other| (other, distance(other))).min_by_key(|&(_, d)| d)?;
    (distance <= most).then_some(near)
}

/// What to type to be granted something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggestion {
    /// The line for the guest's table of grants, such as `http = ["https://api.example.com"]`.
    pub line: String,
    /// The flag, quoted for a shell, such as `--allow-http https://api.example.com`.
    pub flag: String,
}

/// Says what to type so that `entry` is granted; `None` for a kind that has no option. It is the only place that writes
/// these lines, so what a receipt tells and what a manifest reads can't drift apart.
pub fn suggestion(kind: GrantKind, entry: &str) -> Option<Suggestion> {
    let GrantOption { value, flag, .. } = option(kind)?;
    let key = kind.key();
    Some(match value {
        Value::List => Suggestion {
            line: format!("{key} = [{}]", toml_string(entry)),
            flag: format!("{flag} {}", shell_word(entry)),
        },
        Value::Word(_) => Suggestion {
            line: format!("{key} = {}", toml_string(entry)),
            flag: format!("{flag} {}", shell_word(entry)),
        },
        Value::Switch => Suggestion { line: format!("{key} = true"), flag: flag.to_string() },
    })
}

/// How long a text of the guest's may be in a denial, in characters.
const ASKED_CHARS_MAX: usize = 200;

/// A denial of `asked`, with the line that would allow it: `entry` in the form of its kind. What a guest wrote is cut to a
/// bound.
pub fn denial(kind: GrantKind, asked: &str, entry: &str) -> Denial {
    Denial::new(kind, cut(asked), suggestion(kind, entry).map_or_else(String::new, |suggestion| suggestion.line))
}

/// A denial that no grant could lift.
pub(crate) fn denial_for_good(kind: GrantKind, asked: &str) -> Denial {
    Denial::new(kind, cut(asked), "")
}

fn cut(text: &str) -> String {
    text.chars().take(ASKED_CHARS_MAX).collect()
}

fn toml_string(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for char in text.chars() {
        match char {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            _ if char.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(char));
            }
            _ => quoted.push(char),
        }
    }
    quoted.push('"');
    quoted
}

fn shell_word(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=+,@%".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        text.to_string()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Grants;

    #[test]
    fn every_option_reads_its_own_example() {
        for option in OPTIONS {
            Grants::default().add(option.kind, option.example).unwrap();
            assert!(!option.help.ends_with('.') && option.flag.starts_with("--"), "{option:?}");
        }
    }

    #[test]
    fn every_kind_that_is_written_down_has_one_option() {
        for kind in GrantKind::ALL {
            let count = OPTIONS.iter().filter(|option| option.kind == *kind).count();
            assert_eq!(
                count,
                usize::from(!matches!(
                    kind,
                    GrantKind::Stdio | GrantKind::Functions | GrantKind::State | GrantKind::Plugins
                )),
                "{kind:?}"
            );
        }
    }

    #[test]
    fn a_suggestion_is_what_to_type() {
        for (kind, entry, line, flag) in [
            (GrantKind::Http, "https://a.com", r#"http = ["https://a.com"]"#, "--allow-http https://a.com"),
            (GrantKind::Lookup, "*.a.com", r#"lookup = ["*.a.com"]"#, "--allow-lookup '*.a.com'"),
            (GrantKind::Tcp, "listen [::1]:0", r#"tcp = ["listen [::1]:0"]"#, "--allow-tcp 'listen [::1]:0'"),
            (GrantKind::Env, "a\"'\n", r#"env = ["a\"'\u000A"]"#, "--env 'a\"'\\''\n'"),
            (GrantKind::Clock, "fine", r#"clock = "fine""#, "--clock fine"),
            (GrantKind::Random, "true", "random = true", "--random"),
        ] {
            assert_eq!(suggestion(kind, entry), Some(Suggestion { line: line.into(), flag: flag.into() }));
        }
        assert_eq!(suggestion(GrantKind::Stdio, ""), None);
    }
}
