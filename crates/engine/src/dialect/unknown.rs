//! Names an import that nobody provides, and says what would help.

use super::{wasi01, wasi02, wasi03};
use crate::error::LoadError;
use wasmtime::{ExternType, Module, UnknownImportError};

/// What Sandbar provides, for who asks for something else.
const PROVIDED: &str = "Sandbar provides WASI 0.1 to modules, and WASI 0.2 and 0.3 to components";

/// The error for a core module that can't be linked.
pub(super) fn in_module(module: &Module, error: &wasmtime::Error) -> LoadError {
    if let Some(unknown) = error.downcast_ref::<UnknownImportError>() {
        let import = format!("{}.{}", unknown.module(), unknown.name());
        let ty = type_text(&unknown.ty());
        return LoadError::Import { import, message: missing_in_module(unknown.module(), &ty) };
    }
    let chain: Vec<String> = error.chain().map(ToString::to_string).collect();
    let mistyped = module.imports().find(|import| {
        let shown = format!("`{}::{}`", import.module(), import.name());
        chain.iter().any(|cause| cause.contains(&shown))
    });
    match mistyped {
        Some(import) => LoadError::Import {
            import: format!("{}.{}", import.module(), import.name()),
            message: format!("the guest expects {}, which is not what it is", type_text(&import.ty())),
        },
        None => LoadError::Import { import: quoted(&chain), message: chain.join(": ") },
    }
}

fn missing_in_module(module: &str, ty: &str) -> String {
    match module {
        _ if wasi01::MODULES.contains(&module) => {
            format!("the guest expects {ty}, and WASI 0.1 has no such function")
        }
        "wasi" => format!("the guest expects {ty} of threads for WASI 0.1, which are no longer provided by any host"),
        "env" => format!(
            "the guest expects {ty}, and nobody provides it; {PROVIDED}. What is imported from `env` was left open when the \
             guest was linked: link the library that defines it, or compile for a WASI target"
        ),
        "wbg" | "__wbindgen_placeholder__" => format!(
            "the guest expects {ty} of a browser, by wasm-bindgen; {PROVIDED}. Compile for a WASI target, without wasm-bindgen"
        ),
        "go" | "gojs" => {
            format!("the guest expects {ty} of a browser; {PROVIDED}. Compile with `GOOS=wasip1 GOARCH=wasm`")
        }
        _ => format!("the guest expects {ty}, and nobody provides it; {PROVIDED}"),
    }
}

/// The error for a component that can't be linked.
pub(super) fn in_component(error: &wasmtime::Error) -> LoadError {
    let chain: Vec<String> = error.chain().map(ToString::to_string).collect();
    let import = quoted(&chain);
    // Wasmtime names one export in each inner cause, and the last cause says what is wrong.
    let inner = chain.iter().skip(1).filter_map(|cause| cause.split('`').nth(1));
    let path = inner.fold(import.clone(), |path, name| format!("{path}#{name}"));
    let why = chain.last().map_or("", String::as_str);
    LoadError::Import { message: missing_in_component(&import, why, path != import), import: path }
}

fn missing_in_component(interface: &str, why: &str, inside: bool) -> String {
    let Some(version) = interface.strip_prefix("wasi:").and_then(|rest| rest.split_once('@')).map(|(_, version)| version)
    else {
        return format!("nobody provides it ({why}); {PROVIDED}");
    };
    let (here, line) = (provided(version), provided_line(version));
    match here {
        Some(here) if inside => format!(
            "this host has WASI {here}, where this is missing or has another type ({why}); compile the guest for \
             WASI {here} or an earlier {line}"
        ),
        Some(here) => format!("this host has WASI {here}, which has no such interface; compile the guest without it"),
        None => format!(
            "this host has WASI {} and {}, not {version}; compile the guest for one of them",
            wasi02::VERSION,
            wasi03::VERSION
        ),
    }
}

/// The version here that stands for the one asked for, by the rules of semantic versions.
fn provided(version: &str) -> Option<&'static str> {
    let release = !version.contains('-');
    [wasi02::VERSION, wasi03::VERSION].into_iter().find(|here| release && line(here) == line(version))
}

fn provided_line(version: &str) -> &str {
    line(version).unwrap_or(version)
}

/// The numbers that may not differ: `0.2` of `0.2.12`.
fn line(version: &str) -> Option<&str> {
    version.rsplit_once('.').map(|(line, _)| line)
}

/// The first name in backticks.
fn quoted(chain: &[String]) -> String {
    chain.iter().find_map(|cause| cause.split('`').nth(1)).unwrap_or("unknown").to_owned()
}

/// What is imported, as the guest's text form has it.
fn type_text(ty: &ExternType) -> String {
    match ty {
        ExternType::Func(ty) => {
            let list = |types: Vec<String>| format!("({})", types.join(", "));
            let params = list(ty.params().map(|ty| ty.to_string()).collect());
            let results = list(ty.results().map(|ty| ty.to_string()).collect());
            if results == "()" { format!("a function `{params}`") } else { format!("a function `{params} -> {results}`") }
        }
        ExternType::Global(ty) => format!("a global of type `{}`", ty.content()),
        ExternType::Table(_) => "a table".into(),
        ExternType::Memory(ty) => format!("a memory of {} pages", ty.minimum()),
        ExternType::Tag(_) => "a tag".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_stands_for_its_line() {
        for (version, expected) in [
            ("0.2.0", Some("0.2.12")),
            ("0.2.99", Some("0.2.12")),
            ("0.3.0", Some("0.3.0")),
            ("0.3.0-rc-2026-01-06", None),
            ("0.4.0", None),
            ("1", None),
        ] {
            assert_eq!(provided(version), expected, "{version}");
        }
    }
}
