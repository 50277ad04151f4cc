//! Conditional requests over real sockets (RFC 9110 section 13): each precondition, their order,
//! and `If-Range`, over the four transports.

use harness::daemon::Setup;
use harness::http::{Request, Transport};

use crate::ranges::Expect::{self, Failed, NotModified, Part, Whole};
use crate::ranges::{judge, with_headers};
use crate::support;

/// Long before any recording.
const BEFORE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
/// Long after.
const AFTER: &str = "Fri, 01 Jan 2100 00:00:00 GMT";

type Case = (Vec<(&'static str, String)>, Expect);

/// The table, for a representation with this strong tag and date.
fn cases(tag: &str, date: &str) -> Vec<Case> {
    let weak = format!("W/{tag}");
    let range = ("Range", "bytes=0-1".to_owned());
    let one = |name: &'static str, value: &str| vec![(name, value.to_owned())];
    let two = |name: &'static str, value: &str, other: &'static str, second: &str| {
        vec![(name, value.to_owned()), (other, second.to_owned())]
    };
    let ranged = |name: &'static str, value: &str| vec![range.clone(), (name, value.to_owned())];
    vec![
        (ranged("If-Range", tag), Part(0, 1)),
        (ranged("If-Range", &weak), Whole),
        (ranged("If-Range", "\"other\""), Whole),
        (ranged("If-Range", date), Part(0, 1)),
        (ranged("If-Range", BEFORE), Whole),
        (ranged("If-Range", AFTER), Whole),
        (ranged("If-Range", "rubbish"), Whole),
        (one("If-Range", tag), Whole),
        (one("If-None-Match", tag), NotModified),
        (one("If-None-Match", &weak), NotModified),
        (one("If-None-Match", "*"), NotModified),
        (one("If-None-Match", &format!("\"x\", {tag}")), NotModified),
        (one("If-None-Match", "\"x\""), Whole),
        (ranged("If-None-Match", tag), NotModified),
        (ranged("If-None-Match", "\"x\""), Part(0, 1)),
        (one("If-Modified-Since", date), NotModified),
        (one("If-Modified-Since", BEFORE), Whole),
        (one("If-Modified-Since", "yesterday"), Whole),
        (ranged("If-Modified-Since", date), NotModified),
        (
            two("If-None-Match", "\"x\"", "If-Modified-Since", date),
            Whole,
        ),
        (
            two("If-None-Match", tag, "If-Modified-Since", BEFORE),
            NotModified,
        ),
        (one("If-Match", tag), Whole),
        (one("If-Match", "*"), Whole),
        (one("If-Match", &format!("\"x\", {tag}")), Whole),
        (one("If-Match", &weak), Failed),
        (one("If-Match", "\"x\""), Failed),
        (ranged("If-Match", tag), Part(0, 1)),
        (ranged("If-Match", "\"x\""), Failed),
        (one("If-Unmodified-Since", date), Whole),
        (one("If-Unmodified-Since", AFTER), Whole),
        (one("If-Unmodified-Since", BEFORE), Failed),
        (one("If-Unmodified-Since", "yesterday"), Whole),
        (ranged("If-Unmodified-Since", BEFORE), Failed),
        (two("If-Match", tag, "If-Unmodified-Since", BEFORE), Whole),
        (
            two("If-Match", "\"x\"", "If-Unmodified-Since", AFTER),
            Failed,
        ),
        (two("If-Match", tag, "If-None-Match", tag), NotModified),
        (two("If-Match", "\"x\"", "If-None-Match", tag), Failed),
        (
            two("If-Unmodified-Since", BEFORE, "If-None-Match", tag),
            Failed,
        ),
    ]
}

/// Every precondition of the table, over every transport.
#[test]
fn every_precondition_over_every_transport() {
    let daemon = Setup::new().start();
    let (_, file) = support::noise_recording(&daemon, support::TASK, 20_000);
    let key = support::key(&daemon);
    let plain = daemon.ask(&support::get_audio(support::TASK, &key));
    let tag = plain.header("etag").expect("an ETag").to_owned();
    let date = plain
        .header("last-modified")
        .expect("a Last-Modified")
        .to_owned();

    let mut wrong = Vec::new();
    for transport in Transport::ALL {
        let mut client = daemon.client(transport);
        for (headers, expect) in cases(&tag, &date) {
            let label = format!("{headers:?}");
            let answer = client.send(&with_headers(&key, &headers));
            judge(&mut wrong, transport, &label, &answer, &expect, &file);
        }
    }
    assert!(
        wrong.is_empty(),
        "{} answers are wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// HEAD meets the same preconditions as GET.
#[test]
fn head_is_conditional_too() {
    let daemon = Setup::new().start();
    let _ = support::noise_recording(&daemon, support::TASK, 20_000);
    let key = support::key(&daemon);
    let head = |name: &str, value: &str| {
        let mut request: Request = support::get_audio(support::TASK, &key).with(name, value);
        request.method = "HEAD".to_owned();
        daemon.ask(&request)
    };
    let tag = head("Accept", "*/*")
        .header("etag")
        .expect("an ETag")
        .to_owned();
    assert_eq!(head("If-None-Match", &tag).status, 304);
    assert_eq!(head("If-Match", "\"x\"").status, 412);
    assert_eq!(head("If-Match", &tag).status, 200);
}

/// The tag depends on the content only: the same bytes under two names share it, others do not.
#[test]
fn the_tag_comes_from_the_content() {
    let daemon = Setup::new().start();
    let other = "660e8400-e29b-41d4-a716-446655440000";
    let third = "770e8400-e29b-41d4-a716-446655440000";
    let _ = support::noise_recording(&daemon, support::TASK, 20_000);
    let _ = support::noise_recording(&daemon, other, 20_000);
    let _ = support::noise_recording(&daemon, third, 20_001);
    let key = support::key(&daemon);
    let tag = |task: &str| {
        let answer = daemon.ask(&support::get_audio(task, &key));
        answer.header("etag").expect("an ETag").to_owned()
    };
    assert_eq!(tag(support::TASK), tag(other));
    assert_ne!(tag(support::TASK), tag(third));
}
