//! Any bytes as JSON within bounds, and as base64: what passes the bounds is within them when it is built.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/engine/src/values"]
mod values {
    mod base64;

    pub(crate) mod json {
        mod bounds;

        use bounds::Bounds;
        use serde_json::Value;

        const BOUNDS: Bounds = Bounds { bytes: 1 << 10, depth: 6, values: 40 };

        pub(crate) fn check(text: &[u8]) {
            let checked = BOUNDS.check(text);
            let Ok(value) = serde_json::from_slice::<Value>(text) else { return };
            let (depth, values) = measure(&value);
            if checked.is_ok() {
                assert!(text.len() <= BOUNDS.bytes && depth <= BOUNDS.depth && values <= BOUNDS.values);
            }
        }

        /// How deep a value nests, and how many there are in it.
        fn measure(value: &Value) -> (usize, usize) {
            let held: Vec<&Value> = match value {
                Value::Array(values) => values.iter().collect(),
                Value::Object(fields) => fields.values().collect(),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return (0, 1),
            };
            let measured = held.into_iter().map(measure);
            let (deepest, values) = measured.fold((0, 1), |(d, v), (depth, values)| (d.max(depth), v + values));
            (deepest + 1, values)
        }
    }

    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    pub(crate) fn check_base64(text: &str) {
        if let Some(bytes) = base64::decode(text) {
            let standard = text.trim_end_matches('=').replace('-', "+").replace('_', "/");
            assert_eq!(encode(&bytes), standard, "there is one way to write bytes");
        }
    }

    fn encode(bytes: &[u8]) -> String {
        let digit = |bits: u32| char::from(DIGITS[(bits & 63) as usize]);
        let each = bytes.chunks(3).flat_map(|chunk| {
            let bits = chunk.iter().chain([&0, &0]).take(3).fold(0, |bits, byte| bits << 8 | u32::from(*byte));
            [18, 12, 6, 0].into_iter().take(chunk.len() + 1).map(move |shift| digit(bits >> shift)).collect::<Vec<_>>()
        });
        each.collect()
    }
}

fuzz_target!(|bytes: &[u8]| {
    values::json::check(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        values::check_base64(text);
    }
});
