//! How far what is appended to a guest moves what comes after it, so that a trap is told by the offset in the file as its
//! author has it.

/// Where bytes of a guest's file went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Moves(Vec<Move>);

/// From an offset on, up to the next move, how far everything was moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Move {
    from: u32,
    by: u32,
}

impl Moves {
    /// Notes that what was at an offset is now at another.
    pub(crate) fn note(&mut self, before: usize, now: usize) {
        let (Ok(from), Ok(by)) = (u32::try_from(now), u32::try_from(now.saturating_sub(before))) else { return };
        if self.0.last().map_or(0, |last| last.by) != by {
            self.0.push(Move { from, by });
        }
    }

    /// Takes over the moves within a part of the file.
    pub(crate) fn note_all(&mut self, part: &Moves, before: usize, now: usize) {
        self.note(before, now);
        for step in &part.0 {
            let at = now + step.from as usize;
            self.note(before + (step.from - step.by) as usize, at);
        }
    }

    /// The offset in the guest's own file.
    pub(crate) fn before(&self, offset: usize) -> usize {
        let (moved, ahead) = self.0.split_at(self.0.partition_point(|step| step.from as usize <= offset));
        let before = offset - moved.last().map_or(0, |step| step.by) as usize;
        // What was put in is where it was put in.
        ahead.first().map_or(before, |next| before.min((next.from - next.by) as usize))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As bytes, which end with their number.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes: Vec<u8> =
            self.0.iter().flat_map(|step| [step.from, step.by]).flat_map(u32::to_le_bytes).collect();
        let length = u32::try_from(bytes.len()).unwrap_or(0);
        bytes.extend(length.to_le_bytes());
        bytes
    }

    /// Reads what lies at the end of some bytes, and gives what is before it.
    pub(crate) fn decode(bytes: &[u8]) -> Option<(&[u8], Moves)> {
        let (rest, length) = bytes.split_last_chunk::<4>()?;
        let (rest, moves) = rest.split_at_checked(rest.len().checked_sub(u32::from_le_bytes(*length) as usize)?)?;
        let step = |bytes: &[u8]| {
            let (from, by) = bytes.split_first_chunk::<4>()?;
            Some(Move { from: u32::from_le_bytes(*from), by: u32::from_le_bytes(by.try_into().ok()?) })
        };
        Some((rest, Moves(moves.chunks(8).map(step).collect::<Option<_>>()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_is_what_it_was_before() {
        let mut part = Moves::default();
        part.note(10, 14);
        part.note(50, 61);
        let mut moves = Moves::default();
        moves.note(0, 0);
        moves.note_all(&part, 100, 100);
        moves.note(300, 320);
        for (now, before) in
            [(0, 0), (109, 109), (113, 110), (114, 110), (161, 150), (318, 300), (319, 300), (320, 300)]
        {
            assert_eq!(moves.before(now), before, "{now}");
        }
        let kept = [b"code".to_vec(), moves.encode()].concat();
        assert_eq!(Moves::decode(&kept), Some((&b"code"[..], moves)));
        assert_eq!(Moves::decode(&[1, 0, 0, 0]), None);
    }
}
