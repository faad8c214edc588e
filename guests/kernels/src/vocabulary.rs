//! Makes words for texts: pronounceable, and some far more frequent than others, as in a language.

use crate::splitmix::SplitMix64;

pub(crate) struct Vocabulary(Vec<String>);

impl Vocabulary {
    pub(crate) fn new(random: &mut SplitMix64, words: u32) -> Self {
        Vocabulary((0..words).map(|_| word(random)).collect())
    }

    /// Picks a word. The cube favours the first ones, much like Zipf's law, without a logarithm.
    pub(crate) fn pick(&self, random: &mut SplitMix64) -> &str {
        let unit = random.unit();
        &self.0[(unit * unit * unit * self.0.len() as f64) as usize]
    }

    /// Writes a text of at least this many bytes: words, spaces, and a line break now and then.
    pub(crate) fn text(&self, random: &mut SplitMix64, bytes: usize) -> String {
        let mut text = String::with_capacity(bytes + 16);
        while text.len() < bytes {
            text.push_str(self.pick(random));
            text.push(if random.below(12) == 0 { '\n' } else { ' ' });
        }
        text
    }
}

fn word(random: &mut SplitMix64) -> String {
    let mut word = String::new();
    for _ in 0..1 + random.below(4) {
        word.push(letter(random, b"bcdfghklmnprstvw"));
        word.push(letter(random, b"aeiou"));
    }
    word
}

fn letter(random: &mut SplitMix64, letters: &[u8]) -> char {
    char::from(letters[random.below(letters.len() as u32) as usize])
}
