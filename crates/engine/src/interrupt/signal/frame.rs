//! What a thread does that is interrupted in the guest, or that returns to it: it calls the host, and goes on where it was.
//!
//! All that the guest's code may use (general and vector registers, flags, the address and the stack) is written into a frame
//! on the guest's stack, [`GAP`] below what is used. It begins like any other frame of compiled code, with the caller's frame
//! pointer and return address, so Wasmtime can walk the stack from the host function to the guest's entry, as it does for a
//! trap's backtrace. After the call all is put back by `iretq`. If the host function ends the call with an error, Wasmtime goes
//! back to where the guest was entered, and the frame is left with the rest of the stack.

#![allow(unsafe_code, reason = "the registers and the stack of what is interrupted; see above")]

use super::{
    super::{HostCall, Interrupt, RETURNS_MAX},
    running,
};
use std::{
    ffi::{c_int, c_void},
    mem::offset_of,
    process,
};

/// How far below the stack pointer nothing is touched: for a moment after a call, results that did not fit into registers lie
/// there, at most 1,000 of 16 bytes. Wasmtime keeps far more stack than this for host functions.
const GAP: usize = 32 << 10;
/// Where the host's stack pointer is at most, below the frame of the guest's exit to it.
const STACK_BYTES_MAX: usize = 8 << 20;

/// What each place to return to takes.
const STUB_BYTES: usize = 16;

/// The selectors of code and stack that 64-bit programs have on Linux.
const CODE_SELECTOR: u64 = 0x33;
const STACK_SELECTOR: u64 = 0x2b;
/// The flags that a called function expects to be clear: of direction and of single steps.
const FLAGS_CLEAR: u64 = 1 << 10 | 1 << 8;

/// What is put on the guest's stack.
#[repr(C, align(16))]
struct Frame {
    /// The caller's, as in every frame.
    frame_pointer: u64,
    return_address: u64,
    call: HostCall,
    /// What `iretq` takes from the stack.
    address: u64,
    code_selector: u64,
    flags: u64,
    stack_pointer: u64,
    stack_selector: u64,
    /// As the kernel numbers them.
    registers: [i64; 23],
    /// As `fxsave` has it.
    vectors: Vectors,
}

#[repr(C, align(16))]
struct Vectors([u8; 512]);

/// Wasmtime's `VMFuncRef`.
#[repr(C)]
struct FuncRef {
    array_call: usize,
    wasm_call: usize,
    type_index: u32,
    vmctx: usize,
}

/// What Wasmtime's `VMContext` begins with.
#[repr(C)]
struct Context {
    magic: usize,
    store: *mut StoreContext,
}

/// What Wasmtime's `VMStoreContext` begins with.
#[repr(C)]
struct StoreContext {
    fuel_consumed: i64,
    epoch_deadline: u64,
    execution_version: u64,
    stack_limit: usize,
    gc_heap: [usize; 2],
    /// The frame pointer of what called the host last, or zero.
    exit_frame: usize,
    /// Where that returns to in the guest's code.
    exit_address: usize,
}

/// How compiled code of the instance that has the function `own` calls `function`.
pub(in crate::interrupt) fn host_call(function: *mut c_void, own: *mut c_void) -> Option<HostCall> {
    // SAFETY: `Func::to_raw` gives the addresses of `VMFuncRef`s, which are laid out as above in the version of Wasmtime that
    // is used here; they live as long as the store. The tests of interrupts would not pass with another.
    let (function, own) = unsafe { (function.cast::<FuncRef>().as_ref()?, own.cast::<FuncRef>().as_ref()?) };
    let call = HostCall { function: function.wasm_call, callee: function.vmctx, caller: own.vmctx };
    (call.function != 0).then_some(call)
}

/// Whether this is an instruction by which a function that makes large tail calls moves its frame to make room: in between, its
/// frame pointer points to what is no frame yet, and the stack could not be walked. Taking another one for it costs a tick.
pub(super) fn moves_frame(interrupt: &Interrupt, address: usize) -> bool {
    if !interrupt.code.has(address + 3) {
        return false;
    }
    // SAFETY: this is within the code of a function.
    let code = unsafe { (address as *const [u8; 4]).read_unaligned() };
    // `mov r11, [rsp + …]` with one byte or four, `mov [rsp], r11` and `mov [rsp + 8], r11`: see cranelift-codegen's
    // isa/x64/abi.rs, the prologue.
    matches!(code, [0x4c, 0x8b, 0x5c | 0x9c, 0x24] | [0x4c, 0x89, 0x1c | 0x5c, 0x24])
}

/// Has the thread, which is in a function of the guest's, call the host next.
#[allow(clippy::indexing_slicing, reason = "the kernel's numbers of registers are less than it has")]
pub(super) fn call_host_now(call: HostCall, context: &mut libc::ucontext_t) {
    let before = &mut context.uc_mcontext.gregs;
    let value = |register: c_int| before[register as usize] as u64;
    let vectors = context.uc_mcontext.fpregs.cast::<Vectors>();
    if vectors.is_null() {
        return;
    }
    let frame = Frame {
        frame_pointer: value(libc::REG_RBP),
        return_address: value(libc::REG_RIP),
        call,
        address: value(libc::REG_RIP),
        code_selector: CODE_SELECTOR,
        flags: value(libc::REG_EFL),
        stack_pointer: value(libc::REG_RSP),
        stack_selector: STACK_SELECTOR,
        registers: *before,
        // SAFETY: what the kernel saves begins as `fxsave` has it.
        vectors: unsafe { vectors.read_unaligned() },
    };
    let top = frame.stack_pointer as usize - GAP - size_of::<Frame>();
    let at = top & !(align_of::<Frame>() - 1);
    let flags = frame.flags & !FLAGS_CLEAR;
    // SAFETY: in a function of the guest's, all below the stack pointer is free but for the gap, and Wasmtime keeps stack for
    // host functions below what a guest may use, more than what is taken here and by the function that is called. The thread
    // is in none of the host's functions, so it holds no lock and borrows nothing.
    unsafe { (at as *mut Frame).write(frame) };
    forget_exit(call);
    before[libc::REG_RIP as usize] = call_host as *const () as i64;
    before[libc::REG_RSP as usize] = at as i64;
    before[libc::REG_RBP as usize] = at as i64;
    before[libc::REG_EFL as usize] = flags as i64;
}

/// Has the thread, which is in the host, call the host function when it returns to the guest: to a function, or to what compiled
/// code does by itself when an instance is made, which may have the host copy as much as it likes.
pub(super) fn call_host_on_return(interrupt: &Interrupt, call: HostCall, stack_pointer: usize) {
    let (frame, address) = last_exit(call);
    if frame <= stack_pointer || frame - stack_pointer > STACK_BYTES_MAX || !interrupt.code.is_near(address) {
        return;
    }
    let slot = frame + size_of::<usize>();
    // SAFETY: above its stack pointer the thread's stack is there, and Wasmtime notes no frame but of the stack that it is on.
    let found = unsafe { (slot as *const usize).read() };
    if found != address {
        return;
    }
    if let Some(number) = interrupt.returns.put(slot, address) {
        // SAFETY: it is where the host returns to the guest: both Wasmtime and the stack say so. If the exit is over already,
        // nothing but a copy of the address is there, which nobody returns to.
        unsafe { (slot as *mut usize).write(stub(number)) };
    }
}

/// Where a thread returns to, instead of the address of this number.
fn stub(number: usize) -> usize {
    let first = (RETURNS as *const () as usize + 1).next_multiple_of(STUB_BYTES);
    first + number * STUB_BYTES
}

/// Fills in what only Rust knows of a frame: the call, and where the guest goes on. `within` is an address in the stub.
extern "C" fn on_return(frame: *mut Frame, within: usize) {
    let number = (within - stub(0)) / STUB_BYTES;
    let found = running().and_then(|interrupt| interrupt.call().zip(interrupt.returns.take(number)));
    // There is nowhere to go on, which can't be: the address was replaced for this guest, and kept until now.
    let Some((call, address)) = found else { process::abort() };
    // SAFETY: `save` gives the frame that it has made room for.
    unsafe {
        (*frame).call = call;
        (*frame).address = address as u64;
        (*frame).return_address = address as u64;
        (*frame).code_selector = CODE_SELECTOR;
        (*frame).stack_selector = STACK_SELECTOR;
    }
    forget_exit(call);
}

/// The frame of the last exit from the guest to the host, and where that returns to. It may be over already.
fn last_exit(call: HostCall) -> (usize, usize) {
    // SAFETY: the store lives, since the sandbox has not ended, and these begin as above; nobody else looks at them, since it
    // is this thread that polls the sandbox.
    unsafe {
        let store = &*(*(call.caller as *const Context)).store;
        (store.exit_frame, store.exit_address)
    }
}

/// Forgets the last exit, which is over: what it noted could be true of another frame by now. The next one notes itself.
fn forget_exit(call: HostCall) {
    // SAFETY: as in `last_exit`. What an outer activation has noted lies elsewhere.
    unsafe {
        let store = (*(call.caller as *const Context)).store;
        (*store).exit_frame = 0;
        (*store).exit_address = 0;
    }
}

/// Where a frame has a register.
const fn register(number: c_int) -> usize {
    offset_of!(Frame, registers) + number as usize * size_of::<i64>()
}

/// Code that may name where a frame has each register.
macro_rules! with_registers {
    ($($code:tt)*) => {
        core::arch::naked_asm!(
            $($code)*
            rax = const register(libc::REG_RAX),
            rbx = const register(libc::REG_RBX),
            rcx = const register(libc::REG_RCX),
            rdx = const register(libc::REG_RDX),
            rsi = const register(libc::REG_RSI),
            rdi = const register(libc::REG_RDI),
            rbp = const register(libc::REG_RBP),
            r8 = const register(libc::REG_R8),
            r9 = const register(libc::REG_R9),
            r10 = const register(libc::REG_R10),
            r11 = const register(libc::REG_R11),
            r12 = const register(libc::REG_R12),
            r13 = const register(libc::REG_R13),
            r14 = const register(libc::REG_R14),
            r15 = const register(libc::REG_R15),
        )
    };
}

/// Where a thread returns to instead of the guest's code, one stub for each number. All registers are the guest's.
// SAFETY: it is only returned to, in place of the guest's code.
#[allow(non_snake_case, reason = "a table")]
#[unsafe(naked)]
extern "C" fn RETURNS() {
    core::arch::naked_asm!(
        // What walks the stack looks at the byte before an address.
        "nop",
        ".rept {count}",
        ".balign {bytes}",
        "lea rsp, [rsp - {gap}]",
        "call {save}",
        ".endr",
        count = const RETURNS_MAX,
        bytes = const STUB_BYTES,
        gap = const GAP,
        save = sym save,
    )
}

/// Writes all registers into a frame, and goes on with that. On the stack is an address in the stub that called it.
// SAFETY: it is only called by `RETURNS`.
#[unsafe(naked)]
extern "C" fn save() {
    with_registers!(
        "pushfq",
        "push rax",
        "mov rax, rsp",
        "sub rsp, {size}",
        "and rsp, -16",
        "mov [rsp + {rbx}], rbx",
        "mov [rsp + {rcx}], rcx",
        "mov [rsp + {rdx}], rdx",
        "mov [rsp + {rsi}], rsi",
        "mov [rsp + {rdi}], rdi",
        "mov [rsp + {rbp}], rbp",
        "mov [rsp + {frame_pointer}], rbp",
        "mov [rsp + {r8}], r8",
        "mov [rsp + {r9}], r9",
        "mov [rsp + {r10}], r10",
        "mov [rsp + {r11}], r11",
        "mov [rsp + {r12}], r12",
        "mov [rsp + {r13}], r13",
        "mov [rsp + {r14}], r14",
        "mov [rsp + {r15}], r15",
        "fxsave [rsp + {vectors}]",
        "mov rbp, rsp",
        "mov rbx, [rax]",
        "mov [rbp + {rax}], rbx",
        "mov rbx, [rax + 8]",
        "mov [rbp + {flags}], rbx",
        "mov rsi, [rax + 16]",
        "lea rbx, [rax + 24 + {gap}]",
        "mov [rbp + {stack_pointer}], rbx",
        "mov rdi, rbp",
        "call {on_return}",
        "jmp {call_host}",
        size = const size_of::<Frame>(),
        gap = const GAP,
        frame_pointer = const offset_of!(Frame, frame_pointer),
        flags = const offset_of!(Frame, flags),
        stack_pointer = const offset_of!(Frame, stack_pointer),
        vectors = const offset_of!(Frame, vectors),
        on_return = sym on_return,
        call_host = sym call_host,
    )
}

/// Calls the host function of the frame that the frame pointer and the stack pointer point to, and goes on where the frame says.
// SAFETY: it begins where a handler or `save` lets a thread go on, and is called by nothing.
#[unsafe(naked)]
extern "C" fn call_host() {
    with_registers!(
        "mov rdi, [rbp + {callee}]",
        "mov rsi, [rbp + {caller}]",
        "call [rbp + {function}]",
        "fxrstor [rbp + {vectors}]",
        "mov rax, [rbp + {rax}]",
        "mov rbx, [rbp + {rbx}]",
        "mov rcx, [rbp + {rcx}]",
        "mov rdx, [rbp + {rdx}]",
        "mov rsi, [rbp + {rsi}]",
        "mov rdi, [rbp + {rdi}]",
        "mov r8, [rbp + {r8}]",
        "mov r9, [rbp + {r9}]",
        "mov r10, [rbp + {r10}]",
        "mov r11, [rbp + {r11}]",
        "mov r12, [rbp + {r12}]",
        "mov r13, [rbp + {r13}]",
        "mov r14, [rbp + {r14}]",
        "mov r15, [rbp + {r15}]",
        "lea rsp, [rbp + {address}]",
        "mov rbp, [rbp + {rbp}]",
        "iretq",
        function = const offset_of!(Frame, call) + offset_of!(HostCall, function),
        callee = const offset_of!(Frame, call) + offset_of!(HostCall, callee),
        caller = const offset_of!(Frame, call) + offset_of!(HostCall, caller),
        address = const offset_of!(Frame, address),
        vectors = const offset_of!(Frame, vectors),
    )
}
