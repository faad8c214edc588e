//! Sandbar: a guest with typed entries, each call in a fresh sandbox, which is an earlier one renewed where it can be.

use crate::{ending::Ending, module::Export, number::Number};
use sandbar_call::{
    Arguments, Call, CallId, Event, Limits, Notation, Origin, Outcome, Receipt, Reply, Resource, Run, SandboxUse, Shape,
};
use sandbar_engine::{
    Allocation, Binding, Engine, EngineConfig, Entry, EntryChoice, Fuel, Guest, Log, LogRecord, Program,
};
use std::sync::{Arc, Mutex};

/// Sandboxes at one time: some for each thread that tests.
const SLOTS: u32 = 64;

pub(crate) struct Here(Engine);

pub(crate) struct Bound {
    guest: Guest,
    program: Arc<Program>,
}

impl Here {
    pub(crate) fn new() -> Here {
        let allocation = Allocation::Pooled { slots: SLOTS };
        Here(Engine::new(EngineConfig { allocation, ..EngineConfig::default() }).unwrap())
    }

    pub(crate) fn bind(&self, binary: Vec<u8>, fuel: Fuel) -> Bound {
        let guest = Guest::from_bytes("guest", binary).unwrap();
        let binding =
            Binding { fuel, ..Binding::new(Limits::NONE.with(Resource::Wall, 60_000_000_000), Arc::new(Silent)) };
        let program = self.0.bind(&guest, binding).unwrap();
        Bound { guest, program }
    }
}

impl Bound {
    pub(crate) fn entry(&self, export: &Export) -> Entry {
        let choice = EntryChoice { shape: Some(Shape::Typed), export: Some(export.name.clone()), content_type: None };
        self.program.entry(&self.guest, choice).unwrap()
    }

    /// How many calls had a sandbox that was renewed.
    pub(crate) fn renewed(&self) -> u64 {
        self.program.renewed()
    }
}

/// Calls an export.
pub(crate) fn call(entry: &Entry, export: &Export, arguments: &[Number]) -> Ending {
    let texts = arguments.iter().map(|number| number.text()).collect();
    let event = Event::Export { arguments: Arguments::Texts { texts, result: Notation::Wave }, context: None };
    let settled = Arc::new(Mutex::new(None));
    let keep = settled.clone();
    let receipts = Arc::new(move |receipt: Receipt| *keep.lock().unwrap() = Some(receipt));
    let origin = Origin { trigger: "test".into(), source: "differential".into(), event: "1".into() };
    let running = entry.run(Call { id: CallId::new(0, 1), origin, event, receipts });
    let reply = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(running);
    let receipt = settled.lock().unwrap().take().expect("a call ends in a receipt");
    match (reply, receipt) {
        (_, Receipt { outcome: Outcome::Trapped { message }, .. }) => Ending::trapped(&message),
        (Reply::Value(text), Receipt { outcome: Outcome::Done, sandbox: Some(SandboxUse { call: 1, .. }), .. }) => {
            Number::parse(export.result, &text).map_or_else(|| Ending::Other(text), Ending::Value)
        }
        (_, receipt) => Ending::Other(format!("{receipt:?}")),
    }
}

struct Silent;

impl Log for Silent {
    fn log(&self, _: LogRecord) {}
}
