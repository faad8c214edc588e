//! WIT as text: a file, or a folder with its dependencies in `deps`.

use crate::{
    Error, World,
    draft::{Draft, Fault},
    world::{Definition, Member, Param, Signature, Type, TypeDef, TypeId},
};
use std::{
    collections::{HashMap, HashSet},
    path::Path,
    thread,
};
use wit_parser::{
    Docs, Function, InterfaceId, PackageId, Resolve, TypeDefKind, TypeOwner, WorldId, WorldItem, WorldKey,
};

/// The stack that WIT is parsed on, of which only what is used takes memory: the parser follows types that are made of each
/// other recursively, and a text has as many of them as it has lines.
const STACK_BYTES: usize = 512 << 20;
/// The most bytes of WIT as one text.
const TEXT_BYTES_MAX: usize = 1 << 20;

/// Reads a world from WIT: a file, or a folder. `world` may be left out where there is one only.
///
/// # Errors
/// It can't be read, has an error, or has no such world.
pub fn wit(path: impl AsRef<Path>, world: Option<&str>) -> Result<World, Error> {
    let path = path.as_ref();
    if let Err(error) = path.metadata() {
        return Err(Error::File(path.to_path_buf(), error));
    }
    parsed(world, |resolve| {
        let pushed = resolve.push_path(path).map(|(package, _)| package);
        pushed.map_err(|error| resolve.render_error(&error))
    })
}

/// Reads a world from the text of one package, of up to 1 MiB.
///
/// # Errors
/// As [`wit`].
pub fn wit_text(text: &str, world: Option<&str>) -> Result<World, Error> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(Error::TooLarge(format!("{TEXT_BYTES_MAX} bytes of WIT")));
    }
    parsed(world, |resolve| resolve.push_source("world.wit", text).map_err(|error| resolve.render_error(&error)))
}

/// Parses on a thread of its own. It ends with this function.
fn parsed(
    world: Option<&str>,
    push: impl FnOnce(&mut Resolve) -> Result<PackageId, String> + Send,
) -> Result<World, Error> {
    thread::scope(|scope| {
        let read = || {
            let mut resolve = Resolve { all_features: true, ..Resolve::default() };
            let package = push(&mut resolve).map_err(Error::Wit)?;
            let world = choose(&resolve, package, world)?;
            read(&resolve, world)
        };
        let thread = thread::Builder::new().name("wit".to_owned()).stack_size(STACK_BYTES).spawn_scoped(scope, read);
        let thread = thread.map_err(|error| Error::Wit(format!("there is no thread to parse it on: {error}")))?;
        thread.join().unwrap_or_else(|_| Err(Error::Wit("its parser failed".to_owned())))
    })
}

fn choose(resolve: &Resolve, package: PackageId, asked: Option<&str>) -> Result<WorldId, Error> {
    let worlds = resolve.packages.get(package).map(|package| &package.worlds);
    let found = match asked {
        Some(asked) => resolve.select_world(&[package], Some(asked)).ok(),
        None => worlds.filter(|worlds| worlds.len() == 1).and_then(|worlds| worlds.values().next().copied()),
    };
    found.ok_or_else(|| Error::World {
        asked: asked.map(str::to_owned),
        worlds: worlds.into_iter().flatten().map(|(name, _)| name.clone()).collect(),
    })
}

fn read(resolve: &Resolve, id: WorldId) -> Result<World, Error> {
    let Some(world) = resolve.worlds.get(id) else { return Err(Error::World { asked: None, worlds: Vec::new() }) };
    let mut reader = Reader { resolve, defined: HashMap::new(), draft: Draft::new(), exported: HashSet::new() };
    for (key, item) in &world.imports {
        for (interface, function) in reader.functions(key, item) {
            // What WASI is, Sandbar gives itself.
            if !interface.starts_with("wasi:") && !function.name.starts_with('[') {
                let signature = reader.signature(function)?;
                reader.draft.import(&interface, &function.name, docs(&function.docs), signature)?;
            }
        }
    }
    // Who holds a sandbox has handles of its resources; a function of the host has none.
    reader.exported = world.exports.values().filter_map(interface_of).collect();
    for (key, item) in &world.exports {
        for (interface, function) in reader.functions(key, item) {
            if !interface.starts_with("wasi:") {
                let signature = reader.signature(function)?;
                reader.draft.export(&interface, &function.name, docs(&function.docs), signature)?;
            }
        }
    }
    reader.draft.finish(&world.name)
}

fn interface_of(item: &WorldItem) -> Option<InterfaceId> {
    match item {
        WorldItem::Interface { id, .. } => Some(*id),
        WorldItem::Function(_) | WorldItem::Type { .. } => None,
    }
}

fn docs(docs: &Docs) -> &str {
    docs.contents.as_deref().unwrap_or_default()
}

/// What is known while a world is read.
struct Reader<'r> {
    resolve: &'r Resolve,
    defined: HashMap<wit_parser::TypeId, TypeId>,
    draft: Draft,
    /// Whose resources have a text now.
    exported: HashSet<InterfaceId>,
}

impl<'r> Reader<'r> {
    /// The functions of an item, and the interface that has them.
    fn functions(&self, key: &WorldKey, item: &'r WorldItem) -> Vec<(String, &'r Function)> {
        match item {
            WorldItem::Interface { id, .. } => {
                let name = match key {
                    WorldKey::Name(name) => name.clone(),
                    WorldKey::Interface(id) => self.interface(*id),
                };
                let functions = self.resolve.interfaces.get(*id).into_iter().flat_map(|it| it.functions.values());
                functions.map(|function| (name.clone(), function)).collect()
            }
            WorldItem::Function(function) => vec![(String::new(), function)],
            WorldItem::Type { .. } => Vec::new(),
        }
    }

    /// The full name of an interface; its own where it stands in a world.
    fn interface(&self, id: InterfaceId) -> String {
        let own = || self.resolve.interfaces.get(id).and_then(|interface| interface.name.clone()).unwrap_or_default();
        self.resolve.id_of(id).unwrap_or_else(own)
    }

    fn signature(&mut self, function: &Function) -> Result<Signature, Error> {
        let mut read = || -> Result<Signature, Fault> {
            let mut params = Vec::with_capacity(function.params.len());
            for param in &function.params {
                params.push(Param { name: self.draft.name(&param.name)?, ty: self.value(param.ty, 0)? });
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

    fn value(&mut self, ty: wit_parser::Type, depth: usize) -> Result<Type, Fault> {
        self.draft.part(depth)?;
        Ok(match ty {
            wit_parser::Type::Bool => Type::Bool,
            wit_parser::Type::U8 => Type::U8,
            wit_parser::Type::U16 => Type::U16,
            wit_parser::Type::U32 => Type::U32,
            wit_parser::Type::U64 => Type::U64,
            wit_parser::Type::S8 => Type::S8,
            wit_parser::Type::S16 => Type::S16,
            wit_parser::Type::S32 => Type::S32,
            wit_parser::Type::S64 => Type::S64,
            wit_parser::Type::F32 => Type::F32,
            wit_parser::Type::F64 => Type::F64,
            wit_parser::Type::Char => Type::Char,
            wit_parser::Type::String => Type::String,
            wit_parser::Type::ErrorContext => return Err(Fault::Handle("error-context".to_owned())),
            wit_parser::Type::Id(id) => self.defined(id, depth)?,
        })
    }

    fn defined(&mut self, id: wit_parser::TypeId, depth: usize) -> Result<Type, Fault> {
        let id = self.root(id);
        if let Some(known) = self.defined.get(&id) {
            return Ok(Type::Named(*known));
        }
        let resolve = self.resolve;
        let Some(def) = resolve.types.get(id) else { return Err(Fault::Handle("type".to_owned())) };
        if let TypeDefKind::Handle(wit_parser::Handle::Own(resource) | wit_parser::Handle::Borrow(resource)) = def.kind
        {
            return self.resource(resource);
        }
        let Some(name) = &def.name else { return self.structure(&def.kind, depth) };
        let definition = match &def.kind {
            TypeDefKind::Record(record) => {
                let fields = record.fields.iter().map(|field| (&field.name, &field.docs, Some(field.ty)));
                Definition::Record(self.members(fields, depth)?)
            }
            TypeDefKind::Variant(variant) => {
                let cases = variant.cases.iter().map(|case| (&case.name, &case.docs, case.ty));
                Definition::Variant(self.members(cases, depth)?)
            }
            TypeDefKind::Enum(cases) => {
                let cases = cases.cases.iter().map(|case| (&case.name, &case.docs, None));
                Definition::Enum(self.members(cases, depth)?)
            }
            TypeDefKind::Flags(flags) => {
                let flags = flags.flags.iter().map(|flag| (&flag.name, &flag.docs, None));
                Definition::Flags(self.members(flags, depth)?)
            }
            other => Definition::Alias(self.structure(other, depth)?),
        };
        let interface = match def.owner {
            TypeOwner::Interface(id) => self.interface(id),
            TypeOwner::World(_) | TypeOwner::None => String::new(),
        };
        let (interface, name) = (self.draft.name(&interface)?, self.draft.name(name)?);
        let docs = self.draft.name(docs(&def.docs))?;
        let known = self.draft.add(TypeDef { interface, name, docs, definition });
        self.defined.insert(id, known);
        Ok(Type::Named(known))
    }

    /// The handle of a resource of the world's own.
    fn resource(&mut self, id: wit_parser::TypeId) -> Result<Type, Fault> {
        let handle = || Fault::Handle("resource".to_owned());
        let id = self.root(id);
        let resolve = self.resolve;
        let def = resolve.types.get(id).ok_or_else(handle)?;
        let interface = match def.owner {
            TypeOwner::Interface(id) if self.exported.contains(&id) => self.interface(id),
            TypeOwner::Interface(_) | TypeOwner::World(_) | TypeOwner::None => return Err(handle()),
        };
        if let Some(known) = self.defined.get(&id) {
            return Ok(Type::Named(*known));
        }
        let (interface, name) =
            (self.draft.name(&interface)?, self.draft.name(def.name.as_deref().unwrap_or_default())?);
        let docs = self.draft.name(docs(&def.docs))?;
        let known = self.draft.add(TypeDef { interface, name, docs, definition: Definition::Resource });
        self.defined.insert(id, known);
        Ok(Type::Named(known))
    }

    /// The type that this one is another name of.
    fn root(&self, mut id: wit_parser::TypeId) -> wit_parser::TypeId {
        // WIT has no types that are made of themselves, so this ends.
        while let Some(TypeDefKind::Type(wit_parser::Type::Id(other))) = self.resolve.types.get(id).map(|def| &def.kind)
        {
            if self.resolve.types.get(*other).is_none_or(|other| other.name.is_none()) {
                break;
            }
            id = *other;
        }
        id
    }

    fn members<'a>(
        &mut self,
        members: impl Iterator<Item = (&'a String, &'a Docs, Option<wit_parser::Type>)>,
        depth: usize,
    ) -> Result<Vec<Member>, Fault> {
        let mut read = Vec::new();
        for (name, text, ty) in members {
            self.draft.part(depth)?;
            let ty = ty.map(|ty| self.value(ty, depth + 1)).transpose()?;
            read.push(Member { name: self.draft.name(name)?, docs: self.draft.name(docs(text))?, ty });
        }
        Ok(read)
    }

    fn structure(&mut self, kind: &TypeDefKind, depth: usize) -> Result<Type, Fault> {
        Ok(match kind {
            TypeDefKind::List(ty) | TypeDefKind::FixedLengthList(ty, _) => Type::List(self.boxed(*ty, depth)?),
            TypeDefKind::Map(key, value) => Type::Map(self.boxed(*key, depth)?, self.boxed(*value, depth)?),
            TypeDefKind::Tuple(tuple) => {
                Type::Tuple(tuple.types.iter().map(|ty| self.value(*ty, depth + 1)).collect::<Result<_, _>>()?)
            }
            TypeDefKind::Option(ty) => Type::Option(self.boxed(*ty, depth)?),
            TypeDefKind::Result(result) => Type::Result(
                result.ok.map(|ty| self.boxed(ty, depth)).transpose()?,
                result.err.map(|ty| self.boxed(ty, depth)).transpose()?,
            ),
            TypeDefKind::Type(ty) => self.value(*ty, depth + 1)?,
            TypeDefKind::Resource
            | TypeDefKind::Handle(_)
            | TypeDefKind::Future(_)
            | TypeDefKind::Stream(_)
            // The rest always has a name.
            | TypeDefKind::Record(_)
            | TypeDefKind::Variant(_)
            | TypeDefKind::Enum(_)
            | TypeDefKind::Flags(_)
            | TypeDefKind::Unknown => return Err(Fault::Handle(kind.as_str().to_owned())),
        })
    }

    fn boxed(&mut self, ty: wit_parser::Type, depth: usize) -> Result<Box<Type>, Fault> {
        self.value(ty, depth + 1).map(Box::new)
    }
}
