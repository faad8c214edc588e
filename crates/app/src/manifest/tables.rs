//! Every table with keys of its own, and what each resolves to. `[limits]` is made from the list of resources, `grants`
//! from the list of grants.

use super::{
    record::Said,
    setting::{Absent, Absent::Default as Or, Absent::Otherwise, FromValue, Setting, Table, settings},
    value::{Form, Value},
};
use sandbar_call::Shape;
use std::{net::SocketAddr, path::PathBuf, time::Duration};

/// The version of the format that this release reads.
pub const MANIFEST_VERSION: u64 = 1;

/// The keys above the first table.
pub const ROOT: Table = Table {
    header: "",
    doc: "The keys above the first table.",
    settings: &[
        Setting {
            key: "version",
            form: Form::CountFromOne,
            absent: Or("1"),
            doc: "The version of the manifest's format. A release refuses one that is newer than itself.",
            example: "1",
        },
        Setting {
            key: "name",
            form: Form::Text,
            absent: Otherwise("the name of the manifest's folder"),
            doc: "The app's name, in logs and on its index page.",
            example: "\"quickstart\"",
        },
    ],
};

settings! {
    /// Where the app listens for HTTP, and how it guards itself.
    Server = "[server]" {
        /// The address to listen on; port 0 takes a free one.
        listen: SocketAddr = Form::Address, Or("127.0.0.1:3000"), "\"127.0.0.1:3000\"";
        /// How many threads serve.
        workers: Option<u64> = Form::CountFromOne, Otherwise("one for each core"), "4";
        /// The certificate chain for TLS, a PEM file; needs `tls_key`.
        tls_certificate: Option<PathBuf> = Form::Path, Otherwise("no TLS"), "\"cert.pem\"";
        /// The private key for TLS, a PEM file; needs `tls_certificate`.
        tls_key: Option<PathBuf> = Form::Path, Otherwise("no TLS"), "\"key.pem\"";
        /// How long a client may take to send a request's headers, and to end the TLS handshake.
        header_timeout: Duration = Form::Timeout, Or("10s"), "\"10s\"";
        /// How long a client may pause between two pieces of a body.
        body_timeout: Duration = Form::Timeout, Or("30s"), "\"30s\"";
        /// How long a connection may stay open between two requests.
        idle_timeout: Duration = Form::Timeout, Or("60s"), "\"60s\"";
        /// How long a client may leave an answer unread.
        write_timeout: Duration = Form::Timeout, Or("30s"), "\"30s\"";
        /// How long calls in flight may go on after the app was told to end.
        drain: Duration = Form::Duration, Or("10s"), "\"10s\"";
        /// Connections that are open at one time; further ones are turned away with 503.
        connections_max: u64 = Form::CountFromOne, Or("10000"), "10000";
        /// Requests at one time on one HTTP/2 connection.
        streams_max: u64 = Form::CountFromOne, Or("100"), "100";
        /// Bytes of a request's line and headers; more is answered with 431.
        header_bytes_max: u64 = Form::Bytes, Or("32KiB"), "\"32KiB\"";
        /// Headers of a request; more is answered with 431.
        headers_max: u64 = Form::CountFromOne, Or("100"), "100";
        /// Bytes of a request's body; more is answered with 413.
        body_bytes_max: u64 = Form::Bytes, Or("64MiB"), "\"64MiB\"";
        /// Which headers tell guests the client's address, scheme and host. They are passed on as they came and what this
        /// server sees is added; anyone can send such headers, so turn it on only behind a proxy that sets them.
        forwarded: Forwarded = Form::Choice(Forwarded::WORDS), Or("off"), "\"x-forwarded\"";
    }
}

settings! {
    /// The listener for health, readiness, metrics and the latest receipts. It asks for no password: keep it on loopback.
    Admin = "[admin]" {
        /// The address to listen on; port 0 takes a free one.
        listen: Option<SocketAddr> = Form::AddressOrOff, Or("off"), "\"127.0.0.1:9000\"";
    }
}

settings! {
    /// What is kept of receipts. The latest are always in memory, for the admin page and the metrics; files are written where
    /// a path is given.
    Receipts = "[receipts]" {
        /// The file to append receipts to, as JSON lines.
        path: Option<PathBuf> = Form::Path, Otherwise("no file"), "\"receipts.jsonl\"";
        /// The size at which the file is renamed to `PATH.1` and begun anew.
        rotate_bytes: u64 = Form::Bytes, Or("16MiB"), "\"16MiB\"";
        /// How many renamed files are kept.
        keep: u64 = Form::Count, Or("4"), "4";
        /// How many receipts are kept in memory.
        latest_max: u64 = Form::Count, Or("1000"), "1000";
        /// How many receipts may wait to be written; further ones are dropped and counted.
        queue_max: u64 = Form::CountFromOne, Or("8192"), "8192";
    }
}

settings! {
    /// How many sandboxes there are, and how long a call may wait for one.
    Pool = "[pool]" {
        /// Sandboxes at one time, over all guests.
        sandboxes_max: u64 = Form::CountFromOne, Or("1000"), "1000";
        /// How long a call may wait for a sandbox before it is refused.
        wait: Duration = Form::Duration, Or("1s"), "\"1s\"";
        /// Calls that may wait at one time; further ones are refused at once.
        waiting_max: u64 = Form::Count, Or("10000"), "10000";
    }
}

/// The keys of a guest.
pub const GUEST: Table = Table {
    header: "[guests.NAME]",
    doc: "One guest. NAME is letters, digits, `-` and `_`.",
    settings: &[
        Setting {
            key: "path",
            form: Form::Path,
            absent: Absent::Required,
            doc: "Its file: a core module or a component, binary or text.",
            example: "\"guest.wasm\"",
        },
        Setting {
            key: "shape",
            form: Form::Choice(SHAPES),
            absent: Otherwise("found from the exports"),
            doc: "How it is called, where its exports allow several ways.",
            example: "\"function\"",
        },
        Setting {
            key: "export",
            form: Form::Text,
            absent: Otherwise("the only one that fits"),
            doc: "The export to call, where a route names none.",
            example: "\"handle_request\"",
        },
        Setting {
            key: "sandbox",
            form: Form::Sandbox,
            absent: Or("fresh"),
            doc: "How long a sandbox lives: `\"fresh\"` serves one call, `{ reuse = 100, idle = \"10s\" }` serves that many \
                  one after the other, `\"held\"` stays until the app ends.",
            example: "{ reuse = 100, idle = \"10s\" }",
        },
        Setting {
            key: "sandboxes_max",
            form: Form::CountFromOne,
            absent: Otherwise("that of `[pool]`"),
            doc: "Sandboxes of this guest at one time.",
            example: "16",
        },
        Setting {
            key: "wait",
            form: Form::Duration,
            absent: Otherwise("that of `[pool]`"),
            doc: "How long a call may wait for a sandbox before it is refused.",
            example: "\"1s\"",
        },
        Setting {
            key: "fuel_metered",
            form: Form::Switch,
            absent: Otherwise("`true` where `fuel` is limited"),
            doc: "Whether fuel is counted exactly. That slows a guest that computes.",
            example: "true",
        },
        Setting {
            key: "digest",
            form: Form::Digest,
            absent: Otherwise("not checked"),
            doc: "The SHA-256 digest that the file must have; another file is refused.",
            example: "\"sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\"",
        },
    ],
};

/// The keys of a route.
pub const HTTP: Table = Table {
    header: "[[http]]",
    doc: "One route. The most specific one answers a request, whatever their order.",
    settings: &[
        Setting {
            key: "route",
            form: Form::Text,
            absent: Absent::Required,
            doc: "Method, host and path that it answers; method and host may be left out. `{name}` takes a segment, \
                  `{*name}` the rest.",
            example: "\"GET /hello/{name}\"",
        },
        Setting {
            key: "guest",
            form: Form::Text,
            absent: Otherwise("`files` answers"),
            doc: "The guest that answers.",
            example: "\"hello\"",
        },
        Setting {
            key: "files",
            form: Form::Path,
            absent: Otherwise("`guest` answers"),
            doc: "The folder whose files answer.",
            example: "\"public\"",
        },
        Setting {
            key: "export",
            form: Form::Text,
            absent: Otherwise("that of the guest"),
            doc: "The export to call.",
            example: "\"transform_data\"",
        },
        Setting {
            key: "content_type",
            form: Form::Text,
            absent: Otherwise("JSON where the answer parses as JSON, else text where it is UTF-8, else bytes"),
            doc: "The content type of a function's answer.",
            example: "\"text/html\"",
        },
        Setting {
            key: "example",
            form: Form::Text,
            absent: Otherwise("none"),
            doc: "A request body, for the line to copy that `sandbar up` prints.",
            example: "'{\"value\": 21}'",
        },
    ],
};

/// The words for shapes.
pub const SHAPES: &[&str] = &[Shape::Command.key(), Shape::Function.key(), Shape::Typed.key(), Shape::Http.key()];

impl FromValue for Shape {
    fn from_value(value: &Value) -> Option<Shape> {
        let Value::Text(word) = value else { return None };
        [Shape::Command, Shape::Function, Shape::Typed, Shape::Http].into_iter().find(|shape| shape.key() == word)
    }
}

/// Which headers of a proxy in front are believed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Forwarded {
    /// None.
    #[default]
    Off,
    /// `X-Forwarded-For`, `-Proto` and `-Host`.
    XForwarded,
    /// `Forwarded`, of RFC 7239.
    Rfc7239,
}

impl Forwarded {
    const WORDS: &[&str] = &["off", "x-forwarded", "rfc7239"];
}

impl FromValue for Forwarded {
    fn from_value(value: &Value) -> Option<Forwarded> {
        let Value::Text(word) = value else { return None };
        match word.as_str() {
            "off" => Some(Forwarded::Off),
            "x-forwarded" => Some(Forwarded::XForwarded),
            "rfc7239" => Some(Forwarded::Rfc7239),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(table: &Table) {
        for setting in table.settings {
            if let Absent::Default(text) = setting.absent {
                assert!(setting.form.read_text(text).is_ok(), "{} {}", table.header, setting.key);
            }
            let value = toml::de::DeValue::parse(setting.example).unwrap();
            assert!(setting.form.read(&value).is_ok(), "{} {}", table.header, setting.key);
            assert!(setting.doc.trim().ends_with('.'), "{} {}", table.header, setting.key);
        }
    }

    #[test]
    fn defaults_and_examples_fit_their_forms() {
        for table in [ROOT, Server::TABLE, Admin::TABLE, Receipts::TABLE, Pool::TABLE, GUEST, HTTP] {
            check(&table);
        }
    }

    #[test]
    fn every_key_resolves_where_it_is_not_said_and_where_it_is() {
        fn resolves<T>(table: &Table, resolve: fn(&Said) -> T) {
            resolve(&Said::default());
            for setting in table.settings {
                let value = toml::de::DeValue::parse(setting.example).unwrap();
                let Ok(value) = setting.form.read(&value) else { panic!("{}", setting.key) };
                resolve(&Said::of(setting.key, value));
            }
        }
        resolves(&Server::TABLE, Server::resolve);
        resolves(&Admin::TABLE, Admin::resolve);
        resolves(&Receipts::TABLE, Receipts::resolve);
        resolves(&Pool::TABLE, Pool::resolve);
    }
}
