#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test ends loudly")]

//! Bindings of WIT, of components and of modules: as they are written, and as compilers of their languages see them.

#[path = "bindings/build_script.rs"]
mod build_script;
#[path = "bindings/compilers.rs"]
mod compilers;
#[path = "bindings/errors.rs"]
mod errors;
#[path = "bindings/golden.rs"]
mod golden;
#[path = "bindings/values.rs"]
mod values;

use sandbar_bindings::{Way, World, guest, wit, wit_text};
use std::path::Path;

const MODULE: &str = r#"(module
    (import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))
    (memory (export "memory") 1)
    (func (export "transform_data"))
    (func (export "sum") (param i32 i32 i64) (result i32) i32.const 0)
    (func (export "mean-of") (param f64 i64) (result f64) f64.const 0)
    (func (export "two") (param f32) (result i32 i64) i32.const 0 i64.const 0)
    (func (export "none") (param v128))
    (func (export "class") (param externref)))"#;

/// The world of everything.
fn everything() -> World {
    wit(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wit"), Some("filter")).unwrap()
}

/// A module with functions of each kind.
fn module() -> World {
    let way = |export: &str| Some(if export == "transform_data" { Way::Stdio } else { Way::Typed });
    guest(&wat::parse_str(MODULE).unwrap(), "module", way).unwrap()
}

/// Names that are words of some language, or that another name becomes too.
const KEYWORDS: &str = r"package acme:keywords;
interface a {
  record self { %record: u8, int: u8, class: u8, none: u8, a-1: u8, a1: u8 }
  enum %option { none, some, self, ok }
}
interface b {
  variant self { %result(u8), err, box(string) }
  flags promise { %type, fn, loop, read, read-all }
}
world %async {
  use a.{self, %option};
  use b.{self as other, promise};
  import int: func(def: self, call: %option, %self: u8) -> other;
  export %list: func(pass: self, lambda: promise) -> %option;
  export list-async: func(arguments: other, eval: u8, impl: u8) -> list<u8>;
  export call: func(%export: string, options: string);
  export clone: func();
  export none: func();
  export %type: func(a-1: u8, a1: u8);
}";

fn keywords() -> World {
    wit_text(KEYWORDS, None).unwrap()
}
