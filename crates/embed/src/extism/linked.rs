//! Makes one module of several that a manifest links: what one imports by the name of another is that one's export.
//!
//! Extism makes an instance of each. Here they are one, so that a plugin is one guest with one kernel of Extism's, whatever it was
//! put together from: every index that a part names is moved to where that lies in the whole. The plugin's own module comes last,
//! and only what it exports can be called.

mod found;

use bytes::Bytes;
use found::{Found, SPACES, Space};
use sandbar_engine::WasiNames;
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    convert::Infallible,
};
use wasm_encoder::{
    CodeSection, DataCountSection, DataSection, ElementSection, EntityType, ExportKind, ExportSection, Function,
    FunctionSection, GlobalSection, ImportSection, MemorySection, Module, NameMap, NameSection, StartSection,
    TableSection, TagSection, TypeSection,
    reencode::{self, Reencode},
};
use wasmparser::{Import, KnownCustom, Name, Parser, Payload};

/// A module and the name by which others import from it.
pub(super) struct Part {
    pub(super) name: String,
    pub(super) wasm: Bytes,
}

/// What WASI 0.1 is imported from.
const WASI: &str = "wasi_snapshot_preview1";
/// Functions of WASI that look at no memory.
const WITHOUT_MEMORY: &[&str] = &["proc_exit", "sched_yield"];
/// What a reactor is begun by.
const INITIALIZE: &str = "_initialize";

/// Where something of a part lies.
#[derive(Clone, Copy)]
enum Lies {
    /// It is the import with this number of this part, which the host provides.
    Outside(usize, usize),
    /// It is this one of those that this part has itself.
    Inside(usize, u32),
}

/// Makes one module of parts, the plugin's own the last.
pub(super) fn linked(parts: &[Part]) -> Result<Vec<u8>, String> {
    let mut names = HashSet::new();
    if let Some(twice) = parts.iter().find(|part| !names.insert(&part.name)) {
        return Err(format!("two modules have the name `{}`", twice.name.escape_debug()));
    }
    let found = parts.iter().map(|part| Found::read(&part.wasm)).collect::<Result<Vec<_>, _>>().map_err(broken)?;
    let plan = Plan::of(parts, found)?;
    plan.module().map_err(|error| format!("the modules can't be linked: {error}"))
}

fn broken(error: wasmparser::Error) -> String {
    format!("a module that is to be linked is malformed: {error}")
}

/// Where everything comes to lie.
struct Plan<'a> {
    parts: &'a [Part],
    found: Vec<Found<'a>>,
    /// By part and space, what each index becomes.
    moved: Vec<[Vec<u32>; SPACES.len()]>,
    /// Imports that stay: part and number.
    kept: Vec<(usize, usize)>,
    /// What they become, and how many there are by space.
    outside: HashMap<(usize, usize), u32>,
    outside_count: [u32; SPACES.len()],
    /// Linked parts for which WASI looks at a memory of their own: its names, and that.
    memories: BTreeMap<usize, (WasiNames, u32)>,
}

impl<'a> Plan<'a> {
    fn of(parts: &'a [Part], found: Vec<Found<'a>>) -> Result<Plan<'a>, String> {
        let mut plan = Plan {
            parts,
            found,
            moved: Vec::new(),
            kept: Vec::new(),
            outside: HashMap::new(),
            outside_count: [0; SPACES.len()],
            memories: BTreeMap::new(),
        };
        let by_name: HashMap<&str, usize> = parts.iter().enumerate().map(|(at, part)| (&*part.name, at)).collect();
        let stays = |import: &Import<'_>| !by_name.contains_key(import.module);
        for (part, found) in plan.found.iter().enumerate() {
            for (number, import) in found.imports.iter().enumerate().filter(|(_, import)| stays(import)) {
                plan.kept.push((part, number));
                if let Some(count) = plan.outside_count.get_mut(Space::of_import(&import.ty) as usize) {
                    plan.outside.insert((part, number), *count);
                    *count += 1;
                }
            }
        }
        for part in 0..parts.len() {
            let mut moved: [Vec<u32>; SPACES.len()] = Default::default();
            for (space, moved) in SPACES.into_iter().zip(&mut moved) {
                let found = plan.part(part)?;
                let count = u32::try_from(found.imported(space).len()).unwrap_or(u32::MAX) + found.own(space);
                for index in 0..count {
                    let lies = plan.lies(&by_name, space, (part, index))?;
                    moved.push(plan.index(space, lies));
                }
            }
            plan.moved.push(moved);
        }
        plan.find_memories()?;
        Ok(plan)
    }

    fn part(&self, part: usize) -> Result<&Found<'a>, String> {
        self.found.get(part).ok_or_else(|| "there is no such module".to_owned())
    }

    /// Follows an index from part to part to where it lies.
    fn lies(&self, by_name: &HashMap<&str, usize>, space: Space, at: (usize, u32)) -> Result<Lies, String> {
        let (mut part, mut index) = at;
        for _ in 0..=self.parts.len() {
            let found = self.part(part)?;
            let imports = found.imported(space);
            let number = usize::try_from(index).ok().and_then(|index| imports.get(index).copied());
            let Some((number, import)) = number.and_then(|number| Some((number, found.imports.get(number)?))) else {
                return Ok(Lies::Inside(part, index - u32::try_from(imports.len()).unwrap_or(index)));
            };
            let Some(&from) = by_name.get(import.module) else { return Ok(Lies::Outside(part, number)) };
            let export = self.part(from)?.exports.get(import.name).filter(|(of, _)| *of == space);
            let Some((_, exported)) = export else {
                let (module, name) = (import.module.escape_debug(), import.name.escape_debug());
                return Err(format!("a module imports `{name}` of the module `{module}`, which exports no such thing"));
            };
            let types = (found.signature(index), self.part(from)?.signature(*exported));
            if let (Space::Functions, (Some(wanted), Some(is))) = (space, types)
                && wanted != is
            {
                let (module, name) = (import.module.escape_debug(), import.name.escape_debug());
                return Err(format!(
                    "a module imports `{name}` of the module `{module}` as `{wanted}`, which is `{is}`"
                ));
            }
            (part, index) = (from, *exported);
        }
        Err(format!("modules import from each other in a circle, the module `{}` among them", self.name(at.0)))
    }

    fn name(&self, part: usize) -> String {
        self.parts.get(part).map(|part| part.name.escape_debug().to_string()).unwrap_or_default()
    }

    /// What an index is in the whole: what is imported comes first, then what parts have, one part after the other.
    fn index(&self, space: Space, lies: Lies) -> u32 {
        match lies {
            Lies::Outside(part, number) => self.outside.get(&(part, number)).copied().unwrap_or(u32::MAX),
            Lies::Inside(part, own) => {
                let before: u32 = self.found.iter().take(part).map(|found| found.own(space)).sum();
                self.outside_count.get(space as usize).map_or(u32::MAX, |count| count + before + own)
            }
        }
    }

    fn moved(&self, part: usize, space: Space, index: u32) -> u32 {
        let moved = self.moved.get(part).and_then(|spaces| spaces.get(space as usize));
        // What is not there is not there in the whole either, which is told when that is validated.
        moved.and_then(|moved| moved.get(usize::try_from(index).ok()?).copied()).unwrap_or(u32::MAX)
    }

    /// Finds a memory for each part that imports WASI, which looks at the one that its caller exports: the plugin's own module has that
    /// name, and of the others each has a name of its own.
    fn find_memories(&mut self) -> Result<(), String> {
        let last = self.parts.len() - 1;
        let of_plugin = self.memory(last)?;
        let mut names = WasiNames::PARTS.into_iter();
        for part in 0..last {
            let of_part = self.memory(part)?;
            let uses_memory =
                |import: &&Import<'_>| import.module.starts_with("wasi_") && !WITHOUT_MEMORY.contains(&import.name);
            let Some(import) = self.part(part)?.imports.iter().find(uses_memory) else { continue };
            let Some(memory) = of_part.filter(|_| of_part != of_plugin) else { continue };
            if import.module != WASI {
                let (part, module) = (self.name(part), import.module.escape_debug());
                return Err(format!("the linked module `{part}` imports `{module}`; build it for WASI 0.1, `{WASI}`"));
            }
            let Some(names) = names.next() else {
                let most = WasiNames::PARTS.len();
                return Err(format!(
                    "more than {most} linked modules import WASI; build some for `wasm32-unknown-unknown`"
                ));
            };
            self.memories.insert(part, (names, memory));
        }
        Ok(())
    }

    /// The memory that WASI looks at for a part.
    fn memory(&self, part: usize) -> Result<Option<u32>, String> {
        let found = self.part(part)?;
        let exported = found.exports.get("memory").filter(|(space, _)| *space == Space::Memories);
        let has_one = found.own(Space::Memories) > 0 || !found.imported(Space::Memories).is_empty();
        let index = exported.map(|(_, index)| *index).or(has_one.then_some(0));
        Ok(index.map(|index| self.moved(part, Space::Memories, index)))
    }

    /// Where a part imports something from.
    fn module_of<'i>(&self, part: usize, import: &Import<'i>) -> &'i str {
        match self.memories.get(&part) {
            Some((names, _)) if import.module == WASI && !WITHOUT_MEMORY.contains(&import.name) => names.module,
            Some(_) | None => import.module,
        }
    }

    /// Puts the whole together.
    fn module(&self) -> Result<Vec<u8>, reencode::Error> {
        let (mut types, mut imports, mut functions) =
            (TypeSection::new(), ImportSection::new(), FunctionSection::new());
        let (mut tables, mut memories, mut tags) = (TableSection::new(), MemorySection::new(), TagSection::new());
        let (mut globals, mut exports) = (GlobalSection::new(), ExportSection::new());
        let (mut elements, mut code, mut data) = (ElementSection::new(), CodeSection::new(), DataSection::new());
        let mut function_names = BTreeMap::new();
        for (part, number) in &self.kept {
            let import = self.found.get(*part).and_then(|found| found.imports.get(*number));
            if let Some(import) = import {
                let ty: EntityType = self.mover(*part).entity_type(import.ty)?;
                imports.import(self.module_of(*part, import), import.name, ty);
            }
        }
        for (at, part) in self.parts.iter().enumerate() {
            let mut mover = self.mover(at);
            for payload in Parser::new(0).parse_all(&part.wasm) {
                match payload? {
                    Payload::TypeSection(section) => mover.parse_type_section(&mut types, section)?,
                    Payload::FunctionSection(section) => mover.parse_function_section(&mut functions, section)?,
                    Payload::TableSection(section) => mover.parse_table_section(&mut tables, section)?,
                    Payload::MemorySection(section) => mover.parse_memory_section(&mut memories, section)?,
                    Payload::TagSection(section) => mover.parse_tag_section(&mut tags, section)?,
                    Payload::GlobalSection(section) => mover.parse_global_section(&mut globals, section)?,
                    Payload::ExportSection(section) if at + 1 == self.parts.len() => {
                        mover.parse_export_section(&mut exports, section)?;
                    }
                    Payload::ElementSection(section) => mover.parse_element_section(&mut elements, section)?,
                    Payload::CodeSectionEntry(body) => mover.parse_function_body(&mut code, body)?,
                    Payload::DataSection(section) => mover.parse_data_section(&mut data, section)?,
                    Payload::CustomSection(section) => {
                        if let KnownCustom::Name(names) = section.as_known() {
                            for name in names.into_iter().filter_map(Result::ok) {
                                let Name::Function(names) = name else { continue };
                                let names = names.into_iter().filter_map(Result::ok);
                                function_names.extend(
                                    names.map(|it| (self.moved(at, Space::Functions, it.index), it.name.to_owned())),
                                );
                            }
                        }
                    }
                    _ => {}
                }
            }
        }
        for (names, memory) in self.memories.values() {
            exports.export(names.memory, ExportKind::Memory, *memory);
        }
        let begins = self.begins();
        let start = if begins.is_empty() {
            None
        } else {
            types.ty().function([], []);
            functions.function(types.len() - 1);
            let mut start = Function::new([]);
            begins.iter().for_each(|begin| {
                start.instructions().call(*begin);
            });
            start.instructions().end();
            code.function(&start);
            Some(self.functions())
        };
        let mut names = NameMap::new();
        function_names.iter().for_each(|(index, name)| names.append(*index, name));
        let mut name_section = NameSection::new();
        name_section.functions(&names);
        let mut module = Module::new();
        module.section(&types).section(&imports).section(&functions).section(&tables).section(&memories);
        if !tags.is_empty() {
            module.section(&tags);
        }
        module.section(&globals).section(&exports);
        if let Some(function_index) = start {
            module.section(&StartSection { function_index });
        }
        module.section(&elements).section(&DataCountSection { count: data.len() }).section(&code).section(&data);
        module.section(&name_section);
        Ok(module.finish())
    }

    /// What is called before any export, in turn: start functions, and what begins a linked module that is a reactor. The plugin's own
    /// is begun as that of any plugin.
    fn begins(&self) -> Vec<u32> {
        let last = self.parts.len() - 1;
        let of_part = |(part, found): (usize, &Found<'_>)| {
            let reactor = found.exports.get(INITIALIZE).filter(|(space, _)| *space == Space::Functions && part != last);
            let begins = [found.start, reactor.map(|(_, index)| *index)];
            begins.into_iter().flatten().map(|index| self.moved(part, Space::Functions, index)).collect::<Vec<_>>()
        };
        self.found.iter().enumerate().flat_map(of_part).collect()
    }

    /// How many functions the parts have and import together.
    fn functions(&self) -> u32 {
        self.index(Space::Functions, Lies::Inside(self.parts.len(), 0))
    }

    fn mover(&self, part: usize) -> Mover<'_, 'a> {
        let before = |count: fn(&Found<'_>) -> u32| self.found.iter().take(part).map(count).sum();
        Mover {
            plan: self,
            part,
            types: before(|found| found.types),
            elements: before(|found| found.elements),
            data: before(|found| found.data),
        }
    }
}

/// Moves what a part names.
struct Mover<'p, 'a> {
    plan: &'p Plan<'a>,
    part: usize,
    types: u32,
    elements: u32,
    data: u32,
}

type Index = Result<u32, reencode::Error>;

impl Reencode for Mover<'_, '_> {
    type Error = Infallible;

    fn type_index(&mut self, ty: u32) -> Index {
        Ok(self.types.saturating_add(ty))
    }

    fn element_index(&mut self, element: u32) -> Index {
        Ok(self.elements.saturating_add(element))
    }

    fn data_index(&mut self, data: u32) -> Index {
        Ok(self.data.saturating_add(data))
    }

    fn function_index(&mut self, function: u32) -> Index {
        Ok(self.plan.moved(self.part, Space::Functions, function))
    }

    fn table_index(&mut self, table: u32) -> Index {
        Ok(self.plan.moved(self.part, Space::Tables, table))
    }

    fn memory_index(&mut self, memory: u32) -> Index {
        Ok(self.plan.moved(self.part, Space::Memories, memory))
    }

    fn global_index(&mut self, global: u32) -> Index {
        Ok(self.plan.moved(self.part, Space::Globals, global))
    }

    fn tag_index(&mut self, tag: u32) -> Index {
        Ok(self.plan.moved(self.part, Space::Tags, tag))
    }
}
