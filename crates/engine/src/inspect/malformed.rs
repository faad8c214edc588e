//! Why bytes are no guest.

use super::{GUEST_BYTES_MAX, NESTING_MAX, TEXT_BYTES_MAX};
use std::fmt;

/// Why bytes are no guest. Its text shows nothing of the bytes that could drive a terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// More than [`GUEST_BYTES_MAX`] in binary form.
    Large {
        /// The size.
        bytes: u64,
    },
    /// More than [`TEXT_BYTES_MAX`] as text.
    LargeText {
        /// The size.
        bytes: u64,
    },
    /// Neither a WebAssembly binary nor text.
    Unknown {
        /// The first bytes, as hexadecimal digits.
        found: String,
    },
    /// Text that is no WebAssembly.
    Text {
        /// What is wrong, with line, column and an excerpt; several lines.
        report: String,
    },
    /// A binary that is ill-formed or cut off.
    Invalid {
        /// Where, in bytes from the start.
        offset: u64,
        /// What was expected and found.
        message: String,
    },
    /// Components or their types lie in each other deeper than [`NESTING_MAX`].
    Deep {
        /// Where, in bytes from the start.
        offset: u64,
    },
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Malformed::Large { bytes } => write!(f, "the guest has {bytes} bytes, the most is {GUEST_BYTES_MAX}"),
            Malformed::LargeText { bytes } => {
                write!(f, "the guest has {bytes} bytes of text, the most is {TEXT_BYTES_MAX}")
            }
            Malformed::Unknown { found } if found.is_empty() => f.write_str(
                "the guest is empty, expected WebAssembly: a binary, which starts with `00 61 73 6d`, or its text",
            ),
            Malformed::Unknown { found } => write!(
                f,
                "the guest is no WebAssembly: expected a binary, which starts with `00 61 73 6d`, or its text, \
                 found `{found}`"
            ),
            Malformed::Text { report } => write!(f, "the guest is no WebAssembly text: {report}"),
            Malformed::Invalid { offset, message } => {
                write!(f, "the guest is malformed at byte {offset} ({offset:#x}): {message}")
            }
            Malformed::Deep { offset } => write!(
                f,
                "the guest is malformed at byte {offset} ({offset:#x}): nested deeper than {NESTING_MAX} components or \
                 types"
            ),
        }
    }
}

impl std::error::Error for Malformed {}

impl From<wasmparser::BinaryReaderError> for Malformed {
    fn from(error: wasmparser::BinaryReaderError) -> Self {
        Malformed::Invalid { offset: error.offset() as u64, message: super::shown(error.message()) }
    }
}
