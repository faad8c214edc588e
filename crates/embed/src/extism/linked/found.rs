//! What a module that is to be linked says of itself.

use std::collections::HashMap;
use wasmparser::{
    CompositeInnerType, ExternalKind, FuncType, Import, Parser, Payload, TypeRef, ValType, Validator, WasmFeatures,
};

/// What indices count apart from each other.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Space {
    Functions,
    Tables,
    Memories,
    Globals,
    Tags,
}

pub(super) const SPACES: [Space; 5] = [Space::Functions, Space::Tables, Space::Memories, Space::Globals, Space::Tags];

impl Space {
    pub(super) fn of_import(ty: &TypeRef) -> Space {
        match ty {
            TypeRef::Func(_) | TypeRef::FuncExact(_) => Space::Functions,
            TypeRef::Table(_) => Space::Tables,
            TypeRef::Memory(_) => Space::Memories,
            TypeRef::Global(_) => Space::Globals,
            TypeRef::Tag(_) => Space::Tags,
        }
    }

    fn of_export(kind: ExternalKind) -> Space {
        match kind {
            ExternalKind::Func | ExternalKind::FuncExact => Space::Functions,
            ExternalKind::Table => Space::Tables,
            ExternalKind::Memory => Space::Memories,
            ExternalKind::Global => Space::Globals,
            ExternalKind::Tag => Space::Tags,
        }
    }
}

/// What a part says of itself.
#[derive(Default)]
pub(super) struct Found<'a> {
    pub(super) types: u32,
    /// Those of functions, where they name no other types.
    plain: HashMap<u32, FuncType>,
    /// Types of its own functions.
    signatures: Vec<u32>,
    pub(super) imports: Vec<Import<'a>>,
    /// Numbers of imports, by space.
    imported: [Vec<usize>; SPACES.len()],
    /// How many of its own it has, by space.
    own: [u32; SPACES.len()],
    pub(super) exports: HashMap<&'a str, (Space, u32)>,
    pub(super) start: Option<u32>,
    pub(super) elements: u32,
    pub(super) data: u32,
}

impl<'a> Found<'a> {
    pub(super) fn read(wasm: &'a [u8]) -> Result<Found<'a>, wasmparser::Error> {
        // What it counts is there, and is not more than a module may have.
        Validator::new_with_features(WasmFeatures::all()).validate_all(wasm)?;
        let mut found = Found::default();
        let has = |space: Space, count: u32, found: &mut Found<'a>| {
            if let Some(own) = found.own.get_mut(space as usize) {
                *own += count;
            }
        };
        for payload in Parser::new(0).parse_all(wasm) {
            match payload? {
                Payload::TypeSection(section) => {
                    for group in section {
                        for ty in group?.into_types() {
                            if let CompositeInnerType::Func(ty) = ty.composite_type.inner
                                && ty.params().iter().chain(ty.results()).all(is_plain)
                            {
                                found.plain.insert(found.types, ty);
                            }
                            found.types += 1;
                        }
                    }
                }
                Payload::ImportSection(section) => {
                    found.imports = section.into_imports().collect::<Result<_, _>>()?;
                    for (number, import) in found.imports.iter().enumerate() {
                        let imported = found.imported.get_mut(Space::of_import(&import.ty) as usize);
                        imported.into_iter().for_each(|numbers| numbers.push(number));
                    }
                }
                Payload::FunctionSection(section) => {
                    has(Space::Functions, section.count(), &mut found);
                    found.signatures = section.into_iter().collect::<Result<_, _>>()?;
                }
                Payload::TableSection(section) => has(Space::Tables, section.count(), &mut found),
                Payload::MemorySection(section) => has(Space::Memories, section.count(), &mut found),
                Payload::GlobalSection(section) => has(Space::Globals, section.count(), &mut found),
                Payload::TagSection(section) => has(Space::Tags, section.count(), &mut found),
                Payload::ExportSection(section) => {
                    for export in section {
                        let export = export?;
                        found.exports.insert(export.name, (Space::of_export(export.kind), export.index));
                    }
                }
                Payload::StartSection { func, .. } => found.start = Some(func),
                Payload::ElementSection(section) => found.elements = section.count(),
                Payload::DataSection(section) => found.data = section.count(),
                _ => {}
            }
        }
        Ok(found)
    }

    pub(super) fn imported(&self, space: Space) -> &[usize] {
        self.imported.get(space as usize).map(Vec::as_slice).unwrap_or_default()
    }

    pub(super) fn own(&self, space: Space) -> u32 {
        self.own.get(space as usize).copied().unwrap_or(0)
    }

    /// The type of a function, where that is known to be the same in every module.
    pub(super) fn signature(&self, function: u32) -> Option<&FuncType> {
        let at = usize::try_from(function).ok()?;
        let imported = self.imported(Space::Functions);
        let ty = match imported.get(at).and_then(|number| self.imports.get(*number)) {
            Some(import) => match import.ty {
                TypeRef::Func(ty) | TypeRef::FuncExact(ty) => ty,
                _ => return None,
            },
            None => *self.signatures.get(at - imported.len())?,
        };
        self.plain.get(&ty)
    }
}

fn is_plain(ty: &ValType) -> bool {
    !matches!(ty, ValType::Ref(ty) if ty.is_concrete_type_ref())
}
