//! The body of a function: statements and expressions at random, typed as they are written.
//!
//! It comes to its end by itself: each entry of a function and each turn of a loop takes one of a budget, and returns where
//! nothing is left. What the spec leaves open is not looked at: a NaN becomes one and the same where its bits could be seen.

mod effects;
mod values;

use crate::{
    number::{Number, TYPES},
    plan::{BUDGET_GLOBAL, Plan},
    random::Random,
};
use wasm_encoder::{BlockType, Function, Instruction, InstructionSink, MemArg, ValType};

/// Instructions with operands of their own in a function, roughly.
const SIZE: u32 = 100;
/// How deep an expression or a statement nests.
const DEPTH: u32 = 4;
/// Locals of each type beside the parameters.
const LOCALS: u32 = 2;

pub(crate) struct Code<'a> {
    plan: &'a Plan,
    random: &'a mut Random,
    body: Function,
    /// Parameters and locals by their types, without the two that hold a float while its NaN is replaced.
    locals: Vec<ValType>,
    /// What a branch to each open block carries, the innermost last.
    labels: Vec<Option<ValType>>,
    result: ValType,
    left: u32,
}

impl<'a> Code<'a> {
    /// Writes one of the plan's functions.
    pub(crate) fn function(plan: &'a Plan, index: usize, random: &'a mut Random) -> Function {
        let signature = &plan.functions[index];
        let locals: Vec<(u32, ValType)> = TYPES.iter().map(|ty| (LOCALS, *ty)).collect();
        let scratch = [(1, ValType::F32), (1, ValType::F64)];
        let body = Function::new([&locals[..], &scratch].concat());
        let more = locals.iter().flat_map(|(count, ty)| vec![*ty; *count as usize]);
        let mut code = Code {
            plan,
            random,
            body,
            locals: signature.params.iter().copied().chain(more).collect(),
            labels: vec![Some(signature.result)],
            result: signature.result,
            left: SIZE,
        };
        code.take_budget();
        for _ in 0..2 + code.random.below(6) {
            code.statement(DEPTH);
        }
        code.value(signature.result, DEPTH);
        code.sink().end();
        code.body
    }

    fn sink(&mut self) -> InstructionSink<'_> {
        self.body.instructions()
    }

    /// Returns where the budget is used up, else takes one of it.
    fn take_budget(&mut self) {
        let nothing = Number::parse(self.result, "0").unwrap().constant();
        self.sink().global_get(BUDGET_GLOBAL).i32_eqz().if_(BlockType::Empty);
        self.body.instruction(&nothing).instructions().return_().end();
        self.sink().global_get(BUDGET_GLOBAL).i32_const(1).i32_sub().global_set(BUDGET_GLOBAL);
    }

    /// A value that is zero once in a power of two times, if it is anything like random.
    fn rarely(&mut self, times: i32, depth: u32) {
        self.value(ValType::I32, depth);
        self.sink().i32_const(times - 1).i32_and().i32_eqz();
    }

    /// An address, which is nearly always within a page, and the offset that is added to it.
    fn address(&mut self, depth: u32, width: u32) -> MemArg {
        self.value(ValType::I32, depth.min(2));
        if !self.random.once_in(150) {
            let mask = *self.random.pick(&[0x3f, 0xff, 0xfff, 0xffff]);
            self.sink().i32_const(mask).i32_and();
        }
        let far = [1 << 15, (1 << 16) - 1, u64::from(u32::MAX)];
        let near = self.random.below(20) as u64;
        let offset = if self.random.once_in(150) { *self.random.pick(&far) } else { near };
        MemArg { offset, align: self.random.below(width as usize + 1) as u32, memory_index: 0 }
    }

    /// Turns the float on the stack, if it is a NaN, into the one of `Number`.
    fn canonical(&mut self, ty: ValType) {
        let scratch = self.locals.len() as u32;
        match ty {
            ValType::F32 => canonical_f32(&mut self.sink(), scratch),
            ValType::F64 => canonical_f64(&mut self.sink(), scratch + 1),
            _ => {}
        }
    }

    /// A local of a type.
    fn local(&mut self, ty: ValType) -> u32 {
        let of_type: Vec<usize> = (0..self.locals.len()).filter(|at| self.locals[*at] == ty).collect();
        *self.random.pick(&of_type) as u32
    }

    /// Opens a block, of which the caller writes the end.
    fn open(&mut self, block: &Instruction<'_>, carries: Option<ValType>) {
        self.body.instruction(block);
        self.labels.push(carries);
    }

    fn close(&mut self) {
        self.labels.pop();
        self.sink().end();
    }

    fn statements(&mut self, depth: u32) {
        for _ in 0..1 + self.random.below(3) {
            self.statement(depth);
        }
    }
}

/// Turns the float on the stack, if it is a NaN, into one and the same; `scratch` is a local of its type.
pub(crate) fn canonical_f32(sink: &mut InstructionSink<'_>, scratch: u32) {
    sink.local_tee(scratch).f32_const(f32::NAN.into()).local_get(scratch).local_get(scratch).f32_eq().select();
}

/// As above.
pub(crate) fn canonical_f64(sink: &mut InstructionSink<'_>, scratch: u32) {
    sink.local_tee(scratch).f64_const(f64::NAN.into()).local_get(scratch).local_get(scratch).f64_eq().select();
}
