//! What a guest gives and needs: functions by name, and the types that they are about.

use std::collections::HashMap;

/// The name under which a resource is ended, by its handle.
pub(crate) const RESOURCE_DROP: &str = "[resource-drop]";

/// What a guest gives and needs, as types.
#[derive(Clone, Debug)]
pub struct World {
    /// Its name, in kebab case.
    pub(crate) name: String,
    /// Named types, each behind those that it is made of.
    pub(crate) types: Vec<TypeDef>,
    /// What a host can call.
    pub(crate) exports: Vec<Function>,
    /// What the host has to give; WASI is not among it.
    pub(crate) imports: Vec<Function>,
}

/// A type with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TypeDef {
    /// The interface that has it: `acme:texts/measure@1.0.0`; nothing for the world itself.
    pub(crate) interface: String,
    pub(crate) name: String,
    pub(crate) docs: String,
    pub(crate) definition: Definition,
}

/// Where a named type lies in its world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TypeId(pub(crate) usize);

/// What a named type is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Definition {
    Record(Vec<Member>),
    Variant(Vec<Member>),
    Enum(Vec<Member>),
    Flags(Vec<Member>),
    Alias(Type),
    /// What lives in a sandbox, of which its holder has handles.
    Resource,
}

/// A field, a case or a flag. Fields always have a type, and flags and cases of an enum never.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) docs: String,
    pub(crate) ty: Option<Type>,
}

/// A type where it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Bool,
    U8,
    U16,
    U32,
    U64,
    S8,
    S16,
    S32,
    S64,
    F32,
    F64,
    Char,
    String,
    List(Box<Type>),
    Tuple(Vec<Type>),
    Option(Box<Type>),
    Result(Option<Box<Type>>, Option<Box<Type>>),
    Map(Box<Type>, Box<Type>),
    Named(TypeId),
    /// A handle of any resource.
    Handle,
}

/// A function of a guest or a host.
#[derive(Clone, Debug)]
pub(crate) struct Function {
    /// The interface that has it; nothing for the world itself.
    pub(crate) interface: String,
    pub(crate) name: String,
    pub(crate) docs: String,
    /// Whether its name in its interface is enough to call it.
    pub(crate) is_alone: bool,
    pub(crate) signature: Signature,
}

/// What a function takes and gives.
#[derive(Clone, Debug)]
pub(crate) enum Signature {
    /// Values of WIT types.
    Values { params: Vec<Param>, result: Option<Type> },
    /// Numbers of a core module.
    Numbers { params: Vec<Number>, results: Vec<Number> },
    /// Anything on stdin, and anything on stdout.
    Stdio,
    /// What no text can carry: a type that lives in one sandbox, or a resource of somebody else.
    Handle(String),
}

/// A parameter.
#[derive(Clone, Debug)]
pub(crate) struct Param {
    pub(crate) name: String,
    pub(crate) ty: Type,
}

/// A number of a core module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Number {
    I32,
    I64,
    F32,
    F64,
    V128,
}

impl World {
    /// Renames it. A component's binary does not say what its world is called.
    #[must_use]
    pub fn named(self, name: &str) -> World {
        World { name: name.to_owned(), ..self }
    }

    pub(crate) fn get(&self, id: TypeId) -> Option<&TypeDef> {
        self.types.get(id.0)
    }

    /// A type without the names that are only other names of it.
    pub(crate) fn behind<'a>(&'a self, mut ty: &'a Type) -> &'a Type {
        // Each name stands behind what it is made of, so this ends.
        while let Type::Named(id) = ty {
            match self.get(*id).map(|def| &def.definition) {
                Some(Definition::Alias(other)) => ty = other,
                _ => break,
            }
        }
        ty
    }

    pub(crate) fn is_option(&self, ty: &Type) -> bool {
        matches!(self.behind(ty), Type::Option(_))
    }

    /// Notes which functions are called by their name in their interface alone, as `sandbar-embed` looks them up.
    pub(crate) fn settle(mut self) -> World {
        let mut count = HashMap::<String, usize>::new();
        for export in &self.exports {
            *count.entry(export.name.clone()).or_default() += 1;
        }
        for export in &mut self.exports {
            export.is_alone = export.interface.is_empty() || count.get(&export.name) == Some(&1);
        }
        self
    }
}

impl Function {
    /// The name that it is called by: `acme:texts/measure@1.0.0#length`.
    pub(crate) fn full_name(&self) -> String {
        if self.interface.is_empty() { self.name.clone() } else { format!("{}#{}", self.interface, self.name) }
    }

    /// Each name that it can be called by.
    pub(crate) fn call_names(&self) -> Vec<String> {
        let mut names = vec![self.full_name()];
        if self.is_alone && !self.interface.is_empty() {
            names.push(self.name.clone());
        }
        names
    }
}

/// The ways to write the arguments of a core function, of which two `i32`, one after the other, may be one list: each argument
/// is a number or, where it is none, a list. Nothing where there are more than `most`.
pub(crate) fn core_ways(params: &[Number], most: usize) -> Vec<Vec<Option<Number>>> {
    let (mut open, mut ways) = (vec![(Vec::new(), params)], Vec::new());
    while let Some((way, rest)) = open.pop() {
        if open.len() + ways.len() >= most {
            return Vec::new();
        }
        match rest {
            [] => ways.push(way),
            [first, after @ ..] => {
                if let [Number::I32, Number::I32, behind @ ..] = rest {
                    open.push(([way.clone(), vec![None]].concat(), behind));
                }
                open.push(([way, vec![Some(*first)]].concat(), after));
            }
        }
    }
    ways
}
