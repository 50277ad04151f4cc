//! Cross-origin requests: an allow-list of origins, on every answer, errors included, and a
//! preflight for every route (Fetch standard, section 3.2).

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, HeaderMap, HeaderValue, ORIGIN, VARY,
};

/// What scripts may see besides the safelisted headers.
const EXPOSED: HeaderValue =
    HeaderValue::from_static("Content-Range, Accept-Ranges, ETag, Content-Length, X-Request-Id");
/// What scripts may send.
const ALLOWED: HeaderValue = HeaderValue::from_static(
    "X-API-Key, X-App-ID, X-Admin-API-Key, X-Organization-Id, Sessionid, Authorization, \
     Content-Type, Last-Event-ID, Range, If-Range, If-Match, If-None-Match, If-Modified-Since, \
     If-Unmodified-Since",
);
/// How long a browser may keep a preflight's answer.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");

/// Marks an answer for the origin of the request, if it is on the list. `*` on the list lets any
/// origin in, `null` (files, sandboxed frames) included, which cannot be listed by itself;
/// credentials of the browser's own (cookies) are never allowed along.
pub(super) fn mark(request: &HeaderMap, allowed: &[String], answer: &mut HeaderMap) -> bool {
    if allowed.is_empty() {
        return false;
    }
    let any = allowed.iter().any(|origin| origin == "*");
    if !any {
        answer.append(VARY, HeaderValue::from_static("Origin"));
    }
    let mut origins = request.get_all(ORIGIN).iter();
    let (Some(origin), None) = (origins.next(), origins.next()) else {
        return false;
    };
    let listed = || {
        origin.to_str().is_ok_and(|origin| {
            allowed
                .iter()
                .any(|allowed| allowed.trim_end_matches('/') == origin)
        })
    };
    let value = if any {
        HeaderValue::from_static("*")
    } else if listed() {
        origin.clone()
    } else {
        return false;
    };
    answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, value);
    answer.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    true
}

/// Completes the answer to a preflight.
pub(super) fn preflight(methods: &'static str, answer: &mut HeaderMap) {
    answer.insert(
        ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static(methods),
    );
    answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED);
    answer.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(origin: &'static str) -> HeaderMap {
        [(ORIGIN, HeaderValue::from_static(origin))]
            .into_iter()
            .collect()
    }

    #[test]
    fn only_listed_origins_are_let_in() {
        let list = [
            "https://a.example".to_owned(),
            "https://b.example:8443/".to_owned(),
        ];
        for (origin, expected) in [
            ("https://a.example", true),
            ("https://b.example:8443", true),
            ("http://a.example", false),
            ("https://a.example.evil.test", false),
            ("null", false),
        ] {
            let mut answer = HeaderMap::new();
            assert_eq!(
                mark(&from(origin), &list, &mut answer),
                expected,
                "{origin}"
            );
            assert_eq!(answer.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN), expected);
            assert_eq!(answer.get(VARY), Some(&HeaderValue::from_static("Origin")));
        }
    }

    #[test]
    fn a_star_lets_everybody_in_without_credentials() {
        for origin in ["https://x.example", "null"] {
            let mut answer = HeaderMap::new();
            assert!(mark(&from(origin), &["*".to_owned()], &mut answer));
            assert_eq!(
                answer.get(ACCESS_CONTROL_ALLOW_ORIGIN),
                Some(&HeaderValue::from_static("*"))
            );
            assert!(!answer.contains_key("access-control-allow-credentials"));
        }
    }

    #[test]
    fn two_origins_are_none() {
        let mut twice = from("https://a.example");
        twice.append(ORIGIN, HeaderValue::from_static("https://a.example"));
        for list in ["https://a.example", "*"] {
            let mut answer = HeaderMap::new();
            assert!(!mark(&twice, &[list.to_owned()], &mut answer), "{list}");
            assert!(!answer.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN));
        }
    }
}
