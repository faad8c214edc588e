//! Checks a value against the part of JSON Schema that Sandbar's schemas use. A whole validator would be sixty crates for one
//! test.

use serde_json::Value;

/// Says what does not fit, and where.
pub(crate) fn check(schema: &Value, value: &Value) -> Result<(), String> {
    let rules = schema.as_object().ok_or("a schema is an object")?;
    for (rule, with) in rules {
        let fits = match rule.as_str() {
            "$schema" | "title" | "description" | "default" | "propertyNames" => true,
            "type" => with.as_array().map_or_else(|| is(with, value), |all| all.iter().any(|name| is(name, value))),
            "const" => with == value,
            "enum" => with.as_array().unwrap().contains(value),
            "minimum" => value.as_i64() >= with.as_i64(),
            "maximum" => value.as_i64() <= with.as_i64(),
            "minLength" => value.as_str().is_none_or(|text| text.len() as u64 >= with.as_u64().unwrap()),
            "pattern" => value.as_str().is_none_or(|text| matches(with.as_str().unwrap(), text)),
            "required" => with.as_array().unwrap().iter().all(|key| value.get(key.as_str().unwrap()).is_some()),
            "items" => value.as_array().into_iter().flatten().try_for_each(|item| check(with, item)).map(|()| true)?,
            "oneOf" => count(with, value) == 1,
            "anyOf" => count(with, value) > 0,
            "properties" => properties(with, value).map(|()| true)?,
            "additionalProperties" => additional(rules.get("properties"), with, value).map(|()| true)?,
            other => return Err(format!("the rule `{other}` is not known here")),
        };
        if !fits {
            return Err(format!("`{value}` breaks `{rule}: {with}`"));
        }
    }
    Ok(())
}

fn is(name: &Value, value: &Value) -> bool {
    match name.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("the type `{other}` is not known here"),
    }
}

/// Knows patterns of one class of characters, with a prefix and a count.
fn matches(pattern: &str, text: &str) -> bool {
    let (prefix, rest) = pattern.strip_prefix('^').unwrap().split_once('[').unwrap();
    let (class, rest) = rest.split_once(']').unwrap();
    let Some(count) = rest.strip_prefix('{').and_then(|rest| rest.strip_suffix("}$")) else { return true };
    let Some(text) = text.strip_prefix(prefix) else { return false };
    assert_eq!(class, "0-9a-f");
    text.len() == count.parse::<usize>().unwrap() && text.bytes().all(|byte| b"0123456789abcdef".contains(&byte))
}

fn count(schemas: &Value, value: &Value) -> usize {
    schemas.as_array().unwrap().iter().filter(|schema| check(schema, value).is_ok()).count()
}

fn properties(schemas: &Value, value: &Value) -> Result<(), String> {
    for (key, schema) in schemas.as_object().unwrap() {
        if let Some(value) = value.get(key) {
            check(schema, value).map_err(|error| format!("{key}: {error}"))?;
        }
    }
    Ok(())
}

fn additional(properties: Option<&Value>, schema: &Value, value: &Value) -> Result<(), String> {
    for (key, value) in value.as_object().into_iter().flatten() {
        if properties.is_some_and(|properties| properties.get(key).is_some()) {
            continue;
        }
        match schema {
            Value::Bool(false) => return Err(format!("`{key}` is one too many")),
            Value::Bool(true) => {}
            schema => check(schema, value).map_err(|error| format!("{key}: {error}"))?,
        }
    }
    Ok(())
}
