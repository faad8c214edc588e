//! What sections are called, and what exports may not be.

use wasmparser::{Encoding, Payload};

/// How names of exports begin that are appended to guests. A guest that has such a name itself is left as it is.
pub(super) const RESERVED: &str = "sandbar-";

/// The name of a section in a report. Sections that hold a module or a component have none: what is in them is counted.
pub(super) fn section_name(encoding: Encoding, payload: &Payload<'_>) -> Option<&'static str> {
    Some(match payload {
        Payload::TypeSection(_) => "types",
        Payload::ImportSection(_) => "imports",
        Payload::FunctionSection(_) => "functions",
        Payload::TableSection(_) => "tables",
        Payload::MemorySection(_) => "memories",
        Payload::TagSection(_) => "tags",
        Payload::GlobalSection(_) => "globals",
        Payload::ExportSection(_) => "exports",
        Payload::StartSection { .. } => "start",
        Payload::ElementSection(_) => "elements",
        Payload::DataCountSection { .. } => "data count",
        Payload::DataSection(_) => "data",
        Payload::CodeSectionStart { .. } => "code",
        Payload::InstanceSection(_) => "core instances",
        Payload::CoreTypeSection(_) => "core types",
        Payload::ComponentInstanceSection(_) => "component instances",
        Payload::ComponentAliasSection(_) => "component aliases",
        Payload::ComponentTypeSection(_) => "component types",
        Payload::ComponentCanonicalSection(_) => "component canonicals",
        Payload::ComponentStartSection { .. } => "component start",
        Payload::ComponentImportSection(_) => "component imports",
        Payload::ComponentExportSection(_) => "component exports",
        Payload::CustomSection(_) if encoding == Encoding::Component => "component custom ",
        Payload::CustomSection(_) => "custom ",
        Payload::UnknownSection { .. } => "unknown",
        _ => return None,
    })
}
