//! A module as a component, whose functions take and give the same numbers.

use crate::module::Generated;
use wasm_encoder::{ComponentBuilder, ComponentExportKind, ExportKind, ModuleArg, PrimitiveValType, ValType};

pub(crate) fn component(generated: &Generated) -> Vec<u8> {
    let mut component = ComponentBuilder::default();
    let module = component.core_module(None, &generated.module);
    let instance = component.core_instantiate::<[(&str, ModuleArg); 0]>(None, module, []);
    for export in &generated.exports {
        let core = component.core_alias_export(None, instance, &export.name, ExportKind::Func);
        let (ty, mut function) = component.type_function(None);
        let names: Vec<String> = (0..export.params.len()).map(|at| format!("p{at}")).collect();
        let params = names.iter().zip(&export.params).map(|(name, ty)| (name.as_str(), primitive(*ty)));
        function.params(params.collect::<Vec<_>>()).result(Some(primitive(export.result).into()));
        let lifted = component.lift_func(None, core, ty, []);
        component.export(&export.name, ComponentExportKind::Func, lifted, None);
    }
    component.finish()
}

fn primitive(ty: ValType) -> PrimitiveValType {
    match ty {
        ValType::I32 => PrimitiveValType::S32,
        ValType::I64 => PrimitiveValType::S64,
        ValType::F32 => PrimitiveValType::F32,
        _ => PrimitiveValType::F64,
    }
}
