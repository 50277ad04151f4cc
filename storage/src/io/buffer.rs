//! Bytes to be written: owned, growing, and aligned so that they can go past the page cache.

/// Alignment of address, offset and length that every common file system takes for `O_DIRECT`.
pub(crate) const ALIGNMENT: usize = 4096;

/// An aligned, growing byte buffer.
#[derive(Debug)]
pub(crate) struct Buffer {
    memory: Vec<u8>,
    start: usize,
    len: usize,
}

impl Buffer {
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        let memory = vec![0; capacity + ALIGNMENT];
        let start = memory.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        Self {
            memory,
            start,
            len: 0,
        }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn capacity(&self) -> usize {
        self.memory.len() - ALIGNMENT
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.memory[self.start..self.start + self.len]
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..self.start + self.len]
    }

    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        let at = self.grow(bytes.len());
        self.memory[at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// Appends `count` times `byte`.
    pub(crate) fn fill(&mut self, byte: u8, count: usize) {
        let at = self.grow(count);
        self.memory[at..at + count].fill(byte);
    }

    /// Makes room for `more` bytes, counts them in and answers where they begin in memory.
    fn grow(&mut self, more: usize) -> usize {
        let needed = self.len + more;
        if needed > self.capacity() {
            let mut larger = Self::with_capacity(needed.max(self.capacity() * 2));
            let at = larger.start;
            larger.memory[at..at + self.len].copy_from_slice(self.as_slice());
            larger.len = self.len;
            *self = larger;
        }
        let at = self.start + self.len;
        self.len = needed;
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growing_keeps_bytes_and_alignment() {
        let mut buffer = Buffer::with_capacity(16);
        let mut expected = Vec::new();
        for round in 0..200_u8 {
            buffer.extend(&[round; 100]);
            buffer.fill(7, 3);
            expected.extend([round; 100]);
            expected.extend([7; 3]);
        }
        assert_eq!(buffer.as_slice(), expected);
        assert_eq!(buffer.as_slice().as_ptr().align_offset(ALIGNMENT), 0);
    }
}
