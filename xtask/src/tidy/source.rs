//! Rules for what stands in a source file: `unsafe` where it may be, and nothing left for later.

use super::{EXCEPTIONS, Exceptions, File, lexer};

/// The only crates that may hold `unsafe` at all, in the modules, or folders of them, that the exceptions name.
const UNSAFE_CRATES: &[&str] = &["crates/engine/", "crates/embed/", "packages/"];

/// How many lines above an `unsafe` its reason may begin.
const REASON_LINES: usize = 8;

/// Notes to oneself. Pieced together, so that this file has none.
const NOTES: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X"), concat!("to", "do!(")];

/// Where notes are looked for: what people write, not what tools write.
const WRITTEN: &[&str] = &[".rs", ".toml", ".md", ".sh", ".wat", ".wit", ".yml", ".c", ".js", ".py", "run"];

pub(super) fn check(files: &[File], exceptions: &Exceptions) -> Vec<String> {
    let mut faults = Vec::new();
    for file in files {
        let Some(text) = &file.text else { continue };
        faults.extend(note_faults(&file.path, text));
        faults.extend(unsafe_faults(&file.path, text, exceptions));
    }
    let holds_unsafe = |path: &str| {
        let named = files.iter().filter(|file| names(path, &file.path)).filter_map(|file| file.text.as_ref());
        named.into_iter().any(|text| !lexer::lines_with_word(text, "unsafe").is_empty())
    };
    for path in exceptions.unsafe_modules.keys().filter(|path| !holds_unsafe(path)) {
        faults.push(format!("{EXCEPTIONS} lists `{path}` for nothing: remove its line"));
    }
    faults
}

/// Whether an entry is this file, or a folder that it lies in.
fn names(entry: &str, path: &str) -> bool {
    entry == path || (entry.ends_with('/') && path.starts_with(entry))
}

fn note_faults(path: &str, text: &str) -> Vec<String> {
    if !WRITTEN.iter().any(|end| path.ends_with(end)) {
        return Vec::new();
    }
    let noted = |line: &str| NOTES.iter().find(|note| has_word(line, note)).copied();
    let lines = text.lines().enumerate().filter_map(|(index, line)| Some((index + 1, noted(line)?)));
    lines.map(|(line, note)| format!("`{path}:{line}`: `{note}` is for an issue, where someone will look")).collect()
}

fn unsafe_faults(path: &str, text: &str, exceptions: &Exceptions) -> Vec<String> {
    // A guest is a plugin: its exports need `#[unsafe(no_mangle)]`, and it is sandboxed itself.
    if !path.ends_with(".rs") || path.starts_with("guests/") {
        return Vec::new();
    }
    let lines: Vec<&str> = text.lines().collect();
    let is_named = exceptions.unsafe_modules.keys().any(|entry| names(entry, path));
    let may = UNSAFE_CRATES.iter().any(|folder| path.starts_with(folder)) && is_named;
    let mut faults = Vec::new();
    for line in lexer::lines_with_word(text, "unsafe") {
        let above = lines.iter().take(line).skip(line.saturating_sub(REASON_LINES + 1));
        if !may {
            faults.push(format!(
                "`{path}:{line}`: `unsafe` is only for modules of engine, embed and packages that {EXCEPTIONS} names with a reason"
            ));
        } else if lines.get(line.saturating_sub(1)).is_some_and(|line| line.trim() == "#[unsafe(no_mangle)]") {
            // What a C ABI is made of: each name begins with that of the library.
        } else if !above.clone().any(|line| line.contains("SAFETY:") || line.contains("# Safety")) {
            faults.push(format!("`{path}:{line}`: `unsafe` without its reason\nhint: // SAFETY: why it holds"));
        }
    }
    faults
}

/// Finds a note that is not part of a longer word.
fn has_word(line: &str, note: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(note).any(|(start, _)| {
        let before = line.get(..start).and_then(|text| text.chars().next_back());
        let after = line.get(start + note.len()..).and_then(|text| text.chars().next());
        !before.is_some_and(is_part) && (note.ends_with('(') || !after.is_some_and(is_part))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_words() {
        let note = NOTES[0];
        assert_eq!(note_faults("a.rs", &format!("// {note}: later\n")).len(), 1);
        assert_eq!(note_faults("a.md", &format!("{note}S are {note}_fine\n")).len(), 0);
        assert_eq!(note_faults("a.wasm", note).len(), 0);
    }

    #[test]
    fn unsafe_needs_a_named_module_and_a_reason() {
        let named = ["crates/engine/src/map.rs", "crates/app/src/map.rs"].map(|path| (path.into(), "maps".into()));
        let exceptions = Exceptions { unsafe_modules: named.into(), ..Exceptions::default() };
        let count = |path, text| unsafe_faults(path, text, &exceptions).len();
        let (bare, reasoned) = ("unsafe { x() }\n", "// SAFETY: x is fine.\nunsafe { x() }\n");
        assert_eq!(count("crates/engine/src/map.rs", reasoned), 0);
        assert_eq!(count("crates/engine/src/map.rs", bare), 1);
        assert_eq!(count("crates/engine/src/pool.rs", reasoned), 1);
        assert_eq!(count("crates/app/src/map.rs", reasoned), 1);
        assert_eq!(count("guests/double/src/lib.rs", bare), 0);
        assert_eq!(count("crates/app/src/a.rs", "#![forbid(unsafe_code)] // unsafe\nlet a = \"unsafe\";\n"), 0);
    }
}
