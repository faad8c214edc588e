//! What fuel costs: each instruction, and what the host does for a guest.
//!
//! A unit is what one of the many cheap instructions takes. Wasmtime counts one for each instruction, so that a division, a
//! call or a grown table bought a hundred times the time of an addition, and a call to the host a thousand times. Here each
//! costs what it takes, roughly: the time that a unit buys stays within a factor of ten over all of them, and a test holds
//! them to it. What no count of instructions knows is left out: caches that miss, and the first touch of a page of memory.
//!
//! The costs are the same on every machine, and part of what a guest's artifact is made from.

use crate::state::State;
use sandbar_call::{GrantKind, Meter, Resource};
use wasmtime::{CallHook, OperatorCost, Result, StoreContextMut, VariableOperatorCost};

/// One call to the host.
const CALL: u64 = 3_000;
/// One that leaves the process: a file, a socket, a name, a request.
const OUTSIDE: u64 = 100_000;
/// One random byte.
const RANDOM_BYTE: u64 = 20;

/// Something that goes on outside of the guest's code. It costs nothing until a function of the host is there: what the runtime
/// does for an instruction costs what the instruction costs.
#[derive(Debug)]
pub(crate) struct HostCall(Option<Served>);

/// A function of the host, as fuel sees it.
#[derive(Debug)]
struct Served {
    cost: u64,
    /// What the call had used before.
    before: Touched,
}

/// What a call has touched: bytes that crossed, and uses of the network.
#[derive(Clone, Copy, Debug)]
struct Touched {
    bytes: u64,
    network: u64,
}

impl Touched {
    fn by(meter: &Meter) -> Touched {
        let network = [GrantKind::Http, GrantKind::Tcp, GrantKind::Udp, GrantKind::Lookup];
        Touched {
            bytes: meter.used(Resource::BytesIn).saturating_add(meter.used(Resource::BytesOut)),
            network: network.iter().map(|grant| u64::from(meter.calls(*grant))).sum(),
        }
    }

    fn cost_since(self, before: Touched) -> u64 {
        let network = self.network.saturating_sub(before.network).saturating_mul(OUTSIDE);
        self.bytes.saturating_sub(before.bytes).saturating_add(network)
    }
}

impl State {
    /// Notes that a function of the host runs for the guest.
    pub(crate) fn serves(&mut self) {
        self.serves_at(CALL);
    }

    /// Notes that it goes to a file of the host.
    pub(crate) fn leaves(&mut self) {
        self.serves_at(OUTSIDE);
    }

    /// Notes that it makes random bytes.
    pub(crate) fn makes_random(&mut self, bytes: u64) {
        self.serves_at(CALL.saturating_add(bytes.saturating_mul(RANDOM_BYTE)));
    }

    fn serves_at(&mut self, cost: u64) {
        let Some(HostCall(call)) = self.host_calls.last_mut() else { return };
        match call {
            Some(served) => served.cost = served.cost.max(cost),
            None => *call = Some(Served { cost, before: Touched::by(&self.tap.meter()) }),
        }
    }
}

/// Charges what the host does for a guest whose fuel is metered. Called wherever guest and host change places.
pub(crate) fn on_change(mut store: StoreContextMut<'_, State>, change: CallHook) -> Result<()> {
    let state = store.data_mut();
    match change {
        CallHook::CallingHost => {
            state.host_calls.push(HostCall(None));
            Ok(())
        }
        CallHook::ReturningFromHost => {
            let ended = state.host_calls.pop().filter(|_| state.fuel.is_some());
            // During an instruction the guest keeps its fuel in a register, so none may be taken then.
            let Some(HostCall(Some(Served { cost, before }))) = ended else { return Ok(()) };
            let meter = state.tap.meter();
            let cost = Touched::by(&meter).cost_since(before).saturating_add(cost);
            let left = store.get_fuel()?;
            store.set_fuel(left.saturating_sub(cost))?;
            if cost > left { Err(meter.stop(Resource::Fuel).into()) } else { Ok(()) }
        }
        CallHook::CallingWasm | CallHook::ReturningFromWasm => Ok(()),
    }
}

/// What each instruction costs. Those that are not named cost one, and nothing where they become no code.
pub(crate) fn costs() -> OperatorCost {
    let mut costs = OperatorCost::new();
    macro_rules! cost {
        ($($units:literal: $($operator:ident)+;)+) => {
            $($(costs.$operator = $units;)+)+
        };
    }
    cost! {
        // Looks at the fuel when it goes back, and in some guests at the epoch.
        3: Br If;
        2: BrIf I32Eqz I64Eqz I32Mul I64Mul
            F32Add F32Sub F32Mul F32Min F32Max F32Abs F32Copysign F64Add F64Sub F64Mul F64Min F64Max F64Abs F64Copysign
            F32x4Add F32x4Sub F32x4Mul F64x2Add F64x2Sub F64x2Mul;
        5: BrTable;
        20: Call ReturnCall;
        40: CallIndirect ReturnCallIndirect CallRef ReturnCallRef;
        3: I32Load I32Load8S I32Load8U I32Load16S I32Load16U
            I64Load I64Load8S I64Load8U I64Load16S I64Load16U I64Load32S I64Load32U F32Load F64Load
            V128Load V128Load8x8S V128Load8x8U V128Load16x4S V128Load16x4U V128Load32x2S V128Load32x2U
            V128Load8Splat V128Load16Splat V128Load32Splat V128Load64Splat V128Load32Zero V128Load64Zero
            V128Load8Lane V128Load16Lane V128Load32Lane V128Load64Lane;
        20: I32DivS I32DivU I32RemS I32RemU I64DivS I64DivU I64RemS I64RemU;
        14: F32Div F64Div F32x4Div F64x2Div;
        30: F32Sqrt F64Sqrt F32x4Sqrt F64x2Sqrt;
        20: I32TruncF32S I32TruncF32U I32TruncF64S I32TruncF64U I64TruncF32S I64TruncF32U I64TruncF64S I64TruncF64U
            I32TruncSatF32S I32TruncSatF32U I32TruncSatF64S I32TruncSatF64U
            I64TruncSatF32S I64TruncSatF32U I64TruncSatF64S I64TruncSatF64U
            I32x4TruncSatF32x4S I32x4TruncSatF32x4U I32x4TruncSatF64x2SZero I32x4TruncSatF64x2UZero
            I32x4RelaxedTruncF32x4S I32x4RelaxedTruncF32x4U I32x4RelaxedTruncF64x2SZero I32x4RelaxedTruncF64x2UZero;
        6: I64x2Mul I8x16Popcnt;
        4: F32Ceil F32Floor F32Trunc F32Nearest F64Ceil F64Floor F64Trunc F64Nearest
            F32x4Ceil F32x4Floor F32x4Trunc F32x4Nearest F64x2Ceil F64x2Floor F64x2Trunc F64x2Nearest
            F32DemoteF64 F64PromoteF32;
        8: F32x4Max F32x4Min F64x2Max F64x2Min;
        // Functions of the runtime.
        255: MemoryGrow TableGrow RefFunc Throw ThrowRef;
        30: MemoryFill MemoryCopy;
        20: TableFill TableCopy TableInit;
        10: MemoryInit;
        100: StructNew StructNewDefault ArrayNew ArrayNewDefault ArrayNewFixed ArrayNewData ArrayNewElem;
        50: ArrayCopy ArrayFill ArrayInitData ArrayInitElem;
        10: RefTestNonNull RefTestNullable RefCastNonNull RefCastNullable BrOnCast BrOnCastFail;
    }
    costs.variable = VariableOperatorCost {
        table_grow_per_element: 4,
        table_fill_per_element: 4,
        table_copy_per_element: 8,
        table_init_per_element: 12,
        array_new_elem_per_element: 40,
        array_init_elem_per_element: 40,
        array_copy_per_element: 8,
        ..VariableOperatorCost::new()
    };
    costs
}
