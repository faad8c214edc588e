//! What a program is made of: the packages that are compiled for it, with the features that they are compiled with.
//!
//! `cargo metadata` resolves features for the whole workspace and so names packages that this program never sees. `cargo
//! tree` resolves them for one program and one target, as the build does. So the packages, their features and who uses
//! whom are read from the tree, and licences, folders and checksums are looked up.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::build::Product;
use crate::{step, workspace::Workspace};

/// A package by name and version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) name: String,
    pub(super) version: String,
}

/// What a package says of itself.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Package {
    id: String,
    name: String,
    version: String,
    pub(super) license: Option<String>,
    pub(super) repository: Option<String>,
    pub(super) manifest_path: PathBuf,
    /// Where it is from; nothing for one of the workspace.
    pub(super) source: Option<String>,
}

/// Whether a package is in the program, or only helped to make it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Linked,
    BuildOnly,
}

#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) package: Package,
    pub(super) part: Part,
    /// The SHA-256 of what the registry gave, as the lock file has it.
    pub(super) checksum: Option<String>,
    pub(super) features: BTreeSet<String>,
    pub(super) uses: BTreeSet<Key>,
}

pub(super) struct Tree {
    pub(super) root: Key,
    pub(super) nodes: BTreeMap<Key, Node>,
}

impl Tree {
    /// Reads the tree of a program.
    pub(super) fn read(workspace: &Workspace, product: &Product) -> Result<Tree> {
        let all = Branches::parse(&cargo_tree(workspace, product, "normal,build")?)?;
        let linked = Branches::parse(&cargo_tree(workspace, product, "normal")?)?.linked();
        let packages = packages(workspace, product)?;
        let checksums = checksums(workspace)?;
        let root = Key { name: product.package.clone(), version: product.version.clone() };

        let mut nodes = BTreeMap::<Key, Node>::new();
        for branch in &all.0 {
            let node = match nodes.get_mut(&branch.key) {
                Some(node) => node,
                None => {
                    let key = branch.key.clone();
                    let package = packages.get(&key).with_context(|| format!("cargo knows no `{key}`"))?.clone();
                    let part = if linked.contains(&key) { Part::Linked } else { Part::BuildOnly };
                    let checksum = checksums.get(&key).cloned();
                    let (features, uses) = (BTreeSet::new(), BTreeSet::new());
                    nodes.entry(key).or_insert(Node { package, part, checksum, features, uses })
                }
            };
            node.features.extend(branch.features.iter().cloned());
        }
        for (user, used) in all.uses() {
            nodes.entry(user).and_modify(|node| node.uses.extend([used]));
        }
        ensure!(nodes.contains_key(&root), "the tree lacks its root `{root}`");
        Ok(Tree { root, nodes })
    }

    /// Holds the tree against what cargo told of the build, so that it names neither less nor more.
    pub(super) fn agrees_with(&self, compiled: &BTreeSet<String>) -> Result<()> {
        let named: BTreeSet<&String> = self.nodes.values().map(|node| &node.package.id).collect();
        let compiled: BTreeSet<&String> = compiled.iter().collect();
        let missing: Vec<_> = compiled.difference(&named).collect();
        let idle: Vec<_> = named.difference(&compiled).collect();
        ensure!(missing.is_empty(), "compiled, but not in the tree: {missing:?}");
        ensure!(idle.is_empty(), "in the tree, but not compiled: {idle:?}");
        Ok(())
    }
}

fn cargo_tree(workspace: &Workspace, product: &Product, edges: &str) -> Result<String> {
    let mut command = workspace.cargo("tree");
    command.args(["--locked", "--package", &product.package, "--target", &product.target, "--edges", edges]);
    step::output(command.args(["--prefix", "depth", "--charset", "ascii", "--format", " {p} | {f}"]))
}

/// The lines of `cargo tree`.
struct Branches(Vec<Branch>);

struct Branch {
    depth: usize,
    key: Key,
    is_macro: bool,
    features: Vec<String>,
}

impl Branches {
    fn parse(text: &str) -> Result<Branches> {
        let lines = text.lines().filter(|line| !line.is_empty());
        let branches = lines.map(|line| Branch::parse(line).with_context(|| format!("`cargo tree` said `{line}`")));
        branches.collect::<Result<_>>().map(Branches)
    }

    /// Who uses whom. A package that was shown before comes without its own branches.
    fn uses(&self) -> Vec<(Key, Key)> {
        let (mut above, mut uses) = (Vec::<&Key>::new(), Vec::new());
        for branch in &self.0 {
            above.truncate(branch.depth);
            uses.extend(above.last().map(|user| ((*user).clone(), branch.key.clone())));
            above.push(&branch.key);
        }
        uses
    }

    /// What is reached without passing through a procedural macro, which runs in the compiler and stays there.
    fn linked(&self) -> BTreeSet<Key> {
        let (mut macro_depth, mut linked) = (None, BTreeSet::new());
        for branch in &self.0 {
            if macro_depth.is_some_and(|depth| branch.depth > depth) {
                continue;
            }
            macro_depth = branch.is_macro.then_some(branch.depth);
            if !branch.is_macro {
                linked.insert(branch.key.clone());
            }
        }
        linked
    }
}

impl Branch {
    /// Reads `2 syn v3.0.1 (proc-macro) (/folder) | default,full (*)`, of which the last three may be missing.
    fn parse(line: &str) -> Option<Branch> {
        let (package, features) = line.rsplit_once(" |")?;
        let features = features.trim().trim_end_matches("(*)").trim();
        let mut words = package.split(' ');
        let depth = words.next()?.parse().ok()?;
        let key = Key { name: words.next()?.into(), version: words.next()?.strip_prefix('v')?.into() };
        let is_macro = words.next() == Some("(proc-macro)");
        let features = features.split(',').filter(|feature| !feature.is_empty()).map(str::to_owned).collect();
        Some(Branch { depth, key, is_macro, features })
    }
}

fn packages(workspace: &Workspace, product: &Product) -> Result<BTreeMap<Key, Package>> {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Package>,
    }
    let mut command = workspace.cargo("metadata");
    command.args(["--locked", "--format-version=1", "--filter-platform", &product.target]);
    let Metadata { packages } = serde_json::from_str(&step::output(&mut command)?)?;
    let keyed = |package: Package| (Key { name: package.name.clone(), version: package.version.clone() }, package);
    Ok(packages.into_iter().map(keyed).collect())
}

fn checksums(workspace: &Workspace) -> Result<BTreeMap<Key, String>> {
    #[derive(Deserialize)]
    struct Lock {
        package: Vec<Locked>,
    }
    #[derive(Deserialize)]
    struct Locked {
        name: String,
        version: String,
        checksum: Option<String>,
    }
    let Lock { package } = workspace.toml("Cargo.lock")?;
    let keyed = |Locked { name, version, checksum }| Some((Key { name, version }, checksum?));
    Ok(package.into_iter().filter_map(keyed).collect())
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.name, self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "\
0 app v0.1.0 (/a folder/app) | 
1 codec v1.0.0+build | default,std
2 derive v1.0.0 (proc-macro) | 
3 syntax v2.0.0 | full
1 derive v1.0.0 (proc-macro) |  (*)
1 syntax v2.0.0 | 
2 ident v1.0.0 | 
1 codec v1.0.0+build | default,std (*)
";

    fn key(name: &str, version: &str) -> Key {
        Key { name: name.into(), version: version.into() }
    }

    #[test]
    fn lines_become_branches() {
        let branches = Branches::parse(TREE).unwrap();
        let codec = &branches.0[7];
        assert_eq!((codec.depth, &codec.key), (1, &key("codec", "1.0.0+build")));
        assert_eq!(codec.features, ["default", "std"]);
        assert!(branches.0[4].is_macro && branches.0[4].features.is_empty() && !codec.is_macro);
        assert!(Branches::parse("1 app | std").is_err() && Branches::parse("app v1 | ").is_err());
    }

    #[test]
    fn who_uses_whom_is_read_from_the_depth() {
        let uses: BTreeSet<(Key, Key)> = Branches::parse(TREE).unwrap().uses().into_iter().collect();
        let (app, codec) = (key("app", "0.1.0"), key("codec", "1.0.0+build"));
        let (derive, syntax, ident) = (key("derive", "1.0.0"), key("syntax", "2.0.0"), key("ident", "1.0.0"));
        let expected = [
            (&app, &codec),
            (&codec, &derive),
            (&derive, &syntax),
            (&app, &derive),
            (&app, &syntax),
            (&syntax, &ident),
        ];
        assert_eq!(uses, expected.map(|(user, used)| (user.clone(), used.clone())).into());
    }

    #[test]
    fn a_macro_and_what_it_needs_are_not_linked() {
        let linked = Branches::parse(TREE).unwrap().linked();
        let expected =
            [key("app", "0.1.0"), key("codec", "1.0.0+build"), key("ident", "1.0.0"), key("syntax", "2.0.0")];
        assert_eq!(linked, expected.into(), "the syntax that the app uses itself is");
    }
}
