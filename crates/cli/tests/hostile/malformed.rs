//! Files that are no guests, or not ones that anybody means: each is a bounded error, and none is a panic.

use crate::app::{SOON, TIME, app_folder, empty_folder, finish, guest, guest_file, route, sandbar};
use sandbar_engine::{Cache, Compiler, Engine, EngineConfig, Guest};
use sandbar_testkit::process::{self, Finished};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

/// The magic and version of a core module.
const MODULE: &[u8] = b"\0asm\x01\0\0\0";
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

/// A section with its size before it.
fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [&[id], leb(content.len()).as_slice(), content].concat()
}

/// An unsigned number as LEB128.
fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

/// A command whose one function has this body, without the `end` of the function.
fn command_with(locals: &[u8], body: &[u8]) -> Vec<u8> {
    let code = [locals, body, &[0x0b]].concat();
    let code = [leb(1), leb(code.len()), code].concat();
    [
        MODULE.to_vec(),
        section(1, &[1, 0x60, 0, 0]),
        section(3, &[1, 0]),
        section(5, &[1, 0, 1]),
        section(7, b"\x02\x06memory\x02\0\x06_start\0\0"),
        section(10, &code),
    ]
    .concat()
}

fn check(finished: &Finished, what: &str, codes: &[i32]) {
    let stderr = finished.stderr_text();
    assert!(finished.code().is_some_and(|code| codes.contains(&code)), "{what}: {finished:?}");
    assert!(!stderr.contains("panicked") && !finished.stdout_text().contains("panicked"), "{what}: {stderr}");
    assert!(stderr.len() < 16 << 10, "{what}: {} bytes of error", stderr.len());
    let drives = |c: char| c.is_control() && c != '\n' && c != '\t';
    assert!(!stderr.contains(drives) && !finished.stdout_text().contains(drives), "{what}: {stderr:?}");
    if finished.code() != Some(0) {
        assert!(stderr.starts_with("error: "), "{what}: {stderr}");
    }
}

/// Runs and serves a file that is no guest.
fn check_everywhere(path: &Path, what: &str) {
    let file = path.to_str().unwrap();
    check(&finish(["run", file], b""), &format!("run {what}"), &[65]);
    let folder = app_folder("malformed-app", &(guest("bad", file, "") + &route("/", "bad")));
    let served = finish(["up".as_ref(), folder.as_os_str(), "--listen=127.0.0.1:0".as_ref()], b"");
    check(&served, &format!("up {what}"), &[65]);
}

fn written(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn what_is_no_guest_is_an_error() {
    let folder = empty_folder("malformed");
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", Vec::new()),
        ("garbage", (0..4096_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect()),
        ("half a magic", b"\0as".to_vec()),
        ("only a magic", b"\0asm".to_vec()),
        ("version 2", b"\0asm\x02\0\0\0".to_vec()),
        ("a section of 4 GiB", [MODULE, b"\x01\xff\xff\xff\xff\x0f"].concat()),
        ("four billion types", [MODULE, &section(1, b"\xff\xff\xff\xff\x0f")].concat()),
        ("four billion functions", [MODULE, &section(3, b"\xff\xff\xff\xff\x0f")].concat()),
        ("four billion items", [COMPONENT, &section(3, b"\xff\xff\xff\xff\x0f")].concat()),
        ("a name that is not UTF-8", [MODULE, &section(7, b"\x01\x02\xff\xfe\0\0")].concat()),
        ("an export of nothing", [MODULE, &section(7, b"\x01\x01x\0\x05")].concat()),
        ("a number that never ends", [MODULE, &section(1, &[0xff; 64])].concat()),
        ("sections out of order", [MODULE, &section(3, b"\0"), &section(1, b"\0")].concat()),
        ("a body cut off", command_with(&[0], &[0x02])[..40].to_vec()),
        ("text that is not closed", b"(module (func".to_vec()),
        ("text a hundred thousand deep", "(".repeat(100_000).into_bytes()),
        (
            "blocks in text a hundred thousand deep",
            ("(module (func ".to_owned() + &"(block ".repeat(100_000)).into_bytes(),
        ),
        ("components a thousand deep", ("(component ".repeat(1000) + &")".repeat(1000)).into_bytes()),
        ("text with a NUL", b"(module \0)".to_vec()),
        ("text that drives a terminal", b"(module \x1b[2J\x1b]0;x\x07)".to_vec()),
        ("an archive", b"PK\x03\x04\x14\0\0\0".to_vec()),
        ("a program", b"\x7fELF\x02\x01\x01\0".to_vec()),
    ];
    for (what, bytes) in cases {
        let path = written(&folder, "bad.wasm", bytes);
        check(&finish(["inspect".as_ref(), path.as_os_str()], b""), &format!("inspect {what}"), &[65]);
        check_everywhere(&path, what);
    }
}

/// What is wrong inside of functions is found by who compiles them, and not by who only looks at the guest.
#[test]
fn what_is_no_code_is_an_error() {
    let folder = empty_folder("malformed-code");
    for (what, locals, body) in [
        ("a block that is left open", &[0][..], &[0x02, 0x40][..]),
        ("four billion locals", b"\x01\xff\xff\xff\xff\x0f\x7f", &[]),
        ("an unknown instruction", &[0], &[0xff]),
        ("nothing on the stack", &[0], &[0x1a]),
        ("a call of nobody", &[0], &[0x10, 0x7f]),
        ("a branch to nowhere", &[0], &[0x0c, 0x7f]),
    ] {
        let path = written(&folder, "bad.wasm", command_with(locals, body));
        check(&finish(["inspect".as_ref(), path.as_os_str()], b""), &format!("inspect {what}"), &[0, 65]);
        check_everywhere(&path, what);
    }
}

/// Cut anywhere a file is an error, or, where a section ends there, a guest that can't be called.
#[test]
fn what_is_cut_off_is_an_error() {
    let folder = empty_folder("truncated");
    for file in ["double.wasm", "hello.wasm"] {
        let whole = fs::read(guest_file(file)).unwrap();
        for part in 0..24 {
            let cut = written(&folder, "cut.wasm", &whole[..whole.len() * part / 24]);
            check(&finish(["inspect".as_ref(), cut.as_os_str()], b""), &format!("{file} {part}/24"), &[0, 65]);
            check(&finish(["run".as_ref(), cut.as_os_str()], b""), &format!("{file} {part}/24"), &[65]);
        }
    }
}

/// Each byte of a small guest changed in turn: whatever it then is, nobody panics.
#[test]
fn what_is_changed_anywhere_breaks_nobody() {
    let folder = empty_folder("changed");
    let whole = command_with(&[0], &[0x41, 0, 0x1a]);
    for at in 0..whole.len() {
        for change in [0x01, 0x80, 0xff] {
            let mut changed = whole.clone();
            changed[at] ^= change;
            let path = written(&folder, "changed.wasm", changed);
            let finished = finish(["run".as_ref(), "--wall".as_ref(), "2s".as_ref(), path.as_os_str()], b"");
            check(&finished, &format!("byte {at} ^ {change:#x}"), &[0, 65, 66, 124, 134]);
        }
    }
}

/// Names of a guest's making stand in reports, and drive no terminal there.
#[test]
fn names_drive_no_terminal() {
    let folder = empty_folder("names");
    let name = "\\1b[2J\\1b]0;title\\07\\0d\\0aforged\\e2\\80\\ae";
    let text = format!(
        "(module (import \"{name}\" \"{name}\" (func)) (func (export \"{name}\")) (func (export \"_start\"))
           (@custom \"{name}\" \"x\") (@producers (language \"{name}\" \"{name}\")))"
    );
    let path = written(&folder, "names.wat", text);
    for arguments in [&["inspect"][..], &["inspect", "--json"], &["run"], &["up", "--listen=127.0.0.1:0"]] {
        let finished = finish(arguments.iter().map(AsRef::as_ref).chain([path.as_os_str()]), b"");
        check(&finished, &arguments.join(" "), if arguments[0] == "inspect" { &[0] } else { &[65] });
        let said = finished.stdout_text() + &finished.stderr_text();
        assert!(
            !said.contains('\u{202e}') && !said.lines().any(|line| line.starts_with("forged")),
            "{arguments:?}: {said}"
        );
    }
}

#[test]
fn what_can_t_be_read_is_an_error() {
    let folder = empty_folder("unreadable");
    let large = folder.join("large.wasm");
    File::create(&large).unwrap().set_len(1 << 30).unwrap();
    for (what, path) in [("missing", folder.join("missing.wasm")), ("a folder", folder.clone()), ("a gigabyte", large)]
    {
        for command in ["inspect", "run"] {
            let finished = finish([command.as_ref(), path.as_os_str()], b"");
            check(&finished, &format!("{command} {what}"), &[65, 66]);
        }
    }
}

/// An import that nobody provides is named, with what was expected.
#[test]
fn an_import_that_nobody_provides_is_named() {
    let folder = empty_folder("imports");
    let module =
        |import: &str| format!("(module (import {import}) (memory (export \"memory\") 1) (func (export \"_start\")))");
    let component = |import: &str| {
        format!(
            "(component (import \"{import}\" (instance (export \"f\" (func))))
               (core module $m (func (export \"run\") (result i32) i32.const 0)) (core instance $i (instantiate $m))
               (func $run (result (result)) (canon lift (core func $i \"run\")))
               (instance $cli (export \"run\" (func $run))) (export \"wasi:cli/run@0.2.0\" (instance $cli)))"
        )
    };
    let unknown = fs::read_to_string(guest_file("unknown-import.wat")).unwrap();
    for (text, says) in [
        (unknown, &["`env.missing`", "(i32) -> (i32)"][..]),
        (
            module(r#""wasi_snapshot_preview1" "fd_wrong" (func)"#),
            &["`wasi_snapshot_preview1.fd_wrong`", "no such function"],
        ),
        (
            module(r#""wasi_snapshot_preview1" "fd_write" (func (param i64))"#),
            &["`wasi_snapshot_preview1.fd_write`", "(i64)"],
        ),
        (
            module(r#""wasi_snapshot_preview1" "fd_write" (global i32)"#),
            &["`wasi_snapshot_preview1.fd_write`", "global"],
        ),
        (module(r#""wasi" "thread-spawn" (func (param i32) (result i32))"#), &["`wasi.thread-spawn`", "threads"]),
        (component("wasi:cli/environment@0.9.0"), &["`wasi:cli/environment@0.9.0", "not 0.9.0"]),
        (component("wasi:cli/environment@0.2.0"), &["`wasi:cli/environment@0.2.0#f`", "0.2.12"]),
        (component("wasi:nothing/here@0.2.0"), &["`wasi:nothing/here@0.2.0", "0.2.12"]),
        (component("other:thing/here"), &["`other:thing/here", "nobody provides it"]),
    ] {
        let path = written(&folder, "import.wat", text);
        let folder =
            app_folder("imports-app", &(guest("importing", path.to_str().unwrap(), "") + &route("/", "importing")));
        let ran = finish(["run".as_ref(), path.as_os_str()], b"");
        let served = finish(["up".as_ref(), folder.as_os_str(), "--listen=127.0.0.1:0".as_ref()], b"");
        for finished in [ran, served] {
            check(&finished, &format!("{says:?}"), &[65]);
            for text in says {
                assert!(finished.stderr_text().contains(text), "expected `{text}` in: {}", finished.stderr_text());
            }
        }
    }
}

/// So many loops and then so many locals, each of which a compiler traces back through all the loops: its time and memory
/// grow with the square.
fn bomb(size: u16) -> Vec<u8> {
    let count = leb(size.into());
    let loops = [0x03, 0x40, 0x20, 0, 0x0d, 0, 0x0b].repeat(size.into());
    let uses: Vec<u8> = (0..size).flat_map(|local| [&[0x20], leb(local.into()).as_slice(), &[0x1a]].concat()).collect();
    command_with(&[&[1], count.as_slice(), &[0x7f]].concat(), &[loops, uses].concat())
}

/// A small file can take a compiler minutes and gigabytes: it gets the time that is set, in a process of its own.
#[test]
fn a_compile_bomb_is_given_up() {
    let folder = empty_folder("compile-bomb");
    let bomb = written(&folder, "bomb.wasm", bomb(40_000));
    let deep = written(
        &folder,
        "deep.wasm",
        command_with(&[0], &[[2, 0x40].repeat(1_000_000), vec![0x0b; 1_000_000]].concat()),
    );
    for (path, codes) in [(bomb, &[65][..]), (deep, &[0, 65])] {
        for command in ["run", "compile"] {
            let mut sandbar = sandbar();
            sandbar.env("SANDBAR_COMPILE_SECONDS", "1").env("XDG_CACHE_HOME", &folder).arg(command).arg(&path);
            let finished = process::run(&mut sandbar, b"", TIME).unwrap();
            check(&finished, &format!("{command} {}", path.display()), codes);
            if codes == [65] {
                assert!(
                    finished.stderr_text().contains("compiling took longer than 1 s"),
                    "{}",
                    finished.stderr_text()
                );
                assert!(finished.stderr_text().contains("SANDBAR_COMPILE_SECONDS"), "{}", finished.stderr_text());
            }
            assert!(finished.wall < SOON, "{:?}", finished.wall);
        }
    }
}

/// A compiler that wants more memory than it may have ends by itself: whoever waits for it is told so, and goes on.
#[test]
fn a_compiler_has_no_more_memory_than_it_may() {
    let folder = empty_folder("compile-memory");
    let program = sandbar().get_program().into();
    let compiler = Compiler::Child { program, memory_bytes: 3 << 29, time: TIME };
    let cache = Some(Cache { folder, bytes_max: 1 << 30 });
    // Three gigabytes would do for it.
    let engine = Engine::new(EngineConfig { cache, compiler, ..EngineConfig::default() }).unwrap();

    let refused = engine.prepare(&Guest::from_bytes("large", bomb(12_000)).unwrap(), false).unwrap_err().to_string();
    assert!(refused.contains("more memory than compiling may"), "{refused}");
    let small = Guest::from_bytes("small", command_with(&[0], &[])).unwrap();
    assert!(engine.prepare(&small, false).unwrap().is_some());
}
