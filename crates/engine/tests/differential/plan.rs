//! What a module has, before any of its code is written.

use crate::{
    number::{Number, TYPES},
    random::Random,
};
use wasm_encoder::ValType;

/// Function entries and turns of loops until a call comes to its end: few enough that no stack overflows.
pub(crate) const BUDGET: i32 = 200;
/// The global that counts them.
pub(crate) const BUDGET_GLOBAL: u32 = 0;
/// Elements of the table at its beginning, some of them null, and at most.
pub(crate) const TABLE: (u64, u64) = (10, 16);
pub(crate) const PAGES_MAX: u64 = 4;

pub(crate) struct Plan {
    pub(crate) keeps: Keeps,
    pub(crate) functions: Vec<Signature>,
    /// The first is the budget.
    pub(crate) globals: Vec<Global>,
    pub(crate) pages: u64,
    pub(crate) data: Vec<Data>,
    /// The function of each element that is not null.
    pub(crate) elements: Vec<u32>,
    pub(crate) starts: Starts,
    /// Whether one export recurses without end.
    pub(crate) deep: bool,
}

/// What a call leaves behind in its sandbox.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keeps {
    /// Pages of memory and globals, which can be put back.
    Little,
    /// Also what can't: memory that has grown, tables, segments.
    All,
}

/// What runs before an export.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Starts {
    Nothing,
    /// A start function.
    Start,
    /// The function of a reactor.
    Initialize,
}

pub(crate) struct Signature {
    pub(crate) params: Vec<ValType>,
    pub(crate) result: ValType,
}

#[derive(Clone, Copy)]
pub(crate) struct Global {
    pub(crate) value: Number,
    pub(crate) ty: ValType,
    pub(crate) mutable: bool,
    /// Whether its value is the sum of two constants.
    pub(crate) sum: bool,
}

pub(crate) struct Data {
    /// Where it goes when the module is instantiated, if it does.
    pub(crate) at: Option<i32>,
    pub(crate) bytes: Vec<u8>,
}

impl Plan {
    pub(crate) fn new(random: &mut Random) -> Plan {
        let keeps = if random.once_in(3) { Keeps::All } else { Keeps::Little };
        let functions: Vec<_> = (0..2 + random.below(4)).map(|_| Signature::new(random)).collect();
        let budget = Global { value: Number::I32(BUDGET), ty: ValType::I32, mutable: true, sum: false };
        let globals = std::iter::once(budget).chain((0..1 + random.below(6)).map(|_| Global::new(random))).collect();
        let elements = 4 + random.below(4);
        Plan {
            keeps,
            globals,
            pages: 1 + random.below(2) as u64,
            data: (0..1 + random.below(4)).map(|_| Data::new(random)).collect(),
            elements: (0..elements).map(|_| random.below(functions.len()) as u32).collect(),
            functions,
            starts: *random.pick(&[
                Starts::Nothing,
                Starts::Nothing,
                Starts::Nothing,
                Starts::Nothing,
                Starts::Start,
                Starts::Initialize,
            ]),
            deep: random.once_in(12),
        }
    }
}

impl Signature {
    fn new(random: &mut Random) -> Signature {
        let params = (0..random.below(4)).map(|_| *random.pick(&TYPES)).collect();
        Signature { params, result: *random.pick(&TYPES) }
    }
}

impl Global {
    fn new(random: &mut Random) -> Global {
        let ty = *random.pick(&TYPES);
        let sum = matches!(ty, ValType::I32 | ValType::I64) && random.once_in(3);
        Global { value: Number::random(ty, random), ty, mutable: !random.once_in(4), sum }
    }
}

impl Data {
    fn new(random: &mut Random) -> Data {
        let length = 1 + random.below(40);
        let at = [random.below(200), 4096 - random.below(30), (1 << 16) - length, random.below((1 << 16) - length)];
        let at = (!random.once_in(2)).then(|| *random.pick(&at) as i32);
        Data { at, bytes: (0..length).map(|_| random.next() as u8).collect() }
    }
}
