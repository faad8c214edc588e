//! Why a text is not a value of its type.

use std::fmt::{self, Write as _};

/// How much of a text is shown in a message, in characters.
const EXCERPT_CHARS: usize = 60;

/// Why arguments were not accepted, or why a result can't be written. All of it may be shown to the caller: it holds
/// only what the caller sent and what the guest's type says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ValueError {
    /// What went wrong, to branch on.
    pub(crate) kind: ValueErrorKind,
    /// Where: the function, its argument, the place inside it.
    pub(crate) what: String,
    /// What belongs there.
    pub(crate) expected: String,
    /// What was there.
    pub(crate) found: String,
    /// What to write instead.
    pub(crate) hint: Option<String>,
}

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ValueErrorKind {
    /// The text is no JSON, or no WAVE.
    Syntax,
    /// The text is well formed and of another type.
    Mismatch,
    /// There are too few or too many arguments.
    Count,
    /// The type has values that no text can carry, such as handles.
    Unsupported,
    /// A bound was met: too long, too deep, too many.
    TooLarge,
}

impl fmt::Display for ValueError {
    /// Writes one line without the hint, which a caller shows on a line of its own.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected {}, found {}", self.what, self.expected, self.found)
    }
}

impl std::error::Error for ValueError {}

/// An error inside one argument, which does not yet know the argument's name.
#[derive(Debug)]
pub(super) struct Mismatch {
    pub(super) kind: ValueErrorKind,
    /// The path from the argument to the value, such as `[2].age`.
    pub(super) at: String,
    pub(super) expected: String,
    pub(super) found: String,
}

impl Mismatch {
    pub(super) fn new(kind: ValueErrorKind, expected: impl Into<String>, found: impl Into<String>) -> Mismatch {
        Mismatch { kind, at: String::new(), expected: expected.into(), found: found.into() }
    }

    /// Says that it happened inside an element, field or case.
    pub(super) fn under(mut self, step: impl fmt::Display) -> Mismatch {
        self.at = format!("{step}{}", self.at);
        self
    }

    /// Names the argument.
    pub(super) fn of(self, argument: &str, hint: Option<String>) -> ValueError {
        let what = match self.at.trim_start_matches('.') {
            "" => argument.to_owned(),
            at => format!("`{at}` in {argument}"),
        };
        ValueError { kind: self.kind, what, expected: self.expected, found: self.found, hint }
    }
}

/// Puts the start of a text in backticks, with control characters escaped.
pub(super) fn excerpt(text: &str) -> String {
    let mut shown = String::from("`");
    for char in text.chars().take(EXCERPT_CHARS) {
        // Bidirectional controls would reorder the line they are shown on.
        if char.is_control()
            || matches!(char, '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        {
            let _ = write!(shown, "{}", char.escape_default());
        } else {
            shown.push(char);
        }
    }
    if text.chars().nth(EXCERPT_CHARS).is_some() {
        shown.push('…');
    }
    shown.push('`');
    shown
}
