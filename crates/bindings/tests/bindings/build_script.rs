//! What a build script of a host program does.

use std::{env, fs, path::Path, process::Command};

/// Where this program is run again, with what cargo tells a build script.
const AS_BUILD_SCRIPT: &str = "SANDBAR_TEST_BUILD_SCRIPT";

#[test]
fn a_build_script_writes_where_cargo_says() {
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wit");
    if env::var_os(AS_BUILD_SCRIPT).is_some() {
        sandbar_bindings::rust(&wit, "acme:everything/filter@1.2.0").unwrap();
        let guest = Path::new(&env::var_os("OUT_DIR").unwrap()).join("guest.wasm");
        fs::write(&guest, wat::parse_str(r#"(module (func (export "sum") (param i32)))"#).unwrap()).unwrap();
        sandbar_bindings::rust_of_guest(&guest, "sums").unwrap();
        return;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("build-script");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let mut again = Command::new(env::current_exe().unwrap());
    again.args(["--exact", "build_script::a_build_script_writes_where_cargo_says", "--nocapture"]);
    let output = again.env(AS_BUILD_SCRIPT, "1").env("OUT_DIR", &folder).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && text.contains(&format!("cargo::rerun-if-changed={}", wit.display())), "{text}");
    assert!(fs::read_to_string(folder.join("filter.rs")).unwrap().contains("pub struct Filter("));
    assert!(fs::read_to_string(folder.join("sums.rs")).unwrap().contains("pub fn sum(&self, p0: i32)"));
}

#[test]
fn elsewhere_there_is_no_place_to_write_to() {
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wit");
    if env::var_os("OUT_DIR").is_none() {
        let error = sandbar_bindings::rust(wit, "filter").unwrap_err();
        assert_eq!(error.to_string(), "`OUT_DIR` is not set: expected to run in a build script");
    }
}
