//! What a plugin keeps between its calls: keys and values, bounded, in the host's memory. A grant.

use crate::dynamic::unlike;
use sandbar_call::GrantKind;
use sandbar_engine::{Function, Functions, HostCall, HostError, Number, NumberType, Signature};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// What an entry takes beside its key and its value, roughly, in bytes.
const ENTRY_BYTES: usize = 64;

/// Keys and values of a plugin, or of several that share them. Clones are the same; they stay however sandboxes live, and over
/// replacements.
#[derive(Clone, Debug)]
pub struct State(Arc<Mutex<Kept>>);

#[derive(Debug)]
struct Kept {
    entries: BTreeMap<String, Vec<u8>>,
    bytes: usize,
    bytes_max: usize,
}

impl State {
    /// Nothing yet, and room for so many bytes of keys and values, 64 for each entry included.
    pub fn bounded(bytes_max: usize) -> State {
        State(Arc::new(Mutex::new(Kept { entries: BTreeMap::new(), bytes: 0, bytes_max })))
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<Vec<u8>> {
        self.kept().entries.get(key).cloned()
    }

    /// Gives a key a value, and tells whether there was room for it.
    pub fn set(&self, key: &str, value: &[u8]) -> bool {
        let mut kept = self.kept();
        let size = |value: &[u8]| key.len().saturating_add(value.len()).saturating_add(ENTRY_BYTES);
        let before = kept.entries.get(key).map_or(0, |value| size(value));
        let bytes = (kept.bytes - before).saturating_add(size(value));
        if bytes > kept.bytes_max {
            return false;
        }
        kept.bytes = bytes;
        kept.entries.insert(key.to_owned(), value.to_vec());
        true
    }

    /// Forgets a key, and tells whether it was there.
    pub fn delete(&self, key: &str) -> bool {
        let mut kept = self.kept();
        let removed = kept.entries.remove(key);
        kept.bytes -= removed.as_ref().map_or(0, |value| key.len() + value.len() + ENTRY_BYTES);
        removed.is_some()
    }

    /// The keys, in order.
    pub fn keys(&self) -> Vec<String> {
        self.kept().entries.keys().cloned().collect()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The interface of `wit/plugin.wit`; modules import the same from the module `sandbar`.
const INTERFACE: &str = "sandbar:plugin/state";

/// Gives a plugin its state.
pub(crate) fn add(functions: &mut Functions, state: &State) {
    let of = |numbers: &[NumberType]| Signature { params: numbers.to_vec(), results: vec![NumberType::I32] };
    let (key, key_and_bytes) = (of(&[NumberType::I32; 2]), of(&[NumberType::I32; 4]));
    let module = |signature, body: ModuleBody| {
        let state = state.clone();
        Function::default().of_grant(GrantKind::State).numbers(Some(signature), move |call, params, results| {
            let [result] = results else { return Err(unlike()) };
            *result = Number::I32(body(&state, call, params)?);
            Ok(())
        })
    };
    functions.add("sandbar", "state_get", module(key_and_bytes.clone(), get));
    functions.add("sandbar", "state_set", module(key_and_bytes, set));
    functions.add("sandbar", "state_delete", module(key, delete));

    let component = |body: fn(&State, &Value) -> Option<Value>| {
        let state = state.clone();
        Function::default().of_grant(GrantKind::State).values(move |_, arguments| {
            let arguments = serde_json::from_str(arguments).map_err(|error| error.to_string())?;
            body(&state, &arguments).map(|value| value.to_string()).ok_or_else(unlike)
        })
    };
    functions.add(INTERFACE, "get", component(|state, given| Some(json!(state.get(given.get(0)?.as_str()?)))));
    functions.add(
        INTERFACE,
        "set",
        component(|state, given| {
            let value: Vec<u8> = serde_json::from_value(given.get(1)?.clone()).ok()?;
            Some(if state.set(given.get(0)?.as_str()?, &value) { json!({"ok": null}) } else { json!({"err": null}) })
        }),
    );
    functions.add(INTERFACE, "delete", component(|state, given| Some(json!(state.delete(given.get(0)?.as_str()?)))));
    functions.add(INTERFACE, "keys", component(|state, _| Some(json!(state.keys()))));
}

type ModuleBody = fn(&State, &mut HostCall<'_>, &[Number]) -> Result<i32, HostError>;

/// `(key, key length, buffer, its length) -> length`, or -1 where the key has no value. A value that is longer than the buffer
/// is not written.
fn get(state: &State, call: &mut HostCall<'_>, params: &[Number]) -> Result<i32, HostError> {
    let &[Number::I32(key), Number::I32(key_length), Number::I32(buffer), Number::I32(room)] = params else {
        return Err(unlike());
    };
    let Some(value) = state.get(call.read_text(key.cast_unsigned(), key_length.cast_unsigned())?) else {
        return Ok(-1);
    };
    if value.len() <= room.cast_unsigned() as usize {
        call.write(buffer.cast_unsigned(), &value)?;
    }
    i32::try_from(value.len()).map_err(|_| "the value has 2 GiB".into())
}

/// `(key, key length, value, its length) -> 0`, or -1 where there is no room.
fn set(state: &State, call: &mut HostCall<'_>, params: &[Number]) -> Result<i32, HostError> {
    let &[Number::I32(key), Number::I32(key_length), Number::I32(value), Number::I32(length)] = params else {
        return Err(unlike());
    };
    let key = call.read_text(key.cast_unsigned(), key_length.cast_unsigned())?.to_owned();
    let value = call.read(value.cast_unsigned(), length.cast_unsigned())?;
    Ok(if state.set(&key, value) { 0 } else { -1 })
}

/// `(key, key length) -> 1` where it was there, else 0.
fn delete(state: &State, call: &mut HostCall<'_>, params: &[Number]) -> Result<i32, HostError> {
    let &[Number::I32(key), Number::I32(key_length)] = params else { return Err(unlike()) };
    Ok(state.delete(call.read_text(key.cast_unsigned(), key_length.cast_unsigned())?).into())
}
