//! A world as it is read: bounded, and with each type once.

use crate::{
    Error,
    world::{Definition, Function, Param, RESOURCE_DROP, Signature, Type, TypeDef, TypeId, World},
};
use std::collections::HashMap;

/// The most types, fields, cases and functions, those in each other counted each, that a world may have. A few hundred bytes
/// of types can say a gigabyte.
const PARTS_MAX: usize = 200_000;
/// How deep types may lie in each other. The same as Wasmtime's own limit.
const DEPTH_MAX: usize = 100;
/// The most bytes of all names and comments together.
const NAMES_BYTES_MAX: usize = 8 << 20;

/// A world that is being read.
pub(crate) struct Draft {
    types: Vec<TypeDef>,
    /// Where types of a name are: more than one only where a guest says different things of it.
    places: HashMap<(String, String), Vec<usize>>,
    exports: Vec<Function>,
    imports: Vec<Function>,
    parts_left: usize,
    names_bytes_left: usize,
}

/// Why a type can't be read.
pub(crate) enum Fault {
    /// No text can carry it, or something in it.
    Handle(String),
    Error(Error),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Fault {
        Fault::Error(error)
    }
}

impl Draft {
    pub(crate) fn new() -> Draft {
        Draft {
            types: Vec::new(),
            places: HashMap::new(),
            exports: Vec::new(),
            imports: Vec::new(),
            parts_left: PARTS_MAX,
            names_bytes_left: NAMES_BYTES_MAX,
        }
    }

    /// Takes room for one type, field, case or function at a depth.
    pub(crate) fn part(&mut self, depth: usize) -> Result<(), Error> {
        if depth > DEPTH_MAX {
            return Err(Error::TooLarge(format!("{DEPTH_MAX} in each other")));
        }
        self.parts_left =
            self.parts_left.checked_sub(1).ok_or_else(|| Error::TooLarge(format!("{PARTS_MAX} parts")))?;
        Ok(())
    }

    /// Takes room for a name or a comment.
    pub(crate) fn name(&mut self, name: &str) -> Result<String, Error> {
        let left = self.names_bytes_left.checked_sub(name.len());
        self.names_bytes_left = left.ok_or_else(|| Error::TooLarge(format!("{NAMES_BYTES_MAX} bytes of names")))?;
        Ok(name.to_owned())
    }

    /// Adds a type, unless there is the same one already: an interface may be both imported and exported.
    pub(crate) fn add(&mut self, def: TypeDef) -> TypeId {
        let places = self.places.entry((def.interface.clone(), def.name.clone())).or_default();
        let known = places.iter().find(|place| self.types.get(**place) == Some(&def));
        TypeId(known.copied().unwrap_or_else(|| {
            places.push(self.types.len());
            self.types.push(def);
            self.types.len() - 1
        }))
    }

    pub(crate) fn export(
        &mut self,
        interface: &str,
        name: &str,
        docs: &str,
        signature: Signature,
    ) -> Result<(), Error> {
        let function = self.function(interface, name, docs, signature)?;
        self.exports.push(function);
        Ok(())
    }

    pub(crate) fn import(
        &mut self,
        interface: &str,
        name: &str,
        docs: &str,
        signature: Signature,
    ) -> Result<(), Error> {
        let function = self.function(interface, name, docs, signature)?;
        self.imports.push(function);
        Ok(())
    }

    fn function(&mut self, interface: &str, name: &str, docs: &str, signature: Signature) -> Result<Function, Error> {
        self.part(0)?;
        let (interface, name, docs) = (self.name(interface)?, self.name(name)?, self.name(docs)?);
        Ok(Function { interface, name, docs, is_alone: false, signature })
    }

    /// Ends the draft.
    pub(crate) fn finish(mut self, name: &str) -> Result<World, Error> {
        if self.types.iter().any(|def| def.definition == Definition::Resource) {
            let params = vec![Param { name: "handle".to_owned(), ty: Type::Handle }];
            self.export("", RESOURCE_DROP, "Ends a resource.", Signature::Values { params, result: None })?;
        }
        let world = World { name: name.to_owned(), types: self.types, exports: self.exports, imports: self.imports };
        Ok(world.settle())
    }
}
