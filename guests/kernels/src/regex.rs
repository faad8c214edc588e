//! Regular expressions: searches `size` log lines for four patterns. Each becomes an automaton as in Thompson, "Regular
//! Expression Search Algorithm" (1968), made deterministic as it runs, as in Cox, "Regular Expression Matching Can Be
//! Simple And Fast" (2007), <https://swtch.com/~rsc/regexp/regexp1.html>.

use std::collections::BTreeMap;

use crate::{checksum::Checksum, splitmix::SplitMix64, vocabulary::Vocabulary};

const PATTERNS: [&str; 4] = [
    "[0-9]+\\.[0-9]+\\.[0-9]+\\.[0-9]+",
    "[a-z]+(\\.[a-z]+)*@[a-z]+\\.(com|org|example)",
    "(GET|POST) (/[a-z]+)+(\\?[a-z]+=[0-9]+)?",
    "(WARN|ERROR).* [0-9][0-9][0-9]+ms",
];

/// This many lines are made, and searched again and again.
const LINES: usize = 512;

pub fn regex(size: u32) -> u64 {
    let mut random = SplitMix64::new(8);
    let vocabulary = Vocabulary::new(&mut random, 500);
    let lines: Vec<_> = (0..LINES).map(|_| line(&mut random, &vocabulary)).collect();
    let mut automata = PATTERNS.map(|pattern| Automaton::new(pattern).expect("the patterns above are well formed"));

    let mut checksum = Checksum::default();
    for line in lines.iter().cycle().take(size as usize) {
        for automaton in &mut automata {
            automaton.find_all(line.as_bytes(), |start, end| {
                checksum.add(start as u64);
                checksum.add(end as u64);
            });
        }
    }
    checksum.value()
}

fn line(random: &mut SplitMix64, vocabulary: &Vocabulary) -> String {
    let level = ["DEBUG", "INFO", "INFO", "WARN", "ERROR"][random.below(5) as usize];
    let method = ["GET", "POST", "PUT"][random.below(3) as usize];
    let host = ["com", "org", "net", "example"][random.below(4) as usize];
    let [a, b, c, d] = [(); 4].map(|()| random.below(256));
    let [user, domain, folder, file, key, word] = [(); 6].map(|()| vocabulary.pick(random));
    let (number, took_ms) = (random.below(1_000), random.below(2_000));
    let client = format!("{a}.{b}.{c}.{d} {user}.{word}@{domain}.{host}");
    format!("{level} {client} {method} /{folder}/{file}?{key}={number} {word} {took_ms}ms")
}

/// The bytes that one place of a pattern stands for. Patterns and texts are bytes, and UTF-8 is several of them.
type Class = [bool; 256];

enum Node {
    Class(Box<Class>),
    Sequence(Vec<Node>),
    Choice(Vec<Node>),
    Repeat(Box<Node>, Times),
}

enum Times {
    ZeroOrOne,
    ZeroOrMore,
    OneOrMore,
}

/// What is left of a pattern. `None` means that it is malformed.
struct Pattern<'a>(&'a [u8]);

impl Pattern<'_> {
    fn choice(&mut self) -> Option<Node> {
        let mut choices = vec![self.sequence()?];
        while self.take(b'|') {
            choices.push(self.sequence()?);
        }
        Some(Node::Choice(choices))
    }

    fn sequence(&mut self) -> Option<Node> {
        let mut nodes = Vec::new();
        while !matches!(self.0.first(), None | Some(b'|' | b')')) {
            nodes.push(self.repeat()?);
        }
        Some(Node::Sequence(nodes))
    }

    fn repeat(&mut self) -> Option<Node> {
        let node = self.atom()?;
        let times = match self.0.first() {
            Some(b'?') => Times::ZeroOrOne,
            Some(b'*') => Times::ZeroOrMore,
            Some(b'+') => Times::OneOrMore,
            _ => return Some(node),
        };
        self.next();
        Some(Node::Repeat(Box::new(node), times))
    }

    fn atom(&mut self) -> Option<Node> {
        match self.next()? {
            b'(' => {
                let node = self.choice()?;
                self.take(b')').then_some(node)
            }
            b'[' => self.class(),
            b'.' => Some(class(|byte| byte != b'\n')),
            b'\\' => self.next().map(|escaped| class(|byte| byte == escaped)),
            b'?' | b'*' | b'+' => None,
            plain => Some(class(|byte| byte == plain)),
        }
    }

    fn class(&mut self) -> Option<Node> {
        let inverted = self.take(b'^');
        let mut ranges = Vec::new();
        loop {
            let first = self.next()?;
            let last = if self.take(b'-') { self.next()? } else { first };
            ranges.push(first..=last);
            if self.take(b']') {
                return Some(class(|byte| ranges.iter().any(|range| range.contains(&byte)) != inverted));
            }
        }
    }

    fn next(&mut self) -> Option<u8> {
        self.0.split_off_first().copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.0.first() == Some(&byte);
        if found {
            self.next();
        }
        found
    }
}

fn class(has: impl Fn(u8) -> bool) -> Node {
    Node::Class(Box::new(std::array::from_fn(|byte| has(byte as u8))))
}

/// A state of Thompson's automaton, with the places that follow in the program.
enum State {
    Match,
    Byte(Box<Class>, usize),
    Fork(usize, usize),
}

/// Writes the states of a node, from its end to its start, and returns the place where it starts.
fn compile(program: &mut Vec<State>, node: Node, next: usize) -> usize {
    match node {
        Node::Class(class) => place(program, State::Byte(class, next)),
        Node::Sequence(nodes) => nodes.into_iter().rev().fold(next, |next, node| compile(program, node, next)),
        Node::Choice(choices) => {
            let starts: Vec<_> = choices.into_iter().map(|choice| compile(program, choice, next)).collect();
            starts.into_iter().reduce(|first, second| place(program, State::Fork(first, second))).unwrap_or(next)
        }
        Node::Repeat(node, Times::ZeroOrOne) => {
            let start = compile(program, *node, next);
            place(program, State::Fork(start, next))
        }
        Node::Repeat(node, times) => {
            // Where the node starts is known only when it is written, after the fork that leads back to it.
            let fork = place(program, State::Fork(next, next));
            let start = compile(program, *node, fork);
            program[fork] = State::Fork(start, next);
            if matches!(times, Times::OneOrMore) { start } else { fork }
        }
    }
}

fn place(program: &mut Vec<State>, state: State) -> usize {
    program.push(state);
    program.len() - 1
}

/// A deterministic automaton whose states are sets of Thompson's, numbered as they are met. There are few of them for
/// patterns like these; one for patterns of others would need a bound.
struct Automaton {
    program: Vec<State>,
    sets: Vec<Vec<usize>>,
    numbers: BTreeMap<Vec<usize>, usize>,
    /// The set that follows a set and a byte, where it is known.
    next: Vec<[Option<u16>; 256]>,
    matches: Vec<bool>,
}

/// The empty set, from where nothing matches, and the set to start with.
const DEAD: usize = 0;
const START: usize = 1;

impl Automaton {
    fn new(pattern: &str) -> Option<Self> {
        let mut rest = Pattern(pattern.as_bytes());
        let node = rest.choice().filter(|_| rest.0.is_empty())?;
        let mut program = vec![State::Match];
        let start = compile(&mut program, node, 0);

        let mut automaton =
            Automaton { program, sets: vec![], numbers: BTreeMap::new(), next: vec![], matches: vec![] };
        automaton.number([]);
        automaton.number([start]);
        Some(automaton)
    }

    /// Finds matches from left to right, the longest at each place, none empty and none that overlaps another.
    fn find_all(&mut self, text: &[u8], mut found: impl FnMut(usize, usize)) {
        let mut start = 0;
        while start < text.len() {
            let length = self.longest(&text[start..]);
            if length > 0 {
                found(start, start + length);
            }
            start += length.max(1);
        }
    }

    fn longest(&mut self, text: &[u8]) -> usize {
        let (mut set, mut longest) = (START, 0);
        for (index, byte) in text.iter().enumerate() {
            set = match self.next[set][usize::from(*byte)] {
                Some(next) => usize::from(next),
                None => self.step(set, *byte),
            };
            if set == DEAD {
                break;
            }
            if self.matches[set] {
                longest = index + 1;
            }
        }
        longest
    }

    #[cold]
    fn step(&mut self, set: usize, byte: u8) -> usize {
        let follow = |place: &usize| match &self.program[*place] {
            State::Byte(class, next) if class[usize::from(byte)] => Some(*next),
            _ => None,
        };
        let places: Vec<_> = self.sets[set].iter().filter_map(follow).collect();
        let next = self.number(places);
        self.next[set][usize::from(byte)] = Some(next as u16);
        next
    }

    /// Numbers the set of these places and of all that forks lead to from them.
    fn number(&mut self, places: impl Into<Vec<usize>>) -> usize {
        let mut open = places.into();
        let mut set = Vec::new();
        while let Some(place) = open.pop() {
            if !set.contains(&place) {
                set.push(place);
                if let State::Fork(first, second) = self.program[place] {
                    open.extend([first, second]);
                }
            }
        }
        set.sort_unstable();
        if let Some(number) = self.numbers.get(&set) {
            return *number;
        }
        let number = self.sets.len();
        self.matches.push(set.iter().any(|place| matches!(self.program[*place], State::Match)));
        self.next.push([None; 256]);
        self.numbers.insert(set.clone(), number);
        self.sets.push(set);
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks what a pattern finds in a text.
    #[track_caller]
    fn check(pattern: &str, text: &str, expected: &[&str]) {
        let mut found = Vec::new();
        let mut automaton = Automaton::new(pattern).unwrap();
        automaton.find_all(text.as_bytes(), |start, end| found.push(&text[start..end]));
        assert_eq!(found, expected, "{pattern} in {text:?}");
    }

    #[test]
    fn finds() {
        check("abc", "xabcabcab", &["abc", "abc"]);
        check("a|ab|abc", "abcab", &["abc", "ab"]);
        check("ab?c", "ac abc abbc", &["ac", "abc"]);
        check("ab*c", "ac abc abbc", &["ac", "abc", "abbc"]);
        check("ab+c", "ac abc abbc", &["abc", "abbc"]);
        check("(ab)+", "ababa", &["abab"]);
        check("(a*)*", "baac", &["aa"]);
        check("(a|)b", "abb", &["ab", "b"]);
        check("[a-cx]+", "zabxdc", &["abx", "c"]);
        check("[^a-c]+", "abzzc", &["zz"]);
        check("a.c", "abc a\nc a.c", &["abc", "a.c"]);
        check("a\\.c", "abc a.c", &["a.c"]);
        check("", "abc", &[]);
    }

    #[test]
    fn finds_in_a_log_line() {
        let line = "WARN 10.0.0.255 ada.l@host.example POST /a/b?c=1 x 250ms";
        let found = ["10.0.0.255", "ada.l@host.example", "POST /a/b?c=1", line];
        for (pattern, found) in PATTERNS.into_iter().zip(found) {
            check(pattern, line, &[found]);
        }
    }

    #[test]
    fn refuses_malformed_patterns() {
        for pattern in ["(", ")", "a)", "[", "[]", "[a", "*", "a**", "\\"] {
            assert!(Automaton::new(pattern).is_none(), "{pattern}");
        }
    }
}
