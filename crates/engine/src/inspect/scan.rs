//! One pass over a guest's sections, without validation and without recursion.
//!
//! It sums what can be read section by section: sizes, memories, tables, features, names of imports and exports. Types
//! in function signatures, locals, globals, tables, element segments and components are looked at, instructions are
//! not: a module that uses a feature in its instructions alone, such as `ref.null extern` dropped at once, is not seen
//! to need it and fails to compile, which no compiler's output does.

mod names;

use super::{GUEST_BYTES_MAX, Kind, LISTED_MAX, Malformed, NESTING_MAX, imports, shown};
use names::{RESERVED, section_name};
use sandbar_call::Dialect;
use serde::Serialize;
use std::collections::BTreeMap;
use wasmparser::{
    BinaryReader, CanonicalFunction, CanonicalOption, ComponentAlias, ComponentDefinedType, ComponentExternName,
    ComponentExternalKind, ComponentImport, ComponentType, ComponentTypeRef, CompositeInnerType, CoreType,
    ElementItems, Encoding, Instance, MemoryType, ModuleTypeDeclaration, Parser, Payload, ProducersSectionReader,
    RecGroup, RefType, TableType, TypeRef, ValType,
};

/// The most imports and exports of a component, together.
const EXTERNALS_MAX: usize = 100_000;
/// The most sections, those of nested modules and components included.
const SECTIONS_MAX: usize = 100_000;

/// What the engine has to switch on for a guest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Needs {
    /// Any reference type but plain `funcref`, types of structs, arrays and continuations, exceptions: all that
    /// Wasmtime needs a garbage collector's support for.
    pub gc: bool,
    /// Component-model async: async functions, streams, futures, and any WASI 0.3 import or export.
    pub concurrency: bool,
    /// A memory or table with 64-bit addresses.
    pub memory64: bool,
    /// A shared memory, or a component that starts threads.
    pub threads: bool,
    /// A module with more than one memory.
    pub multi_memory: bool,
    /// Vector types in signatures, locals or globals.
    pub simd: bool,
}

/// The bytes of one kind of section.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Section {
    /// Its name: `code`, `custom producers`, `component types`, …
    pub name: String,
    /// The bytes of all sections of that name.
    pub bytes: u64,
}

/// A tool that had a part in making a guest, as its `producers` section says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Producer {
    /// Its part: `language`, `processed-by` or `sdk`.
    pub field: String,
    /// Its name.
    pub name: String,
    /// Its version; may be empty.
    pub version: String,
}

/// What one pass over the sections tells.
#[derive(Debug)]
pub(super) struct Scan<'a> {
    pub(super) kind: Kind,
    pub(super) needs: Needs,
    pub(super) memory_min_bytes: u64,
    pub(super) memory_max_bytes: Option<u64>,
    pub(super) table_min: u64,
    pub(super) memories: u32,
    pub(super) tables: u32,
    pub(super) core_instances: u32,
    /// The names of a component's own imports; a module's are in its types.
    pub(super) imports: Vec<&'a str>,
    /// The names of a component's own exports; a module's are in its types.
    pub(super) exports: Vec<(&'a str, ComponentExternalKind)>,
    /// WASI 0.1 where a module imports it or exports one of its entries, Extism where it imports that.
    pub(super) module_dialect: Dialect,
    /// Whether a name that it exports is one of those that are appended to guests.
    pub(super) reserved: bool,
    pub(super) producers: Vec<Producer>,
    pub(super) debug_info: bool,
    pub(super) names: bool,
    sections_read: usize,
    /// How many producers were read, those that repeat another included.
    producers_read: usize,
    sizes: BTreeMap<(&'static str, &'a str), u64>,
}

impl<'a> Scan<'a> {
    /// Reads the sections of a guest and of all that is nested in it.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Scan<'a>, Malformed> {
        if bytes.len() as u64 > GUEST_BYTES_MAX {
            return Err(Malformed::Large { bytes: bytes.len() as u64 });
        }
        let kind = if Parser::is_component(bytes) { Kind::Component } else { Kind::Core };
        let mut scan = Scan::new(kind);
        let mut open = Vec::new();
        for payload in Parser::new(0).parse_all(bytes) {
            let payload = payload?;
            match &payload {
                Payload::Version { encoding, range, .. } => {
                    if open.len() >= NESTING_MAX {
                        return Err(Malformed::Deep { offset: range.start as u64 });
                    }
                    open.push(Nested { encoding: *encoding, memories: 0 });
                }
                Payload::End(_) => {
                    open.pop();
                }
                _ => {}
            }
            let depth = open.len();
            if let Some(nested) = open.last_mut() {
                scan.size(nested.encoding, &payload)?;
                match nested.encoding {
                    Encoding::Module => scan.module_section(payload, depth, nested)?,
                    Encoding::Component => scan.component_section(bytes, payload, depth)?,
                }
            }
        }
        Ok(scan)
    }

    /// Whether the shape can't be told without the types of the exports.
    pub(super) fn needs_types(&self) -> bool {
        match self.kind {
            Kind::Core => true,
            Kind::Component => self.exports.iter().any(|(name, kind)| {
                matches!(kind, ComponentExternalKind::Instance) && super::shape::entry(name).is_none()
            }),
        }
    }

    /// The newest encoding that the imports and exports speak. A component that speaks no WASI counts as the oldest one
    /// that has all it uses.
    pub(super) fn dialect(&self) -> Dialect {
        match self.kind {
            Kind::Core => self.module_dialect,
            Kind::Component if self.needs.concurrency => Dialect::Wasi03,
            Kind::Component => Dialect::Wasi02,
        }
    }

    /// The sizes by name, the largest first; beyond [`LISTED_MAX`] names summed as `others`.
    pub(super) fn sections(&self) -> Vec<Section> {
        let section =
            |(name, bytes): (&(&str, &str), &u64)| Section { name: shown(&[name.0, name.1].concat()), bytes: *bytes };
        let mut sections: Vec<_> = self.sizes.iter().map(section).collect();
        sections.sort_by_key(|section| std::cmp::Reverse(section.bytes));
        sections
    }

    fn new(kind: Kind) -> Scan<'a> {
        Scan {
            kind,
            needs: Needs::default(),
            memory_min_bytes: 0,
            memory_max_bytes: Some(0),
            table_min: 0,
            memories: 0,
            tables: 0,
            core_instances: u32::from(kind == Kind::Core),
            imports: Vec::new(),
            exports: Vec::new(),
            module_dialect: Dialect::Core,
            reserved: false,
            producers: Vec::new(),
            sections_read: 0,
            producers_read: 0,
            debug_info: false,
            names: false,
            sizes: BTreeMap::new(),
        }
    }

    fn size(&mut self, encoding: Encoding, payload: &Payload<'a>) -> Result<(), Malformed> {
        let Some((_, range)) = payload.as_section() else { return Ok(()) };
        self.sections_read += 1;
        if self.sections_read > SECTIONS_MAX {
            let message = format!("expected at most {SECTIONS_MAX} sections, found more");
            return Err(Malformed::Invalid { offset: range.start as u64, message });
        }
        let custom = if let Payload::CustomSection(custom) = payload { custom.name() } else { "" };
        if let Some(name) = section_name(encoding, payload) {
            let full = self.sizes.len() >= LISTED_MAX && !self.sizes.contains_key(&(name, custom));
            let key = if full { ("others", "") } else { (name, custom) };
            *self.sizes.entry(key).or_default() += range.len() as u64;
        }
        Ok(())
    }

    fn module_section(&mut self, payload: Payload<'a>, depth: usize, module: &mut Nested) -> Result<(), Malformed> {
        match payload {
            Payload::TypeSection(section) => {
                for group in section {
                    self.group(&group?);
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import?;
                    self.module_dialect = imports::dialect_by_import(self.module_dialect, import.module, depth);
                    self.import(import.ty, module);
                }
            }
            Payload::TableSection(section) => {
                for table in section {
                    let ty = table?.ty;
                    self.table(ty);
                    self.tables = self.tables.saturating_add(1);
                    self.table_min = self.table_min.saturating_add(ty.initial);
                }
            }
            Payload::MemorySection(section) => {
                for memory in section {
                    let ty = memory?;
                    self.memory(ty, module);
                    self.memories = self.memories.saturating_add(1);
                    let page_bytes = 1_u64.checked_shl(ty.page_size_log2.unwrap_or(16)).unwrap_or(u64::MAX);
                    self.memory_min_bytes = self.memory_min_bytes.saturating_add(ty.initial.saturating_mul(page_bytes));
                    let max_bytes = ty.maximum.map(|pages| pages.saturating_mul(page_bytes));
                    self.memory_max_bytes =
                        self.memory_max_bytes.zip(max_bytes).map(|(sum, max)| sum.saturating_add(max));
                }
            }
            Payload::TagSection(section) => self.needs.gc |= section.count() > 0,
            Payload::GlobalSection(section) => {
                for global in section {
                    self.value(global?.ty.content_type);
                }
            }
            Payload::ExportSection(section) if depth == 1 => {
                for export in section {
                    let name = export?.name;
                    self.module_dialect = imports::dialect_by_export(self.module_dialect, name);
                    self.reserved |= name.starts_with(RESERVED);
                }
            }
            Payload::ElementSection(section) => {
                for element in section {
                    if let ElementItems::Expressions(ty, _) = element?.items {
                        self.reference(ty);
                    }
                }
            }
            Payload::CodeSectionEntry(body) => {
                for local in body.get_locals_reader()? {
                    self.value(local?.1);
                }
            }
            Payload::CustomSection(custom) => self.custom(custom.name(), custom.data(), custom.data_offset()),
            _ => {}
        }
        Ok(())
    }

    fn component_section(&mut self, bytes: &'a [u8], payload: Payload<'a>, depth: usize) -> Result<(), Malformed> {
        match payload {
            Payload::CoreTypeSection(section) => {
                for ty in section {
                    self.core_type(&ty?);
                }
            }
            Payload::ComponentTypeSection(section) => {
                let range = section.range();
                self.component_types(bytes.get(range.clone()).unwrap_or_default(), range.start)?;
            }
            Payload::InstanceSection(section) => {
                for instance in section {
                    if let Instance::Instantiate { .. } = instance? {
                        self.core_instances = self.core_instances.saturating_add(1);
                    }
                }
            }
            Payload::ComponentCanonicalSection(section) => {
                for function in section {
                    self.canonical(&function?);
                }
            }
            Payload::ComponentImportSection(section) if depth == 1 => {
                for import in section.into_iter_with_offsets() {
                    let (offset, import) = import?;
                    self.external(offset, import.name.name)?;
                    self.imports.push(import.name.name);
                }
            }
            Payload::ComponentExportSection(section) if depth == 1 => {
                for export in section.into_iter_with_offsets() {
                    let (offset, export) = export?;
                    self.external(offset, export.name.name)?;
                    self.reserved |= export.name.name.starts_with(RESERVED);
                    self.exports.push((export.name.name, export.kind));
                }
            }
            Payload::CustomSection(custom) => self.custom(custom.name(), custom.data(), custom.data_offset()),
            _ => {}
        }
        Ok(())
    }

    /// Takes note of the name of a component's import or export.
    fn external(&mut self, offset: usize, name: &str) -> Result<(), Malformed> {
        if self.imports.len() + self.exports.len() >= EXTERNALS_MAX {
            let message = format!("expected at most {EXTERNALS_MAX} imports and exports of a component, found more");
            return Err(Malformed::Invalid { offset: offset as u64, message });
        }
        self.needs.concurrency |= imports::wasi(name).is_some_and(|wasi| wasi.dialect == Dialect::Wasi03);
        Ok(())
    }

    fn custom(&mut self, name: &str, data: &[u8], offset: usize) {
        match name {
            "name" => self.names = true,
            "producers" => self.producers(data, offset),
            "external_debug_info" | "sourceMappingURL" => self.debug_info = true,
            _ => self.debug_info |= name.starts_with(".debug_"),
        }
    }

    /// Reads a `producers` section as far as it is well-formed: it says nothing that anything depends on.
    fn producers(&mut self, data: &[u8], offset: usize) {
        let Ok(section) = ProducersSectionReader::new(BinaryReader::new(data, offset)) else { return };
        for field in section.into_iter().map_while(Result::ok) {
            for value in field.values.into_iter().map_while(Result::ok) {
                self.producers_read += 1;
                if self.producers_read > LISTED_MAX {
                    return;
                }
                let producer =
                    Producer { field: shown(field.name), name: shown(value.name), version: shown(value.version) };
                if !self.producers.contains(&producer) {
                    self.producers.push(producer);
                }
            }
        }
    }

    /// Reads a section of component types with a stack of its own. `wasmparser` reads a type and those declared in it
    /// recursively and without a limit, so nothing may hand it this section before the nesting is known.
    fn component_types(&mut self, section: &'a [u8], offset: usize) -> Result<(), Malformed> {
        let mut reader = BinaryReader::new(section, offset);
        let mut left = vec![reader.read_var_u32()?];
        while let Some(count) = left.last_mut() {
            if *count == 0 {
                left.pop();
                continue;
            }
            *count -= 1;
            let at_top = left.len() == 1;
            if let Some(declarations) = self.component_type(&mut reader, at_top)? {
                if left.len() > NESTING_MAX {
                    return Err(Malformed::Deep { offset: reader.original_position() as u64 });
                }
                left.push(declarations);
            }
        }
        Ok(())
    }

    /// Reads one type, or one declaration in a type. Gives the number of declarations that follow where it opens a type
    /// of a component or an instance.
    fn component_type(&mut self, reader: &mut BinaryReader<'a>, at_top: bool) -> Result<Option<u32>, Malformed> {
        let offset = reader.original_position() as u64;
        match if at_top { 1 } else { reader.read_u8()? } {
            0 => self.core_type(&reader.read::<CoreType<'a>>()?),
            1 => {
                if matches!(reader.clone().read_u8()?, 0x41 | 0x42) {
                    reader.read_u8()?;
                    return Ok(Some(reader.read_var_u32()?));
                }
                self.flat_type(&reader.read::<ComponentType<'a>>()?);
            }
            2 => {
                reader.read::<ComponentAlias<'a>>()?;
            }
            3 => {
                reader.read::<ComponentImport<'a>>()?;
            }
            4 => {
                reader.read::<ComponentExternName<'a>>()?;
                reader.read::<ComponentTypeRef>()?;
            }
            byte => {
                let message = format!("expected a declaration in a component type, 0 to 4, found {byte}");
                return Err(Malformed::Invalid { offset, message });
            }
        }
        Ok(None)
    }

    fn flat_type(&mut self, ty: &ComponentType<'a>) {
        self.needs.concurrency |= match ty {
            ComponentType::Func(function) => function.async_,
            ComponentType::Defined(ty) => {
                matches!(ty, ComponentDefinedType::Future(_) | ComponentDefinedType::Stream(_))
            }
            ComponentType::Component(_) | ComponentType::Instance(_) | ComponentType::Resource { .. } => false,
        };
    }

    fn core_type(&mut self, ty: &CoreType<'a>) {
        match ty {
            CoreType::Rec(group) => self.group(group),
            CoreType::Module(declarations) => {
                for declaration in declarations {
                    if let ModuleTypeDeclaration::Type(group) = declaration {
                        self.group(group);
                    }
                }
            }
        }
    }

    fn canonical(&mut self, function: &CanonicalFunction) {
        use CanonicalFunction as Canonical;
        match function {
            Canonical::Lift { options, .. } | Canonical::Lower { options, .. } => {
                let asynchronous = |option| matches!(option, &CanonicalOption::Async | &CanonicalOption::Callback(_));
                self.needs.concurrency |= options.iter().any(asynchronous);
                self.needs.gc |= options.contains(&CanonicalOption::Gc);
            }
            Canonical::ResourceNew { .. } | Canonical::ResourceDrop { .. } | Canonical::ResourceRep { .. } => {}
            Canonical::ThreadSpawnRef { .. }
            | Canonical::ThreadSpawnIndirect { .. }
            | Canonical::ThreadAvailableParallelism => self.needs.threads = true,
            _ => self.needs.concurrency = true,
        }
    }

    fn group(&mut self, group: &RecGroup) {
        self.needs.gc |= group.is_explicit_rec_group();
        for ty in group.types() {
            self.needs.gc |= !ty.is_final || ty.supertype_idx.is_some();
            if let CompositeInnerType::Func(function) = &ty.composite_type.inner {
                function.params().iter().chain(function.results()).for_each(|ty| self.value(*ty));
            } else {
                self.needs.gc = true;
            }
        }
    }

    fn import(&mut self, ty: TypeRef, module: &mut Nested) {
        match ty {
            TypeRef::Func(_) | TypeRef::FuncExact(_) => {}
            TypeRef::Table(ty) => self.table(ty),
            TypeRef::Memory(ty) => self.memory(ty, module),
            TypeRef::Global(ty) => self.value(ty.content_type),
            TypeRef::Tag(_) => self.needs.gc = true,
        }
    }

    fn memory(&mut self, ty: MemoryType, module: &mut Nested) {
        module.memories = module.memories.saturating_add(1);
        self.needs.multi_memory |= module.memories > 1;
        self.needs.memory64 |= ty.memory64;
        self.needs.threads |= ty.shared;
    }

    fn table(&mut self, ty: TableType) {
        self.needs.memory64 |= ty.table64;
        self.reference(ty.element_type);
    }

    fn value(&mut self, ty: ValType) {
        match ty {
            ValType::I32 | ValType::I64 | ValType::F32 | ValType::F64 => {}
            ValType::V128 => self.needs.simd = true,
            ValType::Ref(ty) => self.reference(ty),
        }
    }

    fn reference(&mut self, ty: RefType) {
        self.needs.gc |= ty != RefType::FUNCREF;
    }
}

/// A module or component whose end was not read yet.
struct Nested {
    encoding: Encoding,
    memories: u32,
}
