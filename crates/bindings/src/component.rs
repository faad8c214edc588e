//! A component's binary: what it imports and exports, by the types that its validator sees.

mod nesting;

use crate::{
    Error, World,
    draft::{Draft, Fault},
    guest::Way,
    module,
    world::{Definition, Member, Param, Signature, Type, TypeDef, TypeId},
};
use std::collections::{HashMap, HashSet};
use wasmparser::{
    Parser, Payload, PrimitiveValType,
    component_types::{
        ComponentAnyTypeId, ComponentDefinedType, ComponentDefinedTypeId, ComponentEntityType, ComponentFuncTypeId,
        ComponentItem, ComponentValType,
    },
    types::TypesRef,
};

/// Reads a component.
pub(crate) fn read(binary: &[u8], name: &str, way: &dyn Fn(&str) -> Option<Way>) -> Result<World, Error> {
    nesting::check(binary)?;
    let types = module::types(binary)?;
    let (imports, exports) = outermost(binary)?;
    let types = types.as_ref();
    let import = |name: &String| Some((name.clone(), types.component_item_for_import(name)?));
    let export = |name: &String| Some((name.clone(), types.component_item_for_export(name)?));
    let imports: Vec<_> = imports.iter().filter_map(import).collect();
    let exports: Vec<_> = exports.iter().filter_map(export).collect();

    let mut reader = Reader {
        types,
        names: HashMap::new(),
        imported: HashSet::new(),
        defined: HashMap::new(),
        draft: Draft::new(),
        has_handles: false,
    };
    for (name, item) in &imports {
        reader.note_names(name, item);
    }
    reader.imported = reader.names.keys().copied().collect();
    for (name, item) in &exports {
        reader.note_names(name, item);
    }
    for (name, item) in &imports {
        reader.import(name, item)?;
    }
    // Who holds a sandbox has handles of its resources; a function of the host has none.
    reader.has_handles = true;
    for (name, item) in &exports {
        reader.export(name, item, way)?;
    }
    reader.draft.finish(name)
}

/// The names that the outermost component imports and exports, in its order.
fn outermost(binary: &[u8]) -> Result<(Vec<String>, Vec<String>), Error> {
    let malformed = |error: wasmparser::BinaryReaderError| Error::Malformed(error.to_string());
    let (mut imports, mut exports, mut depth) = (Vec::new(), Vec::new(), 0_usize);
    for payload in Parser::new(0).parse_all(binary) {
        match payload.map_err(malformed)? {
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 1 => {
                for import in section {
                    imports.push(import.map_err(malformed)?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if depth == 1 => {
                for export in section {
                    exports.push(export.map_err(malformed)?.name.name.to_owned());
                }
            }
            _ => {}
        }
    }
    Ok((imports, exports))
}

/// What is known while a component is read.
struct Reader<'t> {
    types: TypesRef<'t>,
    /// What types are called: by the interface that has them, or by nothing for those of the world itself.
    names: HashMap<ComponentAnyTypeId, (String, String)>,
    /// Those of them that are imports.
    imported: HashSet<ComponentAnyTypeId>,
    /// Named types that were read.
    defined: HashMap<ComponentAnyTypeId, TypeId>,
    draft: Draft,
    /// Whether a handle has a text now.
    has_handles: bool,
}

impl<'t> Reader<'t> {
    fn note_names(&mut self, name: &str, item: &ComponentItem) {
        match item.ty {
            ComponentEntityType::Instance(id) => {
                for (inner, item) in self.types.get(id).into_iter().flat_map(|instance| &instance.exports) {
                    if let ComponentEntityType::Type { created, .. } = item.ty {
                        self.names.entry(created).or_insert_with(|| (name.to_owned(), inner.clone()));
                    }
                }
            }
            ComponentEntityType::Type { created, .. } => {
                self.names.entry(created).or_insert_with(|| (String::new(), name.to_owned()));
            }
            _ => {}
        }
    }

    fn import(&mut self, name: &str, item: &ComponentItem) -> Result<(), Error> {
        match item.ty {
            // What WASI is, Sandbar gives itself.
            _ if name.starts_with("wasi:") => {}
            ComponentEntityType::Instance(id) => {
                for (function, id) in self.functions(id).into_iter().filter(|(name, _)| !is_member(name)) {
                    let signature = self.signature(id)?;
                    self.draft.import(name, function, "", signature)?;
                }
            }
            ComponentEntityType::Func(id) => {
                let signature = self.signature(id)?;
                self.draft.import("", name, "", signature)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn export(&mut self, name: &str, item: &ComponentItem, way: &dyn Fn(&str) -> Option<Way>) -> Result<(), Error> {
        match item.ty {
            ComponentEntityType::Instance(id) => {
                for (function, id) in self.functions(id) {
                    let is_given = is_member(function) && !name.starts_with("wasi:");
                    if is_given || way(&format!("{name}#{function}")).is_some() {
                        let signature = self.signature(id)?;
                        self.draft.export(name, function, "", signature)?;
                    }
                }
            }
            ComponentEntityType::Func(id) if way(name).is_some() => {
                let signature = self.signature(id)?;
                self.draft.export("", name, "", signature)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// The functions of an interface.
    fn functions(
        &self,
        id: wasmparser::component_types::ComponentInstanceTypeId,
    ) -> Vec<(&'t str, ComponentFuncTypeId)> {
        let items = self.types.get(id).into_iter().flat_map(|instance| &instance.exports);
        let functions = items.filter_map(|(name, item)| match item.ty {
            ComponentEntityType::Func(id) => Some((name.as_str(), id)),
            _ => None,
        });
        functions.collect()
    }

    fn signature(&mut self, id: ComponentFuncTypeId) -> Result<Signature, Error> {
        let Some(function) = self.types.get(id) else { return Ok(Signature::Handle("function".to_owned())) };
        let mut read = || -> Result<Signature, Fault> {
            let mut params = Vec::with_capacity(function.params.len());
            for (name, ty) in &function.params {
                params.push(Param { name: self.draft.name(name)?, ty: self.value(*ty, 0)? });
            }
            let result = function.result.map(|ty| self.value(ty, 0)).transpose()?;
            Ok(Signature::Values { params, result })
        };
        match read() {
            Ok(signature) => Ok(signature),
            Err(Fault::Handle(ty)) => Ok(Signature::Handle(ty)),
            Err(Fault::Error(error)) => Err(error),
        }
    }

    /// Reads a type where it is used.
    fn value(&mut self, ty: ComponentValType, depth: usize) -> Result<Type, Fault> {
        self.draft.part(depth)?;
        match ty {
            ComponentValType::Primitive(primitive) => self.primitive(primitive),
            ComponentValType::Type(id) => match self.name_of(id.into()) {
                Some((named, name)) => self.named(named, name, id, depth),
                None => self.structure(id, depth),
            },
        }
    }

    /// The handle of a resource of the component's own.
    fn resource(&mut self, id: ComponentAnyTypeId) -> Result<Type, Fault> {
        let handle = || Fault::Handle("resource".to_owned());
        let (named, (interface, name)) = self.name_of(id).ok_or_else(handle)?;
        if !self.has_handles || self.imported.contains(&named) {
            return Err(handle());
        }
        if let Some(known) = self.defined.get(&named) {
            return Ok(Type::Named(*known));
        }
        let (interface, name) = (self.draft.name(&interface)?, self.draft.name(&name)?);
        let definition = Definition::Resource;
        let known = self.draft.add(TypeDef { interface, name, docs: String::new(), definition });
        self.defined.insert(named, known);
        Ok(Type::Named(known))
    }

    /// The type that this one is another name of, and its name.
    fn name_of(&self, id: ComponentAnyTypeId) -> Option<(ComponentAnyTypeId, (String, String))> {
        let (mut next, mut found) = (Some(id), None);
        while let Some(id) = next {
            found = self.names.get(&id).map(|name| (id, name.clone())).or(found);
            next = self.types.peel_alias(id);
        }
        found
    }

    fn named(
        &mut self,
        named: ComponentAnyTypeId,
        (interface, name): (String, String),
        id: ComponentDefinedTypeId,
        depth: usize,
    ) -> Result<Type, Fault> {
        if let Some(known) = self.defined.get(&named) {
            return Ok(Type::Named(*known));
        }
        let definition = self.definition(id, depth)?;
        let (interface, name) = (self.draft.name(&interface)?, self.draft.name(&name)?);
        let known = self.draft.add(TypeDef { interface, name, docs: String::new(), definition });
        self.defined.insert(named, known);
        Ok(Type::Named(known))
    }

    fn definition(&mut self, id: ComponentDefinedTypeId, depth: usize) -> Result<Definition, Fault> {
        Ok(match self.types.get(id) {
            Some(ComponentDefinedType::Record(record)) => {
                let fields = record.fields.iter().map(|(name, ty)| (name.as_str(), Some(*ty)));
                Definition::Record(self.members(fields, depth)?)
            }
            Some(ComponentDefinedType::Variant(variant)) => {
                let cases = variant.cases.iter().map(|(name, case)| (name.as_str(), case.ty));
                Definition::Variant(self.members(cases, depth)?)
            }
            Some(ComponentDefinedType::Enum(names)) => {
                Definition::Enum(self.members(names.iter().map(|name| (name.as_str(), None)), depth)?)
            }
            Some(ComponentDefinedType::Flags(names)) => {
                Definition::Flags(self.members(names.iter().map(|name| (name.as_str(), None)), depth)?)
            }
            _ => Definition::Alias(self.structure(id, depth)?),
        })
    }

    fn members<'a>(
        &mut self,
        members: impl Iterator<Item = (&'a str, Option<ComponentValType>)>,
        depth: usize,
    ) -> Result<Vec<Member>, Fault> {
        let mut read = Vec::new();
        for (name, ty) in members {
            self.draft.part(depth)?;
            let ty = ty.map(|ty| self.value(ty, depth + 1)).transpose()?;
            read.push(Member { name: self.draft.name(name)?, docs: String::new(), ty });
        }
        Ok(read)
    }

    /// Reads what a type without a name is made of.
    fn structure(&mut self, id: ComponentDefinedTypeId, depth: usize) -> Result<Type, Fault> {
        let types = self.types;
        let Some(ty) = types.get(id) else { return Err(Fault::Handle("type".to_owned())) };
        Ok(match ty {
            ComponentDefinedType::Primitive(primitive) => self.primitive(*primitive)?,
            ComponentDefinedType::List { element, .. } | ComponentDefinedType::FixedLengthList { element, .. } => {
                Type::List(self.boxed(*element, depth)?)
            }
            ComponentDefinedType::Map { key, value, .. } => {
                Type::Map(self.boxed(*key, depth)?, self.boxed(*value, depth)?)
            }
            ComponentDefinedType::Tuple(tuple) => {
                let all = tuple.types.iter().map(|ty| self.value(*ty, depth + 1)).collect::<Result<_, _>>()?;
                Type::Tuple(all)
            }
            ComponentDefinedType::Option { ty, .. } => Type::Option(self.boxed(*ty, depth)?),
            ComponentDefinedType::Result { ok, err, .. } => Type::Result(
                ok.map(|ty| self.boxed(ty, depth)).transpose()?,
                err.map(|ty| self.boxed(ty, depth)).transpose()?,
            ),
            // A component that is exported names these; one in a test of a validator may not.
            ComponentDefinedType::Record(_)
            | ComponentDefinedType::Variant(_)
            | ComponentDefinedType::Enum(_)
            | ComponentDefinedType::Flags(_) => {
                self.named(id.into(), (String::new(), "unnamed".to_owned()), id, depth)?
            }
            ComponentDefinedType::Own(id) | ComponentDefinedType::Borrow(id) => {
                self.resource(ComponentAnyTypeId::Resource(*id))?
            }
            ComponentDefinedType::Future { .. } => return Err(Fault::Handle("future".to_owned())),
            ComponentDefinedType::Stream { .. } => return Err(Fault::Handle("stream".to_owned())),
        })
    }

    fn boxed(&mut self, ty: ComponentValType, depth: usize) -> Result<Box<Type>, Fault> {
        self.value(ty, depth + 1).map(Box::new)
    }

    fn primitive(&self, ty: PrimitiveValType) -> Result<Type, Fault> {
        Ok(match ty {
            PrimitiveValType::Bool => Type::Bool,
            PrimitiveValType::U8 => Type::U8,
            PrimitiveValType::U16 => Type::U16,
            PrimitiveValType::U32 => Type::U32,
            PrimitiveValType::U64 => Type::U64,
            PrimitiveValType::S8 => Type::S8,
            PrimitiveValType::S16 => Type::S16,
            PrimitiveValType::S32 => Type::S32,
            PrimitiveValType::S64 => Type::S64,
            PrimitiveValType::F32 => Type::F32,
            PrimitiveValType::F64 => Type::F64,
            PrimitiveValType::Char => Type::Char,
            PrimitiveValType::String => Type::String,
            PrimitiveValType::ErrorContext => return Err(Fault::Handle("error-context".to_owned())),
        })
    }
}

/// Whether a function is one of a resource: `[method]counter.add`.
fn is_member(name: &str) -> bool {
    name.starts_with('[')
}
