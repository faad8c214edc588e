//! Pointers that C gives, believed to point to what the header says. Nowhere else are they followed.

use crate::error::Error;
use std::{
    ffi::{CStr, OsStr, c_char, c_void},
    os::unix::ffi::OsStrExt,
    path::PathBuf,
    ptr::null_mut,
    slice,
};

/// What a handle stands for.
pub(crate) fn handle<'a, T>(handle: Option<&'a T>, name: &str) -> Result<&'a T, Error> {
    handle.ok_or_else(|| null(name))
}

/// What a pointer in a struct points to, where it is not null.
pub(crate) fn optional<'a, T>(pointer: *const T) -> Option<&'a T> {
    // SAFETY: it is null, or by the header one of the library's own handles that stays until the function ends.
    unsafe { pointer.as_ref() }
}

/// A text that has to be there.
pub(crate) fn text<'a>(pointer: *const c_char, name: &str) -> Result<&'a str, Error> {
    optional_text(pointer, name)?.ok_or_else(|| null(name))
}

/// A text that may be null.
pub(crate) fn optional_text<'a>(pointer: *const c_char, name: &str) -> Result<Option<&'a str>, Error> {
    if pointer.is_null() {
        return Ok(None);
    }
    let text = zero_terminated(pointer).to_str();
    text.map(Some).map_err(|_| Error::argument(&format!("`{name}`: expected UTF-8")))
}

/// The path of a file, in the form of the system.
pub(crate) fn path(pointer: *const c_char, name: &str) -> Result<PathBuf, Error> {
    if pointer.is_null() {
        return Err(null(name));
    }
    Ok(OsStr::from_bytes(zero_terminated(pointer).to_bytes()).into())
}

fn zero_terminated<'a>(pointer: *const c_char) -> &'a CStr {
    // SAFETY: it is not null, and by the header ends with a zero byte and stays until the function ends.
    unsafe { CStr::from_ptr(pointer) }
}

/// Bytes, which may be null where there are none.
pub(crate) fn bytes<'a>(pointer: *const c_void, length: usize, name: &str) -> Result<&'a [u8], Error> {
    array(pointer.cast(), length, name)
}

/// Things that lie one after the other, which may be null where there are none.
pub(crate) fn array<'a, T>(pointer: *const T, length: usize, name: &str) -> Result<&'a [T], Error> {
    match length {
        0 => Ok(&[]),
        _ if pointer.is_null() => Err(Error::argument(&format!("`{name}` is null, and its length is {length}"))),
        _ if length > isize::MAX.unsigned_abs() / size_of::<T>().max(1) => {
            Err(Error::argument(&format!("`{name}`: expected a length, found {length}")))
        }
        // SAFETY: it is not null, and by the header points to so many of them that nobody changes until the function ends.
        _ => Ok(unsafe { slice::from_raw_parts(pointer, length) }),
    }
}

/// Bytes that are to be written over.
pub(crate) fn bytes_mut<'a>(pointer: *mut c_void, length: usize, name: &str) -> Result<&'a mut [u8], Error> {
    bytes(pointer, length, name)?;
    if length == 0 {
        return Ok(&mut []);
    }
    // SAFETY: it is not null, and by the header points to so many bytes that are for this function alone until it ends.
    Ok(unsafe { slice::from_raw_parts_mut(pointer.cast(), length) })
}

/// Hands something over to the caller where it wants it, and null where there is nothing.
pub(crate) fn give<T>(to: *mut *mut T, value: Option<T>) {
    if to.is_null() {
        return;
    }
    let given = value.map_or(null_mut(), |value| Box::into_raw(Box::new(value)));
    set(to, given);
}

/// Writes a result where the caller wants it.
pub(crate) fn set<T>(to: *mut T, value: T) {
    if !to.is_null() {
        // SAFETY: it is not null, and by the header points to a place for a value, with or without one in it.
        unsafe { to.write(value) };
    }
}

/// An error that says which argument is null.
pub(crate) fn null(name: &str) -> Error {
    Error::argument(&format!("`{name}` is null"))
}
