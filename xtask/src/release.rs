//! A release: what users are given, made so that anybody can make it again and compare.
//!
//! The sources are those of the commit, cloned, and never the work tree; the flags are these, and the environment's own
//! are not seen; the machine's folders get other names; times are the commit's. What is left is the toolchain, the C
//! compiler and its libraries, which the bill of materials names. A container with all of it would promise more, and then
//! be one more thing to build from something.

mod archive;
mod build;
mod licences;
mod sbom;
mod source;
mod tree;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, anyhow, bail};
use lexopt::{Arg, ValueExt};
use sha2::{Digest, Sha256};

use crate::{step::Steps, workspace::Workspace};
use archive::Entry;
use build::Product;
use source::Source;
use tree::Tree;

pub(crate) const HELP: &str = "\
Usage: cargo xtask release [--out DIR] [--check]

Builds the release of the commit that is checked out: an archive with the program, its bill of materials, and their
checksums. The same commit, toolchain and C compiler make the same bytes in every folder.

      --out DIR        where they go (target/dist)
      --check          build twice, in two folders, and compare every byte
      --package NAME   another program of the workspace (sandbar)
";

/// Texts that go along with the program.
const TEXTS: &[&str] = &["CHANGELOG.md", "LICENSE", "README.md"];

struct Options {
    out: PathBuf,
    package: String,
    check: bool,
}

/// What was made of one commit.
struct Release {
    /// What is published, by name.
    files: BTreeMap<String, Vec<u8>>,
    /// What is in the archive, by path, so that a difference can be told from nearer by.
    inside: BTreeMap<String, Vec<u8>>,
}

pub(crate) fn run(workspace: &Workspace, arguments: lexopt::Parser) -> Result<()> {
    let options = parse(workspace, arguments)?;
    let mut steps = Steps::default();
    let folder = workspace.target.join("release-build");
    let release = steps.take("build", || make(workspace, &options.package, &folder))?;
    steps.take("write", || write(&release, &options.out))?;
    if options.check {
        let folder = workspace.target.join("release-check/another/folder");
        let again = steps.take("build again", || make(workspace, &options.package, &folder))?;
        let kept = workspace.target.join("release-check/dist");
        steps.take("compare", || {
            write(&again, &kept)?;
            compare(&release, &again).map_err(|found| {
                anyhow!("{found}\nhint: compare `{}` with `{}`", options.out.display(), kept.display())
            })
        })?;
    }
    steps.report();
    for name in release.files.keys() {
        println!("{}", options.out.join(name).display());
    }
    Ok(())
}

fn parse(workspace: &Workspace, mut arguments: lexopt::Parser) -> Result<Options> {
    let mut options = Options { out: workspace.target.join("dist"), package: "sandbar".into(), check: false };
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Long("out") => options.out = arguments.value()?.into(),
            Arg::Long("package") => options.package = arguments.value()?.string()?,
            Arg::Long("check") => options.check = true,
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(options)
}

/// Makes a release from nothing, in a folder that is gone when it is made.
fn make(workspace: &Workspace, package: &str, folder: &Path) -> Result<Release> {
    let source = Source::clone_head(workspace, folder)?;
    let product = Product::read(&source.workspace, package)?;
    let built = build::build(&source, &product)?;
    let tree = Tree::read(&source.workspace, &product)?;
    tree.agrees_with(&built.compiled)?;

    let name = product.full_name();
    let mut entries = vec![
        Entry::program(&product.program, &built.program),
        Entry::text("THIRD-PARTY-LICENSES", licences::of(&tree)?.into_bytes()),
    ];
    for text in TEXTS {
        let path = source.workspace.path(text);
        entries.push(Entry::text(text, fs::read(&path).with_context(|| format!("the commit has no `{text}`"))?));
    }
    let about = sbom::About { product: &product, source: &source, program: &sha256(&built.program) };
    let mut files = BTreeMap::from([
        (format!("{name}.tar.gz"), archive::tar_gz(&name, &entries, source.seconds)?),
        (format!("{name}.cdx.json"), sbom::write(&tree, &about)?.into_bytes()),
    ]);
    let sums = files.iter().map(|(name, bytes)| format!("{}  {name}\n", sha256(bytes)));
    files.insert("SHA256SUMS".into(), sums.collect::<String>().into_bytes());
    fs::remove_dir_all(folder).with_context(|| format!("cannot remove `{}`", folder.display()))?;
    Ok(Release { files, inside: entries.into_iter().map(|entry| (entry.name, entry.bytes)).collect() })
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn write(release: &Release, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    for (name, bytes) in &release.files {
        let path = folder.join(name);
        fs::write(&path, bytes).with_context(|| format!("cannot write `{}`", path.display()))?;
    }
    Ok(())
}

/// Tells which files of two releases differ, and where.
fn compare(first: &Release, second: &Release) -> Result<()> {
    let mut found = differences(&first.inside, &second.inside);
    found.extend(differences(&first.files, &second.files));
    if !found.is_empty() {
        bail!("two builds of one commit differ:\n  {}", found.join("\n  "));
    }
    eprintln!("{} files are the same in both", first.files.len());
    Ok(())
}

fn differences(first: &BTreeMap<String, Vec<u8>>, second: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
    let names: BTreeSet<&String> = first.keys().chain(second.keys()).collect();
    let difference = |name: &String| match (first.get(name)?, second.get(name)?) {
        (one, other) if one == other => None,
        (one, other) => {
            let same = one.iter().zip(other).take_while(|(one, other)| one == other).count();
            Some(format!("`{name}` from byte {same} on, of {} and {}", one.len(), other.len()))
        }
    };
    let lone = |name: &String| {
        (first.contains_key(name) != second.contains_key(name)).then(|| format!("`{name}` is in one of them only"))
    };
    names.into_iter().filter_map(|name| difference(name).or_else(|| lone(name))).collect()
}

#[cfg(test)]
mod tests;
