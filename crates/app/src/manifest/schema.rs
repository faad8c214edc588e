//! The JSON schema of a manifest, for editors: generated from the registry, so that it can't fall behind the parser.

use super::{
    limits,
    record::grant_setting,
    sandbox,
    setting::{Absent, Setting, Table},
    tables::{Admin, GUEST, HTTP, MANIFEST_VERSION, Pool, ROOT, Receipts, Server},
    value::Form,
};
use sandbar_call::{Resource, Unit};
use serde_json::{Map, Value, json};

const DURATION: &str = "^[0-9][0-9_]*(ns|us|ms|s|m|h)$";
const BYTES: &str = "^[0-9][0-9_]*(B|KB|MB|GB|KiB|MiB|GiB)?$";

/// The schema of `sandbar.toml`, JSON Schema 2020-12.
pub fn schema() -> Value {
    let mut root = table(&ROOT);
    insert(&mut root, "server", table(&Server::TABLE));
    insert(&mut root, "admin", table(&Admin::TABLE));
    insert(&mut root, "receipts", table(&Receipts::TABLE));
    insert(&mut root, "pool", table(&Pool::TABLE));
    insert(&mut root, "limits", limits("Limits of every call. A guest may have its own."));
    insert(&mut root, "guests", guests());
    insert(&mut root, "http", json!({ "type": "array", "items": route(), "description": HTTP.doc }));
    if let Some(version) = root.pointer_mut("/properties/version").and_then(Value::as_object_mut) {
        version.insert("maximum".into(), json!(MANIFEST_VERSION));
    }
    if let Some(root) = root.as_object_mut() {
        root.insert("$schema".into(), json!("https://json-schema.org/draft/2020-12/schema"));
        root.insert("title".into(), json!("sandbar.toml"));
        root.insert("description".into(), json!("The manifest of a Sandbar app."));
    }
    root
}

fn guests() -> Value {
    let mut guest = table(&GUEST);
    insert(&mut guest, "limits", limits("Limits of a call of this guest."));
    insert(&mut guest, "grants", grants());
    json!({
        "type": "object",
        "description": "The guests, by name.",
        "propertyNames": { "pattern": "^[A-Za-z0-9_-]{1,64}$" },
        "additionalProperties": guest,
    })
}

fn route() -> Value {
    let mut route = table(&HTTP);
    if let Some(route) = route.as_object_mut() {
        route.insert("oneOf".into(), json!([{ "required": ["guest"] }, { "required": ["files"] }]));
    }
    route
}

fn limits(doc: &str) -> Value {
    object(
        doc,
        Resource::ALL.iter().map(|&resource| {
            let bound = described(form(limits::form(resource)), resource.doc(), limits::default_text(resource));
            (resource.key(), bound)
        }),
    )
}

fn grants() -> Value {
    object(
        "What it may touch outside itself. Nothing is granted by default.",
        sandbar_grants::OPTIONS.iter().map(|option| {
            let setting = grant_setting(option);
            let doc = format!("{}. Form: {}", option.help, option.form);
            (setting.key, described(form(setting.form), &doc, None))
        }),
    )
}

fn table(table: &Table) -> Value {
    let mut schema = object(table.doc, table.settings.iter().map(|setting| (setting.key, of(setting))));
    let required: Vec<&str> = table.settings.iter().filter(|s| s.absent == Absent::Required).map(|s| s.key).collect();
    if let (false, Some(schema)) = (required.is_empty(), schema.as_object_mut()) {
        schema.insert("required".into(), json!(required));
    }
    schema
}

fn of(setting: &Setting) -> Value {
    let default = match setting.absent {
        Absent::Default(text) => Some(text),
        Absent::Required | Absent::Otherwise(_) => None,
    };
    described(form(setting.form), setting.doc, default)
}

fn described(mut schema: Value, doc: &str, default: Option<&str>) -> Value {
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("description".into(), json!(doc.trim()));
        if let Some(text) = default {
            let number = text.parse::<u64>().ok().map(Value::from);
            schema.insert("default".into(), number.unwrap_or_else(|| json!(text)));
        }
    }
    schema
}

fn form(form: Form) -> Value {
    match form {
        Form::Text | Form::Path => json!({ "type": "string", "minLength": 1 }),
        Form::Address | Form::AddressOrOff => json!({ "type": "string" }),
        Form::Duration | Form::Timeout => json!({ "type": "string", "pattern": DURATION }),
        Form::Bytes => {
            json!({ "anyOf": [{ "type": "integer", "minimum": 0 }, { "type": "string", "pattern": BYTES }] })
        }
        Form::Count => json!({ "type": "integer", "minimum": 0 }),
        Form::CountFromOne => json!({ "type": "integer", "minimum": 1 }),
        Form::Switch => json!({ "type": "boolean" }),
        Form::Choice(words) => json!({ "enum": words }),
        Form::Digest => json!({ "type": "string", "pattern": "^sha256:[0-9A-Fa-f]{64}$" }),
        Form::Sandbox => {
            let keys = sandbox::KEYS.iter().map(|&(key, form, doc)| (key, described(self::form(form), doc, None)));
            let mut reused = object("Serves some calls, one after the other.", keys);
            if let Some(reused) = reused.as_object_mut() {
                reused.insert("required".into(), json!(["reuse"]));
            }
            json!({ "anyOf": [{ "enum": sandbox::WORDS }, reused] })
        }
        Form::Texts => json!({ "type": "array", "items": { "type": "string" } }),
        Form::Limit(unit) => {
            let bound = match unit {
                Unit::Nanoseconds => self::form(Form::Timeout),
                Unit::Bytes => self::form(Form::Bytes),
                Unit::Count => self::form(Form::Count),
            };
            json!({ "anyOf": [bound, { "const": "none" }] })
        }
    }
}

fn object<'a>(doc: &str, properties: impl Iterator<Item = (&'a str, Value)>) -> Value {
    let properties: Map<String, Value> = properties.map(|(key, schema)| (key.to_string(), schema)).collect();
    json!({ "type": "object", "description": doc.trim(), "additionalProperties": false, "properties": properties })
}

fn insert(schema: &mut Value, key: &str, property: Value) {
    if let Some(properties) = schema.pointer_mut("/properties").and_then(Value::as_object_mut) {
        properties.insert(key.into(), property);
    }
}
