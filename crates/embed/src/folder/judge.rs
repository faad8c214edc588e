//! Judges what lies in a folder: whether it is signed, approved and switched on. Runs nothing.

use super::{
    approvals::{Approvals, Lapse},
    asks::Ask,
    error::FolderError,
    scan::Offer,
    terms::Rules,
};
use crate::signing::{KeyId, SignatureError};
use semver::{Version, VersionReq};
use std::{fmt, sync::Arc};

/// What became of a plugin in a folder.
#[derive(Clone, Debug)]
pub enum PluginState {
    /// It may be loaded; in an open folder it is.
    Ready,
    /// It was loaded and did not pass its probation: the version before it goes on.
    RolledBack,
    /// Somebody switched it off.
    Disabled,
    /// It asks for more than is approved.
    NotApproved {
        /// What is missing.
        missing: Vec<Ask>,
        /// Why what is approved does not hold for it.
        lapse: Option<Lapse>,
    },
    /// It has no signature, and needs one here.
    Unsigned,
    /// Its signature is wrong, or by nobody who is known.
    BadSignature(SignatureError),
    /// It requires a plugin that is not there, not ready, or of another version.
    MissingDependency {
        /// The name of the plugin that it requires.
        name: String,
        /// The versions that would do.
        versions: VersionReq,
        /// The version that is there and ready.
        found: Option<Version>,
    },
    /// It can't be read or loaded.
    Broken(Arc<FolderError>),
}

impl PluginState {
    /// Its name: `ready`, `rolled-back`, `disabled`, `not-approved`, `unsigned`, `bad-signature`, `missing-dependency` or
    /// `broken`.
    pub fn key(&self) -> &'static str {
        match self {
            PluginState::Ready => "ready",
            PluginState::RolledBack => "rolled-back",
            PluginState::Disabled => "disabled",
            PluginState::NotApproved { .. } => "not-approved",
            PluginState::Unsigned => "unsigned",
            PluginState::BadSignature(_) => "bad-signature",
            PluginState::MissingDependency { .. } => "missing-dependency",
            PluginState::Broken(_) => "broken",
        }
    }

    /// Whether it may be loaded.
    pub fn is_ready(&self) -> bool {
        matches!(self, PluginState::Ready)
    }

    pub(super) fn broken(error: impl Into<FolderError>) -> PluginState {
        PluginState::Broken(Arc::new(error.into()))
    }
}

impl fmt::Display for PluginState {
    /// Says it in a sentence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PluginState::Ready => f.write_str("ready"),
            PluginState::RolledBack => f.write_str("it did not pass its probation, the version before it goes on"),
            PluginState::Disabled => f.write_str("switched off"),
            PluginState::NotApproved { missing, lapse } => {
                let lines: Vec<_> = missing.iter().map(|ask| format!("`{ask}`")).collect();
                write!(f, "not approved: {}", lines.join(", "))?;
                lapse.as_ref().map_or(Ok(()), |lapse| write!(f, " ({lapse})"))
            }
            PluginState::Unsigned => f.write_str("it is not signed"),
            PluginState::BadSignature(error) => error.fmt(f),
            PluginState::MissingDependency { name, versions, found: None } => {
                write!(f, "it requires `{name}` {versions}, which is not there or not ready")
            }
            PluginState::MissingDependency { name, versions, found: Some(found) } => {
                write!(f, "it requires `{name}` {versions}, and there is {found}")
            }
            PluginState::Broken(error) => error.fmt(f),
        }
    }
}

/// What was found of one plugin.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    /// Ready, where it may be loaded as far as it alone decides.
    pub(crate) state: PluginState,
    /// Those of the known keys that signed it.
    pub(crate) signers: Vec<KeyId>,
}

/// Judges one plugin.
pub(crate) fn judge(offer: &Offer, rules: &Rules, approvals: &Approvals) -> Verdict {
    let signed = offer.signatures.clone().and_then(|signatures| signatures.verify(&offer.statement, &rules.keys));
    let signers = signed.as_ref().cloned().unwrap_or_default();
    let state = state(offer, (rules, approvals), signed);
    Verdict { state, signers }
}

fn state(
    offer: &Offer,
    (rules, approvals): (&Rules, &Approvals),
    signed: Result<Vec<KeyId>, SignatureError>,
) -> PluginState {
    let approval = approvals.of(&offer.statement.name);
    if approval.is_some_and(|approval| !approval.enabled) {
        return PluginState::Disabled;
    }
    let signers = match signed {
        Ok(signers) if signers.is_empty() && rules.signatures_required => return PluginState::Unsigned,
        Ok(signers) => signers,
        // Where a signature is not needed, one by a stranger is worth as much as none.
        Err(SignatureError::Unknown(_)) if !rules.signatures_required => Vec::new(),
        Err(error) => return PluginState::BadSignature(error),
    };
    let needed = rules.unusual(&offer.manifest.asks);
    if needed.is_empty() {
        return PluginState::Ready;
    }
    let lapse =
        approval.and_then(|approval| approval.lapse(offer.statement.digest(), &offer.manifest.version, &signers));
    let approves = |ask: &Ask| lapse.is_none() && approval.is_some_and(|approval| approval.approves(ask));
    let missing: Vec<Ask> = needed.into_iter().filter(|ask| !approves(ask)).collect();
    if missing.is_empty() { PluginState::Ready } else { PluginState::NotApproved { missing, lapse } }
}
