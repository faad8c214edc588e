//! What is appended to a component.

use super::{MEMORY, Moves, RESET, RESTORE, module, reset, section::End};
use wasm_encoder::{
    Alias, CanonicalFunctionSection, CanonicalOption, Component, ComponentAliasSection, ComponentExportKind,
    ComponentExportSection, ComponentTypeSection, ComponentValType, ExportKind, InstanceSection, ModuleArg,
    ModuleSection, PrimitiveValType, ValType,
};
use wasmparser::{
    CanonicalFunction, CanonicalOption as Option_, ComponentAlias, ComponentOuterAliasKind, ComponentType,
    ComponentTypeRef, Encoding, Instance, Parser, Payload, Validator, WasmFeatures,
};

/// The core instances of a component, and what is appended to their modules.
#[derive(Default)]
struct Parts {
    modules: Vec<module::Appended>,
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

/// Appends a module that puts back what its other modules and its handles are.
pub(super) fn append(guest: &[u8]) -> Option<(Vec<u8>, Moves)> {
    let mut parts = Parts::default();
    let (mut component, mut moves, mut end) = (Component::new(), Moves::default(), End::OF_HEADER);
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
                    (Payload::ModuleSection { unchecked_range, .. }, _) => {
                        let module = parts.modules.last()?;
                        component.section(&end.next(1, unchecked_range, &module.bytes));
                        let now = component.as_slice().len() - module.bytes.len();
                        moves.note_all(&module.moves, unchecked_range.start, now);
                    }
                    (_, Some((id, range))) => {
                        let data = guest.get(range.clone())?;
                        component.section(&end.next(id, &range, data));
                        moves.note(range.start, component.as_slice().len() - data.len());
                    }
                    (_, None) => {}
                }
            }
            // What is nested only gives names to what this component has.
            ([.., Encoding::Component], payload) => names_only(payload)?,
            _ => {}
        }
    }
    Some((parts.finish(component, &counts?)?, moves))
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
                self.modules.push(module::append(guest.get(unchecked_range.clone())?)?);
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

        component.section(&ModuleSection(&reset::module(restores)));
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
        for name in [RESET, MEMORY, reset::MEMORY_READ] {
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
