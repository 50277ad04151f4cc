//! Range, conditionals, HEAD and multipart over sockets, each way a connection can be.

use http::{Method, StatusCode};
use storage::record::Container;

use super::client::{Answer, Ask, Way};
use super::rig::{NOW_TEXT, Rig, pattern};
use crate::http::prefault::Prefault;
use crate::http::worker::Runtime;

/// Longer than the windows of each transport, and no multiple of anything.
const SIZE: usize = 1_300_007;

fn play(rig: &Rig, recording: &storage::record::Recording) -> Ask<'static> {
    Ask::get(format!(
        "/api/v1/sse/audio/{}",
        recording.facts.names.task_id
    ))
    .key(rig)
}

fn check_common(answer: &Answer) {
    assert_eq!(answer.header("accept-ranges"), Some("bytes"));
    assert_eq!(answer.header("cache-control"), Some("no-cache"));
    assert_eq!(answer.header("last-modified"), Some(NOW_TEXT));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
    assert!(answer.header("x-request-id").is_some());
    assert!(answer.header("content-encoding").is_none());
    assert!(answer.header("content-disposition").is_none());
}

#[test]
fn ranges_are_exact_each_way() {
    let rig = Rig::new();
    let bytes = pattern(SIZE);
    let recording = rig.import(&bytes, Container::M4a);
    let last = SIZE - 1;
    for way in Way::ALL {
        let whole = play(&rig, &recording).send(&rig, way);
        assert_eq!(whole.status, StatusCode::OK, "{way:?}");
        assert_eq!(
            whole.header("content-length"),
            Some(SIZE.to_string().as_str())
        );
        assert_eq!(whole.header("content-type"), Some("audio/mp4"));
        assert!(whole.body == bytes, "{way:?}");
        check_common(&whole);
        for (range, first, end) in [
            ("bytes=0-1", 0, 2),
            ("bytes=0-", 0, SIZE),
            ("bytes=4095-4096", 4_095, 4_097),
            ("bytes=100000-999999", 100_000, 1_000_000),
            ("bytes=-1", last, SIZE),
            ("bytes=-99999999999999999999999", 0, SIZE),
            ("bytes=1299999-18446744073709551615", 1_299_999, SIZE),
            ("bytes=0-9,10-19", 0, 20),
        ] {
            let part = play(&rig, &recording).with("range", range).send(&rig, way);
            assert_eq!(part.status, StatusCode::PARTIAL_CONTENT, "{way:?} {range}");
            let expected = format!("bytes {first}-{}/{SIZE}", end - 1);
            assert_eq!(
                part.header("content-range"),
                Some(expected.as_str()),
                "{way:?} {range}"
            );
            assert_eq!(
                part.header("content-length"),
                Some((end - first).to_string().as_str())
            );
            assert!(part.body == bytes[first..end], "{way:?} {range}");
            check_common(&part);
        }
        for range in ["bytes=1300007-", "bytes=-0"] {
            let none = play(&rig, &recording).with("range", range).send(&rig, way);
            assert_eq!(
                none.status,
                StatusCode::RANGE_NOT_SATISFIABLE,
                "{way:?} {range}"
            );
            let expected = format!("bytes */{SIZE}");
            assert_eq!(none.header("content-range"), Some(expected.as_str()));
            assert_eq!(none.code(), "range_not_satisfiable");
        }
        for range in ["bytes=5-4", "items=0-1", "bytes=a-b", "bytes=0-1,x"] {
            let ignored = play(&rig, &recording).with("range", range).send(&rig, way);
            assert_eq!(ignored.status, StatusCode::OK, "{way:?} {range}");
            assert_eq!(ignored.body.len(), SIZE);
        }
    }
}

#[test]
fn several_ranges_are_multipart_each_way() {
    let rig = Rig::new();
    let bytes = pattern(SIZE);
    let recording = rig.import(&bytes, Container::WebM);
    for way in Way::ALL {
        let range = "bytes=900000-1100000,5-6,-3";
        let answer = play(&rig, &recording).with("range", range).send(&rig, way);
        assert_eq!(answer.status, StatusCode::PARTIAL_CONTENT);
        assert!(answer.header("content-range").is_none());
        assert_eq!(
            answer.header("content-length"),
            Some(answer.body.len().to_string().as_str())
        );
        let kind = answer.header("content-type").unwrap();
        let boundary = kind
            .strip_prefix("multipart/byteranges; boundary=")
            .unwrap();
        let mut expected = Vec::new();
        for (first, end) in [(900_000, 1_100_001), (5, 7), (SIZE - 3, SIZE)] {
            let lead = format!(
                "\r\n--{boundary}\r\nContent-Type: audio/webm\r\n\
                 Content-Range: bytes {first}-{}/{SIZE}\r\n\r\n",
                end - 1
            );
            expected.extend_from_slice(lead.as_bytes());
            expected.extend_from_slice(&bytes[first..end]);
        }
        expected.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        assert!(answer.body == expected, "{way:?}");
    }
}

#[test]
fn head_is_get_without_a_body_each_way() {
    let rig = Rig::new();
    let recording = rig.import(&pattern(SIZE), Container::Wav);
    for way in Way::ALL {
        let ask = || play(&rig, &recording).method(Method::HEAD);
        for ask in [
            ask(),
            ask().with("range", "bytes=0-1"),
            ask().with("range", "bytes=9999999-"),
        ] {
            let answer = ask.send(&rig, way);
            assert_eq!(answer.status, StatusCode::OK, "{way:?}");
            assert_eq!(
                answer.header("content-length"),
                Some(SIZE.to_string().as_str())
            );
            assert!(answer.header("content-range").is_none());
            assert!(answer.body.is_empty());
            check_common(&answer);
        }
    }
}

#[test]
fn conditions_go_before_ranges_each_way() {
    let rig = Rig::new();
    let recording = rig.import(&pattern(1_000), Container::Mp3);
    let etag = play(&rig, &recording)
        .ask(&rig)
        .header("etag")
        .unwrap()
        .to_owned();
    let hash = recording.outcome.as_ref().unwrap().content_hash;
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(etag, format!("\"{hex}\""));
    let weak = format!("W/{etag}");
    for way in Way::ALL {
        for (name, value, expected) in [
            ("if-none-match", etag.as_str(), 304),
            ("if-none-match", weak.as_str(), 304),
            ("if-none-match", "*", 304),
            ("if-none-match", "\"x\"", 206),
            ("if-modified-since", NOW_TEXT, 304),
            ("if-match", etag.as_str(), 206),
            ("if-match", weak.as_str(), 412),
            ("if-match", "\"x\"", 412),
            ("if-unmodified-since", "Sun, 06 Nov 1994 08:49:36 GMT", 412),
            ("if-range", etag.as_str(), 206),
            ("if-range", weak.as_str(), 200),
            ("if-range", "\"x\"", 200),
            ("if-range", NOW_TEXT, 206),
            ("if-range", "Sun, 06 Nov 1994 08:49:38 GMT", 200),
        ] {
            let ask = play(&rig, &recording)
                .with("range", "bytes=2-5")
                .with(name, value);
            let answer = ask.send(&rig, way);
            assert_eq!(answer.status.as_u16(), expected, "{way:?} {name}: {value}");
            assert_eq!(
                answer.header("etag"),
                Some(etag.as_str()),
                "{way:?} {name}: {value}"
            );
            match expected {
                304 => assert!(answer.body.is_empty()),
                412 => assert_eq!(answer.code(), "precondition_failed"),
                206 => assert_eq!(answer.body.len(), 4),
                _ => assert_eq!(answer.body.len(), 1_000),
            }
        }
    }
}

#[test]
fn a_pipeline_of_ranges_on_one_connection_stays_in_step() {
    let rig = Rig::new();
    let bytes = pattern(SIZE);
    let recording = rig.import(&bytes, Container::Wav);
    let path = format!("/api/v1/sse/audio/{}", recording.facts.names.task_id);
    let mut requests = String::new();
    let ranges: Vec<(usize, usize)> = (0..40)
        .map(|n| (n * 31_000, n * 31_000 + n * 1_777))
        .collect();
    for (index, (first, last)) in ranges.iter().enumerate() {
        let close = if index + 1 == ranges.len() {
            "Connection: close\r\n"
        } else {
            ""
        };
        requests += &format!(
            "GET {path} HTTP/1.1\r\nHost: x\r\nX-API-Key: {}\r\n\
             Range: bytes={first}-{last}\r\n{close}\r\n",
            rig.key
        );
    }
    let all = super::client::converse(&super::client::raw(&rig), requests.as_bytes());
    let mut rest = all.as_slice();
    for (first, last) in ranges {
        let end = rest
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .unwrap()
            + 4;
        assert!(rest.starts_with(b"HTTP/1.1 206"));
        let last = last.min(SIZE - 1);
        let length = last - first + 1;
        assert!(
            rest[end..end + length] == bytes[first..=last],
            "{first}-{last}"
        );
        rest = &rest[end + length..];
    }
    assert!(rest.is_empty());
}

/// Drops a file from the page cache, where the file system lets go of it (tmpfs does not).
fn evict(rig: &Rig, recording: &storage::record::Recording) {
    let file = std::fs::File::open(rig.site.storage.path_of(recording)).unwrap();
    file.sync_all().unwrap();
    let advice = nix::fcntl::PosixFadviseAdvice::POSIX_FADV_DONTNEED;
    nix::fcntl::posix_fadvise(&file, 0, 0, advice).unwrap();
}

#[test]
fn what_is_not_in_memory_is_waited_for_each_way() {
    let rig = Rig::new();
    let bytes = pattern(SIZE);
    for way in Way::ALL {
        let recording = rig.import(&bytes, Container::Wav);
        evict(&rig, &recording);
        let part = play(&rig, &recording)
            .with("range", "bytes=400000-1200000")
            .send(&rig, way);
        assert!(part.body == bytes[400_000..=1_200_000], "{way:?}");
    }
}

#[test]
fn parts_are_brought_in_with_and_without_a_ring() {
    let rig = Rig::new();
    let plain = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    for runtime in [Runtime::new().unwrap(), Runtime::Plain(plain)] {
        let recording = rig.import(&pattern(SIZE), Container::Wav);
        evict(&rig, &recording);
        runtime.block_on(async {
            let view = rig.site.storage.view(&recording).await.unwrap();
            let mapping = view.mapping();
            let mut part = Prefault::start(mapping, 5_000..900_001);
            std::future::poll_fn(|cx| part.poll(cx)).await.unwrap();
            assert!(mapping.is_resident(5_000..900_001));
            let path = rig.site.storage.path_of(&recording);
            std::fs::File::options()
                .write(true)
                .open(path)
                .unwrap()
                .set_len(4_096)
                .unwrap();
            let mut gone = Prefault::start(mapping, 500_000..900_001);
            let error = std::future::poll_fn(|cx| gone.poll(cx)).await.unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EFAULT));
        });
    }
}
