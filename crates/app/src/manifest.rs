//! The manifest, `sandbar.toml`: an **app**, which is guests with their grants and limits and the triggers bound to them.
//!
//! Read in two stages. `record` takes down what was said and where; `resolve` makes the app of it, once, with defaults,
//! paths and cross-checks. What may be said is a registry ([`tables`], and the lists of resources and grants): one entry
//! yields the parsing, the messages, the reference and the schema. The alternative, `serde` on the final structs, was
//! refused: it stops at the first error and can't tell where a default came from.
//!
//! Every problem is shown at its place, several together, with the line to type. What is checked elsewhere, such as the
//! pattern of a route, is reported in the same way through [`Manifest::refuse`].

pub mod error;
pub mod limits;
mod record;
pub mod reference;
mod resolve;
pub mod sandbox;
pub mod schema;
mod secret;
pub mod setting;
pub mod tables;
pub mod value;

pub use {
    error::{Colour, ManifestErrors, Problem, Problems, Severity, Source, Spanned},
    sandbox::Sandbox,
    tables::{Admin, Forwarded, Pool, Receipts, Server},
};

use sandbar_call::{Digest, GuestName, Limits, Shape};
use sandbar_grants::Grants;
use std::{
    fs::File,
    io::{self, Read},
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use toml::de::DeTable;

/// The name of a manifest in its folder.
pub const MANIFEST_FILE: &str = "sandbar.toml";

/// How large a manifest may be.
pub const MANIFEST_BYTES_MAX: u64 = 1 << 20;

/// An app, resolved. Paths are joined to the manifest's folder.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// Its name.
    pub name: String,
    /// The folder that paths start from.
    pub folder: PathBuf,
    /// The listener for HTTP.
    pub server: Server,
    /// The listener for operators.
    pub admin: Admin,
    /// What is kept of receipts.
    pub receipts: Receipts,
    /// Bounds on sandboxes.
    pub pool: Pool,
    /// The guests, by name.
    pub guests: Vec<Guest>,
    /// The routes, in the order of the file.
    pub routes: Vec<Route>,
    /// What is allowed and hardly meant.
    pub warnings: Problems,
    /// The text, for errors that are found later.
    pub source: Arc<Source>,
}

/// One guest of an app.
#[derive(Clone, Debug)]
pub struct Guest {
    /// Its name.
    pub name: GuestName,
    /// Where its table starts.
    pub at: Range<usize>,
    /// Its file.
    pub path: PathBuf,
    /// How it is called; `None` leaves it to its exports.
    pub shape: Option<Shape>,
    /// The export to call, where a route names none.
    pub export: Option<Spanned<String>>,
    /// How long a sandbox lives.
    pub sandbox: Sandbox,
    /// Its sandboxes at one time.
    pub sandboxes_max: u64,
    /// How long a call may wait for a sandbox.
    pub wait: Duration,
    /// Whether fuel is counted exactly.
    pub fuel_metered: bool,
    /// The digest that its file must have.
    pub digest: Option<Digest>,
    /// What it may touch.
    pub grants: Grants,
    /// What a call of it may consume: its own limits over the app's over the defaults.
    pub limits: Limits,
}

/// One route: what it answers, and with what.
#[derive(Clone, Debug)]
pub struct Route {
    /// Where its table starts.
    pub at: Range<usize>,
    /// Method, host and path, as the trigger reads them.
    pub route: Spanned<String>,
    /// Who answers.
    pub answer: Answer,
    /// The content type of a function's answer.
    pub content_type: Option<String>,
    /// A request body to try it with.
    pub example: Option<String>,
}

/// Who answers a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A guest of the app.
    Guest {
        /// Its name.
        guest: GuestName,
        /// The export to call; `None` takes the guest's.
        export: Option<Spanned<String>>,
    },
    /// The files of a folder.
    Files(PathBuf),
}

impl Manifest {
    /// Reads a manifest, or the one in a folder.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn read(path: &Path) -> Result<Manifest, ManifestErrors> {
        let path = if path.is_dir() { path.join(MANIFEST_FILE) } else { path.to_path_buf() };
        match read_text(&path) {
            Ok(text) => Manifest::parse(&text, &path),
            Err(error) => Err(unreadable(&path, &error)),
        }
    }

    /// Reads the text of a manifest that lies, or would lie, at `path`.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(text: &str, path: &Path) -> Result<Manifest, ManifestErrors> {
        let (document, errors) = DeTable::parse_recoverable(text);
        let shown = secret::mask(text, document.get_ref());
        let source = Arc::new(Source { name: path.display().to_string(), text: text.to_string(), shown });
        let mut problems = Problems::none(source.clone());
        error::syntax(&errors, &mut problems);
        if !problems.is_empty() {
            return Err(ManifestErrors(problems));
        }
        let recorded = record::record(document.get_ref(), &source, &mut problems);
        if let Err(newer) = resolve::version(&recorded.root) {
            return Err(ManifestErrors::of(source, [newer]));
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let manifest = resolve::resolve(&recorded, source, folder, &mut problems);
        Ok(Manifest { warnings: problems.decide()?, ..manifest })
    }

    /// Makes the app of one guest file, which answers every request.
    pub fn for_guest(path: &Path, grants: Grants, limits: Limits) -> Manifest {
        let name: GuestName = guest_name(path).into();
        let pool = Pool::default();
        let guest = Guest {
            name: name.clone(),
            at: 0..0,
            path: path.to_path_buf(),
            shape: None,
            export: None,
            sandbox: Sandbox::Fresh,
            sandboxes_max: pool.sandboxes_max,
            wait: pool.wait,
            fuel_metered: limits.get(sandbar_call::Resource::Fuel).is_some(),
            digest: None,
            grants,
            limits,
        };
        let route = |pattern: &str| Route {
            at: 0..0,
            route: Spanned { value: pattern.into(), at: 0..0 },
            answer: Answer::Guest { guest: name.clone(), export: None },
            content_type: None,
            example: None,
        };
        let source = Arc::new(Source { name: path.display().to_string(), ..Source::default() });
        Manifest {
            name: name.to_string(),
            folder: path.parent().map(Path::to_path_buf).unwrap_or_default(),
            server: Server::default(),
            admin: Admin::default(),
            receipts: Receipts::default(),
            pool,
            routes: ["/", "/{*path}"].map(route).into(),
            guests: vec![guest],
            warnings: Problems::none(source.clone()),
            source,
        }
    }

    /// The guest of a name.
    pub fn guest(&self, name: &str) -> Option<&Guest> {
        self.guests.iter().find(|guest| &*guest.name == name)
    }

    /// Refuses the manifest for what was found later, shown as the rest: a route's pattern, a guest that can't be loaded.
    pub fn refuse(&self, problems: impl IntoIterator<Item = Problem>) -> ManifestErrors {
        ManifestErrors::of(self.source.clone(), problems)
    }
}

fn read_text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(MANIFEST_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MANIFEST_BYTES_MAX {
        return Err(io::Error::other(format!("it is larger than {MANIFEST_BYTES_MAX} bytes")));
    }
    Ok(text)
}

fn unreadable(path: &Path, error: &io::Error) -> ManifestErrors {
    let source = Source { name: path.display().to_string(), ..Source::default() };
    let problem = Problem::whole(format!("can't read the manifest `{}`: {error}", path.display()));
    let problem = match error.kind() {
        io::ErrorKind::NotFound => problem.hint("sandbar up FOLDER, sandbar up sandbar.toml, or sandbar up GUEST.wasm"),
        io::ErrorKind::InvalidData => {
            problem.hint("a manifest is UTF-8 text; to serve one guest: sandbar up GUEST.wasm")
        }
        _ => problem,
    };
    ManifestErrors::of(Arc::new(source), [problem])
}

/// A guest's name from its file's: what can't be in a name becomes `-`.
fn guest_name(path: &Path) -> String {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let name: String =
        stem.chars().take(64).map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).collect();
    if name.is_empty() { "guest".into() } else { name }
}
