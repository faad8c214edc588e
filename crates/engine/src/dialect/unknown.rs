//! Names an import that nobody provides, and says what would help.

use super::{wasi02, wasi03};
use crate::{error::LoadError, inspect::is_wasi01};
use wasmtime::{ExternType, Module, UnknownImportError};

/// What Sandbar provides, for who asks for something else.
const PROVIDED: &str = "Sandbar provides WASI 0.1 to modules, and WASI 0.2 and 0.3 to components";

/// The packages of WASI that components get.
const PACKAGES: [&str; 7] = ["cli", "clocks", "filesystem", "http", "io", "random", "sockets"];

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
            message: format!(
                "the guest expects {}, and it is another: {}",
                type_text(&import.ty()),
                chain.last().map_or("", String::as_str)
            ),
        },
        None => LoadError::Import { import: quoted(&chain), message: chain.join(": ") },
    }
}

fn missing_in_module(module: &str, ty: &str) -> String {
    match module {
        _ if is_wasi01(module) => {
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

/// The error for a component that can't be linked. Wasmtime names the interface in its outer error, one thing inside in each
/// cause, and says in the last what is wrong; it does not tell a missing interface from one that lacks a function.
pub(super) fn in_component(error: &wasmtime::Error) -> LoadError {
    let chain: Vec<String> = error.chain().map(ToString::to_string).collect();
    let interface = quoted(&chain);
    let inside = chain.iter().skip(1).filter(|cause| cause.starts_with("instance export "));
    let inside = inside.filter_map(|cause| cause.split('`').nth(1));
    let item = inside.fold(interface.clone(), |path, name| format!("{path}#{name}"));
    let wrong = chain.last().map_or("", String::as_str);
    let Some((name, version)) = interface.split_once('@').filter(|(name, _)| name.starts_with("wasi:")) else {
        return LoadError::Import { import: item, message: format!("nobody provides it; {PROVIDED}") };
    };
    let both = format!("WASI {} and {}", wasi02::VERSION, wasi03::VERSION);
    let package = name.split(['/', ':']).nth(1).unwrap_or_default();
    if !PACKAGES.contains(&package) {
        let message = format!("this host has no `wasi:{package}`; it has {} of {both}", PACKAGES.join(", "));
        return LoadError::Import { import: interface, message };
    }
    let Some(here) = provided(version) else {
        let message = format!("this host has {both}, not {version}; compile the guest for one of them");
        return LoadError::Import { import: interface, message };
    };
    let what =
        if wrong.ends_with("is missing") { "has nothing of this name".into() } else { format!("differs: {wrong}") };
    let message =
        format!("this host has WASI {here}, which {what}; compile the guest for WASI {here} or an earlier one");
    LoadError::Import { import: item, message }
}

/// The version here that stands for the one asked for, by the rules of semantic versions.
fn provided(version: &str) -> Option<&'static str> {
    let release = !version.contains('-');
    [wasi02::VERSION, wasi03::VERSION].into_iter().find(|here| release && line(here) == line(version))
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
            if results == "()" {
                format!("a function `{params}`")
            } else {
                format!("a function `{params} -> {results}`")
            }
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
