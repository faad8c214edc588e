//! A number of one of the four types, as an argument or a result.

use crate::random::Random;
use wasm_encoder::{Instruction, ValType};

pub(crate) const TYPES: [ValType; 4] = [ValType::I32, ValType::I64, ValType::F32, ValType::F64];

/// Floats are kept by their bits; every NaN is the same one, since what its bits are is each engine's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Number {
    I32(i32),
    I64(i64),
    F32(u32),
    F64(u64),
}

impl Number {
    pub(crate) fn f32(value: f32) -> Number {
        Number::F32(if value.is_nan() { f32::NAN } else { value }.to_bits())
    }

    pub(crate) fn f64(value: f64) -> Number {
        Number::F64(if value.is_nan() { f64::NAN } else { value }.to_bits())
    }

    /// A number on which operators like to differ, or any.
    pub(crate) fn random(ty: ValType, random: &mut Random) -> Number {
        let bits = match random.below(4) {
            0 => random.next(),
            1 => random.next() >> random.below(64),
            _ => *random.pick(&[0, 1, 2, 3, 7, 8, 31, 32, 63, 64, 255, 0x7fff, 0xffff]),
        };
        let bits = if random.once_in(3) { bits.wrapping_neg() } else { bits };
        match ty {
            ValType::I32 => Number::I32(*random.pick(&[bits as i32, bits as i32, i32::MIN, i32::MAX])),
            ValType::I64 => Number::I64(*random.pick(&[bits as i64, bits as i64, i64::MIN, i64::MAX, 1 << 32])),
            ValType::F32 => {
                let special =
                    [0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, f32::MIN_POSITIVE, 2_147_483_648.0];
                let any = [f32::from_bits(bits as u32), bits.cast_signed() as f32, bits.cast_signed() as f32 / 16.0];
                Number::f32(if random.once_in(4) { *random.pick(&special) } else { *random.pick(&any) })
            }
            _ => {
                let special =
                    [0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, f64::MIN_POSITIVE, 2_147_483_648.5];
                let any = [f64::from_bits(bits), bits.cast_signed() as f64, bits.cast_signed() as f64 / 16.0];
                Number::f64(if random.once_in(4) { *random.pick(&special) } else { *random.pick(&any) })
            }
        }
    }

    pub(crate) fn constant(self) -> Instruction<'static> {
        match self {
            Number::I32(value) => Instruction::I32Const(value),
            Number::I64(value) => Instruction::I64Const(value),
            Number::F32(bits) => Instruction::F32Const(f32::from_bits(bits).into()),
            Number::F64(bits) => Instruction::F64Const(f64::from_bits(bits).into()),
        }
    }

    /// As an argument on the command line.
    pub(crate) fn text(self) -> String {
        match self {
            number if number == Number::f32(f32::NAN) || number == Number::f64(f64::NAN) => "nan".to_owned(),
            Number::I32(value) => value.to_string(),
            Number::I64(value) => value.to_string(),
            Number::F32(bits) => format!("{:?}", f32::from_bits(bits)),
            Number::F64(bits) => format!("{:?}", f64::from_bits(bits)),
        }
    }

    /// Reads a result.
    pub(crate) fn parse(ty: ValType, text: &str) -> Option<Number> {
        Some(match ty {
            ValType::I32 => Number::I32(text.parse().ok()?),
            ValType::I64 => Number::I64(text.parse().ok()?),
            ValType::F32 => Number::f32(text.parse().ok()?),
            _ => Number::f64(text.parse().ok()?),
        })
    }
}
