//! The other engine: wasmi, with a new instance for each call.

use crate::{
    ending::Ending,
    module::{Export, Generated},
    number::Number,
    plan::Starts,
};
use wasm_encoder::ValType;
use wasmi::{Linker, Module, Store, Val};

pub(crate) struct Elsewhere(Module);

impl Elsewhere {
    /// Validates a module, and makes it ready.
    pub(crate) fn new(generated: &Generated) -> Elsewhere {
        let module = generated.module.clone().finish();
        Elsewhere(Module::new(&wasmi::Engine::default(), module).expect("what is generated is valid"))
    }

    /// Calls an export; `starts` is whether the module's start code runs before.
    pub(crate) fn call(&self, export: &Export, arguments: &[Number], starts: Starts) -> Ending {
        self.try_call(export, arguments, starts).map_or_else(|error| Ending::trapped(&error.to_string()), Ending::Value)
    }

    fn try_call(&self, export: &Export, arguments: &[Number], starts: Starts) -> Result<Number, wasmi::Error> {
        let mut store = Store::new(self.0.engine(), ());
        let instance = Linker::new(self.0.engine()).instantiate_and_start(&mut store, &self.0)?;
        if starts == Starts::Initialize {
            let initialize = instance.get_func(&store, "_initialize").expect("it is exported");
            initialize.call(&mut store, &[], &mut [])?;
        }
        let arguments: Vec<Val> = arguments.iter().map(|number| value(*number)).collect();
        let nothing = Number::parse(export.result, "0").expect("a number");
        let mut results = [value(nothing)];
        let function = instance.get_func(&store, &export.name).expect("it is exported");
        function.call(&mut store, &arguments, &mut results)?;
        let [result] = results;
        Ok(number(&result, export.result))
    }
}

fn value(number: Number) -> Val {
    match number {
        Number::I32(value) => Val::I32(value),
        Number::I64(value) => Val::I64(value),
        Number::F32(bits) => Val::F32(wasmi::F32::from_bits(bits)),
        Number::F64(bits) => Val::F64(wasmi::F64::from_bits(bits)),
    }
}

fn number(value: &Val, ty: ValType) -> Number {
    match value {
        Val::I32(value) => Number::I32(*value),
        Val::I64(value) => Number::I64(*value),
        Val::F32(value) => Number::f32(value.to_float()),
        Val::F64(value) => Number::f64(value.to_float()),
        other => panic!("{other:?} is no `{ty:?}`"),
    }
}
