//! The module that is appended to a component.

use super::{MEMORY, RESET};
use std::ops::Range;
use wasm_encoder::{
    CodeSection, ConstExpr, EntityType, ExportKind, ExportSection, Function, FunctionSection, GlobalSection,
    GlobalType, ImportSection, MemArg, MemoryType, Module, TypeSection, ValType,
};

/// What the appended module calls after its answer about the memory was read.
pub(super) const MEMORY_READ: &str = "sandbar-memory-read";

/// The module that is appended to a component.
///
/// `reset` takes how many handles there were at most at one time. Handles are numbered by a list of free numbers, last freed
/// first used, which tells the next call in what order this one gave its handles back. So it takes as many as there were,
/// which have to be the numbers from 1 on if none is left over, and gives them back from the highest to the lowest.
///
/// `memory` gives all of the memory as a list of bytes. Where that is written, in the last eight bytes of the memory, is
/// put back after it was read.
pub(super) fn module(restores: u32) -> Module {
    let mut types = TypeSection::new();
    types.ty().function([ValType::I32], [ValType::I32]);
    types.ty().function([ValType::I32], []);
    types.ty().function([], []);
    types.ty().function([], [ValType::I32]);
    let (new_type, drop_type, nothing, gives) = (0, 1, 2, 3);

    let mut imports = ImportSection::new();
    imports.import("", "new", EntityType::Function(new_type));
    imports.import("", "drop", EntityType::Function(drop_type));
    for at in 0..restores {
        imports.import("", &at.to_string(), EntityType::Function(nothing));
    }
    let any = MemoryType { minimum: 1, maximum: None, memory64: false, shared: false, page_size_log2: None };
    imports.import("", "memory", any);
    let (new, drop, first_restore) = (0, 1, 2);

    let mut functions = FunctionSection::new();
    functions.function(new_type).function(gives).function(drop_type);
    let first = first_restore + restores;
    let mut globals = GlobalSection::new();
    let kept = GlobalType { val_type: ValType::I64, mutable: true, shared: false };
    globals.global(kept, &ConstExpr::i64_const(0));
    let mut exports = ExportSection::new();
    exports.export(RESET, ExportKind::Func, first);
    exports.export(MEMORY, ExportKind::Func, first + 1);
    exports.export(MEMORY_READ, ExportKind::Func, first + 2);

    let mut code = CodeSection::new();
    code.function(&reset_function(new, drop, first_restore..first));
    let (low, all) = (MemArg { offset: 0, align: 2, memory_index: 0 }, MemArg { offset: 0, align: 3, memory_index: 0 });
    let high = MemArg { offset: 4, ..low };
    let mut memory = Function::new([(1, ValType::I32)]);
    let place = 0;
    memory
        .instructions()
        .memory_size(0)
        .i32_const(16)
        .i32_shl()
        .i32_const(8)
        .i32_sub()
        .local_tee(place)
        .i64_load(all)
        .global_set(0)
        .local_get(place)
        .i32_const(0)
        .i32_store(low)
        .local_get(place)
        .local_get(place)
        .i32_const(8)
        .i32_add()
        .i32_store(high)
        .local_get(place)
        .end();
    code.function(&memory);
    let mut memory_read = Function::new([]);
    memory_read.instructions().local_get(0).global_get(0).i64_store(all).end();
    code.function(&memory_read);

    let mut module = Module::new();
    module.section(&types).section(&imports).section(&functions).section(&globals).section(&exports).section(&code);
    module
}

fn reset_function(new: u32, drop: u32, restores: Range<u32>) -> Function {
    let (handles, left, highest, handle) = (0, 1, 2, 3);
    let mut function = Function::new([(3, ValType::I32)]);
    let mut code = function.instructions();
    for restore in restores {
        code.call(restore);
    }
    code.block(wasm_encoder::BlockType::Empty)
        .local_get(handles)
        .i32_eqz()
        .br_if(0)
        .local_get(handles)
        .local_set(left)
        .loop_(wasm_encoder::BlockType::Empty)
        .i32_const(0)
        .call(new)
        .local_tee(handle)
        .local_get(highest)
        .local_get(handle)
        .local_get(highest)
        .i32_gt_u()
        .select()
        .local_set(highest)
        .local_get(left)
        .i32_const(1)
        .i32_sub()
        .local_tee(left)
        .br_if(0)
        .end()
        .local_get(highest)
        .local_get(handles)
        .i32_ne()
        .br_if(0)
        .loop_(wasm_encoder::BlockType::Empty)
        .local_get(highest)
        .call(drop)
        .local_get(highest)
        .i32_const(1)
        .i32_sub()
        .local_tee(highest)
        .br_if(0)
        .end()
        .end()
        // What was taken was given back, or nothing was.
        .local_get(highest)
        .i32_eqz()
        .end();
    function
}
