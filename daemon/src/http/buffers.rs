//! Reused buffers for bytes that must be copied (TLS, HTTP/2): a fresh large allocation would be
//! a page fault for each page of each window.

use std::cell::RefCell;

use bytes::Bytes;

use super::limits;

thread_local! {
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// A buffer of [`limits::COPIED_WINDOW_BYTES`] that goes back to its thread when it is dropped.
pub(super) struct Buffer {
    bytes: Vec<u8>,
    filled: usize,
}

impl Buffer {
    /// A spare buffer, or a new one. Its contents are left over from an earlier use.
    pub(super) fn take() -> Self {
        let bytes = SPARE
            .with_borrow_mut(Vec::pop)
            .unwrap_or_else(|| vec![0; limits::COPIED_WINDOW_BYTES]);
        Self { bytes, filled: 0 }
    }

    /// The first `length` bytes, to be written to.
    pub(super) fn space(&mut self, length: usize) -> &mut [u8] {
        self.bytes.get_mut(..length).unwrap_or_default()
    }

    /// The first `length` bytes, which have been written.
    pub(super) fn freeze(mut self, length: usize) -> Bytes {
        self.filled = length.min(self.bytes.len());
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.filled).unwrap_or_default()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        // The thread may be ending; then the buffer is simply freed.
        let _ = SPARE.try_with(|spare| {
            if let Ok(mut spare) = spare.try_borrow_mut()
                && spare.len() < limits::SPARE_BUFFERS
            {
                spare.push(bytes);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_reused_and_show_only_what_was_written() {
        let mut buffer = Buffer::take();
        buffer.space(4).copy_from_slice(b"abcd");
        let first = buffer.space(1).as_ptr();
        let bytes = buffer.freeze(4);
        assert_eq!(bytes.as_ref(), b"abcd");
        drop(bytes);
        let mut again = Buffer::take();
        assert_eq!(again.space(1).as_ptr(), first);
        assert_eq!(again.freeze(0).as_ref(), b"");
    }
}
