//! `Range` over real sockets: a table of requests, each sent by GET and by HEAD over plain and
//! TLS, HTTP/1.1 and HTTP/2, and each byte of every answer compared with the file that was
//! imported. Rules: API section 0 and RFC 9110 section 14.

use harness::daemon::Setup;
use harness::http::{Answer, Request, Transport};
use harness::multipart;

use crate::support;

/// A bit over a megabyte, so that answers cross every window and buffer; an odd length.
const SAMPLES: u64 = 540_001;

/// What an answer must be. Bounds are first and last position.
#[derive(Clone, Debug)]
pub(crate) enum Expect {
    Whole,
    Part(u64, u64),
    Parts(Vec<(u64, u64)>),
    Unsatisfiable,
    NotModified,
    Failed,
}
use Expect::{Part, Parts, Unsatisfiable, Whole};

fn single(size: u64) -> Vec<(String, Expect)> {
    let last = size - 1;
    let cases = vec![
        ("bytes=0-1".to_owned(), Part(0, 1)),
        ("bytes=0-0".to_owned(), Part(0, 0)),
        ("bytes=0-1023".to_owned(), Part(0, 1023)),
        ("bytes=0-".to_owned(), Part(0, last)),
        (format!("bytes=0-{last}"), Part(0, last)),
        (format!("bytes=0-{size}"), Part(0, last)),
        (format!("bytes={last}-"), Part(last, last)),
        (format!("bytes={last}-{last}"), Part(last, last)),
        (format!("bytes={}-", size / 2), Part(size / 2, last)),
        ("bytes=4095-4097".to_owned(), Part(4_095, 4_097)),
        ("bytes=65535-131073".to_owned(), Part(65_535, 131_073)),
        ("bytes=524287-524289".to_owned(), Part(524_287, 524_289)),
        ("bytes=1-900000".to_owned(), Part(1, 900_000)),
        ("bytes=-1".to_owned(), Part(last, last)),
        ("bytes=-1000".to_owned(), Part(size - 1_000, last)),
        (format!("bytes=-{size}"), Part(0, last)),
        (format!("bytes=-{}", size + 1), Part(0, last)),
        ("bytes=-18446744073709551615".to_owned(), Part(0, last)),
        (
            "bytes=-99999999999999999999999999".to_owned(),
            Part(0, last),
        ),
        ("bytes=7-18446744073709551615".to_owned(), Part(7, last)),
        (
            "bytes=7-99999999999999999999999999".to_owned(),
            Part(7, last),
        ),
        ("bytes=0005-0009".to_owned(), Part(5, 9)),
        ("Bytes=5-9".to_owned(), Part(5, 9)),
        ("bytes=-0".to_owned(), Unsatisfiable),
        (format!("bytes={size}-"), Unsatisfiable),
        (format!("bytes={size}-{size}"), Unsatisfiable),
        ("bytes=18446744073709551615-".to_owned(), Unsatisfiable),
        (
            "bytes=99999999999999999999999999-".to_owned(),
            Unsatisfiable,
        ),
    ];
    cases
}

fn ignored() -> Vec<(String, Expect)> {
    [
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "bytes=1",
        "bytes=--1",
        "bytes=1-2-3",
        "bytes=+1-2",
        "bytes=1 -2",
        "bytes=2-1",
        "bytes=0-1,2-1",
        "bytes=0x1-0x2",
        "items=0-1",
        "seconds=0-1",
        "bytes:0-1",
        "bytes=0-1;5-6",
        "bytes=100000000000000000001-100000000000000000000",
    ]
    .into_iter()
    .map(|value| (value.to_owned(), Whole))
    .collect()
}

fn several(size: u64) -> Vec<(String, Expect)> {
    let last = size - 1;
    let spread = |count: u64| {
        let all: Vec<(u64, u64)> = (0..count).map(|n| (n * 1_000, n * 1_000 + 9)).collect();
        let text: Vec<String> = all.iter().map(|(a, b)| format!("{a}-{b}")).collect();
        (format!("bytes={}", text.join(",")), all)
    };
    let (sixteen, sixteen_parts) = spread(16);
    let (seventeen, _) = spread(17);
    vec![
        ("bytes=0-1,5-6".to_owned(), Parts(vec![(0, 1), (5, 6)])),
        ("bytes=0-1 ,\t5-6".to_owned(), Parts(vec![(0, 1), (5, 6)])),
        ("bytes=0-1,-1".to_owned(), Parts(vec![(0, 1), (last, last)])),
        (
            format!("bytes=100000-300000,700000-{last}"),
            Parts(vec![(100_000, 300_000), (700_000, last)]),
        ),
        ("bytes=0-9,5-20".to_owned(), Part(0, 20)),
        ("bytes=0-9,10-20".to_owned(), Part(0, 20)),
        ("bytes=10-20,0-9".to_owned(), Part(0, 20)),
        ("bytes=0-9,2-3".to_owned(), Part(0, 9)),
        (
            "bytes=0-9,5-20,40-50".to_owned(),
            Parts(vec![(0, 20), (40, 50)]),
        ),
        (format!("bytes=0-1,{size}-"), Part(0, 1)),
        ("bytes=-0,0-1".to_owned(), Part(0, 1)),
        (format!("bytes={size}-,{}-", size + 5), Unsatisfiable),
        (sixteen, Parts(sixteen_parts)),
        (seventeen, Whole),
        ("bytes=0-,0-".to_owned(), Whole),
        (
            format!("bytes=0-{},1-{}", size / 2 + 10, size / 2 + 20),
            Whole,
        ),
    ]
}

/// Every range request of the table, over every transport, by GET and by HEAD.
#[test]
fn every_range_over_every_transport() {
    let daemon = Setup::new().start();
    let (_, file) = support::noise_recording(&daemon, support::TASK, SAMPLES);
    let key = support::key(&daemon);
    let size = file.len() as u64;
    let mut cases = single(size);
    cases.extend(ignored());
    cases.extend(several(size));

    let mut wrong = Vec::new();
    for transport in Transport::ALL {
        let mut client = daemon.client(transport);
        let whole = client.send(&support::get_audio(support::TASK, &key));
        judge(&mut wrong, transport, "no Range", &whole, &Whole, &file);
        for (range, expect) in &cases {
            let mut request = support::get_audio(support::TASK, &key).with("Range", range);
            judge(
                &mut wrong,
                transport,
                range,
                &client.send(&request),
                expect,
                &file,
            );
            // HEAD answers what GET without Range would.
            request.method = "HEAD".to_owned();
            let label = format!("HEAD {range}");
            judge_head(&mut wrong, transport, &label, &client.send(&request), &file);
        }
    }
    assert!(
        wrong.is_empty(),
        "{} answers are wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// Range headers may come in any spelling and beside others; players send these pairs.
#[test]
fn a_connection_serves_many_ranges_in_order() {
    let daemon = Setup::new().start();
    let (_, file) = support::noise_recording(&daemon, support::TASK, 200_000);
    let key = support::key(&daemon);
    for transport in Transport::ALL {
        let mut client = daemon.client(transport);
        for piece in 0..40_usize {
            let (first, last) = (piece * 10_000, piece * 10_000 + 9_999);
            let request = support::get_audio(support::TASK, &key)
                .with("Range", &format!("bytes={first}-{last}"));
            let answer = client.send(&request);
            assert_eq!(answer.status, 206, "{transport:?} {first}");
            assert!(
                answer.body == file[first..=last],
                "{transport:?}: bytes {first}-{last} differ"
            );
        }
    }
}

/// Pushes what is wrong with an answer to GET.
pub(crate) fn judge(
    wrong: &mut Vec<String>,
    transport: Transport,
    label: &str,
    answer: &Answer,
    expect: &Expect,
    file: &[u8],
) {
    let problem = flaw(answer, expect, file);
    if let Some(problem) = problem {
        wrong.push(format!(
            "{transport:?} '{label}': want {expect:?}, got {}: {problem}",
            answer.status
        ));
    }
}

fn judge_head(
    wrong: &mut Vec<String>,
    transport: Transport,
    label: &str,
    answer: &Answer,
    file: &[u8],
) {
    let length = answer.header("content-length").map(str::to_owned);
    let problem = if answer.status != 200 {
        Some(format!("status {}", answer.status))
    } else if length.as_deref() != Some(&file.len().to_string()) {
        Some(format!("Content-Length {length:?}"))
    } else if !answer.body.is_empty() {
        Some("a body".to_owned())
    } else {
        media_headers(answer).or_else(|| {
            answer
                .header("content-range")
                .map(|range| format!("Content-Range {range}"))
        })
    };
    if let Some(problem) = problem {
        wrong.push(format!("{transport:?} '{label}': {problem}"));
    }
}

/// What is wrong with an answer, if anything.
fn flaw(answer: &Answer, expect: &Expect, file: &[u8]) -> Option<String> {
    let size = file.len() as u64;
    let status = match expect {
        Whole => 200,
        Part(..) | Parts(_) => 206,
        Unsatisfiable => 416,
        Expect::NotModified => 304,
        Expect::Failed => 412,
    };
    if answer.status != status {
        return Some(format!(
            "status; body {}",
            &answer.text().chars().take(200).collect::<String>()
        ));
    }
    if answer.header("x-request-id").is_none() {
        return Some("no X-Request-Id".to_owned());
    }
    if !answer.complete {
        return Some("the body ended early".to_owned());
    }
    let length = answer
        .header("content-length")
        .and_then(|text| text.parse::<u64>().ok());
    if answer.status != 304 && length != Some(answer.body.len() as u64) {
        return Some(format!(
            "Content-Length {length:?} with {} bytes",
            answer.body.len()
        ));
    }
    let content_range = answer.header("content-range");
    match expect {
        Whole => {
            let same = answer.body == file && content_range.is_none();
            media_headers(answer).or_else(|| (!same).then(|| "other bytes".to_owned()))
        }
        Part(first, last) => {
            let wanted = format!("bytes {first}-{last}/{size}");
            let same = answer.body == slice(file, *first, *last);
            media_headers(answer).or_else(|| {
                (!same || content_range != Some(&wanted))
                    .then(|| format!("other bytes, or Content-Range {content_range:?}"))
            })
        }
        Parts(all) => media_headers(answer).or_else(|| parts_flaw(answer, all, file)),
        Unsatisfiable => {
            let wanted = format!("bytes */{size}");
            (content_range != Some(&wanted)).then(|| format!("Content-Range {content_range:?}"))
        }
        Expect::NotModified => {
            if answer.header("etag").is_none() {
                return Some("304 without ETag".to_owned());
            }
            (!answer.body.is_empty()).then(|| "304 with a body".to_owned())
        }
        Expect::Failed => None,
    }
}

fn parts_flaw(answer: &Answer, all: &[(u64, u64)], file: &[u8]) -> Option<String> {
    let size = file.len() as u64;
    let parts = multipart::parts(answer);
    if parts.len() != all.len() {
        return Some(format!("{} parts", parts.len()));
    }
    for (part, (first, last)) in parts.iter().zip(all) {
        if part.content_range != format!("bytes {first}-{last}/{size}")
            || part.body != slice(file, *first, *last)
            || part.media_type != "audio/wav"
        {
            return Some(format!("part {} ({})", part.content_range, part.media_type));
        }
    }
    None
}

fn slice(file: &[u8], first: u64, last: u64) -> &[u8] {
    let bound = |position: u64| usize::try_from(position).expect("positions in memory");
    &file[bound(first)..=bound(last)]
}

/// The headers that every answer with media has.
fn media_headers(answer: &Answer) -> Option<String> {
    let is = |name: &str, test: &dyn Fn(&str) -> bool| answer.header(name).is_some_and(test);
    let strong = |tag: &str| tag.len() > 2 && tag.starts_with('"') && tag.ends_with('"');
    let single = answer.header("content-range").is_some() || answer.status == 200;
    let checks = [
        (
            "Content-Type",
            !single || is("content-type", &|value| value == "audio/wav"),
        ),
        (
            "Accept-Ranges",
            is("accept-ranges", &|value| value == "bytes"),
        ),
        ("ETag", is("etag", &strong)),
        (
            "Last-Modified",
            is("last-modified", &|value| value.ends_with(" GMT")),
        ),
        (
            "Cache-Control",
            is("cache-control", &|value| value.contains("no-cache")),
        ),
        (
            "X-Content-Type-Options",
            is("x-content-type-options", &|value| value == "nosniff"),
        ),
        (
            "Content-Encoding",
            answer.header("content-encoding").is_none(),
        ),
        (
            "Transfer-Encoding",
            answer.header("transfer-encoding").is_none(),
        ),
    ];
    checks
        .iter()
        .find(|(_, good)| !good)
        .map(|(name, _)| format!("header {name}"))
}

/// The request of a case, for other modules' tables.
pub(crate) fn with_headers(key: &str, headers: &[(&str, String)]) -> Request {
    headers.iter().fold(
        support::get_audio(support::TASK, key),
        |request, (name, value)| request.with(name, value),
    )
}
