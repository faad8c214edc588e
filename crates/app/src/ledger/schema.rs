//! The JSON schema of a receipt, generated from the lists of resources, grants and outcomes.

use sandbar_call::{GrantKind, OutcomeKind, RECEIPT_VERSION, Resource, Shape};
use serde_json::{Map, Value, json};

/// The schema of one line of the ledger, JSON Schema 2020-12.
pub fn schema() -> Value {
    let mut schema = object(&[
        ("version", json!({ "const": RECEIPT_VERSION, "description": "The version of the format." })),
        ("call", json!({ "type": "string", "pattern": "^[0-9a-f]{32}$", "description": "The call's id." })),
        ("at_ms", count("When the call started, in milliseconds since 1970-01-01 UTC.")),
        ("guest", text("The guest's name in its app.")),
        (
            "digest",
            json!({ "type": "string", "pattern": "^sha256:[0-9a-f]{64}$", "description": "The guest's bytes." }),
        ),
        ("shape", json!({ "enum": shapes(), "description": "How the guest was called." })),
        ("trigger", text("The kind of trigger: `cli`, `http`, …")),
        ("source", text("Which one of that kind: the route, the command.")),
        ("event", text("The event's own id: a request id, a message id.")),
        ("outcome", outcome()),
        ("used", used()),
    ]);
    optional(&mut schema, "sandbox", sandbox());
    optional(
        &mut schema,
        "shared",
        described(
            json!({ "type": "array", "items": { "enum": fields() } }),
            "The fields of `used` that other calls in the same sandbox shared, so that they are not exact.",
        ),
    );
    optional(&mut schema, "grants", grants());
    optional(
        &mut schema,
        "denials",
        json!({
            "type": "array", "items": denial(), "description": "What was asked for and refused."
        }),
    );
    optional(&mut schema, "denials_dropped", count("Denials that were not kept."));
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("$schema".into(), json!("https://json-schema.org/draft/2020-12/schema"));
        schema.insert("title".into(), json!("Sandbar receipt"));
        schema.insert("description".into(), json!("What a call did and used; one for every call."));
    }
    schema
}

fn outcome() -> Value {
    let outcomes: Vec<Value> = OutcomeKind::ALL.iter().map(|&kind| one_outcome(kind)).collect();
    json!({ "oneOf": outcomes, "description": "How the call ended." })
}

fn one_outcome(kind: OutcomeKind) -> Value {
    let tag = ("kind", json!({ "const": kind.key() }));
    match kind {
        OutcomeKind::Done => described(object(&[tag]), "The guest answered."),
        OutcomeKind::Failed => {
            let code = json!({ "type": ["integer", "null"], "description": "Its exit code or return value." });
            described(object(&[tag, ("code", code), ("message", text("What it said."))]), "The guest said no.")
        }
        OutcomeKind::Stopped => {
            let limits: Vec<&str> = Resource::ALL.iter().map(|resource| resource.key()).collect();
            let limit = json!({ "enum": limits, "description": "Which one." });
            described(object(&[tag, ("limit", limit)]), "A limit was used up.")
        }
        OutcomeKind::Trapped => {
            described(object(&[tag, ("message", text("The trap and its backtrace."))]), "The guest broke.")
        }
        OutcomeKind::Refused => described(object(&[tag, ("why", refusal())]), "The call was not let in."),
        OutcomeKind::Cancelled => described(object(&[tag]), "Whoever asked went away, or the host is ending."),
        OutcomeKind::Fault => {
            described(object(&[tag, ("id", text("Names the record in the log."))]), "The host failed.")
        }
    }
}

fn refusal() -> Value {
    let because = |word: &str| ("because", json!({ "const": word }));
    json!({ "oneOf": [
        object(&[because("grant"), ("denial", denial())]),
        object(&[because("busy"), ("retry_after_s", count("A good moment to try again, in seconds from now."))]),
        object(&[because("event"), ("message", text("What was expected and what came."))]),
        object(&[because("draining")]),
    ] })
}

fn denial() -> Value {
    let kinds: Vec<&str> = GrantKind::ALL.iter().map(|grant| grant.key()).collect();
    object(&[
        ("grant", json!({ "enum": kinds, "description": "The kind of grant that was missing." })),
        ("asked", text("What was asked for.")),
        ("allow", text("The line that would allow it, for the guest's table of grants; empty where no grant could.")),
    ])
}

fn sandbox() -> Value {
    let sandbox = object(&[("id", count("The sandbox.")), ("call", count("Its how-manieth call, from one."))]);
    described(sandbox, "The sandbox; not there where the call ended before it had one.")
}

fn used() -> Value {
    let amounts: Map<String, Value> =
        Resource::ALL.iter().map(|resource| (resource.field().to_string(), count(resource.doc()))).collect();
    let always: Vec<&str> = [Resource::Wall, Resource::Cpu, Resource::Memory].map(Resource::field).into();
    json!({
        "type": "object",
        "description": "Amounts by resource. Zeroes are left out, other than times and memory, and so is fuel that was not metered.",
        "additionalProperties": false,
        "properties": amounts,
        "required": always,
    })
}

fn grants() -> Value {
    let uses: Map<String, Value> = GrantKind::ALL
        .iter()
        .map(|grant| (grant.key().to_string(), json!({ "type": "integer", "minimum": 1 })))
        .collect();
    json!({
        "type": "object",
        "description": "How often each grant was used.",
        "additionalProperties": false,
        "properties": uses,
    })
}

fn shapes() -> Vec<&'static str> {
    [Shape::Command, Shape::Function, Shape::Typed, Shape::Http].map(Shape::key).into()
}

fn fields() -> Vec<&'static str> {
    Resource::ALL.iter().map(|resource| resource.field()).collect()
}

fn text(doc: &str) -> Value {
    json!({ "type": "string", "description": doc })
}

fn count(doc: &str) -> Value {
    json!({ "type": "integer", "minimum": 0, "description": doc.trim() })
}

fn described(mut schema: Value, doc: &str) -> Value {
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("description".into(), json!(doc));
    }
    schema
}

/// An object with these properties, all of them required.
fn object(properties: &[(&str, Value)]) -> Value {
    let required: Vec<&str> = properties.iter().map(|(key, _)| *key).collect();
    let properties: Map<String, Value> =
        properties.iter().map(|(key, schema)| (key.to_string(), schema.clone())).collect();
    json!({ "type": "object", "additionalProperties": false, "properties": properties, "required": required })
}

fn optional(schema: &mut Value, key: &str, property: Value) {
    if let Some(properties) = schema.pointer_mut("/properties").and_then(Value::as_object_mut) {
        properties.insert(key.into(), property);
    }
}
