//! Python: a protocol of what a host can call, to cast a plugin to, and the types of its functions.
//!
//! The file is a stub and a module of Python 3.11 at once, so that its names can also be imported where a program runs.

mod words;

use crate::{
    names::{self, Scope, comment_lines, identifier, pascal, quoted},
    world::{Definition, Function, Member, Number, Param, Signature, Type, TypeDef, World, core_ways},
};
use words::{BUILTINS, KEYWORDS, METHODS, RESERVED};

/// How many ways to write the arguments of a core function are spelled out.
const WAYS_MAX: usize = 16;

const HEAD: &str = "\
from __future__ import annotations

from typing import Any, Awaitable, Callable, Generic, Literal, NotRequired, Protocol, TypedDict, TypeVar, Union, final, overload

T = TypeVar(\"T\")

# A 64-bit integer: beyond 2^53 a string, which `int` reads.
Integer64 = Union[int, str]

# A float: a string where JSON has no number, which `float` reads.
Float = Union[float, Literal[\"NaN\", \"Infinity\", \"-Infinity\"]]


@final
class Ok(TypedDict, Generic[T]):
    ok: T


@final
class Err(TypedDict, Generic[T]):
    err: T


@final
class Some(TypedDict, Generic[T]):
    some: T


class Base64(TypedDict):
    base64: str


class Handle(TypedDict):
    handle: int


# Bytes as an argument. They come back as a list of numbers.
Bytes = Union[list[int], Base64]
";

const CORE_LIST: &str = "
# A list or text for a core function, which sees its address and its length. A plain list is one of `i32`.
CoreList = Union[list[int], str, dict[str, list[int]], dict[str, list[float]], dict[str, str]]
";

/// Writes the file.
pub(crate) fn write(world: &World) -> String {
    let mut scope = Scope::new(RESERVED);
    let names = names::types(world, &mut scope);
    let mut writer = Writer { world, names, scope };
    let title = quoted(&world.name);
    let mut text = format!(
        "# What the guest {title} takes and gives. Written by `sandbar types --py`; written anew, changes are lost.\n"
    );
    text.push_str(HEAD);
    if world.exports.iter().any(|function| matches!(function.signature, Signature::Numbers { .. })) {
        text.push_str(CORE_LIST);
    }
    for index in 0..world.types.len() {
        writer.definition(&mut text, index);
    }
    writer.exports(&mut text);
    writer.imports(&mut text);
    text
}

struct Writer<'w> {
    world: &'w World,
    names: Vec<String>,
    scope: Scope,
}

/// One way to call a function: its parameters as written behind `self`, and its result.
struct Form {
    params: Vec<String>,
    result: String,
}

impl Writer<'_> {
    fn definition(&mut self, text: &mut String, index: usize) {
        let world = self.world;
        let (Some(def), Some(name)) = (world.types.get(index), self.names.get(index).cloned()) else { return };
        match &def.definition {
            Definition::Record(fields) => self.record(text, def, &name, fields),
            Definition::Variant(cases) => self.variant(text, def, &name, cases),
            Definition::Enum(cases) => {
                comment(text, def);
                text.push_str(&format!("{name} = {}\n", literal(cases)));
            }
            Definition::Flags(flags) => {
                comment(text, def);
                text.push_str(&format!("{name} = list[{}]\n", literal(flags)));
            }
            Definition::Resource => {
                text.push('\n');
                comment(text, def);
                text.push_str(&format!("class {name}(Handle):\n    ...\n"));
            }
            Definition::Alias(ty) => {
                let ty = self.ty(ty);
                comment(text, def);
                text.push_str(&format!("{name} = {ty}\n"));
            }
        }
    }

    fn record(&self, text: &mut String, def: &TypeDef, name: &str, fields: &[Member]) {
        let types: Vec<_> = fields.iter().map(|field| self.field(field)).collect();
        let is_plain = |field: &Member| is_identifier(&field.name);
        text.push('\n');
        comment(text, def);
        if fields.iter().all(is_plain) {
            text.push_str(&format!("class {name}(TypedDict):\n"));
            for (field, ty) in fields.iter().zip(&types) {
                docs(text, "    ", &field.docs);
                text.push_str(&format!("    {}: {ty}\n", field.name));
            }
        } else {
            text.push_str(&format!("{name} = TypedDict(\n    {},\n    {{\n", quoted(name)));
            for (field, ty) in fields.iter().zip(&types) {
                docs(text, "        ", &field.docs);
                text.push_str(&format!("        {}: {ty},\n", quoted(&field.name)));
            }
            text.push_str("    },\n)\n");
        }
    }

    fn field(&self, field: &Member) -> String {
        let Some(ty) = &field.ty else { return "None".to_owned() };
        if self.world.is_option(ty) { format!("NotRequired[{}]", self.ty(ty)) } else { self.ty(ty) }
    }

    fn variant(&mut self, text: &mut String, def: &TypeDef, name: &str, cases: &[Member]) {
        let mut forms = Vec::with_capacity(cases.len());
        for case in cases {
            forms.push(match &case.ty {
                None => format!("Literal[{}]", quoted(&case.name)),
                Some(ty) => {
                    let of_case = self.scope.take(&[format!("{name}{}", pascal(&case.name))]);
                    text.push('\n');
                    docs(text, "", &case.docs);
                    let (key, ty) = (quoted(&case.name), self.ty(ty));
                    // What is final is told from the others by its key; what is written the other way can't be.
                    text.push_str(&if is_identifier(&case.name) {
                        format!("@final\nclass {of_case}(TypedDict):\n    {}: {ty}\n", case.name)
                    } else {
                        format!("{of_case} = TypedDict({}, {{{key}: {ty}}})\n", quoted(&of_case))
                    });
                    of_case
                }
            });
        }
        comment(text, def);
        text.push_str(&format!("{name} = Union[{}]\n", forms.join(", ")));
    }

    fn exports(&self, text: &mut String) {
        text.push_str("\n\n# What a host can call: `cast(Exports, plugin)`.\nclass Exports(Protocol):\n");
        let callable = |function: &&Function| !matches!(function.signature, Signature::Handle(_));
        for function in self.world.exports.iter().filter(|function| !callable(function)) {
            let Signature::Handle(ty) = &function.signature else { continue };
            let name = quoted(&function.full_name());
            text.push_str(&format!("    # {name} can't be called from outside: a `{ty}` of its type has no text.\n"));
        }
        let functions: Vec<_> = self.world.exports.iter().filter(callable).collect();
        for function in &functions {
            let Some(name) = attribute(function, &functions) else { continue };
            docs(text, "    ", &function.docs);
            let forms = self.forms(function);
            for form in &forms {
                overload(text, forms.len());
                text.push_str(&format!("    def {name}({}) -> {}: ...\n", signature(None, &form.params), form.result));
            }
        }
        for (keyword, method) in [("def", "call"), ("async def", "call_async")] {
            let forms: Vec<_> = functions
                .iter()
                .flat_map(|function| self.forms(function).into_iter().map(move |form| (function, form)))
                .collect();
            for (function, form) in &forms {
                let names: Vec<_> = function.call_names().iter().map(|name| quoted(name)).collect();
                let export = format!("export: Literal[{}]", names.join(", "));
                overload(text, forms.len());
                let params = signature(Some(export), &form.params);
                text.push_str(&format!("    {keyword} {method}({params}) -> {}: ...\n", form.result));
            }
        }
        if functions.is_empty() {
            text.push_str("    ...\n");
        }
    }

    fn imports(&mut self, text: &mut String) {
        let can_be_given = |function: &&Function| !matches!(function.signature, Signature::Handle(_));
        let functions: Vec<_> = self.world.imports.iter().filter(can_be_given).collect();
        let mut entries = Vec::new();
        for interface in functions.chunk_by(|a, b| a.interface == b.interface) {
            let Some(first) = interface.first() else { continue };
            let name = self.scope.take(&[format!("{}Functions", pascal(names::own_name(&first.interface)))]);
            text.push_str(&format!("\n{name} = TypedDict(\n    {},\n    {{\n", quoted(&name)));
            for function in interface {
                let Signature::Values { params, result } = &function.signature else { continue };
                let params: Vec<_> = params.iter().map(|param| self.ty(&param.ty)).collect();
                let result = result.as_ref().map_or_else(|| "None".to_owned(), |ty| self.given(ty));
                let (key, params) = (quoted(&function.name), params.join(", "));
                docs(text, "        ", &function.docs);
                let line = format!("        {key}: Callable[[{params}], Union[{result}, Awaitable[{result}]]],\n");
                text.push_str(&line);
            }
            text.push_str("    },\n)\n");
            entries.push(format!("{}: {name}", quoted(&first.interface)));
        }
        text.push_str("\n# Functions that the host gives, by interface and name.\n");
        text.push_str(&format!("Imports = TypedDict(\"Imports\", {{{}}})\n", entries.join(", ")));
    }

    /// The ways to call an export.
    fn forms(&self, function: &Function) -> Vec<Form> {
        match &function.signature {
            Signature::Values { params, result } => {
                let result = result.as_ref().map_or_else(|| "None".to_owned(), |ty| self.ty(ty));
                vec![Form { params: self.params(params), result }]
            }
            Signature::Numbers { params, results } => {
                let result = match results.as_slice() {
                    [] => "None".to_owned(),
                    [one] => number(*one).to_owned(),
                    many => format!("tuple[{}]", many.iter().map(|ty| number(*ty)).collect::<Vec<_>>().join(", ")),
                };
                let ways = core_ways(params, WAYS_MAX);
                if ways.is_empty() {
                    return vec![Form { params: vec!["*args: Any".to_owned()], result }];
                }
                let named = |(index, argument): (usize, &Option<Number>)| {
                    format!("p{index}: {}", argument.map_or("CoreList", number))
                };
                let params = |way: &Vec<Option<Number>>| way.iter().enumerate().map(named).collect();
                ways.iter().map(|way| Form { params: params(way), result: result.clone() }).collect()
            }
            Signature::Stdio => vec![Form { params: vec!["input: Any = ...".to_owned()], result: "Any".to_owned() }],
            Signature::Handle(_) => Vec::new(),
        }
    }

    fn params(&self, params: &[Param]) -> Vec<String> {
        let mut scope = Scope::new(&[KEYWORDS, &["export", "options"]].concat());
        let is_needed = |param: &Param| !self.world.is_option(&param.ty);
        let optional_from = params.iter().rposition(is_needed).map_or(0, |last| last + 1);
        let params = params.iter().enumerate().map(|(index, param)| {
            let name = scope.take(&[identifier(names::snake(&param.name), KEYWORDS)]);
            let default = if index >= optional_from { " = ..." } else { "" };
            format!("{name}: {}{default}", self.given(&param.ty))
        });
        params.collect()
    }

    /// A type of a value that the host gives, which may be written in more ways.
    fn given(&self, ty: &Type) -> String {
        match self.world.behind(ty) {
            Type::List(of) if *self.world.behind(of) == Type::U8 => "Bytes".to_owned(),
            _ => self.ty(ty),
        }
    }

    fn ty(&self, ty: &Type) -> String {
        let payload = |ty: &Option<Box<Type>>| ty.as_ref().map_or_else(|| "None".to_owned(), |ty| self.ty(ty));
        match ty {
            Type::Bool => "bool".to_owned(),
            Type::U8 | Type::U16 | Type::U32 | Type::S8 | Type::S16 | Type::S32 => "int".to_owned(),
            Type::U64 | Type::S64 => "Integer64".to_owned(),
            Type::F32 | Type::F64 => "Float".to_owned(),
            Type::Char | Type::String => "str".to_owned(),
            Type::List(of) => format!("list[{}]", self.ty(of)),
            // An array, which `json` reads as a list; a tuple is written as one.
            Type::Tuple(types) => {
                format!("tuple[{}]", types.iter().map(|ty| self.ty(ty)).collect::<Vec<_>>().join(", "))
            }
            Type::Option(of) if self.world.is_option(of) => format!("Union[Some[{}], None]", self.ty(of)),
            Type::Option(of) => format!("Union[{}, None]", self.ty(of)),
            Type::Result(ok, err) => format!("Union[Ok[{}], Err[{}]]", payload(ok), payload(err)),
            Type::Map(key, value) if *self.world.behind(key) == Type::String => {
                format!("dict[str, {}]", self.ty(value))
            }
            Type::Map(key, value) => format!("list[tuple[{}, {}]]", self.ty(key), self.ty(value)),
            Type::Handle => "Handle".to_owned(),
            Type::Named(id) => self.names.get(id.0).cloned().unwrap_or_default(),
        }
    }
}

/// The name of a function as an attribute of a plugin, where it has one that is its alone.
fn attribute(function: &Function, all: &[&Function]) -> Option<String> {
    let of = |function: &Function| function.name.replace('-', "_");
    let name = of(function);
    let is_fit =
        function.is_alone && is_identifier(&name) && !METHODS.contains(&name.as_str()) && !name.starts_with('_');
    let is_alone = || all.iter().filter(|other| other.is_alone && of(other) == name).count() == 1;
    (is_fit && is_alone()).then_some(name)
}

/// The parameters of a method, which are taken by place; `timeout` and its like by name.
fn signature(export: Option<String>, params: &[String]) -> String {
    let by_place = !params.iter().any(|param| param.starts_with('*')) && (export.is_some() || !params.is_empty());
    let all = std::iter::once("self".to_owned()).chain(export).chain(params.iter().cloned());
    all.chain(by_place.then(|| "/".to_owned()))
        .chain(std::iter::once("**options: Any".to_owned()))
        .collect::<Vec<_>>()
        .join(", ")
}

/// Marks one form of several.
fn overload(text: &mut String, forms: usize) {
    if forms > 1 {
        text.push_str("    @overload\n");
    }
}

fn number(ty: Number) -> &'static str {
    match ty {
        Number::I32 => "int",
        Number::I64 => "Integer64",
        Number::F32 | Number::F64 => "Float",
        Number::V128 => "str",
    }
}

fn literal(members: &[Member]) -> String {
    format!("Literal[{}]", members.iter().map(|member| quoted(&member.name)).collect::<Vec<_>>().join(", "))
}

fn is_identifier(name: &str) -> bool {
    let is_plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    is_plain
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && !KEYWORDS.contains(&name)
        && !BUILTINS.contains(&name)
        && !RESERVED.contains(&name)
}

fn comment(text: &mut String, def: &TypeDef) {
    let place = if def.interface.is_empty() { String::new() } else { format!(" of `{}`", def.interface) };
    text.push('\n');
    docs(text, "", &format!("`{}`{place}.", def.name));
    docs(text, "", &def.docs);
}

fn docs(text: &mut String, indent: &str, docs: &str) {
    for line in comment_lines(docs) {
        text.push_str(format!("{indent}# {line}").trim_end());
        text.push('\n');
    }
}
