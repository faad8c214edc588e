//! The functions over blocks of memory that plugins of Extism import, as code that becomes part of the guest.
//!
//! Extism puts them into a module of its own, and its kits read their input eight bytes at a time by calls of them. Here they are
//! functions of the guest's own module over a memory of their own, and those that kits call for every eight bytes stand where they
//! are called. The alternative, functions of the host, takes more than ten times as long for each eight bytes.
//!
//! The memory begins with registers, which the host reads and writes too. A block is a header of 16 bytes, its length and its
//! capacity, and its bytes; a free one has the offset of the next free one in its first eight. All of it is the guest's to break:
//! the host believes nothing that it reads there.

use wasm_encoder::{BlockType, Function, InstructionSink, MemArg, ValType};

/// Where eight bytes of zeros lie.
const ZEROS: i64 = 0;
/// Where the registers lie.
pub(super) const HEAP: u64 = 8;
pub(super) const INPUT_OFFSET: u64 = 16;
pub(super) const INPUT_LENGTH: u64 = 24;
pub(super) const OUTPUT_OFFSET: u64 = 32;
pub(super) const OUTPUT_LENGTH: u64 = 40;
pub(super) const ERROR_OFFSET: u64 = 48;
pub(super) const FREE: u64 = 56;
/// Where blocks begin.
pub(super) const BLOCKS: u64 = 128;
/// What a block has before its bytes.
pub(super) const HEADER_BYTES: u64 = 16;
const PAGE_BYTES: i64 = 1 << 16;

/// One of them: its name, what it takes and gives, and its code.
pub(super) struct KernelFunction {
    pub(super) name: &'static str,
    pub(super) params: &'static [ValType],
    pub(super) results: &'static [ValType],
    code: Code,
}

/// The code of one of them in a module with this memory.
enum Code {
    /// As a function, with so many locals of `i64` beside its parameters.
    Function(fn(&mut InstructionSink<'_>, Place), u32),
    /// So short that it stands wherever it is called: it takes its arguments from the stack, and needs one local of `i64`. Kits
    /// call these once for eight bytes, and a call takes as long as all the rest.
    Inline(fn(&mut InstructionSink<'_>, Place, u32)),
}

/// Where the code comes to lie.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) memory: u32,
}

impl Place {
    fn at(self, offset: u64) -> MemArg {
        MemArg { offset, align: 0, memory_index: self.memory }
    }
}

impl KernelFunction {
    /// As a function.
    pub(super) fn function(&self, place: Place) -> Function {
        let (locals, params) = match self.code {
            Code::Function(_, locals) => (locals, 0),
            Code::Inline(_) => (1, self.params.len() as u32),
        };
        let mut function = Function::new([(locals, I64)]);
        let mut code = function.instructions();
        match self.code {
            Code::Function(body, _) => body(&mut code, place),
            Code::Inline(body) => {
                for param in 0..params {
                    code.local_get(param);
                }
                body(&mut code, place, params);
            }
        }
        code.end();
        function
    }

    /// What stands instead of a call of it, in a function that has this local of `i64` to spare; nothing where it has to be
    /// called.
    pub(super) fn inline(&self, place: Place, spare: u32) -> Option<Vec<u8>> {
        let Code::Inline(body) = self.code else { return None };
        let mut bytes = Vec::new();
        body(&mut InstructionSink::new(&mut bytes), place, spare);
        Some(bytes)
    }
}

const I32: ValType = ValType::I32;
const I64: ValType = ValType::I64;

/// All of them.
pub(super) const KERNEL: &[KernelFunction] = &[
    KernelFunction { name: "alloc", params: &[I64], results: &[I64], code: Code::Function(alloc, 4) },
    KernelFunction { name: "free", params: &[I64], results: &[], code: Code::Function(free, 0) },
    KernelFunction { name: "length", params: &[I64], results: &[I64], code: Code::Function(length, 0) },
    KernelFunction { name: "length_unsafe", params: &[I64], results: &[I64], code: Code::Function(length, 0) },
    KernelFunction { name: "load_u8", params: &[I64], results: &[I32], code: Code::Inline(load_u8) },
    KernelFunction { name: "load_u64", params: &[I64], results: &[I64], code: Code::Inline(load_u64) },
    KernelFunction { name: "store_u8", params: &[I64, I32], results: &[], code: Code::Inline(store_u8) },
    KernelFunction { name: "store_u64", params: &[I64, I64], results: &[], code: Code::Inline(store_u64) },
    KernelFunction { name: "input_load_u8", params: &[I64], results: &[I32], code: Code::Inline(input_load_u8) },
    KernelFunction { name: "input_load_u64", params: &[I64], results: &[I64], code: Code::Inline(input_load_u64) },
    KernelFunction { name: "input_set", params: &[I64, I64], results: &[], code: Code::Function(input_set, 0) },
    KernelFunction { name: "input_length", params: &[], results: &[I64], code: Code::Function(input_length, 0) },
    KernelFunction { name: "input_offset", params: &[], results: &[I64], code: Code::Function(input_offset, 0) },
    KernelFunction { name: "output_set", params: &[I64, I64], results: &[], code: Code::Function(output_set, 0) },
    KernelFunction { name: "output_length", params: &[], results: &[I64], code: Code::Function(output_length, 0) },
    KernelFunction { name: "output_offset", params: &[], results: &[I64], code: Code::Function(output_offset, 0) },
    KernelFunction { name: "error_set", params: &[I64], results: &[], code: Code::Function(error_set, 0) },
    KernelFunction { name: "error_get", params: &[], results: &[I64], code: Code::Function(error_get, 0) },
    KernelFunction { name: "memory_bytes", params: &[], results: &[I64], code: Code::Function(memory_bytes, 0) },
    KernelFunction { name: "reset", params: &[], results: &[], code: Code::Function(reset, 0) },
];

/// `[] -> [i64]`: a register.
fn get(code: &mut InstructionSink<'_>, place: Place, register: u64) {
    code.i32_const(0).i64_load(place.at(register));
}

/// `[] -> []`: sets a register to a local.
fn set(code: &mut InstructionSink<'_>, place: Place, register: u64, local: u32) {
    code.i32_const(0).local_get(local).i64_store(place.at(register));
}

/// Takes the first free block that is large enough and not twice as large, or a new one at the end of the heap.
fn alloc(code: &mut InstructionSink<'_>, place: Place) {
    let (length, need, before, block, end) = (0, 1, 2, 3, 4);
    let none = BlockType::Empty;
    code.local_get(length).i64_eqz().if_(none).i64_const(0).return_().end();
    // Nothing so large can be there.
    code.local_get(length).i64_const(1 << 32).i64_ge_u().if_(none).unreachable().end();
    code.local_get(length).i64_const(7).i64_add().i64_const(-8).i64_and().local_set(need);
    code.i64_const(FREE as i64).local_set(before);
    code.block(none).loop_(none);
    code.local_get(before).i32_wrap_i64().i64_load(place.at(0)).local_tee(block).i64_eqz().br_if(1);
    code.local_get(block).i32_wrap_i64().i64_load(place.at(8)).local_tee(end);
    code.local_get(need).i64_ge_u();
    code.local_get(end).local_get(need).i64_const(1).i64_shl().i64_le_u();
    code.i32_and().if_(none);
    code.local_get(before).i32_wrap_i64();
    code.local_get(block).i32_wrap_i64().i64_load(place.at(HEADER_BYTES)).i64_store(place.at(0));
    code.local_get(block).i32_wrap_i64().local_get(length).i64_store(place.at(0));
    code.local_get(block).i64_const(HEADER_BYTES as i64).i64_add().return_().end();
    code.local_get(block).i64_const(HEADER_BYTES as i64).i64_add().local_set(before).br(0);
    code.end().end();

    get(code, place, HEAP);
    code.local_tee(block).local_get(need).i64_add().i64_const(HEADER_BYTES as i64).i64_add().local_set(end);
    code.memory_size(place.memory).i64_extend_i32_u().i64_const(16).i64_shl().local_set(before);
    code.local_get(end).local_get(before).i64_gt_u().if_(none);
    code.local_get(end).local_get(before).i64_sub().i64_const(PAGE_BYTES - 1).i64_add().i64_const(16).i64_shr_u();
    // The host remembers what the limit was that it ran into.
    code.i32_wrap_i64().memory_grow(place.memory).i32_const(-1).i32_eq().if_(none).unreachable().end();
    code.end();
    set(code, place, HEAP, end);
    code.local_get(block).i32_wrap_i64().local_get(length).i64_store(place.at(0));
    code.local_get(block).i32_wrap_i64().local_get(need).i64_store(place.at(8));
    code.local_get(block).i64_const(HEADER_BYTES as i64).i64_add();
}

/// `[] -> [i32]`: whether a local can't be where the bytes of a block begin.
fn is_no_block(code: &mut InstructionSink<'_>, place: Place, local: u32) {
    code.local_get(local).i64_const((BLOCKS + HEADER_BYTES) as i64).i64_lt_u();
    code.local_get(local);
    get(code, place, HEAP);
    code.i64_ge_u().i32_or();
}

fn free(code: &mut InstructionSink<'_>, place: Place) {
    is_no_block(code, place, 0);
    code.if_(BlockType::Empty).return_().end();
    let header = place.at(0);
    code.local_get(0).i64_const(HEADER_BYTES as i64).i64_sub().local_set(0);
    code.local_get(0).i32_wrap_i64().i64_const(0).i64_store(header);
    code.local_get(0).i32_wrap_i64();
    get(code, place, FREE);
    code.i64_store(place.at(HEADER_BYTES));
    set(code, place, FREE, 0);
}

fn length(code: &mut InstructionSink<'_>, place: Place) {
    is_no_block(code, place, 0);
    code.if_(BlockType::Result(I64)).i64_const(0).else_();
    code.local_get(0).i64_const(HEADER_BYTES as i64).i64_sub().i32_wrap_i64().i64_load(place.at(0)).end();
}

fn load_u8(code: &mut InstructionSink<'_>, place: Place, _: u32) {
    code.i32_wrap_i64().i32_load8_u(place.at(0));
}

fn load_u64(code: &mut InstructionSink<'_>, place: Place, _: u32) {
    code.i32_wrap_i64().i64_load(place.at(0));
}

fn store_u8(code: &mut InstructionSink<'_>, place: Place, spare: u32) {
    code.i64_extend_i32_u().local_set(spare).i32_wrap_i64().local_get(spare).i64_store8(place.at(0));
}

fn store_u64(code: &mut InstructionSink<'_>, place: Place, spare: u32) {
    code.local_set(spare).i32_wrap_i64().local_get(spare).i64_store(place.at(0));
}

fn input_load_u8(code: &mut InstructionSink<'_>, place: Place, spare: u32) {
    input_address(code, place, spare, 1);
    code.i32_load8_u(place.at(0));
}

fn input_load_u64(code: &mut InstructionSink<'_>, place: Place, spare: u32) {
    input_address(code, place, spare, 8);
    code.i64_load(place.at(0));
}

/// `[i64] -> [i32]`: where so many bytes of the input lie, or zeros where it does not have them. Without a branch, which would take
/// as long as the rest of a loop over the input.
fn input_address(code: &mut InstructionSink<'_>, place: Place, spare: u32, bytes: i64) {
    code.local_tee(spare);
    get(code, place, INPUT_OFFSET);
    code.i64_add().i64_const(ZEROS).local_get(spare).i64_const(bytes).i64_add();
    get(code, place, INPUT_LENGTH);
    code.i64_le_u().select().i32_wrap_i64();
}

fn input_set(code: &mut InstructionSink<'_>, place: Place) {
    set(code, place, INPUT_OFFSET, 0);
    set(code, place, INPUT_LENGTH, 1);
}

fn input_length(code: &mut InstructionSink<'_>, place: Place) {
    get(code, place, INPUT_LENGTH);
}

fn input_offset(code: &mut InstructionSink<'_>, place: Place) {
    get(code, place, INPUT_OFFSET);
}

fn output_set(code: &mut InstructionSink<'_>, place: Place) {
    set(code, place, OUTPUT_OFFSET, 0);
    set(code, place, OUTPUT_LENGTH, 1);
}

fn output_length(code: &mut InstructionSink<'_>, place: Place) {
    get(code, place, OUTPUT_LENGTH);
}

fn output_offset(code: &mut InstructionSink<'_>, place: Place) {
    get(code, place, OUTPUT_OFFSET);
}

fn error_set(code: &mut InstructionSink<'_>, place: Place) {
    set(code, place, ERROR_OFFSET, 0);
}

fn error_get(code: &mut InstructionSink<'_>, place: Place) {
    get(code, place, ERROR_OFFSET);
}

fn memory_bytes(code: &mut InstructionSink<'_>, place: Place) {
    code.memory_size(place.memory).i64_extend_i32_u().i64_const(16).i64_shl();
}

/// Forgets all blocks, the input, the output and the error.
fn reset(code: &mut InstructionSink<'_>, place: Place) {
    code.i32_const(0).i64_const(BLOCKS as i64).i64_store(place.at(HEAP));
    for register in [INPUT_OFFSET, INPUT_LENGTH, OUTPUT_OFFSET, OUTPUT_LENGTH, ERROR_OFFSET, FREE] {
        code.i32_const(0).i64_const(0).i64_store(place.at(register));
    }
}
