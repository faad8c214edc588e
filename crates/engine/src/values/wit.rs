//! Types as WIT writes them.

use super::text::{Bounded, Unwritable};
use std::fmt::Write;
use wasmtime::component::Type;

/// How much of a type is shown, in bytes. A guest may declare a type that fills a book.
const TYPE_BYTES_MAX: usize = 240;

/// Writes a type in WIT. Records and their like are written out, since a component keeps no names for them; what is
/// longer than a few lines ends in `…`.
pub(crate) fn type_text(ty: &Type) -> String {
    let mut out = Bounded::new(TYPE_BYTES_MAX);
    let whole = write(&mut out, ty).is_ok();
    let mut text = out.finish();
    if !whole {
        text.push('…');
    }
    text
}

fn write(out: &mut Bounded, ty: &Type) -> Result<(), Unwritable> {
    let name = match ty {
        Type::Bool => "bool",
        Type::S8 => "s8",
        Type::U8 => "u8",
        Type::S16 => "s16",
        Type::U16 => "u16",
        Type::S32 => "s32",
        Type::U32 => "u32",
        Type::S64 => "s64",
        Type::U64 => "u64",
        Type::Float32 => "f32",
        Type::Float64 => "f64",
        Type::Char => "char",
        Type::String => "string",
        Type::ErrorContext => "error-context",
        Type::Own(_) => "own<resource>",
        Type::Borrow(_) => "borrow<resource>",
        Type::List(list) => return generic(out, "list", [Some(list.ty())]),
        Type::Map(map) => return generic(out, "map", [Some(map.key()), Some(map.value())]),
        Type::Option(option) => return generic(out, "option", [Some(option.ty())]),
        Type::Tuple(tuple) => return generic(out, "tuple", tuple.types().map(Some)),
        Type::Future(future) => return optional(out, "future", future.ty()),
        Type::Stream(stream) => return optional(out, "stream", stream.ty()),
        Type::Result(result) => {
            return match (result.ok(), result.err()) {
                (None, None) => Ok(out.write_str("result")?),
                (Some(ok), None) => generic(out, "result", [Some(ok)]),
                (ok, err) => generic(out, "result", [ok, err]),
            };
        }
        Type::FixedLengthList(list) => {
            out.write_str("list<")?;
            write(out, &list.ty())?;
            return Ok(write!(out, ", {}>", list.len())?);
        }
        Type::Record(record) => {
            return braces(out, "record", record.fields(), |out, field| {
                write!(out, "{}: ", field.name)?;
                write(out, &field.ty)
            });
        }
        Type::Variant(variant) => {
            return braces(out, "variant", variant.cases(), |out, case| {
                out.write_str(case.name)?;
                let Some(payload) = case.ty else { return Ok(()) };
                out.write_str("(")?;
                write(out, &payload)?;
                Ok(out.write_str(")")?)
            });
        }
        Type::Enum(cases) => return braces(out, "enum", cases.names(), |out, name| Ok(out.write_str(name)?)),
        Type::Flags(flags) => return braces(out, "flags", flags.names(), |out, name| Ok(out.write_str(name)?)),
    };
    Ok(out.write_str(name)?)
}

fn generic(out: &mut Bounded, name: &str, of: impl IntoIterator<Item = Option<Type>>) -> Result<(), Unwritable> {
    write!(out, "{name}<")?;
    out.separated(", ", of, |out, ty| match ty {
        Some(ty) => write(out, &ty),
        None => Ok(out.write_str("_")?),
    })?;
    Ok(out.write_str(">")?)
}

fn optional(out: &mut Bounded, name: &str, of: Option<Type>) -> Result<(), Unwritable> {
    match of {
        Some(ty) => generic(out, name, [Some(ty)]),
        None => Ok(out.write_str(name)?),
    }
}

fn braces<T>(
    out: &mut Bounded,
    name: &str,
    items: impl Iterator<Item = T>,
    each: impl FnMut(&mut Bounded, T) -> Result<(), Unwritable>,
) -> Result<(), Unwritable> {
    write!(out, "{name} {{ ")?;
    out.separated(", ", items, each)?;
    Ok(out.write_str(" }")?)
}
