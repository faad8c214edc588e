//! Values of Rust as the JSON of `docs/values.md`: the file that is written ends with the code under test.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

include!("../../src/rust/support/values.rs");
include!("../../src/rust/support/arguments.rs");

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Access {
    read: bool,
    write: bool,
}

wit::flags!(Access { read: "read", write: "write" });

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Everything {
    #[serde(rename = "wide-one", with = "wit")]
    wide: u64,
    #[serde(with = "wit")]
    nested: Vec<Option<Option<f32>>>,
    #[serde(with = "wit")]
    outcome: Result<(u8, Access), ()>,
}

wit::json!(Everything);

fn check<T: wit::ToJson + wit::FromJson + PartialEq + std::fmt::Debug>(value: T, json: &str) {
    assert_eq!(serde_json::to_string(&wit::Json(&value)).unwrap(), json);
    assert_eq!(serde_json::from_str::<wit::Json<T>>(json).unwrap().0, value);
}

fn read<T: wit::FromJson>(json: &str) -> Result<T, String> {
    serde_json::from_str::<wit::Json<T>>(json).map(|value| value.0).map_err(|error| error.to_string())
}

#[test]
fn values_are_the_json_of_the_manual() {
    check(true, "true");
    check('x', "\"x\"");
    check("text".to_owned(), "\"text\"");
    check((1_u8, "a".to_owned()), "[1,\"a\"]");
    check(None::<u32>, "null");
    check(Some(5_u32), "5");
    check(None::<Option<u32>>, "null");
    check(Some(None::<u32>), "{\"some\":null}");
    check(Some(Some(5_u32)), "{\"some\":5}");
    check(Some(Some(None::<u8>)), "{\"some\":{\"some\":null}}");
    check(Ok::<u8, String>(1), "{\"ok\":1}");
    check(Err::<u8, String>("no".into()), "{\"err\":\"no\"}");
    check(Ok::<(), ()>(()), "{\"ok\":null}");
    check(BTreeMap::from([("a".to_owned(), 1_u64)]), "{\"a\":1}");
    check(BTreeMap::from([(1_u32, "a".to_owned())]), "[[1,\"a\"]]");
    check(vec![1_u8, 2], "[1,2]");
    check(Access { read: true, write: false }, "[\"read\"]");
    check(1.5_f64, "1.5");
    check(f64::INFINITY, "\"Infinity\"");
    check(f32::NEG_INFINITY, "\"-Infinity\"");
    assert_eq!(serde_json::to_string(&wit::Json(f64::NAN)).unwrap(), "\"NaN\"");
    assert!(read::<f32>("\"NaN\"").unwrap().is_nan());
    check(0.1_f32, "0.1");
    check(u64::MAX, "18446744073709551615");
    check(i64::MIN, "-9223372036854775808");
}

#[test]
fn what_may_be_written_in_two_ways_is_read_in_both() {
    assert_eq!(read("\"18446744073709551615\""), Ok(u64::MAX));
    assert_eq!(read("\"-9223372036854775808\""), Ok(i64::MIN));
    assert_eq!(read("20.0"), Ok(20_u64));
    assert_eq!(read("2"), Ok(2.0_f64));
    assert!(read::<u64>("-1").is_err() && read::<u64>("\"many\"").is_err() && read::<i64>("1.5").is_err());
    assert!(read::<Result<u8, u8>>("{\"other\":1}").is_err());
    assert!(read::<Option<Option<u8>>>("{\"none\":1}").is_err() && read::<Access>("[\"execute\"]").is_err());
}

#[test]
fn types_with_names_hold_any_of_them() {
    let value = Everything {
        wide: 7,
        nested: vec![None, Some(None), Some(Some(f32::INFINITY))],
        outcome: Ok((1, Access { read: false, write: true })),
    };
    let json = r#"{"wide-one":7,"nested":[null,{"some":null},{"some":"Infinity"}],"outcome":{"ok":[1,["write"]]}}"#;
    check(value, json);
}

#[test]
fn arguments_are_an_array_of_any_length() {
    use wit_arguments::Arguments;
    assert_eq!(serde_json::to_string(&Arguments(())).unwrap(), "[]");
    assert_eq!(
        serde_json::to_string(&Arguments((&u64::MAX, ("a", (&[1.5][..], ()))))).unwrap(),
        "[18446744073709551615,\"a\",[1.5]]"
    );
    let Arguments((first, (second, ()))) =
        serde_json::from_str::<Arguments<(u64, (Option<String>, ()))>>("[\"1\",null]").unwrap();
    assert_eq!((first, second), (1, None));
    assert!(serde_json::from_str::<Arguments<(u64, (u8, ()))>>("[1]").is_err());
    assert!(serde_json::from_str::<Arguments<(u64, ())>>("[1,2]").is_err());
}
