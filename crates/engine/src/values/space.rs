//! Where the lists and strings of a core call go in the guest's memory.
//!
//! A guest that exports an allocator is asked, since only it knows which bytes are free. One that does not gets pages
//! of its own, grown at the end of its memory, where nothing of its can be. Writing over the guest's own heap or stack
//! was the alternative. For guests it follows that what the allocator gave is the guest's to free, and that grown pages
//! hold the arguments of the latest call only.

use std::fmt;
use wasmtime::{AsContextMut, Extern, Instance, Memory, TypedFunc};

/// The bytes of one sandbox that hold its arguments. It lives as long as the sandbox.
#[derive(Debug)]
pub(crate) struct ArgumentSpace {
    memory: Memory,
    allocator: Option<Allocator>,
    grown: Grown,
}

/// The pages that were grown for arguments: `start..end`, of which `start..next` is taken.
#[derive(Clone, Copy, Debug, Default)]
struct Grown {
    start: u64,
    next: u64,
    end: u64,
}

/// A guest's allocator.
#[derive(Clone, Debug)]
struct Allocator {
    name: &'static str,
    call: Allocate,
}

#[derive(Clone)]
enum Allocate {
    /// `(old_ptr, old_size, align, size) -> ptr`, as the canonical ABI of components has it.
    Realloc(TypedFunc<(u32, u32, u32, u32), u32>),
    /// `(size) -> ptr`, aligned as it likes.
    Alloc(TypedFunc<u32, u32>),
}

/// Why bytes could not be placed.
#[derive(Debug)]
pub(crate) enum PlaceError {
    /// The guest exports no memory that this can write to: none, or one that is shared.
    NoMemory,
    /// The guest's memory has 64-bit addresses.
    Memory64,
    /// There are more bytes than a 32-bit address can reach.
    TooLarge {
        /// How many.
        bytes: usize,
    },
    /// The memory could not grow: its maximum, or the sandbox's limit, which the source tells.
    Grow(wasmtime::Error),
    /// The guest's allocator trapped or was stopped; the source tells.
    Allocator {
        /// Its name.
        name: &'static str,
        /// How it ended.
        error: wasmtime::Error,
    },
    /// The guest's allocator answered 0: it has no room.
    Exhausted {
        /// Its name.
        name: &'static str,
        /// How many bytes it was asked for.
        bytes: usize,
    },
    /// The guest's allocator answered with bytes outside of its memory, or not aligned: the guest's fault.
    BadPointer {
        /// Its name.
        name: &'static str,
        /// What it answered.
        pointer: u32,
        /// How many bytes it was asked for.
        bytes: usize,
        /// How many bytes its memory has.
        memory_bytes: usize,
    },
}

impl ArgumentSpace {
    /// Finds the guest's memory (`memory`, or the only one it exports) and its allocator: the first of `cabi_realloc`,
    /// `malloc`, `alloc` and `allocate` that has the right type.
    pub(crate) fn of(mut store: impl AsContextMut, instance: &Instance) -> Result<ArgumentSpace, PlaceError> {
        let memory = memory_of(&mut store, instance).ok_or(PlaceError::NoMemory)?;
        if memory.ty(&store).is_64() {
            return Err(PlaceError::Memory64);
        }
        Ok(ArgumentSpace { memory, allocator: Allocator::of(store, instance), grown: Grown::default() })
    }

    /// Copies bytes into the guest's memory, at an address that is a multiple of `align` (a power of two), and tells
    /// where. Runs guest code where the guest has an allocator, so that the call's deadline has to be set before.
    pub(crate) async fn place(
        &mut self,
        mut store: impl AsContextMut<Data: Send>,
        bytes: &[u8],
        align: usize,
    ) -> Result<u32, PlaceError> {
        let too_large = |_| PlaceError::TooLarge { bytes: bytes.len() };
        let size = u32::try_from(bytes.len()).map_err(too_large)?;
        let align = u32::try_from(align).map_err(too_large)?;
        if size == 0 {
            // Nothing is there to point at. A pointer of zero would be null, which some languages forbid even then.
            return Ok(align);
        }
        let pointer = match &self.allocator {
            Some(allocator) => allocator.allocate(&mut store, size, align).await?,
            None => self.grow(&mut store, size, align).await?,
        };
        match self.memory.write(&mut store, pointer as usize, bytes) {
            Ok(()) if pointer.is_multiple_of(align) => Ok(pointer),
            _ => Err(PlaceError::BadPointer {
                name: self.allocator.as_ref().map_or("memory.grow", |allocator| allocator.name),
                pointer,
                bytes: bytes.len(),
                memory_bytes: self.memory.data_size(&store),
            }),
        }
    }

    /// Forgets the arguments of the call before, so that a sandbox that serves many calls does not grow for each. What
    /// an allocator gave stays the guest's.
    pub(crate) fn clear(&mut self) {
        self.grown.next = self.grown.start;
    }

    /// Takes bytes from the grown pages, and grows more where they do not do.
    async fn grow(
        &mut self,
        mut store: impl AsContextMut<Data: Send>,
        size: u32,
        align: u32,
    ) -> Result<u32, PlaceError> {
        let (size, align) = (u64::from(size), u64::from(align));
        // Never address zero, which is null to most languages.
        let mut at = self.grown.next.max(1).next_multiple_of(align);
        if at + size > self.grown.end {
            let page = self.memory.page_size(&store);
            let memory_end = self.memory.data_size(&store) as u64;
            if memory_end != self.grown.end {
                // The guest has grown its memory since: what comes now does not join what was there.
                self.grown = Grown { start: memory_end, next: memory_end, end: memory_end };
                at = memory_end.max(1).next_multiple_of(align);
            }
            let missing = at + size - self.grown.end;
            let pages = missing.div_ceil(page);
            self.memory.grow_async(&mut store, pages).await.map_err(PlaceError::Grow)?;
            self.grown.end += pages * page;
        }
        self.grown.next = at + size;
        u32::try_from(at).map_err(|_| PlaceError::TooLarge { bytes: size as usize })
    }
}

impl Allocator {
    fn of(mut store: impl AsContextMut, instance: &Instance) -> Option<Allocator> {
        if let Ok(realloc) = instance.get_typed_func(&mut store, "cabi_realloc") {
            return Some(Allocator { name: "cabi_realloc", call: Allocate::Realloc(realloc) });
        }
        ["malloc", "alloc", "allocate"].into_iter().find_map(|name| {
            let alloc = instance.get_typed_func(&mut store, name).ok()?;
            Some(Allocator { name, call: Allocate::Alloc(alloc) })
        })
    }

    async fn allocate(&self, store: impl AsContextMut<Data: Send>, size: u32, align: u32) -> Result<u32, PlaceError> {
        let answer = match &self.call {
            Allocate::Realloc(realloc) => realloc.call_async(store, (0, 0, align, size)).await,
            // Such an allocator may give any address, so it is asked for what aligning may cost.
            Allocate::Alloc(alloc) => {
                let size = size.checked_add(align - 1).ok_or(PlaceError::TooLarge { bytes: size as usize })?;
                alloc.call_async(store, size).await
            }
        };
        let exhausted = PlaceError::Exhausted { name: self.name, bytes: size as usize };
        match (answer, &self.call) {
            (Err(error), _) => Err(PlaceError::Allocator { name: self.name, error }),
            (Ok(0), _) => Err(exhausted),
            (Ok(pointer), Allocate::Realloc(_)) => Ok(pointer),
            (Ok(pointer), Allocate::Alloc(_)) => pointer.checked_next_multiple_of(align).ok_or(exhausted),
        }
    }
}

impl fmt::Debug for Allocate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Allocate::Realloc(_) => "Realloc",
            Allocate::Alloc(_) => "Alloc",
        })
    }
}

fn memory_of(mut store: impl AsContextMut, instance: &Instance) -> Option<Memory> {
    if let Some(memory) = instance.get_memory(&mut store, "memory") {
        return Some(memory);
    }
    let mut memories = instance.exports(&mut store).filter_map(|export| match export.into_extern() {
        Extern::Memory(memory) => Some(memory),
        _ => None,
    });
    memories.next().filter(|_| memories.next().is_none())
}

impl fmt::Display for PlaceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PlaceError::NoMemory => f.write_str("expected an exported `memory` for a list or string, found none"),
            PlaceError::Memory64 => f.write_str("expected a memory of 32-bit addresses, found one of 64-bit addresses"),
            PlaceError::TooLarge { bytes } => {
                write!(f, "expected arguments that a 32-bit memory can hold, found {bytes} bytes")
            }
            PlaceError::Grow(_) => f.write_str("the guest's memory can't grow to hold the arguments"),
            PlaceError::Allocator { name, .. } => write!(f, "the guest's allocator `{name}` failed"),
            PlaceError::Exhausted { name, bytes } => {
                write!(f, "the guest's allocator `{name}` has no room for {bytes} bytes")
            }
            PlaceError::BadPointer { name, pointer, bytes, memory_bytes } => write!(
                f,
                "the guest's allocator `{name}` gave a bad pointer: expected {bytes} aligned bytes inside a memory of \
                 {memory_bytes}, found {pointer:#x}"
            ),
        }
    }
}

impl std::error::Error for PlaceError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            PlaceError::Grow(error) | PlaceError::Allocator { error, .. } => Some(error.as_ref()),
            _ => None,
        }
    }
}
