//! Limits as flags, one for each resource.

use clap::{Arg, ArgAction, ArgMatches, Args, FromArgMatches};
use sandbar_app::manifest::{limits, value};
use sandbar_call::{Limits, Resource};

/// The limits that were given.
#[derive(Clone, Debug, Default)]
pub(crate) struct LimitFlags(Vec<(Resource, u64)>);

impl LimitFlags {
    /// Whether none was given.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The limits of an app's guest: those given over the defaults of apps.
    pub(crate) fn over_defaults(&self) -> Limits {
        self.over(limits::defaults())
    }

    /// The limits of one call that a person makes: those given, and otherwise only bounds that no usual program meets.
    pub(crate) fn for_one_call(&self) -> Limits {
        self.over(
            Limits::NONE
                .with(Resource::Instances, 1_000)
                .with(Resource::Handles, 100_000)
                .with(Resource::Tables, 10_000_000)
                .with(Resource::Memory, sandbar_engine::MEMORY_BYTES_MAX),
        )
    }

    fn over(&self, limits: Limits) -> Limits {
        self.0.iter().fold(limits, |limits, (resource, most)| limits.with(*resource, *most))
    }
}

impl Args for LimitFlags {
    fn augment_args(command: clap::Command) -> clap::Command {
        Resource::ALL.iter().fold(command, |command, &resource| {
            let form = limits::form(resource);
            let help = format!(
                "Bounds this: {} (`--{} {}`)",
                lower(resource.doc()),
                resource.key(),
                form.example().trim_matches('"')
            );
            let parse = move |text: &str| value::limit(resource, text).map_err(|error| error.to_string());
            let arg = Arg::new(resource.key()).long(resource.key()).action(ArgAction::Set);
            command.arg(arg.value_name("MOST").value_parser(parse).help_heading("Limits").help(help))
        })
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for LimitFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = |&resource: &Resource| Some((resource, *matches.get_one::<u64>(resource.key())?));
        Ok(LimitFlags(Resource::ALL.iter().filter_map(given).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// A doc sentence inside another: no capital at its start, no full stop at its end.
fn lower(doc: &str) -> String {
    let doc = doc.trim().trim_end_matches('.');
    let mut chars = doc.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}
