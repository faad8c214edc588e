//! Tells Rust's code from its comments and strings: enough to find a word that means something.

/// Lists the lines, counted from one, on which a word stands in code.
pub(super) fn lines_with_word(text: &str, word: &str) -> Vec<usize> {
    let code = code(text);
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let lines = code.lines().enumerate().filter(|(_, line)| line.split(|c| !is_part(c)).any(|part| part == word));
    lines.map(|(index, _)| index + 1).collect()
}

/// Replaces comments, strings and characters by blanks; newlines stay.
fn code(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    let mut last = ' ';
    while let Some(first) = rest.chars().next() {
        let length = skipped(rest, last).unwrap_or(0);
        let (token, after) = rest.split_at(length.max(first.len_utf8()));
        match length {
            0 => code.push_str(token),
            _ => code.extend(token.chars().map(|c| if c == '\n' { '\n' } else { ' ' })),
        }
        last = if length == 0 { first } else { ' ' };
        rest = after;
    }
    code
}

/// How many bytes of a comment, string or character begin here. `last` is the character before.
fn skipped(text: &str, last: char) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    if text.starts_with("/*") {
        return Some(block_comment(text));
    }
    if text.starts_with('"') {
        return Some(quoted(text, '"'));
    }
    if text.starts_with('\'') {
        return character(text);
    }
    let prefix = text.trim_start_matches(['b', 'c']);
    let is_word_start = !(last.is_alphanumeric() || last == '_');
    if is_word_start && text.len() - prefix.len() <= 1 && prefix.starts_with('r') {
        return raw_string(text, prefix);
    }
    None
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest.starts_with("*/") {
            (depth, at) = (depth.saturating_sub(1), at + 2);
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

/// A character, but not a lifetime: `'a'` and `'\n'`, not `'a`.
fn character(text: &str) -> Option<usize> {
    let mut inside = text.chars().skip(1);
    match (inside.next()?, inside.next()?) {
        ('\\', _) => Some(quoted(text, '\'')),
        (_, '\'') => Some(quoted(text, '\'')),
        _ => None,
    }
}

/// `r"…"` and `r#"…"#`, but not `r#name`.
fn raw_string(text: &str, prefix: &str) -> Option<usize> {
    let after = prefix.strip_prefix('r')?;
    let quote = after.trim_start_matches('#');
    let end = format!("\"{}", "#".repeat(after.len() - quote.len()));
    let body = quote.strip_prefix('"')?;
    let head = text.len() - body.len();
    Some(body.find(&end).map_or(text.len(), |at| head + at + end.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> bool {
        !lines_with_word(text, "word").is_empty()
    }

    #[test]
    fn comments_and_strings_are_not_code() {
        for text in [
            "// word",
            "/* a /* word */ word */",
            "\"word\"",
            "\"\\\" word\"",
            "r#\"\" word\"#",
            "br\"word\"",
            "a_word",
            "words",
            "/// `word`",
            "'\"' \"word\"",
            "b\"word\"",
            "r\"\\\" \"word\"",
        ] {
            assert!(!found(text), "{text}");
        }
        for text in [
            "word",
            "fn f<'a>() { word }",
            "\"\\\\\" word",
            "r\"\\\" word",
            "'\"' word",
            "/**/ word",
            "r#word",
            "br word",
        ] {
            assert!(found(text), "{text}");
        }
        assert_eq!(lines_with_word("a\n\"x\n\"\nword\n", "word"), [4]);
    }
}
