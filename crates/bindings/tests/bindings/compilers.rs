//! What is written, as the compilers of its languages see it: a program that uses it well, and one that does not.

use crate::{everything, keywords, module};
use sandbar_bindings::{Language, World, wit};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Mutex,
};

const TYPESCRIPT: &str = "typescript@5.9.3";
const MYPY: &str = "mypy==2.4.1";

fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A folder under `target` that is empty but for the files of these tests and of every world.
fn folder(language: Language, of_tests: &str, end: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bindings").join(of_tests);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    for file in fs::read_dir(package().join("tests").join(of_tests)).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), folder.join(file.file_name())).unwrap();
    }
    let empty = wit(package().join("tests/wit"), Some("empty")).unwrap();
    let types = wit(package().join("../../guests/types/wit"), None).unwrap();
    let worlds: [(&str, World); 5] = [
        ("everything", everything()),
        ("module", module()),
        ("empty", empty),
        ("keywords", keywords()),
        (if language == Language::Python { "types_" } else { "types" }, types),
    ];
    for (name, world) in worlds {
        fs::write(folder.join(format!("{name}.{end}")), world.write(language).unwrap()).unwrap();
    }
    folder
}

/// The program in the manual in a language.
fn manual(fence: &str) -> String {
    let page = fs::read_to_string(package().join("../../docs/types.md")).unwrap();
    let (_, rest) = page.split_once(&format!("```{fence}\n")).unwrap();
    rest.split_once("```").unwrap().0.to_owned()
}

/// Where a tool is installed once, and kept.
fn tool(name: &str, is_there: &str, install: impl FnOnce(&Path)) -> PathBuf {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _installing = ONE_AT_A_TIME.lock();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tools").join(name.replace(['@', '='], "-"));
    if !folder.join(is_there).exists() {
        fs::create_dir_all(&folder).unwrap();
        install(&folder);
    }
    folder.join(is_there)
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    assert!(output.status.success(), "{command:?}:\n{out}{err}");
}

#[test]
fn typescript_takes_what_fits_and_refuses_what_does_not() {
    let compiler = tool(TYPESCRIPT, "node_modules/typescript/bin/tsc", |folder| {
        run(Command::new("npm").args(["install", "--no-audit", "--no-fund", "--prefix"]).arg(folder).arg(TYPESCRIPT));
    });
    let folder = folder(Language::TypeScript, "typescript", "d.ts");
    fs::copy(package().join("../../packages/node/index.d.ts"), folder.join("host.d.ts")).unwrap();
    fs::write(folder.join("manual.ts"), manual("ts")).unwrap();
    run(Command::new("node").arg(compiler).arg("--project").arg(&folder));
}

#[test]
fn mypy_takes_what_fits_and_refuses_what_does_not() {
    let python = tool(MYPY, "bin/mypy", |folder| {
        run(Command::new("python3").args(["-m", "venv"]).arg(folder));
        run(Command::new(folder.join("bin/pip")).args(["install", "--quiet", MYPY]));
    });
    let folder = folder(Language::Python, "python", "pyi");
    fs::write(folder.join("manual.py"), manual("python")).unwrap();
    let files = ["program.py", "manual.py", "types_.pyi", "everything.pyi", "module.pyi", "empty.pyi", "keywords.pyi"];
    run(Command::new(&python).args(["--strict", "--cache-dir=/dev/null"]).args(files).current_dir(&folder));
    // A stub is a module too, so that its names can be imported where a program runs.
    for name in ["everything", "module", "empty", "keywords"] {
        fs::copy(folder.join(format!("{name}.pyi")), folder.join(format!("{name}.py"))).unwrap();
    }
    let line = "import everything, module, empty, keywords; everything.Exports; module.Imports";
    run(Command::new(python.with_file_name("python")).args(["-c", line]).current_dir(&folder));
}
