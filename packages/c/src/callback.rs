//! Functions of the caller's, with what they want to be given, and with what frees that.

use std::ffi::c_void;

/// Frees what a callback was given, once nothing can call it any more. It may run on any thread.
pub type Destructor = Option<extern "C" fn(user_data: *mut c_void)>;

/// A function of the caller's.
pub(crate) struct Callback<F> {
    pub(crate) function: F,
    user_data: UserData,
}

/// What a callback, or one call, is given. It is freed once: also where it was not taken.
pub(crate) struct UserData {
    pointer: *mut c_void,
    destructor: Destructor,
}

// SAFETY: the library does nothing with the pointer but give it back, and the header says that this may be on any thread.
unsafe impl Send for UserData {}
// SAFETY: as above, and on several threads at one time.
unsafe impl Sync for UserData {}

impl UserData {
    pub(crate) fn new(pointer: *mut c_void, destructor: Destructor) -> UserData {
        UserData { pointer, destructor }
    }

    /// The pointer.
    pub(crate) fn pointer(&self) -> *mut c_void {
        self.pointer
    }

    /// Goes with a function.
    pub(crate) fn of<F>(self, function: F) -> Callback<F> {
        Callback { function, user_data: self }
    }
}

impl<F> Callback<F> {
    pub(crate) fn user_data(&self) -> *mut c_void {
        self.user_data.pointer
    }
}

impl Drop for UserData {
    fn drop(&mut self) {
        if let Some(destructor) = self.destructor {
            destructor(self.pointer);
        }
    }
}
