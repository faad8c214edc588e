//! Values of the spec suite: arguments, and what a result is expected to be.

use wasmtime::{AnyRef, ExternRef, Result, Store, Val, bail};
use wast::core::{AbstractHeapType, HeapType, NanPattern, V128Pattern, WastArgCore, WastRetCore};

/// A quiet NaN without any other payload.
const F32_NAN: u32 = 0x7fc0_0000;
const F64_NAN: u64 = 0x7ff8_0000_0000_0000;

/// The four families of references; a null belongs to one of them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    Func,
    Extern,
    Any,
    Exception,
}

/// Makes an argument of a call.
pub(crate) fn argument(store: &mut Store<()>, given: &WastArgCore<'_>) -> Result<Val> {
    Ok(match given {
        WastArgCore::I32(value) => Val::I32(*value),
        WastArgCore::I64(value) => Val::I64(*value),
        WastArgCore::F32(value) => Val::F32(value.bits),
        WastArgCore::F64(value) => Val::F64(value.bits),
        WastArgCore::V128(value) => Val::V128(u128::from_le_bytes(value.to_le_bytes()).into()),
        WastArgCore::RefNull(heap) => match family(heap)? {
            Family::Func => Val::FuncRef(None),
            Family::Extern => Val::ExternRef(None),
            Family::Any => Val::AnyRef(None),
            Family::Exception => Val::ExnRef(None),
        },
        WastArgCore::RefExtern(host) => Val::ExternRef(Some(ExternRef::new(store, *host)?)),
        WastArgCore::RefHost(host) => {
            let host = ExternRef::new(&mut *store, *host)?;
            Val::AnyRef(Some(AnyRef::convert_extern(store, host)?))
        }
    })
}

fn family(heap: &HeapType<'_>) -> Result<Family> {
    use AbstractHeapType as Heap;
    let HeapType::Abstract { ty, .. } = heap else { bail!("expected an abstract heap type, found {heap:?}") };
    Ok(match ty {
        Heap::Func | Heap::NoFunc => Family::Func,
        Heap::Extern | Heap::NoExtern => Family::Extern,
        Heap::Exn | Heap::NoExn => Family::Exception,
        Heap::Any | Heap::Eq | Heap::Struct | Heap::Array | Heap::I31 | Heap::None => Family::Any,
        Heap::Cont | Heap::NoCont => bail!("continuations are not part of the core spec"),
    })
}

/// Whether a result is what is expected.
pub(crate) fn is_expected(store: &mut Store<()>, found: &Val, expected: &WastRetCore<'_>) -> Result<bool> {
    Ok(match (found, expected) {
        (found, WastRetCore::Either(several)) => {
            let mut any = false;
            for expected in several {
                any |= is_expected(store, found, expected)?;
            }
            any
        }
        (Val::I32(found), WastRetCore::I32(expected)) => found == expected,
        (Val::I64(found), WastRetCore::I64(expected)) => found == expected,
        (Val::F32(found), WastRetCore::F32(expected)) => is_f32(*found, map(expected, |float| float.bits)),
        (Val::F64(found), WastRetCore::F64(expected)) => is_f64(*found, map(expected, |float| float.bits)),
        (Val::V128(found), WastRetCore::V128(expected)) => is_v128(found.as_u128().to_le_bytes(), expected),
        (Val::FuncRef(None), WastRetCore::RefNull(heap)) => is_null_of(Family::Func, heap.as_ref())?,
        (Val::ExternRef(None), WastRetCore::RefNull(heap)) => is_null_of(Family::Extern, heap.as_ref())?,
        (Val::AnyRef(None), WastRetCore::RefNull(heap)) => is_null_of(Family::Any, heap.as_ref())?,
        (Val::ExnRef(None), WastRetCore::RefNull(heap)) => is_null_of(Family::Exception, heap.as_ref())?,
        // Which function it is Wasmtime does not tell.
        (Val::FuncRef(Some(_)), WastRetCore::RefFunc(_)) => true,
        (Val::ExternRef(Some(_)), WastRetCore::RefExtern(None)) => true,
        (Val::ExternRef(Some(found)), WastRetCore::RefExtern(Some(expected))) => {
            found.data(&*store)?.and_then(|data| data.downcast_ref()) == Some(expected)
        }
        (Val::AnyRef(Some(found)), WastRetCore::RefHost(expected)) => {
            let found = ExternRef::convert_any(&mut *store, *found)?;
            found.data(&*store)?.and_then(|data| data.downcast_ref()) == Some(expected)
        }
        (Val::AnyRef(Some(_)), WastRetCore::RefAny) => true,
        (Val::AnyRef(Some(found)), WastRetCore::RefEq) => found.is_eqref(&*store)?,
        (Val::AnyRef(Some(found)), WastRetCore::RefArray) => found.is_array(&*store)?,
        (Val::AnyRef(Some(found)), WastRetCore::RefStruct) => found.is_struct(&*store)?,
        (Val::AnyRef(Some(found)), WastRetCore::RefI31) => found.is_i31(&*store)?,
        _ => false,
    })
}

fn is_null_of(found: Family, expected: Option<&HeapType<'_>>) -> Result<bool> {
    Ok(match expected {
        Some(heap) => family(heap)? == found,
        None => true,
    })
}

fn map<T, U>(pattern: &NanPattern<T>, bits: impl FnOnce(&T) -> U) -> NanPattern<U> {
    match pattern {
        NanPattern::CanonicalNan => NanPattern::CanonicalNan,
        NanPattern::ArithmeticNan => NanPattern::ArithmeticNan,
        NanPattern::Value(value) => NanPattern::Value(bits(value)),
    }
}

/// Compares bits: a canonical NaN has any sign and only the quiet bit, an arithmetic one has the quiet bit.
fn is_f32(found: u32, expected: NanPattern<u32>) -> bool {
    match expected {
        NanPattern::CanonicalNan => found & !(1 << 31) == F32_NAN,
        NanPattern::ArithmeticNan => found & F32_NAN == F32_NAN,
        NanPattern::Value(bits) => found == bits,
    }
}

fn is_f64(found: u64, expected: NanPattern<u64>) -> bool {
    match expected {
        NanPattern::CanonicalNan => found & !(1 << 63) == F64_NAN,
        NanPattern::ArithmeticNan => found & F64_NAN == F64_NAN,
        NanPattern::Value(bits) => found == bits,
    }
}

fn is_v128(found: [u8; 16], expected: &V128Pattern) -> bool {
    match expected {
        V128Pattern::I8x16(lanes) => lanes.map(|lane| lane.to_le_bytes()).as_flattened() == found,
        V128Pattern::I16x8(lanes) => lanes.map(|lane| lane.to_le_bytes()).as_flattened() == found,
        V128Pattern::I32x4(lanes) => lanes.map(|lane| lane.to_le_bytes()).as_flattened() == found,
        V128Pattern::I64x2(lanes) => lanes.map(|lane| lane.to_le_bytes()).as_flattened() == found,
        V128Pattern::F32x4(lanes) => {
            let bits = found.as_chunks::<4>().0.iter().map(|bytes| u32::from_le_bytes(*bytes));
            bits.zip(lanes).all(|(found, lane)| is_f32(found, map(lane, |float| float.bits)))
        }
        V128Pattern::F64x2(lanes) => {
            let bits = found.as_chunks::<8>().0.iter().map(|bytes| u64::from_le_bytes(*bytes));
            bits.zip(lanes).all(|(found, lane)| is_f64(found, map(lane, |float| float.bits)))
        }
    }
}

#[test]
fn nan_patterns_tell_nans_apart() {
    use NanPattern::{ArithmeticNan, CanonicalNan, Value};
    for (bits, canonical, arithmetic) in [
        (0x7fc0_0000, true, true),
        (0xffc0_0000, true, true),
        (0x7fc0_0001, false, true),
        (0x7fa0_0000, false, false),
        (0x7f80_0000, false, false),
        (0x3f80_0000, false, false),
    ] {
        assert_eq!(is_f32(bits, CanonicalNan), canonical, "{bits:#x}");
        assert_eq!(is_f32(bits, ArithmeticNan), arithmetic, "{bits:#x}");
        assert!(is_f32(bits, Value(bits)) && !is_f32(bits, Value(bits ^ 1)));
    }
    assert!(is_f64(0xfff8_0000_0000_0000, CanonicalNan) && !is_f64(0x7ff8_0000_0000_0001, CanonicalNan));
    assert!(is_f64(0x7ff8_0000_0000_0001, ArithmeticNan) && !is_f64(0x7ff0_0000_0000_0001, ArithmeticNan));
}
