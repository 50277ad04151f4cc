//! Forms of texts.

use super::{is_mailbox, is_origin, is_url};

#[test]
fn mailboxes_hold_nothing_that_another_header_could_begin_with() {
    for good in [
        "root",
        "it@example.org",
        "a.b+c@[not]".trim_end_matches("@[not]"),
    ] {
        assert!(is_mailbox(good), "{good}");
    }
    for bad in [
        "",
        "@",
        "a@",
        "@b",
        "a@b@c",
        "a b",
        "a\nBcc: x",
        "-oQ/tmp",
        "a..b",
        "a,b",
        "<a>",
    ] {
        assert!(!is_mailbox(bad), "{bad:?}");
    }
}

#[test]
fn upstreams_are_absolute_urls_without_a_user() {
    for good in ["http://127.0.0.1:5002/speak?v=1", "https://tts.example.org"] {
        assert!(is_url(good), "{good}");
    }
    for bad in [
        "",
        "/speak",
        "tts.example.org/speak",
        "ftp://tts.example.org",
        "http://",
        "http://user:secret@tts.example.org/",
        "http://tts.example.org/#part",
        "http://a b/",
    ] {
        assert!(!is_url(bad), "{bad}");
    }
}

#[test]
fn origins_are_scheme_host_and_port_only() {
    for good in [
        "*",
        "https://example.org",
        "http://10.0.0.1:8080",
        "http://[::1]:80",
    ] {
        assert!(is_origin(good), "{good}");
    }
    for bad in [
        "",
        "example.org",
        "https://",
        "https://example.org/",
        "https://example.org:0",
        "https://example.org:x",
        "https://EXAMPLE.org",
        "ftp://example.org",
        "https://a b",
    ] {
        assert!(!is_origin(bad), "{bad}");
    }
}
