//! Rust: types that serde writes as our JSON, a client with a method for each export, and a trait for what is imported.

mod resource;
mod words;

use crate::{
    Error,
    names::{self, Scope, comment_lines, identifier, pascal, quoted, snake},
    world::{Definition, Function, Member, Number, Param, RESOURCE_DROP, Signature, Type, TypeDef, World},
};
use words::{KEYWORDS, RESERVED};

/// What every file holds, behind its types: how values are JSON, and how arguments are.
const SUPPORT: &[&str] = &[include_str!("rust/support/values.rs"), include_str!("rust/support/arguments.rs")];

/// The longest tuple that Rust can print and compare.
const TUPLE_MAX: usize = 12;

/// Writes the file.
pub(crate) fn write(world: &World) -> Result<String, Error> {
    let mut scope = Scope::new(RESERVED);
    let client = scope.take(&[identifier(pascal(&world.name), RESERVED)]);
    let writer = Writer { world, client, names: names::types(world, &mut scope) };
    let title = quoted(&world.name);
    let mut text = format!(
        "// What the guest {title} takes and gives. Written by `sandbar types --rust`; written anew, changes are lost.\n"
    );
    for (def, name) in world.types.iter().zip(&writer.names) {
        text.push('\n');
        writer.definition(&mut text, def, name)?;
    }
    writer.client(&mut text)?;
    writer.imports(&mut text)?;
    for support in SUPPORT {
        text.push('\n');
        text.push_str(support);
    }
    Ok(text)
}

struct Writer<'w> {
    world: &'w World,
    client: String,
    names: Vec<String>,
}

impl Writer<'_> {
    fn definition(&self, text: &mut String, def: &TypeDef, name: &str) -> Result<(), Error> {
        let place = if def.interface.is_empty() { String::new() } else { format!(" of `{}`", def.interface) };
        docs(text, "", &[&format!("`{}`{place}.", def.name), &def.docs]);
        match &def.definition {
            Definition::Record(fields) => self.record(text, name, fields)?,
            Definition::Variant(cases) => self.cases(text, name, cases, "")?,
            Definition::Enum(cases) => self.cases(text, name, cases, "Copy, Eq, Hash, ")?,
            Definition::Flags(flags) => flags_of(text, name, flags),
            Definition::Resource => resource::definition(text, name),
            Definition::Alias(ty) => {
                text.push_str("#[allow(dead_code, clippy::type_complexity, reason = \"a host uses what it needs, of types that are the guest's\")]\n");
                text.push_str(&format!("pub type {name} = {};\n", self.ty(ty)?));
            }
        }
        Ok(())
    }

    fn record(&self, text: &mut String, name: &str, fields: &[Member]) -> Result<(), Error> {
        text.push_str("#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]\n");
        text.push_str(&format!("pub struct {name} {{\n"));
        let mut scope = Scope::new(KEYWORDS);
        for field in fields {
            let Some(ty) = &field.ty else { continue };
            member_docs(text, field);
            let with = if self.is_plain(ty) { "" } else { ", with = \"wit\"" };
            text.push_str(&format!("    #[serde(rename = {}{with})]\n", quoted(&field.name)));
            let name = scope.take(&[identifier(snake(&field.name), KEYWORDS)]);
            text.push_str(&format!("    pub {name}: {},\n", self.ty(ty)?));
        }
        text.push_str(&format!("}}\n\nwit::json!({name});\n"));
        Ok(())
    }

    fn cases(&self, text: &mut String, name: &str, cases: &[Member], derived: &str) -> Result<(), Error> {
        text.push_str(&format!("#[derive(Clone, {derived}Debug, PartialEq, serde::Serialize, serde::Deserialize)]\n"));
        text.push_str(&format!("pub enum {name} {{\n"));
        let mut scope = Scope::new(&["Self"]);
        for case in cases {
            member_docs(text, case);
            let with = if case.ty.as_ref().is_none_or(|ty| self.is_plain(ty)) { "" } else { ", with = \"wit\"" };
            text.push_str(&format!("    #[serde(rename = {}{with})]\n", quoted(&case.name)));
            let of_case = scope.take(&[identifier(pascal(&case.name), &["Self"])]);
            match &case.ty {
                Some(ty) => text.push_str(&format!("    {of_case}({}),\n", self.ty(ty)?)),
                None => text.push_str(&format!("    {of_case},\n")),
            }
        }
        text.push_str(&format!("}}\n\nwit::json!({name});\n"));
        Ok(())
    }

    fn client(&self, text: &mut String) -> Result<(), Error> {
        let Writer { client, world, .. } = self;
        let name = comment_lines(&world.name).next().unwrap_or_default();
        text.push_str(&format!("\n/// A plugin of the world `{name}`: a method for each of its functions.\n"));
        text.push_str(&format!(
            "#[derive(Clone, Debug)]\npub struct {client}(pub sandbar_embed::Plugin);\n\n#[allow(dead_code, clippy::type_complexity, reason = \"a host uses what it needs, of types that are the guest's\")]\nimpl {client} {{\n"
        ));
        let mut scope = Scope::new(KEYWORDS);
        for (index, function) in world.exports.iter().enumerate() {
            if index > 0 {
                text.push('\n');
            }
            if let Signature::Handle(ty) = &function.signature {
                let name = quoted(&function.full_name());
                text.push_str(&format!(
                    "    // {name} can't be called from outside: a `{ty}` of its type has no text.\n"
                ));
                continue;
            }
            if function.name == RESOURCE_DROP {
                self.drops(text, &mut scope);
                continue;
            }
            self.method(text, &mut scope, function)?;
        }
        text.push_str("}\n");
        Ok(())
    }

    /// A method that blocks, and one that waits.
    fn method(&self, text: &mut String, scope: &mut Scope, function: &Function) -> Result<(), Error> {
        let name = scope.take_with(&method_names(function), &["_async"]);
        let waiting = names::ended(&name, "_async");
        let export = quoted(&function.full_name());
        let Form { generics, params, arguments, result, unwrap } = self.form(function)?;
        let called = comment_lines(&function.full_name()).next().unwrap_or_default();
        docs(text, "    ", &[&format!("Calls `{called}`, and blocks this thread."), "", &function.docs]);
        let errors = "    ///\n    /// # Errors\n    /// How the call ended, where it did not end well.\n";
        text.push_str(errors);
        let head = format!("(&self{params}) -> Result<{result}, sandbar_embed::CallError>");
        text.push_str(&format!("    pub fn {name}{generics}{head} {{\n"));
        text.push_str(&format!("        self.0.call({export}, {arguments}){unwrap}\n    }}\n\n"));
        docs(text, "    ", &[&format!("As [`{}::{name}`], for async hosts.", self.client)]);
        text.push_str(errors);
        text.push_str(&format!("    pub async fn {waiting}{generics}{head} {{\n"));
        text.push_str(&format!("        self.0.call_async({export}, {arguments}).await{unwrap}\n    }}\n"));
        Ok(())
    }

    fn form(&self, function: &Function) -> Result<Form, Error> {
        let read = ".map(|value: wit::Json<_>| value.0)";
        let typed = |names: Vec<(String, String)>, result: String| Form {
            generics: "",
            params: names.iter().map(|(name, ty)| format!(", {name}: {ty}")).collect(),
            arguments: format!("&wit_arguments::Arguments({})", list(names.iter().map(|(name, _)| name.as_str()))),
            result,
            unwrap: read,
        };
        Ok(match &function.signature {
            Signature::Values { params, result } => {
                let given = |ty: &Type| self.given(ty);
                let result = result.as_ref().map_or_else(|| Ok("()".to_owned()), |ty| self.ty(ty))?;
                typed(
                    param_names(params)
                        .into_iter()
                        .zip(params)
                        .map(|(name, param)| Ok((name, given(&param.ty)?)))
                        .collect::<Result<_, Error>>()?,
                    result,
                )
            }
            Signature::Numbers { params, results } => {
                let names = params.iter().enumerate().map(|(index, ty)| (format!("p{index}"), number(*ty).to_owned()));
                let result = match results.as_slice() {
                    [] => "()".to_owned(),
                    [one] => owned_number(*one).to_owned(),
                    many if many.len() > TUPLE_MAX => return Err(long_tuple()),
                    many => format!("({},)", many.iter().map(|ty| owned_number(*ty)).collect::<Vec<_>>().join(", ")),
                };
                typed(names.collect(), result)
            }
            Signature::Stdio | Signature::Handle(_) => Form {
                generics: "<R: serde::de::DeserializeOwned>",
                params: ", input: &(impl serde::Serialize + ?Sized)".to_owned(),
                arguments: "input".to_owned(),
                result: "R".to_owned(),
                unwrap: "",
            },
        })
    }

    fn imports(&self, text: &mut String) -> Result<(), Error> {
        let can_be_given = |function: &&Function| matches!(function.signature, Signature::Values { .. });
        let functions: Vec<_> = self.world.imports.iter().filter(can_be_given).collect();
        if functions.is_empty() {
            return Ok(());
        }
        text.push_str(
            "\n/// Functions of the host that the guest imports.\n#[allow(dead_code, clippy::type_complexity, reason = \"a host uses what it needs, of types that are the guest's\")]\npub trait Imports: Send + Sync + 'static {\n",
        );
        let mut given = String::new();
        let mut scope = Scope::new(KEYWORDS);
        for (index, function) in functions.iter().enumerate() {
            let Signature::Values { params, result } = &function.signature else { continue };
            let name = scope.take(&method_names(function));
            let (params, names) =
                (params.iter().map(|param| self.ty(&param.ty)).collect::<Result<Vec<_>, _>>()?, param_names(params));
            let result = result.as_ref().map_or_else(|| Ok("()".to_owned()), |ty| self.ty(ty))?;
            let full = comment_lines(&function.full_name()).next().unwrap_or_default();
            let named = names.iter().zip(&params).map(|(name, ty)| format!(", {name}: {ty}")).collect::<String>();
            if index > 0 {
                text.push('\n');
            }
            docs(text, "    ", &[&format!("Is called as `{full}`."), "", &function.docs]);
            text.push_str("    ///\n    /// # Errors\n    /// It ends the plugin's call as a fault, or as refused.\n");
            text.push_str("    #[allow(clippy::too_many_arguments, reason = \"as many as the guest gives\")]\n");
            text.push_str(&format!("    fn {name}(&self, call: &mut sandbar_embed::HostCall<'_>{named}) -> Result<{result}, sandbar_embed::HostError>;\n"));
            let (taken, types) = (list(names.iter().map(String::as_str)), list(params.iter().map(String::as_str)));
            let passed: String = names.iter().map(|name| format!(", {name}")).collect();
            given.push_str(&format!(
                "\n        .interface_function({}, {}, {{\n            let imports = imports.clone();\n            move |call: &mut sandbar_embed::HostCall<'_>, wit_arguments::Arguments({taken}): wit_arguments::Arguments<{types}>| {{\n                imports.{name}(call{passed}).map(wit::Json)\n            }}\n        }})",
                quoted(&function.interface),
                quoted(&function.name)
            ));
        }
        text.push_str("}\n\n/// Gives a plugin that is about to be loaded the functions that it imports.\n#[allow(dead_code, clippy::type_complexity, reason = \"a host uses what it needs, of types that are the guest's\")]\n");
        text.push_str("pub fn with_imports(builder: sandbar_embed::PluginBuilder, imports: impl Imports) -> sandbar_embed::PluginBuilder {\n");
        text.push_str("    let imports = std::sync::Arc::new(imports);\n");
        text.push_str(&format!("    builder{given}\n}}\n"));
        Ok(())
    }

    /// Whether serde's own way of writing a type is ours.
    fn is_plain(&self, ty: &Type) -> bool {
        match self.world.behind(ty) {
            Type::U64 | Type::S64 | Type::F32 | Type::F64 | Type::Result(..) | Type::Map(..) => false,
            Type::List(of) => self.is_plain(of),
            Type::Tuple(types) => types.iter().all(|ty| self.is_plain(ty)),
            Type::Option(of) => !self.world.is_option(of) && self.is_plain(of),
            _ => true,
        }
    }

    /// The type of an argument.
    fn given(&self, ty: &Type) -> Result<String, Error> {
        Ok(match self.world.behind(ty) {
            Type::String => "&str".to_owned(),
            Type::List(of) => format!("&[{}]", self.ty(of)?),
            Type::Bool
            | Type::U8
            | Type::U16
            | Type::U32
            | Type::U64
            | Type::S8
            | Type::S16
            | Type::S32
            | Type::S64
            | Type::F32
            | Type::F64
            | Type::Char => self.ty(ty)?,
            _ => format!("&{}", self.ty(ty)?),
        })
    }

    fn ty(&self, ty: &Type) -> Result<String, Error> {
        let payload = |ty: &Option<Box<Type>>| ty.as_ref().map_or_else(|| Ok("()".to_owned()), |ty| self.ty(ty));
        Ok(match ty {
            Type::Bool => "bool".to_owned(),
            Type::U8 => "u8".to_owned(),
            Type::U16 => "u16".to_owned(),
            Type::U32 => "u32".to_owned(),
            Type::U64 => "u64".to_owned(),
            Type::S8 => "i8".to_owned(),
            Type::S16 => "i16".to_owned(),
            Type::S32 => "i32".to_owned(),
            Type::S64 => "i64".to_owned(),
            Type::F32 => "f32".to_owned(),
            Type::F64 => "f64".to_owned(),
            Type::Char => "char".to_owned(),
            Type::String => "String".to_owned(),
            Type::List(of) => format!("Vec<{}>", self.ty(of)?),
            Type::Tuple(types) if types.len() > TUPLE_MAX => return Err(long_tuple()),
            Type::Tuple(types) => {
                let types = types.iter().map(|ty| self.ty(ty)).collect::<Result<Vec<_>, _>>()?;
                format!("({},)", types.join(", "))
            }
            Type::Option(of) => format!("Option<{}>", self.ty(of)?),
            Type::Result(ok, err) => format!("Result<{}, {}>", payload(ok)?, payload(err)?),
            Type::Map(key, value) => format!("std::collections::BTreeMap<{}, {}>", self.ty(key)?, self.ty(value)?),
            Type::Handle => "u32".to_owned(),
            Type::Named(id) => self.names.get(id.0).cloned().unwrap_or_default(),
        })
    }
}

/// How a method is written.
struct Form {
    generics: &'static str,
    params: String,
    arguments: String,
    result: String,
    unwrap: &'static str,
}

fn long_tuple() -> Error {
    Error::Unsaid(format!("a tuple of more than {TUPLE_MAX} types has no form in Rust: expected a record"))
}

/// What a method is called: by its function, or where that is taken with its interface before it.
fn method_names(function: &Function) -> Vec<String> {
    let name = match function.name.split_once(']') {
        Some(("[constructor", resource)) => format!("new-{resource}"),
        Some((_, member)) => member.to_owned(),
        None => function.name.clone(),
    };
    let short = identifier(snake(&name), KEYWORDS);
    let long = format!("{}_{}", snake(names::own_name(&function.interface)), snake(&name));
    if function.interface.is_empty() { vec![short] } else { vec![short, identifier(long, KEYWORDS)] }
}

fn param_names(params: &[Param]) -> Vec<String> {
    let mut scope = Scope::new(KEYWORDS);
    params.iter().map(|param| scope.take(&[identifier(snake(&param.name), KEYWORDS)])).collect()
}

/// `(a, (b, ()))`.
fn list<'a>(items: impl DoubleEndedIterator<Item = &'a str>) -> String {
    items.rev().fold("()".to_owned(), |rest, item| format!("({item}, {rest})"))
}

fn number(ty: Number) -> &'static str {
    match ty {
        Number::I32 => "i32",
        Number::I64 => "i64",
        Number::F32 => "f32",
        Number::F64 => "f64",
        Number::V128 => "&str",
    }
}

fn owned_number(ty: Number) -> &'static str {
    if ty == Number::V128 { "String" } else { number(ty) }
}

fn flags_of(text: &mut String, name: &str, flags: &[Member]) {
    let mut scope = Scope::new(KEYWORDS);
    let fields: Vec<_> = flags.iter().map(|flag| scope.take(&[identifier(snake(&flag.name), KEYWORDS)])).collect();
    text.push_str("#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]\n");
    text.push_str("#[allow(clippy::struct_excessive_bools, reason = \"they are flags\")]\n");
    text.push_str(&format!("pub struct {name} {{\n"));
    for (field, flag) in fields.iter().zip(flags) {
        member_docs(text, flag);
        text.push_str(&format!("    pub {field}: bool,\n"));
    }
    text.push_str(&format!("}}\n\nwit::flags!({name} {{\n"));
    for (field, flag) in fields.iter().zip(flags) {
        text.push_str(&format!("    {field}: {},\n", quoted(&flag.name)));
    }
    text.push_str("});\n");
}

/// Says what a field, a case or a flag is.
fn member_docs(text: &mut String, member: &Member) {
    let name = format!("`{}`.", member.name);
    docs(text, "    ", &[if member.docs.is_empty() { &name } else { &member.docs }]);
}

/// Writes a comment of some paragraphs, of which there may be none.
fn docs(text: &mut String, indent: &str, paragraphs: &[&str]) {
    let is_last = |index: usize| paragraphs.iter().skip(index + 1).all(|paragraph| paragraph.is_empty());
    for (index, paragraph) in paragraphs.iter().enumerate() {
        if paragraph.is_empty() && !is_last(index) {
            text.push_str(&format!("{indent}///\n"));
        }
        for line in comment_lines(paragraph) {
            text.push_str(format!("{indent}/// {line}").trim_end());
            text.push('\n');
        }
    }
}
