//! What a call on the command line is made under: grants and limits.

use crate::{grants::GrantFlags, limits::LimitFlags};
use clap::Args;

/// Grants and limits as flags.
#[derive(Debug, Args)]
pub(crate) struct Terms {
    #[command(flatten)]
    pub(crate) grants: GrantFlags,
    #[command(flatten)]
    pub(crate) limits: LimitFlags,
}
