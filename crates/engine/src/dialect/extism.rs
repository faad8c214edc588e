//! Extism: plugins built with its kits run as they are. <https://extism.org/docs/concepts/pdk>
//!
//! A plugin's input, output and error are blocks of a memory that the guest's own code manages ([`adapt`]); what reaches the
//! host, configuration, variables, the log, is here. Every offset and length that the host is given is the guest's word and is
//! checked where it is used.

mod adapt;
mod kernel;
mod requests;

use crate::{inspect::EXTISM_MODULE, state::State, stdio::LogLevel};
use kernel::{
    BLOCKS, ERROR_OFFSET, HEADER_BYTES, HEAP, INPUT_LENGTH, INPUT_OFFSET, KERNEL, OUTPUT_LENGTH, OUTPUT_OFFSET,
};
use sandbar_call::{Resource, Stop};
use std::{collections::BTreeMap, sync::Arc};
use wasmtime::{
    AsContext, AsContextMut, Caller, FuncType, Instance, Linker, Memory, Module, Result, Store, StoreContextMut,
    ValType, bail, format_err,
};

pub(crate) use adapt::{ADAPTED, adapt};

/// How much a plugin of Extism may hold beside its memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtismBounds {
    /// The most bytes of the variables of one sandbox, names included.
    pub variables_bytes: u64,
    /// The most bytes of the body that answers a request of it.
    pub answer_bytes: u64,
}

impl Default for ExtismBounds {
    /// What Extism allows where its manifest says nothing: 1 MiB and 50 MiB.
    fn default() -> ExtismBounds {
        ExtismBounds { variables_bytes: 1 << 20, answer_bytes: 50 << 20 }
    }
}

/// What the log's lowest level is as plugins ask for it: trace. Whoever reads the log chooses what to keep.
const LOG_LEVEL: i32 = 0;

/// What a plugin of Extism has in its sandbox.
pub(crate) struct Extism {
    blocks: Memory,
    variables: BTreeMap<String, Vec<u8>>,
    variables_bytes: usize,
    answered: requests::Answered,
    bounds: ExtismBounds,
}

/// Provides what a plugin imports from the host.
pub(super) fn link(linker: &mut Linker<State>, module: &Module, config: &Arc<BTreeMap<String, String>>) -> Result<()> {
    if !module.imports().any(|import| import.module() == EXTISM_MODULE) {
        return Ok(());
    }
    for function in KERNEL {
        let ty =
            |ty: &wasm_encoder::ValType| if *ty == wasm_encoder::ValType::I32 { ValType::I32 } else { ValType::I64 };
        let ty = FuncType::new(linker.engine(), function.params.iter().map(ty), function.results.iter().map(ty));
        linker.func_new(EXTISM_MODULE, function.name, ty, |_, _, _| bail!("the guest has this function itself"))?;
    }
    let config = config.clone();
    linker.func_wrap(EXTISM_MODULE, "config_get", move |mut caller: Caller<'_, State>, name: i64| {
        caller.data_mut().serves();
        let name = text(&caller, name)?;
        config.get(&name).map_or(Ok(0), |value| put(&mut caller.as_context_mut(), value.as_bytes()))
    })?;
    linker.func_wrap(EXTISM_MODULE, "var_get", |mut caller: Caller<'_, State>, name: i64| {
        caller.data_mut().serves();
        let name = text(&caller, name)?;
        let value = here(caller.data())?.variables.get(&name).cloned();
        value.map_or(Ok(0), |value| put(&mut caller.as_context_mut(), &value))
    })?;
    linker.func_wrap(EXTISM_MODULE, "var_set", |mut caller: Caller<'_, State>, name: i64, value: i64| {
        caller.data_mut().serves();
        let name = text(&caller, name)?;
        // No value takes the variable away.
        let value = if value == 0 { None } else { Some(block(&caller, value)?.to_vec()) };
        set_variable(caller.data_mut(), name, value)
    })?;
    for (name, level) in [
        ("log_trace", LogLevel::Trace),
        ("log_debug", LogLevel::Debug),
        ("log_info", LogLevel::Info),
        ("log_warn", LogLevel::Warn),
        ("log_error", LogLevel::Warn),
    ] {
        linker.func_wrap(EXTISM_MODULE, name, move |mut caller: Caller<'_, State>, message: i64| {
            caller.data_mut().serves();
            let message = text(&caller, message)?;
            Ok(caller.data().stderr.say(level, &message)?)
        })?;
    }
    linker.func_wrap(EXTISM_MODULE, "get_log_level", |mut caller: Caller<'_, State>| {
        caller.data_mut().serves();
        LOG_LEVEL
    })?;
    requests::link(linker)
}

/// Finds what an instance has of it, before any call.
pub(crate) fn enter(mut store: StoreContextMut<'_, State>, instance: &Instance, bounds: ExtismBounds) -> Result<()> {
    let Some(blocks) = instance.get_memory(&mut store, adapt::BLOCKS_MEMORY) else { return Ok(()) };
    let extism =
        Extism { blocks, variables: BTreeMap::new(), variables_bytes: 0, answered: Default::default(), bounds };
    store.data_mut().extism = Some(Box::new(extism));
    begin(&mut store, &[])
}

/// Runs what a plugin's language needs before its first function: the runtime of Haskell, or constructors.
pub(crate) async fn start(store: &mut Store<State>, instance: &Instance) -> Result<()> {
    if let Ok(haskell) = instance.get_typed_func::<(i32, i32), ()>(&mut *store, "hs_init") {
        haskell.call_async(&mut *store, (0, 0)).await?;
    }
    for name in ["_initialize", "__wasm_call_ctors"] {
        if let Ok(starts) = instance.get_typed_func::<(), ()>(&mut *store, name) {
            return starts.call_async(&mut *store, ()).await;
        }
    }
    Ok(())
}

/// Starts a call: forgets the blocks of the last one, and makes one of the input, charged as bytes that went in.
pub(crate) fn begin(store: &mut StoreContextMut<'_, State>, input: &[u8]) -> Result<()> {
    let blocks = here(store.data())?.blocks;
    let registers = blocks.data_mut(&mut *store).get_mut(..BLOCKS as usize);
    let registers = registers.ok_or_else(|| format_err!("there are no registers"))?;
    registers.fill(0);
    registers.iter_mut().skip(HEAP as usize).zip(BLOCKS.to_le_bytes()).for_each(|(at, byte)| *at = byte);
    if input.is_empty() {
        return Ok(());
    }
    let offset = put(store, input)?.cast_unsigned();
    set_register(store, INPUT_OFFSET, offset)?;
    set_register(store, INPUT_LENGTH, input.len() as u64)
}

/// What a call gave, charged as output.
pub(crate) fn output(store: &StoreContextMut<'_, State>) -> Result<Vec<u8>> {
    let (offset, length) = (register(store, OUTPUT_OFFSET)?, register(store, OUTPUT_LENGTH)?);
    let bytes = part(store, offset, length)?;
    let meter = store.data().tap.meter();
    meter.charge(Resource::Output, length).and_then(|()| meter.charge(Resource::BytesOut, length))?;
    Ok(bytes.to_vec())
}

/// What a call says that went wrong, if it says something.
pub(crate) fn error(store: &StoreContextMut<'_, State>) -> Result<Option<String>> {
    match register(store, ERROR_OFFSET)? {
        0 => Ok(None),
        offset => text(store, offset.cast_signed()).map(Some),
    }
}

fn set_variable(state: &mut State, name: String, value: Option<Vec<u8>>) -> Result<()> {
    let Some(extism) = &mut state.extism else { bail!("the guest is no plugin of Extism") };
    let size = |name: &str, value: &[u8]| name.len() + value.len();
    let freed = extism.variables.get(&name).map_or(0, |value| size(&name, value));
    let taken = value.as_deref().map_or(0, |value| size(&name, value));
    let bytes = extism.variables_bytes - freed + taken;
    let most = extism.bounds.variables_bytes;
    if bytes as u64 > most {
        bail!("the plugin's variables have at most {most} bytes together");
    }
    extism.variables_bytes = bytes;
    match value {
        Some(value) => extism.variables.insert(name, value),
        None => extism.variables.remove(&name),
    };
    Ok(())
}

fn here(state: &State) -> Result<&Extism> {
    state.extism.as_deref().ok_or_else(|| format_err!("the guest is no plugin of Extism"))
}

/// The bytes of a block, charged as bytes that left the guest.
pub(crate) fn block<S: AsContext<Data = State>>(store: &S, offset: i64) -> Result<&[u8]> {
    let offset = offset.cast_unsigned();
    let header = offset.checked_sub(HEADER_BYTES).ok_or_else(|| format_err!("there is no block at {offset}"))?;
    let length = register(store, header)?;
    store.as_context().data().tap.meter().charge(Resource::BytesOut, length)?;
    part(store, offset, length)
}

fn text(store: &impl AsContext<Data = State>, offset: i64) -> Result<String> {
    Ok(String::from_utf8_lossy(block(store, offset)?).into_owned())
}

/// Makes a block of some bytes, charged as bytes that went into the guest.
pub(crate) fn put(store: &mut StoreContextMut<'_, State>, bytes: &[u8]) -> Result<i64> {
    store.data().tap.meter().charge(Resource::BytesIn, bytes.len() as u64)?;
    let length = bytes.len() as u64;
    let header = register(store, HEAP)?;
    let capacity = length.div_ceil(8) * 8;
    let end = header.checked_add(HEADER_BYTES).and_then(|at| at.checked_add(capacity));
    let end = end.filter(|end| *end <= 1 << 32).ok_or_else(|| format_err!("there is no room for {length} bytes"))?;
    let blocks = here(store.data())?.blocks;
    let missing = end.saturating_sub(blocks.data_size(&store) as u64);
    if missing > 0 && blocks.grow(&mut *store, missing.div_ceil(1 << 16)).is_err() {
        return Err(Stop(Resource::Memory).into());
    }
    set_register(store, HEAP, end)?;
    set_register(store, header, length)?;
    set_register(store, header + 8, capacity)?;
    let offset = header + HEADER_BYTES;
    let at = offset as usize;
    let memory = blocks.data_mut(&mut *store);
    memory.get_mut(at..at + bytes.len()).ok_or_else(|| format_err!("there is no block"))?.copy_from_slice(bytes);
    Ok(offset.cast_signed())
}

fn part<S: AsContext<Data = State>>(store: &S, offset: u64, length: u64) -> Result<&[u8]> {
    let blocks = here(store.as_context().data())?.blocks;
    let range = usize::try_from(offset).ok().zip(offset.checked_add(length).and_then(|end| usize::try_from(end).ok()));
    let memory = blocks.data(store.as_context());
    range
        .and_then(|(from, to)| memory.get(from..to))
        .ok_or_else(|| format_err!("the guest names {length} bytes at {offset}, which are not there"))
}

fn register(store: &impl AsContext<Data = State>, at: u64) -> Result<u64> {
    let bytes = part(store, at, 8)?;
    Ok(bytes.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes)))
}

fn set_register(store: &mut StoreContextMut<'_, State>, at: u64, value: u64) -> Result<()> {
    let blocks = here(store.data())?.blocks;
    Ok(blocks.write(&mut *store, usize::try_from(at)?, &value.to_le_bytes())?)
}
