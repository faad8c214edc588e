//! Makes the functions of Extism's kernel that a plugin imports functions of its own, before it is compiled.
//!
//! Its imports stay where they are, so that no index changes, and are never called: each instruction that names one names the
//! function of the same name that is added behind the guest's own, or, where that is short, its code stands there. Only bodies with
//! such an instruction change, and how far what comes after it moves is noted.

use super::kernel::{KERNEL, KernelFunction, Place};
use crate::{
    inspect::EXTISM_MODULE,
    renewal::{End, Moves, entries},
};
use std::{borrow::Cow, convert::Infallible, ops::Range};
use wasm_encoder::{
    CodeSection, ElementSection, Encode, ExportKind, ExportSection, MemorySection, MemoryType, Module, TypeSection,
    reencode::{self, Reencode},
};
use wasmparser::{
    BinaryReader, CompositeInnerType, ElementSectionReader, FuncType, FunctionBody, Operator, Parser, Payload, TypeRef,
    ValType,
};

/// The memory of blocks, by the name under which the host finds it.
pub(crate) const BLOCKS_MEMORY: &str = "sandbar-extism";

/// Names how guests are changed: another name for every change of it, so that artifacts of before are not found.
pub(crate) const ADAPTED: &[u8] = b"extism-inline-1";

/// Does nothing, in one byte.
const NOP: u8 = 0x01;

/// What the sections of a module tell.
#[derive(Default)]
struct Found {
    types: Vec<Option<FuncType>>,
    /// How many functions there are, and of those that are not imported the types.
    functions: u32,
    signatures: Vec<u32>,
    memories: u32,
    has_memories: bool,
    /// Imported functions that become the guest's own: the index of the import, and which they are.
    taken: Vec<(u32, &'static KernelFunction)>,
}

/// A plugin of Extism as an ordinary guest, or nothing where it is none, or is one that this does not know how to change.
pub(crate) fn adapt(guest: &[u8]) -> Option<(Vec<u8>, Moves)> {
    let mut found = Found::default();
    for payload in Parser::new(0).parse_all(guest) {
        found.read(payload.ok()?)?;
    }
    if found.taken.is_empty() {
        return None;
    }
    let (mut module, mut moves, mut end) = (Module::new(), Moves::default(), End::OF_HEADER);
    let mut memory_is_due = !found.has_memories;
    for payload in Parser::new(0).parse_all(guest) {
        let payload = payload.ok()?;
        // Debug information counts from where code begins, and would tell other lines.
        if matches!(&payload, Payload::CustomSection(custom) if custom.name().starts_with(".debug_")) {
            continue;
        }
        let Some((id, range)) = payload.as_section() else { continue };
        // What comes after memories: tags, globals, exports, a start, elements, a count of data, code, data.
        if memory_is_due && matches!(id, 6..=13) {
            memory_is_due = false;
            module.section(&found.memory());
        }
        let (before, data) = (range.start, guest.get(range.clone())?);
        if id == 10 {
            let (code, inside) = found.code(guest, data, before)?;
            module.section(&end.next(id, &range, &code));
            moves.note_all(&inside, before, module.as_slice().len() - code.len());
            continue;
        }
        let more = match id {
            1 => Some(found.kernel_types()),
            3 => Some(found.kernel_signatures()),
            5 => Some((1, entries(&found.memory()))),
            7 => Some(found.export()),
            _ => None,
        };
        let data = match (payload, more) {
            (_, Some((count, more))) => Cow::Owned(extended(data, count, &more)?),
            (Payload::ElementSection(section), None) => found.elements(section, data)?,
            (_, None) => Cow::Borrowed(data),
        };
        module.section(&end.next(id, &range, &data));
        moves.note(before, module.as_slice().len() - data.len());
    }
    Some((module.finish(), moves))
}

impl Found {
    fn read(&mut self, payload: Payload<'_>) -> Option<()> {
        match payload {
            Payload::TypeSection(section) => {
                for group in section {
                    for ty in group.ok()?.into_types() {
                        self.types.push(match ty.composite_type.inner {
                            CompositeInnerType::Func(ty) => Some(ty),
                            _ => None,
                        });
                    }
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import.ok()?;
                    match import.ty {
                        TypeRef::Func(ty) | TypeRef::FuncExact(ty) => {
                            let kernel =
                                KERNEL.iter().find(|it| import.module == EXTISM_MODULE && it.name == import.name);
                            if let Some(kernel) = kernel.filter(|kernel| self.fits(kernel, ty)) {
                                self.taken.push((self.functions, kernel));
                            }
                            self.functions += 1;
                        }
                        TypeRef::Memory(_) => self.memories += 1,
                        TypeRef::Global(_) | TypeRef::Table(_) | TypeRef::Tag(_) => {}
                    }
                }
            }
            Payload::FunctionSection(section) => {
                self.functions += section.count();
                self.signatures = section.into_iter().collect::<Result<_, _>>().ok()?;
            }
            Payload::MemorySection(section) => {
                self.memories += section.count();
                self.has_memories = section.count() > 0;
            }
            _ => {}
        }
        Some(())
    }

    fn fits(&self, kernel: &KernelFunction, ty: u32) -> bool {
        let same = |ours: &[wasm_encoder::ValType], theirs: &[ValType]| {
            let is_same = |(ours, theirs): (&wasm_encoder::ValType, &ValType)| {
                matches!(
                    (ours, theirs),
                    (wasm_encoder::ValType::I32, ValType::I32) | (wasm_encoder::ValType::I64, ValType::I64)
                )
            };
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(is_same)
        };
        self.ty(ty).is_some_and(|ty| same(kernel.params, ty.params()) && same(kernel.results, ty.results()))
    }

    fn ty(&self, ty: u32) -> Option<&FuncType> {
        usize::try_from(ty).ok().and_then(|ty| self.types.get(ty)).and_then(Option::as_ref)
    }

    fn place(&self) -> Place {
        Place { memory: self.memories }
    }

    /// What takes the place of an import, and its index.
    fn instead(&self, function: u32) -> Option<(&'static KernelFunction, u32)> {
        let at = self.taken.iter().position(|(import, _)| *import == function)?;
        let (_, kernel) = self.taken.get(at)?;
        Some((kernel, self.functions + u32::try_from(at).ok()?))
    }

    fn memory(&self) -> MemorySection {
        let mut memories = MemorySection::new();
        memories.memory(MemoryType { minimum: 1, maximum: None, memory64: false, shared: false, page_size_log2: None });
        memories
    }

    fn kernel_types(&self) -> (u32, Vec<u8>) {
        let mut types = TypeSection::new();
        for (_, kernel) in &self.taken {
            types.ty().function(kernel.params.iter().copied(), kernel.results.iter().copied());
        }
        (types.len(), entries(&types))
    }

    fn kernel_signatures(&self) -> (u32, Vec<u8>) {
        let first = u32::try_from(self.types.len()).unwrap_or(u32::MAX);
        let mut bytes = Vec::new();
        for at in 0..self.taken.len() {
            (first + u32::try_from(at).unwrap_or(0)).encode(&mut bytes);
        }
        (u32::try_from(self.taken.len()).unwrap_or(0), bytes)
    }

    fn export(&self) -> (u32, Vec<u8>) {
        let mut exports = ExportSection::new();
        exports.export(BLOCKS_MEMORY, ExportKind::Memory, self.memories);
        (1, entries(&exports))
    }

    /// The element section's data with other functions in tables.
    fn elements<'a>(&self, section: ElementSectionReader<'_>, data: &'a [u8]) -> Option<Cow<'a, [u8]>> {
        let (mut instead, mut elements) = (Instead { found: self, any: false }, ElementSection::new());
        instead.parse_element_section(&mut elements, section).ok()?;
        if !instead.any {
            return Some(Cow::Borrowed(data));
        }
        let mut bytes = Vec::new();
        elements.len().encode(&mut bytes);
        bytes.extend_from_slice(&entries(&elements));
        Some(Cow::Owned(bytes))
    }

    /// The code section's data with other functions called, and how far its parts moved, by offsets in it.
    fn code(&self, guest: &[u8], data: &[u8], start: usize) -> Option<(Vec<u8>, Moves)> {
        let section = wasmparser::CodeSectionReader::new(BinaryReader::new(data, start)).ok()?;
        let own = u32::try_from(self.taken.len()).ok()?;
        let (mut code, mut moves) = (Vec::new(), Moves::default());
        (section.count() + own).encode(&mut code);
        for (body, ty) in section.into_iter().zip(&self.signatures) {
            let body = body.ok()?;
            let patches = self.patches(&body, *ty)?;
            let range = body.range();
            let (bytes, inside) = patched(guest, &range, &patches)?;
            bytes.len().encode(&mut code);
            moves.note_all(&inside, range.start - start, code.len());
            code.extend_from_slice(&bytes);
        }
        let mut kernel = CodeSection::new();
        self.taken.iter().for_each(|(_, function)| {
            kernel.function(&function.function(self.place()));
        });
        code.extend_from_slice(&entries(&kernel));
        Some((code, moves))
    }

    /// Instructions that name an import which is taken, and what stands there instead.
    fn patches(&self, body: &FunctionBody<'_>, ty: u32) -> Option<Vec<(Range<usize>, Vec<u8>)>> {
        let (mut patches, mut spares) = (Vec::new(), false);
        let spare = Spare::of(body, self.ty(ty)?)?;
        let mut operators = body.get_operators_reader().ok()?;
        while !operators.eof() {
            let from = operators.original_position();
            let operator = operators.read().ok()?;
            let (opcode, function) = match operator {
                Operator::Call { function_index } => (0x10, function_index),
                Operator::ReturnCall { function_index } => (0x12, function_index),
                Operator::RefFunc { function_index } => (0xd2, function_index),
                _ => continue,
            };
            let Some((kernel, instead)) = self.instead(function) else { continue };
            let is_call = matches!(operator, Operator::Call { .. });
            let inline = spare.local.filter(|_| is_call).and_then(|spare| kernel.inline(self.place(), spare));
            spares |= inline.is_some();
            let bytes = inline.unwrap_or_else(|| {
                let mut bytes = vec![opcode];
                instead.encode(&mut bytes);
                bytes
            });
            patches.push((from..operators.original_position(), bytes));
        }
        if spares {
            patches.splice(0..0, spare.patches());
        }
        Some(patches)
    }
}

/// Names functions that take the place of imports.
struct Instead<'a> {
    found: &'a Found,
    /// Whether it named one.
    any: bool,
}

impl Reencode for Instead<'_> {
    type Error = Infallible;

    fn function_index(&mut self, function: u32) -> Result<u32, reencode::Error> {
        let instead = self.found.instead(function);
        self.any |= instead.is_some();
        Ok(instead.map_or(function, |(_, index)| index))
    }
}

/// One local more for a function.
struct Spare {
    /// Its index; `None` where the function has as many as there can be.
    local: Option<u32>,
    /// Where the number of groups of locals stands, and that.
    groups: (Range<usize>, u32),
    /// Where the groups end.
    end: usize,
}

/// The most locals that a function has, by the specification of WebAssembly's JavaScript interface.
const LOCALS_MAX: u32 = 50_000;

impl Spare {
    fn of(body: &FunctionBody<'_>, ty: &FuncType) -> Option<Spare> {
        let mut locals = body.get_locals_reader().ok()?;
        let groups = (body.range().start..locals.original_position(), locals.get_count());
        let mut count = u32::try_from(ty.params().len()).ok()?;
        for _ in 0..groups.1 {
            count = count.checked_add(locals.read().ok()?.0)?;
        }
        Some(Spare { local: (count < LOCALS_MAX).then_some(count), groups, end: locals.original_position() })
    }

    fn patches(self) -> [(Range<usize>, Vec<u8>); 2] {
        let (range, count) = self.groups;
        let mut groups = Vec::new();
        (count + 1).encode(&mut groups);
        // A number can be written longer than it has to be, and what stands here is not shorter than before.
        for at in groups.len()..range.len() {
            groups.get_mut(at - 1).into_iter().for_each(|byte| *byte |= 0x80);
            groups.push(0);
        }
        let mut group = Vec::new();
        1u32.encode(&mut group);
        wasm_encoder::ValType::I64.encode(&mut group);
        [(range, groups), (self.end..self.end, group)]
    }
}

/// Bytes with other ones in some places, and how far the rest moved.
fn patched<'a>(
    guest: &'a [u8],
    range: &Range<usize>,
    patches: &[(Range<usize>, Vec<u8>)],
) -> Option<(Cow<'a, [u8]>, Moves)> {
    if patches.is_empty() {
        return Some((Cow::Borrowed(guest.get(range.clone())?), Moves::default()));
    }
    let (mut bytes, mut moves, mut done) = (Vec::new(), Moves::default(), range.start);
    for (at, instead) in patches {
        bytes.extend_from_slice(guest.get(done..at.start)?);
        bytes.extend_from_slice(instead);
        // Not shorter than before, so that nothing moves towards the beginning.
        bytes.extend(std::iter::repeat_n(NOP, at.len().saturating_sub(instead.len())));
        done = at.end;
        moves.note(done - range.start, bytes.len());
    }
    bytes.extend_from_slice(guest.get(done..range.end)?);
    Some((Cow::Owned(bytes), moves))
}

/// A section's data with more entries.
fn extended(data: &[u8], count: u32, more: &[u8]) -> Option<Vec<u8>> {
    let mut reader = BinaryReader::new(data, 0);
    let before = reader.read_var_u32().ok()?;
    let mut extended = Vec::with_capacity(data.len() + more.len() + 5);
    before.checked_add(count)?.encode(&mut extended);
    extended.extend_from_slice(data.get(reader.original_position()..)?);
    extended.extend_from_slice(more);
    Some(extended)
}
