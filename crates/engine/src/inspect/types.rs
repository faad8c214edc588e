//! The types of what a guest imports and exports, as text.
//!
//! They come from `wasmparser`'s validator, which is given everything but the function bodies. It bounds how deep and
//! how large one type may be; what is printed of it is bounded here, since a hundred bytes of types can say a gigabyte.

use super::{Export, Kind, LISTED_MAX, Malformed, TYPE_BYTES_MAX, scan::Scan, shown};
use std::collections::HashMap;
use wasmparser::{
    CompositeInnerType, FuncType, Parser, ValType, ValidPayload, Validator, WasmFeatures,
    component_types::{
        AliasableResourceId, ComponentAnyTypeId, ComponentDefinedType, ComponentDefinedTypeId, ComponentEntityType,
        ComponentFuncTypeId, ComponentItem, ComponentValType,
    },
    types::{EntityType, Types, TypesRef},
};

/// The most exports, those of interfaces included, that are looked at. An instance may be exported many times over.
const READ_MAX: usize = 1_000_000;
/// The most types that are known by name.
const NAMES_MAX: usize = 100_000;

/// Reads the types of a guest. Its nesting must have been measured.
pub(super) fn read(bytes: &[u8]) -> Result<Types, Malformed> {
    let mut validator = Validator::new_with_features(WasmFeatures::all());
    let mut outermost = None;
    for payload in Parser::new(0).parse_all(bytes) {
        if let ValidPayload::End(types) = validator.payload(&payload?)? {
            outermost = Some(types);
        }
    }
    let missing =
        || Malformed::Invalid { offset: bytes.len() as u64, message: "expected an end, found nothing".into() };
    outermost.ok_or_else(missing)
}

/// Lists the exports of a guest with their types, and counts them all.
pub(super) fn exports(scan: &Scan<'_>, types: &TypesRef<'_>) -> (Vec<Export>, u64) {
    match scan.kind {
        Kind::Core => {
            let all = || types.core_exports().into_iter().flatten();
            let export = |(name, ty)| Export { name: shown(name), ty: core(*types, ty) };
            (all().take(LISTED_MAX).map(export).collect(), all().count() as u64)
        }
        Kind::Component => {
            let names = Names::read(scan, *types);
            let all = || component_exports(scan, *types).filter(Exported::is_listed);
            let export =
                |export: Exported<'_>| Export { name: export.name(), ty: entity(*types, &names, export.item.ty) };
            (all().take(LISTED_MAX).map(export).collect(), all().count() as u64)
        }
    }
}

/// The functions that a module exports.
pub(super) fn core_functions<'t>(types: &'t TypesRef<'t>) -> impl Iterator<Item = (&'t str, &'t FuncType)> {
    let exports = types.core_exports().into_iter().flatten();
    exports.filter_map(move |(name, ty)| match ty {
        EntityType::Func(id) | EntityType::FuncExact(id) => Some((name, function(*types, id)?)),
        EntityType::Table(_) | EntityType::Memory(_) | EntityType::Global(_) | EntityType::Tag(_) => None,
    })
}

/// The functions of the interfaces that a component exports: interface and function.
pub(super) fn interface_functions<'t>(
    scan: &'t Scan<'t>,
    types: &'t TypesRef<'t>,
) -> impl Iterator<Item = (&'t str, &'t str)> {
    component_exports(scan, *types).filter_map(|export| match export.item.ty {
        ComponentEntityType::Func(_) => Some((export.export, export.inner?)),
        _ => None,
    })
}

/// The type of something that a module imports or exports.
pub(super) fn core(types: TypesRef<'_>, ty: EntityType) -> String {
    match ty {
        EntityType::Func(id) | EntityType::FuncExact(id) => function(types, id).map(core_function).unwrap_or_default(),
        EntityType::Table(ty) => format!("table of {}, {}", ty.element_type, range(ty.initial, ty.maximum, "elements")),
        EntityType::Memory(ty) => format!("memory, {}", range(ty.initial, ty.maximum, "pages")),
        EntityType::Global(ty) if ty.mutable => format!("mutable global {}", ty.content_type),
        EntityType::Global(ty) => format!("global {}", ty.content_type),
        EntityType::Tag(_) => "tag".into(),
    }
}

/// The type of something that a component imports.
pub(super) fn import(types: TypesRef<'_>, name: &str) -> String {
    match types.component_item_for_import(name) {
        Some(item) => entity(types, &Names::default(), item.ty),
        None => String::new(),
    }
}

/// What types are called: by the interface that has them, or by nothing for those of the world itself.
#[derive(Default)]
pub(super) struct Names<'t> {
    names: HashMap<ComponentAnyTypeId, (&'t str, &'t str)>,
}

impl<'t> Names<'t> {
    /// Reads the names that a component's imports and exports give to types.
    pub(super) fn read(scan: &'t Scan<'_>, types: TypesRef<'t>) -> Names<'t> {
        let mut names = Names::default();
        let imports = scan.imports.iter().filter_map(|name| Some((*name, types.component_item_for_import(name)?)));
        let exports = scan.exports.iter().filter_map(|(name, _)| Some((*name, types.component_item_for_export(name)?)));
        for (name, item) in imports.chain(exports) {
            match item.ty {
                ComponentEntityType::Instance(id) => {
                    for (inner, item) in types.get(id).into_iter().flat_map(|instance| &instance.exports) {
                        names.add(item, name, inner);
                    }
                }
                _ => names.add(item, "", name),
            }
        }
        names
    }

    /// The interface and the name of a type, or of the nearest type that it is an alias of.
    pub(super) fn of(&self, types: TypesRef<'t>, id: ComponentAnyTypeId) -> Option<(&'t str, &'t str)> {
        let mut next = Some(id);
        while let Some(id) = next {
            if let Some(name) = self.names.get(&id) {
                return Some(*name);
            }
            next = types.peel_alias(id);
        }
        None
    }

    fn add(&mut self, item: &ComponentItem, interface: &'t str, name: &'t str) {
        if let ComponentEntityType::Type { created, .. } = item.ty
            && self.names.len() < NAMES_MAX
        {
            self.names.entry(created).or_insert((interface, name));
        }
    }
}

/// A field or a case: its name, and its type, where it has one, between two marks.
pub(super) type Member<'a> = (&'a str, &'static str, Option<ComponentValType>, &'static str);

/// Text of types, cut at a number of bytes.
pub(super) struct Text<'t, 'n> {
    types: TypesRef<'t>,
    names: &'n Names<'t>,
    text: String,
    bytes_max: usize,
}

impl<'t, 'n> Text<'t, 'n> {
    /// Starts an empty text.
    pub(super) fn new(types: TypesRef<'t>, names: &'n Names<'t>, bytes_max: usize) -> Text<'t, 'n> {
        Text { types, names, text: String::new(), bytes_max }
    }

    /// Ends the text. One that was cut ends with this mark.
    pub(super) fn finish(mut self, mark: &str) -> String {
        if self.is_full() {
            let at = (0..=self.bytes_max).rev().find(|at| self.text.is_char_boundary(*at)).unwrap_or_default();
            self.text.truncate(at);
            self.text.push_str(mark);
        }
        self.text
    }

    /// Whether nothing more will be taken.
    pub(super) fn is_full(&self) -> bool {
        self.text.len() > self.bytes_max
    }

    /// Adds text.
    pub(super) fn push(&mut self, text: &str) {
        if !self.is_full() {
            self.text.push_str(text);
        }
    }

    /// Adds an identifier, marked as one where WIT has a keyword of that name.
    pub(super) fn identifier(&mut self, name: &str) {
        if KEYWORDS.contains(&name) {
            self.push("%");
        }
        self.push(name);
    }

    /// Adds `func(a: s32) -> s32`, without the first parameters where they are not written.
    pub(super) fn function(&mut self, id: ComponentFuncTypeId, keyword: &str, skipped: usize) {
        let Some(function) = self.types.get(id) else { return };
        if function.async_ {
            self.push("async ");
        }
        self.push(keyword);
        self.push("(");
        for (index, (name, ty)) in function.params.iter().skip(skipped).enumerate() {
            self.separate(index);
            self.identifier(name);
            self.push(": ");
            self.value(*ty);
        }
        self.push(")");
        if let Some(result) = function.result
            && !(keyword == "constructor" && self.is_own(result))
        {
            self.push(" -> ");
            self.value(result);
        }
    }

    /// Adds a type where it is used: its name, or what it is made of where it has none.
    pub(super) fn value(&mut self, ty: ComponentValType) {
        match ty {
            _ if self.is_full() => {}
            ComponentValType::Primitive(primitive) => self.push(&primitive.to_string()),
            ComponentValType::Type(id) => match self.names.of(self.types, id.into()) {
                Some((_, name)) => self.identifier(name),
                None => self.structure(id),
            },
        }
    }

    /// Adds what a type is made of.
    pub(super) fn structure(&mut self, id: ComponentDefinedTypeId) {
        let Some(ty) = self.types.get(id) else { return };
        match ty {
            ComponentDefinedType::Primitive(primitive) => self.push(&primitive.to_string()),
            ComponentDefinedType::Record(record) => {
                let fields = record.fields.iter().map(|(name, ty)| (name.as_str(), ": ", Some(*ty), ""));
                self.members("record", fields);
            }
            ComponentDefinedType::Variant(variant) => {
                let cases = variant.cases.iter().map(|(name, case)| (name.as_str(), "(", case.ty, ")"));
                self.members("variant", cases);
            }
            ComponentDefinedType::Flags(names) => {
                self.members("flags", names.iter().map(|name| (name.as_str(), "", None, "")));
            }
            ComponentDefinedType::Enum(names) => {
                self.members("enum", names.iter().map(|name| (name.as_str(), "", None, "")));
            }
            ComponentDefinedType::List { element, .. } => self.generic("list", &[Some(*element)]),
            ComponentDefinedType::FixedLengthList { element, length, .. } => {
                self.push("list<");
                self.value(*element);
                self.push(&format!(", {length}>"));
            }
            ComponentDefinedType::Map { key, value, .. } => self.generic("map", &[Some(*key), Some(*value)]),
            ComponentDefinedType::Tuple(tuple) => {
                let types: Vec<_> = tuple.types.iter().map(|ty| Some(*ty)).collect();
                self.generic("tuple", &types);
            }
            ComponentDefinedType::Option { ty, .. } => self.generic("option", &[Some(*ty)]),
            ComponentDefinedType::Result { ok, err: None, .. } => self.generic("result", &[*ok]),
            ComponentDefinedType::Result { ok, err, .. } => self.generic("result", &[*ok, *err]),
            ComponentDefinedType::Own(id) => self.resource(*id),
            ComponentDefinedType::Borrow(id) => {
                self.push("borrow<");
                self.resource(*id);
                self.push(">");
            }
            ComponentDefinedType::Future { ty, .. } => self.generic("future", &[*ty]),
            ComponentDefinedType::Stream { ty, .. } => self.generic("stream", &[*ty]),
        }
    }

    /// Adds `{ a: s32, b: s32 }`, after its keyword.
    fn members<'a>(&mut self, keyword: &str, members: impl Iterator<Item = Member<'a>>) {
        self.push(keyword);
        self.push(" { ");
        for (index, member) in members.enumerate() {
            self.separate(index);
            self.member(member);
        }
        self.push(" }");
    }

    /// Adds one field or case: its name, and its type between two marks where it has one.
    pub(super) fn member(&mut self, (name, open, ty, close): Member<'_>) {
        self.identifier(name);
        if let Some(ty) = ty {
            self.push(open);
            self.value(ty);
            self.push(close);
        }
    }

    /// Adds `result<_, string>`: a missing type is `_`, and all of them missing is the bare keyword.
    fn generic(&mut self, keyword: &str, types: &[Option<ComponentValType>]) {
        self.push(keyword);
        if types.iter().all(Option::is_none) {
            return;
        }
        self.push("<");
        for (index, ty) in types.iter().enumerate() {
            self.separate(index);
            match ty {
                Some(ty) => self.value(*ty),
                None => self.push("_"),
            }
        }
        self.push(">");
    }

    fn resource(&mut self, id: AliasableResourceId) {
        match self.names.of(self.types, ComponentAnyTypeId::Resource(id)) {
            Some((_, name)) => self.identifier(name),
            None => self.push("resource"),
        }
    }

    fn separate(&mut self, index: usize) {
        if index > 0 {
            self.push(", ");
        }
    }

    fn is_own(&self, ty: ComponentValType) -> bool {
        let ComponentValType::Type(id) = ty else { return false };
        matches!(self.types.get(id), Some(ComponentDefinedType::Own(_)))
    }
}

/// An export of a component, or an item of an interface that it exports.
struct Exported<'t> {
    export: &'t str,
    inner: Option<&'t str>,
    item: &'t ComponentItem,
}

impl Exported<'_> {
    /// Functions count one by one; an interface, and the types in it, don't.
    fn is_listed(&self) -> bool {
        match self.item.ty {
            ComponentEntityType::Func(_) => true,
            ComponentEntityType::Instance(_) => false,
            _ => self.inner.is_none(),
        }
    }

    fn name(&self) -> String {
        match self.inner {
            Some(inner) => format!("{}#{}", shown(self.export), shown(inner)),
            None => shown(self.export),
        }
    }
}

fn component_exports<'t>(scan: &'t Scan<'_>, types: TypesRef<'t>) -> impl Iterator<Item = Exported<'t>> {
    let exports =
        scan.exports.iter().filter_map(move |(name, _)| Some((*name, types.component_item_for_export(name)?)));
    let with_inner = exports.flat_map(move |(export, item)| {
        let instance = if let ComponentEntityType::Instance(id) = item.ty { types.get(id) } else { None };
        let inner = instance.into_iter().flat_map(|instance| &instance.exports);
        let inner = inner.map(move |(name, item)| Exported { export, inner: Some(name), item });
        std::iter::once(Exported { export, inner: None, item }).chain(inner)
    });
    with_inner.take(READ_MAX)
}

fn entity<'t>(types: TypesRef<'t>, names: &Names<'t>, ty: ComponentEntityType) -> String {
    match ty {
        ComponentEntityType::Func(id) => {
            let mut text = Text::new(types, names, TYPE_BYTES_MAX);
            text.function(id, "func", 0);
            text.finish("…")
        }
        ComponentEntityType::Instance(id) => {
            let exports = types.get(id).into_iter().flat_map(|instance| instance.exports.values()).take(READ_MAX);
            let functions = exports.filter(|item| matches!(item.ty, ComponentEntityType::Func(_))).count();
            format!("interface of {functions} function{}", if functions == 1 { "" } else { "s" })
        }
        ComponentEntityType::Module(_) => "core module".into(),
        ComponentEntityType::Value(_) => "value".into(),
        ComponentEntityType::Type { .. } => "type".into(),
        ComponentEntityType::Component(_) => "component".into(),
    }
}

fn function(types: TypesRef<'_>, id: wasmparser::types::CoreTypeId) -> Option<&FuncType> {
    match &types.get(id)?.composite_type.inner {
        CompositeInnerType::Func(function) => Some(function),
        CompositeInnerType::Array(_) | CompositeInnerType::Struct(_) | CompositeInnerType::Cont(_) => None,
    }
}

fn core_function(function: &FuncType) -> String {
    let list = |types: &[ValType]| types.iter().map(ValType::to_string).collect::<Vec<_>>().join(", ");
    match function.results() {
        [result] => format!("({}) -> {result}", list(function.params())),
        results => format!("({}) -> ({})", list(function.params()), list(results)),
    }
}

fn range(initial: u64, maximum: Option<u64>, unit: &str) -> String {
    match maximum {
        Some(maximum) => format!("{initial} to {maximum} {unit}"),
        None => format!("{initial} {unit} or more"),
    }
}

/// The words that WIT gives a meaning, from <https://component-model.bytecodealliance.org/design/wit.html>.
const KEYWORDS: &[&str] = &[
    "as",
    "async",
    "bool",
    "borrow",
    "char",
    "constructor",
    "enum",
    "error-context",
    "export",
    "f32",
    "f64",
    "flags",
    "float32",
    "float64",
    "from",
    "func",
    "future",
    "import",
    "include",
    "interface",
    "list",
    "map",
    "option",
    "own",
    "package",
    "record",
    "resource",
    "result",
    "s16",
    "s32",
    "s64",
    "s8",
    "static",
    "stream",
    "string",
    "tuple",
    "type",
    "u16",
    "u32",
    "u64",
    "u8",
    "use",
    "variant",
    "with",
    "world",
];
