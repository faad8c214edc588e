//! Gives guests the functions of the host program that embeds them.

use crate::{
    error::LoadError,
    functions::{
        Function, Functions, HostCall, Number, NumberType, Numbers, NumbersBody, Signature, Values, panicked, settled,
    },
    interrupt,
    state::State,
    values::ComponentSignature,
};
use futures::{FutureExt, future::BoxFuture};
use sandbar_call::GrantKind;
use std::{future::poll_fn, panic::AssertUnwindSafe, sync::Arc};
use wasmtime::{
    AsContext, Caller, ExternType, FuncType, Linker, Module, Result, StoreContextMut, Val, ValType, component,
};

/// The most bytes of the arguments that a component gives to a function of the host, as JSON.
const ARGUMENTS_BYTES_MAX: usize = 64 << 20;

/// Gives a core module those that it imports.
pub(super) fn link_module(
    linker: &mut Linker<State>,
    module: &Module,
    functions: &Functions,
) -> std::result::Result<(), LoadError> {
    for import in module.imports() {
        let Some(function) = functions.get(import.module(), import.name()) else { continue };
        let name = format!("{}.{}", import.module(), import.name());
        let unfit = |message: String| LoadError::Import { import: name.clone(), message };
        let ExternType::Func(ty) = import.ty() else {
            return Err(unfit("the guest expects no function, and the host gives one".into()));
        };
        let asked = signature(&ty).ok_or_else(|| {
            unfit(format!("the guest expects `{ty}`, and functions of the host take and give only numbers"))
        })?;
        let Function { grant, numbers: Some(Numbers { signature, body }), .. } = function else {
            return Err(unfit("the host gives this function to components only".into()));
        };
        if let Some(given) = signature.as_ref().filter(|given| **given != asked) {
            return Err(unfit(format!("the guest expects `{asked}`, and the host's function is `{given}`")));
        }
        define_in_module(linker, (import.module(), import.name()), ty, (*grant, body.clone())).map_err(super::setup)?;
    }
    Ok(())
}

fn define_in_module(
    linker: &mut Linker<State>,
    (module, name): (&str, &str),
    ty: FuncType,
    (grant, body): (GrantKind, NumbersBody),
) -> Result<()> {
    let shown: Arc<str> = format!("{module}.{name}").into();
    let result_types: Arc<[NumberType]> = ty.results().filter_map(|ty| number_type(&ty)).collect();
    match body {
        NumbersBody::Now(body) => linker.func_new(module, name, ty, move |mut caller, params, results| {
            let params = Params::of(params);
            let mut given = Params::zeros(&result_types);
            HostCall::of_module(&mut caller, grant)
                .calls(&shown, |call| body(call, params.as_slice(), given.as_mut_slice()))?;
            return_numbers(&shown, &caller, given.as_slice(), &result_types, results)
        })?,
        NumbersBody::Later(body) => linker.func_new_async(module, name, ty, move |mut caller, params, results| {
            let (body, shown, result_types) = (body.clone(), shown.clone(), result_types.clone());
            Box::new(async move {
                let params = Params::of(params);
                let later =
                    HostCall::of_module(&mut caller, grant).calls(&shown, |call| Ok(body(call, params.as_slice())))?;
                let given = AssertUnwindSafe(outside(later)).catch_unwind().await;
                let given = settled(caller.data(), &shown, given.unwrap_or_else(|panic| Err(panicked(&*panic))))?;
                return_numbers(&shown, &caller, &given, &result_types, results)
            })
        })?,
    };
    Ok(())
}

/// What a function of the host program does later, which no signal interrupts.
async fn outside<T>(mut later: BoxFuture<'static, T>) -> T {
    poll_fn(|cx| {
        let _outside = interrupt::outside();
        later.as_mut().poll(cx)
    })
    .await
}

/// Hands a function's results to the guest, if they are what it said it gives.
fn return_numbers(
    name: &str,
    caller: &Caller<'_, State>,
    given: &[Number],
    types: &[NumberType],
    results: &mut [Val],
) -> Result<()> {
    if given.len() != types.len() || given.iter().zip(types).any(|(number, ty)| number.ty() != *ty) {
        let types = Signature { params: Vec::new(), results: types.to_vec() };
        return settled(caller.data(), name, Err(format!("it gave {given:?} where `{types}` is expected").into()));
    }
    for (result, number) in results.iter_mut().zip(given) {
        *result = match *number {
            Number::I32(number) => Val::I32(number),
            Number::I64(number) => Val::I64(number),
            Number::F32(number) => Val::F32(number.to_bits()),
            Number::F64(number) => Val::F64(number.to_bits()),
        };
    }
    Ok(())
}

/// How many numbers take no allocation.
const FEW: usize = 8;

/// Numbers of one call.
enum Params {
    Few([Number; FEW], usize),
    Many(Vec<Number>),
}

impl Params {
    fn of(values: &[Val]) -> Params {
        Params::collect(values.len(), values.iter().map(number))
    }

    fn zeros(types: &[NumberType]) -> Params {
        Params::collect(types.len(), types.iter().map(|ty| Number::zero(*ty)))
    }

    fn collect(count: usize, numbers: impl Iterator<Item = Number>) -> Params {
        if count > FEW {
            return Params::Many(numbers.collect());
        }
        let mut few = [Number::I32(0); FEW];
        few.iter_mut().zip(numbers).for_each(|(place, number)| *place = number);
        Params::Few(few, count)
    }

    fn as_slice(&self) -> &[Number] {
        match self {
            Params::Few(few, count) => few.get(..*count).unwrap_or_default(),
            Params::Many(many) => many,
        }
    }

    fn as_mut_slice(&mut self) -> &mut [Number] {
        match self {
            Params::Few(few, count) => few.get_mut(..*count).unwrap_or_default(),
            Params::Many(many) => many,
        }
    }
}

fn number(value: &Val) -> Number {
    match *value {
        Val::I32(number) => Number::I32(number),
        Val::I64(number) => Number::I64(number),
        Val::F32(bits) => Number::F32(f32::from_bits(bits)),
        Val::F64(bits) => Number::F64(f64::from_bits(bits)),
        // No signature has others.
        _ => Number::I32(0),
    }
}

fn number_type(ty: &ValType) -> Option<NumberType> {
    match ty {
        ValType::I32 => Some(NumberType::I32),
        ValType::I64 => Some(NumberType::I64),
        ValType::F32 => Some(NumberType::F32),
        ValType::F64 => Some(NumberType::F64),
        ValType::V128 | ValType::Ref(_) => None,
    }
}

fn signature(ty: &FuncType) -> Option<Signature> {
    Some(Signature {
        params: ty.params().map(|ty| number_type(&ty)).collect::<Option<_>>()?,
        results: ty.results().map(|ty| number_type(&ty)).collect::<Option<_>>()?,
    })
}

/// Gives a component those that it imports.
pub(super) fn link_component(
    linker: &mut component::Linker<State>,
    component: &component::Component,
    functions: &Functions,
) -> std::result::Result<(), LoadError> {
    use component::types::ComponentItem;
    let engine = linker.engine().clone();
    for (module, import) in component.component_type().imports(&engine) {
        match import.ty {
            ComponentItem::ComponentInstance(instance) => {
                for (name, export) in instance.exports(&engine) {
                    if let (ComponentItem::ComponentFunc(_), Some(function)) = (export.ty, functions.get(module, name))
                    {
                        let mut into = linker.instance(module).map_err(super::setup)?;
                        define_in_component(&mut into, &format!("{module}#{name}"), name, function)?;
                    }
                }
            }
            ComponentItem::ComponentFunc(_) => {
                if let Some(function) = functions.get("", module) {
                    define_in_component(&mut linker.root(), module, module, function)?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn define_in_component(
    linker: &mut component::LinkerInstance<'_, State>,
    shown: &str,
    name: &str,
    function: &Function,
) -> std::result::Result<(), LoadError> {
    let Some(values) = &function.values else {
        let message = "the host gives this function to core modules only".into();
        return Err(LoadError::Import { import: shown.to_owned(), message });
    };
    let (shown, grant): (Arc<str>, _) = (shown.into(), function.grant);
    let defined = match values.clone() {
        Values::Now(body) => linker.func_new(name, move |mut store, ty, params, results| {
            let signature = ComponentSignature::of(&shown, &ty);
            let arguments = arguments(&store, &signature, params)?;
            let call = HostCall::of_component(wasmtime::AsContextMut::as_context_mut(&mut store), grant);
            let given = call.calls(&shown, |call| body(call, &arguments))?;
            return_value(&store, &signature, &given, results)
        }),
        Values::Later(body) => linker.func_new_async(name, move |mut store, ty, params, results| {
            let (body, shown) = (body.clone(), shown.clone());
            Box::new(async move {
                let signature = ComponentSignature::of(&shown, &ty);
                let arguments = arguments(&store, &signature, params)?;
                let call = HostCall::of_component(wasmtime::AsContextMut::as_context_mut(&mut store), grant);
                let later = call.calls(&shown, |call| Ok(body(call, &arguments)))?;
                let given = AssertUnwindSafe(outside(later)).catch_unwind().await;
                let given = settled(store.data(), &shown, given.unwrap_or_else(|panic| Err(panicked(&*panic))))?;
                return_value(&store, &signature, &given, results)
            })
        }),
    };
    defined.map_err(super::setup)
}

/// What a component gives to a function, as JSON, charged as bytes that left the guest.
fn arguments(
    store: &StoreContextMut<'_, State>,
    signature: &ComponentSignature,
    params: &[component::Val],
) -> Result<String> {
    let text = signature.arguments_text(params, ARGUMENTS_BYTES_MAX)?;
    store.data().tap.meter().charge(sandbar_call::Resource::BytesOut, text.len() as u64)?;
    Ok(text)
}

/// Hands a function's result to the component, charged as bytes that went into the guest.
fn return_value(
    store: &StoreContextMut<'_, State>,
    signature: &ComponentSignature,
    given: &str,
    results: &mut [component::Val],
) -> Result<()> {
    let state = store.as_context().data();
    state.tap.meter().charge(sandbar_call::Resource::BytesIn, given.len() as u64)?;
    let read = signature.result_of(given).map_err(|error| error.to_string().into());
    let value = settled(state, signature.name(), read)?;
    if let (Some(result), Some(value)) = (results.first_mut(), value) {
        *result = value;
    }
    Ok(())
}
