//! The header is what the library's own source says.

#![allow(clippy::unwrap_used, reason = "a test ends loudly")]

use cbindgen::{
    Builder, Config, DocumentationStyle, EnumConfig, ExportConfig, Language, ParseConfig, RenameRule, Style,
};
use sandbar_testkit::golden;
use std::{collections::HashMap, path::Path};

/// Types by their names in C.
const TYPES: &[(&str, &str)] = &[
    ("Buffer", "sandbar_buffer"),
    ("Bytes", "sandbar_bytes"),
    ("Call", "sandbar_call"),
    ("CallOptions", "sandbar_call_options"),
    ("Cancel", "sandbar_cancel"),
    ("Destructor", "sandbar_destructor"),
    ("Error", "sandbar_error"),
    ("Function", "sandbar_function"),
    ("Host", "sandbar_host"),
    ("LogCallback", "sandbar_log_callback"),
    ("LogLevel", "sandbar_log_level"),
    ("LogRecord", "sandbar_log_record"),
    ("Number", "sandbar_number"),
    ("Plugin", "sandbar_plugin"),
    ("ReceiptsCallback", "sandbar_receipts_callback"),
    ("SelfTestCallback", "sandbar_self_test_callback"),
    ("Status", "sandbar_status"),
    ("Terms", "sandbar_terms"),
    ("Typed", "sandbar_typed"),
    ("Value", "sandbar_value"),
    ("ValueKind", "sandbar_value_kind"),
    ("ValueOf", "sandbar_value_of"),
    ("Watch", "sandbar_watch"),
    ("WatchCallback", "sandbar_watch_callback"),
];

/// Constants are named after what they are of, more shortly where that can't be mistaken.
const SHORTER: &[(&str, &str)] =
    &[("SANDBAR_STATUS_", "SANDBAR_"), ("SANDBAR_VALUE_KIND_", "SANDBAR_"), ("SANDBAR_LOG_LEVEL_", "SANDBAR_LOG_")];

const HEADER: &str = "\
/* Sandbar: runs untrusted WebAssembly plugins inside a host program. The manual is docs/c.md.
 *
 * Written by packages/c/tests/header.rs.
 *
 * Pointers are to what they are named after, and may be null only where that is said. Texts end with a zero byte and are UTF-8
 * where nothing else is said. What a function makes is the caller's to free, by the function named for it. Functions give
 * SANDBAR_DONE, or why not; then `error`, where it is not null, is set to an error that the caller frees, and otherwise to null.
 */";

#[test]
fn the_header_is_what_the_source_says() {
    golden::check("include/sandbar.h", &generate());
}

fn generate() -> String {
    let config = Config {
        language: Language::C,
        header: Some(HEADER.to_owned()),
        include_guard: Some("SANDBAR_H".to_owned()),
        no_includes: true,
        sys_includes: ["stdbool.h", "stddef.h", "stdint.h"].map(str::to_owned).into(),
        cpp_compat: true,
        usize_is_size_t: true,
        style: Style::Both,
        documentation_style: DocumentationStyle::C99,
        line_length: 128,
        export: ExportConfig {
            rename: TYPES
                .iter()
                .map(|(name, in_c)| ((*name).to_owned(), (*in_c).to_owned()))
                .collect::<HashMap<_, _>>(),
            ..ExportConfig::default()
        },
        enumeration: EnumConfig {
            rename_variants: RenameRule::ScreamingSnakeCase,
            prefix_with_name: true,
            ..EnumConfig::default()
        },
        parse: ParseConfig { parse_deps: false, ..ParseConfig::default() },
        ..Config::default()
    };
    let package = std::env::var_os("CARGO_MANIFEST_DIR").unwrap();
    let bindings = Builder::new().with_config(config).with_src(Path::new(&package).join("src/lib.rs"));
    let mut written = Vec::new();
    bindings.generate().unwrap().write(&mut written);
    let text = String::from_utf8(written).unwrap();
    let end = text.rfind("#endif").unwrap();
    let (before, after) = text.split_at(end);
    shorter(&format!("{before}{}\n{after}", macros(before)))
}

/// A name without its version for each function.
fn macros(header: &str) -> String {
    let mut names: Vec<&str> = header
        .split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
        .filter(|word| word.starts_with("sandbar_") && word.ends_with("_v1"))
        .collect();
    names.sort_unstable();
    names.dedup();
    let define = |name: &&str| format!("#define {} {name}\n", name.trim_end_matches("_v1"));
    let defines: String = names.iter().map(define).collect();
    format!("// Functions by the names that this version of the header knows them by.\n{defines}")
}

fn shorter(header: &str) -> String {
    SHORTER.iter().fold(header.to_owned(), |header, (long, short)| header.replace(long, short))
}
