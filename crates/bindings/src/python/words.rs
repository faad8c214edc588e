//! Words of Python that no name of a guest may take.

/// What the file has of its own, and what it uses of the language.
pub(super) const RESERVED: &[&str] = &[
    "Any",
    "Awaitable",
    "Base64",
    "Bytes",
    "Callable",
    "CoreList",
    "Err",
    "Exports",
    "Float",
    "Generic",
    "Handle",
    "Imports",
    "Integer64",
    "Literal",
    "NotRequired",
    "Ok",
    "Protocol",
    "Some",
    "T",
    "TypedDict",
    "TypeVar",
    "Union",
    "annotations",
    "overload",
    "None",
    "True",
    "False",
];

/// Words that nothing may be called.
pub(super) const KEYWORDS: &[&str] = &[
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del",
    "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "nonlocal",
    "not", "or", "pass", "raise", "return", "self", "try", "while", "with", "yield",
];

/// Names of the language that the file uses in classes: a member of such a name would stand before it.
pub(super) const BUILTINS: &[&str] = &["bool", "dict", "float", "int", "list", "str", "tuple"];

/// What a plugin has of its own.
pub(super) const METHODS: &[&str] = &[
    "call",
    "call_async",
    "call_bytes",
    "call_bytes_async",
    "call_with_receipt",
    "close",
    "closed",
    "digest",
    "exports",
    "name",
    "replace",
    "roll_back",
    "watch",
];
