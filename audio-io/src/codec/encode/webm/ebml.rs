//! EBML elements (RFC 8794): identifier, size, content.

/// Elements behind each other in memory.
#[derive(Default)]
pub(super) struct Elements {
    pub(super) bytes: Vec<u8>,
}

impl Elements {
    pub(super) fn binary(&mut self, id: u32, content: &[u8]) {
        put_id(&mut self.bytes, id);
        put_size(&mut self.bytes, content.len() as u64);
        self.bytes.extend_from_slice(content);
    }

    pub(super) fn text(&mut self, id: u32, content: &str) {
        self.binary(id, content.as_bytes());
    }

    /// An unsigned number in as few bytes as hold it.
    pub(super) fn number(&mut self, id: u32, value: u64) {
        let bytes = value.to_be_bytes();
        let zeroes = (value.leading_zeros() as usize / 8).min(7);
        self.binary(id, &bytes[zeroes..]);
    }

    /// An unsigned number in eight bytes, so that its element's length does not depend on it.
    pub(super) fn wide_number(&mut self, id: u32, value: u64) {
        self.binary(id, &value.to_be_bytes());
    }

    /// A signed number.
    pub(super) fn signed(&mut self, id: u32, value: i64) {
        self.binary(id, &value.to_be_bytes());
    }

    pub(super) fn float(&mut self, id: u32, value: f64) {
        self.binary(id, &value.to_be_bytes());
    }

    /// An element of elements.
    pub(super) fn master(&mut self, id: u32, content: &Self) {
        self.binary(id, &content.bytes);
    }
}

/// An identifier stands with its length marker in it, as the documents print it.
pub(super) fn put_id(bytes: &mut Vec<u8>, id: u32) {
    let zeroes = (id.leading_zeros() as usize / 8).min(3);
    bytes.extend_from_slice(&id.to_be_bytes()[zeroes..]);
}

/// A size in as few bytes as hold it; all ones would mean that it is not known.
pub(super) fn put_size(bytes: &mut Vec<u8>, size: u64) {
    let length = (1..8_u8)
        .find(|length| size < (1 << (7 * length)) - 1)
        .unwrap_or(8);
    let marked = size | 1 << (7 * length);
    bytes.extend_from_slice(&marked.to_be_bytes()[8 - usize::from(length)..]);
}

/// A size in eight bytes.
pub(super) fn wide_size(size: u64) -> [u8; 8] {
    (size | 1 << 56).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_take_the_bytes_that_the_standard_says() {
        let sized = |size| {
            let mut bytes = Vec::new();
            put_size(&mut bytes, size);
            bytes
        };
        assert_eq!(sized(0), [0x80]);
        assert_eq!(sized(126), [0xFE]);
        // 127 in one byte would be the unknown size.
        assert_eq!(sized(127), [0x40, 0x7F]);
        assert_eq!(sized(16_382), [0x7F, 0xFE]);
        assert_eq!(sized(16_383), [0x20, 0x3F, 0xFF]);
        assert_eq!(wide_size(5), [1, 0, 0, 0, 0, 0, 0, 5]);
        let mut elements = Elements::default();
        elements.number(0x4286, 1);
        elements.number(0xD7, 0);
        elements.number(0x2A_D7B1, 1_000_000);
        assert_eq!(
            elements.bytes,
            [
                0x42, 0x86, 0x81, 1, 0xD7, 0x81, 0, 0x2A, 0xD7, 0xB1, 0x83, 0x0F, 0x42, 0x40
            ]
        );
    }
}
