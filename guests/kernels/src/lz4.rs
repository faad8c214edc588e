//! Compression: compresses and decompresses 64 KiB of text `size` times, each time another part of a longer one. LZ4
//! block format description, <https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md>.

use crate::{checksum::Checksum, splitmix::SplitMix64, vocabulary::Vocabulary};

const BLOCK_BYTES: usize = 64 * 1024;
const TEXT_BYTES: usize = 2 * BLOCK_BYTES;

pub fn lz4(size: u32) -> u64 {
    let mut random = SplitMix64::new(6);
    let text = Vocabulary::new(&mut random, 4_096).text(&mut random, TEXT_BYTES);
    let mut checksum = Checksum::default();
    for _ in 0..size {
        let start = random.below((TEXT_BYTES - BLOCK_BYTES) as u32) as usize;
        let input = &text.as_bytes()[start..][..BLOCK_BYTES];
        let block = compress(input);
        checksum.add_bytes(&block);
        checksum.add(u64::from(decompress(&block, BLOCK_BYTES).as_deref() == Some(input)));
    }
    checksum.value()
}

/// Shorter repetitions are not worth their offset.
const MATCH_MIN: usize = 4;
/// The format wants the last match to start this far from the end,
const LAST_MATCH: usize = 12;
/// and this many bytes at the end to be literals.
const LAST_LITERALS: usize = 5;
const SLOTS_LOG2: u32 = 12;

/// Compresses at most [`BLOCK_BYTES`], so that every position fits into 16 bits. Takes the first match it finds.
fn compress(input: &[u8]) -> Vec<u8> {
    assert!(input.len() <= BLOCK_BYTES);
    let mut block = Vec::with_capacity(input.len());
    let mut latest = [0u16; 1 << SLOTS_LOG2];
    let (mut at, mut written) = (0, 0);
    while at + LAST_MATCH <= input.len() {
        let latest = &mut latest[slot(&input[at..])];
        let before = usize::from(*latest);
        *latest = at as u16;
        let length = if before < at { common(&input[before..], &input[at..input.len() - LAST_LITERALS]) } else { 0 };
        if length < MATCH_MIN {
            at += 1;
            continue;
        }
        put_sequence(&mut block, &input[written..at], Some(Match { offset: (at - before) as u16, length }));
        at += length;
        written = at;
    }
    put_sequence(&mut block, &input[written..], None);
    block
}

struct Match {
    offset: u16,
    length: usize,
}

/// Hashes the four bytes at the start.
fn slot(bytes: &[u8]) -> usize {
    let word = bytes.first_chunk().copied().map_or(0, u32::from_le_bytes);
    (word.wrapping_mul(2_654_435_761) >> (u32::BITS - SLOTS_LOG2)) as usize
}

fn common(first: &[u8], second: &[u8]) -> usize {
    first.iter().zip(second).take_while(|(first, second)| first == second).count()
}

fn put_sequence(block: &mut Vec<u8>, literals: &[u8], found: Option<Match>) {
    let extra = found.as_ref().map_or(0, |found| found.length - MATCH_MIN);
    block.push((literals.len().min(15) << 4 | extra.min(15)) as u8);
    put_length(block, literals.len());
    block.extend_from_slice(literals);
    if let Some(Match { offset, .. }) = found {
        block.extend_from_slice(&offset.to_le_bytes());
        put_length(block, extra);
    }
}

/// Writes what is left of a length that doesn't fit into its four bits.
fn put_length(block: &mut Vec<u8>, length: usize) {
    let Some(mut left) = length.checked_sub(15) else { return };
    while left >= 255 {
        block.push(255);
        left -= 255;
    }
    block.push(left as u8);
}

/// Decompresses to at most this many bytes; `None` where the block is no LZ4 or longer.
fn decompress(mut block: &[u8], bytes_max: usize) -> Option<Vec<u8>> {
    let mut output = Vec::with_capacity(bytes_max);
    loop {
        let token = take_byte(&mut block)?;
        let literals = take_length(&mut block, token >> 4)?;
        let (literals, rest) = block.split_at_checked(literals)?;
        block = rest;
        if literals.len() > bytes_max - output.len() {
            return None;
        }
        output.extend_from_slice(literals);
        if block.is_empty() {
            return Some(output);
        }
        let offset = u16::from_le_bytes([take_byte(&mut block)?, take_byte(&mut block)?]);
        let length = take_length(&mut block, token & 15)? + MATCH_MIN;
        let start = output.len().checked_sub(usize::from(offset)).filter(|_| offset > 0)?;
        if length > bytes_max - output.len() {
            return None;
        }
        repeat(&mut output, start, length);
    }
}

/// Appends what is at `start`; a match longer than its offset goes on with what it has just written.
fn repeat(output: &mut Vec<u8>, start: usize, mut length: usize) {
    while length > 0 {
        let piece = length.min(output.len() - start);
        output.extend_from_within(start..start + piece);
        length -= piece;
    }
}

fn take_length(block: &mut &[u8], nibble: u8) -> Option<usize> {
    let mut length = usize::from(nibble);
    let mut more = nibble == 15;
    while more {
        let byte = take_byte(block)?;
        length += usize::from(byte);
        more = byte == 255;
    }
    Some(length)
}

fn take_byte(block: &mut &[u8]) -> Option<u8> {
    block.split_off_first().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_round_trip(input: &[u8]) {
        let block = compress(input);
        assert_eq!(decompress(&block, input.len()).as_deref(), Some(input));
    }

    #[test]
    fn round_trips() {
        let mut random = SplitMix64::new(1);
        let text = Vocabulary::new(&mut random, 100).text(&mut random, BLOCK_BYTES);
        let mut noise = vec![0; BLOCK_BYTES];
        random.fill(&mut noise);
        for length in (0..600).chain([BLOCK_BYTES - 1, BLOCK_BYTES]) {
            check_round_trip(&text.as_bytes()[..length]);
            check_round_trip(&noise[..length]);
            check_round_trip(&vec![7; length]);
        }
    }

    #[test]
    fn text_becomes_smaller() {
        let mut random = SplitMix64::new(1);
        let text = Vocabulary::new(&mut random, 100).text(&mut random, BLOCK_BYTES);
        assert!(compress(&text.as_bytes()[..BLOCK_BYTES]).len() < BLOCK_BYTES / 2);
    }

    /// By hand from the format: two literals, a match of ten that overlaps itself, and five literals at the end.
    #[test]
    fn known_block() {
        let block = b"\x26ab\x02\0\x50ababc";
        assert_eq!(decompress(block, 17).as_deref(), Some(b"ababababababababc".as_slice()));
        assert_eq!(compress(b"ababababababababc"), block);
    }

    #[test]
    fn refuses_what_is_no_block() {
        let refused: [&[u8]; 6] = [b"", b"\x10", b"\xf0", b"\x10a\x02\0\x00", b"\x10a\0\0\x00", b"\x1fa\x01\0\xff\xff"];
        for block in refused {
            assert_eq!(decompress(block, 1_000), None, "{block:x?}");
        }
        assert_eq!(decompress(&compress(&[7; 100]), 99), None);
    }
}
