//! Double quotes in the request target of seed 003's download. Its `filters` may be JSON, and
//! clients that send it unencoded (`curl --globoff`) put `"` on the request line, where RFC 3986
//! has no such character and hyper gives up. Each is taken as an apostrophe, which stands in no
//! identifier and which the family's filter reads like a quote.

/// Where in a line the last byte stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// Before its first byte.
    Start,
    /// What is left of a line's beginning that has matched so far.
    Prefix(&'static [u8]),
    /// In the query of the download.
    Query,
    /// In any other line, or past the query.
    Other,
}

/// What a line begins with that is mended.
const PREFIXES: [&[u8]; 2] = [
    b"GET /ameyorestapi/cc/downloadVoiceLog?",
    b"HEAD /ameyorestapi/cc/downloadVoiceLog?",
];

impl Line {
    /// The state after a byte, which is mended where it has to be.
    pub(super) fn after(self, byte: &mut u8) -> Self {
        let matched = |prefix: &'static [u8], byte: u8| match prefix.split_first() {
            Some((wanted, [])) if *wanted == byte => Some(Self::Query),
            Some((wanted, rest)) if *wanted == byte => Some(Self::Prefix(rest)),
            _ => None,
        };
        match (self, *byte) {
            (_, b'\n') => Self::Start,
            (Self::Start, byte) => {
                let mut all = PREFIXES.iter();
                all.find_map(|prefix| matched(prefix, byte))
                    .unwrap_or(Self::Other)
            }
            (Self::Prefix(prefix), byte) => matched(prefix, byte).unwrap_or(Self::Other),
            (Self::Query, b' ') => Self::Other,
            (Self::Query, b'"') => {
                *byte = b'\'';
                Self::Query
            }
            (Self::Query | Self::Other, _) => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_downloads_query_is_mended() {
        let text = |quote: char| {
            format!(
                "HEAD /ameyorestapi/cc/downloadVoiceLog?a={{{quote}b{quote}:1}} HTTP/1.1\r\n\
                 X: \"kept\"\r\n\r\n\
                 GET /ameyorestapi/cc/downloadVoiceLog?{quote} HTTP/1.1\r\n\r\n\
                 GET /other?\" HTTP/1.1\r\n GET /ameyorestapi/cc/downloadVoiceLog?\"\r\n"
            )
        };
        let mut bytes = text('"').into_bytes();
        let mut line = Line::Start;
        for byte in &mut bytes {
            line = line.after(byte);
        }
        assert_eq!(String::from_utf8(bytes).unwrap(), text('\''));
    }
}
