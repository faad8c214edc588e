//! Runs one script of the component-model suite, `test/README.md` in its repository.

use crate::{
    CALL_TICKS, Engines,
    suite::{Done, Ran, binary, line, with_directives},
    values::value,
};
use sandbar_engine::{Tuning, inspect};
use std::collections::HashMap;
use tokio::runtime::{Builder, Runtime};
use wasmtime::{
    Store,
    component::{Component, Instance, Linker, Val},
};
use wast::{QuoteWat, WastArg, WastDirective, WastExecute, WastInvoke, WastRet, token::Id};

/// Words of the suite for traps that Wasmtime words otherwise.
const SYNONYMS: &[(&str, &str)] =
    &[("cannot read from ", "cannot read after "), ("cannot write to ", "cannot write after ")];

/// Why a directive does not hold.
enum Broken {
    /// It is about a component that does not hold itself.
    Unreached,
    Failed(String),
}

type Held<T = ()> = Result<T, Broken>;

/// What a call gave, or why it trapped.
type Ended = wasmtime::Result<Vec<Val>>;

/// Runs a script to its end.
pub(crate) fn run(engines: &Engines, fuel: bool, text: &str) -> Done<Ran> {
    let runtime = Builder::new_current_thread().build().map_err(|error| error.to_string())?;
    with_directives(text, |directives| {
        let mut script = Script { engines, fuel, runtime, definitions: HashMap::new(), latest: None };
        let mut ran = Ran::default();
        for directive in directives {
            let line = line(&directive, text);
            let counts = ran.kind_of(&directive);
            match script.direct(directive) {
                Ok(()) => *counts += 1,
                Err(Broken::Unreached) => ran.unreached += 1,
                Err(Broken::Failed(error)) => {
                    *counts += 1;
                    ran.failed.insert(line, error);
                }
            }
        }
        Ok(ran)
    })
}

struct Script<'a, 'e> {
    engines: &'e Engines,
    fuel: bool,
    runtime: Runtime,
    /// Components by their names; nothing where one did not compile.
    definitions: HashMap<Option<Id<'a>>, Option<Component>>,
    /// What calls go to; nothing where it did not come up.
    latest: Option<Live>,
}

/// A component instance, in a sandbox of its own.
struct Live {
    store: Store<()>,
    instance: Instance,
}

impl<'a> Script<'a, '_> {
    fn direct(&mut self, directive: WastDirective<'a>) -> Held {
        match directive {
            WastDirective::Module(mut component) => {
                self.latest = None;
                let component = self.compile(&mut component)?;
                self.latest = Some(self.instantiate(&component).map_err(failed)?);
                Ok(())
            }
            WastDirective::ModuleDefinition(mut component) => {
                let name = component.name();
                let compiled = self.compile(&mut component);
                self.definitions.insert(name, compiled.as_ref().ok().cloned());
                compiled.map(drop).map_err(Broken::Failed)
            }
            WastDirective::ModuleInstance { module, .. } => {
                self.latest = None;
                let defined = self.definitions.get(&module).ok_or_else(|| missing("definition"))?;
                let component = defined.clone().ok_or(Broken::Unreached)?;
                self.latest = Some(self.instantiate(&component).map_err(failed)?);
                Ok(())
            }
            WastDirective::Invoke(invoke) => self.invoke(&invoke)?.map(drop).map_err(failed),
            WastDirective::AssertReturn { exec, results, .. } => {
                returns(&self.execute(exec)?.map_err(failed)?, &results)
            }
            WastDirective::AssertTrap { exec, message, .. } => traps(self.execute(exec)?, message),
            WastDirective::AssertInvalid { module: mut component, .. }
            | WastDirective::AssertMalformed { module: mut component, .. } => match self.compile(&mut component) {
                Ok(_) => Err(Broken::Failed("expected a component that is refused, found one that compiles".into())),
                Err(_) => Ok(()),
            },
            _ => Err(Broken::Failed("a directive that this runner does not know".into())),
        }
    }

    /// Compiles a component with the settings that Sandbar would pick. What compiles, its scan must be able to read.
    fn compile(&self, component: &mut QuoteWat<'_>) -> Done<Component> {
        let bytes = binary(component)?;
        let needs = inspect::summary(&bytes).map_err(|error| format!("it can't be inspected: {error}"))?.needs;
        let tuning = Tuning {
            fuel: self.fuel,
            concurrency: needs.concurrency,
            gc: needs.gc,
            epochs: needs.concurrency || needs.gc,
        };
        let scanned = inspect::inspect(&bytes);
        let component = Component::new(self.engines.of(tuning), &bytes).map_err(|error| format!("{error:?}"))?;
        scanned.map_err(|error| format!("it compiles, but can't be inspected: {error}"))?;
        Ok(component)
    }

    fn instantiate(&self, component: &Component) -> wasmtime::Result<Live> {
        let mut store = Store::new(component.engine(), ());
        store.set_epoch_deadline(CALL_TICKS);
        // Fails where fuel is not counted.
        let _ = store.set_fuel(u64::MAX);
        let linker = Linker::new(component.engine());
        let instance = self.runtime.block_on(linker.instantiate_async(&mut store, component))?;
        Ok(Live { store, instance })
    }

    fn execute(&mut self, exec: WastExecute<'_>) -> Held<Ended> {
        match exec {
            WastExecute::Invoke(invoke) => self.invoke(&invoke),
            WastExecute::Wat(component) => {
                let component = self.compile(&mut QuoteWat::Wat(component))?;
                Ok(self.instantiate(&component).map(|_| Vec::new()))
            }
            WastExecute::Get { .. } => Err(missing("global")),
        }
    }

    /// Calls a function of the latest instance; the suite names no other.
    fn invoke(&mut self, invoke: &WastInvoke<'_>) -> Held<Ended> {
        if invoke.module.is_some() {
            return Err(missing("named instance"));
        }
        let Live { store, instance } = self.latest.as_mut().ok_or(Broken::Unreached)?;
        let function = instance.get_func(&mut *store, invoke.name).ok_or_else(|| missing(invoke.name))?;
        let mut arguments = Vec::new();
        for given in &invoke.args {
            let WastArg::Component(given) = given else { return Err(missing("value of a component")) };
            arguments.push(value(given));
        }
        store.set_epoch_deadline(CALL_TICKS);
        let mut results = vec![Val::Bool(false); function.ty(&*store).results().len()];
        let called = self.runtime.block_on(function.call_async(store, &arguments, &mut results));
        Ok(called.map(|()| results))
    }
}

fn returns(found: &[Val], expected: &[WastRet<'_>]) -> Held {
    let mut values = Vec::new();
    for pattern in expected {
        let WastRet::Component(pattern) = pattern else { return Err(missing("value of a component")) };
        values.push(value(pattern));
    }
    if found == values { Ok(()) } else { Err(Broken::Failed(format!("expected {values:?}, found {found:?}"))) }
}

fn traps(found: Ended, expected: &str) -> Held {
    let said = match found {
        Ok(values) => return Err(Broken::Failed(format!("expected the trap `{expected}`, found {values:?}"))),
        Err(error) => format!("{error:?}"),
    };
    let synonym = |(theirs, ours): &(&str, &str)| expected.starts_with(theirs) && said.contains(ours);
    if said.contains(expected) || SYNONYMS.iter().any(synonym) {
        Ok(())
    } else {
        Err(Broken::Failed(format!("expected the trap `{expected}`, found `{said}`")))
    }
}

impl From<String> for Broken {
    fn from(error: String) -> Broken {
        Broken::Failed(error)
    }
}

fn failed(error: wasmtime::Error) -> Broken {
    Broken::Failed(format!("{error:?}"))
}

fn missing(what: &str) -> Broken {
    Broken::Failed(format!("there is no {what}"))
}
