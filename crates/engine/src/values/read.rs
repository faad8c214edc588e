//! The walk over a type that makes a value of what a notation holds.

use super::{
    Handles, NAMES_MAX, VALUES_MAX, ValueErrorKind, base64,
    error::{Mismatch, excerpt},
    wit::type_text,
};
use std::{borrow::Cow, collections::BTreeMap};
use wasmtime::component::{Type, Val, types};

/// One value in some notation. Every method answers `None` where the syntax does not hold such a thing; the walk knows
/// the type and makes the error.
pub(super) trait Form<'a>: Copy {
    /// `true` or `false`.
    fn boolean(self) -> Option<bool>;
    /// A whole number.
    fn integer(self, width: Width) -> Option<i128>;
    /// Any number, infinities and NaN.
    fn float(self) -> Option<f64>;
    /// One character.
    fn character(self) -> Option<char>;
    /// A string.
    fn string(self) -> Option<Cow<'a, str>>;
    /// A text of bytes in base64.
    fn base64(self) -> Option<&'a str>;
    /// The elements of a list.
    fn elements(self) -> Option<impl ExactSizeIterator<Item = Self>>;
    /// The members of a tuple.
    fn members(self) -> Option<impl ExactSizeIterator<Item = Self>>;
    /// The fields of a record, or the entries of a map from strings.
    fn fields(self) -> Option<Vec<(&'a str, Self)>>;
    /// The case of an enum or variant, and what it carries.
    fn case(self) -> Option<(&'a str, Option<Self>)>;
    /// The names of flags that are set.
    fn flags(self) -> Option<Vec<&'a str>>;
    /// What an option of this payload holds.
    fn option(self, payload: &Type) -> Option<Option<Self>>;
    /// What a result with this `ok` holds.
    fn result(self, ok: Option<&Type>) -> Option<Result<Option<Self>, Option<Self>>>;
    /// Whether it stands for no payload.
    fn is_nothing(self) -> bool;
    /// What it is, for a message.
    fn describe(self) -> String;
}

/// How wide the integer is that is asked for: JSON's numbers hold only 53 bits, so that wider ones come as strings too.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Width {
    UpTo32,
    Of64,
}

/// Reads values, and counts what they cost together.
pub(super) struct Reader<'h> {
    values_left: usize,
    names_left: usize,
    handles: Option<&'h Handles>,
    /// Handles whose resources are given away.
    pub(super) given: Vec<u32>,
}

impl<'h> Reader<'h> {
    /// Starts with all that the arguments of one call may cost, and the handles that they may name.
    pub(super) fn new(handles: Option<&'h Handles>) -> Reader<'h> {
        Reader { values_left: VALUES_MAX, names_left: NAMES_MAX, handles, given: Vec::new() }
    }

    /// Reads a value of a type. Recursion is bounded by the depth of the text and of the type.
    pub(super) fn read<'a, F: Form<'a>>(&mut self, from: F, ty: &Type) -> Result<Val, Mismatch> {
        self.spend_values(1)?;
        let wrong = || Mismatch::new(ValueErrorKind::Mismatch, expected(ty), from.describe());
        match ty {
            Type::Bool => from.boolean().map(Val::Bool).ok_or_else(wrong),
            Type::S8 => narrow(from).map(Val::S8).ok_or_else(wrong),
            Type::U8 => narrow(from).map(Val::U8).ok_or_else(wrong),
            Type::S16 => narrow(from).map(Val::S16).ok_or_else(wrong),
            Type::U16 => narrow(from).map(Val::U16).ok_or_else(wrong),
            Type::S32 => narrow(from).map(Val::S32).ok_or_else(wrong),
            Type::U32 => narrow(from).map(Val::U32).ok_or_else(wrong),
            Type::S64 => wide(from).map(Val::S64).ok_or_else(wrong),
            Type::U64 => wide(from).map(Val::U64).ok_or_else(wrong),
            Type::Float32 => from.float().and_then(single).map(Val::Float32).ok_or_else(wrong),
            Type::Float64 => from.float().map(Val::Float64).ok_or_else(wrong),
            Type::Char => from.character().map(Val::Char).ok_or_else(wrong),
            Type::String => from.string().map(|text| Val::String(text.into_owned())).ok_or_else(wrong),
            Type::List(list) => self.list(from, &list.ty())?.map(Val::List).ok_or_else(wrong),
            Type::FixedLengthList(list) => {
                let values = self.list(from, &list.ty())?.ok_or_else(wrong)?;
                if values.len() != list.len() as usize {
                    let found = format!("a list of {}", counted(values.len(), "element"));
                    return Err(Mismatch::new(ValueErrorKind::Mismatch, expected(ty), found));
                }
                Ok(Val::FixedLengthList(values))
            }
            Type::Tuple(tuple) => {
                let members = from.members().filter(|members| members.len() == tuple.types().len());
                let members = members.ok_or_else(wrong)?.zip(tuple.types()).enumerate();
                let values = members.map(|(index, (member, ty))| self.read(member, &ty).map_err(at(index)));
                values.collect::<Result<_, _>>().map(Val::Tuple)
            }
            Type::Map(map) => self.map(from, map)?.map(Val::Map).ok_or_else(wrong),
            Type::Record(record) => self.record(from.fields().ok_or_else(wrong)?, record).map(Val::Record),
            Type::Variant(variant) => self.variant(from.case().ok_or_else(wrong)?, variant, wrong),
            Type::Enum(cases) => {
                self.spend_names(cases.names().len())?;
                let name =
                    from.case().filter(|(name, payload)| payload.is_none() && cases.names().any(|case| case == *name));
                name.map(|(name, _)| Val::Enum(name.to_owned())).ok_or_else(wrong)
            }
            Type::Flags(flags) => {
                let names = from.flags().ok_or_else(wrong)?;
                self.spend_names(flags.names().len().saturating_mul(names.len()))?;
                if let Some(unknown) = names.iter().find(|name| !flags.names().any(|flag| flag == **name)) {
                    let found = format!("a flag {}", excerpt(unknown));
                    return Err(Mismatch::new(ValueErrorKind::Mismatch, expected(ty), found));
                }
                // In the order of the type, each once.
                Ok(Val::Flags(flags.names().filter(|flag| names.contains(flag)).map(str::to_owned).collect()))
            }
            Type::Option(option) => {
                let payload = option.ty();
                let held = from.option(&payload).ok_or_else(wrong)?;
                let held = held.map(|held| self.read(held, &payload)).transpose()?;
                Ok(Val::Option(held.map(Box::new)))
            }
            Type::Result(result) => match from.result(result.ok().as_ref()).ok_or_else(wrong)? {
                Ok(held) => Ok(Val::Result(Ok(self.payload("ok", held, result.ok())?))),
                Err(held) => Ok(Val::Result(Err(self.payload("err", held, result.err())?))),
            },
            Type::Own(of) | Type::Borrow(of) if self.handles.is_some() => {
                let handle = match from.case() {
                    Some(("handle", Some(handle))) => narrow::<F, u32>(handle),
                    _ => None,
                };
                let handle = handle.ok_or_else(wrong)?;
                let resource = self.handles.and_then(|handles| handles.get(handle));
                let resource = resource.filter(|resource| resource.ty() == *of && !self.given.contains(&handle));
                let unknown = || {
                    let found = format!("handle {handle}, which is none of this type here");
                    Mismatch::new(ValueErrorKind::Mismatch, expected(ty), found)
                };
                let resource = resource.ok_or_else(unknown)?;
                if matches!(ty, Type::Own(_)) {
                    self.given.push(handle);
                }
                Ok(Val::Resource(resource))
            }
            Type::Own(_) | Type::Borrow(_) | Type::Future(_) | Type::Stream(_) | Type::ErrorContext => {
                let found = format!("a parameter of type `{}`, which lives only inside a sandbox", type_text(ty));
                Err(Mismatch::new(ValueErrorKind::Unsupported, "a type that text can carry", found))
            }
        }
    }

    fn list<'a, F: Form<'a>>(&mut self, from: F, element: &Type) -> Result<Option<Vec<Val>>, Mismatch> {
        if let (Type::U8, Some(text)) = (element, from.base64()) {
            self.spend_values(text.len() / 4 * 3)?;
            let wrong = || Mismatch::new(ValueErrorKind::Mismatch, "base64", excerpt(text));
            let bytes = base64::decode(text).ok_or_else(wrong)?;
            return Ok(Some(bytes.into_iter().map(Val::U8).collect()));
        }
        let Some(elements) = from.elements() else { return Ok(None) };
        let values = elements.enumerate().map(|(index, value)| self.read(value, element).map_err(at(index)));
        values.collect::<Result<_, _>>().map(Some)
    }

    fn map<'a, F: Form<'a>>(&mut self, from: F, ty: &types::Map) -> Result<Option<Vec<(Val, Val)>>, Mismatch> {
        let (key_type, value_type) = (ty.key(), ty.value());
        if let (Type::String, Some(fields)) = (&key_type, from.fields()) {
            let entries = fields.into_iter().map(|(key, value)| {
                let value = self.read(value, &value_type).map_err(|error| error.under(format_args!("[{key:?}]")))?;
                Ok((Val::String(key.to_owned()), value))
            });
            return entries.collect::<Result<_, _>>().map(Some);
        }
        let Some(elements) = from.elements() else { return Ok(None) };
        let mut entries = Vec::with_capacity(elements.len());
        for (index, entry) in elements.enumerate() {
            let mut pair = entry.members().filter(|pair| pair.len() == 2);
            let (Some(key), Some(value)) =
                (pair.as_mut().and_then(Iterator::next), pair.as_mut().and_then(Iterator::next))
            else {
                let wrong = Mismatch::new(ValueErrorKind::Mismatch, "a pair of a key and a value", entry.describe());
                return Err(at(index)(wrong));
            };
            let key = self.read(key, &key_type).map_err(at(0)).map_err(at(index))?;
            let value = self.read(value, &value_type).map_err(at(1)).map_err(at(index))?;
            entries.push((key, value));
        }
        Ok(Some(entries))
    }

    fn record<'a, F: Form<'a>>(
        &mut self,
        fields: Vec<(&'a str, F)>,
        ty: &types::Record,
    ) -> Result<Vec<(String, Val)>, Mismatch> {
        self.spend_names(ty.fields().len())?;
        let mut given: BTreeMap<_, _> = fields.into_iter().collect();
        let mut values = Vec::with_capacity(ty.fields().len());
        for field in ty.fields() {
            let value = match (given.remove(field.name), &field.ty) {
                (Some(value), ty) => {
                    self.read(value, ty).map_err(|error| error.under(format_args!(".{}", field.name)))?
                }
                (None, Type::Option(_)) => Val::Option(None),
                (None, ty) => {
                    let expected = format!("a field `{}: {}`", field.name, type_text(ty));
                    return Err(Mismatch::new(ValueErrorKind::Mismatch, expected, "none of that name"));
                }
            };
            values.push((field.name.to_owned(), value));
        }
        match given.keys().next() {
            None => Ok(values),
            Some(unknown) => {
                let known: Vec<_> = ty.fields().take(8).map(|field| format!("`{}`", field.name)).collect();
                let expected = match known.is_empty() {
                    true => "no fields".to_owned(),
                    false => format!("the fields {}", known.join(", ")),
                };
                Err(Mismatch::new(ValueErrorKind::Mismatch, expected, format!("a field {}", excerpt(unknown))))
            }
        }
    }

    fn variant<'a, F: Form<'a>>(
        &mut self,
        (name, held): (&str, Option<F>),
        ty: &types::Variant,
        wrong: impl FnOnce() -> Mismatch,
    ) -> Result<Val, Mismatch> {
        self.spend_names(ty.cases().len())?;
        let case = ty.cases().find(|case| case.name == name).ok_or_else(wrong)?;
        Ok(Val::Variant(name.to_owned(), self.payload(name, held, case.ty)?))
    }

    fn payload<'a, F: Form<'a>>(
        &mut self,
        case: &str,
        held: Option<F>,
        ty: Option<Type>,
    ) -> Result<Option<Box<Val>>, Mismatch> {
        match (held, ty) {
            (None, None) => Ok(None),
            (Some(held), None) if held.is_nothing() => Ok(None),
            (Some(held), Some(ty)) => self
                .read(held, &ty)
                .map(|value| Some(Box::new(value)))
                .map_err(|error| error.under(format_args!(".{case}"))),
            (Some(held), None) => {
                Err(Mismatch::new(ValueErrorKind::Mismatch, format!("`{case}` without a payload"), held.describe()))
            }
            (None, Some(ty)) => {
                let expected = format!("`{case}` with a payload of type `{}`", type_text(&ty));
                Err(Mismatch::new(ValueErrorKind::Mismatch, expected, "none"))
            }
        }
    }

    fn spend_values(&mut self, count: usize) -> Result<(), Mismatch> {
        let expected = || format!("at most {VALUES_MAX} values in one call");
        spend(&mut self.values_left, count).ok_or_else(|| Mismatch::new(ValueErrorKind::TooLarge, expected(), "more"))
    }

    fn spend_names(&mut self, count: usize) -> Result<(), Mismatch> {
        let expected = || format!("at most {NAMES_MAX} names of fields and cases to compare in one call");
        spend(&mut self.names_left, count).ok_or_else(|| Mismatch::new(ValueErrorKind::TooLarge, expected(), "more"))
    }
}

fn spend(left: &mut usize, count: usize) -> Option<()> {
    *left = left.checked_sub(count)?;
    Some(())
}

fn expected(ty: &Type) -> String {
    format!("`{}`", type_text(ty))
}

fn at(index: usize) -> impl Fn(Mismatch) -> Mismatch {
    move |error| error.under(format_args!("[{index}]"))
}

fn narrow<'a, F: Form<'a>, T: TryFrom<i128>>(from: F) -> Option<T> {
    from.integer(Width::UpTo32)?.try_into().ok()
}

fn wide<'a, F: Form<'a>, T: TryFrom<i128>>(from: F) -> Option<T> {
    from.integer(Width::Of64)?.try_into().ok()
}

/// Rounds to single precision. `None` where a finite number becomes infinite.
pub(super) fn single(number: f64) -> Option<f32> {
    let rounded = number as f32;
    (rounded.is_finite() || !number.is_finite()).then_some(rounded)
}

/// Writes a count with its noun, as in `1 element`, `2 elements`.
pub(super) fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
