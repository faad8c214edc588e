//! A module at random: what the plan says, and exports that tell all that a call changed.
//!
//! Each function of the plan is exported twice. `value-N` gives its result. `digest-N` gives a sum over its result, all of the
//! memory, all globals and which elements of the table are null, so that whatever a call finds and leaves has to be right.

use crate::{
    code::{Code, canonical_f32, canonical_f64},
    number::Number,
    plan::{Global, PAGES_MAX, Plan, Starts, TABLE},
    random::Random,
};
use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, DataCountSection, DataSection, ElementSection, Elements, ExportKind,
    ExportSection, Function, FunctionSection, GlobalSection, GlobalType, Instruction, InstructionSink, MemArg,
    MemorySection, MemoryType, Module, RefType, StartSection, TableSection, TableType, TypeSection, ValType,
};

/// A module, and its exports in their order.
pub(crate) struct Generated {
    pub(crate) module: Module,
    pub(crate) exports: Vec<Export>,
    pub(crate) starts: Starts,
}

#[derive(Clone)]
pub(crate) struct Export {
    pub(crate) name: String,
    pub(crate) params: Vec<ValType>,
    pub(crate) result: ValType,
    /// Its index among the functions.
    pub(crate) function: u32,
}

impl Generated {
    pub(crate) fn new(random: &mut Random) -> Generated {
        let plan = Plan::new(random);
        let mut functions = Functions::default();
        for (index, signature) in plan.functions.iter().enumerate() {
            functions.add(&signature.params, Some(signature.result), &Code::function(&plan, index, random));
        }
        let exports = functions.exports(&plan);
        let start = (plan.starts != Starts::Nothing).then(|| functions.add(&[], None, &start(&plan, random)));
        let mut named = ExportSection::new();
        for export in &exports {
            named.export(&export.name, ExportKind::Func, export.function);
        }
        if let (Some(start), Starts::Initialize) = (start, plan.starts) {
            named.export("_initialize", ExportKind::Func, start);
        }

        let mut module = Module::new();
        module.section(&functions.types).section(&functions.functions).section(&table()).section(&memory(&plan));
        module.section(&globals(&plan)).section(&named);
        if let (Some(function_index), Starts::Start) = (start, plan.starts) {
            module.section(&StartSection { function_index });
        }
        module.section(&elements(&plan)).section(&DataCountSection { count: plan.data.len() as u32 });
        module.section(&functions.code).section(&data(&plan));
        Generated { module, exports, starts: plan.starts }
    }
}

#[derive(Default)]
struct Functions {
    types: TypeSection,
    functions: FunctionSection,
    code: CodeSection,
}

impl Functions {
    /// Adds a function with a type of its own, which has the same index.
    fn add(&mut self, params: &[ValType], result: Option<ValType>, body: &Function) -> u32 {
        let index = self.functions.len();
        self.types.ty().function(params.iter().copied(), result);
        self.functions.function(index);
        self.code.function(body);
        index
    }

    fn exports(&mut self, plan: &Plan) -> Vec<Export> {
        let mut exports = Vec::new();
        let mut export = |name: String, params: &[ValType], result, function| {
            exports.push(Export { name, params: params.to_vec(), result, function });
        };
        for (index, signature) in plan.functions.iter().enumerate() {
            let params = &signature.params;
            export(format!("value-{index}"), params, signature.result, index as u32);
            let digest = self.add(params, Some(ValType::I64), &digest(plan, index));
            export(format!("digest-{index}"), params, ValType::I64, digest);
        }
        if plan.deep {
            let deep = self.add(&[], Some(ValType::I32), &deep(self.functions.len()));
            export("deep".to_owned(), &[], ValType::I32, deep);
        }
        exports
    }
}

/// A function that calls itself without end.
fn deep(itself: u32) -> Function {
    let mut body = Function::new([]);
    body.instructions().call(itself).i32_const(1).i32_add().end();
    body
}

/// Calls a function of the plan before any export is called.
fn start(plan: &Plan, random: &mut Random) -> Function {
    let mut body = Function::new([]);
    let function = random.below(plan.functions.len());
    for param in &plan.functions[function].params {
        body.instruction(&Number::random(*param, random).constant());
    }
    body.instructions().call(function as u32).drop().end();
    body
}

/// Calls a function of the plan, and gives a sum over its result and all that it can have changed.
fn digest(plan: &Plan, function: usize) -> Function {
    let signature = &plan.functions[function];
    let params = signature.params.len() as u32;
    let (sum, at, single, double) = (params, params + 1, params + 2, params + 3);
    let mut body = Function::new([(1, ValType::I64), (1, ValType::I32), (1, ValType::F32), (1, ValType::F64)]);
    let mut sink = body.instructions();
    // Adds what is on the stack.
    let add = |sink: &mut InstructionSink<'_>, ty| {
        match ty {
            ValType::I32 => _ = sink.i64_extend_i32_u(),
            ValType::F32 => {
                canonical_f32(sink, single);
                sink.i32_reinterpret_f32().i64_extend_i32_u();
            }
            ValType::F64 => {
                canonical_f64(sink, double);
                sink.i64_reinterpret_f64();
            }
            _ => {}
        }
        sink.local_get(sum).i64_xor().i64_const(0x9e37_79b9_7f4a_7c15_u64.cast_signed()).i64_mul();
        sink.i64_const(29).i64_rotl().local_set(sum);
    };
    for param in 0..params {
        sink.local_get(param);
    }
    sink.call(function as u32);
    add(&mut sink, signature.result);
    sink.loop_(BlockType::Empty).local_get(at);
    sink.i64_load(MemArg { offset: 0, align: 3, memory_index: 0 });
    add(&mut sink, ValType::I64);
    sink.local_get(at).i32_const(8).i32_add().local_tee(at);
    sink.memory_size(0).i32_const(16).i32_shl().i32_lt_u().br_if(0).end();
    for (index, global) in (0..).zip(&plan.globals) {
        sink.global_get(index);
        add(&mut sink, global.ty);
    }
    sink.i32_const(0).local_set(at).loop_(BlockType::Empty).local_get(at).table_get(0).ref_is_null();
    add(&mut sink, ValType::I32);
    sink.local_get(at).i32_const(1).i32_add().local_tee(at).table_size(0).i32_lt_u().br_if(0).end();
    sink.local_get(sum).end();
    body
}

fn table() -> TableSection {
    let mut tables = TableSection::new();
    let (minimum, maximum) = TABLE;
    tables.table(TableType {
        element_type: RefType::FUNCREF,
        table64: false,
        minimum,
        maximum: Some(maximum),
        shared: false,
    });
    tables
}

fn memory(plan: &Plan) -> MemorySection {
    let mut memories = MemorySection::new();
    memories.memory(MemoryType {
        minimum: plan.pages,
        maximum: Some(PAGES_MAX),
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    memories
}

fn globals(plan: &Plan) -> GlobalSection {
    let mut globals = GlobalSection::new();
    for global in &plan.globals {
        let ty = GlobalType { val_type: global.ty, mutable: global.mutable, shared: false };
        globals.global(ty, &initializer(global));
    }
    globals
}

fn initializer(global: &Global) -> ConstExpr {
    let constant = global.value.constant();
    ConstExpr::extended(match (global.ty, global.sum) {
        (ValType::I32, true) => vec![constant, Instruction::I32Const(77), Instruction::I32Add],
        (ValType::I64, true) => vec![constant, Instruction::I64Const(-77), Instruction::I64Add],
        _ => vec![constant],
    })
}

/// The table's elements, and as many again to be put into it.
fn elements(plan: &Plan) -> ElementSection {
    let mut elements = ElementSection::new();
    elements.active(None, &ConstExpr::i32_const(0), Elements::Functions(plan.elements.as_slice().into()));
    elements.passive(Elements::Functions((0..plan.functions.len() as u32).collect::<Vec<_>>().into()));
    elements
}

fn data(plan: &Plan) -> DataSection {
    let mut data = DataSection::new();
    for segment in &plan.data {
        match segment.at {
            Some(at) => data.active(0, &ConstExpr::i32_const(at), segment.bytes.iter().copied()),
            None => data.passive(segment.bytes.iter().copied()),
        };
    }
    data
}
