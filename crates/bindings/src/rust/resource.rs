//! Resources: a type for their handles, and methods of the client that end them.

use super::{Writer, docs};
use crate::{
    names::{self, Scope, quoted, snake},
    world::{Definition, RESOURCE_DROP},
};

/// Writes the type of a resource's handles, behind its first line of comment.
pub(super) fn definition(text: &mut String, name: &str) {
    text.push_str("/// It lives in its sandbox until it is dropped there, by the client.\n");
    text.push_str("#[derive(Clone, Debug, Eq, Hash, PartialEq, serde::Serialize, serde::Deserialize)]\n");
    text.push_str(&format!("pub struct {name} {{\n    /// Its number in its sandbox.\n    pub handle: u32,\n}}\n\n"));
    text.push_str(&format!("wit::json!({name});\n"));
}

impl Writer<'_> {
    /// Methods that end a resource, one for each type of them.
    pub(super) fn drops(&self, text: &mut String, scope: &mut Scope) {
        let types = self.world.types.iter().zip(&self.names);
        for (def, ty) in types.filter(|(def, _)| def.definition == Definition::Resource) {
            let name = scope.take_with(&[format!("drop_{}", snake(&def.name))], &["_async"]);
            let waiting = names::ended(&name, "_async");
            let head = "(&self, handle: ";
            let errors =
                "    ///\n    /// # Errors\n    /// It is there no longer, or its destructor did not end well.\n";
            let arguments = format!("{}, &wit_arguments::Arguments((handle, ()))", quoted(RESOURCE_DROP));
            docs(text, "    ", &[&format!("Ends a `{}`, and blocks this thread.", def.name)]);
            text.push_str(errors);
            text.push_str(&format!("    pub fn {name}{head}{ty}) -> Result<(), sandbar_embed::CallError> {{\n"));
            text.push_str(&format!("        self.0.call({arguments})\n    }}\n\n"));
            docs(text, "    ", &[&format!("As [`{}::{name}`], for async hosts.", self.client)]);
            text.push_str(errors);
            text.push_str(&format!(
                "    pub async fn {waiting}{head}{ty}) -> Result<(), sandbar_embed::CallError> {{\n"
            ));
            text.push_str(&format!("        self.0.call_async({arguments}).await\n    }}\n"));
        }
    }
}
