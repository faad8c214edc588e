//! Statements.

use super::Code;
use crate::{
    operators::STORES,
    plan::{BUDGET_GLOBAL, Keeps, TABLE},
};
use wasm_encoder::{BlockType, HeapType, Instruction, ValType};

impl Code<'_> {
    /// Writes what leaves the stack as it is.
    pub(super) fn statement(&mut self, depth: u32) {
        if depth == 0 || self.left == 0 {
            return self.set_local(0);
        }
        self.left -= 1;
        let depth = depth - 1;
        match self.random.below(20) {
            0..=2 => self.set_local(depth),
            3 | 4 => self.set_global(depth),
            5..=8 => self.store(depth),
            9 => self.either_or(depth),
            10 | 11 => self.turns(depth),
            12 => self.branches(depth),
            13 => self.choice(depth),
            14 | 15 => self.bulk(depth),
            16 | 17 => self.unkept(depth),
            18 => self.leaving(depth),
            _ => {
                let ty = self.any_type();
                self.value(ty, depth);
                self.sink().drop();
            }
        }
    }

    fn set_local(&mut self, depth: u32) {
        let ty = self.any_type();
        let local = self.local(ty);
        self.value(ty, depth);
        self.sink().local_set(local);
    }

    fn set_global(&mut self, depth: u32) {
        let globals = (0..).zip(&self.plan.globals).filter(|(at, global)| global.mutable && *at != BUDGET_GLOBAL);
        let mutable: Vec<(u32, ValType)> = globals.map(|(at, global)| (at, global.ty)).collect();
        if mutable.is_empty() {
            return self.set_local(depth);
        }
        let (global, ty) = *self.random.pick(&mutable);
        self.value(ty, depth);
        self.sink().global_set(global);
    }

    fn store(&mut self, depth: u32) {
        let (ty, stores) = *self.random.pick(STORES);
        let (width, store) = *self.random.pick(stores);
        let place = self.address(depth, width);
        match ty {
            ValType::F32 | ValType::F64 if self.random.once_in(3) => self.exact(ty, depth),
            _ => {
                self.value(ty, depth);
                self.canonical(ty);
            }
        }
        self.body.instruction(&store(place));
    }

    fn either_or(&mut self, depth: u32) {
        self.value(ValType::I32, depth);
        self.open(&Instruction::If(BlockType::Empty), None);
        self.statements(depth);
        if self.random.once_in(2) {
            self.sink().else_();
            self.statements(depth);
        }
        self.close();
    }

    /// A loop.
    fn turns(&mut self, depth: u32) {
        self.open(&Instruction::Loop(BlockType::Empty), None);
        self.take_budget();
        self.statements(depth);
        self.value(ValType::I32, depth);
        self.sink().i32_const(7).i32_and().br_if(0);
        self.close();
    }

    /// A block with a branch to somewhere in it.
    fn branches(&mut self, depth: u32) {
        self.open(&Instruction::Block(BlockType::Empty), None);
        self.statements(depth);
        let to = self.random.below(self.labels.len());
        let carries = self.labels[self.labels.len() - 1 - to];
        if let Some(ty) = carries {
            self.value(ty, depth);
        }
        self.value(ValType::I32, depth);
        self.sink().br_if(to as u32);
        if carries.is_some() {
            self.sink().drop();
        }
        self.statements(depth);
        self.close();
    }

    /// Nested blocks, and a table of branches among them.
    fn choice(&mut self, depth: u32) {
        let blocks = 1 + self.random.below(3);
        for _ in 0..blocks {
            self.open(&Instruction::Block(BlockType::Empty), None);
        }
        self.value(ValType::I32, depth);
        if !self.random.once_in(3) {
            self.sink().i32_const(3).i32_and();
        }
        let plain: Vec<u32> =
            (0..).zip(self.labels.iter().rev()).filter(|(_, c)| c.is_none()).map(|(l, _)| l).collect();
        let targets: Vec<u32> = (0..1 + self.random.below(4)).map(|_| *self.random.pick(&plain)).collect();
        let default = *self.random.pick(&plain);
        self.sink().br_table(targets, default);
        for _ in 0..blocks {
            self.close();
            self.statement(depth);
        }
    }

    /// Many bytes of memory at once.
    fn bulk(&mut self, depth: u32) {
        self.address(depth, 0);
        match self.random.below(3) {
            0 => {
                self.value(ValType::I32, depth);
                self.length(depth, 0xfff);
                self.sink().memory_fill(0);
            }
            1 => {
                self.address(depth, 0);
                self.length(depth, 0xfff);
                self.sink().memory_copy(0, 0);
            }
            _ => {
                // One that was written when the module was instantiated is empty by now, so this mostly traps for it.
                let passive =
                    (0..).zip(&self.plan.data).filter(|(_, data)| data.at.is_none() || self.random.once_in(30));
                let segments: Vec<(u32, i32)> = passive.map(|(at, data)| (at, data.bytes.len() as i32)).collect();
                let Some((segment, bytes)) = segments.first().copied() else {
                    self.sink().drop();
                    return;
                };
                let start = self.random.below(bytes as usize) as i32;
                self.sink().i32_const(start).i32_const(bytes - start + i32::from(start == 1));
                self.sink().memory_init(0, segment);
            }
        }
    }

    fn length(&mut self, depth: u32, mask: i32) {
        self.value(ValType::I32, depth.min(1));
        if !self.random.once_in(150) {
            self.sink().i32_const(mask).i32_and();
        }
    }

    /// What can't be put back, where the plan allows it: segments that are dropped, tables that are changed.
    fn unkept(&mut self, depth: u32) {
        if self.plan.keeps == Keeps::Little {
            return self.store(depth);
        }
        let mut place = |most: u64| self.random.below(most as usize + 1) as i32;
        let (to, from, length) = (place(TABLE.0), place(4), place(3));
        let segment = self.random.below(self.plan.data.len()) as u32;
        let function = self.random.below(self.plan.functions.len()) as u32;
        match self.random.below(6) {
            0 => self.sink().data_drop(segment),
            1 => self.sink().elem_drop(1),
            2 => self.sink().i32_const(to).ref_func(function).table_set(0),
            3 => self.sink().i32_const(to).ref_null(HeapType::FUNC).i32_const(length).table_fill(0),
            4 => self.sink().i32_const(to).i32_const(from).i32_const(length).table_copy(0, 0),
            _ => self.sink().i32_const(to).i32_const(from).i32_const(length).table_init(0, 1),
        };
    }

    /// Ends the function early, one way or another, where some value says so.
    fn leaving(&mut self, depth: u32) {
        let times = *self.random.pick(&[8, 64]);
        self.rarely(times, depth);
        self.open(&Instruction::If(BlockType::Empty), None);
        match self.random.below(3) {
            0 => _ = self.sink().unreachable(),
            1 => {
                self.value(self.result, depth);
                self.sink().return_();
            }
            _ => {
                if let Some(function) = self.callee(self.result, depth) {
                    self.sink().return_call(function);
                }
            }
        }
        self.close();
    }
}
