//! The chain of plugins, and what each of them did and used.

use anyhow::{Context, Result};
use sandbar_embed::{Host, Plugin, Policy, Receipt, Resource, Watch};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Sandboxes of one plugin at one time. Each record has one of its own.
const SANDBOXES_MAX: u32 = 16;
/// How many refused things are shown of a plugin.
const DENIALS_MAX: usize = 5;

/// Plugins, one after the other.
pub(crate) struct Chain {
    stages: Vec<Stage>,
}

/// One plugin.
pub(crate) struct Stage {
    pub(crate) plugin: Plugin,
    kept: Arc<Mutex<Kept>>,
    /// Replaces it when its file changes.
    _watch: Watch,
}

/// What a plugin did and used.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kept {
    pub(crate) calls: u64,
    /// Calls by how they ended.
    pub(crate) outcomes: BTreeMap<&'static str, u64>,
    pub(crate) cpu_ns: u64,
    pub(crate) memory_bytes_max: u64,
    /// What it was refused, with the line that would allow it.
    pub(crate) denials: BTreeMap<String, String>,
    pub(crate) versions: u64,
    /// Why the last version that its file held was not taken.
    pub(crate) not_replaced: Option<String>,
}

impl Chain {
    /// Loads every plugin of a folder, in the order of their names.
    pub(crate) fn load(host: &Host, folder: &Path) -> Result<Chain> {
        let entries = fs::read_dir(folder).with_context(|| format!("can't read the folder `{}`", folder.display()))?;
        let mut files: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
        files.retain(|path| path.extension().is_some_and(|extension| extension == "wasm"));
        files.sort();
        let stages = files.iter().map(|path| Stage::load(host, path)).collect::<Result<_>>()?;
        Ok(Chain { stages })
    }

    /// Lets a record through. What a plugin fails on goes past it as it is: logs are worth more than any plugin.
    pub(crate) async fn process(&self, mut record: Value) -> Option<Value> {
        for stage in &self.stages {
            match stage.plugin.call_async::<Value>("transform", &record).await {
                Ok(Value::Null) => return None,
                Ok(transformed) => record = transformed,
                Err(error) => eprintln!("{}: {error}", stage.plugin.name()),
            }
        }
        Some(record)
    }

    pub(crate) fn stages(&self) -> &[Stage] {
        &self.stages
    }
}

impl Stage {
    fn load(host: &Host, path: &Path) -> Result<Stage> {
        let kept = Arc::new(Mutex::new(Kept { versions: 1, ..Kept::default() }));
        let noted = kept.clone();
        let builder = host
            .plugin(path)
            .base(path.parent().unwrap_or(Path::new(".")))
            .policy(Policy::Fresh { sandboxes_max: SANDBOXES_MAX })
            .on_receipt(move |receipt| lock(&noted).note(receipt))
            .log(|record| eprintln!("{}: {}", record.guest, record.message));
        let settings = path.with_extension("json");
        let builder = match fs::read_to_string(&settings) {
            Ok(text) => builder.options(&serde_json::from_str(&text)?),
            Err(_) => Ok(builder),
        };
        let builder = builder.with_context(|| format!("can't use `{}`", settings.display()))?;
        let plugin = builder.load().with_context(|| format!("can't load `{}`", path.display()))?;
        let noted = kept.clone();
        let watch = plugin.watch(path, move |replaced| lock(&noted).replaced(replaced.err()))?;
        Ok(Stage { plugin, kept, _watch: watch })
    }

    pub(crate) fn kept(&self) -> Kept {
        lock(&self.kept).clone()
    }
}

impl Kept {
    fn note(&mut self, receipt: &Receipt) {
        self.calls += 1;
        *self.outcomes.entry(receipt.outcome.kind().key()).or_default() += 1;
        self.cpu_ns += receipt.used.get(Resource::Cpu).unwrap_or(0);
        let memory_bytes = receipt.used.get(Resource::Memory).unwrap_or(0);
        self.memory_bytes_max = self.memory_bytes_max.max(memory_bytes);
        for denial in &receipt.denials {
            if self.denials.len() < DENIALS_MAX {
                self.denials.insert(denial.asked.clone(), denial.allow.clone());
            }
        }
    }

    fn replaced(&mut self, error: Option<sandbar_embed::Error>) {
        self.versions += u64::from(error.is_none());
        self.not_replaced = error.map(|error| error.to_string());
    }
}

fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}
