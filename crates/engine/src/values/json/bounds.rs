//! How much a JSON text may hold, told from its bytes before anything is built.

pub(super) struct Bounds {
    pub(super) bytes: usize,
    pub(super) depth: usize,
    pub(super) values: usize,
}

impl Bounds {
    /// Checks a text. What is not JSON may pass.
    ///
    /// # Errors
    /// What was expected: at most so much.
    pub(super) fn check(&self, text: &[u8]) -> Result<(), String> {
        if text.len() > self.bytes {
            return Err(format!("at most {} bytes of JSON", self.bytes));
        }
        let (mut depth, mut values, mut in_string) = (0usize, 1usize, false);
        let mut bytes = text.iter();
        while let Some(byte) = bytes.next() {
            match (byte, in_string) {
                (b'"', _) => in_string = !in_string,
                (b'\\', true) => _ = bytes.next(),
                (b'[' | b'{', false) => {
                    depth += 1;
                    values += 1;
                }
                (b']' | b'}', false) => depth = depth.saturating_sub(1),
                (b',', false) => values += 1,
                _ => {}
            }
            if depth > self.depth {
                return Err(format!("JSON at most {} levels deep", self.depth));
            }
        }
        if values > self.values { Err(format!("at most {} values in one call", self.values)) } else { Ok(()) }
    }
}
