//! The second stage: what the app is, from what was said. Defaults are filled in, paths are taken from the manifest's
//! folder, and what several keys mean together is checked.

use super::{
    Answer, Guest, Manifest, Route, Spanned,
    error::{Problem, Problems, Source},
    limits,
    record::{Recorded, Said, SaidGuest},
    tables::{Admin, GUEST, HTTP, MANIFEST_VERSION, Pool, ROOT, Receipts, Server},
    value::{one_of, shown},
};
use sandbar_call::{GrantKind, Limits, Resource};
use sandbar_grants::Grants;
use sandbar_grants::nearest;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// Resolves what was recorded, and reports what does not fit together.
pub(crate) fn resolve(recorded: &Recorded, source: Arc<Source>, folder: &Path, problems: &mut Problems) -> Manifest {
    let mut resolver = Resolver { folder, problems };
    let pool = Pool::resolve(&recorded.pool);
    let limits = limits::resolve(&limits::defaults(), &recorded.limits);
    let guests: Vec<Guest> = recorded.guests.iter().map(|said| resolver.guest(said, &pool, &limits)).collect();
    let routes: Vec<Route> = recorded.routes.iter().filter_map(|said| resolver.route(said, &guests)).collect();
    resolver.unused(&guests, recorded);
    Manifest {
        name: recorded.root.text("name").map_or_else(|| name_of(folder), |name| name.value),
        server: resolver.server(&recorded.server),
        admin: resolver.admin(&recorded.admin),
        receipts: resolver.receipts(&recorded.receipts),
        pool,
        guests,
        routes,
        folder: folder.to_path_buf(),
        warnings: Problems::none(source.clone()),
        source,
    }
}

/// Refuses a manifest that is newer than this release. Nothing else about it is told, since it may be right.
pub(crate) fn version(root: &Said) -> Result<(), Problem> {
    let version: u64 = root.resolve(&ROOT, "version");
    match root.get("version").filter(|_| version > MANIFEST_VERSION) {
        None => Ok(()),
        Some(said) => {
            let label = format!("expected {MANIFEST_VERSION}, found {version}");
            let problem = Problem::error("the manifest is newer than this sandbar", said.at.clone(), label);
            Err(problem.hint("install a newer sandbar"))
        }
    }
}

/// The name of an app that says none.
pub(crate) fn name_of(path: &Path) -> String {
    let name = path.canonicalize().ok().and_then(|path| Some(path.file_stem()?.to_string_lossy().into_owned()));
    name.unwrap_or_else(|| "app".into())
}

struct Resolver<'a> {
    folder: &'a Path,
    problems: &'a mut Problems,
}

impl Resolver<'_> {
    fn server(&mut self, said: &Said) -> Server {
        for (key, other) in [("tls_certificate", "tls_key"), ("tls_key", "tls_certificate")] {
            if let Some(file) = said.get(key).filter(|_| !said.has(other)) {
                let label = format!("expected `{other}` beside it");
                let problem = Problem::error("TLS needs a certificate and its key", file.at.clone(), label);
                self.problems.push(problem.hint(format!("{other} = \"{}.pem\"", other.trim_start_matches("tls_"))));
            }
        }
        let server = Server::resolve(said);
        let under = |path: Option<PathBuf>| path.map(|path| self.folder.join(path));
        Server { tls_certificate: under(server.tls_certificate), tls_key: under(server.tls_key), ..server }
    }

    fn admin(&mut self, said: &Said) -> Admin {
        let admin = Admin::resolve(said);
        if let (Some(address), Some(said)) = (admin.listen, said.get("listen"))
            && !address.ip().is_loopback()
        {
            let label = "expected an address on loopback";
            let problem = Problem::warning("others can reach the admin listener", said.at.clone(), label);
            self.problems.push(problem.hint(format!("listen = \"127.0.0.1:{}\"", address.port())));
        }
        admin
    }

    fn receipts(&self, said: &Said) -> Receipts {
        let receipts = Receipts::resolve(said);
        Receipts { path: receipts.path.map(|path| self.folder.join(path)), ..receipts }
    }

    fn guest(&mut self, said: &SaidGuest, pool: &Pool, limits: &Limits) -> Guest {
        let SaidGuest { name, guest, grants, limits: own } = said;
        self.required(
            guest,
            "path",
            &format!("the guest `{}`", name.value),
            &format!("path = \"{}.wasm\"", name.value),
        );
        let limits = limits::resolve(limits, own);
        Guest {
            name: name.value.as_str().into(),
            at: name.at.clone(),
            path: self.folder.join(guest.text("path").unwrap_or_default().value),
            shape: guest.resolve(&GUEST, "shape"),
            export: guest.text("export"),
            sandbox: guest.resolve(&GUEST, "sandbox"),
            sandboxes_max: guest.resolve::<Option<u64>>(&GUEST, "sandboxes_max").unwrap_or(pool.sandboxes_max),
            wait: guest.resolve::<Option<_>>(&GUEST, "wait").unwrap_or(pool.wait),
            fuel_metered: self.fuel_metered(guest, &limits),
            digest: guest.resolve(&GUEST, "digest"),
            grants: self.grants(grants),
            limits,
        }
    }

    fn fuel_metered(&mut self, guest: &Said, limits: &Limits) -> bool {
        let limited = limits.get(Resource::Fuel).is_some();
        match (guest.resolve::<Option<bool>>(&GUEST, "fuel_metered"), guest.get("fuel_metered")) {
            (Some(false), Some(said)) if limited => {
                let label = "expected `true`, found `false`";
                let problem = Problem::error("fuel is limited, so it has to be metered", said.at.clone(), label);
                self.problems.push(problem.hint("fuel_metered = true"));
                true
            }
            (said, _) => said.unwrap_or(limited),
        }
    }

    fn grants(&mut self, said: &[(GrantKind, Spanned<String>)]) -> Grants {
        let mut grants = Grants::default();
        for (kind, entry) in said {
            if let Err(error) = grants.add(*kind, &entry.value) {
                let problem = Problem::error(error.to_string(), entry.at.clone(), "");
                self.problems.push(problem.hint(error.hint()));
            }
        }
        grants
    }

    fn route(&mut self, said: &Said, guests: &[Guest]) -> Option<Route> {
        self.required(said, "route", "a route", "route = \"GET /\"");
        self.content_type(said);
        let answer = match (said.text("guest"), said.text("files")) {
            (Some(guest), None) => self.guest_answer(guest, said.text("export"), guests)?,
            (None, Some(files)) => self.files_answer(&files, said.text("export"))?,
            (Some(_), Some(files)) => {
                let label = "expected either `guest` or `files`";
                self.problems
                    .push(Problem::error("a route has two answers", files.at, label).hint("keep one of the two lines"));
                return None;
            }
            (None, None) if said.has("guest") || said.has("files") => return None,
            (None, None) => {
                let problem = Problem::error("a route has no answer", said.at.clone(), "expected `guest` or `files`");
                let guest = guests.first().map_or("NAME", |guest| &guest.name);
                self.problems.push(problem.hint(format!("guest = \"{guest}\"")));
                return None;
            }
        };
        Some(Route {
            at: said.at.clone(),
            route: said.text("route")?,
            answer,
            content_type: said.resolve(&HTTP, "content_type"),
            example: said.resolve(&HTTP, "example"),
        })
    }

    fn guest_answer(
        &mut self,
        name: Spanned<String>,
        export: Option<Spanned<String>>,
        guests: &[Guest],
    ) -> Option<Answer> {
        if let Some(guest) = guests.iter().find(|guest| *guest.name == *name.value) {
            return Some(Answer::Guest { guest: guest.name.clone(), export });
        }
        let names: Vec<&str> = guests.iter().map(|guest| &*guest.name).collect();
        let message = format!("there is no guest {}", shown(&name.value));
        let problem = match (nearest(&name.value, names.iter().copied()), names.as_slice()) {
            (Some(near), _) => {
                Problem::error(message, name.at, format!("did you mean `{near}`?")).hint(format!("guest = \"{near}\""))
            }
            (None, []) => Problem::error(message, name.at, "there is no guest at all")
                .hint("[guests.NAME] with `path = \"NAME.wasm\"`"),
            (None, names) => Problem::error(message, name.at, format!("expected {}", one_of(names))),
        };
        self.problems.push(problem);
        None
    }

    fn files_answer(&mut self, files: &Spanned<String>, export: Option<Spanned<String>>) -> Option<Answer> {
        match export {
            None => Some(Answer::Files(self.folder.join(&files.value))),
            Some(export) => {
                let problem = Problem::error("files have no exports", export.at, "expected `guest` beside `export`");
                self.problems.push(problem.hint("remove the line"));
                None
            }
        }
    }

    fn content_type(&mut self, said: &Said) {
        let fits = |text: &str| text.contains('/') && text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if let Some(text) = said.text("content_type").filter(|text| !fits(&text.value)) {
            let label = format!("expected a type such as `text/html`, found {}", shown(&text.value));
            let problem = Problem::error("wrong value for `content_type`", text.at, label);
            self.problems.push(problem.hint("content_type = \"text/html\""));
        }
    }

    fn required(&mut self, said: &Said, key: &str, what: &str, hint: &str) {
        if !said.has(key) {
            let problem =
                Problem::error(format!("{what} has no `{key}`"), said.at.clone(), format!("expected `{key}`"));
            self.problems.push(problem.hint(hint));
        }
    }

    fn unused(&mut self, guests: &[Guest], recorded: &Recorded) {
        let named = |guest: &Guest| {
            let mut routes = recorded.routes.iter().filter_map(|route| route.text("guest"));
            routes.any(|name| *name.value == *guest.name)
        };
        for guest in guests.iter().filter(|guest| !named(guest)) {
            let message = format!("nothing calls the guest `{}`", guest.name);
            let problem = Problem::warning(message, guest.at.clone(), "expected a route that names it");
            self.problems.push(problem.hint(format!("[[http]] with `guest = \"{}\"`", guest.name)));
        }
    }
}
