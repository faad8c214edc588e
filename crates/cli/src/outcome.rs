//! The command line's table of outcomes, and how one reads.

use sandbar_call::{Outcome, Refusal};

/// The exit code of an outcome.
pub(crate) fn exit_code(outcome: &Outcome) -> u8 {
    match outcome {
        Outcome::Done => 0,
        Outcome::Failed { code, .. } => {
            code.and_then(|code| u8::try_from(code).ok()).filter(|code| *code != 0).unwrap_or(1)
        }
        Outcome::Stopped { .. } => 124,
        Outcome::Trapped { .. } => 134,
        Outcome::Refused { .. } => 126,
        Outcome::Cancelled => 130,
        Outcome::Fault { .. } => 70,
    }
}

/// What to tell a person about a call that did not end well, and what to type.
pub(crate) fn explain(outcome: &Outcome) -> Option<(String, Option<String>)> {
    match outcome {
        Outcome::Done => None,
        Outcome::Failed { code: Some(_), .. } => None,
        Outcome::Failed { code: None, message } => Some((format!("the guest failed: {message}"), None)),
        Outcome::Stopped { limit } => {
            let key = limit.key();
            Some((
                format!("the call was stopped: its limit of `{key}` is used up"),
                Some(format!("raise it with `--{key}`")),
            ))
        }
        Outcome::Trapped { message } => Some((format!("the guest trapped: {message}"), None)),
        Outcome::Refused { why: Refusal::Grant { denial } } => {
            let hint = (!denial.allow.is_empty()).then(|| format!("grant it with `{}`", flag(denial)));
            Some((format!("the call was refused: {} not granted", denial.asked), hint))
        }
        Outcome::Refused { why: Refusal::Busy { .. } } => {
            Some(("the call was refused: every sandbox is busy".into(), None))
        }
        Outcome::Refused { why: Refusal::Event { message } } => Some((message.clone(), None)),
        Outcome::Refused { why: Refusal::Draining } => Some(("the call was refused: the host is ending".into(), None)),
        Outcome::Cancelled => Some(("the call was cancelled".into(), None)),
        Outcome::Fault { id } => Some((format!("the host failed; its log names `{id}`"), None)),
    }
}

/// The flag that would allow what was denied.
pub(crate) fn flag(denial: &sandbar_call::Denial) -> String {
    let entry = denial.allow.split_once('=').map_or("", |(_, entry)| entry.trim());
    let entry = entry.trim_start_matches('[').trim_end_matches(']').trim_matches('"');
    sandbar_grants::suggestion(denial.grant, entry).map_or_else(|| denial.allow.clone(), |suggestion| suggestion.flag)
}
