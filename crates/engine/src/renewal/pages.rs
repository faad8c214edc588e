//! Puts a memory back to its beginning by copying the pages that were written, which the kernel tells.
//!
//! A page of a sandbox's memory that was written is private to this process; one that was only read still belongs to the file
//! of the guest's image, or is the kernel's page of zeros. `PAGEMAP_SCAN` (Linux 6.7) lists the first kind. Copying those back
//! leaves them resident, so that the next call takes no page fault for them.
//!
//! A page is written for the first time in a page fault of the thread that writes. So where a call ran on one thread and that
//! took no fault, the pages that were listed before are all that it can have written, and the kernel need not be asked.

#![allow(
    unsafe_code,
    reason = "reading what pages were written and writing them, between calls; see `Memory::restore`"
)]

use crate::state::State;
use std::{
    cell::Cell,
    fs::File,
    io,
    mem::{MaybeUninit, size_of},
    os::fd::AsRawFd,
    sync::{Arc, OnceLock},
};
use wasmtime::Store;

const PAGE: usize = 4096;
/// Most bytes of a memory from its start.
const MEMORY_BYTES_MAX: usize = 16 << 20;
/// Most bytes that are kept to copy back, and most that are copied back: for more, a new instance is as fast.
const KEPT_BYTES_MAX: usize = 2 << 20;

/// What a memory holds at its beginning: its pages that are not all zero, by their number.
pub(super) struct Image {
    bytes: usize,
    pages: Vec<Option<Box<[u8; PAGE]>>>,
}

impl Image {
    /// Takes a memory's contents down, unless there is too much of it.
    pub(super) fn of(memory: &[u8]) -> Option<Image> {
        if memory.len() > MEMORY_BYTES_MAX {
            return None;
        }
        let mut kept = 0;
        let mut pages = Vec::with_capacity(memory.len() / PAGE);
        for page in memory.as_chunks::<PAGE>().0 {
            let zeros = page.iter().all(|byte| *byte == 0);
            kept += if zeros { 0 } else { PAGE };
            if kept > KEPT_BYTES_MAX {
                return None;
            }
            pages.push((!zeros).then(|| Box::new(*page)));
        }
        let written = pages.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        pages.truncate(written);
        unmap_unwritten(memory);
        Some(Image { bytes: memory.len(), pages })
    }
}

/// Takes the pages of a memory that were only read out of the page table again: the kernel would look at each of them
/// whenever it is asked for the written ones.
fn unmap_unwritten(memory: &[u8]) {
    let (mut at, end) = (memory.as_ptr() as u64, memory.as_ptr() as u64 + memory.len() as u64);
    let mut regions = [Region::default(); REGIONS];
    while at < end {
        let Ok((count, walked)) = written(at, end, &mut regions) else { return };
        let last = Region { start: walked, end: walked, categories: 0 };
        for region in regions.get(..count).unwrap_or_default().iter().chain([&last]) {
            if region.start > at {
                // SAFETY: this range is within the memory, and no page of it was written: each is a page of zeros or of
                // the file that was mapped there, and will be that again when it is next looked at.
                unsafe { libc::madvise(at as *mut _, (region.start - at) as usize, libc::MADV_DONTNEED) };
            }
            at = region.end;
        }
    }
}

/// The memory of a sandbox, which neither moves nor goes while the sandbox lives.
pub(super) struct Memory {
    base: *mut u8,
    bytes: usize,
    image: Arc<Image>,
    /// The regions of written pages when they were last listed, and all that can have been written unless a page fault was
    /// taken since.
    written: Option<Vec<Region>>,
    /// The page faults of the call's thread before it began.
    faults: u64,
}

// SAFETY: an address, of which `restore` alone makes use; it says what for.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

impl Memory {
    pub(super) fn new(memory: &[u8], image: Arc<Image>) -> Memory {
        // Pages that become one large page are written without a fault.
        // SAFETY: changes how the kernel keeps these pages, and not what is in them.
        unsafe { libc::madvise(memory.as_ptr() as *mut _, memory.len(), libc::MADV_NOHUGEPAGE) };
        Memory { base: memory.as_ptr().cast_mut(), bytes: memory.len(), image, written: None, faults: 0 }
    }

    /// Begins a call.
    pub(super) fn begin(&mut self) {
        self.faults = FAULTS.get();
    }

    /// Makes the memory what its image says. `one_thread` is whether all of the call ran on this thread.
    ///
    /// The store is borrowed to show that nothing of it runs and that nothing of its memory is borrowed. That this is the
    /// whole memory of an instance in it, which has not grown since, is for the caller to know: an address has no lifetime.
    ///
    /// # Errors
    /// The kernel does not tell which pages were written, or there are too many. The sandbox can't be used any more.
    pub(super) fn restore(&mut self, one_thread: bool, _store: &mut Store<State>) -> io::Result<()> {
        if self.bytes != self.image.bytes {
            return Err(io::Error::other("another memory"));
        }
        let faults = faults();
        let written = self.written.take().filter(|_| one_thread && faults == self.faults);
        let written = written.map_or_else(|| self.list(), Ok)?;
        let start = self.base as u64;
        for address in written.iter().flat_map(|region| (region.start..region.end).step_by(PAGE)) {
            let target = address as *mut u8;
            match self.image.pages.get((address - start) as usize / PAGE).and_then(Option::as_ref) {
                // SAFETY: the kernel gave the address of a page within the memory, whose size is a multiple of a page's.
                // The store is borrowed, so nobody else looks at it.
                Some(page) => unsafe { std::ptr::copy_nonoverlapping(page.as_ptr(), target, PAGE) },
                // SAFETY: as above.
                None => unsafe { std::ptr::write_bytes(target, 0, PAGE) },
            }
        }
        self.written = Some(written);
        Ok(())
    }

    /// Lists the pages that were ever written.
    fn list(&self) -> io::Result<Vec<Region>> {
        let (mut at, end) = (self.base as u64, self.base as u64 + self.bytes as u64);
        let (mut all, mut bytes) = (Vec::new(), 0);
        let mut regions = [Region::default(); REGIONS];
        while at < end {
            let (count, walked) = written(at, end, &mut regions)?;
            let found = regions.get(..count).unwrap_or_default();
            bytes += found.iter().map(|region| region.end - region.start).sum::<u64>();
            if bytes > KEPT_BYTES_MAX as u64 {
                return Err(io::Error::other("more was written than is copied back"));
            }
            all.extend_from_slice(found);
            at = walked;
        }
        Ok(all)
    }
}

thread_local! {
    /// The page faults of this thread when they were last counted.
    static FAULTS: Cell<u64> = const { Cell::new(0) };
}

/// Counts the page faults of this thread: each first write to a page is one, by whomever it is made for the thread.
fn faults() -> u64 {
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the argument is what the kernel fills, and all zeros is a value of it.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_THREAD, usage.as_mut_ptr());
        usage.assume_init()
    };
    let faults = usage.ru_minflt as u64 + usage.ru_majflt as u64;
    FAULTS.set(faults);
    faults
}

/// Whether the kernel can tell which pages were written.
pub(super) fn available() -> bool {
    static AVAILABLE: OnceLock<bool> = OnceLock::new();
    *AVAILABLE.get_or_init(|| {
        // SAFETY: asks for a constant of the system.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        let probe = [0_u8; 1];
        let start = (probe.as_ptr() as u64) & !(PAGE as u64 - 1);
        let mut regions = [Region::default(); REGIONS];
        usize::try_from(page) == Ok(PAGE)
            && !crate::tuning::swaps()
            && written(start, start + PAGE as u64, &mut regions).is_ok()
    })
}

/// How many regions the kernel tells at one time.
const REGIONS: usize = 64;

/// `struct page_region` of `linux/fs.h`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Region {
    start: u64,
    end: u64,
    categories: u64,
}

/// `struct pm_scan_arg` of `linux/fs.h`.
#[repr(C)]
struct Scan {
    size: u64,
    flags: u64,
    start: u64,
    end: u64,
    walk_end: u64,
    vec: u64,
    vec_len: u64,
    max_pages: u64,
    category_inverted: u64,
    category_mask: u64,
    category_anyof_mask: u64,
    return_mask: u64,
}

/// `PAGEMAP_SCAN`: `_IOWR('f', 16, struct pm_scan_arg)`.
const PAGEMAP_SCAN: libc::Ioctl = (3 << 30 | (size_of::<Scan>() << 16) | (b'f' as usize) << 8 | 16) as libc::Ioctl;
const PAGE_IS_FILE: u64 = 1 << 2;
const PAGE_IS_PRESENT: u64 = 1 << 3;
const PAGE_IS_PFNZERO: u64 = 1 << 5;

/// Lists regions of written pages, and tells how many there are and how far it looked.
fn written(start: u64, end: u64, regions: &mut [Region; REGIONS]) -> io::Result<(usize, u64)> {
    static PAGEMAP: OnceLock<Option<File>> = OnceLock::new();
    let pagemap = PAGEMAP.get_or_init(|| File::open("/proc/self/pagemap").ok()).as_ref();
    let pagemap = pagemap.ok_or_else(|| io::Error::other("no `/proc/self/pagemap`"))?;
    let mut scan = Scan {
        size: size_of::<Scan>() as u64,
        flags: 0,
        start,
        end,
        walk_end: 0,
        vec: regions.as_mut_ptr() as u64,
        vec_len: REGIONS as u64,
        max_pages: 0,
        category_inverted: PAGE_IS_PFNZERO | PAGE_IS_FILE,
        category_mask: PAGE_IS_PRESENT | PAGE_IS_PFNZERO | PAGE_IS_FILE,
        category_anyof_mask: 0,
        return_mask: 0,
    };
    // SAFETY: the argument is what the kernel expects, and lives until the call returns; so do the regions it points to.
    let count = unsafe { libc::ioctl(pagemap.as_raw_fd(), PAGEMAP_SCAN, &raw mut scan) };
    let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
    if scan.walk_end <= start {
        return Err(io::Error::other("the kernel did not look at any page"));
    }
    Ok((count, scan.walk_end))
}
