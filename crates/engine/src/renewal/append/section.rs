//! A section as it stands in a guest, perhaps with more in it.

use std::ops::Range;
use wasm_encoder::{ComponentSection, Encode};
use wasmparser::BinaryReader;

/// Its length is written in at least as many bytes as the guest's author took: so nothing ever moves towards the beginning.
pub(crate) struct Section<'a> {
    id: u8,
    data: &'a [u8],
    length_bytes: usize,
}

/// Where the section before ends.
pub(crate) struct End(usize);

impl End {
    /// Where the header of a module or a component ends.
    pub(crate) const OF_HEADER: End = End(8);

    /// Goes on to the next section, and gives it with other data.
    pub(crate) fn next<'a>(&mut self, id: u8, range: &Range<usize>, data: &'a [u8]) -> Section<'a> {
        let header_bytes = range.start.saturating_sub(self.0);
        self.0 = range.end;
        Section { id, data, length_bytes: header_bytes.saturating_sub(1) }
    }
}

impl Encode for Section<'_> {
    fn encode(&self, sink: &mut Vec<u8>) {
        let mut left = self.data.len();
        let mut written = 0;
        loop {
            let (byte, rest) = ((left & 0x7f) as u8, left >> 7);
            left = rest;
            written += 1;
            let more = left > 0 || written < self.length_bytes;
            sink.push(byte | if more { 0x80 } else { 0 });
            if !more {
                break;
            }
        }
        sink.extend_from_slice(self.data);
    }
}

impl wasm_encoder::Section for Section<'_> {
    fn id(&self) -> u8 {
        self.id
    }
}

impl ComponentSection for Section<'_> {
    fn id(&self) -> u8 {
        self.id
    }
}

/// A section's entries without their count.
pub(crate) fn entries(section: &impl Encode) -> Vec<u8> {
    let mut bytes = Vec::new();
    section.encode(&mut bytes);
    // The section's length, then the number of its entries: one byte each, being short.
    let mut reader = BinaryReader::new(&bytes, 0);
    let _ = reader.read_var_u32().and_then(|_| reader.read_var_u32());
    let start = reader.original_position();
    bytes.split_off(start)
}
