//! The bill of materials, as CycloneDX 1.6 has it: what is in a program, and what it was made with.
//!
//! The tools for this name what a workspace could use. This names what is compiled for this program, and `make` holds it
//! against the build.

use anyhow::{Context, Result};
use serde::Serialize;

use super::{
    build::Product,
    source::Source,
    tree::{Key, Node, Part, Tree},
};
use crate::step;

/// What the bill is of.
pub(super) struct About<'a> {
    pub(super) product: &'a Product,
    pub(super) source: &'a Source,
    /// The SHA-256 of the program.
    pub(super) program: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Bill {
    bom_format: &'static str,
    spec_version: &'static str,
    serial_number: String,
    version: u32,
    metadata: Metadata,
    components: Vec<Component>,
    dependencies: Vec<Dependency>,
}

#[derive(Serialize)]
struct Metadata {
    timestamp: String,
    lifecycles: [Lifecycle; 1],
    tools: Tools,
    component: Component,
    properties: Vec<Property>,
}

#[derive(Serialize)]
struct Lifecycle {
    phase: &'static str,
}

#[derive(Serialize)]
struct Tools {
    components: Vec<Component>,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Component {
    r#type: &'static str,
    #[serde(rename = "bom-ref", skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
    name: String,
    version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hashes: Vec<Hash>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    licenses: Vec<Licence>,
    #[serde(skip_serializing_if = "Option::is_none")]
    purl: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    external_references: Vec<Reference>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    properties: Vec<Property>,
}

#[derive(Serialize)]
struct Hash {
    alg: &'static str,
    content: String,
}

#[derive(Serialize)]
struct Licence {
    expression: String,
}

#[derive(Serialize)]
struct Reference {
    r#type: &'static str,
    url: String,
}

#[derive(Serialize)]
struct Property {
    name: &'static str,
    value: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Dependency {
    r#ref: String,
    depends_on: Vec<String>,
}

/// Writes the bill.
pub(super) fn write(tree: &Tree, About { product, source, program }: &About) -> Result<String> {
    let workspace = &source.workspace;
    let rustc = Component {
        r#type: "application",
        name: "rustc".into(),
        version: workspace.rustc("release")?,
        ..Component::default()
    };
    let c_compiler = step::output(workspace.tool("cc").arg("--version"))?;
    let c_compiler = c_compiler.lines().next().context("`cc` does not say its version")?;

    let bill = Bill {
        bom_format: "CycloneDX",
        spec_version: "1.6",
        serial_number: format!("urn:uuid:{}", uuid(program)),
        version: 1,
        metadata: Metadata {
            timestamp: source.time.clone(),
            lifecycles: [Lifecycle { phase: "build" }],
            tools: Tools { components: vec![rustc] },
            component: Component {
                r#type: "application",
                name: product.program.clone(),
                hashes: vec![sha256(program)],
                ..component(&tree.root, tree.nodes.get(&tree.root).context("a tree has a root")?)
            },
            properties: vec![
                Property { name: "sandbar:commit", value: source.commit.clone() },
                Property { name: "sandbar:target", value: product.target.clone() },
                Property { name: "sandbar:c-compiler", value: c_compiler.into() },
            ],
        },
        components: tree
            .nodes
            .iter()
            .filter(|(key, _)| **key != tree.root)
            .map(|(key, node)| component(key, node))
            .collect(),
        dependencies: tree.nodes.iter().map(|(key, node)| dependency(tree, key, node)).collect(),
    };
    Ok(format!("{}\n", serde_json::to_string_pretty(&bill)?))
}

fn component(key: &Key, node: &Node) -> Component {
    let features: Vec<&str> = node.features.iter().map(String::as_str).collect();
    let features = (!features.is_empty()).then(|| Property { name: "sandbar:features", value: features.join(" ") });
    let repository = node.package.repository.clone().map(|url| Reference { r#type: "vcs", url });
    let licence = node.package.license.as_deref().map(|licence| Licence { expression: expression(licence) });
    Component {
        r#type: "library",
        reference: Some(purl(key, node)),
        name: key.name.clone(),
        version: key.version.clone(),
        // What only helped to make the program is named, and told apart.
        scope: Some(match node.part {
            Part::Linked => "required",
            Part::BuildOnly => "excluded",
        }),
        hashes: node.checksum.iter().map(|checksum| sha256(checksum)).collect(),
        licenses: licence.into_iter().collect(),
        purl: Some(purl(key, node)),
        external_references: repository.into_iter().collect(),
        properties: features.into_iter().collect(),
    }
}

fn dependency(tree: &Tree, key: &Key, node: &Node) -> Dependency {
    let depends_on = node.uses.iter().filter_map(|used| Some(purl(used, tree.nodes.get(used)?))).collect();
    Dependency { r#ref: purl(key, node), depends_on }
}

fn sha256(content: &str) -> Hash {
    Hash { alg: "SHA-256", content: content.into() }
}

/// Names a package as other tools do. One of the workspace is in no registry: another that has its name there is not it.
fn purl(Key { name, version }: &Key, node: &Node) -> String {
    let kind = if node.package.source.is_some() { "cargo" } else { "generic" };
    format!("pkg:{kind}/{name}@{}", version.replace('+', "%2B"))
}

/// Reads the slash that older packages write as SPDX means it.
fn expression(licence: &str) -> String {
    licence.split('/').map(str::trim).collect::<Vec<_>>().join(" OR ")
}

/// Makes a UUID of its own kind (version 8) from a hash, so that one program has one number.
fn uuid(hash: &str) -> String {
    let digits = |from: usize, to: usize| hash.get(from..to).unwrap_or_default();
    format!("{}-{}-8{}-a{}-{}", digits(0, 8), digits(8, 12), digits(12, 15), digits(15, 18), digits(18, 30))
}
