//! Values of the component-model suite.

use wasmtime::component::Val;
use wast::component::WastVal;

/// The value that a script writes: an argument, or a result that is expected.
pub(crate) fn value(written: &WastVal<'_>) -> Val {
    match written {
        WastVal::Bool(value) => Val::Bool(*value),
        WastVal::U8(value) => Val::U8(*value),
        WastVal::S8(value) => Val::S8(*value),
        WastVal::U16(value) => Val::U16(*value),
        WastVal::S16(value) => Val::S16(*value),
        WastVal::U32(value) => Val::U32(*value),
        WastVal::S32(value) => Val::S32(*value),
        WastVal::U64(value) => Val::U64(*value),
        WastVal::S64(value) => Val::S64(*value),
        WastVal::F32(value) => Val::Float32(f32::from_bits(value.bits)),
        WastVal::F64(value) => Val::Float64(f64::from_bits(value.bits)),
        WastVal::Char(value) => Val::Char(*value),
        WastVal::String(value) => Val::String((*value).into()),
        WastVal::List(values) => Val::List(values.iter().map(value).collect()),
        WastVal::Map(entries) => Val::Map(entries.iter().map(|(key, entry)| (value(key), value(entry))).collect()),
        WastVal::Record(fields) => {
            Val::Record(fields.iter().map(|(name, field)| ((*name).into(), value(field))).collect())
        }
        WastVal::Tuple(values) => Val::Tuple(values.iter().map(value).collect()),
        WastVal::Variant(name, payload) => Val::Variant((*name).into(), boxed(payload.as_deref())),
        WastVal::Enum(name) => Val::Enum((*name).into()),
        WastVal::Option(payload) => Val::Option(boxed(payload.as_deref())),
        WastVal::Result(Ok(payload)) => Val::Result(Ok(boxed(payload.as_deref()))),
        WastVal::Result(Err(payload)) => Val::Result(Err(boxed(payload.as_deref()))),
        WastVal::Flags(names) => Val::Flags(names.iter().map(|name| (*name).into()).collect()),
    }
}

fn boxed(payload: Option<&WastVal<'_>>) -> Option<Box<Val>> {
    payload.map(|payload| Box::new(value(payload)))
}
