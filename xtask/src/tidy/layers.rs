//! Who may depend on whom: the drawing in ARCHITECTURE.md, checked against what cargo resolved.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use anyhow::Result;
use serde::Deserialize;

use crate::{step, workspace::Workspace};

/// One crate of the workspace: what it may use of the others, and what it must not know.
struct Layer {
    package: &'static str,
    /// The crates of the workspace that it may depend on.
    below: &'static [&'static str],
    /// Crates from outside that it must not depend on; a name that ends in `*` stands for all that begin so.
    never: &'static [&'static str],
    /// Whether what its dependencies depend on counts too.
    reach: Reach,
    why: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    Direct,
    Any,
}

/// What host programs and libraries for them need not know.
const ENGINE_AND_MANIFEST: &[&str] = &["wasmtime*", "clap", "clap_*", "toml_*"];

const LAYERS: &[Layer] = &[
    Layer {
        package: "sandbar-call",
        below: &[],
        never: &["wasmtime*", "tokio", "tokio-*", "hyper", "hyper-*", "rustix", "mio"],
        reach: Reach::Any,
        why: "the nouns and the meter also run on a microcontroller: no engine, no runtime, no I/O",
    },
    Layer {
        package: "sandbar-grants",
        below: &["sandbar-call"],
        never: &["wasmtime*", "clap", "clap_*", "toml", "toml_*"],
        reach: Reach::Any,
        why: "grants are the outside world in plain Rust: they must outlive the engine and not know the manifest",
    },
    Layer {
        package: "sandbar-engine",
        below: &["sandbar-call", "sandbar-grants"],
        never: &["clap", "clap_*", "toml_*", "axum", "tower"],
        reach: Reach::Direct,
        why: "the engine runs calls: it neither listens, nor reads config files, nor prints",
    },
    Layer {
        package: "sandbar-triggers",
        below: &["sandbar-call"],
        never: &["wasmtime*", "clap", "clap_*", "toml", "toml_*"],
        reach: Reach::Any,
        why: "a trigger turns events into calls: it sees `Run`, not what runs, and gets its bindings from the app",
    },
    Layer {
        package: "sandbar-app",
        below: &["sandbar-call", "sandbar-grants", "sandbar-engine", "sandbar-triggers"],
        never: &["wasmtime*", "clap", "clap_*"],
        reach: Reach::Direct,
        why: "the app wires both sides: it knows neither Wasmtime nor the command line",
    },
    Layer {
        package: "sandbar",
        below: &[
            "sandbar-call",
            "sandbar-grants",
            "sandbar-engine",
            "sandbar-triggers",
            "sandbar-app",
            "sandbar-bindings",
            "sandbar-embed",
        ],
        never: &["wasmtime*", "hyper", "h2"],
        reach: Reach::Direct,
        why: "the command line holds no logic: what runs is the engine's, what serves is the app's",
    },
    Layer {
        package: "sandbar-embed",
        below: &["sandbar-call", "sandbar-grants", "sandbar-engine"],
        never: &["wasmtime*", "clap", "clap_*", "toml_*", "hyper"],
        reach: Reach::Direct,
        why: "a host program embeds plugins and their own manifests, not a server or an app",
    },
    Layer {
        package: "sandbar-bindings",
        below: &[],
        never: &["wasmtime*", "clap", "clap_*", "tokio", "tokio-*"],
        reach: Reach::Any,
        why: "a build script compiles it in seconds: it reads types and writes text, and runs nothing",
    },
    Layer {
        package: "sandbar-c",
        below: &["sandbar-embed"],
        never: ENGINE_AND_MANIFEST,
        reach: Reach::Direct,
        why: "a library for another language says what embed says, in that language",
    },
    Layer {
        package: "sandbar-node",
        below: &["sandbar-embed"],
        never: ENGINE_AND_MANIFEST,
        reach: Reach::Direct,
        why: "a library for another language says what embed says, in that language",
    },
    Layer {
        package: "sandbar-python",
        below: &["sandbar-embed"],
        never: ENGINE_AND_MANIFEST,
        reach: Reach::Direct,
        why: "a library for another language says what embed says, in that language",
    },
    Layer {
        package: "plugin-host",
        below: &["sandbar-embed", "sandbar-testkit"],
        never: ENGINE_AND_MANIFEST,
        reach: Reach::Direct,
        why: "it shows what a host program needs, which is embed and nothing behind it",
    },
    Layer {
        package: "sandbar-testkit",
        below: &[],
        never: &["wasmtime*", "clap"],
        reach: Reach::Any,
        why: "every crate uses it in its tests, so it may use none of them",
    },
    Layer {
        package: "xtask",
        below: &["sandbar-testkit"],
        never: &["wasmtime*", "clap"],
        reach: Reach::Any,
        why: "it builds the product, so it compiles in seconds and works when the product doesn't",
    },
];

/// What only one crate may depend on.
const OWNED: &[(&str, &str, &str)] = &[
    ("wasmtime*", "sandbar-engine", "the engine is the only crate that knows Wasmtime"),
    ("clap", "sandbar", "the command line is the only crate that knows arguments"),
];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_members: Vec<String>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    manifest_path: PathBuf,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<DependencyKind>,
}

#[derive(Deserialize)]
struct DependencyKind {
    kind: Option<String>,
}

pub(super) fn check(workspace: &Workspace) -> Result<Vec<String>> {
    let mut command = workspace.cargo("metadata");
    let text = step::output(command.args([
        "--format-version=1",
        "--locked",
        "--filter-platform",
        "x86_64-unknown-linux-gnu",
    ]))?;
    let metadata: Metadata = serde_json::from_str(&text)?;
    let graph = Graph::new(&metadata);
    let mut faults = Vec::new();
    for member in &metadata.workspace_members {
        let Some(package) = metadata.packages.iter().find(|package| package.id == *member) else { continue };
        faults.extend(graph.faults(package));
        faults.extend(lints_fault(package)?);
    }
    Ok(faults)
}

/// What depends on what to be built; what only tests use doesn't count.
struct Graph<'a> {
    names: BTreeMap<&'a str, &'a str>,
    members: BTreeSet<&'a str>,
    uses: BTreeMap<&'a str, Vec<&'a str>>,
}

impl<'a> Graph<'a> {
    fn new(metadata: &'a Metadata) -> Graph<'a> {
        let names = metadata.packages.iter().map(|package| (&*package.id, &*package.name)).collect();
        let members = metadata.workspace_members.iter().map(String::as_str).collect();
        let is_built =
            |dependency: &&Dependency| dependency.dep_kinds.iter().any(|kind| kind.kind.as_deref() != Some("dev"));
        let uses =
            metadata.resolve.nodes.iter().map(|node| {
                (&*node.id, node.deps.iter().filter(is_built).map(|dependency| &*dependency.pkg).collect())
            });
        Graph { names, members, uses: uses.collect() }
    }

    fn faults(&self, package: &Package) -> Vec<String> {
        let name = &package.name;
        let Some(layer) = LAYERS.iter().find(|layer| layer.package == name) else {
            return vec![format!(
                "`{name}` has no layer\nhint: add it to `LAYERS` in xtask/src/tidy/layers.rs, with a why"
            )];
        };
        let direct: BTreeSet<&str> = self.direct(&package.id).collect();
        let reached = match layer.reach {
            Reach::Direct => direct.clone(),
            Reach::Any => self.all(&package.id),
        };

        let mut faults = Vec::new();
        for below in direct.iter().filter(|id| self.members.contains(*id)).map(|id| self.name(id)) {
            if !layer.below.contains(&below) {
                faults.push(format!("`{name}` must not depend on `{below}`: {}", layer.why));
            }
        }
        for used in reached.iter().map(|id| self.name(id)) {
            if layer.never.iter().any(|pattern| matches(pattern, used)) {
                let path = self.path_to(&package.id, used);
                faults.push(format!("`{name}` must not depend on `{used}` ({path}): {}", layer.why));
            }
        }
        for (pattern, owner, why) in OWNED.iter().filter(|(_, owner, _)| owner != name) {
            let owned = direct.iter().map(|id| self.name(id)).find(|used| matches(pattern, used));
            let told = |used: &str| layer.never.iter().any(|pattern| matches(pattern, used));
            faults.extend(
                owned
                    .filter(|used| !told(used))
                    .map(|used| format!("`{name}` must not depend on `{used}`, which belongs to `{owner}`: {why}")),
            );
        }
        faults
    }

    fn name(&self, id: &str) -> &'a str {
        self.names.get(id).copied().unwrap_or_default()
    }

    fn direct(&self, id: &str) -> impl Iterator<Item = &'a str> {
        self.uses.get(id).into_iter().flatten().copied()
    }

    fn all(&self, id: &str) -> BTreeSet<&'a str> {
        let (mut seen, mut open) = (BTreeSet::new(), self.direct(id).collect::<Vec<_>>());
        while let Some(id) = open.pop() {
            if seen.insert(id) {
                open.extend(self.direct(id));
            }
        }
        seen
    }

    /// The shortest chain that leads to a crate: `a > b > c`.
    fn path_to(&self, from: &str, name: &str) -> String {
        let mut paths: Vec<Vec<&str>> = self.direct(from).map(|id| vec![id]).collect();
        let mut seen = BTreeSet::new();
        while !paths.is_empty() {
            let mut longer = Vec::new();
            for path in paths {
                let Some(last) = path.last().copied() else { continue };
                if self.name(last) == name {
                    return path.iter().map(|id| self.name(id)).collect::<Vec<_>>().join(" > ");
                }
                if seen.insert(last) {
                    longer.extend(self.direct(last).map(|next| [&path[..], &[next]].concat()));
                }
            }
            paths = longer;
        }
        name.to_owned()
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => name == pattern,
    }
}

/// A crate that forgets the workspace's lints is the one that would need them.
fn lints_fault(package: &Package) -> Result<Option<String>> {
    let manifest: toml::Table = toml::from_str(&std::fs::read_to_string(&package.manifest_path)?)?;
    let inherits = manifest.get("lints").and_then(|lints| lints.get("workspace")?.as_bool()) == Some(true);
    Ok((!inherits)
        .then(|| format!("`{}` leaves out the workspace's lints\nhint: [lints] workspace = true", package.name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(edges: &'static [(&str, &[&'static str])]) -> Graph<'static> {
        let names = edges.iter().flat_map(|(from, to)| std::iter::once(from).chain(*to)).map(|name| (*name, *name));
        Graph {
            names: names.collect(),
            members: edges.iter().map(|(from, _)| *from).filter(|name| name.starts_with("sandbar")).collect(),
            uses: edges.iter().map(|(from, to)| (*from, to.to_vec())).collect(),
        }
    }

    fn faults(name: &str, edges: &'static [(&str, &[&'static str])]) -> Vec<String> {
        let package = Package { id: name.into(), name: name.into(), manifest_path: PathBuf::new() };
        graph(edges).faults(&package)
    }

    #[test]
    fn a_layer_that_reaches_too_far_is_told_by_which_way() {
        let found = faults("sandbar-call", &[("sandbar-call", &["bytes"]), ("bytes", &["mid"]), ("mid", &["tokio"])]);
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("must not depend on `tokio` (bytes > mid > tokio)"), "{}", found[0]);
    }

    #[test]
    fn a_crate_above_and_a_crate_owned_by_another_are_told() {
        let found = faults("sandbar-triggers", &[("sandbar-triggers", &["sandbar-engine"]), ("sandbar-engine", &[])]);
        assert!(found[0].starts_with("`sandbar-triggers` must not depend on `sandbar-engine`"), "{found:?}");
        let found = faults("sandbar", &[("sandbar", &["sandbar-app", "clap", "wasmtime-wasi"]), ("sandbar-app", &[])]);
        assert_eq!(found.len(), 1, "{found:?}");
        let found = faults("sandbar-new", &[("sandbar-new", &[])]);
        assert!(found[0].contains("has no layer"), "{found:?}");
    }
}
