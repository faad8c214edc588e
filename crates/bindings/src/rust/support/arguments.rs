/// Arguments of calls, and of functions of the host.
#[allow(dead_code, unreachable_pub, missing_docs, clippy::all, clippy::pedantic)]
mod wit_arguments {
    use super::wit::{FromJson, Json, ToJson};
    use serde::{
        de::{Deserialize, Deserializer, Error as _, SeqAccess, Visitor},
        ser::{Serialize, SerializeSeq, Serializer},
    };
    use std::{fmt, marker::PhantomData};

    /// Arguments, of any number: `(first, (second, ()))`.
    pub struct Arguments<L>(pub L);

    pub trait Written {
        fn each<S: SerializeSeq>(&self, to: &mut S) -> Result<(), S::Error>;
    }

    impl Written for () {
        fn each<S: SerializeSeq>(&self, _: &mut S) -> Result<(), S::Error> {
            Ok(())
        }
    }

    impl<H: ToJson, T: Written> Written for (H, T) {
        fn each<S: SerializeSeq>(&self, to: &mut S) -> Result<(), S::Error> {
            to.serialize_element(&Json(&self.0))?;
            self.1.each(to)
        }
    }

    impl<L: Written> Serialize for Arguments<L> {
        fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            let mut list = to.serialize_seq(None)?;
            self.0.each(&mut list)?;
            list.end()
        }
    }

    pub trait Taken: Sized {
        fn take<'de, A: SeqAccess<'de>>(from: &mut A) -> Result<Self, A::Error>;
    }

    impl Taken for () {
        fn take<'de, A: SeqAccess<'de>>(_: &mut A) -> Result<(), A::Error> {
            Ok(())
        }
    }

    impl<H: FromJson, T: Taken> Taken for (H, T) {
        fn take<'de, A: SeqAccess<'de>>(from: &mut A) -> Result<(H, T), A::Error> {
            let first = from.next_element::<Json<H>>()?.ok_or_else(|| A::Error::custom("expected one more argument"))?;
            Ok((first.0, T::take(from)?))
        }
    }

    impl<'de, L: Taken> Deserialize<'de> for Arguments<L> {
        fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Arguments<L>, D::Error> {
            struct List<L>(PhantomData<L>);

            impl<'de, L: Taken> Visitor<'de> for List<L> {
                type Value = Arguments<L>;

                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("an array of arguments")
                }

                fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Arguments<L>, A::Error> {
                    L::take(&mut list).map(Arguments)
                }
            }
            from.deserialize_seq(List(PhantomData))
        }
    }
}
