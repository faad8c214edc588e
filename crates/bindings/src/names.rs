//! Names of WIT in the forms of other languages, without clashes.

use crate::world::{TypeDef, World};
use std::collections::{HashMap, HashSet};

/// Names that are taken, in one scope of one language.
pub(crate) struct Scope {
    taken: HashSet<String>,
    /// The number that a name gets next which is taken: a guest may have very many of one name.
    numbers: HashMap<String, u64>,
}

impl Scope {
    pub(crate) fn new(reserved: &[&str]) -> Scope {
        Scope { taken: reserved.iter().map(|name| (*name).to_owned()).collect(), numbers: HashMap::new() }
    }

    /// Takes the first of some names that is free, or the last with a number behind it.
    pub(crate) fn take(&mut self, names: &[String]) -> String {
        self.take_with(names, &[])
    }

    /// As [`Scope::take`], where the name has to be free with each of these [endings](ended) too.
    pub(crate) fn take_with(&mut self, names: &[String], endings: &[&str]) -> String {
        let is_free = |taken: &HashSet<String>, name: &String| {
            let is_alone = !name.is_empty() && !taken.contains(name);
            is_alone && endings.iter().all(|ending| !taken.contains(&ended(name, ending)))
        };
        let last = names.last().cloned().unwrap_or_default();
        let mut found = names.iter().find(|name| is_free(&self.taken, name)).cloned();
        let number = self.numbers.entry(last.clone()).or_insert(1);
        let found = loop {
            if let Some(found) = found.take() {
                break found;
            }
            *number += 1;
            let mark = if last.ends_with(char::is_numeric) { "_" } else { "" };
            found = Some(format!("{last}{mark}{number}")).filter(|name| is_free(&self.taken, name));
        };
        self.taken.insert(found.clone());
        self.taken.extend(endings.iter().map(|ending| ended(&found, ending)));
        found
    }
}

/// A name with an ending; a mark at its end goes.
pub(crate) fn ended(name: &str, ending: &str) -> String {
    format!("{}{ending}", name.trim_end_matches('_'))
}

/// Names the types of a world: by their own name where only one has it, else with that of their interface before it.
pub(crate) fn types(world: &World, scope: &mut Scope) -> Vec<String> {
    let mut count = HashMap::<String, usize>::new();
    for def in &world.types {
        *count.entry(pascal(&def.name)).or_default() += 1;
    }
    let named = |def: &TypeDef| {
        let short = pascal(&def.name);
        let interface = pascal(own_name(&def.interface));
        let long = format!("{interface}{short}");
        let longest = format!("{}{long}", pascal(package(&def.interface)));
        if count.get(&short) == Some(&1) { vec![short, long, longest] } else { vec![long, longest] }
    };
    world.types.iter().map(|def| scope.take(&named(def))).collect()
}

/// `measure` of `acme:texts/measure@1.0.0`.
pub(crate) fn own_name(interface: &str) -> &str {
    let path = interface.split('@').next().unwrap_or(interface);
    path.rsplit('/').next().unwrap_or(path)
}

/// `texts` of `acme:texts/measure@1.0.0`.
fn package(interface: &str) -> &str {
    let path = interface.split('/').next().unwrap_or_default();
    path.rsplit(':').next().unwrap_or(path)
}

/// `HttpServer` of `http-server`.
pub(crate) fn pascal(name: &str) -> String {
    words(name).map(|word| capital(&word)).collect()
}

/// `httpServer` of `http-server`.
pub(crate) fn camel(name: &str) -> String {
    let words = words(name).enumerate();
    words.map(|(index, word)| if index == 0 { word.to_lowercase() } else { capital(&word) }).collect()
}

/// `http_server` of `http-server`.
pub(crate) fn snake(name: &str) -> String {
    words(name).map(|word| word.to_lowercase()).collect::<Vec<_>>().join("_")
}

/// The words of a name. Whatever is neither a letter nor a digit of ASCII is between them; a name of a core module may hold
/// anything.
fn words(name: &str) -> impl Iterator<Item = String> {
    name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned)
}

fn capital(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(chars).collect()
}

/// Makes an identifier of a name: one that is a word of the language, or begins with a digit, gets a mark.
pub(crate) fn identifier(name: String, reserved: &[&str]) -> String {
    match name.chars().next() {
        None => "_".to_owned(),
        Some(first) if first.is_ascii_digit() => format!("_{name}"),
        Some(_) if reserved.contains(&name.as_str()) => format!("{name}_"),
        Some(_) => name,
    }
}

/// A text in double quotes, as JSON, TypeScript, Python and Rust all read it.
pub(crate) fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            // No name has these; what stands for them differs from language to language.
            c if c.is_control() || is_direction(c) => quoted.push('\u{fffd}'),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// What ends a line or turns the direction of a text, and so hides what a file says.
fn is_direction(c: char) -> bool {
    matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The lines of a comment, without what would end it or be obeyed by a terminal.
pub(crate) fn comment_lines(docs: &str) -> impl Iterator<Item = String> {
    docs.lines().map(|line| {
        line.chars()
            .filter(|c| !c.is_control() && !is_direction(*c))
            .collect::<String>()
            .trim_end()
            .replace("*/", "* /")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_take_the_form_of_their_language() {
        assert_eq!((pascal("http-server"), camel("http-server")), ("HttpServer".into(), "httpServer".into()));
        assert_eq!((snake("HTTP-server-2"), pascal("a1-2b")), ("http_server_2".into(), "A12b".into()));
        assert_eq!(own_name("acme:texts/measure@1.0.0"), "measure");
        assert_eq!(identifier("type".into(), &["type"]), "type_");
        assert_eq!(identifier(snake("$1 x"), &[]), "_1_x");
        assert_eq!(quoted("a\"b\\c\n"), "\"a\\\"b\\\\c\u{fffd}\"");
    }

    #[test]
    fn what_is_taken_gets_the_next_name_or_a_number() {
        let mut scope = Scope::new(&["A"]);
        let names = ["A".to_owned(), "BA".to_owned()];
        assert_eq!([scope.take(&names), scope.take(&names), scope.take(&names)], ["BA", "BA2", "BA3"]);
        let mut scope = Scope::new(&["get_async"]);
        assert_eq!(scope.take_with(&["get".to_owned()], &["_async"]), "get2");
    }
}
