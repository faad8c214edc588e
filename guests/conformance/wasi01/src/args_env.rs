//! Arguments and environment.

use crate::{Case, cases};
use std::ffi::CStr;
use wasi::Errno;

/// `args_odd` and the `environ_` cases want what `cases.toml` gives them.
pub(crate) const CASES: &[Case] = cases![args, args_odd, environ_empty, environ_odd];

/// Fills pointers and the texts that they point to.
type Get = unsafe fn(*mut *mut u8, *mut u8) -> Result<(), Errno>;

/// The name of the program comes first, as of any program.
fn args() {
    let args = texts(unsafe { wasi::args_sizes_get() }.unwrap(), wasi::args_get);
    assert_eq!(args.len(), 2, "{args:?}");
    assert!(args[0].ends_with("wasi01.wasm"), "{args:?}");
    assert_eq!(args[1], "args_env/args");
}

/// What a shell would take apart comes whole.
fn args_odd() {
    let args = texts(unsafe { wasi::args_sizes_get() }.unwrap(), wasi::args_get);
    assert_eq!(args[2..7], ["first", "the \"second\" arg", "", "--flag=ü", "-"]);
    assert_eq!(args[7], "x".repeat(100_000));
    assert_eq!(args.len(), 8);
}

fn environ_empty() {
    assert_eq!(unsafe { wasi::environ_sizes_get() }, Ok((0, 0)));
    assert_eq!(unsafe { wasi::environ_get(std::ptr::null_mut(), std::ptr::null_mut()) }, Ok(()));
}

/// Every value as it was given, in whatever order.
fn environ_odd() {
    let mut variables = texts(unsafe { wasi::environ_sizes_get() }.unwrap(), wasi::environ_get);
    variables.sort();
    let long = format!("f={}", "x".repeat(100_000));
    assert_eq!(variables, ["a=text", "b=escap \" ing", "c=new\nline", "d=", "e=1=2", &long, "g=ü"]);
}

/// Reads a list of texts, each of which ends with a NUL, as long as was said.
fn texts((count, bytes): (usize, usize), get: Get) -> Vec<String> {
    const GUARD: u8 = 0xAA;
    let mut pointers = vec![std::ptr::null_mut(); count];
    let mut buffer = vec![GUARD; bytes + 1];
    // SAFETY: both are as large as the host said that it needs.
    unsafe { get(pointers.as_mut_ptr(), buffer.as_mut_ptr()) }.unwrap();
    assert_eq!(buffer.pop(), Some(GUARD), "nothing is written past what was said");
    let mut length = 0;
    let texts = pointers.iter().map(|&pointer| {
        let start = pointer as usize - buffer.as_ptr() as usize;
        assert_eq!(start, length, "one follows on the other");
        let text = CStr::from_bytes_until_nul(&buffer[start..]).unwrap();
        length += text.count_bytes() + 1;
        text.to_str().unwrap().to_owned()
    });
    let texts = texts.collect();
    assert_eq!(length, bytes, "it was said how much there is");
    texts
}
