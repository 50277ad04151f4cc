//! What may be sent, and what is answered to what may not: always the envelope.

use http::{Method, StatusCode};
use storage::record::Container;

use super::{PLAY, code, form, token_of};
use crate::http::limits;
use crate::http::tests::client::{Ask, Way, converse, raw};
use crate::http::tests::rig::{Rig, pattern};

fn sent(path: &str, kind: &str, body: impl Into<Vec<u8>>) -> Ask<'static> {
    let mut ask = Ask::get(path).method(Method::POST);
    ask.body = body.into().into();
    if kind.is_empty() {
        return ask;
    }
    ask.with("content-type", kind)
}

#[test]
fn bodies_are_taken_by_their_type() {
    let rig = Rig::new();
    let tsid = token_of(&rig, rig.tenant);
    let recid = rig.import(&pattern(1_000), Container::Mp3).facts.id;
    let target = format!("{PLAY}?tsid={tsid}");
    let multipart = format!(
        "--b\r\nContent-Disposition: form-data; name=\"recid\"\r\n\r\n{recid}\r\n--b--\r\n"
    );
    for (kind, body) in [
        (
            "application/x-www-form-urlencoded",
            format!("recid={recid}"),
        ),
        (
            "Application/X-WWW-Form-Urlencoded; charset=utf-8",
            format!("recid={recid}"),
        ),
        ("application/json", format!("{{\"recid\":\"{recid}\"}}")),
        (
            "application/json;charset=utf-8",
            format!("{{\"recid\":{recid}}}"),
        ),
        ("multipart/form-data; boundary=b", multipart.clone()),
        ("multipart/form-data; boundary=\"b\"", multipart),
    ] {
        for way in [Way::PlainH1, Way::PlainH2] {
            let answer = sent(&target, kind, body.clone()).send(&rig, way);
            assert_eq!(answer.status, StatusCode::OK, "{kind} {way:?}");
        }
    }
    // A token in any of them counts.
    let body = format!(
        "--b\r\nContent-Disposition: form-data; name=\"tsid\"\r\n\r\n{tsid}\r\n\
         --b\r\nContent-Disposition: form-data; name=\"recid\"\r\n\r\n{recid}\r\n--b--\r\n"
    );
    let answer = sent(PLAY, "multipart/form-data; boundary=b", body).ask(&rig);
    assert_eq!(answer.status, StatusCode::OK);
    for kind in ["text/plain", "application/octet-stream", ""] {
        let empty = sent(&format!("{target}&recid={recid}"), kind, "").ask(&rig);
        assert_eq!(empty.status, StatusCode::OK, "{kind}");
    }
}

#[test]
fn what_cannot_be_read_is_answered_in_the_envelope() {
    let rig = Rig::new();
    let tsid = token_of(&rig, rig.tenant);
    let target = format!("{PLAY}?tsid={tsid}");
    let too_long = format!("x={}", "y".repeat(limits::FORM_BODY_BYTES));
    let header = format!("--b\r\nX: {}", "y".repeat(limits::FORM_BODY_BYTES));
    let field = "--b\r\nContent-Disposition: form-data; name=\"recid\"\r\n\r\n";
    let many = format!("{field}1\r\n").repeat(40);
    let file = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n";
    for (kind, body, expected) in [
        ("text/plain", b"recid=1".to_vec(), "415"),
        ("", b"recid=1".to_vec(), "415"),
        ("application/xml", b"<a/>".to_vec(), "415"),
        ("application/json", b"{".to_vec(), "400"),
        ("application/json", b"[]".to_vec(), "400"),
        ("application/json", b"\xff".to_vec(), "400"),
        ("application/json", "[".repeat(10_000).into(), "400"),
        ("application/json", b"{\"recid\":[1]}".to_vec(), "400"),
        ("application/json", too_long.clone().into(), "413"),
        ("application/x-www-form-urlencoded", too_long.into(), "413"),
        (
            "application/x-www-form-urlencoded",
            b"recid=\xff".to_vec(),
            "400",
        ),
        (
            "application/x-www-form-urlencoded",
            b"recid=%d7".to_vec(),
            "400",
        ),
        ("multipart/form-data", b"x".to_vec(), "400"),
        ("multipart/form-data; boundary=", b"x".to_vec(), "400"),
        ("multipart/form-data; boundary=b", b"x".to_vec(), "400"),
        (
            "multipart/form-data; boundary=b",
            b"--b\r\n".to_vec(),
            "400",
        ),
        ("multipart/form-data; boundary=b", header.into(), "413"),
        ("multipart/form-data; boundary=b", many.into(), "400"),
        (
            "multipart/form-data; boundary=b",
            format!("{field}\u{0}\r\n--b--\r\n").into(),
            "400",
        ),
        (
            "multipart/form-data; boundary=b",
            [field.as_bytes(), b"\xff\r\n--b--\r\n"].concat(),
            "400",
        ),
        (
            "multipart/form-data; boundary=b",
            format!("{file}x\r\n--b--").into(),
            "400",
        ),
    ] {
        let answer = sent(&target, kind, body.clone()).ask(&rig);
        let start = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        assert_eq!(code(&answer), expected, "{kind} {start}");
        assert_eq!(answer.status.as_str(), expected);
    }
    let query = Ask::get(format!("{target}&recid=%d7")).ask(&rig);
    assert_eq!(code(&query), "400");
}

#[test]
fn hostile_values_are_only_values() {
    let rig = Rig::new();
    let tsid = token_of(&rig, rig.tenant);
    for value in [
        "-1",
        "0",
        "100000000000000000000",
        "1e3",
        "0x10",
        "..%2f..%2fetc%2fpasswd",
        "%D7%A9%D7%9C",
        "%E2%80%AE12",
        "1;2",
        "1%0d%0aX:%20y",
        "%EF%BC%91",
        "1%20",
        "true",
        "%27%20OR%201=1--",
    ] {
        for name in ["recid", "cdw_id", "cdw_file", "cdw_file_test"] {
            if matches!((name, value), ("cdw_file" | "cdw_file_test", "true")) {
                continue;
            }
            let pair = format!("{name}={value}");
            let query = Ask::get(format!("{PLAY}?tsid={tsid}&{pair}")).ask(&rig);
            let body = form(PLAY, &format!("tsid={tsid}&{pair}")).ask(&rig);
            assert_eq!([code(&query), code(&body)], ["230", "230"], "{pair}");
            assert_eq!(query.body, body.body);
        }
    }
}

#[test]
fn a_body_that_is_told_to_be_huge_is_not_read() {
    let rig = Rig::new();
    let tsid = token_of(&rig, rig.tenant);
    let head = format!(
        "POST {PLAY}?tsid={tsid} HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\
         Content-Type: application/json\r\nConnection: close\r\n\r\n"
    );
    let answer = converse(&raw(&rig), head.as_bytes());
    let text = String::from_utf8(answer).unwrap();
    assert!(text.starts_with("HTTP/1.1 413 "), "{text}");
    assert!(text.contains("\"status_code\":\"413\""), "{text}");
}

#[test]
fn whatever_is_sent_the_envelope_comes_back() {
    use proptest::prelude::*;
    let rig = Rig::with(|config| config.access.requests_per_credential = 0);
    let tsid = token_of(&rig, rig.tenant);
    let kinds = prop::sample::select(vec![
        "application/x-www-form-urlencoded",
        "application/json",
        "multipart/form-data; boundary=b",
        "text/plain",
    ]);
    let pieces = prop::collection::vec(
        prop_oneof![
            any::<[u8; 3]>().prop_map(|bytes| bytes.to_vec()),
            prop::sample::select(vec![
                &b"--b\r\n"[..],
                b"--b--",
                b"\r\n\r\n",
                b"Content-Disposition: form-data; name=\"recid\"\r\n",
                b"Content-Disposition: form-data; name=\"file\"; filename=\"x\"\r\n",
                b"recid=",
                b"&cdw_file=tf1.mp3",
                b"{\"recid\":",
                b"}",
                b"%d7",
                b"99999999999999999999",
            ])
            .prop_map(<[u8]>::to_vec),
        ],
        0..12,
    );
    let query = "[&=a-z0-9%_./;+]{0,30}";
    let config = proptest::test_runner::Config {
        cases: 200,
        failure_persistence: None,
        ..proptest::test_runner::Config::default()
    };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let sending = runner.run(&(kinds, pieces, query), |(kind, pieces, query)| {
        for path in [
            "PlayAudioFile.php",
            "CreateAudioFile.php",
            "GetCallStatus.php",
        ] {
            let target = format!("/api/v2/{path}?tsid={tsid}&{query}");
            let answer = sent(&target, kind, pieces.concat()).ask(&rig);
            prop_assert!(answer.status.is_client_error(), "{}", answer.status);
            let code = code(&answer);
            let is_known = ["220", "230", "400", "413", "415"].contains(&code.as_str());
            prop_assert!(is_known, "{code}");
        }
        Ok(())
    });
    sending.unwrap();
}
