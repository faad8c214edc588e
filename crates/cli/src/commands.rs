//! One file for each command.

pub(crate) mod call;
pub(crate) mod compile;
pub(crate) mod completions;
pub(crate) mod inspect;
pub(crate) mod plugins;
pub(crate) mod receipts;
pub(crate) mod run;
pub(crate) mod schema;
pub(crate) mod types;
pub(crate) mod up;
