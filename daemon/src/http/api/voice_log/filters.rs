//! The parameter `filters`: which `callId` it names. It is read as it was sent, since the vendor's
//! own sample, `{callId%d741-6904fad1-vcall-10989826}`, is not percent-encoded: `%d7` in it is a
//! separator and the beginning of an id, and no byte.
//!
//! ```text
//!  {callId%ID}   {callId:ID}   {callId=ID}   {"callId":"ID"}     sent as they are, or encoded once
//! ```
//!
//! One text can have two readings: `{callId%25ab}` is `25ab` to whoever does not encode, and `ab`
//! to whoever does. Both are given; a recording has one of them, or none.

use percent_encoding::percent_decode_str;
use serde::Deserialize;
use storage::ids::ExternalId;

/// The ids that `filters` can mean; none if it names no `callId`.
pub(super) fn call_ids(sent: &str) -> Vec<ExternalId> {
    // In a query '+' is a space, encoded or not; no id holds either.
    // A double quote that came unencoded has become an apostrophe: see `http/quotes.rs`.
    let sent = sent.replace('+', " ").replace('\'', "\"");
    let decoded = percent_decode_str(&sent).decode_utf8().ok();
    let readings = [
        call_id(&sent),
        decoded.and_then(|text| call_id(&text)),
        loose_call_id(&sent),
    ];
    let mut ids = Vec::new();
    for id in readings.into_iter().flatten() {
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    ids
}

/// The id of clients that encode braces and spaces but take `%` for a letter:
/// `%7BcallId%d741-1%7D`.
fn loose_call_id(text: &str) -> Option<ExternalId> {
    let text = trim_start(trim_end(text));
    let inner = BRACES[0]
        .iter()
        .find_map(|brace| text.strip_prefix(brace))?;
    let inner = BRACES[1]
        .iter()
        .find_map(|brace| inner.strip_suffix(brace))?;
    let mut rest = trim_start(inner).strip_prefix("callId")?;
    // "%20" is a space here, or the separator and an id that begins with "20"; as no id holds a
    // '%', only one of the two can be one.
    loop {
        let id = rest.strip_prefix('%').map(trim_end);
        if let Some(id) = id.and_then(|id| ExternalId::new(id).ok()) {
            return Some(id);
        }
        rest = SPACES.iter().find_map(|space| rest.strip_prefix(space))?;
    }
}

fn trim_start(mut text: &str) -> &str {
    while let Some(rest) = SPACES.iter().find_map(|space| text.strip_prefix(space)) {
        text = rest;
    }
    text
}

fn trim_end(mut text: &str) -> &str {
    while let Some(rest) = SPACES.iter().find_map(|space| text.strip_suffix(space)) {
        text = rest;
    }
    text
}

const SPACES: [&str; 2] = [" ", "%20"];
const BRACES: [[&str; 3]; 2] = [["{", "%7B", "%7b"], ["}", "%7D", "%7d"]];

/// The id in a text of which nothing is encoded any more.
fn call_id(text: &str) -> Option<ExternalId> {
    let text = text.trim_matches(' ');
    let inner = text.strip_prefix('{')?.strip_suffix('}')?;
    let id = match serde_json::from_str::<Json>(text) {
        Ok(json) => json.call_id?,
        Err(_) => {
            let rest = inner.trim_start_matches(' ').strip_prefix("callId")?;
            let rest = rest.trim_start_matches(' ').strip_prefix(['%', ':', '='])?;
            rest.trim_matches(' ').to_owned()
        }
    };
    ExternalId::new(id).ok()
}

#[derive(Deserialize)]
struct Json {
    #[serde(rename = "callId")]
    call_id: Option<String>,
}

#[cfg(test)]
mod tests {
    use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};
    use proptest::prelude::*;

    use super::*;

    const SAMPLE: &str = "d741-6904fad1-vcall-10989826";
    /// What curl, browsers and most libraries encode in a query.
    const LENIENT: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'{').add(b'}').add(b'%');
    /// The same without the percent sign.
    const LOOSE: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'{').add(b'}');

    fn read(sent: &str) -> Vec<String> {
        call_ids(sent).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_vendors_sample_is_an_id_and_no_byte() {
        assert_eq!(read("{callId%d741-6904fad1-vcall-10989826}"), [SAMPLE]);
        assert_eq!(
            read("%7BcallId%25d741-6904fad1-vcall-10989826%7D"),
            [SAMPLE, "25d741-6904fad1-vcall-10989826"]
        );
        assert_eq!(read("%7bcallId%d741-6904fad1-vcall-10989826%7d"), [SAMPLE]);
        assert_eq!(
            read("%7B%22callId%22%3A%22d741-1%22%2C%22more%22%3A%5B1%5D%7D"),
            ["d741-1"]
        );
        assert_eq!(read("+%7B+callId+%3A+d741-1%20%7D"), ["d741-1"]);
        assert_eq!(
            read("{\"other\":{\"callId\":\"x\"},\"callId\":\"y\"}"),
            ["y"]
        );
    }

    #[test]
    fn what_could_be_two_ids_is_both() {
        assert_eq!(read("{callId%25ab}"), ["25ab", "ab"]);
        assert_eq!(read("{callId%3Aab}"), ["3Aab", "ab"]);
        assert_eq!(read("{callId:ab%3A1}"), ["ab:1"]);
        assert_eq!(read("%7BcallId%22%7D"), ["22"]);
        assert_eq!(read("%7BcallId%20%20-1%20%7D"), ["20-1"]);
        assert_eq!(read("%7BcallId%7D%7D"), ["7D"]);
    }

    #[test]
    fn what_names_no_call_is_nothing() {
        for bad in [
            "",
            "{}",
            "{callId}",
            "{callId%}",
            "{callId: }",
            "callId:abc",
            "{callId:abc",
            "{callid:abc}",
            "{campaignId:abc}",
            "{callId:a b}",
            "{callId:a/../b}",
            "{callId:%00}",
            "{callId:\u{202e}abc}",
            "{\"callId\":null}",
            "{\"callId\":7}",
            "{\"callId\":\"a\",\"callId\":\"b\"}",
            "[\"callId\",\"a\"]",
            "%257BcallId%253Aab%257D",
            "%",
            "%7",
            "{callId%é}",
            "{callId%d7",
        ] {
            assert_eq!(read(bad), Vec::<String>::new(), "{bad}");
        }
        let long = format!("{{callId:{}}}", "a".repeat(129));
        assert!(read(&long).is_empty());
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(sent in "\\PC{0,64}", tail in "[{}%:=+\"a-f0-9 callId]{0,64}") {
            let _ = call_ids(&sent);
            let _ = call_ids(&tail);
            let _ = call_ids(&format!("{{callId%{sent}{tail}}}"));
        }

        #[test]
        fn every_form_of_every_id_is_read(id in "[A-Za-z0-9_.:@-]{1,128}", space in "[ ]{0,2}") {
            for form in [
                format!("{{{space}callId{space}%{id}{space}}}"),
                format!("{{callId{space}:{space}{id}}}{space}"),
                format!("{space}{{callId={id}}}"),
                format!("{{{space}\"callId\":{space}\"{id}\"}}"),
                format!("{{\"callId\":\"{id}\",\"n\":[1,{{}}]}}"),
            ] {
                // Spaces cannot stand in a request's target as they are.
                for sent in [
                    form.replace(' ', "+"),
                    utf8_percent_encode(&form, NON_ALPHANUMERIC).to_string(),
                    utf8_percent_encode(&form, LENIENT).to_string(),
                    utf8_percent_encode(&form, LOOSE).to_string(),
                ] {
                    let ids = call_ids(&sent);
                    prop_assert!(ids.iter().any(|read| read.as_str() == id), "{}", sent);
                    prop_assert!(ids.len() <= 2, "{}", sent);
                }
            }
        }
    }
}
