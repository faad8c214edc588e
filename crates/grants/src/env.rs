//! Environment variables: `NAME=VALUE`, or `NAME` to pass the host's own through. Of the host's environment a guest sees
//! nothing else.

use crate::{GrantError, Problem};
use std::fmt;

/// A variable that is granted.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Variable {
    pub(crate) name: String,
    /// `None` to take the host's.
    value: Option<String>,
}

impl Variable {
    pub(crate) fn parse(text: &str) -> Result<Variable, Problem> {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value.to_string())),
            None => (text, None),
        };
        if name.is_empty() {
            return Err(Problem::new("the name is missing"));
        }
        if text.contains('\0') {
            return Err(Problem::new("a NUL can't be in a variable"));
        }
        Ok(Variable { name: name.to_string(), value })
    }

    /// Finds its value.
    pub(crate) fn resolve(&self, host: &dyn Fn(&str) -> Option<String>) -> Result<(String, String), GrantError> {
        let missing = || GrantError::EnvMissing { name: self.name.clone() };
        let value = self.value.clone().or_else(|| host(&self.name)).ok_or_else(missing)?;
        Ok((self.name.clone(), value))
    }
}

/// The part of an entry that may be shown: a value may be a secret.
pub(crate) fn shown(entry: &str) -> &str {
    entry.split_once('=').map_or(entry, |(name, _)| name)
}

impl fmt::Debug for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_has_its_value_or_the_hosts() {
        let host = |name: &str| (name == "HOME").then(|| "/root".to_string());
        for (text, expected) in [
            ("A=1", Ok(("A", "1"))),
            ("A=", Ok(("A", ""))),
            ("A=b=c", Ok(("A", "b=c"))),
            ("HOME", Ok(("HOME", "/root"))),
            ("TOKEN", Err("the environment variable `TOKEN` is granted but not set")),
        ] {
            let got = Variable::parse(text).unwrap().resolve(&host);
            let got = got.map_err(|error| error.to_string());
            let expected = expected.map(|(name, value)| (name.into(), value.into())).map_err(String::from);
            assert_eq!(got, expected, "{text}");
        }
        assert!(Variable::parse("=x").is_err() && Variable::parse("").is_err() && Variable::parse("A=\0").is_err());
    }

    #[test]
    fn a_value_is_never_shown() {
        assert_eq!(shown("TOKEN=secret"), "TOKEN");
        assert_eq!(format!("{:?}", Variable::parse("TOKEN=secret").unwrap()), "TOKEN");
    }
}
