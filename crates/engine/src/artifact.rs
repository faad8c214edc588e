//! The artifact cache: compiled guests on disk, so that a guest is compiled once.
//!
//! An artifact is machine code that runs with the host's rights, so it is loaded only if this user's own Sandbar wrote it: each
//! file ends with a keyed BLAKE3 of its key and contents, under a secret that lies beside the artifacts and only the user can
//! read. A forged, stale or cut file is deleted and the guest compiled again. Files are written aside and renamed, so that two
//! processes never see half of one. The least recently used go when the folder is over its bound.
//!
//! Someone who can write to the user's own files while the host runs is not kept out; they could replace the program too.

#![allow(unsafe_code, reason = "mapping machine code; see `load`")]

use crate::{
    dialect::extism,
    error::CompileError,
    interrupt::GuestCode,
    renewal::{APPENDED, Moves},
    tuning::Tuning,
};
use rustix::rand::{GetRandomFlags, getrandom};
use sandbar_call::Digest;
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    hash::Hash,
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::SystemTime,
};
use wasmtime::{Module, component::Component};

/// The end of an artifact's file: what it is, and its keyed hash.
const MAGIC: &[u8; 8] = b"sandbar1";
const TRAILER_BYTES: usize = MAGIC.len() + blake3::OUT_LEN;

/// Code of a guest, ready to be instantiated.
pub(crate) struct Code {
    pub(crate) form: Form,
    /// How far it was moved when it was compiled.
    pub(crate) moves: Moves,
    /// Where it is, once somebody wants to know.
    places: OnceLock<Arc<GuestCode>>,
}

/// Code of either kind.
pub(crate) enum Form {
    Module(Module),
    Component(Component),
}

/// The folder of artifacts.
pub(crate) struct Artifacts {
    folder: PathBuf,
    secret: [u8; blake3::KEY_LEN],
    bytes_max: u64,
}

/// Names an artifact: the guest, the engine's version and everything that decides its machine code.
#[derive(Clone, Copy)]
pub(crate) struct Key(blake3::Hash);

impl Key {
    pub(crate) fn new(guest: Digest, tuning: Tuning, engine: &wasmtime::Engine) -> Key {
        let mut settings = Settings(blake3::Hasher::new());
        engine.precompile_compatibility_hash().hash(&mut settings);
        let mut hasher = settings.0;
        hasher.update(env!("CARGO_PKG_VERSION").as_bytes());
        hasher.update(APPENDED).update(extism::ADAPTED);
        hasher.update(&[tuning.index() as u8]);
        hasher.update(&guest.0);
        Key(hasher.finalize())
    }
}

/// Feeds everything that Wasmtime hashes into BLAKE3.
struct Settings(blake3::Hasher);

impl std::hash::Hasher for Settings {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}

impl Code {
    fn new(form: Form, moves: Moves) -> Code {
        Code { form, moves, places: OnceLock::new() }
    }

    /// Where it is.
    pub(crate) fn places(&self) -> Arc<GuestCode> {
        self.places.get_or_init(|| Arc::new(GuestCode::of(&self.form))).clone()
    }
}

impl Artifacts {
    /// Opens the folder, and makes it if there is none. It is used only if nobody else can write to it.
    pub(crate) fn open(folder: &Path, bytes_max: u64) -> io::Result<Artifacts> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let meta = fs::metadata(folder)?;
        if meta.uid() != rustix::process::geteuid().as_raw() || meta.mode() & 0o022 != 0 {
            let message = format!("`{}` can be written by others; expected a folder of mode 0700", folder.display());
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
        }
        Ok(Artifacts { folder: folder.to_owned(), secret: secret(folder)?, bytes_max })
    }

    /// Loads an artifact if a good one is there.
    pub(crate) fn load(&self, key: Key, engine: &wasmtime::Engine, component: bool) -> Option<Code> {
        let path = self.path(key);
        let file = fs::read(&path).ok()?;
        let code = self.authentic(key, &file).and_then(|artifact| map(&path, artifact, engine, component).ok());
        match &code {
            Some(_) => {
                drop(File::options().append(true).open(&path).and_then(|file| file.set_modified(SystemTime::now())))
            }
            None => drop(fs::remove_file(&path)),
        }
        code
    }

    /// Keeps an artifact and loads it.
    pub(crate) fn keep(
        &self,
        key: Key,
        artifact: &[u8],
        engine: &wasmtime::Engine,
        component: bool,
    ) -> io::Result<Code> {
        let aside = self.folder.join(format!("{}.{}.new", key.0.to_hex(), unique()));
        let written = self.write(&aside, key, artifact).and_then(|()| fs::rename(&aside, self.path(key)));
        if written.is_err() {
            let _ = fs::remove_file(&aside);
        }
        written?;
        let code = map(&self.path(key), artifact, engine, component).map_err(io::Error::other);
        self.trim();
        code
    }

    fn write(&self, path: &Path, key: Key, artifact: &[u8]) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(artifact)?;
        file.write_all(MAGIC)?;
        file.write_all(self.tag(key, artifact).as_bytes())
    }

    /// Where an artifact lies.
    pub(crate) fn path(&self, key: Key) -> PathBuf {
        self.folder.join(format!("{}.cwasm", key.0.to_hex()))
    }

    fn tag(&self, key: Key, artifact: &[u8]) -> blake3::Hash {
        blake3::Hasher::new_keyed(&self.secret).update(key.0.as_bytes()).update(artifact).finalize()
    }

    /// What this user's program wrote, if it did.
    fn authentic<'a>(&self, key: Key, file: &'a [u8]) -> Option<&'a [u8]> {
        let (artifact, trailer) = file.split_at_checked(file.len().checked_sub(TRAILER_BYTES)?)?;
        let (magic, tag) = trailer.split_at_checked(MAGIC.len())?;
        // `blake3::Hash` compares in constant time.
        let authentic = magic == MAGIC && blake3::Hash::from_slice(tag).is_ok_and(|tag| tag == self.tag(key, artifact));
        authentic.then_some(artifact)
    }

    /// Deletes the least recently used artifacts until the folder is within its bound.
    fn trim(&self) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        let mut files: Vec<_> = entries
            .flatten()
            .filter(|entry| entry.path().extension().is_some_and(|ending| ending == "cwasm"))
            .filter_map(|entry| {
                let meta = entry.metadata().ok()?;
                Some((meta.modified().ok()?, meta.len(), entry.path()))
            })
            .collect();
        let mut bytes: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
        files.sort();
        for (_, size, path) in files {
            if bytes <= self.bytes_max {
                return;
            }
            if fs::remove_file(path).is_ok() {
                bytes -= size;
            }
        }
    }
}

/// Loads an artifact that is not kept.
pub(crate) fn adopt(artifact: &[u8], engine: &wasmtime::Engine, component: bool) -> Result<Code, CompileError> {
    let (code, moves) = Moves::decode(artifact).ok_or_else(|| CompileError::Died("half an artifact".into()))?;
    // SAFETY: the artifact came from our own compiler over a pipe, and from nowhere else.
    let form = unsafe {
        if component {
            Component::deserialize(engine, code).map(Form::Component)
        } else {
            Module::deserialize(engine, code).map(Form::Module)
        }
    };
    form.map(|form| Code::new(form, moves)).map_err(|error| CompileError::Died(format!("{error:#}")))
}

fn map(path: &Path, artifact: &[u8], engine: &wasmtime::Engine, component: bool) -> wasmtime::Result<Code> {
    let (_, moves) = Moves::decode(artifact).ok_or_else(|| wasmtime::format_err!("half an artifact"))?;
    // SAFETY: the file's contents were checked against a keyed hash that only this user's own program can make, or were
    // written by this process just now, in a folder that nobody else can write to. Files are never changed in place: they are
    // replaced by rename and deleted, which leaves a mapping as it is.
    let form = unsafe {
        if component {
            Component::deserialize_file(engine, path).map(Form::Component)
        } else {
            Module::deserialize_file(engine, path).map(Form::Module)
        }
    };
    form.map(|form| Code::new(form, moves))
}

/// Reads this user's secret, and makes it if there is none. Of two processes that make one, both use the one that came first.
fn secret(folder: &Path) -> io::Result<[u8; blake3::KEY_LEN]> {
    let path = folder.join("secret");
    if let Ok(secret) = read_secret(&path) {
        return Ok(secret);
    }
    let mut secret = [0; blake3::KEY_LEN];
    getrandom(&mut secret, GetRandomFlags::empty())?;
    let aside = folder.join(format!("secret.{}.new", unique()));
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside)?.write_all(&secret)?;
    let linked = fs::hard_link(&aside, &path);
    fs::remove_file(&aside)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => read_secret(&path),
    }
}

fn read_secret(path: &Path) -> io::Result<[u8; blake3::KEY_LEN]> {
    let malformed = |_| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("`{}` is not a secret of 32 bytes; delete it", path.display()),
        )
    };
    fs::read(path)?.try_into().map_err(malformed)
}

/// A name for a file that no other thread or process writes.
fn unique() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}
