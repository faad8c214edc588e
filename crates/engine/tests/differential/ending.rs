//! What came of a call.

use crate::number::Number;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Value(Number),
    Trap(Trap),
    /// Neither, which is wrong.
    Other(String),
}

/// What trapped, in the words of the spec suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Trap(pub(crate) &'static str);

/// All of them.
pub(crate) const TRAPS: &[Trap] = &[
    Trap("unreachable"),
    Trap("out of bounds memory access"),
    Trap("out of bounds table access"),
    Trap("uninitialized element"),
    Trap("integer divide by zero"),
    Trap("integer overflow"),
    Trap("invalid conversion to integer"),
    Trap("call stack exhausted"),
    Trap("indirect call type mismatch"),
];

impl Ending {
    /// Reads a message of either engine.
    pub(crate) fn trapped(message: &str) -> Ending {
        match TRAPS.iter().find(|trap| message.contains(trap.0)) {
            Some(trap) => Ending::Trap(*trap),
            None => Ending::Other(message.to_owned()),
        }
    }
}
