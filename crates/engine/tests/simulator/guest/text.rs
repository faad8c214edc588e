//! Writes a module of steps as text.
//!
//! After each step a guest says on stdout how it went: a record of [`RECORD_BYTES`], the step's number and its errno, a number
//! that the step gave, and sixteen bytes that it found. The first record, number 0, is of reading the canary from stdin.
//!
//! What a module has is what its text calls, so that most are small, and some can be renewed while others can't.

use super::{
    End, Form, PATHS, Step, Steps,
    files::{FileStep, What},
};
use crate::canary::{CALL_MAGIC, TENANT_MAGIC};
use std::fmt::Write;

/// What a module says before its records where it is a command: the head of an answer by CGI.
pub(crate) const HEAD: &str = "content-type: a/b\\n\\n";
pub(crate) const HEAD_BYTES: usize = HEAD.len() - 2;
/// How long a record is.
pub(crate) const RECORD_BYTES: usize = 24;
/// From here on memory is nobody's.
pub(crate) const FREE: u32 = 24_576;

/// What may be imported, in place of `$name`.
const IMPORTS: &[(&str, &str)] = &[
    ("args_sizes_get", "i32 i32"),
    ("environ_sizes_get", "i32 i32"),
    ("environ_get", "i32 i32"),
    ("clock_time_get", "i32 i64 i32"),
    ("random_get", "i32 i32"),
    ("sched_yield", ""),
    ("poll_oneoff", "i32 i32 i32 i32"),
    ("fd_read", "i32 i32 i32 i32"),
    ("fd_write", "i32 i32 i32 i32"),
    ("fd_close", "i32"),
    ("fd_readdir", "i32 i32 i32 i64 i32"),
    ("fd_filestat_set_size", "i32 i64"),
    ("path_open", "i32 i32 i32 i32 i32 i64 i64 i32 i32"),
    ("path_filestat_get", "i32 i32 i32 i32 i32"),
    ("path_create_directory", "i32 i32 i32"),
    ("path_remove_directory", "i32 i32 i32"),
    ("path_unlink_file", "i32 i32 i32"),
    ("path_rename", "i32 i32 i32 i32 i32 i32"),
    ("path_link", "i32 i32 i32 i32 i32 i32 i32"),
    ("path_symlink", "i32 i32 i32 i32 i32"),
];

/// Functions that steps call, each before those that it calls itself.
///
/// Memory: 0 a buffer's address and length, 8 how much of it was used, 16 the file that was opened last, 20 the number that a
/// step gives, 64 a record, 128 the call's canary, 1024 texts, 4096 timers, 8192 what is read and written, 12288 answers of
/// polls and addresses of variables, 16384 texts of variables and folders, 20480 what is said.
const HELPERS: &[(&str, &str)] = &[
    (
        "read_file",
        r#"(func $read_file (param $folder i32) (param $path i32) (param $length i32) (result i32) (local $errno i32)
    (local.set $errno (call $open (local.get $folder) (local.get $path) (local.get $length) (i32.const 0) (i64.const 2) (i32.const 0)))
    (i32.store (i32.const 20) (i32.const 0))
    (if (result i32) (local.get $errno) (then (local.get $errno)) (else
        (memory.fill (i32.const 8192) (i32.const 0) (i32.const 4096))
        (i32.store (i32.const 0) (i32.const 8192))
        (i32.store (i32.const 4) (i32.const 4096))
        (local.set $errno (call $fd_read (i32.load (i32.const 16)) (i32.const 0) (i32.const 1) (i32.const 8)))
        (if (i32.eqz (local.get $errno)) (then (i32.store (i32.const 20) (i32.load (i32.const 8)))))
        (i64.store (i32.const 72) (i64.load (i32.const 8192)))
        (i64.store (i32.const 80) (i64.load (i32.const 8200)))
        (drop (call $fd_close (i32.load (i32.const 16))))
        (i32.shl (local.get $errno) (i32.const 8)))))"#,
    ),
    (
        "write_file",
        r#"(func $write_file (param $folder i32) (param $path i32) (param $length i32) (param $oflags i32) (param $fdflags i32)
        (param $bytes i32) (result i32) (local $errno i32)
    (local.set $errno (call $open (local.get $folder) (local.get $path) (local.get $length)
        (local.get $oflags) (i64.const 66) (local.get $fdflags)))
    (i32.store (i32.const 20) (i32.const 0))
    (if (result i32) (local.get $errno) (then (local.get $errno)) (else
        (call $content )
        (local.set $errno (call $put (i32.load (i32.const 16)) (i32.const 8192) (local.get $bytes)))
        (drop (call $fd_close (i32.load (i32.const 16))))
        (i32.shl (local.get $errno) (i32.const 8)))))"#,
    ),
    (
        "open_many",
        r#"(func $open_many (param $folder i32) (param $path i32) (param $length i32) (param $left i32) (result i32) (local $errno i32)
    (i32.store (i32.const 20) (i32.const 0))
    (block $end (loop $more
        (local.set $errno (call $open (local.get $folder) (local.get $path) (local.get $length) (i32.const 0) (i64.const 2) (i32.const 0)))
        (br_if $end (local.get $errno))
        (i32.store (i32.const 20) (i32.add (i32.load (i32.const 20)) (i32.const 1)))
        (br_if $more (local.tee $left (i32.sub (local.get $left) (i32.const 1))))))
    (local.get $errno))"#,
    ),
    (
        "set_size",
        r#"(func $set_size (param $folder i32) (param $path i32) (param $length i32) (param $size i64) (result i32) (local $errno i32)
    (local.set $errno (call $open (local.get $folder) (local.get $path) (local.get $length) (i32.const 0) (i64.const 66) (i32.const 0)))
    (i32.store (i32.const 20) (i32.const 0))
    (if (result i32) (local.get $errno) (then (local.get $errno)) (else
        (local.set $errno (call $fd_filestat_set_size (i32.load (i32.const 16)) (local.get $size)))
        (drop (call $fd_close (i32.load (i32.const 16))))
        (i32.shl (local.get $errno) (i32.const 8)))))"#,
    ),
    (
        "open",
        r#"(func $open (param $folder i32) (param $path i32) (param $length i32) (param $oflags i32) (param $rights i64)
        (param $fdflags i32) (result i32)
    (call $path_open (local.get $folder) (i32.const 1) (local.get $path) (local.get $length) (local.get $oflags)
        (local.get $rights) (i64.const 0) (local.get $fdflags) (i32.const 16)))"#,
    ),
    (
        "content",
        r#"(func $content (local $at i32)
    (local.set $at (i32.const 8192))
    (loop $more
        (i64.store (local.get $at) (global.get $own_low))
        (i32.store (local.get $at) (i32.const TENANT_MAGIC))
        (i64.store offset=8 (local.get $at) (global.get $own_high))
        (br_if $more (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 16))) (i32.const 12288)))))"#,
    ),
    (
        "stdout",
        r#"(func $stdout (param $bytes i32) (result i32)
    (i32.store (i32.const 20) (i32.const 0))
    (memory.fill (i32.const 20480) (i32.const 111) (i32.const 4096))
    (call $put (i32.const 1) (i32.const 20480) (local.get $bytes)))"#,
    ),
    (
        "stderr",
        r#"(func $stderr (param $bytes i32) (result i32)
    (i32.store (i32.const 20) (i32.const 0))
    (memory.fill (i32.const 20480) (i32.const 101) (i32.const 4096))
    (i32.store8 (i32.const 20481) (i32.const 27))
    (i64.store (i32.const 20488) (global.get $own_low))
    (i64.store (i32.const 20496) (global.get $own_high))
    (i32.store8 (i32.const 20583) (i32.const 10))
    (call $put (i32.const 2) (i32.const 20480) (local.get $bytes)))"#,
    ),
    (
        "put",
        r#"(func $put (param $fd i32) (param $buffer i32) (param $left i32) (result i32) (local $errno i32)
    (block $end (loop $more
        (br_if $end (i32.eqz (local.get $left)))
        (i32.store (i32.const 0) (local.get $buffer))
        (i32.store (i32.const 4)
            (select (local.get $left) (i32.const 4096) (i32.lt_u (local.get $left) (i32.const 4096))))
        (local.set $errno (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8)))
        (br_if $end (local.get $errno))
        (br_if $end (i32.eqz (i32.load (i32.const 8))))
        (i32.store (i32.const 20) (i32.add (i32.load (i32.const 20)) (i32.load (i32.const 8))))
        (local.set $left (i32.sub (local.get $left) (i32.load (i32.const 8))))
        (br $more)))
    (local.get $errno))"#,
    ),
    (
        "stdin",
        r#"(func $stdin (result i32) (local $errno i32)
    (i32.store (i32.const 20) (i32.const 0))
    (i32.store (i32.const 0) (i32.const 8192))
    (i32.store (i32.const 4) (i32.const 4096))
    (local.set $errno (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
    (if (i32.eqz (local.get $errno)) (then (i32.store (i32.const 20) (i32.load (i32.const 8)))))
    (local.get $errno))"#,
    ),
    (
        "read_canary",
        r#"(func $read_canary (result i32) (local $errno i32)
    (i32.store (i32.const 20) (i32.const 0))
    (block $end (loop $more
        (i32.store (i32.const 0) (i32.add (i32.const 128) (i32.load (i32.const 20))))
        (i32.store (i32.const 4) (i32.sub (i32.const 16) (i32.load (i32.const 20))))
        (local.set $errno (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
        (br_if $end (local.get $errno))
        (br_if $end (i32.eqz (i32.load (i32.const 8))))
        (i32.store (i32.const 20) (i32.add (i32.load (i32.const 20)) (i32.load (i32.const 8))))
        (br_if $more (i32.lt_u (i32.load (i32.const 20)) (i32.const 16)))))
    (if (i32.eq (i32.load (i32.const 20)) (i32.const 16)) (then
        (global.set $own_low (i64.load (i32.const 128)))
        (global.set $own_high (i64.load (i32.const 136))))
        (else (memory.fill (i32.const 128) (i32.const 0) (i32.const 16))))
    (local.get $errno))"#,
    ),
    (
        "environ",
        r#"(func $environ (result i32) (local $errno i32)
    (local.set $errno (call $environ_sizes_get (i32.const 20) (i32.const 24)))
    (if (i32.and (i32.eqz (local.get $errno)) (i32.le_u (i32.load (i32.const 24)) (i32.const 4096))) (then
        (local.set $errno (call $environ_get (i32.const 12288) (i32.const 16384)))
        (i64.store (i32.const 72) (i64.load (i32.const 16386)))
        (i64.store (i32.const 80) (i64.load (i32.const 16394)))))
    (local.get $errno))"#,
    ),
    (
        "timers",
        r#"(func $timers (param $count i32) (param $step i64) (result i32) (local $at i32) (local $left i32) (local $time i64)
    (local.set $at (i32.const 4096))
    (local.set $left (local.get $count))
    (memory.fill (i32.const 4096) (i32.const 0) (i32.const 3072))
    (loop $more
        (i32.store offset=16 (local.get $at) (i32.const 1))
        (i64.store offset=24 (local.get $at) (local.tee $time (i64.add (local.get $time) (local.get $step))))
        (local.set $at (i32.add (local.get $at) (i32.const 48)))
        (br_if $more (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
    (call $poll_oneoff (i32.const 4096) (i32.const 12288) (local.get $count) (i32.const 20)))"#,
    ),
    (
        "mark",
        r#"(func $mark (local $at i32)
    (global.set $mark_low (global.get $own_low))
    (global.set $mark_high (global.get $own_high))
    (local.set $at (i32.const 32768))
    (loop $more
        (i64.store (local.get $at) (global.get $own_low))
        (i64.store offset=8 (local.get $at) (global.get $own_high))
        (i64.store offset=32752 (local.get $at) (global.get $own_low))
        (i64.store offset=32760 (local.get $at) (global.get $own_high))
        (br_if $more
            (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 65536))) (i32.shl (memory.size) (i32.const 16)))))
    MARK_TABLE)"#,
    ),
    (
        "look",
        r#"(func $look (result i32) (local $at i32) (local $found i32)
    (loop $more
        (if (i32.eq (i32.load (local.get $at)) (i32.const CALL_MAGIC)) (then
            (if (i32.or (i64.ne (i64.load (local.get $at)) (global.get $own_low))
                    (i64.ne (i64.load offset=8 (local.get $at)) (global.get $own_high))) (then
                (i64.store (i32.const 72) (i64.load (local.get $at)))
                (i64.store (i32.const 80) (i64.load offset=8 (local.get $at)))
                (local.set $found (i32.add (local.get $found) (i32.const 1)))))))
        (br_if $more
            (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 16))) (i32.shl (memory.size) (i32.const 16)))))
    (if (i64.ne (global.get $mark_low) (i64.const 0)) (then
        (if (i32.or (i64.ne (global.get $mark_low) (global.get $own_low)) (i64.ne (global.get $mark_high) (global.get $own_high)))
            (then
                (i64.store (i32.const 72) (global.get $mark_low))
                (i64.store (i32.const 80) (global.get $mark_high))
                (local.set $found (i32.add (local.get $found) (i32.const 1)))))))
    (local.get $found))"#,
    ),
    (
        "compute",
        r#"(func $compute (param $left i32) (local $sum i64)
    (loop $more
        (local.set $sum (i64.add (i64.mul (local.get $sum) (i64.const 31)) (i64.extend_i32_u (local.get $left))))
        (br_if $more (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
    (global.set $sum (local.get $sum)))"#,
    ),
    (
        "recurse",
        r#"(func $recurse (param $left i32)
    (if (local.get $left) (then (call $recurse (i32.sub (local.get $left) (i32.const 1))))))"#,
    ),
    ("overflow", "(func $overflow (call $overflow ) (call $overflow ))"),
    (
        "fill",
        r#"(func $fill (param $bytes i32) (local $room i32)
    (local.set $room (i32.sub (i32.shl (memory.size) (i32.const 16)) (i32.const FREE)))
    (memory.fill (i32.const FREE) (i32.const 170)
        (select (local.get $bytes) (local.get $room) (i32.lt_u (local.get $bytes) (local.get $room)))))"#,
    ),
    (
        "storm",
        r#"(func $storm (param $left i32)
    (loop $more
        (drop (call $sched_yield ))
        (br_if $more (local.tee $left (i32.sub (local.get $left) (i32.const 1))))))"#,
    ),
    (
        "say",
        r#"(func $say (param $step i32) (param $errno i32) (param $value i32)
    (i32.store16 (i32.const 64) (local.get $step))
    (i32.store16 (i32.const 66) (local.get $errno))
    (i32.store (i32.const 68) (local.get $value))
    (i32.store (i32.const 0) (i32.const 64))
    (i32.store (i32.const 4) (i32.const 24))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
    (i64.store (i32.const 72) (i64.const 0))
    (i64.store (i32.const 80) (i64.const 0)))"#,
    ),
];

pub(super) fn module(steps: &Steps) -> String {
    let mut texts = Texts::default();
    let mut code = begin(steps, &mut texts);
    for (number, step) in (1..).zip(&steps.steps) {
        let line = match (steps.form, step) {
            (Form::Typed, Step::Look) => {
                "(global.set $score (i64.add (global.get $score) (i64.extend_i32_u (call $look ))))".into()
            }
            (Form::Typed, _) => format!("(call $forget {})", does(step, &mut texts)),
            (Form::Command | Form::Function, _) => {
                format!("(call $say (i32.const {number}) {})", does(step, &mut texts))
            }
        };
        writeln!(code, "    {line}").unwrap();
    }
    let body = format!("{}{}{}", code, ends(steps), more(steps));
    assemble(steps, &body, &texts)
}

/// Takes the canary of the call.
fn begin(steps: &Steps, texts: &mut Texts) -> String {
    match steps.form {
        Form::Typed => {
            "  (func (export \"run\") (param $low i64) (param $high i64) (result i64)
    (global.set $own_low (local.get $low)) (global.set $own_high (local.get $high)) (global.set $score (i64.const 0))\n"
                .to_owned()
        }
        Form::Function => "  (func (export \"handle\") (result i32)
    (call $say (i32.const 0) (call $read_canary ) (i32.load (i32.const 20)))\n"
            .to_owned(),
        Form::Command => format!(
            "  (func (export \"_start\")
    (i32.store (i32.const 0) (i32.const {})) (i32.store (i32.const 4) (i32.const {HEAD_BYTES}))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
    (call $say (i32.const 0) (call $read_canary ) (i32.load (i32.const 20)))\n",
            texts.at(HEAD)
        ),
    }
}

/// What a step does: two expressions, its errno and its number.
fn does(step: &Step, texts: &mut Texts) -> String {
    const VALUE: &str = "(i32.load (i32.const 20))";
    let plain = |what: String| format!("(block (result i32) {what} (i32.const 0)) (i32.const 0)");
    match step {
        Step::Mark => plain("(call $mark )".into()),
        Step::Look => "(i32.const 0) (call $look )".into(),
        Step::Compute(rounds) => plain(format!("(call $compute (i32.const {rounds}))")),
        Step::Recurse(deep) => plain(format!("(call $recurse (i32.const {deep}))")),
        Step::Grow(pages) => format!("(i32.eq (memory.grow (i32.const {pages})) (i32.const -1)) (memory.size)"),
        Step::GrowTable(by) => {
            format!("(i32.eq (table.grow $marks (ref.null func) (i32.const {by})) (i32.const -1)) (table.size $marks)")
        }
        Step::Fill(bytes) => plain(format!("(call $fill (i32.const {bytes}))")),
        Step::Stdout(bytes) => format!("(call $stdout (i32.const {bytes})) {VALUE}"),
        Step::Stderr(bytes) => format!("(call $stderr (i32.const {bytes})) {VALUE}"),
        Step::Stdin => format!("(call $stdin ) {VALUE}"),
        Step::Args => format!("(call $args_sizes_get (i32.const 20) (i32.const 24)) {VALUE}"),
        Step::Env => format!("(call $environ ) {VALUE}"),
        Step::Clock => "(call $clock_time_get (i32.const 1) (i64.const 1) (i32.const 24)) (i32.const 0)".into(),
        Step::Random => "(call $random_get (i32.const 20480) (i32.const 64)) (i32.const 0)".into(),
        Step::Sleep(ms) => {
            format!("(call $timers (i32.const 1) (i64.const {})) {VALUE}", u64::from(*ms) * 1_000_000)
        }
        Step::Poll(count) => format!("(call $timers (i32.const {count}) (i64.const 300000)) {VALUE}"),
        Step::Storm(count) => plain(format!("(call $storm (i32.const {count}))")),
        Step::BadPointer => {
            "(call $fd_write (i32.const 1) (i32.const -8) (i32.const 1) (i32.const 8)) (i32.const 0)".into()
        }
        Step::File(step) => does_to_file(step, texts),
    }
}

fn does_to_file(FileStep { folder, path, what }: &FileStep, texts: &mut Texts) -> String {
    const VALUE: &str = "(i32.load (i32.const 20))";
    let fd = |folder: &u32| format!("(i32.const {})", folder + 3);
    let mut text = |text: &str| format!("(i32.const {}) (i32.const {})", texts.at(text), text.len());
    let (folder, path) = (fd(folder), text(PATHS[*path].text));
    match what {
        What::Read => format!("(call $read_file {folder} {path}) {VALUE}"),
        What::Write { oflags, fdflags, bytes } => format!(
            "(call $write_file {folder} {path} (i32.const {oflags}) (i32.const {fdflags}) (i32.const {bytes})) {VALUE}"
        ),
        What::OpenMany(count) => format!("(call $open_many {folder} {path} (i32.const {count})) {VALUE}"),
        What::SetSize(size) => format!("(call $set_size {folder} {path} (i64.const {size})) {VALUE}"),
        What::List => format!(
            "(call $fd_readdir {folder} (i32.const 16384) (i32.const 4096) (i64.const 0) (i32.const 20)) (i32.const 0)"
        ),
        What::Stat => format!("(call $path_filestat_get {folder} (i32.const 1) {path} (i32.const 8192)) (i32.const 0)"),
        What::MakeDir => format!("(call $path_create_directory {folder} {path}) (i32.const 0)"),
        What::RemoveDir => format!("(call $path_remove_directory {folder} {path}) (i32.const 0)"),
        What::Unlink => format!("(call $path_unlink_file {folder} {path}) (i32.const 0)"),
        What::Rename { folder: to, path: name } => {
            format!("(call $path_rename {folder} {path} {} {}) (i32.const 0)", fd(to), text(PATHS[*name].text))
        }
        What::Link { folder: to, path: name } => {
            let (to, name) = (fd(to), text(PATHS[*name].text));
            format!("(call $path_link {folder} (i32.const 0) {path} {to} {name}) (i32.const 0)")
        }
        What::Symlink(target) => format!("(call $path_symlink {} {folder} {path}) (i32.const 0)", text(target)),
    }
}

/// The end of the exported function.
fn ends(steps: &Steps) -> String {
    let does = match steps.end {
        End::Return => String::new(),
        End::Exit(code) if steps.form == Form::Function => format!("(return (i32.const {code}))"),
        End::Exit(code) => format!("(call $proc_exit (i32.const {code}))"),
        End::Unreachable => "(unreachable)".into(),
        End::DivideByZero => "(drop (i32.div_u (i32.const 1) (i32.const 0)))".into(),
        End::OutOfBounds => "(i64.store (i32.const -1) (global.get $own_low))".into(),
        End::NullCall => "(call_indirect $calls (i32.const 1))".into(),
        End::WrongCall => "(call_indirect $calls (i32.const 0))".into(),
        End::NotANumber => "(drop (i32.trunc_f32_s (f32.const nan)))".into(),
        End::Overflow => "(drop (i32.div_s (i32.const 0x80000000) (i32.const -1)))".into(),
        End::Recursion => "(call $overflow )".into(),
        End::Spin => "(loop (br 0))".into(),
        End::SpinInHost => "(loop (drop (call $sched_yield )) (br 0))".into(),
        End::WaitForEver => "(drop (call $timers (i32.const 1) (i64.const 0x7fffffffffffffff)))".into(),
    };
    let gives = match steps.form {
        Form::Command => "",
        Form::Function => "(i32.const 0)",
        Form::Typed => "(global.get $score)",
    };
    format!("    {does}\n    {gives})\n")
}

/// What else a module has.
fn more(steps: &Steps) -> String {
    let mut more = String::new();
    if matches!(steps.end, End::NullCall | End::WrongCall) {
        more +=
            "  (table $calls 2 funcref) (elem (table $calls) (i32.const 0) func $takes) (func $takes (param i32))\n";
    }
    if steps.has_table {
        more += "  (table $marks 4 funcref) (elem declare func $marked) (func $marked)\n";
    }
    if steps.has_start {
        more += "  (func $start (global.set $sum (i64.const 7))) (start $start)\n";
    }
    if steps.has_initialize {
        more += "  (func (export \"_initialize\") (global.set $sum (i64.const 9)) (i32.store (i32.const 32) (i32.const 1)))\n";
    }
    if steps.form == Form::Typed {
        more += "  (func $forget (param i32 i32))\n";
    }
    more
}

/// Adds what the text calls, and puts all of it in order.
fn assemble(steps: &Steps, body: &str, texts: &Texts) -> String {
    let mut functions = body.to_owned();
    for (name, text) in HELPERS {
        if functions.contains(&format!("(call ${name} ")) {
            functions = format!("{functions}  {text}\n");
        }
    }
    let mark_table = if steps.has_table { "(table.set $marks (i32.const 0) (ref.func $marked))" } else { "" };
    let functions = functions
        .replace("MARK_TABLE", mark_table)
        .replace("TENANT_MAGIC", &TENANT_MAGIC.to_string())
        .replace("CALL_MAGIC", &CALL_MAGIC.to_string())
        .replace("FREE", &FREE.to_string());
    let mut imports = String::new();
    for (name, params) in IMPORTS.iter().chain(&[("proc_exit", "i32")]) {
        if functions.contains(&format!("(call ${name} ")) {
            let result = if *name == "proc_exit" { "" } else { " (result i32)" };
            writeln!(
                imports,
                "  (import \"wasi_snapshot_preview1\" \"{name}\" (func ${name} (param {params}){result}))"
            )
            .unwrap();
        }
    }
    let most = steps.pages_max.map(|most| most.to_string()).unwrap_or_default();
    format!(
        "(module\n{imports}  (memory (export \"memory\") {} {most})\n{}  (global $own_low (mut i64) (i64.const 0)) \
         (global $own_high (mut i64) (i64.const 0))\n  (global $mark_low (mut i64) (i64.const 0)) \
         (global $mark_high (mut i64) (i64.const 0))\n  (global $sum (mut i64) (i64.const 0)) \
         (global $score (mut i64) (i64.const 0))\n{functions})",
        steps.pages,
        texts.segments()
    )
}

/// Texts in the module's memory.
#[derive(Default)]
struct Texts(Vec<(u32, String)>);

impl Texts {
    /// Where a text lies.
    fn at(&mut self, text: &str) -> u32 {
        if let Some((at, _)) = self.0.iter().find(|(_, known)| known == text) {
            return *at;
        }
        let at = self.0.last().map_or(1024, |(at, text)| at + u32::try_from(text.len()).unwrap());
        self.0.push((at, text.to_owned()));
        at
    }

    fn segments(&self) -> String {
        self.0.iter().map(|(at, text)| format!("  (data (i32.const {at}) \"{text}\")\n")).collect()
    }
}

#[test]
fn every_step_makes_a_module() {
    use sandbar_testkit::random::Random;
    for form in [Form::Command, Form::Function, Form::Typed] {
        for seed in 0..200 {
            let text = Steps::random(&mut Random::new(seed), form, true).text();
            sandbar_engine::Guest::from_bytes("guest", text.clone().into_bytes())
                .unwrap_or_else(|error| panic!("{error}\n{text}"));
        }
    }
}
