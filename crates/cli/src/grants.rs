//! Grants as flags, one for each entry of the registry, in the same form as in a manifest.

use crate::failure::{Failure, Kind};
use clap::{Arg, ArgAction, ArgMatches, Args, FromArgMatches};
use sandbar_call::GrantKind;
use sandbar_grants::{Admitted, Grants, OPTIONS, Value, Volumes};
use std::{env, path::Path, sync::Arc};

/// The entries that were given, in the order of the registry.
#[derive(Clone, Debug, Default)]
pub(crate) struct GrantFlags(Vec<(GrantKind, String)>);

impl GrantFlags {
    /// Whether none was given.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads the entries.
    pub(crate) fn grants(&self) -> Result<Grants, Failure> {
        let mut grants = Grants::default();
        for (kind, entry) in &self.0 {
            grants.add(*kind, entry).map_err(|error| Failure::new(Kind::Usage, &error).hint(error.hint()))?;
        }
        Ok(grants)
    }

    /// Reads the entries and admits them for a call from here.
    pub(crate) fn admit(&self) -> Result<Arc<Admitted>, Failure> {
        let admitted = self.grants()?.admit(Path::new("."), &|name| env::var(name).ok(), &Volumes::default());
        admitted.map(Arc::new).map_err(|error| Failure::new(Kind::Usage, &error).hint(error.hint()))
    }
}

impl Args for GrantFlags {
    fn augment_args(command: clap::Command) -> clap::Command {
        OPTIONS.iter().fold(command, |command, option| {
            let flag = option.flag.trim_start_matches("--");
            let help = format!("{} (`{} {}`)", option.help, option.flag, option.example);
            let arg = Arg::new(flag).long(flag).help_heading("Grants");
            command.arg(match option.value {
                Value::Switch => arg.action(ArgAction::SetTrue).help(option.help),
                Value::List => arg.action(ArgAction::Append).value_name(option.form).help(help),
                Value::Word(words) => {
                    arg.action(ArgAction::Set).value_name(option.form).value_parser(words.to_vec()).help(help)
                }
            })
        })
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for GrantFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut entries = Vec::new();
        for option in OPTIONS {
            let flag = option.flag.trim_start_matches("--");
            match option.value {
                Value::Switch if matches.get_flag(flag) => entries.push((option.kind, "true".to_owned())),
                Value::Switch => {}
                Value::List | Value::Word(_) => {
                    let given = matches.get_many::<String>(flag).unwrap_or_default();
                    entries.extend(given.map(|entry| (option.kind, entry.clone())));
                }
            }
        }
        Ok(GrantFlags(entries))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
