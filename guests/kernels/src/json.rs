//! JSON: parses a document of 100 records, sums a field of each, puts the sum in and writes the document, `size` times.
//! RFC 8259, sections 2 to 7.

use std::{collections::BTreeMap, fmt::Write};

use crate::{checksum::Checksum, splitmix::SplitMix64, vocabulary::Vocabulary};

const RECORDS: usize = 100;

pub fn json(size: u32) -> u64 {
    let mut text = String::new();
    write(&mut text, &document(&mut SplitMix64::new(7)));
    for _ in 0..size {
        let mut document = parse(&text).expect("`write` wrote it");
        let sum = sum_prices(&document);
        if let Value::Object(fields) = &mut document {
            fields.insert("total".into(), Value::Number(sum));
        }
        text.clear();
        write(&mut text, &document);
    }
    let mut checksum = Checksum::default();
    checksum.add_bytes(text.as_bytes());
    checksum.value()
}

#[derive(Clone, PartialEq, Debug)]
enum Value {
    Null,
    Bool(bool),
    Number(f64),
    String(String),
    Array(Vec<Value>),
    Object(BTreeMap<String, Value>),
}

fn document(random: &mut SplitMix64) -> Value {
    let vocabulary = Vocabulary::new(random, 500);
    let orders = (0..RECORDS).map(|_| order(random, &vocabulary)).collect();
    object([("orders", Value::Array(orders)), ("total", Value::Number(0.0))])
}

fn order(random: &mut SplitMix64, vocabulary: &Vocabulary) -> Value {
    let note = format!("{} \"{}\"\n", vocabulary.pick(random), vocabulary.pick(random));
    let tags = (0..random.below(5)).map(|_| Value::String(vocabulary.pick(random).into())).collect();
    object([
        ("id", Value::Number(f64::from(random.below(1_000_000)))),
        ("price", Value::Number(f64::from(random.below(100_000)) / 100.0)),
        ("weight", Value::Number(random.unit())),
        ("note", Value::String(note)),
        ("tags", Value::Array(tags)),
        ("paid", Value::Bool(random.below(2) == 0)),
        ("parent", Value::Null),
    ])
}

fn object<const FIELDS: usize>(fields: [(&str, Value); FIELDS]) -> Value {
    Value::Object(fields.into_iter().map(|(name, value)| (name.into(), value)).collect())
}

/// Adds up every `price`, wherever it is, and the last total, so that no two documents are the same.
fn sum_prices(value: &Value) -> f64 {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0.0,
        Value::Array(values) => values.iter().map(sum_prices).sum(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| match (name.as_str(), value) {
                ("price" | "total", Value::Number(number)) => *number,
                _ => sum_prices(value),
            })
            .sum(),
    }
}

fn write(text: &mut String, value: &Value) {
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(true) => text.push_str("true"),
        Value::Bool(false) => text.push_str("false"),
        Value::Number(number) => write!(text, "{number}").expect("a string takes everything"),
        Value::String(string) => write_string(text, string),
        Value::Array(values) => {
            text.push('[');
            for (index, value) in values.iter().enumerate() {
                text.push_str(if index == 0 { "" } else { "," });
                write(text, value);
            }
            text.push(']');
        }
        Value::Object(fields) => {
            text.push('{');
            for (index, (name, value)) in fields.iter().enumerate() {
                text.push_str(if index == 0 { "" } else { "," });
                write_string(text, name);
                text.push(':');
                write(text, value);
            }
            text.push('}');
        }
    }
}

fn write_string(text: &mut String, string: &str) {
    text.push('"');
    for char in string.chars() {
        match char {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\0'..' ' => write!(text, "\\u{:04x}", u32::from(char)).expect("a string takes everything"),
            _ => text.push(char),
        }
    }
    text.push('"');
}

/// Deeper documents are refused, and not a stack overflow.
const DEPTH_MAX: u32 = 64;

fn parse(text: &str) -> Option<Value> {
    let mut reader = Reader { rest: text, depth: 0 };
    let value = reader.value()?;
    reader.rest.is_empty().then_some(value)
}

/// What is left of a text. Every method takes what it names, and `None` means that something else is there.
struct Reader<'a> {
    rest: &'a str,
    depth: u32,
}

impl<'a> Reader<'a> {
    fn value(&mut self) -> Option<Value> {
        self.space();
        let value = match self.rest.as_bytes().first()? {
            b'n' => self.token("null").map(|()| Value::Null),
            b't' => self.token("true").map(|()| Value::Bool(true)),
            b'f' => self.token("false").map(|()| Value::Bool(false)),
            b'"' => self.string().map(Value::String),
            b'[' => self.nested(Self::array),
            b'{' => self.nested(Self::object),
            _ => self.number(),
        };
        self.space();
        value
    }

    fn nested(&mut self, container: fn(&mut Self) -> Option<Value>) -> Option<Value> {
        self.depth = Some(self.depth + 1).filter(|depth| *depth <= DEPTH_MAX)?;
        let value = container(self)?;
        self.depth -= 1;
        Some(value)
    }

    fn array(&mut self) -> Option<Value> {
        let mut values = Vec::new();
        self.list(["[", "]"], |reader| {
            values.push(reader.value()?);
            Some(())
        })?;
        Some(Value::Array(values))
    }

    fn object(&mut self) -> Option<Value> {
        let mut fields = BTreeMap::new();
        self.list(["{", "}"], |reader| {
            reader.space();
            let name = reader.string()?;
            reader.space();
            reader.token(":")?;
            fields.insert(name, reader.value()?);
            Some(())
        })?;
        Some(Value::Object(fields))
    }

    /// Takes items with commas between them; each takes the space around itself.
    fn list(&mut self, [open, close]: [&str; 2], mut item: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.token(open)?;
        self.space();
        if self.token(close).is_some() {
            return Some(());
        }
        loop {
            item(self)?;
            if self.token(",").is_none() {
                return self.token(close);
            }
        }
    }

    /// Takes runs of plain characters as a whole.
    fn string(&mut self) -> Option<String> {
        self.token("\"")?;
        let mut string = String::new();
        loop {
            let plain = self.rest.bytes().position(|byte| matches!(byte, b'"' | b'\\' | ..b' '))?;
            string.push_str(self.take(plain));
            match self.rest.as_bytes()[0] {
                b'"' => {
                    self.take(1);
                    return Some(string);
                }
                b'\\' => string.push(self.escape()?),
                _ => return None,
            }
        }
    }

    fn escape(&mut self) -> Option<char> {
        self.token("\\")?;
        let char = self.rest.chars().next()?;
        self.take(char.len_utf8());
        match char {
            '"' | '\\' | '/' => Some(char),
            'b' => Some('\x08'),
            'f' => Some('\x0c'),
            'n' => Some('\n'),
            'r' => Some('\r'),
            't' => Some('\t'),
            'u' => self.unicode(),
            _ => None,
        }
    }

    /// Takes four hexadecimal digits, and where they are half of a surrogate pair, the other half.
    fn unicode(&mut self) -> Option<char> {
        let first = self.unit()?;
        let is_half = (0xd800..0xdc00).contains(&first) && self.token("\\u").is_some();
        let second = if is_half { Some(self.unit()?) } else { None };
        char::decode_utf16([first].into_iter().chain(second)).next()?.ok()
    }

    fn unit(&mut self) -> Option<u16> {
        let digits = self.rest.get(..4).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        self.take(4);
        u16::from_str_radix(digits, 16).ok()
    }

    /// Takes the characters a number can have; which of them are one is left to the standard library, which is laxer
    /// than the RFC in `01`, `+1`, `.5` and `1.`.
    fn number(&mut self) -> Option<Value> {
        let end = self.rest.bytes().position(|byte| !matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
        let number: f64 = self.take(end.unwrap_or(self.rest.len())).parse().ok()?;
        number.is_finite().then_some(Value::Number(number))
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    fn token(&mut self, token: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(token)?;
        Some(())
    }

    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(bytes);
        self.rest = rest;
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks what a text parses to, written again; nothing for what is refused.
    #[track_caller]
    fn check(text: &str, expected: &str) {
        let mut written = String::new();
        if let Some(value) = parse(text) {
            write(&mut written, &value);
        }
        assert_eq!(written, expected, "{text}");
    }

    #[test]
    fn parses_what_the_rfc_allows() {
        check(" null ", "null");
        check("[true , false]", "[true,false]");
        check("[ ]", "[]");
        check("{ }", "{}");
        check("-0.5e1", "-5");
        check("0.1", "0.1");
        check(r#" { "b" : [ { } , [ ] ] , "a" : "" } "#, r#"{"a":"","b":[{},[]]}"#);
        check(
            r#""\" \\ \/ \b \f \n \r \t \u00e9 \ud83d\ude00 é""#,
            r#""\" \\ / \u0008 \u000c \n \u000d \u0009 é 😀 é""#,
        );
    }

    #[test]
    fn refuses_what_it_forbids() {
        for text in [
            "",
            "nul",
            "truefalse",
            "[1,]",
            "[1 2]",
            "[",
            "{\"a\"}",
            "{\"a\":}",
            "{a:1}",
            "{\"a\":1,}",
            "1 2",
            "-",
            "\"",
            "\"\n\"",
            r#""\x""#,
            r#""\u12""#,
            r#""\ud800""#,
            r#""\udc00""#,
            r#""\ud800\u0041""#,
            "1e999",
            "NaN",
            "inf",
        ] {
            check(text, "");
        }
        assert!(parse(&"[".repeat(100_000)).is_none());
    }

    #[test]
    fn round_trip() {
        let document = document(&mut SplitMix64::new(1));
        let mut text = String::new();
        write(&mut text, &document);
        assert_eq!(parse(&text), Some(document));
    }

    #[test]
    fn sums_prices_wherever_they_are() {
        let document = parse(r#"{"total": 1, "orders": [{"price": 2}, {"price": "3"}, {"item": {"price": 4}}]}"#);
        assert_eq!(sum_prices(&document.unwrap()), 7.0);
    }
}
