//! All grants of one guest: read entry by entry, then admitted once for an app.

use crate::{
    Access, Folder, GrantError, HttpGrant, LookupGrant, Problem, Resolution, TcpGrant, UdpGrant, Volumes,
    dir::DirEntry,
    env::{self, Variable},
};
use sandbar_call::GrantKind;
use std::{fmt, path::Path, sync::Arc};

/// What a guest is granted, as it was written. The default grants nothing.
#[derive(Clone, Debug, Default)]
pub struct Grants {
    args: Vec<String>,
    env: Vec<Variable>,
    dirs: Vec<DirEntry>,
    clock: Resolution,
    random: bool,
    http: HttpGrant,
    tcp: TcpGrant,
    udp: UdpGrant,
    lookup: LookupGrant,
}

impl Grants {
    /// Reads one more entry, in the form that [`crate::OPTIONS`] gives for its kind. Of two entries for one variable, clock or
    /// random the later counts, so that a command line can follow a manifest.
    ///
    /// # Errors
    /// The entry is not in that form, or there is a folder at its guest path already.
    pub fn add(&mut self, grant: GrantKind, entry: &str) -> Result<(), GrantError> {
        let form = |problem: Problem| {
            let shown = if grant == GrantKind::Env { env::shown(entry) } else { entry };
            GrantError::Form { grant, entry: shown.to_string(), problem }
        };
        match grant {
            GrantKind::Args => self.args.push(argument(entry).map_err(form)?),
            GrantKind::Env => {
                let variable = Variable::parse(entry).map_err(form)?;
                self.env.retain(|earlier| earlier.name != variable.name);
                self.env.push(variable);
            }
            GrantKind::Dir => {
                let dir = DirEntry::parse(entry).map_err(form)?;
                if self.dirs.iter().any(|earlier| earlier.guest == dir.guest) {
                    return Err(GrantError::SameGuestPath { guest: dir.guest });
                }
                self.dirs.push(dir);
            }
            GrantKind::Clock => self.clock = Resolution::parse(entry).map_err(form)?,
            GrantKind::Random => self.random = switch(entry).map_err(form)?,
            GrantKind::Http => self.http.add(entry).map_err(form)?,
            GrantKind::Tcp => self.tcp.add(entry).map_err(form)?,
            GrantKind::Udp => self.udp.add(entry).map_err(form)?,
            GrantKind::Lookup => self.lookup.add(entry).map_err(form)?,
            GrantKind::Stdio | GrantKind::Functions | GrantKind::State | GrantKind::Plugins => {
                return Err(GrantError::NotAnOption { grant });
            }
        }
        Ok(())
    }

    /// Whether a guest may connect to others by TCP, itself or by HTTP.
    pub fn connects(&self) -> bool {
        !self.http.is_empty() || self.tcp.connects()
    }

    /// Whether a guest may listen for TCP connections.
    pub fn listens(&self) -> bool {
        self.tcp.listens()
    }

    /// Admits the grants into an app: finds the folders, seen from `base`, and the variables that are passed through from
    /// `host_env`. Folders with a quota are measured, so call it where blocking is fine.
    ///
    /// # Errors
    /// A folder or a variable is missing, or a folder has two quotas.
    pub fn admit(
        &self,
        base: &Path,
        host_env: &dyn Fn(&str) -> Option<String>,
        volumes: &Volumes,
    ) -> Result<Admitted, GrantError> {
        Ok(Admitted {
            args: self.args.clone(),
            env: self.env.iter().map(|variable| variable.resolve(host_env)).collect::<Result<_, _>>()?,
            folders: self.dirs.iter().map(|dir| dir.admit(base, volumes)).collect::<Result<_, _>>()?,
            clock: self.clock,
            random: self.random,
            http: Arc::new(self.http.clone()),
            tcp: self.tcp.clone(),
            udp: self.udp.clone(),
            lookup: self.lookup.clone(),
        })
    }
}

/// What a guest is granted, resolved for an app. Shared by its sandboxes behind an `Arc`.
#[derive(Clone, Default)]
pub struct Admitted {
    /// Arguments that come before those of a call.
    pub args: Vec<String>,
    /// Environment variables: name and value.
    pub env: Vec<(String, String)>,
    /// Folders, in the order they were granted.
    pub folders: Vec<Folder>,
    /// How fine the clocks are.
    pub clock: Resolution,
    /// Whether secure random numbers are there.
    pub random: bool,
    /// Outgoing HTTP.
    pub http: Arc<HttpGrant>,
    /// TCP sockets.
    pub tcp: TcpGrant,
    /// UDP sockets.
    pub udp: UdpGrant,
    /// Name look-up.
    pub lookup: LookupGrant,
}

impl Admitted {
    /// Whether the guest may write to a folder.
    pub fn writes(&self) -> bool {
        self.folders.iter().any(|folder| folder.access == Access::ReadWrite)
    }
}

impl fmt::Debug for Admitted {
    /// Shows what is granted, without the values of variables.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.env.iter().map(|(name, _)| name).collect();
        f.debug_struct("Admitted").field("env", &names).field("folders", &self.folders).finish_non_exhaustive()
    }
}

fn argument(entry: &str) -> Result<String, Problem> {
    match entry.contains('\0') {
        true => Err(Problem::new("a NUL can't be in an argument")),
        false => Ok(entry.to_string()),
    }
}

fn switch(entry: &str) -> Result<bool, Problem> {
    match entry {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Problem::new("it is `true` or `false`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn nothing_is_granted_by_default() {
        let admitted = Grants::default().admit(Path::new("."), &|_| Some("x".into()), &Volumes::default()).unwrap();
        assert!(admitted.args.is_empty() && admitted.env.is_empty() && admitted.folders.is_empty());
        assert!(!admitted.random && admitted.clock == Resolution::Coarse && !admitted.writes());
    }

    #[test]
    fn grants_are_admitted_for_a_base_folder_and_an_environment() {
        let base = std::env::temp_dir().join(format!("sandbar-grants-{}", std::process::id()));
        fs::create_dir_all(base.join("data")).unwrap();
        fs::write(base.join("file"), "x").unwrap();
        let volumes = Volumes::default();
        let admit = |entries: &[(GrantKind, &str)]| {
            let mut grants = Grants::default();
            for (kind, entry) in entries {
                grants.add(*kind, entry).unwrap();
            }
            grants.admit(&base, &|name| (name == "HOME").then(|| "/h".into()), &volumes)
        };
        let admitted = admit(&[
            (GrantKind::Args, "-v"),
            (GrantKind::Env, "HOME"),
            (GrantKind::Env, "TOKEN=one"),
            (GrantKind::Env, "TOKEN=secret"),
            (GrantKind::Dir, "data::/data,quota=1MiB"),
            (GrantKind::Dir, "./data::/again,quota=1MiB"),
            (GrantKind::Dir, ".::/base:ro"),
            (GrantKind::Clock, "fine"),
            (GrantKind::Random, "true"),
        ])
        .unwrap();
        assert_eq!(admitted.env, [("HOME".into(), "/h".into()), ("TOKEN".into(), "secret".into())]);
        assert!(!format!("{admitted:?}").contains("secret"));
        assert!(admitted.random && admitted.clock == Resolution::Fine && admitted.writes());
        let [data, again, whole] = &admitted.folders[..] else { unreachable!() };
        assert_eq!((&data.host, data.guest.as_str()), (&base.canonicalize().unwrap().join("data"), "/data"));
        assert!(Arc::ptr_eq(data.volume.as_ref().unwrap(), again.volume.as_ref().unwrap()));
        assert!(whole.access == Access::ReadOnly && whole.volume.is_none());

        for (kind, entry, message, hint) in [
            (
                GrantKind::Dir,
                "none::/d",
                "can't open the folder `BASE/none`",
                "create it with `mkdir -p BASE/none`, or name another folder",
            ),
            (GrantKind::Dir, "file::/d", "`BASE/file` is not a folder", "grant the folder that holds it: `BASE`"),
            (
                GrantKind::Dir,
                "data::/d,quota=5",
                "the folder `BASE/data` has two quotas, 1048576 and 5 bytes",
                "write `quota=1048576` in both entries",
            ),
            (
                GrantKind::Env,
                "SECRET",
                "the environment variable `SECRET` is granted but not set",
                "set it before starting, or write its value: `SECRET=VALUE`",
            ),
        ] {
            let error = admit(&[(kind, entry)]).unwrap_err();
            let plain = |text: String| text.replace(base.canonicalize().unwrap().to_str().unwrap(), "BASE");
            assert_eq!((plain(error.to_string()).as_str(), plain(error.hint()).as_str()), (message, hint));
        }
        fs::remove_dir_all(base).unwrap();
    }

    #[test]
    fn a_wrong_entry_says_what_was_expected() {
        let mut grants = Grants::default();
        grants.add(GrantKind::Dir, "a::/x").unwrap();
        for (kind, entry, message, hint) in [
            (
                GrantKind::Http,
                "ftp://a.com",
                "`ftp://a.com` is not a `http` grant: the scheme is `http`, `https` or `*`",
                "write `[private+]SCHEME://HOST[:PORT]`, such as `https://api.example.com`",
            ),
            (
                GrantKind::Env,
                "=secret",
                "`` is not a `env` grant: the name is missing",
                "write `NAME[=VALUE]`, such as `LANG=en`",
            ),
            (
                GrantKind::Random,
                "yes",
                "`yes` is not a `random` grant: it is `true` or `false`",
                "write `true|false`, such as `true`",
            ),
            (
                GrantKind::Dir,
                "b::/x",
                "two folders are granted at `/x`",
                "give each folder a path of its own after `HOST::`, not `/x` twice",
            ),
            (
                GrantKind::Stdio,
                "",
                "`stdio` is not an option of grants",
                "the call's own event carries it; leave the entry out",
            ),
        ] {
            let error = grants.add(kind, entry).unwrap_err();
            assert_eq!((error.to_string().as_str(), error.hint().as_str()), (message, hint));
        }
    }
}
