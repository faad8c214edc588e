//! Words of Rust that no name of a guest may take.

/// What the file has of its own, and what it uses of the language.
pub(super) const RESERVED: &[&str] = &[
    "Arc",
    "BTreeMap",
    "Box",
    "Clone",
    "Copy",
    "Debug",
    "Default",
    "Err",
    "Imports",
    "None",
    "Ok",
    "Option",
    "PartialEq",
    "Result",
    "Self",
    "Send",
    "Some",
    "String",
    "Sync",
    "Vec",
];

/// Words that nothing may be called, and methods that derived code has.
pub(super) const KEYWORDS: &[&str] = &[
    "Self", "abstract", "as", "async", "await", "become", "box", "break", "builder", "call", "clone", "const",
    "continue", "crate", "do", "dyn", "else", "enum", "extern", "false", "final", "fmt", "fn", "for", "gen", "if",
    "impl", "imports", "in", "let", "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref",
    "return", "self", "static", "struct", "super", "trait", "true", "try", "type", "typeof", "union", "unsafe",
    "unsized", "use", "virtual", "where", "while", "yield",
];
