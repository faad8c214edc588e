//! An example of every type, for help and for hints.

use super::{Notation, json, text::Bounded, wave};
use wasmtime::component::{Type, Val};

/// How many values an example holds at most; a type that needs more has none that helps.
const EXAMPLE_VALUES_MAX: usize = 40;

/// How long an example is at most, in bytes.
const EXAMPLE_BYTES_MAX: usize = 400;

/// Writes an example value of a type. `None` where no text can carry one, or where it would be too long to help.
pub(crate) fn example_of(ty: &Type, notation: Notation) -> Option<String> {
    let value = value(ty, &mut { EXAMPLE_VALUES_MAX })?;
    let mut out = Bounded::new(EXAMPLE_BYTES_MAX);
    match notation {
        Notation::Json => json::write(&mut out, &value, ty),
        Notation::Wave => wave::write(&mut out, &value),
    }
    .ok()?;
    Some(out.finish())
}

/// Writes an example argument as it is typed into a shell: quoted where the shell would change it.
pub(super) fn shell_example_of(ty: &Type) -> Option<String> {
    let text = match ty {
        Type::String => "text".to_owned(),
        Type::Char => "x".to_owned(),
        _ => example_of(ty, Notation::Wave)?,
    };
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b','));
    Some(if plain { text } else { format!("'{}'", text.replace('\'', r"'\''")) })
}

fn value(ty: &Type, left: &mut usize) -> Option<Val> {
    *left = left.checked_sub(1)?;
    Some(match ty {
        Type::Bool => Val::Bool(true),
        Type::S8 => Val::S8(42),
        Type::U8 => Val::U8(42),
        Type::S16 => Val::S16(42),
        Type::U16 => Val::U16(42),
        Type::S32 => Val::S32(42),
        Type::U32 => Val::U32(42),
        Type::S64 => Val::S64(42),
        Type::U64 => Val::U64(42),
        Type::Float32 => Val::Float32(1.5),
        Type::Float64 => Val::Float64(1.5),
        Type::Char => Val::Char('x'),
        Type::String => Val::String("text".to_owned()),
        Type::List(list) => Val::List(vec![value(&list.ty(), left)?]),
        Type::FixedLengthList(list) => {
            let element = list.ty();
            Val::FixedLengthList((0..list.len()).map(|_| value(&element, left)).collect::<Option<_>>()?)
        }
        Type::Tuple(tuple) => Val::Tuple(tuple.types().map(|ty| value(&ty, left)).collect::<Option<_>>()?),
        Type::Map(map) => Val::Map(vec![(value(&map.key(), left)?, value(&map.value(), left)?)]),
        Type::Record(record) => {
            let fields = record.fields().map(|field| Some((field.name.to_owned(), value(&field.ty, left)?)));
            Val::Record(fields.collect::<Option<_>>()?)
        }
        Type::Variant(variant) => {
            let case = variant.cases().next()?;
            Val::Variant(case.name.to_owned(), payload(case.ty, left)?)
        }
        Type::Enum(cases) => Val::Enum(cases.names().next()?.to_owned()),
        Type::Option(option) => Val::Option(payload(Some(option.ty()), left)?),
        Type::Result(result) => Val::Result(Ok(payload(result.ok(), left)?)),
        Type::Flags(flags) => Val::Flags(flags.names().take(1).map(str::to_owned).collect()),
        Type::Own(_) | Type::Borrow(_) | Type::Future(_) | Type::Stream(_) | Type::ErrorContext => return None,
    })
}

fn payload(ty: Option<Type>, left: &mut usize) -> Option<Option<Box<Val>>> {
    match ty {
        None => Some(None),
        Some(ty) => Some(Some(Box::new(value(&ty, left)?))),
    }
}
