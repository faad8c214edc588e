//! What is appended to a module.

use super::{
    MEMORY, Moves, RESTORE,
    section::{End, entries},
};
use std::{borrow::Cow, ops::Range};
use wasm_encoder::{CodeSection, Encode, ExportKind, ExportSection, Function, Module, TypeSection};
use wasmparser::{BinaryReader, FunctionBody, Operator, Parser, Payload, TypeRef};

/// A module with what was appended to it.
pub(super) struct Appended {
    pub(super) bytes: Vec<u8>,
    /// Whether it has mutable globals, and so the function that sets them.
    pub(super) restores: bool,
    /// Whether it has a memory, which is exported then.
    pub(super) memory: bool,
    pub(super) imports_memory: bool,
    pub(super) moves: Moves,
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
    /// Whether it has functions of its own, and so types and code.
    has_functions: bool,
}

/// Appends a function that sets the mutable globals, and exports of that and of the memory.
pub(super) fn append(guest: &[u8]) -> Option<Appended> {
    let mut found = Found::default();
    for payload in Parser::new(0).parse_all(guest) {
        found.read(payload.ok()?)?;
    }
    let restores = !found.mutable.is_empty();
    let memory = found.memories > 0;
    if (restores && !found.has_functions) || (restores || memory) && !found.has_exports {
        return None;
    }
    let (mut module, mut moves, mut end) = (Module::new(), Moves::default(), End::OF_HEADER);
    for payload in Parser::new(0).parse_all(guest) {
        let Some((id, range)) = payload.ok()?.as_section() else { continue };
        let (before, data) = (range.start, guest.get(range.clone())?);
        let more = match id {
            1 if restores => Some(found.restore_type()),
            3 if restores => Some(encoded(found.types)),
            7 => Some(found.exports(restores)),
            10 if restores => Some(found.restore_code(guest)?),
            _ => None,
        };
        let data = match more {
            Some((count, more)) if count > 0 => Cow::Owned(extended(data, count, &more)?),
            _ => Cow::Borrowed(data),
        };
        module.section(&end.next(id, &range, &data));
        moves.note(before, module.as_slice().len() - data.len());
    }
    Some(Appended { bytes: module.finish(), restores, memory, imports_memory: found.imports_memory, moves })
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
            Payload::FunctionSection(section) => {
                self.functions += section.count();
                self.has_functions = section.count() > 0;
            }
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

fn encoded(number: u32) -> (u32, Vec<u8>) {
    let mut bytes = Vec::new();
    number.encode(&mut bytes);
    (1, bytes)
}

/// A section with more entries. Their number takes as many bytes as before: debug information counts from the section's start.
fn extended(section: &[u8], count: u32, more: &[u8]) -> Option<Vec<u8>> {
    let mut reader = BinaryReader::new(section, 0);
    let mut count = reader.read_var_u32().ok()?.checked_add(count)?;
    let (number, entries) = section.split_at_checked(reader.original_position())?;
    let mut bytes = Vec::with_capacity(section.len() + more.len());
    for left in (0..number.len()).rev() {
        bytes.push((count & 0x7f) as u8 | if left > 0 { 0x80 } else { 0 });
        count >>= 7;
    }
    if count > 0 {
        return None;
    }
    bytes.extend_from_slice(entries);
    bytes.extend_from_slice(more);
    Some(bytes)
}
