/// How values are JSON where that is not serde's own way.
#[allow(dead_code, unused_imports, unused_macros, unreachable_pub, missing_docs, clippy::all, clippy::pedantic)]
mod wit {
    use serde::{
        de::{Deserialize, Deserializer, Error as _, IntoDeserializer, MapAccess, Visitor},
        ser::{Serialize, SerializeMap, Serializer},
    };
    use std::{collections::BTreeMap, fmt, marker::PhantomData};

    /// What can be written.
    pub trait ToJson {
        /// Whether `null` says something of it, so that an option of it has to name what it holds.
        const IS_OPTION: bool = false;
        /// Whether it can be the key of an object.
        const IS_TEXT: bool = false;
        fn to<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error>;
    }

    /// What can be read.
    pub trait FromJson: Sized {
        const IS_OPTION: bool = false;
        const IS_TEXT: bool = false;
        fn from<'de, D: Deserializer<'de>>(from: D) -> Result<Self, D::Error>;
    }

    /// A value in its form, for serde.
    pub struct Json<T>(pub T);

    impl<T: ToJson> Serialize for Json<T> {
        fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            self.0.to(to)
        }
    }

    impl<'de, T: FromJson> Deserialize<'de> for Json<T> {
        fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Json<T>, D::Error> {
            T::from(from).map(Json)
        }
    }

    /// For `#[serde(with = "wit")]`.
    pub fn serialize<T: ToJson, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
        value.to(to)
    }

    pub fn deserialize<'de, T: FromJson, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
        T::from(from)
    }

    impl<T: ToJson + ?Sized> ToJson for &T {
        const IS_OPTION: bool = T::IS_OPTION;
        const IS_TEXT: bool = T::IS_TEXT;
        fn to<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            (**self).to(to)
        }
    }

    /// Types that serde writes as they should be.
    macro_rules! json {
        ($($ty:ty),+) => {$(
            impl wit::ToJson for $ty {
                fn to<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                    serde::Serialize::serialize(self, to)
                }
            }

            impl wit::FromJson for $ty {
                fn from<'de, D: serde::Deserializer<'de>>(from: D) -> Result<$ty, D::Error> {
                    serde::Deserialize::deserialize(from)
                }
            }
        )+};
    }
    pub(super) use json;

    use super::wit;
    json!(bool, u8, u16, u32, i8, i16, i32, char, ());

    /// Flags: a list of the names of those that are set.
    macro_rules! flags {
        ($ty:ident { $($field:ident: $name:literal),+ $(,)? }) => {
            impl serde::Serialize for $ty {
                fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                    let all = [$((self.$field, $name)),+];
                    to.collect_seq(all.iter().filter(|(is_set, _)| *is_set).map(|(_, name)| name))
                }
            }

            impl<'de> serde::Deserialize<'de> for $ty {
                fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<$ty, D::Error> {
                    let mut flags = $ty::default();
                    for name in <Vec<String> as serde::Deserialize>::deserialize(from)? {
                        match name.as_str() {
                            $($name => flags.$field = true,)+
                            other => return Err(serde::de::Error::unknown_variant(other, &[$($name),+])),
                        }
                    }
                    Ok(flags)
                }
            }

            wit::json!($ty);
        };
    }
    pub(super) use flags;

    impl ToJson for str {
        const IS_TEXT: bool = true;
        fn to<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            to.serialize_str(self)
        }
    }

    impl ToJson for String {
        const IS_TEXT: bool = true;
        fn to<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            to.serialize_str(self)
        }
    }

    impl FromJson for String {
        const IS_TEXT: bool = true;
        fn from<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
            String::deserialize(from)
        }
    }

    /// Numbers that a string may say: wide ones, and those that JSON has no number for.
    macro_rules! number {
        ($($ty:ident $write:ident $is_plain:expr, $expected:literal;)+) => {$(
            impl ToJson for $ty {
                fn to<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                    let is_plain: fn(&$ty) -> bool = $is_plain;
                    if is_plain(self) { to.$write(*self) } else { to.collect_str(&Unplain(*self as f64)) }
                }
            }

            impl FromJson for $ty {
                fn from<'de, D: Deserializer<'de>>(from: D) -> Result<$ty, D::Error> {
                    struct Numbers;

                    impl Visitor<'_> for Numbers {
                        type Value = $ty;

                        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                            f.write_str($expected)
                        }

                        fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<$ty, E> {
                            Whole::whole(number.into()).ok_or_else(|| E::custom($expected))
                        }

                        fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<$ty, E> {
                            Whole::whole(number.into()).ok_or_else(|| E::custom($expected))
                        }

                        fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<$ty, E> {
                            Whole::float(number).ok_or_else(|| E::custom($expected))
                        }

                        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$ty, E> {
                            text.parse().map_err(|_| E::custom($expected))
                        }
                    }
                    from.deserialize_any(Numbers)
                }
            }
        )+};
    }

    number! {
        u64 serialize_u64 |_| true, "a whole number from 0 to 2^64-1, or one in a string";
        i64 serialize_i64 |_| true, "a whole number from -2^63 to 2^63-1, or one in a string";
        f32 serialize_f32 |number| number.is_finite(), "a number, `NaN`, `Infinity` or `-Infinity`";
        f64 serialize_f64 |number| number.is_finite(), "a number, `NaN`, `Infinity` or `-Infinity`";
    }

    struct Unplain(f64);

    impl fmt::Display for Unplain {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(match self.0 {
                f64::INFINITY => "Infinity",
                f64::NEG_INFINITY => "-Infinity",
                _ => "NaN",
            })
        }
    }

    trait Whole: Sized {
        fn whole(number: i128) -> Option<Self>;
        fn float(number: f64) -> Option<Self>;
    }

    macro_rules! whole {
        ($($ty:ident)+) => {$(
            impl Whole for $ty {
                fn whole(number: i128) -> Option<$ty> {
                    number.try_into().ok()
                }

                fn float(number: f64) -> Option<$ty> {
                    let is_exact = number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0;
                    if is_exact { (number as i128).try_into().ok() } else { None }
                }
            }
        )+};
    }
    whole!(u64 i64);

    macro_rules! float {
        ($($ty:ident)+) => {$(
            impl Whole for $ty {
                fn whole(number: i128) -> Option<$ty> {
                    Some(number as $ty)
                }

                fn float(number: f64) -> Option<$ty> {
                    Some(number as $ty)
                }
            }
        )+};
    }
    float!(f32 f64);

    impl<T: ToJson> ToJson for [T] {
        fn to<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            to.collect_seq(self.iter().map(Json))
        }
    }

    impl<T: ToJson> ToJson for Vec<T> {
        fn to<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            self.as_slice().to(to)
        }
    }

    impl<T: FromJson> FromJson for Vec<T> {
        fn from<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<T>, D::Error> {
            Vec::<Json<T>>::deserialize(from).map(|values| values.into_iter().map(|value| value.0).collect())
        }
    }

    /// Writes an object of one key.
    fn case<S: Serializer, T: ToJson>(to: S, name: &str, value: T) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(1))?;
        map.serialize_entry(name, &Json(value))?;
        map.end()
    }

    impl<T: ToJson> ToJson for Option<T> {
        const IS_OPTION: bool = true;
        fn to<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            match self {
                None => to.serialize_none(),
                Some(value) if T::IS_OPTION => case(to, "some", value),
                Some(value) => value.to(to),
            }
        }
    }

    impl<T: FromJson> FromJson for Option<T> {
        const IS_OPTION: bool = true;
        fn from<'de, D: Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
            if T::IS_OPTION {
                let held = Option::<BTreeMap<String, Json<T>>>::deserialize(from)?;
                let some = |mut held: BTreeMap<String, Json<T>>| held.remove("some").filter(|_| held.is_empty());
                return held
                    .map(|held| some(held).map(|value| value.0).ok_or_else(|| D::Error::custom("expected `some`")))
                    .transpose();
            }
            Option::<Json<T>>::deserialize(from).map(|held| held.map(|value| value.0))
        }
    }

    impl<T: ToJson, E: ToJson> ToJson for Result<T, E> {
        fn to<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            match self {
                Ok(value) => case(to, "ok", value),
                Err(value) => case(to, "err", value),
            }
        }
    }

    impl<T: FromJson, E: FromJson> FromJson for Result<T, E> {
        fn from<'de, D: Deserializer<'de>>(from: D) -> Result<Result<T, E>, D::Error> {
            struct Cases<T, E>(PhantomData<(T, E)>);

            impl<'de, T: FromJson, E: FromJson> Visitor<'de> for Cases<T, E> {
                type Value = Result<T, E>;

                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("an object with the key `ok` or `err`")
                }

                fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Result<T, E>, A::Error> {
                    let name = map.next_key::<String>()?;
                    match name.as_deref() {
                        Some("ok") => map.next_value::<Json<T>>().map(|value| Ok(value.0)),
                        Some("err") => map.next_value::<Json<E>>().map(|value| Err(value.0)),
                        other => Err(A::Error::unknown_variant(other.unwrap_or_default(), &["ok", "err"])),
                    }
                }
            }
            from.deserialize_map(Cases(PhantomData))
        }
    }

    impl<K: ToJson, V: ToJson> ToJson for BTreeMap<K, V> {
        fn to<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            if K::IS_TEXT {
                to.collect_map(self.iter().map(|(key, value)| (Json(key), Json(value))))
            } else {
                to.collect_seq(self.iter().map(|(key, value)| (Json(key), Json(value))))
            }
        }
    }

    impl<K: FromJson + Ord, V: FromJson> FromJson for BTreeMap<K, V> {
        fn from<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<K, V>, D::Error> {
            if K::IS_TEXT {
                let mut map = BTreeMap::new();
                for (key, value) in BTreeMap::<String, Json<V>>::deserialize(from)? {
                    map.insert(K::from(key.into_deserializer())?, value.0);
                }
                return Ok(map);
            }
            let pairs = Vec::<(Json<K>, Json<V>)>::deserialize(from)?;
            Ok(pairs.into_iter().map(|(key, value)| (key.0, value.0)).collect())
        }
    }

    macro_rules! tuple {
        ($($($name:ident)+;)+) => {$(
            #[allow(non_snake_case)]
            impl<$($name: ToJson),+> ToJson for ($($name,)+) {
                fn to<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                    let ($($name,)+) = self;
                    ($(Json($name),)+).serialize(to)
                }
            }

            #[allow(non_snake_case)]
            impl<$($name: FromJson),+> FromJson for ($($name,)+) {
                fn from<'de, D_: Deserializer<'de>>(from: D_) -> Result<Self, D_::Error> {
                    let ($(Json($name),)+) = Deserialize::deserialize(from)?;
                    Ok(($($name,)+))
                }
            }
        )+};
    }

    tuple! {
        A;
        A B;
        A B C;
        A B C D;
        A B C D E;
        A B C D E F;
        A B C D E F G;
        A B C D E F G H;
        A B C D E F G H I;
        A B C D E F G H I J;
        A B C D E F G H I J K;
        A B C D E F G H I J K L;
    }
}
