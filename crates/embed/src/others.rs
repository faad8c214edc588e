//! Other plugins of the same host that a plugin may call: a grant, plugin by plugin.
//!
//! A call waits for the other plugin's, and ends with it. What the other one fails with is an answer: the plugin that asked
//! decides. A component gets it at once; a module, whose memory the host can't take room in, asks for its length and then
//! fetches it.

use crate::{CallError, Plugin, calling::Input, dynamic::unlike};
use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt};
use sandbar_call::{Denial, GrantKind, Meter};
use sandbar_engine::{Answer, Function, Functions, HostCall, HostError, Number, NumberType, Signature};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

/// Plugins by the names under which another may call them.
pub(crate) type Others = BTreeMap<String, Plugin>;

/// How deep such calls may lie in each other.
const DEPTH_MAX: u32 = 8;
/// The interface of `wit/plugin.wit`; modules import the same from the module `sandbar`.
const INTERFACE: &str = "sandbar:plugin/plugins";

tokio::task_local! {
    static DEPTH: u32;
}

/// Gives a plugin those that it may call.
pub(crate) fn add(functions: &mut Functions, others: &Others) {
    let others = Arc::new(others.clone());
    let answers = Arc::new(Answers::default());
    let signature = |params: usize, result| Signature { params: vec![NumberType::I32; params], results: vec![result] };

    let (from, to) = (others.clone(), answers.clone());
    let call = move |call: &mut HostCall<'_>, params: &[Number]| {
        let asked = asked_by_module(call, params);
        let (from, to, meter) = (from.clone(), to.clone(), call.meter());
        async move {
            let (name, export, input) = asked?;
            let (length, answer) = match ask(&from, &name, &export, input).await? {
                Ok(answer) => (i64::try_from(answer.len()).unwrap_or(i64::MAX), answer),
                Err(why) => (-1 - i64::try_from(why.len()).unwrap_or(i64::MAX - 1), why.into()),
            };
            to.keep(&meter, answer);
            Ok(vec![Number::I64(length)])
        }
        .boxed()
    };
    let function = || Function::default().of_grant(GrantKind::Plugins);
    functions.add("sandbar", "plugin_call", function().numbers_later(Some(signature(6, NumberType::I64)), call));

    let fetch = move |call: &mut HostCall<'_>, params: &[Number], results: &mut [Number]| {
        let (&[Number::I32(buffer), Number::I32(room)], [result]) = (params, results) else { return Err(unlike()) };
        let answer = answers.take(&call.meter()).ok_or("there is no answer of another plugin")?;
        let answer = answer.get(..room.cast_unsigned() as usize).unwrap_or(&answer);
        call.write(buffer.cast_unsigned(), answer)?;
        *result = Number::I32(i32::try_from(answer.len()).unwrap_or(i32::MAX));
        Ok(())
    };
    functions.add("sandbar", "plugin_answer", function().numbers(Some(signature(2, NumberType::I32)), fetch));

    let values = move |_: &mut HostCall<'_>, arguments: &str| -> BoxFuture<'static, Result<String, HostError>> {
        let (others, asked) = (others.clone(), asked_by_component(arguments));
        async move {
            let (name, export, input) = asked.ok_or_else(unlike)?;
            Ok(match ask(&others, &name, &export, input).await? {
                Ok(answer) => json!({"ok": answer.as_ref()}).to_string(),
                Err(why) => json!({"err": why}).to_string(),
            })
        }
        .boxed()
    };
    functions.add(INTERFACE, "call", function().values_later(values));
}

type Asked = (String, String, Bytes);

/// `(plugin, its length, export, its length, input, its length)`.
fn asked_by_module(call: &HostCall<'_>, params: &[Number]) -> Result<Asked, HostError> {
    let part = |at: usize| match params.get(at..at + 2) {
        Some(&[Number::I32(pointer), Number::I32(length)]) => Ok((pointer.cast_unsigned(), length.cast_unsigned())),
        _ => Err(unlike()),
    };
    let text = |(pointer, length)| call.read_text(pointer, length).map(str::to_owned);
    let (pointer, length) = part(4)?;
    let input = Bytes::copy_from_slice(call.read(pointer, length)?);
    Ok((text(part(0)?)?, text(part(2)?)?, input))
}

fn asked_by_component(arguments: &str) -> Option<Asked> {
    let given: Value = serde_json::from_str(arguments).ok()?;
    let text = |at: usize| Some(given.get(at)?.as_str()?.to_owned());
    let input: Vec<u8> = serde_json::from_value(given.get(2)?.clone()).ok()?;
    Some((text(0)?, text(1)?, input.into()))
}

/// Calls another plugin, and gives its answer or why there is none.
async fn ask(others: &Others, name: &str, export: &str, input: Bytes) -> Result<Result<Bytes, String>, HostError> {
    let Some(plugin) = others.get(name) else {
        let asked = format!("{name}#{export}");
        return Err(HostError::Denied(Denial::new(GrantKind::Plugins, asked.escape_debug().to_string(), "")));
    };
    let depth = DEPTH.try_with(|depth| *depth).unwrap_or(0);
    if depth >= DEPTH_MAX {
        return Ok(Err(format!("no more than {DEPTH_MAX} calls of plugins may lie in each other")));
    }
    let calling = plugin.calling(export).run_async(Input::Json(input));
    let (answer, _) = DEPTH.scope(depth + 1, calling).await;
    Ok(match answer {
        Ok(Answer::Output(bytes)) => Ok(bytes),
        Ok(Answer::Value(text)) => Ok(text.into()),
        Err(error) => Err(told(name, &error)),
    })
}

/// What a plugin learns of another's end: what that one said itself, and otherwise no more than how it ended.
fn told(name: &str, error: &CallError) -> String {
    use sandbar_call::Outcome;
    match &error.outcome {
        Outcome::Failed { message, .. } => message.clone(),
        Outcome::Refused { why } => format!("the plugin `{name}` was not called: {why}"),
        outcome => format!("the plugin `{name}` gave no answer: {}", outcome.kind().key()),
    }
}

/// Answers that modules have not fetched yet, by the meters of their calls.
#[derive(Default)]
struct Answers(Mutex<Vec<(Weak<Meter>, Bytes)>>);

impl Answers {
    fn keep(&self, meter: &Arc<Meter>, answer: Bytes) {
        let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Those of calls that ended go, and so does what this call had before.
        answers.retain(|(of, _)| of.strong_count() > 0 && !of.ptr_eq(&Arc::downgrade(meter)));
        answers.push((Arc::downgrade(meter), answer));
    }

    fn take(&self, meter: &Arc<Meter>) -> Option<Bytes> {
        let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = answers.iter().position(|(of, _)| of.ptr_eq(&Arc::downgrade(meter)))?;
        Some(answers.swap_remove(at).1)
    }
}
