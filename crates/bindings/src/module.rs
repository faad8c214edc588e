//! What a core module exports: functions over numbers, and functions over stdin and stdout.

use crate::{
    Error, World,
    draft::Draft,
    guest::Way,
    world::{Number, Signature},
};
use wasmparser::{
    CompositeInnerType, FuncType, Parser, ValType, ValidPayload, Validator, WasmFeatures,
    types::{EntityType, Types},
};

/// Reads a module.
pub(crate) fn read(binary: &[u8], name: &str, way: &dyn Fn(&str) -> Option<Way>) -> Result<World, Error> {
    let types = types(binary)?;
    let mut draft = Draft::new();
    let types = types.as_ref();
    for (export, ty) in types.core_exports().into_iter().flatten() {
        let (EntityType::Func(id) | EntityType::FuncExact(id)) = ty else { continue };
        let Some(CompositeInnerType::Func(function)) = types.get(id).map(|ty| &ty.composite_type.inner) else {
            continue;
        };
        let signature = match way(export) {
            None => continue,
            Some(Way::Stdio) => Signature::Stdio,
            Some(Way::Typed) => numbers(function),
        };
        draft.export("", export, "", signature)?;
    }
    draft.finish(name)
}

/// Reads the types of a binary, whose nesting must have been measured where it is a component. Function bodies are not read.
pub(crate) fn types(binary: &[u8]) -> Result<Types, Error> {
    let malformed = |error: wasmparser::BinaryReaderError| Error::Malformed(error.to_string());
    let mut validator = Validator::new_with_features(WasmFeatures::all());
    let mut outermost = None;
    for payload in Parser::new(0).parse_all(binary) {
        if let ValidPayload::End(types) = validator.payload(&payload.map_err(malformed)?).map_err(malformed)? {
            outermost = Some(types);
        }
    }
    outermost.ok_or_else(|| Error::Malformed("found no end".to_owned()))
}

fn numbers(function: &FuncType) -> Signature {
    let all = |types: &[ValType]| types.iter().map(|ty| number(*ty)).collect::<Option<Vec<_>>>();
    match (all(function.params()), all(function.results())) {
        (Some(params), Some(results)) => Signature::Numbers { params, results },
        _ => Signature::Handle("reference".to_owned()),
    }
}

fn number(ty: ValType) -> Option<Number> {
    match ty {
        ValType::I32 => Some(Number::I32),
        ValType::I64 => Some(Number::I64),
        ValType::F32 => Some(Number::F32),
        ValType::F64 => Some(Number::F64),
        ValType::V128 => Some(Number::V128),
        ValType::Ref(_) => None,
    }
}
