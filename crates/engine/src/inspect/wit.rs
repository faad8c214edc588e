//! Prints a component's world as WIT: what it imports and exports, and the packages of the interfaces it names.
//!
//! The form is that of `wasm-tools component wit`: a world named `root`, and packages nested behind it. A component
//! that no WIT could describe gets the nearest text, with what can't be said left as a comment.

use super::{
    WIT_BYTES_MAX,
    scan::Scan,
    shown,
    types::{Names, Text},
};
use std::collections::HashMap;
use wasmparser::{
    component_types::{
        ComponentAnyTypeId, ComponentDefinedType, ComponentDefinedTypeId, ComponentEntityType, ComponentFuncTypeId,
        ComponentInstanceType, ComponentItem,
    },
    types::TypesRef,
};

/// The world has no name of its own in a binary.
const WORLD: &str = "package root:component;\n\nworld root {\n";
/// What stands behind a text that was cut.
const CUT: &str = "\n// cut here: the rest would be too long\n";

/// Prints the world of a component.
pub(super) fn print(scan: &Scan<'_>, types: TypesRef<'_>) -> String {
    let names = Names::read(scan, types);
    let mut wit = Wit { types, names: &names, text: Text::new(types, &names, WIT_BYTES_MAX) };
    let world = World::read(scan, types);
    wit.world(&world);
    for package in packages(&world, types) {
        wit.package(&package);
    }
    wit.text.finish(CUT)
}

/// What a component imports and exports itself.
struct World<'t> {
    imports: Vec<(&'t str, &'t ComponentItem)>,
    exports: Vec<(&'t str, &'t ComponentItem)>,
}

impl<'t> World<'t> {
    fn read(scan: &'t Scan<'_>, types: TypesRef<'t>) -> World<'t> {
        let import = |name: &&'t str| Some((*name, types.component_item_for_import(name)?));
        let export = |(name, _): &(&'t str, _)| Some((*name, types.component_item_for_export(name)?));
        World {
            imports: scan.imports.iter().filter_map(import).collect(),
            exports: scan.exports.iter().filter_map(export).collect(),
        }
    }
}

/// A package, and those of its interfaces that the world names.
struct Package<'t> {
    name: &'t str,
    version: &'t str,
    interfaces: Vec<Interface<'t>>,
}

/// An interface, which a world may both import and export, with different parts of it.
struct Interface<'t> {
    name: &'t str,
    full_name: &'t str,
    imported: &'t ComponentInstanceType,
    exported: Option<&'t ComponentInstanceType>,
}

/// Gathers the interfaces of a world by package, in the order of the world.
fn packages<'t>(world: &World<'t>, types: TypesRef<'t>) -> Vec<Package<'t>> {
    let mut packages: Vec<Package<'t>> = Vec::new();
    let mut places = HashMap::new();
    let mut seen = HashMap::new();
    for (full_name, item) in world.imports.iter().chain(&world.exports) {
        let ComponentEntityType::Instance(id) = item.ty else { continue };
        let (Some(path), Some(instance)) = (Path::read(full_name), types.get(id)) else { continue };
        let place = *places.entry((path.package, path.version)).or_insert(packages.len());
        if place == packages.len() {
            packages.push(Package { name: path.package, version: path.version, interfaces: Vec::new() });
        }
        let Some(package) = packages.get_mut(place) else { continue };
        let index = *seen.entry(*full_name).or_insert(package.interfaces.len());
        match package.interfaces.get_mut(index) {
            Some(interface) => interface.exported = Some(instance),
            None => {
                let (name, full_name) = (path.interface, *full_name);
                package.interfaces.push(Interface { name, full_name, imported: instance, exported: None });
            }
        }
    }
    packages
}

/// The name of an interface in its parts: `wasi:io/poll@0.2.6`.
struct Path<'t> {
    package: &'t str,
    interface: &'t str,
    version: &'t str,
}

impl<'t> Path<'t> {
    fn read(name: &'t str) -> Option<Path<'t>> {
        let (path, version) = name.split_once('@').unwrap_or((name, ""));
        let (package, interface) = path.split_once('/')?;
        let is_plain = package.contains(':') && !name.contains(['=', '<']);
        is_plain.then_some(Path { package, interface, version })
    }
}

/// The text of a world as it grows.
struct Wit<'t, 'n> {
    types: TypesRef<'t>,
    names: &'n Names<'t>,
    text: Text<'t, 'n>,
}

impl<'t> Wit<'t, '_> {
    fn world(&mut self, world: &World<'t>) {
        self.text.push(WORLD);
        let is_type = |item: &ComponentItem| matches!(item.ty, ComponentEntityType::Type { .. });
        for (name, item) in world.imports.iter().filter(|(_, item)| !is_type(item)) {
            self.world_item("import", name, item);
        }
        self.items("", world.imports.iter().copied().filter(|(_, item)| is_type(item)), "  ");
        if !world.imports.is_empty() && !world.exports.is_empty() {
            self.text.push("\n");
        }
        for (name, item) in &world.exports {
            self.world_item("export", name, item);
        }
        self.text.push("}\n");
    }

    fn world_item(&mut self, keyword: &str, name: &'t str, item: &'t ComponentItem) {
        let is_path = Path::read(name).is_some();
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '-';
        match item.ty {
            ComponentEntityType::Instance(_) if is_path => self.line("  ", &format!("{keyword} {name};")),
            ComponentEntityType::Instance(id) if name.chars().all(is_word) => {
                let Some(instance) = self.types.get(id) else { return };
                self.text.push(&format!("  {keyword} "));
                self.text.identifier(name);
                self.text.push(": interface {\n");
                self.items(name, instance.exports.iter().map(|(name, item)| (name.as_str(), item)), "    ");
                self.text.push("  }\n");
            }
            ComponentEntityType::Func(id) if name.chars().all(is_word) => {
                self.text.push(&format!("  {keyword} "));
                self.named_function(name, "", id, 0);
            }
            _ => self.line("  ", &format!("// {keyword} {}", shown(name))),
        }
    }

    fn package(&mut self, package: &Package<'t>) {
        if self.text.is_full() {
            return;
        }
        let at = if package.version.is_empty() { "" } else { "@" };
        self.line("", &format!("\npackage {}{at}{} {{", package.name, package.version));
        for interface in &package.interfaces {
            self.text.push("  interface ");
            self.text.identifier(interface.name);
            self.text.push(" {\n");
            let imported = interface.imported.exports.iter();
            let more = interface.exported.into_iter().flat_map(|exported| &exported.exports);
            let more = more.filter(|(name, _)| !interface.imported.exports.contains_key(name.as_str()));
            let items = imported.chain(more).map(|(name, item)| (name.as_str(), item));
            self.items(interface.full_name, items, "    ");
            self.text.push("  }\n");
        }
        self.text.push("}\n");
    }

    /// Prints the items of an interface, or the types of the world: uses, types with their functions, functions.
    fn items(&mut self, owner: &'t str, items: impl Iterator<Item = (&'t str, &'t ComponentItem)>, indent: &str) {
        if self.text.is_full() {
            return;
        }
        let mut found = Items::default();
        for (name, item) in items {
            match item.ty {
                ComponentEntityType::Type { referenced, .. } => match self.names.of(self.types, referenced) {
                    Some((from, other)) if from != owner && Path::read(from).is_some() => {
                        found.uses.push(Use { from, other, name });
                    }
                    Some((from, other)) if from == owner && other != name => {
                        found.types.push((name, Definition::Alias(other)))
                    }
                    _ => found.types.push((name, Definition::Own(referenced))),
                },
                ComponentEntityType::Func(id) => match member_of(name) {
                    Some((resource, member)) => found.members.entry(resource).or_default().push((member, id)),
                    None => found.functions.push((name, id)),
                },
                _ => self.line(indent, &format!("// {}", shown(name))),
            }
        }
        self.uses(owner, &found.uses, indent);
        for (name, definition) in &found.types {
            self.ty(name, *definition, found.members.get(name).map_or(&[][..], Vec::as_slice), indent);
        }
        for (name, id) in found.functions {
            self.text.push(indent);
            self.named_function(name, "", id, 0);
        }
    }

    fn uses(&mut self, owner: &str, uses: &[Use<'t>], indent: &str) {
        for group in uses.chunk_by(|a, b| a.from == b.from) {
            let Some(first) = group.first() else { continue };
            let (here, there) = (Path::read(owner), Path::read(first.from));
            let near = here.zip(there).filter(|(a, b)| (a.package, a.version) == (b.package, b.version));
            let names = group.iter().map(Use::names).collect::<Vec<_>>().join(", ");
            self.text.push(indent);
            self.text.push("use ");
            match near {
                Some((_, there)) => self.text.identifier(there.interface),
                None => self.text.push(first.from),
            }
            self.text.push(&format!(".{{{names}}};\n"));
        }
    }

    fn ty(
        &mut self,
        name: &str,
        definition: Definition<'t>,
        members: &[(Member<'t>, ComponentFuncTypeId)],
        indent: &str,
    ) {
        self.text.push(indent);
        match definition {
            Definition::Alias(other) => {
                self.text.push("type ");
                self.text.identifier(name);
                self.text.push(" = ");
                self.text.identifier(other);
                self.text.push(";\n");
            }
            Definition::Own(ComponentAnyTypeId::Resource(_)) => self.resource(name, members, indent),
            Definition::Own(ComponentAnyTypeId::Defined(id)) => self.defined(name, id, indent),
            Definition::Own(_) => self.line("", &format!("// type {}", shown(name))),
        }
    }

    fn resource(&mut self, name: &str, members: &[(Member<'t>, ComponentFuncTypeId)], indent: &str) {
        self.text.push("resource ");
        self.text.identifier(name);
        if members.is_empty() {
            return self.text.push(";\n");
        }
        self.text.push(" {\n");
        for (member, id) in members {
            self.text.push(indent);
            self.text.push("  ");
            match member {
                Member::Constructor => {
                    self.text.function(*id, "constructor", 0);
                    self.text.push(";\n");
                }
                Member::Method(name) => self.named_function(name, "", *id, 1),
                Member::Static(name) => self.named_function(name, "static ", *id, 0),
            }
        }
        self.line(indent, "}");
    }

    fn defined(&mut self, name: &str, id: ComponentDefinedTypeId, indent: &str) {
        let Some(ty) = self.types.get(id) else { return };
        match ty {
            ComponentDefinedType::Record(record) => {
                let fields = record.fields.iter().map(|(name, ty)| (name.as_str(), ": ", Some(*ty), ""));
                self.members(("record ", name), fields, indent);
            }
            ComponentDefinedType::Variant(variant) => {
                let cases = variant.cases.iter().map(|(name, case)| (name.as_str(), "(", case.ty, ")"));
                self.members(("variant ", name), cases, indent);
            }
            ComponentDefinedType::Flags(flags) => {
                self.members(("flags ", name), flags.iter().map(|name| (name.as_str(), "", None, "")), indent);
            }
            ComponentDefinedType::Enum(cases) => {
                self.members(("enum ", name), cases.iter().map(|name| (name.as_str(), "", None, "")), indent);
            }
            _ => {
                self.text.push("type ");
                self.text.identifier(name);
                self.text.push(" = ");
                self.text.structure(id);
                self.text.push(";\n");
            }
        }
    }

    fn members<'a>(
        &mut self,
        (keyword, name): (&str, &str),
        members: impl Iterator<Item = super::types::Member<'a>>,
        indent: &str,
    ) {
        self.text.push(keyword);
        self.text.identifier(name);
        self.text.push(" {\n");
        for member in members {
            self.text.push(indent);
            self.text.push("  ");
            self.text.member(member);
            self.text.push(",\n");
        }
        self.line(indent, "}");
    }

    fn named_function(&mut self, name: &str, prefix: &str, id: ComponentFuncTypeId, skipped: usize) {
        self.text.identifier(name);
        self.text.push(": ");
        self.text.push(prefix);
        self.text.function(id, "func", skipped);
        self.text.push(";\n");
    }

    fn line(&mut self, indent: &str, text: &str) {
        self.text.push(indent);
        self.text.push(text);
        self.text.push("\n");
    }
}

/// The items of an interface, apart by how they are written.
#[derive(Default)]
struct Items<'t> {
    uses: Vec<Use<'t>>,
    types: Vec<(&'t str, Definition<'t>)>,
    members: HashMap<&'t str, Vec<(Member<'t>, ComponentFuncTypeId)>>,
    functions: Vec<(&'t str, ComponentFuncTypeId)>,
}

/// A type that another interface has, and what it is called there and here.
struct Use<'t> {
    from: &'t str,
    other: &'t str,
    name: &'t str,
}

impl Use<'_> {
    fn names(&self) -> String {
        if self.other == self.name { self.name.to_owned() } else { format!("{} as {}", self.other, self.name) }
    }
}

/// What a type is: another one of the same interface, or one of its own.
#[derive(Clone, Copy)]
enum Definition<'t> {
    Alias(&'t str),
    Own(ComponentAnyTypeId),
}

/// A function of a resource.
enum Member<'t> {
    Constructor,
    Method(&'t str),
    Static(&'t str),
}

/// Reads the name of a resource's function: `[method]pollable.ready`.
fn member_of(name: &str) -> Option<(&str, Member<'_>)> {
    if let Some(resource) = name.strip_prefix("[constructor]") {
        return Some((resource, Member::Constructor));
    }
    if let Some(path) = name.strip_prefix("[method]") {
        return path.split_once('.').map(|(resource, name)| (resource, Member::Method(name)));
    }
    let (resource, name) = name.strip_prefix("[static]")?.split_once('.')?;
    Some((resource, Member::Static(name)))
}
