//! What is appended leaves a guest valid, and its functions where they are noted to be.

use super::{Moves, append};
use std::ops::Range;
use wasm_encoder::{CodeSection, ConstExpr, ExportKind, ExportSection, GlobalSection, GlobalType, Module, ValType};
use wasmparser::{Parser, Payload, Validator};

#[test]
fn a_module_with_an_empty_code_section_is_left_as_it_is() {
    let mut globals = GlobalSection::new();
    let mutable = GlobalType { val_type: ValType::I32, mutable: true, shared: false };
    globals.global(mutable, &ConstExpr::i32_const(1));
    let mut exports = ExportSection::new();
    exports.export("g", ExportKind::Global, 0);
    let mut module = Module::new();
    module.section(&globals).section(&exports).section(&CodeSection::new());
    let guest = module.finish();
    Validator::new().validate_all(&guest).unwrap();
    // A function can't be appended without types and functions to append it to.
    assert!(append(false, &guest).is_none());
}

/// Some linkers leave room for the largest length. Where it was written shorter, what followed came before where it had been,
/// and traps were told at wrong places.
#[test]
fn a_length_keeps_its_bytes() {
    let guest = wat::parse_str(GUEST).unwrap();
    let padded = padded(&guest);
    Validator::new().validate_all(&padded).unwrap();
    let (appended, moves) = append(false, &padded).unwrap();
    Validator::new().validate_all(&appended).unwrap();
    check(&padded, &appended, &moves);
}

/// One with many sections, to which little is appended.
const GUEST: &str = r#"(module (import "a" "f" (func)) (table 2 funcref) (memory 1) (elem (i32.const 0) $one) (data "x")
    (func $one (export "one") (result i32) (i32.const 1))
    (func (export "two") (result i32) (memory.init 0 (i32.const 0) (i32.const 0) (i32.const 1)) (i32.const 2)))"#;

/// A module whose sections have their lengths in five bytes each.
fn padded(guest: &[u8]) -> Vec<u8> {
    let mut padded = Module::new().finish();
    for payload in Parser::new(0).parse_all(guest) {
        let Some((id, range)) = payload.unwrap().as_section() else { continue };
        let length = u32::try_from(range.len()).unwrap();
        padded.push(id);
        padded.extend([0, 7, 14, 21].map(|shift| (length >> shift) as u8 & 0x7f | 0x80));
        padded.push((length >> 28) as u8);
        padded.extend_from_slice(&guest[range]);
    }
    padded
}

fn check(guest: &[u8], appended: &[u8], moves: &Moves) {
    let (before, now) = (functions(guest), functions(appended));
    assert!(!before.is_empty());
    for (before, now) in before.iter().zip(now) {
        assert_eq!(guest[before.clone()], appended[now.clone()]);
        assert_eq!(moves.before(now.start), before.start);
    }
}

fn functions(module: &[u8]) -> Vec<Range<usize>> {
    let payloads = Parser::new(0).parse_all(module).map(Result::unwrap);
    let bodies = payloads.filter_map(|payload| match payload {
        Payload::CodeSectionEntry(body) => Some(body.range()),
        _ => None,
    });
    bodies.collect()
}
