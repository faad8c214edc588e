//! Runs one script of the spec suite, `interpreter/README.md#scripts` in its repository.

use crate::{
    suite::{Done, Ran, binary, line, with_directives},
    values::{argument, is_expected},
};
use sandbar_engine::inspect;
use std::collections::HashMap;
use wasmtime::{
    Engine, Extern, Func, Global, GlobalType, Instance, Linker, Memory, MemoryType, Module, Mutability, Ref, RefType,
    Store, Table, TableType, ThrownException, Trap, Val, ValType,
};
use wast::{QuoteWat, WastArg, WastDirective, WastExecute, WastInvoke, WastRet, Wat, token::Id};

/// Words of the suite for traps that Wasmtime words otherwise.
const SYNONYMS: &[(&str, &str)] = &[
    ("uninitialized element", "uninitialized element"),
    ("null function", "uninitialized element"),
    ("null function", "null reference"),
    ("null structure reference", "null reference"),
    ("null array reference", "null reference"),
    ("null i31 reference", "null reference"),
    ("null exception reference", "null reference"),
];

/// Runs a script to its end.
pub(crate) fn run(engine: &Engine, text: &str) -> Done<Ran> {
    with_directives(text, |directives| {
        let mut script = Script::new(engine)?;
        let mut ran = Ran::default();
        for directive in directives {
            let line = line(&directive, text);
            *ran.kind_of(&directive) += 1;
            if let Err(error) = script.direct(directive) {
                ran.failed.insert(line, error);
            }
        }
        Ok(ran)
    })
}

/// Whether Sandbar's scan finds that a module of a script needs garbage-collected types.
pub(crate) fn needs_gc(text: &str) -> Done<bool> {
    with_directives(text, |directives| {
        let modules = directives.into_iter().filter_map(|directive| match directive {
            WastDirective::Module(module) | WastDirective::ModuleDefinition(module) => Some(module),
            WastDirective::AssertUnlinkable { module, .. }
            | WastDirective::AssertTrap { exec: WastExecute::Wat(module), .. } => Some(QuoteWat::Wat(module)),
            _ => None,
        });
        let needs = |mut module: QuoteWat<'_>| {
            let summary = inspect::summary(&binary(&mut module)?).map_err(|error| error.to_string())?;
            Ok(summary.needs.gc)
        };
        modules.map(needs).try_fold(false, |any, needs: Done<bool>| Ok(any || needs?))
    })
}

struct Script<'a> {
    store: Store<()>,
    linker: Linker<()>,
    definitions: HashMap<Option<Id<'a>>, Module>,
    instances: HashMap<Option<Id<'a>>, Instance>,
}

impl<'a> Script<'a> {
    fn new(engine: &Engine) -> Done<Script<'a>> {
        let mut store = Store::new(engine, ());
        store.set_epoch_deadline(u64::MAX / 2);
        // Fails where fuel is not counted.
        let _ = store.set_fuel(u64::MAX);
        let mut linker = Linker::new(engine);
        linker.allow_shadowing(true);
        spectest(&mut linker, &mut store).map_err(|error| format!("{error:?}"))?;
        Ok(Script { store, linker, definitions: HashMap::new(), instances: HashMap::new() })
    }

    fn direct(&mut self, directive: WastDirective<'a>) -> Done {
        match directive {
            WastDirective::Module(mut module) => {
                let name = module.name();
                let module = self.compile(&mut module)?;
                self.instantiate(name, &module)
            }
            WastDirective::ModuleDefinition(mut module) => {
                let compiled = self.compile(&mut module)?;
                self.definitions.insert(module.name(), compiled.clone());
                self.definitions.insert(None, compiled);
                Ok(())
            }
            WastDirective::ModuleInstance { instance, module, .. } => {
                let module = self.definitions.get(&module).cloned().ok_or("no such module definition")?;
                self.instantiate(instance, &module)
            }
            WastDirective::Register { name, module, .. } => {
                let instance = self.instance(module)?;
                self.linker.instance(&mut self.store, name, instance).map(drop).map_err(|error| format!("{error:?}"))
            }
            WastDirective::Invoke(invoke) => self.invoke(invoke).map(drop).map_err(|error| format!("{error:?}")),
            WastDirective::AssertReturn { exec, results, .. } => self.returns(exec, &results),
            WastDirective::AssertTrap { exec, message, .. } => traps(self.execute(exec), message),
            WastDirective::AssertExhaustion { call, message, .. } => traps(self.invoke(call), message),
            WastDirective::AssertException { exec, .. } => self.throws(exec),
            WastDirective::AssertInvalid { mut module, .. } | WastDirective::AssertMalformed { mut module, .. } => {
                match self.compile(&mut module) {
                    Ok(_) => Err("expected a module that is refused, found one that compiles".into()),
                    Err(_) => Ok(()),
                }
            }
            WastDirective::AssertUnlinkable { module, message, .. } => self.does_not_link(module, message),
            WastDirective::AssertInvalidCustom { .. }
            | WastDirective::AssertMalformedCustom { .. }
            | WastDirective::AssertSuspension { .. }
            | WastDirective::Thread(_)
            | WastDirective::Wait { .. } => Err("a directive that this runner does not know".into()),
        }
    }

    /// Compiles a module. What compiles, Sandbar's scan must be able to read.
    fn compile(&self, module: &mut QuoteWat<'_>) -> Done<Module> {
        let bytes = binary(module)?;
        let scanned = inspect::inspect(&bytes);
        let module = Module::new(self.store.engine(), &bytes).map_err(|error| format!("{error:?}"))?;
        scanned.map_err(|error| format!("it compiles, but can't be inspected: {error}"))?;
        Ok(module)
    }

    fn instantiate(&mut self, name: Option<Id<'a>>, module: &Module) -> Done {
        let instance = self.linker.instantiate(&mut self.store, module).map_err(|error| format!("{error:?}"))?;
        self.instances.insert(name, instance);
        self.instances.insert(None, instance);
        Ok(())
    }

    /// An instance by its name, or the latest.
    fn instance(&self, name: Option<Id<'_>>) -> Done<Instance> {
        let found = self.instances.iter().find(|(known, _)| known.map(|id| id.name()) == name.map(|id| id.name()));
        found.map(|(_, instance)| *instance).ok_or_else(|| format!("no instance {name:?}"))
    }

    fn export(&mut self, module: Option<Id<'_>>, name: &str) -> wasmtime::Result<Extern> {
        let instance = self.instance(module).map_err(wasmtime::Error::msg)?;
        let export = instance.get_export(&mut self.store, name);
        export.ok_or_else(|| wasmtime::format_err!("no export `{name}`"))
    }

    fn execute(&mut self, exec: WastExecute<'_>) -> wasmtime::Result<Vec<Val>> {
        match exec {
            WastExecute::Invoke(invoke) => self.invoke(invoke),
            WastExecute::Get { module, global, .. } => {
                let global = self.export(module, global)?.into_global();
                let global = global.ok_or_else(|| wasmtime::format_err!("expected a global"))?;
                Ok(vec![global.get(&mut self.store)])
            }
            WastExecute::Wat(module) => {
                let module = self.compile(&mut QuoteWat::Wat(module)).map_err(wasmtime::Error::msg)?;
                self.linker.instantiate(&mut self.store, &module).map(|_| Vec::new())
            }
        }
    }

    fn invoke(&mut self, invoke: WastInvoke<'_>) -> wasmtime::Result<Vec<Val>> {
        let function = self.export(invoke.module, invoke.name)?.into_func();
        let function = function.ok_or_else(|| wasmtime::format_err!("expected a function"))?;
        let mut arguments = Vec::new();
        for given in invoke.args {
            let WastArg::Core(given) = given else { wasmtime::bail!("expected a value of a core module") };
            arguments.push(argument(&mut self.store, &given)?);
        }
        let mut results = vec![Val::I32(0); function.ty(&self.store).results().len()];
        function.call(&mut self.store, &arguments, &mut results)?;
        Ok(results)
    }

    fn returns(&mut self, exec: WastExecute<'_>, expected: &[WastRet<'_>]) -> Done {
        let found = self.execute(exec).map_err(|error| format!("{error:?}"))?;
        let mut fits = found.len() == expected.len();
        for (value, pattern) in found.iter().zip(expected) {
            let WastRet::Core(pattern) = pattern else { return Err("expected a value of a core module".into()) };
            fits &= is_expected(&mut self.store, value, pattern).map_err(|error| format!("{error:?}"))?;
        }
        if fits { Ok(()) } else { Err(format!("expected {expected:?}, found {found:?}")) }
    }

    fn throws(&mut self, exec: WastExecute<'_>) -> Done {
        match self.execute(exec) {
            Err(error) if error.is::<ThrownException>() => {
                self.store.take_pending_exception().map(drop).ok_or_else(|| "no exception is pending".into())
            }
            other => Err(format!("expected an exception, found {other:?}")),
        }
    }

    fn does_not_link(&mut self, module: Wat<'_>, message: &str) -> Done {
        let module = self.compile(&mut QuoteWat::Wat(module))?;
        match self.linker.instantiate(&mut self.store, &module) {
            Ok(_) => Err("expected a module that does not link, found one that does".into()),
            Err(error) if error.is::<Trap>() => Err(format!("expected a link error, found a trap: {error:?}")),
            Err(error) if format!("{error:?}").contains(message) => Ok(()),
            Err(error) => Err(format!("expected `{message}`, found `{error:?}`")),
        }
    }
}

fn traps(found: wasmtime::Result<Vec<Val>>, expected: &str) -> Done {
    let error = match found {
        Ok(values) => return Err(format!("expected the trap `{expected}`, found {values:?}")),
        Err(error) => error,
    };
    let said = format!("{error:?}");
    let synonym = |(theirs, ours): &(&str, &str)| expected.starts_with(theirs) && said.contains(ours);
    let is_trap = error.is::<Trap>();
    if is_trap && (said.contains(expected) || SYNONYMS.iter().any(synonym)) {
        Ok(())
    } else {
        Err(format!("expected the trap `{expected}`, found `{said}`"))
    }
}

/// What every script may import.
fn spectest(linker: &mut Linker<()>, store: &mut Store<()>) -> wasmtime::Result<()> {
    let print = |params: &[ValType]| wasmtime::FuncType::new(store.engine(), params.iter().cloned(), []);
    let prints = [
        ("print", print(&[])),
        ("print_i32", print(&[ValType::I32])),
        ("print_i64", print(&[ValType::I64])),
        ("print_f32", print(&[ValType::F32])),
        ("print_f64", print(&[ValType::F64])),
        ("print_i32_f32", print(&[ValType::I32, ValType::F32])),
        ("print_f64_f64", print(&[ValType::F64, ValType::F64])),
    ];
    for (name, ty) in prints {
        let print = Func::new(&mut *store, ty, |_, _, _| Ok(()));
        linker.define(&mut *store, "spectest", name, print)?;
    }
    let globals = [
        ("global_i32", ValType::I32, Val::I32(666)),
        ("global_i64", ValType::I64, Val::I64(666)),
        ("global_f32", ValType::F32, Val::F32(666.6_f32.to_bits())),
        ("global_f64", ValType::F64, Val::F64(666.6_f64.to_bits())),
    ];
    for (name, ty, value) in globals {
        let global = Global::new(&mut *store, GlobalType::new(ty, Mutability::Const), value)?;
        linker.define(&mut *store, "spectest", name, global)?;
    }
    let tables = [
        ("table", TableType::new(RefType::FUNCREF, 10, Some(20))),
        ("table64", TableType::new64(RefType::FUNCREF, 10, Some(20))),
    ];
    for (name, ty) in tables {
        let table = Table::new(&mut *store, ty, Ref::Func(None))?;
        linker.define(&mut *store, "spectest", name, table)?;
    }
    let memory = Memory::new(&mut *store, MemoryType::new(1, Some(2)))?;
    linker.define(&mut *store, "spectest", "memory", memory)?;
    Ok(())
}
