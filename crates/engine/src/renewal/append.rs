//! Appends to a guest what puts it back to its beginning, before it is compiled.
//!
//! Globals and the numbers of handles can only be set from inside. So a module gets one more function, which gives each of its
//! mutable globals the value of its own initializer again; and a component one more module, which calls those functions,
//! puts the component's table of handles back in order, and tells where its memory lies. All is appended: no index, offset
//! of code or name of the guest changes.
//!
//! A guest that could keep something elsewhere is left as it is, and gets a new instance for each call: one that changes
//! tables, drops segments, runs code while it is instantiated, defines resources, or has more than one memory.

use super::{MEMORY, RESET, RESTORE};
use std::ops::Range;
use wasm_encoder::{
    Alias, CanonicalFunctionSection, CanonicalOption, CodeSection, Component, ComponentAliasSection,
    ComponentExportKind, ComponentExportSection, ComponentTypeSection, ComponentValType, ConstExpr, Encode, EntityType,
    ExportKind, ExportSection, Function, FunctionSection, GlobalSection, GlobalType, ImportSection, InstanceSection,
    MemArg, MemoryType, Module, ModuleArg, ModuleSection, PrimitiveValType, RawSection, TypeSection, ValType,
};
use wasmparser::{
    BinaryReader, CanonicalFunction, CanonicalOption as Option_, ComponentAlias, ComponentOuterAliasKind,
    ComponentType, ComponentTypeRef, Encoding, FunctionBody, Instance, Operator, Parser, Payload, TypeRef, Validator,
    WasmFeatures,
};

/// Gives a guest with what it needs to be renewed, or nothing where it can't be.
pub(crate) fn append(component: bool, guest: &[u8]) -> Option<Vec<u8>> {
    if component {
        self::component(guest)
    } else {
        self::module(guest).filter(|module| !module.imports_memory).map(|module| module.bytes)
    }
}

/// A module with what was appended to it.
struct Appended {
    bytes: Vec<u8>,
    /// Whether it has mutable globals, and so the function that sets them.
    restores: bool,
    /// Whether it has a memory, which is exported then.
    memory: bool,
    imports_memory: bool,
}

/// What the sections of a module tell.
#[derive(Default)]
struct Found {
    types: u32,
    functions: u32,
    memories: u32,
    imports_memory: bool,
    globals: u32,
    /// Mutable globals, each with the bytes of its initializer.
    mutable: Vec<(u32, Range<usize>)>,
    has_exports: bool,
    has_code: bool,
}

fn module(guest: &[u8]) -> Option<Appended> {
    let mut found = Found::default();
    for payload in Parser::new(0).parse_all(guest) {
        found.read(payload.ok()?)?;
    }
    let restores = !found.mutable.is_empty();
    let memory = found.memories > 0;
    if (restores && !found.has_code) || (restores || memory) && !found.has_exports {
        return None;
    }
    let mut module = Module::new();
    for payload in Parser::new(0).parse_all(guest) {
        let Some((id, range)) = payload.ok()?.as_section() else { continue };
        let data = guest.get(range)?;
        let more = match id {
            1 if restores => Some(found.restore_type()),
            3 if restores => Some(encoded(found.types)),
            7 => Some(found.exports(restores)),
            10 if restores => Some(found.restore_code(guest)?),
            _ => None,
        };
        match more {
            Some((0, _)) | None => module.section(&RawSection { id, data }),
            Some((count, more)) => module.section(&RawSection { id, data: &extended(data, count, &more)? }),
        };
    }
    Some(Appended { bytes: module.finish(), restores, memory, imports_memory: found.imports_memory })
}

impl Found {
    /// Takes a section down; `None` where the module can't be renewed.
    fn read(&mut self, payload: Payload<'_>) -> Option<()> {
        match payload {
            Payload::TypeSection(section) => {
                for group in section {
                    self.types += u32::try_from(group.ok()?.types().len()).ok()?;
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    match import.ok()?.ty {
                        TypeRef::Func(_) | TypeRef::FuncExact(_) => self.functions += 1,
                        // One that the exporting module puts back.
                        TypeRef::Global(_) => self.globals += 1,
                        TypeRef::Memory(_) => self.imports_memory = true,
                        TypeRef::Table(_) | TypeRef::Tag(_) => {}
                    }
                }
            }
            Payload::FunctionSection(section) => self.functions += section.count(),
            Payload::MemorySection(section) => {
                self.memories += section.count();
                for memory in section {
                    let memory = memory.ok()?;
                    if memory.memory64 || memory.shared || memory.page_size_log2.is_some() || memory.initial == 0 {
                        return None;
                    }
                }
            }
            Payload::GlobalSection(section) => {
                for global in section {
                    let global = global.ok()?;
                    if global.ty.mutable {
                        if global.ty.content_type.is_reference_type() {
                            return None;
                        }
                        self.mutable.push((self.globals, global.init_expr.get_binary_reader().range()));
                    }
                    self.globals += 1;
                }
            }
            Payload::ExportSection(_) => self.has_exports = true,
            Payload::CodeSectionStart { .. } => self.has_code = true,
            Payload::CodeSectionEntry(body) => leaves_no_trace(&body)?,
            Payload::StartSection { .. } => return None,
            _ => {}
        }
        (self.memories <= 1 && !(self.imports_memory && self.memories > 0)).then_some(())
    }

    fn restore_type(&self) -> (u32, Vec<u8>) {
        let mut types = TypeSection::new();
        types.ty().function([], []);
        (1, entries(&types))
    }

    fn exports(&self, restores: bool) -> (u32, Vec<u8>) {
        let mut exports = ExportSection::new();
        if restores {
            exports.export(RESTORE, ExportKind::Func, self.functions);
        }
        if self.memories > 0 {
            exports.export(MEMORY, ExportKind::Memory, 0);
        }
        (exports.len(), entries(&exports))
    }

    /// A function that sets each mutable global as its initializer does, which is a sequence of instructions.
    fn restore_code(&self, guest: &[u8]) -> Option<(u32, Vec<u8>)> {
        let mut function = Function::new([]);
        for (global, initializer) in &self.mutable {
            let (end, value) = guest.get(initializer.clone())?.split_last()?;
            if *end != 0x0b {
                return None;
            }
            function.raw(value.iter().copied());
            function.instructions().global_set(*global);
        }
        function.instructions().end();
        let mut code = CodeSection::new();
        code.function(&function);
        Some((1, entries(&code)))
    }
}

/// Whether a function changes nothing but memories and globals.
fn leaves_no_trace(body: &FunctionBody<'_>) -> Option<()> {
    for operator in body.get_operators_reader().ok()? {
        match operator.ok()? {
            Operator::TableSet { .. }
            | Operator::TableGrow { .. }
            | Operator::TableFill { .. }
            | Operator::TableCopy { .. }
            | Operator::TableInit { .. }
            | Operator::ElemDrop { .. }
            | Operator::DataDrop { .. } => return None,
            _ => {}
        }
    }
    Some(())
}

/// The core instances of a component, and what is appended to their modules.
#[derive(Default)]
struct Parts {
    modules: Vec<Appended>,
    /// The module of each core instance, where it is of one.
    instances: Vec<Option<u32>>,
}

/// How many items of each kind a component has, and so the index of the next.
struct Counts {
    types: u32,
    functions: u32,
    core_functions: u32,
    core_memories: u32,
    core_instances: u32,
    modules: u32,
}

fn component(guest: &[u8]) -> Option<Vec<u8>> {
    let mut parts = Parts::default();
    let mut component = Component::new();
    let mut validator = Validator::new_with_features(WasmFeatures::all());
    let mut open = Vec::new();
    let mut counts = None;
    for payload in Parser::new(0).parse_all(guest) {
        let payload = payload.ok()?;
        if let Payload::End(_) = payload {
            open.pop();
            if open.is_empty() {
                counts = Some(Counts::of(&validator)?);
            }
        }
        validator.payload(&payload).ok()?;
        match (open.as_slice(), &payload) {
            (_, Payload::Version { encoding, .. }) => open.push(*encoding),
            ([Encoding::Component], _) => {
                parts.read(guest, &payload)?;
                match (&payload, payload.as_section()) {
                    (Payload::ModuleSection { .. }, _) => {
                        let data = &parts.modules.last()?.bytes;
                        component.section(&RawSection { id: 1, data });
                    }
                    (_, Some((id, range))) => {
                        component.section(&RawSection { id, data: guest.get(range)? });
                    }
                    (_, None) => {}
                }
            }
            // What is nested only gives names to what this component has.
            ([.., Encoding::Component], payload) => names_only(payload)?,
            _ => {}
        }
    }
    parts.finish(component, &counts?)
}

impl Counts {
    fn of(validator: &Validator) -> Option<Counts> {
        let types = validator.types(0)?;
        Some(Counts {
            types: types.component_type_count(),
            functions: types.component_function_count(),
            core_functions: types.function_count(),
            core_memories: types.memory_count(),
            core_instances: types.core_instance_count(),
            modules: types.module_count(),
        })
    }
}

fn names_only(payload: &Payload<'_>) -> Option<()> {
    let does = matches!(
        payload,
        Payload::ModuleSection { .. }
            | Payload::InstanceSection(_)
            | Payload::ComponentSection { .. }
            | Payload::ComponentCanonicalSection(_)
            | Payload::ComponentStartSection { .. }
    );
    (!does).then_some(())
}

impl Parts {
    /// Takes a section of the component down; `None` where it can't be renewed.
    fn read(&mut self, guest: &[u8], payload: &Payload<'_>) -> Option<()> {
        match payload {
            Payload::ModuleSection { unchecked_range, .. } => {
                self.modules.push(module(guest.get(unchecked_range.clone())?)?);
            }
            Payload::InstanceSection(section) => {
                for instance in section.clone() {
                    self.instances.push(match instance.ok()? {
                        Instance::Instantiate { module_index, .. } => Some(module_index),
                        Instance::FromExports(_) => None,
                    });
                }
            }
            Payload::ComponentTypeSection(section) => {
                for ty in section.clone() {
                    if let ComponentType::Resource { .. } = ty.ok()? {
                        return None;
                    }
                }
            }
            Payload::ComponentImportSection(section) => {
                for import in section.clone() {
                    if let ComponentTypeRef::Module(_) | ComponentTypeRef::Component(_) = import.ok()?.ty {
                        return None;
                    }
                }
            }
            Payload::ComponentAliasSection(section) => {
                for alias in section.clone() {
                    match alias.ok()? {
                        ComponentAlias::InstanceExport { kind: wasmparser::ComponentExternalKind::Module, .. }
                        | ComponentAlias::Outer { kind: ComponentOuterAliasKind::CoreModule, .. } => return None,
                        _ => {}
                    }
                }
            }
            Payload::ComponentCanonicalSection(section) => {
                for function in section.clone() {
                    match function.ok()? {
                        CanonicalFunction::Lift { options, .. } | CanonicalFunction::Lower { options, .. } => {
                            if options.contains(&Option_::Async) {
                                return None;
                            }
                        }
                        CanonicalFunction::ResourceDrop { .. } => {}
                        _ => return None,
                    }
                }
            }
            Payload::ComponentStartSection { .. } => return None,
            _ => {}
        }
        Some(())
    }

    fn finish(&self, mut component: Component, counts: &Counts) -> Option<Vec<u8>> {
        let instances = (0_u32..).zip(&self.instances);
        let made = || instances.clone().filter_map(|(at, module)| Some((at, self.modules.get((*module)? as usize)?)));
        let restored: Vec<u32> = made().filter(|(_, module)| module.restores).map(|(at, _)| at).collect();
        let mut with_memory = made().filter(|(_, module)| module.memory).map(|(at, _)| at);
        let (memory, None) = (with_memory.next()?, with_memory.next()) else { return None };

        let types = counts.types;
        let (resource, reset_type, bytes_type, memory_type) = (types, types + 1, types + 2, types + 3);
        let mut section = ComponentTypeSection::new();
        section.resource(ValType::I32, None);
        let (u32_, bool_) = (PrimitiveValType::U32, PrimitiveValType::Bool);
        section
            .function()
            .params([("handles", ComponentValType::Primitive(u32_))])
            .result(Some(ComponentValType::Primitive(bool_)));
        section.defined_type().list(ComponentValType::Primitive(PrimitiveValType::U8));
        section.function().params::<_, ComponentValType>([]).result(Some(ComponentValType::Type(bytes_type)));
        component.section(&section);

        let mut canonical = CanonicalFunctionSection::new();
        canonical.resource_new(resource).resource_drop(resource);
        component.section(&canonical);
        let (new, drop) = (counts.core_functions, counts.core_functions + 1);

        let mut aliases = ComponentAliasSection::new();
        aliases.alias(Alias::CoreInstanceExport { instance: memory, kind: ExportKind::Memory, name: MEMORY });
        for &instance in &restored {
            aliases.alias(Alias::CoreInstanceExport { instance, kind: ExportKind::Func, name: RESTORE });
        }
        component.section(&aliases);
        let first_restore = drop + 1;
        let restores = u32::try_from(restored.len()).ok()?;

        component.section(&ModuleSection(&reset_module(restores)));
        let names: Vec<String> = (0..restores).map(|at| at.to_string()).collect();
        let functions = names.iter().map(String::as_str).zip(first_restore..);
        let items: Vec<_> = [("new", new), ("drop", drop)]
            .into_iter()
            .chain(functions)
            .map(|(name, index)| (name, ExportKind::Func, index))
            .chain([("memory", ExportKind::Memory, counts.core_memories)])
            .collect();
        let mut instances = InstanceSection::new();
        instances.export_items(items);
        instances.instantiate(counts.modules, [("", ModuleArg::Instance(counts.core_instances))]);
        component.section(&instances);

        let reset = counts.core_instances + 1;
        let mut aliases = ComponentAliasSection::new();
        for name in [RESET, MEMORY, MEMORY_READ] {
            aliases.alias(Alias::CoreInstanceExport { instance: reset, kind: ExportKind::Func, name });
        }
        component.section(&aliases);
        let first = first_restore + restores;

        let mut canonical = CanonicalFunctionSection::new();
        canonical.lift(first, reset_type, []);
        let options = [CanonicalOption::Memory(counts.core_memories), CanonicalOption::PostReturn(first + 2)];
        canonical.lift(first + 1, memory_type, options);
        component.section(&canonical);

        let mut exports = ComponentExportSection::new();
        exports.export(RESET, ComponentExportKind::Func, counts.functions, None);
        exports.export(MEMORY, ComponentExportKind::Func, counts.functions + 1, None);
        component.section(&exports);
        Some(component.finish())
    }
}

/// What the appended module calls after its answer about the memory was read.
const MEMORY_READ: &str = "sandbar-memory-read";

/// The module that is appended to a component.
///
/// `reset` takes how many handles there were at most at one time. Handles are numbered by a list of free numbers, last freed
/// first used, which tells the next call in what order this one gave its handles back. So it takes as many as there were,
/// which have to be the numbers from 1 on if none is left over, and gives them back from the highest to the lowest.
///
/// `memory` gives all of the memory as a list of bytes. Where that is written, in the last eight bytes of the memory, is
/// put back after it was read.
fn reset_module(restores: u32) -> Module {
    let mut types = TypeSection::new();
    types.ty().function([ValType::I32], [ValType::I32]);
    types.ty().function([ValType::I32], []);
    types.ty().function([], []);
    types.ty().function([], [ValType::I32]);
    let (new_type, drop_type, nothing, gives) = (0, 1, 2, 3);

    let mut imports = ImportSection::new();
    imports.import("", "new", EntityType::Function(new_type));
    imports.import("", "drop", EntityType::Function(drop_type));
    for at in 0..restores {
        imports.import("", &at.to_string(), EntityType::Function(nothing));
    }
    let any = MemoryType { minimum: 1, maximum: None, memory64: false, shared: false, page_size_log2: None };
    imports.import("", "memory", any);
    let (new, drop, first_restore) = (0, 1, 2);

    let mut functions = FunctionSection::new();
    functions.function(new_type).function(gives).function(drop_type);
    let first = first_restore + restores;
    let mut globals = GlobalSection::new();
    let kept = GlobalType { val_type: ValType::I64, mutable: true, shared: false };
    globals.global(kept, &ConstExpr::i64_const(0));
    let mut exports = ExportSection::new();
    exports.export(RESET, ExportKind::Func, first);
    exports.export(MEMORY, ExportKind::Func, first + 1);
    exports.export(MEMORY_READ, ExportKind::Func, first + 2);

    let mut code = CodeSection::new();
    code.function(&reset_function(new, drop, first_restore..first));
    let (low, all) = (MemArg { offset: 0, align: 2, memory_index: 0 }, MemArg { offset: 0, align: 3, memory_index: 0 });
    let high = MemArg { offset: 4, ..low };
    let mut memory = Function::new([(1, ValType::I32)]);
    let place = 0;
    memory
        .instructions()
        .memory_size(0)
        .i32_const(16)
        .i32_shl()
        .i32_const(8)
        .i32_sub()
        .local_tee(place)
        .i64_load(all)
        .global_set(0)
        .local_get(place)
        .i32_const(0)
        .i32_store(low)
        .local_get(place)
        .local_get(place)
        .i32_const(8)
        .i32_add()
        .i32_store(high)
        .local_get(place)
        .end();
    code.function(&memory);
    let mut memory_read = Function::new([]);
    memory_read.instructions().local_get(0).global_get(0).i64_store(all).end();
    code.function(&memory_read);

    let mut module = Module::new();
    module.section(&types).section(&imports).section(&functions).section(&globals).section(&exports).section(&code);
    module
}

fn reset_function(new: u32, drop: u32, restores: Range<u32>) -> Function {
    let (handles, left, highest, handle) = (0, 1, 2, 3);
    let mut function = Function::new([(3, ValType::I32)]);
    let mut code = function.instructions();
    for restore in restores {
        code.call(restore);
    }
    code.block(wasm_encoder::BlockType::Empty)
        .local_get(handles)
        .i32_eqz()
        .br_if(0)
        .local_get(handles)
        .local_set(left)
        .loop_(wasm_encoder::BlockType::Empty)
        .i32_const(0)
        .call(new)
        .local_tee(handle)
        .local_get(highest)
        .local_get(handle)
        .local_get(highest)
        .i32_gt_u()
        .select()
        .local_set(highest)
        .local_get(left)
        .i32_const(1)
        .i32_sub()
        .local_tee(left)
        .br_if(0)
        .end()
        .local_get(highest)
        .local_get(handles)
        .i32_ne()
        .br_if(0)
        .loop_(wasm_encoder::BlockType::Empty)
        .local_get(highest)
        .call(drop)
        .local_get(highest)
        .i32_const(1)
        .i32_sub()
        .local_tee(highest)
        .br_if(0)
        .end()
        .end()
        // What was taken was given back, or nothing was.
        .local_get(highest)
        .i32_eqz()
        .end();
    function
}

/// A section's entries without their count.
fn entries(section: &impl Encode) -> Vec<u8> {
    let mut bytes = Vec::new();
    section.encode(&mut bytes);
    // The section's length, then the number of its entries: one byte each, being short.
    let mut reader = BinaryReader::new(&bytes, 0);
    let _ = reader.read_var_u32().and_then(|_| reader.read_var_u32());
    let start = reader.original_position();
    bytes.split_off(start)
}

fn encoded(number: u32) -> (u32, Vec<u8>) {
    let mut bytes = Vec::new();
    number.encode(&mut bytes);
    (1, bytes)
}

/// A section with more entries.
fn extended(section: &[u8], count: u32, more: &[u8]) -> Option<Vec<u8>> {
    let mut reader = BinaryReader::new(section, 0);
    let before = reader.read_var_u32().ok()?;
    let mut bytes = Vec::with_capacity(section.len() + more.len() + 5);
    before.checked_add(count)?.encode(&mut bytes);
    bytes.extend_from_slice(section.get(reader.original_position()..)?);
    bytes.extend_from_slice(more);
    Some(bytes)
}
