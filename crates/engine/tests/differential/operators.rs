//! Instructions by what they take and give.

use wasm_encoder::{
    Instruction::{self, *},
    MemArg,
    ValType::{self, F32, F64, I32, I64},
};

type Operators = (&'static [ValType], ValType, &'static [Instruction<'static>]);

/// Those that never trap.
#[rustfmt::skip]
pub(crate) const OPERATORS: &[Operators] = &[
    (&[I32, I32], I32, &[
        I32Add, I32Sub, I32Mul, I32And, I32Or, I32Xor, I32Shl, I32ShrS, I32ShrU, I32Rotl, I32Rotr,
        I32Eq, I32Ne, I32LtS, I32LtU, I32GtS, I32GtU, I32LeS, I32LeU, I32GeS, I32GeU,
    ]),
    (&[I64, I64], I32, &[I64Eq, I64Ne, I64LtS, I64LtU, I64GtS, I64GtU, I64LeS, I64LeU, I64GeS, I64GeU]),
    (&[F32, F32], I32, &[F32Eq, F32Ne, F32Lt, F32Gt, F32Le, F32Ge]),
    (&[F64, F64], I32, &[F64Eq, F64Ne, F64Lt, F64Gt, F64Le, F64Ge]),
    (&[I32], I32, &[I32Clz, I32Ctz, I32Popcnt, I32Eqz, I32Extend8S, I32Extend16S]),
    (&[I64], I32, &[I64Eqz, I32WrapI64]),
    (&[F32], I32, &[I32TruncSatF32S, I32TruncSatF32U]),
    (&[F64], I32, &[I32TruncSatF64S, I32TruncSatF64U]),
    (&[I64, I64], I64, &[
        I64Add, I64Sub, I64Mul, I64And, I64Or, I64Xor, I64Shl, I64ShrS, I64ShrU, I64Rotl, I64Rotr,
    ]),
    (&[I64], I64, &[I64Clz, I64Ctz, I64Popcnt, I64Extend8S, I64Extend16S, I64Extend32S]),
    (&[I32], I64, &[I64ExtendI32S, I64ExtendI32U]),
    (&[F32], I64, &[I64TruncSatF32S, I64TruncSatF32U]),
    (&[F64], I64, &[I64TruncSatF64S, I64TruncSatF64U]),
    (&[F32, F32], F32, &[F32Add, F32Sub, F32Mul, F32Div, F32Min, F32Max]),
    (&[F32], F32, &[F32Abs, F32Neg, F32Ceil, F32Floor, F32Trunc, F32Nearest, F32Sqrt]),
    (&[I32], F32, &[F32ConvertI32S, F32ConvertI32U, F32ReinterpretI32]),
    (&[I64], F32, &[F32ConvertI64S, F32ConvertI64U]),
    (&[F64], F32, &[F32DemoteF64]),
    (&[F64, F64], F64, &[F64Add, F64Sub, F64Mul, F64Div, F64Min, F64Max]),
    (&[F64], F64, &[F64Abs, F64Neg, F64Ceil, F64Floor, F64Trunc, F64Nearest, F64Sqrt]),
    (&[I32], F64, &[F64ConvertI32S, F64ConvertI32U]),
    (&[I64], F64, &[F64ConvertI64S, F64ConvertI64U, F64ReinterpretI64]),
    (&[F32], F64, &[F64PromoteF32]),
];

/// Divisions, which trap by zero and where the quotient does not fit.
pub(crate) const DIVISIONS: &[(ValType, &[Instruction<'static>])] =
    &[(I32, &[I32DivS, I32DivU, I32RemS, I32RemU]), (I64, &[I64DivS, I64DivU, I64RemS, I64RemU])];

/// Conversions that trap where the number does not fit, or is none.
pub(crate) const CONVERSIONS: &[(ValType, ValType, &[Instruction<'static>])] = &[
    (F32, I32, &[I32TruncF32S, I32TruncF32U]),
    (F64, I32, &[I32TruncF64S, I32TruncF64U]),
    (F32, I64, &[I64TruncF32S, I64TruncF32U]),
    (F64, I64, &[I64TruncF64S, I64TruncF64U]),
];

type Access = fn(MemArg) -> Instruction<'static>;

/// Loads and stores, each with the logarithm of its width, which is the most that may be said of its alignment.
pub(crate) const LOADS: &[(ValType, &[(u32, Access)])] = &[
    (I32, &[(2, I32Load), (0, I32Load8S), (0, I32Load8U), (1, I32Load16S), (1, I32Load16U)]),
    (
        I64,
        &[
            (3, I64Load),
            (0, I64Load8S),
            (0, I64Load8U),
            (1, I64Load16S),
            (1, I64Load16U),
            (2, I64Load32S),
            (2, I64Load32U),
        ],
    ),
    (F32, &[(2, F32Load)]),
    (F64, &[(3, F64Load)]),
];
pub(crate) const STORES: &[(ValType, &[(u32, Access)])] = &[
    (I32, &[(2, I32Store), (0, I32Store8), (1, I32Store16)]),
    (I64, &[(3, I64Store), (0, I64Store8), (1, I64Store16), (2, I64Store32)]),
    (F32, &[(2, F32Store)]),
    (F64, &[(3, F64Store)]),
];
