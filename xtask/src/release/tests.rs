//! A small program is released twice in earnest; the bill of the real one is held against its lock file.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::Command,
};

use serde::Deserialize;
use serde_json::Value;

use super::{
    tree::{Key, Part},
    *,
};
use crate::step;

/// A program with everything that tells where and when it was built: a panic's place, generated code, and C.
const TINY: &[(&str, &str)] = &[
    ("Cargo.toml", "[workspace]\nresolver = \"3\"\nmembers = [\"tiny\"]\n"),
    (
        "tiny/Cargo.toml",
        "[package]\nname = \"tiny\"\nversion = \"1.2.3\"\nedition = \"2024\"\nlicense = \"Apache-2.0\"\n",
    ),
    (
        "tiny/build.rs",
        r#"
use std::{env, fs, process::Command};

fn main() {
    let (out, source) = (env::var("OUT_DIR").unwrap(), env::var("CARGO_MANIFEST_DIR").unwrap());
    fs::write(format!("{out}/made.rs"), "pub fn made() -> ! { panic!(\"made\") }").unwrap();
    fs::write(format!("{out}/made.c"), "const char *made_file(void) { return __FILE__; }").unwrap();
    for (name, file) in [("date", format!("{source}/date.c")), ("made", format!("{out}/made.c"))] {
        let compile = format!("cc -c {} \"$1\" -o \"$2\"", env::var("CFLAGS").unwrap());
        let object = format!("{out}/{name}.o");
        assert!(Command::new("sh").args(["-c", &compile, "sh", &file, &object]).status().unwrap().success());
        println!("cargo:rustc-link-arg={object}");
    }
}
"#,
    ),
    (
        "tiny/date.c",
        "const char *date(void) { return __DATE__ __TIME__; }\nconst char *date_file(void) { return __FILE__; }\n",
    ),
    (
        "tiny/src/main.rs",
        r#"
include!(concat!(env!("OUT_DIR"), "/made.rs"));

unsafe extern "C" {
    fn date() -> *const std::ffi::c_char;
    fn date_file() -> *const std::ffi::c_char;
    fn made_file() -> *const std::ffi::c_char;
}

fn main() {
    for text in unsafe { [date(), date_file(), made_file()] } {
        println!("{:?}", unsafe { std::ffi::CStr::from_ptr(text) });
    }
    if std::env::args().count() > 1 {
        made()
    }
    std::env::var("TINY").unwrap();
}
"#,
    ),
    ("CHANGELOG.md", "changes\n"),
    ("LICENSE", "a licence\n"),
    ("README.md", "what it is\n"),
];

/// Writes the program and commits it, at the second of January 2020.
fn tiny(root: &Path) -> Workspace {
    for (path, text) in TINY {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let workspace = Workspace { root: root.to_owned(), target: root.join("target") };
    step::run(workspace.cargo("generate-lockfile").args(["--offline", "--quiet"])).unwrap();
    for arguments in [&["init", "--quiet"][..], &["add", "."], &["commit", "--quiet", "--message", "tiny"]] {
        let mut git = workspace.tool("git");
        for (who, name) in [("AUTHOR", "Ada"), ("COMMITTER", "Ada")] {
            git.env(format!("GIT_{who}_NAME"), name).env(format!("GIT_{who}_EMAIL"), "ada@localhost");
            git.env(format!("GIT_{who}_DATE"), "2020-01-02T03:04:05Z");
        }
        step::run(git.args(["-c", "commit.gpgsign=false"]).args(arguments)).unwrap();
    }
    workspace
}

/// An empty folder, with a space and a quote in its name.
fn folder(name: &str) -> PathBuf {
    let folder = Workspace::find().unwrap().target.join("release-test").join(name).join("it's here");
    if folder.exists() {
        fs::remove_dir_all(&folder).unwrap();
    }
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn two_folders_give_the_same_bytes() {
    let folder = folder("twice");
    let workspace = tiny(&folder.join("tree"));
    let release = make(&workspace, "tiny", &folder.join("one")).unwrap();
    let again = make(&workspace, "tiny", &folder.join("another/place")).unwrap();
    compare(&release, &again).unwrap();

    let program = &release.inside["tiny"];
    for (text, expected) in [
        ("Jan  2 202003:04:05", true),
        ("tiny/src/main.rs", true),
        ("/sandbar/tiny/date.c", true),
        ("/made.c", true),
        ("release-test", false),
    ] {
        assert_eq!(contains(program, text), expected, "`{text}` in the program");
    }
    let names: Vec<&String> = release.inside.keys().collect();
    assert_eq!(names, ["CHANGELOG.md", "LICENSE", "README.md", "THIRD-PARTY-LICENSES", "tiny"]);
    assert!(!folder.join("one").exists(), "the folder is gone");
    the_manual_s_lines_check_it(&release, &folder.join("dist"));
}

/// Runs the lines by which the manual says to check a release.
fn the_manual_s_lines_check_it(release: &Release, out: &Path) {
    write(release, out).unwrap();
    let manual = manual();
    let block = manual.split("## Check it\n").nth(1).and_then(|rest| rest.split("```").nth(1)).unwrap();
    let host = Workspace::find().unwrap().rustc("host").unwrap();
    let lines = block
        .trim_start_matches("sh\n")
        .replace("sandbar-0.1.0-x86_64-unknown-linux-gnu", &format!("tiny-1.2.3-{host}"));
    let run = || Command::new("sh").args(["-e", "-c", &lines]).current_dir(out).status().unwrap().success();
    assert!(lines.lines().count() > 1 && run(), "{lines}");
    assert!(out.join(format!("tiny-1.2.3-{host}/tiny")).is_file());
    fs::write(out.join(format!("tiny-1.2.3-{host}.cdx.json")), "{}").unwrap();
    assert!(!run(), "a changed file is found");
}

#[test]
fn the_manual_s_commands_are_taken() {
    let workspace = Workspace::find().unwrap();
    let manual = manual();
    let lines: Vec<&str> = manual.lines().filter_map(|line| line.strip_prefix("cargo xtask release")).collect();
    assert!(lines.len() > 2, "{lines:?}");
    for line in lines {
        let words = line.split('#').next().unwrap().split_whitespace();
        parse(&workspace, lexopt::Parser::from_args(words)).unwrap();
    }
}

fn manual() -> String {
    fs::read_to_string(Workspace::find().unwrap().path("docs/release.md")).unwrap()
}

#[test]
fn what_differs_is_told() {
    let release = |program: &str| {
        let inside = BTreeMap::from([("sandbar".to_owned(), program.into()), ("LICENSE".to_owned(), "same".into())]);
        Release { files: BTreeMap::from([("SHA256SUMS".to_owned(), program.into())]), inside }
    };
    assert!(compare(&release("abc"), &release("abc")).is_ok());
    let told = compare(&release("abc"), &release("abX+")).unwrap_err().to_string();
    let expected = "two builds of one commit differ:\n  `sandbar` from byte 2 on, of 3 and 4\n  \
                    `SHA256SUMS` from byte 2 on, of 3 and 4";
    assert_eq!(told, expected);
    let lone = BTreeMap::from([("LICENSE".to_owned(), Vec::new())]);
    assert_eq!(differences(&lone, &BTreeMap::new()), ["`LICENSE` is in one of them only"]);
}

/// The lock file, as a program finds it.
struct Lock(BTreeMap<Key, Vec<String>>);

impl Lock {
    fn read(workspace: &Workspace) -> Lock {
        #[derive(Deserialize)]
        struct File {
            package: Vec<Package>,
        }
        #[derive(Deserialize)]
        struct Package {
            name: String,
            version: String,
            #[serde(default)]
            dependencies: Vec<String>,
        }
        let packages = workspace.toml::<File>("Cargo.lock").unwrap().package.into_iter();
        Lock(packages.map(|Package { name, version, dependencies }| (Key { name, version }, dependencies)).collect())
    }

    /// Everything that a package could use, with whatever feature on whatever target.
    fn reach(&self, root: &Key) -> BTreeSet<Key> {
        let (mut reached, mut next) = (BTreeSet::new(), vec![root.clone()]);
        while let Some(key) = next.pop() {
            for used in self.0.get(&key).into_iter().flatten() {
                let mut words = used.split(' ');
                let (name, version) = (words.next().unwrap(), words.next());
                let named = |key: &&Key| key.name == name && version.is_none_or(|version| key.version == version);
                next.extend(self.0.keys().filter(named).filter(|key| !reached.contains(*key)).cloned());
            }
            reached.insert(key);
        }
        reached
    }
}

fn real() -> (Workspace, Product, Tree) {
    let workspace = Workspace::find().unwrap();
    let product = Product::read(&workspace, "sandbar").unwrap();
    let tree = Tree::read(&workspace, &product).unwrap();
    (workspace, product, tree)
}

#[test]
fn the_bill_names_what_the_lock_file_holds_for_the_program() {
    let (workspace, product, tree) = real();
    let lock = Lock::read(&workspace);
    let reach = lock.reach(&tree.root);
    let named: BTreeSet<Key> = tree.nodes.keys().cloned().collect();
    assert!(named.is_subset(&reach), "{:?}", named.difference(&reach));

    // What it lacks of all that could be used, another target or a feature that is off would use.
    let mut cargo = workspace.cargo("tree");
    cargo.args(["--locked", "--package", "sandbar", "--edges", "normal,build", "--prefix", "none", "--format", "{p}"]);
    let told = step::output(cargo.args(["--target", &product.target])).unwrap();
    let start = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    let expected: BTreeSet<String> = told.lines().map(start).collect();
    assert_eq!(
        named.iter().map(|Key { name, version }| format!("{name} v{version}")).collect::<BTreeSet<_>>(),
        expected
    );

    let part = |name: &str| tree.nodes.iter().find(|(key, _)| key.name == name).map(|(_, node)| node.part);
    for name in ["sandbar-engine", "wasmtime", "ring", "mimalloc", "cranelift-codegen", "tokio"] {
        assert_eq!(part(name), Some(Part::Linked), "{name}");
    }
    for name in ["cc", "serde_derive", "syn", "cranelift-isle"] {
        assert_eq!(part(name), Some(Part::BuildOnly), "{name}");
    }
    for name in ["xtask", "sandbar-testkit", "windows-sys"] {
        assert_eq!(part(name), None, "{name}");
    }
    for (key, node) in &tree.nodes {
        assert_eq!(
            node.package.source.is_some(),
            node.checksum.is_some(),
            "{key}: what comes from outside has a checksum"
        );
    }
}

#[test]
fn the_bill_is_whole() {
    let (workspace, product, tree) = real();
    let source = Source { workspace, commit: "c0ffee".into(), seconds: 0, time: "1970-01-01T00:00:00Z".into() };
    let about = sbom::About { product: &product, source: &source, program: &sha256(b"program") };
    let text = sbom::write(&tree, &about).unwrap();
    assert_eq!(text, sbom::write(&tree, &about).unwrap());
    let bill: Value = serde_json::from_str(&text).unwrap();

    let list = |value: &Value| value.as_array().unwrap().clone();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let components = list(&bill["components"]);
    let mut references: Vec<String> = components.iter().map(|component| text(&component["bom-ref"])).collect();
    references.push(text(&bill["metadata"]["component"]["bom-ref"]));
    let known: BTreeSet<&String> = references.iter().collect();
    assert_eq!(known.len(), references.len(), "a reference is one package's");
    assert_eq!(known.len(), tree.nodes.len());

    let dependencies = list(&bill["dependencies"]);
    let users: BTreeSet<String> = dependencies.iter().map(|entry| text(&entry["ref"])).collect();
    assert_eq!(users.iter().collect::<BTreeSet<_>>(), known, "each says what it uses");
    for used in dependencies.iter().flat_map(|entry| list(&entry["dependsOn"])) {
        assert!(known.contains(&text(&used)), "{used} is not in the bill");
    }
    for component in &components {
        let outside = text(&component["purl"]).starts_with("pkg:cargo/");
        assert_eq!(outside, component["hashes"][0]["content"].is_string(), "{component}");
        let licence = text(&component["licenses"][0]["expression"]);
        assert!(!licence.contains('/'), "{licence} is no SPDX expression");
    }
    let root = &bill["metadata"]["component"];
    assert_eq!((text(&root["type"]), text(&root["name"])), ("application".into(), "sandbar".into()));
    assert_eq!(text(&root["hashes"][0]["content"]), sha256(b"program"));
    let number = text(&bill["serialNumber"]);
    let groups: Vec<usize> = number.trim_start_matches("urn:uuid:").split('-').map(str::len).collect();
    assert_eq!(groups, [8, 4, 4, 4, 12], "{number}");
}

#[test]
fn licences_go_along_once() {
    let (_, _, tree) = real();
    let text = licences::of(&tree).unwrap();
    assert_eq!(text, licences::of(&tree).unwrap());
    for name in ["wasmtime 48", "ring 0.17", "mimalloc 0.1", "libmimalloc-sys 0.1"] {
        assert!(text.contains(name), "{name} is named");
    }
    assert!(!text.contains("serde_derive"), "what is not in the program is not named");
}

#[test]
fn a_bill_that_does_not_fit_the_build_is_refused() {
    let (_, _, tree) = real();
    let none = tree.agrees_with(&BTreeSet::new()).unwrap_err().to_string();
    assert!(none.contains("not compiled"), "{none}");
    let more = tree.agrees_with(&BTreeSet::from(["registry+x#other@1.0.0".to_owned()])).unwrap_err().to_string();
    assert!(more.contains("other@1.0.0") && more.contains("not in the tree"), "{more}");
}
