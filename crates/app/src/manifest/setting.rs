//! The registry of what a manifest may say. One entry yields a key's parsing, its help, its place in the reference and in
//! the schema; `settings!` makes the struct it resolves to from the same entries.

use super::value::{Form, Value};
use sandbar_call::Digest;
use std::{net::SocketAddr, path::PathBuf, time::Duration};

/// One key of a table.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The key.
    pub key: &'static str,
    /// How its values are written.
    pub form: Form,
    /// What holds where it is not said.
    pub absent: Absent,
    /// What it means; one sentence or two.
    pub doc: &'static str,
    /// A value, as TOML.
    pub example: &'static str,
}

/// What holds where a key is not said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    /// An error.
    Required,
    /// This value, written as its form wants it, without quotes.
    Default(&'static str),
    /// What these words say.
    Otherwise(&'static str),
}

/// One table with keys of its own.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// Its header: `[server]`, `[guests.NAME]`, `[[http]]`.
    pub header: &'static str,
    /// What it is for.
    pub doc: &'static str,
    /// Its keys.
    pub settings: &'static [Setting],
}

/// A type that a value of the manifest becomes.
pub(crate) trait FromValue: Sized {
    /// Takes a value whose form fits; the registry's own tests see to it that it does.
    fn from_value(value: &Value) -> Option<Self>;

    /// What stands for a value that was not said and has no default.
    fn absent() -> Option<Self> {
        None
    }
}

macro_rules! from_value {
    ($($type:ty: $pattern:pat => $value:expr;)+) => {
        $(impl FromValue for $type {
            fn from_value(value: &Value) -> Option<Self> {
                match value { $pattern => Some($value), _ => None }
            }
        })+
    };
}

from_value! {
    String: Value::Text(text) => text.clone();
    PathBuf: Value::Text(text) => PathBuf::from(text);
    SocketAddr: &Value::Address(address) => address;
    Duration: &Value::Duration(duration) => duration;
    u64: &Value::Number(number) => number;
    bool: &Value::Switch(switch) => switch;
    Digest: &Value::Digest(digest) => digest;
    super::Sandbox: &Value::Sandbox(sandbox) => sandbox;
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Off => Some(None),
            value => T::from_value(value).map(Some),
        }
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

/// Declares a table and the plain struct that it resolves to.
macro_rules! settings {
    ($(#[doc = $about:literal])+ $name:ident = $header:literal {
        $($(#[doc = $doc:literal])+ $field:ident: $type:ty = $form:expr, $absent:expr, $example:literal;)+
    }) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name { $($(#[doc = $doc])+ pub $field: $type,)+ }

        impl $name {
            /// The table's entry in the registry.
            pub const TABLE: Table = Table {
                header: $header,
                doc: concat!($($about),+),
                settings: &[$(Setting {
                    key: stringify!($field),
                    form: $form,
                    absent: $absent,
                    doc: concat!($($doc),+),
                    example: $example,
                },)+],
            };

            pub(crate) fn resolve(said: &Said) -> $name {
                $name { $($field: said.resolve(&$name::TABLE, stringify!($field)),)+ }
            }
        }

        impl Default for $name {
            /// What holds where the table says nothing.
            fn default() -> $name {
                $name::resolve(&Said::default())
            }
        }
    };
}
pub(crate) use settings;

impl Table {
    /// The entry of a key.
    pub fn setting(&self, key: &str) -> Option<&'static Setting> {
        self.settings.iter().find(|setting| setting.key == key)
    }
}
