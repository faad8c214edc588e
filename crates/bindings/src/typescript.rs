//! TypeScript: an interface of what a host can call, and one of what it gives, for `loadPlugin<Exports>`.

use crate::{
    names::{self, Scope, camel, comment_lines, identifier, quoted},
    world::{Definition, Function, Member, Number, Param, Signature, Type, TypeDef, World},
};

/// What the file has of its own, and what it uses of the language.
const RESERVED: &[&str] = &[
    "Bytes",
    "CoreList",
    "Exports",
    "Float",
    "Imports",
    "Integer64",
    "Promise",
    "Record",
    "Array",
    "Object",
    "String",
    "Number",
    "Boolean",
    "Function",
    "Symbol",
];

/// Words that no parameter may be called.
const KEYWORDS: &[&str] = &[
    "arguments",
    "await",
    "break",
    "case",
    "catch",
    "class",
    "const",
    "continue",
    "debugger",
    "default",
    "delete",
    "do",
    "else",
    "enum",
    "eval",
    "export",
    "extends",
    "false",
    "finally",
    "for",
    "function",
    "if",
    "implements",
    "import",
    "in",
    "instanceof",
    "interface",
    "let",
    "new",
    "null",
    "package",
    "private",
    "protected",
    "public",
    "return",
    "static",
    "super",
    "switch",
    "this",
    "throw",
    "true",
    "try",
    "typeof",
    "var",
    "void",
    "while",
    "with",
    "yield",
];

/// How many ways to write the arguments of a core function are spelled out.
const WAYS_MAX: usize = 16;

const INTEGER: &str = "\
/** A 64-bit integer: beyond 2^53 a string, which `BigInt` reads. */
export type Integer64 = number | `${bigint}`;
";
const FLOAT: &str = "\
/** A float: a string where JSON has no number, which `Number` reads. */
export type Float = number | \"NaN\" | \"Infinity\" | \"-Infinity\";
";
const BYTES: &str = "\
/** Bytes as an argument. They come back as an array of numbers. */
export type Bytes = number[] | Uint8Array | { base64: string };
";
const CORE_LIST: &str = "\
/** A list or text for a core function, which sees its address and its length. A plain array is one of `i32`. */
export type CoreList =
  | number[]
  | string
  | ArrayBufferView
  | { u8: number[] }
  | { i8: number[] }
  | { u16: number[] }
  | { i16: number[] }
  | { u32: number[] }
  | { i32: number[] }
  | { u64: Integer64[] }
  | { i64: Integer64[] }
  | { f32: Float[] }
  | { f64: Float[] }
  | { utf8: string }
  | { base64: string };
";

/// Writes the file.
pub(crate) fn write(world: &World) -> String {
    let writer = Writer { world, names: names::types(world, &mut Scope::new(RESERVED)) };
    let mut body = String::new();
    for (def, name) in world.types.iter().zip(&writer.names) {
        body.push('\n');
        writer.definition(&mut body, def, name);
    }
    writer.exports(&mut body);
    writer.imports(&mut body);

    let title = quoted(&world.name).replace("*/", "");
    let mut text = format!(
        "// What the guest {title} takes and gives. Written by `sandbar types --ts`; written anew, changes are lost.\n"
    );
    let helpers = [("CoreList", CORE_LIST), ("Integer64", INTEGER), ("Float", FLOAT), ("Bytes", BYTES)];
    let has_lists = uses(&body, "CoreList");
    for (name, helper) in helpers {
        if uses(&body, name) || has_lists && name != "Bytes" {
            text.push('\n');
            text.push_str(helper);
        }
    }
    text + &body
}

/// Whether a text has a word.
fn uses(text: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        let before = text.get(..at).and_then(|text| text.chars().next_back());
        let behind = text.get(at + word.len()..).and_then(|text| text.chars().next());
        !before.is_some_and(is_part) && !behind.is_some_and(is_part)
    })
}

struct Writer<'w> {
    world: &'w World,
    names: Vec<String>,
}

/// Who gives a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Giver {
    Host,
    Guest,
}

impl Writer<'_> {
    fn definition(&self, text: &mut String, def: &TypeDef, name: &str) {
        let place = if def.interface.is_empty() { String::new() } else { format!(" of `{}`", def.interface) };
        docs(text, "", &[&format!("`{}`{place}.", def.name), &def.docs]);
        match &def.definition {
            Definition::Record(fields) => {
                text.push_str(&format!("export interface {name} {{\n"));
                for field in fields {
                    docs(text, "  ", &[&field.docs]);
                    let may_lack = field.ty.as_ref().is_some_and(|ty| self.world.is_option(ty));
                    let ty = field.ty.as_ref().map(|ty| self.ty(ty)).unwrap_or_default();
                    text.push_str(&format!("  {}{}: {ty};\n", key(&field.name), if may_lack { "?" } else { "" }));
                }
                text.push_str("}\n");
            }
            Definition::Variant(cases) => {
                let case = |case: &Member| match &case.ty {
                    Some(ty) => format!("{{ {}: {} }}", key(&case.name), self.ty(ty)),
                    None => quoted(&case.name),
                };
                text.push_str(&format!("export type {name} =\n"));
                for (index, member) in cases.iter().enumerate() {
                    docs(text, "  ", &[&member.docs]);
                    let end = if index + 1 == cases.len() { ";" } else { "" };
                    text.push_str(&format!("  | {}{end}\n", case(member)));
                }
            }
            Definition::Enum(cases) => text.push_str(&format!("export type {name} = {};\n", words(cases))),
            Definition::Flags(flags) => text.push_str(&format!("export type {name} = ({})[];\n", words(flags))),
            Definition::Alias(ty) => text.push_str(&format!("export type {name} = {};\n", self.ty(ty))),
            // What is never there tells it from handles of other resources.
            Definition::Resource => {
                let of = quoted(&format!("{}#{}", def.interface, def.name));
                text.push_str(&format!(
                    "export interface {name} {{\n  handle: number;\n  readonly resource?: {of};\n}}\n"
                ));
            }
        }
    }

    fn exports(&self, text: &mut String) {
        text.push_str("\n/** What a host can call, by the name that it is called by. */\nexport interface Exports {\n");
        for function in &self.world.exports {
            if let Signature::Handle(ty) = &function.signature {
                // No comment ends in what a name may hold.
                let name = quoted(&function.full_name()).replace("*/", "");
                text.push_str(&format!(
                    "  // {name} can't be called from outside: a `{ty}` of its type has no text.\n"
                ));
                continue;
            }
            let names = function.call_names();
            let Some(full) = names.first() else { continue };
            docs(text, "  ", &[&function.docs]);
            text.push_str(&format!("  {}: {};\n", key(full), self.function(function, Giver::Host)));
            for short in names.iter().skip(1) {
                text.push_str(&format!("  {}: Exports[{}];\n", key(short), quoted(full)));
            }
        }
        text.push_str("}\n");
    }

    fn imports(&self, text: &mut String) {
        let can_be_given = |function: &&Function| !matches!(function.signature, Signature::Handle(_));
        text.push_str("\n/** Functions that the host gives, by interface and name. */\n");
        let functions: Vec<_> = self.world.imports.iter().filter(can_be_given).collect();
        if functions.is_empty() {
            return text.push_str("export type Imports = Record<string, never>;\n");
        }
        // No interface: such a one is no record of anything, which is what functions are taken as.
        text.push_str("export type Imports = {\n");
        for interface in functions.chunk_by(|a, b| a.interface == b.interface) {
            let Some(first) = interface.first() else { continue };
            text.push_str(&format!("  {}: {{\n", quoted(&first.interface)));
            for function in interface {
                docs(text, "    ", &[&function.docs]);
                text.push_str(&format!("    {}: {};\n", key(&function.name), self.function(function, Giver::Guest)));
            }
            text.push_str("  };\n");
        }
        text.push_str("};\n");
    }

    /// The type of a function, whose arguments somebody gives.
    fn function(&self, function: &Function, giver: Giver) -> String {
        match &function.signature {
            Signature::Values { params, result } => {
                let mut scope = Scope::new(KEYWORDS);
                let optional = |param: &Param| giver == Giver::Host && self.world.is_option(&param.ty);
                let optional_from = params.iter().rposition(|param| !optional(param)).map_or(0, |last| last + 1);
                let params = params.iter().enumerate().map(|(index, param)| {
                    let name = scope.take(&[identifier(camel(&param.name), KEYWORDS)]);
                    let mark = if index >= optional_from { "?" } else { "" };
                    let ty = if giver == Giver::Host { self.given(&param.ty) } else { self.ty(&param.ty) };
                    format!("{name}{mark}: {ty}")
                });
                let params = params.collect::<Vec<_>>().join(", ");
                let result = match (result, giver) {
                    (Some(ty), Giver::Host) => self.ty(ty),
                    (None, Giver::Host) => "null".to_owned(),
                    (Some(ty), Giver::Guest) => later(&self.given(ty)),
                    (None, Giver::Guest) => later("void"),
                };
                format!("({params}) => {result}")
            }
            Signature::Numbers { params, results } => {
                let result = match results.as_slice() {
                    [] => "null".to_owned(),
                    [one] => number(*one).to_owned(),
                    many => format!("[{}]", many.iter().map(|ty| number(*ty)).collect::<Vec<_>>().join(", ")),
                };
                format!("({}) => {result}", core_params(params))
            }
            Signature::Stdio => "(input?: unknown) => unknown".to_owned(),
            Signature::Handle(_) => "never".to_owned(),
        }
    }

    /// A type of a value that the host gives, which may be written in more ways.
    fn given(&self, ty: &Type) -> String {
        match self.world.behind(ty) {
            Type::List(of) if *self.world.behind(of) == Type::U8 => "Bytes".to_owned(),
            Type::U64 | Type::S64 => format!("{} | bigint", self.ty(ty)),
            _ => self.ty(ty),
        }
    }

    fn ty(&self, ty: &Type) -> String {
        let payload = |ty: &Option<Box<Type>>| ty.as_ref().map_or_else(|| "null".to_owned(), |ty| self.ty(ty));
        match ty {
            Type::Bool => "boolean".to_owned(),
            Type::U8 | Type::U16 | Type::U32 | Type::S8 | Type::S16 | Type::S32 => "number".to_owned(),
            Type::U64 | Type::S64 => "Integer64".to_owned(),
            Type::F32 | Type::F64 => "Float".to_owned(),
            Type::Char | Type::String => "string".to_owned(),
            Type::List(of) => format!("{}[]", self.element(of)),
            Type::Tuple(types) => format!("[{}]", types.iter().map(|ty| self.ty(ty)).collect::<Vec<_>>().join(", ")),
            Type::Option(of) if self.world.is_option(of) => format!("{{ some: {} }} | null", self.ty(of)),
            Type::Option(of) => format!("{} | null", self.ty(of)),
            Type::Result(ok, err) => format!("{{ ok: {} }} | {{ err: {} }}", payload(ok), payload(err)),
            Type::Map(key, value) if *self.world.behind(key) == Type::String => {
                format!("{{ [key: string]: {} }}", self.ty(value))
            }
            Type::Map(key, value) => format!("[{}, {}][]", self.ty(key), self.ty(value)),
            Type::Handle => "{ handle: number }".to_owned(),
            Type::Named(id) => self.names.get(id.0).cloned().unwrap_or_default(),
        }
    }

    /// A type before `[]`.
    fn element(&self, ty: &Type) -> String {
        match ty {
            Type::Option(_) | Type::Result(..) => format!("({})", self.ty(ty)),
            _ => self.ty(ty),
        }
    }
}

/// What a function of the host may give: the value, or a promise of it.
fn later(ty: &str) -> String {
    format!("{ty} | Promise<{ty}>")
}

fn number(ty: Number) -> &'static str {
    match ty {
        Number::I32 => "number",
        Number::I64 => "Integer64",
        Number::F32 | Number::F64 => "Float",
        Number::V128 => "string",
    }
}

/// The parameters of a core function: two `i32`, one after the other, also take one list or text.
fn core_params(params: &[Number]) -> String {
    let ways = core_ways(params);
    let tuple = |way: &Vec<&'static str>| format!("[{}]", way.join(", "));
    match ways.as_slice() {
        [only] => {
            let named = only.iter().enumerate().map(|(index, ty)| format!("p{index}: {ty}"));
            named.collect::<Vec<_>>().join(", ")
        }
        [] => "...args: (number | Integer64 | Float | CoreList)[]".to_owned(),
        several => format!("...args: {}", several.iter().map(tuple).collect::<Vec<_>>().join(" | ")),
    }
}

/// The ways to write the arguments of a core function; none where there are too many.
fn core_ways(params: &[Number]) -> Vec<Vec<&'static str>> {
    crate::world::core_ways(params, WAYS_MAX)
        .into_iter()
        .map(|way| way.into_iter().map(|argument| argument.map_or("CoreList", number)).collect())
        .collect()
}

/// Names of cases or flags as a union.
fn words(members: &[Member]) -> String {
    members.iter().map(|member| quoted(&member.name)).collect::<Vec<_>>().join(" | ")
}

/// The name of a property: in quotes unless it is an identifier.
fn key(name: &str) -> String {
    let is_plain =
        name.chars().all(|c| c.is_ascii_alphanumeric()) && name.starts_with(|c: char| c.is_ascii_alphabetic());
    if is_plain { name.to_owned() } else { quoted(name) }
}

/// Writes a comment of some paragraphs, of which there may be none.
fn docs(text: &mut String, indent: &str, paragraphs: &[&str]) {
    let lines: Vec<_> = paragraphs.iter().flat_map(|paragraph| comment_lines(paragraph)).collect();
    match lines.as_slice() {
        [] => {}
        [line] => text.push_str(&format!("{indent}/** {line} */\n")),
        lines => {
            text.push_str(&format!("{indent}/**\n"));
            for line in lines {
                text.push_str(format!("{indent} * {line}").trim_end());
                text.push('\n');
            }
            text.push_str(&format!("{indent} */\n"));
        }
    }
}
