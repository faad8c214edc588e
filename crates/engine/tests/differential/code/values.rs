//! Expressions.

use super::Code;
use crate::{
    number::{Number, TYPES},
    operators::{CONVERSIONS, DIVISIONS, LOADS, OPERATORS},
    plan::{Keeps, PAGES_MAX, TABLE},
};
use wasm_encoder::{BlockType, HeapType, Instruction, ValType};

impl Code<'_> {
    /// Writes what leaves a value of this type on the stack.
    pub(super) fn value(&mut self, ty: ValType, depth: u32) {
        if depth == 0 || self.left == 0 {
            return self.leaf(ty);
        }
        self.left -= 1;
        let depth = depth - 1;
        match self.random.below(20) {
            0 | 1 => self.leaf(ty),
            2..=8 => self.operator(ty, depth),
            9 => self.trapping(ty, depth),
            10 | 11 => self.load(ty, depth),
            12 => self.select(ty, depth),
            13 => self.block(ty, depth),
            14 => self.either(ty, depth),
            15 => self.call(ty, depth),
            16 => self.call_indirect(ty, depth),
            17 => {
                let local = self.local(ty);
                self.value(ty, depth);
                self.sink().local_tee(local);
            }
            _ => self.bits(ty, depth),
        }
    }

    fn leaf(&mut self, ty: ValType) {
        let globals: Vec<u32> = (0..).zip(&self.plan.globals).filter(|(_, g)| g.ty == ty).map(|(at, _)| at).collect();
        match self.random.below(4) {
            0 => _ = self.body.instruction(&Number::random(ty, self.random).constant()),
            1 if !globals.is_empty() => {
                let global = *self.random.pick(&globals);
                self.sink().global_get(global);
            }
            _ => {
                let local = self.local(ty);
                self.sink().local_get(local);
            }
        }
    }

    fn operator(&mut self, ty: ValType, depth: u32) {
        let giving: Vec<_> = OPERATORS.iter().filter(|(_, result, _)| *result == ty).collect();
        let (params, _, instructions) = *self.random.pick(&giving);
        params.iter().for_each(|param| self.value(*param, depth));
        self.body.instruction(self.random.pick(instructions));
    }

    /// A division or a conversion, which traps at times.
    fn trapping(&mut self, ty: ValType, depth: u32) {
        if let Some((_, divisions)) = DIVISIONS.iter().find(|(of, _)| *of == ty).filter(|_| !self.random.once_in(3)) {
            self.value(ty, depth);
            self.value(ty, depth);
            // A divisor that is odd is not zero.
            match (ty, self.random.once_in(8)) {
                (_, true) => {}
                (ValType::I32, false) => _ = self.sink().i32_const(1).i32_or(),
                (_, false) => _ = self.sink().i64_const(1).i64_or(),
            }
            self.body.instruction(self.random.pick(divisions));
            return;
        }
        let giving: Vec<_> = CONVERSIONS.iter().filter(|(_, result, _)| *result == ty).collect();
        if giving.is_empty() {
            return self.operator(ty, depth);
        }
        let (from, _, instructions) = *self.random.pick(&giving);
        if self.random.once_in(3) {
            self.value(*from, depth);
        } else {
            // A number from 0 up to a million.
            self.value(ValType::I32, depth);
            self.sink().i32_const(0x00ff_ffff).i32_and();
            match from {
                ValType::F32 => _ = self.sink().f32_convert_i32_s().f32_const(0.0625.into()).f32_mul(),
                _ => _ = self.sink().f64_convert_i32_s().f64_const(0.0625.into()).f64_mul(),
            }
        }
        self.body.instruction(self.random.pick(instructions));
    }

    fn load(&mut self, ty: ValType, depth: u32) {
        let (_, loads) = LOADS.iter().find(|(of, _)| *of == ty).unwrap();
        let (width, load) = *self.random.pick(loads);
        let place = self.address(depth, width);
        self.body.instruction(&load(place));
    }

    fn select(&mut self, ty: ValType, depth: u32) {
        self.value(ty, depth);
        self.value(ty, depth);
        self.value(ValType::I32, depth);
        match self.random.once_in(2) {
            true => self.sink().select(),
            false => self.sink().typed_select(ty),
        };
    }

    /// A block or a loop with a value, which one way or another is the last that is written.
    fn block(&mut self, ty: ValType, depth: u32) {
        match self.random.once_in(3) {
            true => {
                // A branch to a loop carries what the loop takes, which is nothing.
                self.open(&Instruction::Loop(BlockType::Result(ty)), None);
                self.take_budget();
            }
            false => self.open(&Instruction::Block(BlockType::Result(ty)), Some(ty)),
        }
        self.statements(depth);
        self.value(ty, depth);
        if self.labels.last() == Some(&Some(ty)) {
            self.value(ValType::I32, depth);
            self.sink().br_if(0).drop();
            self.value(ty, depth);
        }
        self.close();
    }

    fn either(&mut self, ty: ValType, depth: u32) {
        self.value(ValType::I32, depth);
        self.open(&Instruction::If(BlockType::Result(ty)), Some(ty));
        self.value(ty, depth);
        self.sink().else_();
        self.statement(depth);
        self.value(ty, depth);
        self.close();
    }

    /// A function of the plan that gives a type, with its arguments.
    pub(super) fn callee(&mut self, ty: ValType, depth: u32) -> Option<u32> {
        let functions = self.plan.functions.iter().enumerate();
        let giving: Vec<_> = functions.filter(|(_, signature)| signature.result == ty).collect();
        if giving.is_empty() {
            return None;
        }
        let (index, signature) = *self.random.pick(&giving);
        signature.params.iter().for_each(|param| self.value(*param, depth));
        Some(index as u32)
    }

    fn call(&mut self, ty: ValType, depth: u32) {
        match self.callee(ty, depth) {
            Some(function) => _ = self.sink().call(function),
            None => self.leaf(ty),
        }
    }

    /// A call through the table, nearly always of an element that has the type.
    fn call_indirect(&mut self, ty: ValType, depth: u32) {
        let Some(function) = self.callee(ty, depth) else { return self.leaf(ty) };
        match self.plan.elements.iter().position(|element| *element == function) {
            _ if self.random.once_in(12) => {
                self.value(ValType::I32, depth);
                self.sink().i32_const(15).i32_and().call_indirect(0, function);
            }
            Some(place) => _ = self.sink().i32_const(place as i32).call_indirect(0, function),
            None => _ = self.sink().call(function),
        }
    }

    /// What shows the bits of a float or the size of something.
    fn bits(&mut self, ty: ValType, depth: u32) {
        match ty {
            ValType::I64 => {
                self.value(ValType::F64, depth);
                self.canonical(ValType::F64);
                self.sink().i64_reinterpret_f64();
            }
            ValType::F32 => {
                self.value(ty, depth);
                self.value(ty, depth);
                self.canonical(ty);
                self.sink().f32_copysign();
            }
            ValType::F64 => {
                self.value(ty, depth);
                self.value(ty, depth);
                self.canonical(ty);
                self.sink().f64_copysign();
            }
            _ => match self.random.below(6) {
                0 => _ = self.sink().memory_size(0),
                1 => _ = self.sink().table_size(0),
                2 => {
                    let past = usize::from(self.random.once_in(20));
                    let place = self.random.below(TABLE.0 as usize + past) as i32;
                    self.sink().i32_const(place).table_get(0).ref_is_null();
                }
                3 => {
                    // By nothing or by too much, or where it may be kept by one page.
                    let pages = [0, PAGES_MAX as i32 + 1, -1, 1];
                    let few = if self.plan.keeps == Keeps::All { 4 } else { 3 };
                    let pages = pages[self.random.below(few)];
                    self.sink().i32_const(pages).memory_grow(0);
                }
                4 if self.plan.keeps == Keeps::All => {
                    let elements = self.random.below(4) as i32;
                    self.sink().ref_null(HeapType::FUNC).i32_const(elements).table_grow(0);
                }
                _ => {
                    self.value(ValType::F32, depth);
                    self.canonical(ValType::F32);
                    self.sink().i32_reinterpret_f32();
                }
            },
        }
    }

    /// A float whose bits the spec settles, NaN or not.
    pub(super) fn exact(&mut self, ty: ValType, depth: u32) {
        let integer = if ty == ValType::F32 { ValType::I32 } else { ValType::I64 };
        match self.random.below(3) {
            0 => self.load(ty, depth),
            1 => {
                self.value(integer, depth);
                self.body.instruction(match ty {
                    ValType::F32 => &Instruction::F32ReinterpretI32,
                    _ => &Instruction::F64ReinterpretI64,
                });
            }
            _ => {
                self.load(ty, depth);
                self.body.instruction(match (ty, self.random.once_in(2)) {
                    (ValType::F32, true) => &Instruction::F32Neg,
                    (ValType::F32, false) => &Instruction::F32Abs,
                    (_, true) => &Instruction::F64Neg,
                    (_, false) => &Instruction::F64Abs,
                });
            }
        }
    }

    pub(super) fn any_type(&mut self) -> ValType {
        *self.random.pick(&TYPES)
    }
}
