//! `multipart/byteranges` (RFC 9110 section 14.6): the text around the parts, and the exact
//! length of the whole, known before the first byte is sent.

use std::ops::Range;

use bytes::Bytes;

/// A laid-out multipart body: what stands before each part, and what closes the last one.
#[derive(Debug)]
pub(crate) struct Layout {
    /// Each part's lead-in and bytes.
    pub(crate) parts: Vec<(Bytes, Range<u64>)>,
    /// The closing delimiter.
    pub(crate) end: Bytes,
    /// Length of everything.
    pub(crate) length: u64,
    /// The answer's `Content-Type`.
    pub(crate) content_type: String,
}

/// Lays `ranges` of a representation of `size` bytes out. `boundary` must not occur in the
/// recording: 128 random bits do not.
#[must_use]
pub(crate) fn lay_out(
    ranges: Vec<Range<u64>>,
    size: u64,
    part_type: &str,
    boundary: &str,
) -> Layout {
    let mut length = 0_u64;
    let mut parts = Vec::with_capacity(ranges.len());
    for range in ranges {
        let lead = format!(
            "\r\n--{boundary}\r\nContent-Type: {part_type}\r\n\
             Content-Range: bytes {}-{}/{size}\r\n\r\n",
            range.start,
            range.end.saturating_sub(1),
        );
        length += lead.len() as u64 + (range.end - range.start);
        parts.push((Bytes::from(lead), range));
    }
    let end = Bytes::from(format!("\r\n--{boundary}--\r\n"));
    length += end.len() as u64;
    Layout {
        parts,
        end,
        length,
        content_type: format!("multipart/byteranges; boundary={boundary}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_is_that_of_the_parts() {
        let layout = lay_out(vec![0..10, 500..1_000], 1_000, "audio/wav", "b0");
        let text: usize = layout.parts.iter().map(|(lead, _)| lead.len()).sum();
        assert_eq!(layout.length, (text + layout.end.len()) as u64 + 510);
        assert_eq!(
            layout.parts.first().map(|(lead, _)| lead.as_ref()),
            Some(
                b"\r\n--b0\r\nContent-Type: audio/wav\r\nContent-Range: bytes 0-9/1000\r\n\r\n"
                    .as_slice()
            )
        );
        assert_eq!(layout.end.as_ref(), b"\r\n--b0--\r\n");
        assert_eq!(layout.content_type, "multipart/byteranges; boundary=b0");
    }
}
