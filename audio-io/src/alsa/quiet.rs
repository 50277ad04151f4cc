//! Keeps alsa-lib from writing to standard error: it explains each failure there, and a device
//! that is tried again for a week would fill the journal.
#![allow(
    unsafe_code,
    reason = "alsa-lib takes its error handler by raw pointer"
)]

use std::cell::RefCell;
use std::ffi::{c_char, c_int};
use std::rc::Rc;

use alsa::Output;

/// Throws away what alsa-lib says on this thread. Real-time threads use it: collecting allocates.
pub fn silence_this_thread() {
    // SAFETY: the handler is a plain function that lives as long as the program and touches none
    // of its arguments; alsa-lib keeps it in a variable of this thread.
    unsafe {
        alsa_sys::snd_lib_error_set_local(Some(ignore));
    }
}

unsafe extern "C" fn ignore(
    _file: *const c_char,
    _line: c_int,
    _function: *const c_char,
    _errno: c_int,
    _format: *const c_char,
    _arguments: *mut alsa_sys::__va_list_tag,
) {
}

/// Collects what alsa-lib says on this thread while an error may have to be explained.
pub(super) struct Listening(Option<Rc<RefCell<Output>>>);

impl Listening {
    pub(super) fn begin() -> Self {
        Self(Output::local_error_handler().ok())
    }

    /// What it said, in one line.
    pub(super) fn said(&self) -> String {
        let Some(output) = &self.0 else {
            return String::new();
        };
        let text = output.borrow().to_string();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        silence_this_thread();
    }
}
