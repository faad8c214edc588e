//! What a folder refused, as data for the receipt.

use super::Place;
use crate::state::State;
use sandbar_call::{Denial, GrantKind};
use sandbar_grants::{Access, Folder, denial};

/// How much of a path is kept for a denial, in characters.
const PATH_CHARS_MAX: usize = 160;

/// What a guest asks of a folder, kept until it is known to be refused.
pub(crate) struct Asked {
    place: Option<Place>,
    verb: &'static str,
    path: String,
    wants: Access,
    outside: bool,
}

impl Asked {
    /// Asks to do something with a path, seen from a place.
    pub(crate) fn new(place: Option<Place>, verb: &'static str, path: &str, wants: Access) -> Asked {
        let outside = leads_outside(path);
        Asked { place, verb, path: path.chars().take(PATH_CHARS_MAX).collect(), wants, outside }
    }

    /// Records that it was refused, with the entry that would allow it. None would where a path leads out of its folder: what
    /// lies outside is reached from its own folder only.
    pub(crate) fn refused(&self, state: &State) {
        let Some((place, folder)) = self.place.and_then(|place| Some((place, place.folder(&state.grants)?))) else {
            return;
        };
        let asked = format!("{} {}", self.verb, shown(folder, place, &self.path));
        let denied = if self.wants_more(folder) && !self.outside {
            denial(GrantKind::Dir, &asked, &writable(folder))
        } else {
            Denial { allow: String::new(), ..denial(GrantKind::Dir, &asked, "") }
        };
        state.tap.meter().denied(denied);
    }

    /// Whether the refusal of something with two ends is this end's doing, as far as its text and its folder tell.
    pub(crate) fn explains(&self, state: &State) -> bool {
        let folder = self.place.and_then(|place| place.folder(&state.grants));
        self.outside || folder.is_some_and(|folder| self.wants_more(folder))
    }

    fn wants_more(&self, folder: &Folder) -> bool {
        self.wants == Access::ReadWrite && folder.access == Access::ReadOnly
    }
}

/// The entry that grants a folder for writing.
fn writable(folder: &Folder) -> String {
    let host = folder.host.display().to_string();
    if host == folder.guest { host } else { format!("{host}::{}", folder.guest) }
}

/// A path as the guest sees it. Which folders lie between is not kept.
fn shown(folder: &Folder, place: Place, path: &str) -> String {
    let between = if place.below { "/…" } else { "" };
    match path {
        _ if path.starts_with('/') => path.to_owned(),
        "" => format!("{}{between}", folder.guest),
        _ => format!("{}{between}/{path}", folder.guest.trim_end_matches('/')),
    }
}

/// Whether a path leaves the folder it starts from by its text alone.
fn leads_outside(path: &str) -> bool {
    let mut depth = 0u32;
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => match depth.checked_sub(1) {
                Some(up) => depth = up,
                None => return true,
            },
            _ => depth = depth.saturating_add(1),
        }
    }
    path.starts_with('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_outside_by_its_text() {
        for (path, expected) in [
            ("a", false),
            ("", false),
            ("a/../b", false),
            ("./a/./b/..", false),
            ("a/../../b", true),
            ("..", true),
            ("/etc/passwd", true),
            ("a//..//..", true),
            ("..a/...", false),
        ] {
            assert_eq!(leads_outside(path), expected, "{path}");
        }
    }

    #[test]
    fn a_path_is_shown_as_the_guest_sees_it() {
        let folder = Folder { host: "/srv/d".into(), guest: "/data".into(), access: Access::ReadOnly, volume: None };
        let at = |below| Place { folder: 0, below };
        assert_eq!(shown(&folder, at(false), "a/b"), "/data/a/b");
        assert_eq!(shown(&folder, at(true), "b"), "/data/…/b");
        assert_eq!(shown(&folder, at(false), ""), "/data");
        assert_eq!(shown(&folder, at(false), "/etc"), "/etc");
        assert_eq!(writable(&folder), "/srv/d::/data");
        assert_eq!(writable(&Folder { guest: "/srv/d".into(), ..folder }), "/srv/d");
    }
}
